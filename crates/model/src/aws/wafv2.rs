//! AWS WAF (API version 2019-07-29): what kind of rules a web ACL has, not what they match.

aws! {
    "PascalCase"

    /// `WebACL`.
    WebAcl {
        pub name: String,
        pub id: String,
        #[serde(rename = "ARN")]
        pub arn: String,
        pub default_action: Action,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub rules: Vec<Rule>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub pre_process_firewall_manager_rule_groups: Vec<FirewallManagerRuleGroup>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub post_process_firewall_manager_rule_groups: Vec<FirewallManagerRuleGroup>,
    }

    /// `Rule`.
    Rule {
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub priority: Option<i32>,
        /// Rule groups have `OverrideAction` in its place.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub action: Option<Action>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub override_action: Option<Action>,
        pub statement: Statement,
    }

    /// `DefaultAction`, `RuleAction` and `OverrideAction`: the one that is there is taken.
    Action {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub allow: Option<ActionSettings>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub block: Option<ActionSettings>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub captcha: Option<ActionSettings>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub challenge: Option<ActionSettings>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub count: Option<ActionSettings>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub none: Option<ActionSettings>,
    }

    /// The settings of an action, which are not kept.
    ActionSettings {}

    /// `Statement`, of the kinds that say how much is let through and who wrote the rules.
    Statement {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rate_based_statement: Option<RateBasedStatement>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_rule_group_statement: Option<ManagedRuleGroupStatement>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rule_group_reference_statement: Option<RuleGroupReferenceStatement>,
    }

    /// `RateBasedStatement`.
    RateBasedStatement {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub limit: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub evaluation_window_sec: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub aggregate_key_type: Option<String>,
    }

    /// `ManagedRuleGroupStatement`.
    ManagedRuleGroupStatement {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vendor_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
    }

    /// `RuleGroupReferenceStatement`: rules of the customer's own, which the answer does not show.
    RuleGroupReferenceStatement {
        #[serde(rename = "ARN", skip_serializing_if = "Option::is_none")]
        pub arn: Option<String>,
    }

    /// `FirewallManagerRuleGroup`.
    FirewallManagerRuleGroup {
        pub name: String,
        pub firewall_manager_statement: Statement,
    }
}

impl WebAcl {
    /// Its rules that limit how often somebody may ask.
    pub fn rate_based_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.statement.rate_based_statement.is_some())
    }

    /// ARNs of the customer's rule groups that it refers to, Firewall Manager's included.
    pub fn rule_groups(&self) -> impl Iterator<Item = &str> {
        let managed = self.pre_process_firewall_manager_rule_groups.iter().chain(&self.post_process_firewall_manager_rule_groups);
        let statements = self.rules.iter().map(|rule| &rule.statement).chain(managed.map(|group| &group.firewall_manager_statement));
        statements.filter_map(|statement| statement.rule_group_reference_statement.as_ref()?.arn.as_deref())
    }
}
