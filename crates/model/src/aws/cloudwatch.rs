//! Amazon CloudWatch (API version 2010-08-01).

use crate::Seen;

aws! {
    "PascalCase"

    /// The alarms on one metric: what `DescribeAlarmsForMetric` answers.
    MetricAlarms {
        /// Namespace and name, with `/` between them.
        pub metric: String,
        pub metric_name: String,
        pub namespace: String,
        pub alarms: Seen<Vec<MetricAlarm>>,
    }

    /// `MetricAlarm`.
    MetricAlarm {
        pub alarm_name: String,
        pub alarm_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub actions_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub alarm_actions: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state_value: Option<String>,
    }
}
