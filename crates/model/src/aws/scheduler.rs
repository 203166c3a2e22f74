//! Amazon EventBridge Scheduler (API version 2021-06-30).

use crate::Seen;
use crate::aws::events::EcsParameters;

aws! {
    "PascalCase"

    /// `ScheduleSummary` of a schedule that starts tasks, with its target.
    Schedule {
        pub arn: String,
        pub name: String,
        pub group_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        pub target: Seen<Target>,
    }

    /// `Target`, without what is passed to it.
    Target {
        pub arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ecs_parameters: Option<EcsParameters>,
    }
}
