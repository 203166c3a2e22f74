//! Amazon EKS (API version 2017-11-01).

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Seen;

aws! {
    "camelCase"

    /// `Cluster`.
    Cluster {
        pub name: String,
        pub arn: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resources_vpc_config: Option<VpcConfigResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kubernetes_network_config: Option<KubernetesNetworkConfigResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub logging: Option<Logging>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub identity: Option<Identity>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub encryption_config: Vec<EncryptionConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access_config: Option<AccessConfigResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub upgrade_policy: Option<UpgradePolicyResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub compute_config: Option<ComputeConfigResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub outpost_config: Option<OutpostConfigResponse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deletion_protection: Option<bool>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `VpcConfigResponse`.
    VpcConfigResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnet_ids: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_group_ids: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cluster_security_group_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint_public_access: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint_private_access: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub public_access_cidrs: Vec<String>,
    }

    /// `KubernetesNetworkConfigResponse`.
    KubernetesNetworkConfigResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_ipv4_cidr: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_ipv6_cidr: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_family: Option<String>,
    }

    /// `Logging`.
    Logging {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub cluster_logging: Vec<LogSetup>,
    }

    /// `LogSetup`.
    LogSetup {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub types: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }

    /// `Identity`.
    Identity {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub oidc: Option<Oidc>,
    }

    /// `OIDC`.
    Oidc {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issuer: Option<String>,
    }

    /// `EncryptionConfig`.
    EncryptionConfig {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub resources: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub provider: Option<Provider>,
    }

    /// `Provider`.
    Provider {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_arn: Option<String>,
    }

    /// `AccessConfigResponse`.
    AccessConfigResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub authentication_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bootstrap_cluster_creator_admin_permissions: Option<bool>,
    }

    /// `UpgradePolicyResponse`.
    UpgradePolicyResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub support_type: Option<String>,
    }

    /// `ComputeConfigResponse`: EKS Auto Mode.
    ComputeConfigResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub node_pools: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub node_role_arn: Option<String>,
    }

    /// `OutpostConfigResponse`.
    OutpostConfigResponse {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub outpost_arns: Vec<String>,
    }

    /// `Nodegroup`.
    Nodegroup {
        pub nodegroup_name: String,
        pub nodegroup_arn: String,
        pub cluster_name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub release_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ami_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub capacity_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub modified_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scaling_config: Option<NodegroupScalingConfig>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub instance_types: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnets: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub remote_access: Option<RemoteAccessConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub node_role: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resources: Option<NodegroupResources>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template: Option<LaunchTemplateSpecification>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub node_repair_config: Option<NodeRepairConfig>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health: Option<Health>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `NodegroupScalingConfig`.
    NodegroupScalingConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub min_size: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub max_size: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub desired_size: Option<i32>,
    }

    /// `RemoteAccessConfig`.
    RemoteAccessConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ec2_ssh_key: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub source_security_groups: Vec<String>,
    }

    /// `NodegroupResources`.
    NodegroupResources {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub auto_scaling_groups: Vec<AutoScalingGroup>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub remote_access_security_group: Option<String>,
    }

    /// `AutoScalingGroup`.
    AutoScalingGroup {
        pub name: String,
    }

    /// `LaunchTemplateSpecification`.
    LaunchTemplateSpecification {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
    }

    /// `NodeRepairConfig`.
    NodeRepairConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }

    /// `NodegroupHealth`, `AddonHealth` and `FargateProfileHealth`.
    Health {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub issues: Vec<Issue>,
    }

    /// `Issue`, `AddonIssue` and `FargateProfileIssue`, without their messages.
    Issue {
        pub code: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub resource_ids: Vec<String>,
    }

    /// `FargateProfile`.
    FargateProfile {
        pub fargate_profile_name: String,
        pub fargate_profile_arn: String,
        pub cluster_name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub pod_execution_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnets: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub selectors: Vec<FargateProfileSelector>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `FargateProfileSelector`.
    FargateProfileSelector {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: BTreeMap<String, String>,
    }

    /// `Addon`, with what is kept of its configuration.
    Addon {
        pub addon_name: String,
        pub addon_arn: String,
        pub cluster_name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub addon_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub modified_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_account_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub publisher: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub pod_identity_associations: Vec<String>,
        /// `configurationValues`; people leave anything in them, so that only what checks read is kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub configuration_values: Option<ConfigurationValues>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health: Option<Health>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `AccessEntry`, with the access policies that are associated with it.
    AccessEntry {
        pub access_entry_arn: String,
        pub principal_arn: String,
        pub cluster_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub username: Option<String>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub kubernetes_groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub modified_at: Option<Timestamp>,
        pub associated_access_policies: Seen<Vec<AssociatedAccessPolicy>>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `AssociatedAccessPolicy`.
    AssociatedAccessPolicy {
        pub policy_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access_scope: Option<AccessScope>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub associated_at: Option<Timestamp>,
    }

    /// `AccessScope`.
    AccessScope {
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub namespaces: Vec<String>,
    }

    /// `PodIdentityAssociation`.
    PodIdentityAssociation {
        pub association_arn: String,
        pub association_id: String,
        pub cluster_name: String,
        pub namespace: String,
        pub service_account: String,
        pub role_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub disable_session_tags: Option<bool>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `OidcIdentityProviderConfig`.
    IdentityProviderConfig {
        pub identity_provider_config_name: String,
        pub identity_provider_config_arn: String,
        pub cluster_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issuer_url: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub client_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub username_claim: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub username_prefix: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub groups_claim: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub groups_prefix: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// `InsightSummary` of a cluster.
    Insight {
        pub id: String,
        pub name: String,
        /// The cluster that it is about; AWS's answer does not repeat it.
        pub cluster_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub category: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kubernetes_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_refresh_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub insight_status: Option<InsightStatus>,
    }

    /// `InsightStatus`.
    InsightStatus {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
    }

    /// `ClusterVersionInformation`.
    ClusterVersion {
        pub cluster_version: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub default_version: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub release_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub end_of_standard_support_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub end_of_extended_support_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kubernetes_patch_version: Option<String>,
    }

    /// `AddonInfo` for one version of Kubernetes, with the versions that are the default there.
    AddonVersion {
        /// Add-on and version of Kubernetes: `vpc-cni/1.33`.
        pub id: String,
        pub addon_name: String,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub publisher: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub addon_versions: Vec<AddonVersionInfo>,
    }

    /// `AddonVersionInfo`.
    AddonVersionInfo {
        pub addon_version: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub compatibilities: Vec<Compatibility>,
    }

    /// `Compatibility`.
    Compatibility {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cluster_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub default_version: Option<bool>,
    }
}

/// What is kept of the `configurationValues` of an add-on, which AWS tells as a text in JSON or YAML.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigurationValues {
    /// `enableNetworkPolicy`, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_network_policy: Option<String>,
    /// Whether the text was neither JSON nor YAML in blocks, so that nothing is known of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
}

/// Configuration values as AWS tells them, or as a snapshot holds them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Kept {
        #[serde(default)]
        enable_network_policy: Option<String>,
        #[serde(default)]
        unreadable: bool,
    },
}

impl<'de> Deserialize<'de> for ConfigurationValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(text) => Self::from_text(&text),
            Written::Kept { enable_network_policy, unreadable } => Self { enable_network_policy, unreadable },
        })
    }
}

impl ConfigurationValues {
    /// Reads the text of an add-on's configuration.
    pub fn from_text(text: &str) -> Self {
        const KEY: &str = "enableNetworkPolicy";
        if text.trim_start().starts_with('{') {
            return match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
                Ok(values) => {
                    let value = values.get(KEY).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                    Self { enable_network_policy: value, unreadable: false }
                }
                Err(_) => Self { enable_network_policy: None, unreadable: true },
            };
        }
        // The key stands at the beginning of a line: what is indented belongs to another.
        let value = text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let value = value.split(" #").next().unwrap_or_default();
            (key.trim_end().trim_matches(['"', '\'']) == KEY).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        Self { enable_network_policy: value, unreadable: false }
    }
}

impl AddonVersion {
    /// What identifies the versions of an add-on for a version of Kubernetes.
    pub fn id_of(addon_name: &str, kubernetes_version: &str) -> String {
        format!("{addon_name}/{kubernetes_version}")
    }

    /// Keeps the versions that are the default for a version of Kubernetes.
    pub fn retain_defaults(&mut self, kubernetes_version: &str) {
        self.addon_versions.retain_mut(|version| {
            version.compatibilities.retain(|one| {
                one.default_version == Some(true) && one.cluster_version.as_deref().is_none_or(|of| of == kubernetes_version)
            });
            !version.compatibilities.is_empty()
        });
    }
}

impl Nodegroup {
    /// The public parameter that tells the release which AWS recommends for its version and AMI type; `None` for
    /// types of which AWS publishes none.
    pub fn release_parameter(&self) -> Option<String> {
        let version = self.version.as_deref().filter(|version| !version.is_empty())?;
        let amazon_linux = |image: &str| format!("/aws/service/eks/optimized-ami/{version}/{image}/recommended/release_version");
        let bottlerocket = |variant: &str, architecture: &str| {
            format!("/aws/service/bottlerocket/aws-k8s-{version}{variant}/{architecture}/latest/image_version")
        };
        // Of Windows there is no parameter for the release alone: the value is JSON.
        let windows = |release: &str| format!("/aws/service/ami-windows-latest/Windows_Server-{release}-EKS_Optimized-{version}");
        Some(match self.ami_type.as_deref()? {
            "AL2_x86_64" => amazon_linux("amazon-linux-2"),
            "AL2_x86_64_GPU" => amazon_linux("amazon-linux-2-gpu"),
            "AL2_ARM_64" => amazon_linux("amazon-linux-2-arm64"),
            "AL2023_x86_64_STANDARD" => amazon_linux("amazon-linux-2023/x86_64/standard"),
            "AL2023_ARM_64_STANDARD" => amazon_linux("amazon-linux-2023/arm64/standard"),
            "AL2023_x86_64_NEURON" => amazon_linux("amazon-linux-2023/x86_64/neuron"),
            "AL2023_x86_64_NVIDIA" => amazon_linux("amazon-linux-2023/x86_64/nvidia"),
            "AL2023_ARM_64_NVIDIA" => amazon_linux("amazon-linux-2023/arm64/nvidia"),
            "BOTTLEROCKET_x86_64" => bottlerocket("", "x86_64"),
            "BOTTLEROCKET_ARM_64" => bottlerocket("", "arm64"),
            "BOTTLEROCKET_x86_64_FIPS" => bottlerocket("-fips", "x86_64"),
            "BOTTLEROCKET_ARM_64_FIPS" => bottlerocket("-fips", "arm64"),
            "BOTTLEROCKET_x86_64_NVIDIA" => bottlerocket("-nvidia", "x86_64"),
            "BOTTLEROCKET_ARM_64_NVIDIA" => bottlerocket("-nvidia", "arm64"),
            "BOTTLEROCKET_x86_64_NVIDIA_FIPS" => bottlerocket("-nvidia-fips", "x86_64"),
            "BOTTLEROCKET_ARM_64_NVIDIA_FIPS" => bottlerocket("-nvidia-fips", "arm64"),
            "WINDOWS_CORE_2019_x86_64" => windows("2019-English-Core"),
            "WINDOWS_FULL_2019_x86_64" => windows("2019-English-Full"),
            "WINDOWS_CORE_2022_x86_64" => windows("2022-English-Core"),
            "WINDOWS_FULL_2022_x86_64" => windows("2022-English-Full"),
            "WINDOWS_CORE_2025_x86_64" => windows("2025-English-Core"),
            "WINDOWS_FULL_2025_x86_64" => windows("2025-English-Full"),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Addon, ConfigurationValues, Nodegroup};

    #[test]
    fn of_configuration_values_only_what_is_read_is_kept() {
        for text in [
            r#"{"enableNetworkPolicy": "true", "env": {"TOKEN": "s3cret"}}"#,
            "env:\n  TOKEN: s3cret\nenableNetworkPolicy: \"true\" # on\n",
        ] {
            let addon: Addon = serde_json::from_value(serde_json::json!({"addonName": "vpc-cni", "configurationValues": text})).unwrap();
            let values = addon.configuration_values.clone().unwrap();
            assert_eq!(values.enable_network_policy.as_deref(), Some("true"));
            let line = serde_json::to_string(&addon).unwrap();
            assert!(!line.contains("s3cret"), "{line}");
            assert_eq!(serde_json::from_str::<Addon>(&line).unwrap(), addon);
        }
        assert_eq!(ConfigurationValues::from_text(r#"{"enableNetworkPolicy": true}"#).enable_network_policy.as_deref(), Some("true"));
        assert_eq!(ConfigurationValues::from_text("nodeAgent:\n  enableNetworkPolicy: true").enable_network_policy, None);
        assert!(ConfigurationValues::from_text("{enableNetworkPolicy: true}").unreadable);
    }

    #[test]
    fn the_recommended_release_of_a_node_group_has_a_public_parameter() {
        let parameter = |ami_type: &str| {
            Nodegroup { version: Some("1.33".to_owned()), ami_type: Some(ami_type.to_owned()), ..Default::default() }.release_parameter()
        };
        assert_eq!(
            parameter("AL2023_x86_64_STANDARD").unwrap(),
            "/aws/service/eks/optimized-ami/1.33/amazon-linux-2023/x86_64/standard/recommended/release_version"
        );
        assert_eq!(
            parameter("BOTTLEROCKET_ARM_64_FIPS").unwrap(),
            "/aws/service/bottlerocket/aws-k8s-1.33-fips/arm64/latest/image_version"
        );
        assert_eq!(parameter("CUSTOM"), None);
        assert_eq!(Nodegroup::default().release_parameter(), None);
    }
}
