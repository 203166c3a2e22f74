//! Amazon CloudWatch (API version 2010-08-01).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Seen;

macro_rules! aws {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name { $($body)* }
    )*};
}

aws! {
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
