//! Amazon Route 53 Resolver (API version 2018-04-01).

aws! {
    "PascalCase"

    /// `FirewallRuleGroupAssociation`.
    FirewallRuleGroupAssociation {
        pub id: String,
        pub arn: String,
        pub firewall_rule_group_id: String,
        pub vpc_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub priority: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }

    /// `ResolverQueryLogConfigAssociation`.
    QueryLogConfigAssociation {
        pub id: String,
        pub resolver_query_log_config_id: String,
        pub resource_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }
}
