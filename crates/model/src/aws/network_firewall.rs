//! AWS Network Firewall (API version 2020-11-12).

use crate::Seen;

aws! {
    "PascalCase"

    /// `Firewall`, with its status.
    Firewall {
        pub firewall_name: String,
        pub firewall_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub firewall_policy_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub transit_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnet_mappings: Vec<SubnetMapping>,
        /// Whether the rest was read, or why not.
        pub described: Seen<bool>,
    }

    /// `SubnetMapping`.
    SubnetMapping {
        pub subnet_id: String,
    }
}
