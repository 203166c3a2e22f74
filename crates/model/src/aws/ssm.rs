//! AWS Systems Manager (API version 2014-11-06): what parameters are, never what the account's own hold; AWS's public
//! parameters with their values; managed instances and their patches.
//! AWS Systems Manager (API version 2014-11-06).

use jiff::Timestamp;
use serde::Deserialize;

aws! {
    "PascalCase"

    /// `ParameterMetadata`.
    Parameter {
        #[serde(rename = "ARN")]
        pub arn: String,
        pub name: String,
        #[serde(rename = "Type")]
        pub kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_modified_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tier: Option<String>,
    }

    /// `Parameter` below `/aws/service`, which AWS publishes for everyone.
    /// `Parameter` that AWS publishes for everyone, below `/aws/service`.
    PublicParameter {
        pub name: String,
        pub value: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_modified_date: Option<Timestamp>,
    }

    /// `InstanceInformation`, without names and addresses.
    InstanceInformation {
        pub instance_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ping_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_ping_date_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub agent_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
    }

    /// `InstancePatchState`.
    InstancePatchState {
        pub instance_id: String,
        pub patch_group: String,
        pub baseline_id: String,
        pub operation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operation_end_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_no_reboot_install_operation_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub critical_non_compliant_count: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub security_non_compliant_count: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub installed_pending_reboot_count: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub missing_count: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub failed_count: Option<i32>,
    }
}

/// What a public parameter says of an image that AWS recommends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecommendedImage {
    /// The image.
    pub image_id: String,
    /// Its name.
    pub image_name: Option<String>,
    /// The version of the ECS agent in it.
    pub ecs_agent_version: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
}

impl PublicParameter {
    /// The image that it recommends, as JSON or by its id alone.
    pub fn recommended_image(&self) -> Option<RecommendedImage> {
        if self.value.starts_with("ami-") {
            return Some(RecommendedImage { image_id: self.value.clone(), ..RecommendedImage::default() });
        }
        serde_json::from_str(&self.value).ok().filter(|image: &RecommendedImage| !image.image_id.is_empty())
    }
}
