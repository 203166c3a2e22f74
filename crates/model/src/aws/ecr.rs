//! Amazon ECR (API version 2015-09-21), and what images say of themselves: manifests and configurations of the Open
//! Container Initiative and of Docker.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::Seen;
use crate::aws::ecs::{Screened, Task, TaskDefinition, Words};
use crate::policy::PolicyDocument;

/// The attribute by which ECS tells the CPU architecture of a task.
pub const CPU_ARCHITECTURE: &str = "ecs.cpu-architecture";

aws! {
    "camelCase"

    /// The private registry of an account in a Region.
    Registry {
        pub scanning_configuration: Seen<RegistryScanningConfiguration>,
        pub policy: Seen<Option<PolicyDocument>>,
        pub signing_configuration: Seen<Option<SigningConfiguration>>,
        pub pull_through_cache_rules: Seen<Vec<PullThroughCacheRule>>,
    }

    /// `RegistryScanningConfiguration`.
    RegistryScanningConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_type: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub rules: Vec<RegistryScanningRule>,
    }

    /// `RegistryScanningRule`.
    RegistryScanningRule {
        pub scan_frequency: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub repository_filters: Vec<Filter>,
    }

    /// `ScanningRepositoryFilter`, `SigningRepositoryFilter` and `ImageTagMutabilityExclusionFilter`.
    Filter {
        pub filter: String,
        pub filter_type: String,
    }

    /// `SigningConfiguration`.
    SigningConfiguration {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub rules: Vec<SigningRule>,
    }

    /// `SigningRule`.
    SigningRule {
        pub signing_profile_arn: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub repository_filters: Vec<Filter>,
    }

    /// `PullThroughCacheRule`.
    PullThroughCacheRule {
        pub ecr_repository_prefix: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub upstream_registry_url: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub upstream_registry: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub upstream_repository_prefix: Option<String>,
    }

    /// `Repository`, with its policies and a summary of its images.
    Repository {
        pub repository_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub registry_id: Option<String>,
        pub repository_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub repository_uri: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_tag_mutability: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub image_tag_mutability_exclusion_filters: Vec<Filter>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scanning_configuration: Option<ImageScanningConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub encryption_configuration: Option<EncryptionConfiguration>,
        /// `None` when AWS says that the repository is not there any more.
        pub scanning_configuration: Seen<Option<RepositoryScanningConfiguration>>,
        pub policy: Seen<Option<PolicyDocument>>,
        /// The lifecycle policy as parsed JSON.
        pub lifecycle_policy: Seen<Option<Value>>,
        pub images: Seen<ImagesSummary>,
    }

    /// `ImageScanningConfiguration`.
    ImageScanningConfiguration {
        pub scan_on_push: bool,
    }

    /// `EncryptionConfiguration`.
    EncryptionConfiguration {
        pub encryption_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key: Option<String>,
    }

    /// `RepositoryScanningConfiguration`.
    RepositoryScanningConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_on_push: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_frequency: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub applied_scan_filters: Vec<Filter>,
    }

    /// What `DescribeImages` says of a whole repository.
    ImagesSummary {
        /// How many images there are, those without tags and those that belong to an index included.
        pub count: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub oldest_image_pushed_at: Option<Timestamp>,
        /// Digest of the container image that was pushed last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub newest_image_digest: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub newest_image_pushed_at: Option<Timestamp>,
        /// Digests by tag, of the tags by which task definitions and tasks name images.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tags_in_use: BTreeMap<String, String>,
    }

    /// An image that runs or that a task definition names, a platform's part of one, or the newest of its repository.
    Image {
        /// `arn:…:repository/NAME/sha256:…`, as Amazon Inspector names images.
        pub image_arn: String,
        pub repository_name: String,
        pub image_digest: String,
        /// `None` when AWS says that it is not in the repository (any more).
        pub image_detail: Seen<Option<ImageDetail>>,
        /// `None` when no scanner has findings for it.
        pub scan: Seen<Option<ImageScan>>,
        /// Artifacts that refer to it, such as signatures.
        pub referrers: Seen<Vec<ImageReferrer>>,
        pub signing_statuses: Seen<Vec<ImageSigningStatus>>,
        /// Tags by which Cosign attaches signatures to it.
        pub signature_tags: Seen<Vec<String>>,
        pub contents: Seen<ImageContents>,
        /// The first image that was pushed after it under a tag of the same line.
        pub superseded_by: Seen<Option<NewerImage>>,
    }

    /// `ImageDetail`.
    ImageDetail {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub image_tags: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_size_in_bytes: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_pushed_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scan_status: Option<ImageScanStatus>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scan_findings_summary: Option<ImageScanFindingsSummary>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_manifest_media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub artifact_media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_recorded_pull_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subject_manifest_digest: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_status: Option<String>,
    }

    /// `ImageScanStatus`.
    ImageScanStatus {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `ImageScanFindingsSummary`.
    ImageScanFindingsSummary {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scan_completed_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vulnerability_source_updated_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub finding_severity_counts: BTreeMap<String, u64>,
    }

    /// What `DescribeImageScanFindings` says, of the findings those that are CRITICAL or HIGH.
    ImageScan {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scan_status: Option<ImageScanStatus>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_scan_completed_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vulnerability_source_updated_at: Option<Timestamp>,
        /// Counts over all findings, as AWS tells them.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub finding_severity_counts: BTreeMap<String, u64>,
        /// Counts of the CRITICAL and HIGH findings that were read.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub severe: Vec<SevereFindings>,
        /// Whether those are all.
        pub complete: bool,
    }

    /// The active findings of one severity, by what is known of fix and exploit.
    SevereFindings {
        pub severity: String,
        /// `YES`, `NO`, `PARTIAL`; none with basic scanning, which does not tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fix_available: Option<String>,
        /// `YES`, `NO`; none with basic scanning.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub exploit_available: Option<String>,
        pub count: u64,
        /// The first of them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub examples: Vec<Vulnerability>,
    }

    /// A vulnerability and the package that has it.
    Vulnerability {
        pub vulnerability_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub package_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fixed_in_version: Option<String>,
    }

    /// `ImageReferrer`.
    ImageReferrer {
        pub digest: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub artifact_type: Option<String>,
    }

    /// `ImageSigningStatus`.
    ImageSigningStatus {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub signing_profile_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub failure_code: Option<String>,
    }

    /// A newer image of the same repository.
    NewerImage {
        pub image_digest: String,
        pub image_tag: String,
        pub image_pushed_at: Timestamp,
    }

    /// What an image says of itself: never changes for a digest.
    ImageContents {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub artifact_type: Option<String>,
        /// The digest of the image that this artifact is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subject: Option<String>,
        /// Of an index: the images of its platforms, as far as they are kept.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub manifests: Vec<PlatformManifest>,
        /// Of an index: how many entries it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub manifest_count: Option<u64>,
        /// Of an image: how many layers it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub layer_count: Option<u64>,
        /// Of an image: the sizes of its layers together, compressed.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub layers_size: Option<u64>,
        /// `org.opencontainers.image.base.name` and `….base.digest` of the annotations.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub annotations: BTreeMap<String, String>,
        /// `None` for what has no configuration of a container: an index, a signature, a chart.
        pub config: Seen<Option<ImageConfig>>,
    }

    /// An entry of an index.
    PlatformManifest {
        pub digest: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub media_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub os: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub architecture: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub variant: Option<String>,
    }

    /// The configuration of an image; texts are screened, see [`Screened`].
    ImageConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub os: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub architecture: Option<String>,
        /// `config.User`; none is root.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user: Option<String>,
        /// `config.Env`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub env: Vec<Screened>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub entrypoint: Option<Words>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cmd: Option<Words>,
        /// `org.opencontainers.image.base.name` and `….base.digest` of the labels.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: BTreeMap<String, String>,
        /// How many steps its history has.
        pub history_count: u64,
        /// When the first step of its history was made: the age of what it is built on.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub oldest_history: Option<Timestamp>,
        /// Whether it holds more or longer texts than are judged.
        pub truncated: bool,
        /// What plimsoll's detector found in labels, history, commands and the like, by field path.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets_in_text: Vec<Screened>,
    }
}

/// What a task runs on, as images name it: `linux`, `amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: &'static str,
    /// The architecture.
    pub architecture: &'static str,
}

impl Platform {
    /// The platform of an ECS operating system family (`LINUX`) and CPU architecture (`X86_64`, or `x86_64` as an
    /// attribute of tasks).
    pub fn of_ecs(family: Option<&str>, architecture: &str) -> Option<Self> {
        let os = if family.is_some_and(|family| family.to_ascii_uppercase().starts_with("WINDOWS")) { "windows" } else { "linux" };
        match architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" => Some(Self { os, architecture: "amd64" }),
            "arm64" | "aarch64" => Some(Self { os, architecture: "arm64" }),
            _ => None,
        }
    }
}

impl Platform {
    /// The platform that a definition asks for; `None` when it leaves that to its hosts.
    pub fn of_definition(definition: &TaskDefinition) -> Option<Self> {
        let platform = definition.runtime_platform.as_ref();
        let family = platform.and_then(|platform| platform.operating_system_family.as_deref());
        let architecture = platform.and_then(|platform| platform.cpu_architecture.as_deref());
        let fargate = definition.requires_compatibilities.iter().any(|launch| launch == "FARGATE");
        // Fargate's default; hosts run what they are.
        Self::of_ecs(family, architecture.or(fargate.then_some("X86_64"))?)
    }

    /// The platform that a task runs on, by its own word or that of its definition.
    pub fn of_task(task: &Task, definition: Option<&TaskDefinition>) -> Option<Self> {
        let attribute = task.attributes.iter().find(|attribute| attribute.name == CPU_ARCHITECTURE);
        match attribute.and_then(|attribute| attribute.value.as_deref()) {
            Some(architecture) => {
                let platform = definition.and_then(|definition| definition.runtime_platform.as_ref());
                let family = platform.and_then(|platform| platform.operating_system_family.as_deref());
                Self::of_ecs(task.platform_family.as_deref().or(family), architecture)
            }
            None => definition.and_then(Self::of_definition),
        }
    }
}

impl PlatformManifest {
    /// Whether it is an image, and not an attestation about one.
    pub fn is_image(&self) -> bool {
        self.os.as_deref() != Some("unknown") && self.architecture.as_deref() != Some("unknown")
    }

    /// Whether it may be what runs on a platform.
    pub fn runs_on(&self, platform: Platform) -> bool {
        let is = |told: Option<&str>, wanted: &str| told.is_none_or(|told| told.eq_ignore_ascii_case(wanted));
        self.is_image() && is(self.os.as_deref(), platform.os) && is(self.architecture.as_deref(), platform.architecture)
    }
}

impl ImageContents {
    /// The images of an index that may run on these platforms; all of them when no platform is known.
    pub fn images_for<'c>(&'c self, platforms: &'c [Platform]) -> impl Iterator<Item = &'c PlatformManifest> {
        self.manifests.iter().filter(move |manifest| {
            manifest.is_image() && (platforms.is_empty() || platforms.iter().any(|platform| manifest.runs_on(*platform)))
        })
    }

    /// Whether it is an index of images.
    pub fn is_index(&self) -> bool {
        self.manifest_count.is_some()
    }
}

impl Image {
    /// An image of which nothing is known yet but where it is.
    pub fn of(repository_name: &str, repository_arn: &str, digest: &str) -> Self {
        Self {
            image_arn: Self::arn_of(repository_arn, digest),
            repository_name: repository_name.to_owned(),
            image_digest: digest.to_owned(),
            ..Self::default()
        }
    }

    /// The ARN of an image of a repository.
    pub fn arn_of(repository_arn: &str, digest: &str) -> String {
        format!("{repository_arn}/{digest}")
    }
}

impl ImageDetail {
    /// Whether it is an index of images.
    pub fn is_index(&self) -> bool {
        self.image_manifest_media_type.as_deref().is_some_and(|kind| kind.contains("image.index") || kind.contains("manifest.list"))
    }
}
