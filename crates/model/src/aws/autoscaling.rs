//! Amazon EC2 Auto Scaling (API version 2011-01-01): the groups that container hosts come from.

use jiff::Timestamp;

use crate::Seen;
use crate::aws::ec2::Tag;

aws! {
    "PascalCase"

    /// `AutoScalingGroup`, with its last instance refreshes.
    AutoScalingGroup {
        #[serde(rename = "AutoScalingGroupARN")]
        pub auto_scaling_group_arn: String,
        pub auto_scaling_group_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_configuration_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template: Option<LaunchTemplateSpecification>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mixed_instances_policy: Option<MixedInstancesPolicy>,
        pub min_size: i32,
        pub max_size: i32,
        pub desired_capacity: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub max_instance_lifetime: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub new_instances_protected_from_scale_in: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub instances: Vec<Instance>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
        pub instance_refreshes: Seen<Vec<InstanceRefresh>>,
    }

    /// `LaunchTemplateSpecification`.
    LaunchTemplateSpecification {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_name: Option<String>,
        /// A number, `$Latest` or `$Default`; none means `$Default`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
        /// The number that `Version` stood for when the launch template was read.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resolved_version: Option<i64>,
    }

    /// `MixedInstancesPolicy`.
    MixedInstancesPolicy {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template: Option<LaunchTemplate>,
    }

    /// `LaunchTemplate` of a mixed instances policy.
    LaunchTemplate {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_specification: Option<LaunchTemplateSpecification>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub overrides: Vec<LaunchTemplateOverrides>,
    }

    /// `LaunchTemplateOverrides`.
    LaunchTemplateOverrides {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_specification: Option<LaunchTemplateSpecification>,
    }

    /// `Instance` of a group.
    Instance {
        pub instance_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub lifecycle_state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protected_from_scale_in: Option<bool>,
    }

    /// `InstanceRefresh`.
    InstanceRefresh {
        pub instance_refresh_id: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub start_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub end_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub percentage_complete: Option<i32>,
    }

    /// `LaunchConfiguration`, without its user data.
    LaunchConfiguration {
        #[serde(rename = "LaunchConfigurationARN")]
        pub launch_configuration_arn: String,
        pub launch_configuration_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub associate_public_ip_address: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub iam_instance_profile: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub metadata_options: Option<InstanceMetadataOptions>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_time: Option<Timestamp>,
    }

    /// `InstanceMetadataOptions`.
    InstanceMetadataOptions {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_tokens: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_put_response_hop_limit: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_endpoint: Option<String>,
    }
}

impl AutoScalingGroup {
    /// Every launch template specification that the group may launch from.
    pub fn launch_templates(&self) -> impl Iterator<Item = &LaunchTemplateSpecification> {
        let mixed = self.mixed_instances_policy.iter().filter_map(|policy| policy.launch_template.as_ref());
        let mixed = mixed.flat_map(|template| {
            let overrides = template.overrides.iter().filter_map(|one| one.launch_template_specification.as_ref());
            template.launch_template_specification.iter().chain(overrides)
        });
        self.launch_template.iter().chain(mixed)
    }

    /// The same, to change.
    pub fn launch_templates_mut(&mut self) -> impl Iterator<Item = &mut LaunchTemplateSpecification> {
        let mixed = self.mixed_instances_policy.iter_mut().filter_map(|policy| policy.launch_template.as_mut());
        let mixed = mixed.flat_map(|template| {
            let overrides = template.overrides.iter_mut().filter_map(|one| one.launch_template_specification.as_mut());
            template.launch_template_specification.iter_mut().chain(overrides)
        });
        self.launch_template.iter_mut().chain(mixed)
    }
}
