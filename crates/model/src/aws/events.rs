//! Amazon EventBridge (API version 2015-10-07).

use crate::Seen;

aws! {
    "PascalCase"

    /// `Rule`, with its targets where it starts tasks or watches containers.
    Rule {
        pub name: String,
        pub arn: String,
        pub event_bus_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub event_pattern: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub schedule_expression: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
        pub targets: Seen<Vec<Target>>,
    }

    /// `Target`, without what is passed to it.
    Target {
        pub id: String,
        pub arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ecs_parameters: Option<EcsParameters>,
    }

    /// `EcsParameters`; those of EventBridge Scheduler have the same members.
    EcsParameters {
        pub task_definition_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_configuration: Option<NetworkConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub enable_execute_command: Option<bool>,
    }

    /// `NetworkConfiguration`; in it AWS's names begin small, as those of ECS do, but for EventBridge's own members.
    NetworkConfiguration {
        #[serde(rename = "awsvpcConfiguration", skip_serializing_if = "Option::is_none")]
        pub awsvpc_configuration: Option<AwsVpcConfiguration>,
    }

    /// `AwsVpcConfiguration`.
    AwsVpcConfiguration {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnets: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub assign_public_ip: Option<String>,
    }
}

impl Rule {
    /// Whether it matches events and fires.
    pub fn is_enabled(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state.starts_with("ENABLED"))
    }
}
