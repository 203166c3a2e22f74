//! Amazon GuardDuty (API version 2017-11-28): detectors with their features, what they cover, and open findings without
//! the texts that describe them.

use jiff::Timestamp;

use crate::Seen;

aws! {
    "camelCase"

    /// A detector, with what `GetDetector` answers.
    Detector {
        pub detector_id: String,
        pub configuration: Seen<DetectorConfiguration>,
    }

    /// `GetDetectorResponse`.
    DetectorConfiguration {
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub finding_publishing_frequency: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub features: Vec<DetectorFeature>,
    }

    /// `DetectorFeatureConfigurationResult`.
    DetectorFeature {
        pub name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub additional_configuration: Vec<DetectorAdditionalConfiguration>,
    }

    /// `DetectorAdditionalConfigurationResult`.
    DetectorAdditionalConfiguration {
        pub name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<Timestamp>,
    }

    /// `CoverageResource` of an ECS or EKS cluster.
    CoverageResource {
        pub resource_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub detector_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub account_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub coverage_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issue: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resource_details: Option<CoverageResourceDetails>,
    }

    /// `CoverageResourceDetails`.
    CoverageResourceDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resource_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ecs_cluster_details: Option<CoverageEcsClusterDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub eks_cluster_details: Option<CoverageEksClusterDetails>,
    }

    /// `CoverageEcsClusterDetails`.
    CoverageEcsClusterDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cluster_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fargate_details: Option<FargateDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_instance_details: Option<ContainerInstanceDetails>,
    }

    /// `FargateDetails`.
    FargateDetails {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub issues: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub management_type: Option<String>,
    }

    /// `ContainerInstanceDetails`.
    ContainerInstanceDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub covered_container_instances: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub compatible_container_instances: Option<i64>,
    }

    /// `CoverageEksClusterDetails`.
    CoverageEksClusterDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cluster_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub covered_nodes: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub compatible_nodes: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub addon_details: Option<AddonDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub management_type: Option<String>,
    }

    /// `AddonDetails`.
    AddonDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub addon_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub addon_status: Option<String>,
    }

    /// `Finding`.
    Finding {
        pub id: String,
        pub arn: String,
        #[serde(rename = "type")]
        pub kind: String,
        pub severity: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<Timestamp>,
        pub resource: FindingResource,
        pub service: FindingService,
    }

    /// `Service` of a finding.
    FindingService {
        pub archived: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub detector_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub count: Option<i64>,
    }

    /// `Resource` of a finding.
    FindingResource {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resource_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access_key_details: Option<AccessKeyDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_details: Option<InstanceDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ecs_cluster_details: Option<EcsClusterDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub eks_cluster_details: Option<EksClusterDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kubernetes_details: Option<KubernetesDetails>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_details: Option<Container>,
    }

    /// `AccessKeyDetails`, without the key.
    AccessKeyDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub principal_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_type: Option<String>,
    }

    /// `InstanceDetails`.
    InstanceDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_id: Option<String>,
    }

    /// `EcsClusterDetails`.
    EcsClusterDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_details: Option<EcsTaskDetails>,
    }

    /// `EcsTaskDetails`.
    EcsTaskDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub definition_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
    }

    /// `EksClusterDetails`.
    EksClusterDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub arn: Option<String>,
    }

    /// `KubernetesDetails`.
    KubernetesDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kubernetes_workload_details: Option<KubernetesWorkloadDetails>,
    }

    /// `KubernetesWorkloadDetails`.
    KubernetesWorkloadDetails {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_account_name: Option<String>,
    }

    /// `Container`.
    Container {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image: Option<String>,
    }
}

impl DetectorConfiguration {
    fn enabled(&self, name: &str) -> Option<&DetectorFeature> {
        self.features.iter().find(|feature| feature.name == name && feature.status == "ENABLED")
    }

    /// Whether a feature is ENABLED. One that AWS does not list is not offered here, and so not on.
    pub fn has(&self, feature: &str) -> bool {
        self.enabled(feature).is_some()
    }

    /// Whether a part of a feature is ENABLED, and the feature with it.
    pub fn has_part(&self, feature: &str, part: &str) -> bool {
        let parts = self.enabled(feature).into_iter().flat_map(|feature| &feature.additional_configuration);
        parts.into_iter().any(|one| one.name == part && one.status == "ENABLED")
    }

    /// Whether some feature watches processes, so that there is coverage to ask for.
    pub fn watches_processes(&self) -> bool {
        self.has("RUNTIME_MONITORING") || self.has("EKS_RUNTIME_MONITORING")
    }
}
