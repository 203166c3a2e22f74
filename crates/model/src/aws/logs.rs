//! Amazon CloudWatch Logs (API version 2014-03-28).

use crate::Seen;

aws! {
    "camelCase"

    /// `LogGroup`, with the filters that were asked for.
    LogGroup {
        pub log_group_name: String,
        pub log_group_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub retention_in_days: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_group_class: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub creation_time: Option<i64>,
        pub subscription_filters: Seen<Vec<SubscriptionFilter>>,
        pub metric_filters: Seen<Vec<MetricFilter>>,
    }

    /// `SubscriptionFilter`.
    SubscriptionFilter {
        pub filter_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub filter_pattern: Option<String>,
        pub destination_arn: String,
    }

    /// `MetricFilter`, with the alarms on its metrics.
    MetricFilter {
        pub filter_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub filter_pattern: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub metric_transformations: Vec<MetricTransformation>,
    }

    /// `MetricTransformation`.
    MetricTransformation {
        pub metric_name: String,
        pub metric_namespace: String,
    }
}
