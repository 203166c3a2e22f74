//! AWS Cloud Map (API version 2017-03-14): the names under which ECS services register their tasks.

aws! {
    "PascalCase"

    /// `NamespaceSummary`, as `ListNamespaces` answers.
    Namespace {
        pub id: String,
        pub arn: String,
        pub name: String,
        /// `DNS_PRIVATE`, `DNS_PUBLIC` or `HTTP`; the last is not in DNS.
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub properties: Option<NamespaceProperties>,
    }

    /// `NamespaceProperties`.
    NamespaceProperties {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dns_properties: Option<DnsProperties>,
    }

    /// `DnsProperties`.
    DnsProperties {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub hosted_zone_id: Option<String>,
    }

    /// `Service`, as `GetService` answers.
    Service {
        pub id: String,
        pub arn: String,
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub namespace_id: Option<String>,
        /// `DNS_HTTP`, or `HTTP` for what only `DiscoverInstances` finds.
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dns_config: Option<DnsConfig>,
    }

    /// `DnsConfig`.
    DnsConfig {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub dns_records: Vec<DnsRecord>,
    }

    /// `DnsRecord`.
    DnsRecord {
        /// `A`, `AAAA`, `SRV` or `CNAME`.
        #[serde(rename = "Type")]
        pub kind: String,
    }
}

impl Service {
    /// ARN of its namespace, which belongs to the account and Region of the service.
    pub fn namespace_arn(&self) -> Option<String> {
        let (place, _) = self.arn.split_once(":service/")?;
        Some(format!("{place}:namespace/{}", self.namespace_id.as_deref()?))
    }

    /// Whether Cloud Map makes DNS records for what is registered with it.
    pub fn is_in_dns(&self) -> bool {
        self.dns_config.as_ref().is_some_and(|config| !config.dns_records.is_empty())
    }
}
