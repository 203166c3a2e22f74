//! AWS Identity and Access Management (API version 2010-05-08), as `GetAccountAuthorizationDetails` answers.

use jiff::Timestamp;

use crate::Seen;
use crate::policy::PolicyDocument;

pub use super::Tag;

aws! {
    "PascalCase"

    /// `RoleDetail`.
    Role {
        pub arn: String,
        pub role_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub create_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub assume_role_policy_document: Option<PolicyDocument>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub role_policy_list: Vec<PolicyDetail>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attached_managed_policies: Vec<AttachedPolicy>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permissions_boundary: Option<AttachedPermissionsBoundary>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_last_used: Option<RoleLastUsed>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `RoleLastUsed`.
    RoleLastUsed {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_used_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
    }

    /// `PolicyDetail`: an inline policy.
    PolicyDetail {
        pub policy_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub policy_document: Option<PolicyDocument>,
    }

    /// `AttachedPolicy`.
    AttachedPolicy {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub policy_name: Option<String>,
        pub policy_arn: String,
    }

    /// `AttachedPermissionsBoundary`.
    AttachedPermissionsBoundary {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permissions_boundary_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permissions_boundary_arn: Option<String>,
    }

    /// `ManagedPolicyDetail`; of its versions only the default one is kept.
    Policy {
        pub arn: String,
        pub policy_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub policy_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub default_version_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attachment_count: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permissions_boundary_usage_count: Option<i32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub policy_version_list: Vec<PolicyVersion>,
    }

    /// `PolicyVersion`.
    PolicyVersion {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version_id: Option<String>,
        pub is_default_version: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub document: Option<PolicyDocument>,
    }

    /// `InstanceProfile`.
    InstanceProfile {
        pub arn: String,
        pub instance_profile_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_profile_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub roles: Vec<InstanceProfileRole>,
    }

    /// The role of an instance profile.
    InstanceProfileRole {
        pub arn: String,
        pub role_name: String,
    }

    /// `UserDetail`, with its access keys where a task definition holds one.
    User {
        pub arn: String,
        pub user_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub create_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub user_policy_list: Vec<PolicyDetail>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub group_list: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attached_managed_policies: Vec<AttachedPolicy>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permissions_boundary: Option<AttachedPermissionsBoundary>,
        pub access_keys: Seen<Vec<AccessKey>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `AccessKeyMetadata` and `AccessKeyLastUsed`, without the id.
    AccessKey {
        pub digest: String,
        pub last_four: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub create_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_used_date: Option<Timestamp>,
    }

    /// `GroupDetail`.
    Group {
        pub arn: String,
        pub group_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub group_policy_list: Vec<PolicyDetail>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attached_managed_policies: Vec<AttachedPolicy>,
    }
}
