//! Elastic Load Balancing v2 (API version 2015-12-01): load balancers in front of containers, and what they lead to.

use jiff::Timestamp;

use crate::Seen;
use crate::aws::wafv2::WebAcl;

pub use super::Tag;

aws! {
    "PascalCase"

    /// `LoadBalancerAttribute` and `TargetGroupAttribute`.
    Attribute {
        pub key: String,
        pub value: String,
    }

    /// `LoadBalancer`. Attributes and listeners are read of those in front of containers only.
    LoadBalancer {
        pub load_balancer_arn: String,
        pub load_balancer_name: String,
        #[serde(rename = "DNSName", skip_serializing_if = "Option::is_none")]
        pub dns_name: Option<String>,
        /// `application`, `network` or `gateway`.
        #[serde(rename = "Type")]
        pub kind: String,
        /// `internet-facing` or `internal`; gateway load balancers have none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scheme: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<LoadBalancerState>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub availability_zones: Vec<AvailabilityZone>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_address_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub enforce_security_group_inbound_rules_on_private_link_traffic: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_time: Option<Timestamp>,
        pub attributes: Seen<Vec<Attribute>>,
        /// ARNs of its listeners, which are resources of their own.
        pub listeners: Seen<Vec<String>>,
        /// The web ACL of an internet-facing application load balancer, as AWS WAF tells it.
        #[serde(rename = "WebACL")]
        pub web_acl: Seen<Option<WebAcl>>,
        pub tags: Seen<Vec<Tag>>,
    }

    /// `LoadBalancerState`.
    LoadBalancerState {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<String>,
    }

    /// `AvailabilityZone`.
    AvailabilityZone {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub zone_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub outpost_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub load_balancer_addresses: Vec<LoadBalancerAddress>,
    }

    /// `LoadBalancerAddress`.
    LoadBalancerAddress {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub allocation_id: Option<String>,
        #[serde(rename = "PrivateIPv4Address", skip_serializing_if = "Option::is_none")]
        pub private_ipv4_address: Option<String>,
        #[serde(rename = "IPv6Address", skip_serializing_if = "Option::is_none")]
        pub ipv6_address: Option<String>,
    }

    /// `Listener`, with its rules; those of network and gateway load balancers have none.
    Listener {
        pub listener_arn: String,
        pub load_balancer_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub certificates: Vec<Certificate>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ssl_policy: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub default_actions: Vec<Action>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub alpn_policy: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mutual_authentication: Option<MutualAuthentication>,
        pub rules: Seen<Vec<Rule>>,
        pub tags: Seen<Vec<Tag>>,
    }

    /// `Certificate`.
    Certificate {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub certificate_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub is_default: Option<bool>,
    }

    /// `MutualAuthenticationAttributes`.
    MutualAuthentication {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub trust_store_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ignore_client_certificate_expiry: Option<bool>,
    }

    /// `Action`; of what it answers, and of whom it authenticates against, only what decides who gets through.
    Action {
        #[serde(rename = "Type")]
        pub kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_group_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub forward_config: Option<ForwardConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub redirect_config: Option<RedirectConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fixed_response_config: Option<FixedResponseConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub authenticate_oidc_config: Option<AuthenticateConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub authenticate_cognito_config: Option<AuthenticateConfig>,
    }

    /// `ForwardActionConfig`.
    ForwardConfig {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub target_groups: Vec<TargetGroupTuple>,
    }

    /// `TargetGroupTuple`.
    TargetGroupTuple {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_group_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub weight: Option<i32>,
    }

    /// `RedirectActionConfig` without path and query, which are free text.
    RedirectConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status_code: Option<String>,
    }

    /// `FixedResponseActionConfig` without the body.
    FixedResponseConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status_code: Option<String>,
    }

    /// `AuthenticateOidcActionConfig` and `AuthenticateCognitoActionConfig`.
    AuthenticateConfig {
        /// `deny`, `allow` or `authenticate`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub on_unauthenticated_request: Option<String>,
    }

    /// `Rule`; the default actions of the listener are the last of its rules.
    Rule {
        pub rule_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub priority: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub conditions: Vec<RuleCondition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub actions: Vec<Action>,
        pub is_default: bool,
    }

    /// `RuleCondition`. What a header or a query must be is left out: people keep shared secrets there.
    RuleCondition {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub field: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host_header_config: Option<ConditionValues>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path_pattern_config: Option<ConditionValues>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_header_config: Option<HttpHeaderCondition>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_request_method_config: Option<ConditionValues>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source_ip_config: Option<ConditionValues>,
    }

    /// `HostHeaderConditionConfig` and the others that are lists of values.
    ConditionValues {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub values: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub regex_values: Vec<String>,
    }

    /// `HttpHeaderConditionConfig` without the values.
    HttpHeaderCondition {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_header_name: Option<String>,
    }

    /// `TargetGroup`. Attributes are read of those that lead to containers only.
    TargetGroup {
        pub target_group_arn: String,
        pub target_group_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        /// `instance`, `ip`, `lambda` or `alb`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_address_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health_check_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health_check_protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health_check_port: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub load_balancer_arns: Vec<String>,
        pub attributes: Seen<Vec<Attribute>>,
        pub target_health_descriptions: Seen<Vec<TargetHealthDescription>>,
        pub tags: Seen<Vec<Tag>>,
    }

    /// `TargetHealthDescription`.
    TargetHealthDescription {
        pub target: TargetDescription,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health_check_port: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_health: Option<TargetHealth>,
    }

    /// `TargetDescription`.
    TargetDescription {
        /// Id of an instance, an address, or the ARN of a function or load balancer.
        pub id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_zone: Option<String>,
    }

    /// `TargetHealth`.
    TargetHealth {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
    }

    /// `SslPolicy` that a listener names.
    SslPolicy {
        pub name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ssl_protocols: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ciphers: Vec<Cipher>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub supported_load_balancer_types: Vec<String>,
    }

    /// `Cipher`.
    Cipher {
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub priority: Option<i32>,
    }
}

impl LoadBalancer {
    /// Whether its addresses are public: what its security groups and subnets then admit is another question.
    pub fn is_internet_facing(&self) -> bool {
        self.scheme.as_deref() == Some("internet-facing")
    }

    /// Whether it reads HTTP, and so can have rules and a web ACL.
    pub fn is_application(&self) -> bool {
        self.kind == "application"
    }

    /// Whether an ARN is that of an application load balancer.
    pub fn names_application(arn: &str) -> bool {
        arn.contains(":loadbalancer/app/")
    }

    /// Whether an ARN is that of a network load balancer.
    pub fn names_network(arn: &str) -> bool {
        arn.contains(":loadbalancer/net/")
    }

    /// The fixed addresses of its nodes: those that it was given, and the public ones of network load balancers.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let addresses = self.availability_zones.iter().flat_map(|zone| &zone.load_balancer_addresses);
        let addresses = addresses.flat_map(|address| [&address.ip_address, &address.private_ipv4_address, &address.ipv6_address]);
        addresses.filter_map(|address| address.as_deref())
    }

    /// The value of an attribute; `None` when AWS lists no such attribute.
    pub fn attribute(&self, key: &str) -> Result<Option<&str>, &crate::Gap> {
        Ok(self.attributes.known()?.iter().find(|attribute| attribute.key == key).map(|attribute| attribute.value.as_str()))
    }

    /// Whether it carries the tag of a load balancer that Kubernetes made: the AWS Load Balancer Controller's or the
    /// cloud provider's.
    pub fn is_of_kubernetes(&self) -> Result<bool, &crate::Gap> {
        Ok(self.tags.known()?.iter().any(|tag| tag.key == "elbv2.k8s.aws/cluster" || tag.key.starts_with("kubernetes.io/cluster/")))
    }
}

impl TargetGroup {
    /// Whether targets see the addresses of clients and not those of the network load balancer's nodes.
    pub fn preserves_client_ip(&self) -> Result<bool, &crate::Gap> {
        let set = self.attributes.known()?.iter().find(|attribute| attribute.key == "preserve_client_ip.enabled");
        Ok(match (self.protocol.as_deref(), set) {
            // Of these protocols it cannot be switched off.
            (Some("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC"), _) => true,
            (_, Some(attribute)) => attribute.value == "true",
            (_, None) => self.target_type.as_deref() == Some("instance"),
        })
    }

    /// The protocols in which its targets are asked: `tcp`, `udp` or both.
    pub fn transports(&self) -> &'static [&'static str] {
        match self.protocol.as_deref() {
            Some("UDP" | "QUIC") => &["udp"],
            Some("TCP_UDP" | "TCP_QUIC") => &["tcp", "udp"],
            _ => &["tcp"],
        }
    }
}

impl Listener {
    /// Whether clients speak TLS to it: it holds the certificate.
    pub fn ends_tls(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("HTTPS" | "TLS"))
    }

    /// `HTTPS:443`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.protocol.as_deref().unwrap_or("?"), self.port.map_or_else(|| "?".to_owned(), |port| port.to_string()))
    }

    /// Every action of the listener and its rules; the gap when the rules were not read.
    pub fn actions(&self) -> Result<impl Iterator<Item = &Action>, &crate::Gap> {
        Ok(self.default_actions.iter().chain(self.rules.known()?.iter().flat_map(|rule| &rule.actions)))
    }
}

impl Action {
    /// ARNs of the target groups that it forwards to; AWS repeats a single one in both places. A weight of zero gets
    /// nothing today and everything after one call, so it counts.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let of_config = self.forward_config.iter().flat_map(|config| &config.target_groups);
        let listed = of_config.filter_map(|group| group.target_group_arn.as_deref());
        self.target_group_arn.as_deref().into_iter().chain(listed)
    }
}
