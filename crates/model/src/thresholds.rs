//! What checks take from the configuration: days, sizes, counts and lists, each with the default that its check
//! declares. The table `[thresholds]` of the configuration file flows in, an estate hands it to the checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TagPattern;
use crate::policy::wildcard_match;

macro_rules! thresholds {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr;)*) => {
        /// Limits and lists that judgements compare with. Every one has a default; a list that is given replaces the
        /// default list.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
        pub struct Thresholds {
            $($(#[doc = $doc])+ pub $name: $type,)*
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

thresholds! {
    // Ages.
    /// Days after which a running Fargate task counts as not refreshed.
    fargate_task_days: u32 = 45;
    /// Days by which the image of a host or node may be older than the one that AWS recommends for its family.
    ami_behind_days: u32 = 60;
    /// Days after which a custom image of a host or node is too old.
    custom_ami_days: u32 = 90;
    /// Days after which a host must have been replaced.
    host_days: u32 = 90;
    /// Days after which an EKS Auto Mode node must have been replaced.
    auto_mode_node_days: u32 = 21;
    /// Minor releases by which the ECS agent may be behind the one of the recommended image.
    agent_behind_releases: u32 = 3;
    /// Days by which the ECS agent may be behind the one of the recommended image.
    agent_behind_days: u32 = 90;
    /// Days in which a host must reboot after a patch that asks for it.
    patch_reboot_days: u32 = 7;
    /// Days after which the last patch run of a host is too old.
    patch_run_days: u32 = 30;
    /// Days before the end of standard support from which an EKS version is reported.
    eks_support_days: u32 = 60;
    /// Minor versions by which a node group may be behind its cluster.
    nodegroup_behind_versions: u32 = 0;
    /// Days after which a running image is too old.
    image_days: u32 = 180;
    /// The same for services that the internet reaches.
    exposed_image_days: u32 = 90;
    /// Days for which a newer image of the same line may wait in the repository.
    newer_image_days: u32 = 90;
    /// Days after which the scan of a running image is too old.
    image_scan_days: u32 = 30;
    /// Days before the end of imported key material from which a key is reported.
    key_material_days: u32 = 30;
    /// The longest time between rotations of a key, in days.
    key_rotation_days: u32 = 365;
    /// Days in which the trail must show the use of a storage key.
    key_use_days: u32 = 14;
    /// Days after which a secret without rotation must have changed.
    secret_days: u32 = 90;
    /// Days by which a rotation of a secret may be late.
    secret_rotation_grace_days: u32 = 1;
    /// Days for which log groups of applications must keep their events.
    log_retention_days: u32 = 90;
    /// Days for which log groups of control planes and of ECS Exec must keep their events.
    audit_log_retention_days: u32 = 365;
    /// Days for which an open GuardDuty finding is reported after its last update.
    guardduty_finding_days: u32 = 90;
    /// Minutes that a task must run before flow logs must cover it; a task that lives less is short-lived.
    flow_log_task_minutes: u32 = 60;

    // Sizes and counts.
    /// The largest running image, compressed, in MiB.
    image_mib: u64 = 1024;
    /// The same for images with GPU libraries.
    gpu_image_mib: u64 = 8192;
    /// The most steps of a privilege escalation that is reported as a path from the internet.
    escalation_steps: u32 = 4;
    /// Secrets beyond its own that a task must reach for a path from the internet to be critical.
    reachable_secrets: u32 = 20;
    /// The most secrets that a task role may read beyond a multiple of those that its definitions name.
    role_secrets: u32 = 10;
    /// That multiple.
    role_secrets_factor: u32 = 3;
    /// The most principals of the account that are no administrators and may push to a repository.
    push_principals: u32 = 10;
    /// The most administrators of an EKS cluster.
    cluster_admins: u32 = 5;
    /// The most opaque Kubernetes secrets of a cluster without an external secret store.
    opaque_secrets: u32 = 10;
    /// The EPSS score from which a vulnerability counts as exploited.
    epss_score: f64 = 0.1;

    // Tags.
    /// Keys that clusters, services and task definitions must carry; they compare without case.
    required_tags: Vec<String> = list(&["owner", "environment", "data-class"]);
    /// Key of the tag that names the class of a resource's data.
    data_class_tag: String = "data-class".to_owned();
    /// Keys of the isolation tag; the first that a resource carries counts.
    isolation_tags: Vec<String> = list(&["data-class", "isolation"]);
    /// Values of the data class or isolation tag that ask for strict protection; they compare without case.
    strict_values: Vec<String> = list(&["restricted", "pci", "phi"]);
    /// Key of the tag that names who answers for a resource.
    owner_tag: String = "owner".to_owned();
    /// Key of the tag by which blue and green deployments belong to one application.
    application_tag: String = "application".to_owned();
    /// Tags of production resources.
    production_tags: Vec<TagPattern> = tags(&["environment=prod", "environment=production", "env=prod", "env=production"]);
    /// Tags of resources that are not production.
    non_production_tags: Vec<TagPattern> = tags(&[
        "environment=dev*", "environment=test*", "environment=stag*", "environment=sandbox", "environment=qa", "environment=non*prod*",
        "env=dev*", "env=test*", "env=stag*", "env=sandbox", "env=qa", "env=non*prod*",
    ]);
    /// Tags of secrets that hold a key of somebody else, which AWS cannot rotate.
    third_party_secret_tags: Vec<TagPattern> = tags(&["third-party"]);

    // Whom and what to trust.
    /// Ids of accounts outside the scan and its organization that may be granted access, and whose private registries
    /// are approved.
    trusted_accounts: Vec<String> = Vec::new();
    /// Ids of organizations, for accounts that may not ask AWS Organizations for their own.
    organizations: Vec<String> = Vec::new();
    /// Registry and beginning of the repository of images that may run; `*` and `?` match any text and any character.
    /// Private registries of the scanned accounts, of their organization, of AWS and of trusted accounts are always
    /// approved.
    approved_registries: Vec<String> =
        list(&["public.ecr.aws/docker/library", "public.ecr.aws/amazonlinux", "public.ecr.aws/aws-*", "docker.io/library"]);
    /// Tags of images that move from release to release.
    moving_image_tags: Vec<String> = list(&["latest", "stable", "main", "master", "prod", "dev"]);
    /// Patterns of the tags of images with GPU libraries.
    gpu_image_tags: Vec<String> = list(&["*cuda*", "*cudnn*", "*gpu*", "*neuron*", "*rocm*"]);
    /// Words in image references that tell a sidecar.
    sidecar_images: Vec<String> = list(&[
        "envoy", "service-connect", "fluent-bit", "fluentbit", "firelens", "datadog", "datadoghq", "otel", "opentelemetry", "xray",
        "x-ray", "cloudwatch-agent", "nginx",
    ]);
    /// Parts of image references by which log agents are known.
    log_agent_images: Vec<String> = list(&[
        "fluent-bit", "fluentbit", "fluentd", "filebeat", "logstash", "elastic-agent", "logspout", "promtail", "grafana/alloy",
        "grafana/agent", "timberio/vector", "cloudwatch-agent", "aws-otel-collector", "opentelemetry-collector", "datadog/agent",
        "datadog-agent", "newrelic/infrastructure", "splunk-otel-collector", "splunk/universalforwarder", "sumologic/collector",
        "dynatrace/oneagent", "logdna-agent",
    ]);
    /// Directories of the host that an image, such as a log collector, may mount.
    accepted_host_mounts: Vec<AcceptedMount> = Vec::new();
    /// ARN patterns of roles of pipelines: they may push images and administer clusters.
    pipeline_roles: Vec<String> = Vec::new();
    /// Tags of roles of pipelines.
    pipeline_role_tags: Vec<TagPattern> = Vec::new();
    /// ARN patterns of principals that may administer EKS clusters.
    cluster_admin_principals: Vec<String> = Vec::new();
    /// Users and groups of Kubernetes that may be bound to `cluster-admin`; `*` and `?` match any text and any character.
    cluster_admin_subjects: Vec<String> = Vec::new();

    // What the organization asks for.
    /// Encryption with a key that AWS manages is not enough.
    require_customer_managed_keys: bool = false;
    /// Traffic to AWS must use interface endpoints also where the internet is in reach.
    require_private_endpoints: bool = false;
    /// Hosts must reach the internet through a proxy.
    require_proxy: bool = false;
    /// Name of the scanner that looks for vulnerabilities instead of Amazon Inspector, if one does.
    third_party_scanner: Option<String> = None;
}

/// A directory of the host that an image may mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedMount {
    /// The image, exactly as the container definition names it.
    pub image: String,
    /// The path on the host.
    pub path: String,
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn tags(patterns: &[&str]) -> Vec<TagPattern> {
    patterns.iter().filter_map(|pattern| pattern.parse().ok()).collect()
}

impl Thresholds {
    /// Whether a value of the data class or isolation tag asks for strict protection.
    pub fn is_strict(&self, value: &str) -> bool {
        self.strict_values.iter().any(|strict| strict.eq_ignore_ascii_case(value))
    }

    /// Whether these are the tags of a production resource.
    pub fn is_production<'t>(&self, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
        one_matches(&self.production_tags, tags)
    }

    /// Whether these are the tags of a resource that is not production.
    pub fn is_non_production<'t>(&self, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
        one_matches(&self.non_production_tags, tags)
    }

    /// Whether access may be granted to this account although it is outside the organization.
    pub fn trusts_account(&self, account: &str) -> bool {
        self.trusted_accounts.iter().any(|trusted| trusted == account)
    }

    /// Whether a role, by its ARN and tags, belongs to a pipeline.
    pub fn is_pipeline_role<'t>(&self, arn: &str, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
        self.pipeline_roles.iter().any(|pattern| wildcard_match(pattern, arn)) || one_matches(&self.pipeline_role_tags, tags)
    }
}

fn one_matches<'t>(patterns: &[TagPattern], tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
    tags.into_iter().any(|(key, value)| patterns.iter().any(|pattern| pattern.matches(key, value)))
}

#[cfg(test)]
mod tests {
    use super::Thresholds;

    #[test]
    fn a_threshold_that_is_not_given_keeps_its_default() {
        let thresholds: Thresholds = serde_json::from_str(r#"{"fargate-task-days": 7, "required-tags": ["team"]}"#).unwrap();
        assert_eq!(thresholds.fargate_task_days, 7);
        assert_eq!(thresholds.required_tags, ["team"]);
        assert_eq!(thresholds.image_days, Thresholds::default().image_days);
    }

    #[test]
    fn a_threshold_that_does_not_exist_is_refused() {
        assert!(serde_json::from_str::<Thresholds>(r#"{"fargate_task_days": 7}"#).is_err());
    }

    #[test]
    fn every_default_tag_is_a_pattern() {
        let thresholds = Thresholds::default();
        assert_eq!(thresholds.production_tags.len(), 4);
        assert_eq!(thresholds.non_production_tags.len(), 12);
        assert_eq!(thresholds.third_party_secret_tags.len(), 1);
        assert!(thresholds.is_production([("Environment", "prod")]));
        assert!(!thresholds.is_production([("environment", "non-prod")]));
        assert!(thresholds.is_non_production([("environment", "non-prod")]));
    }
}
