//! Amazon Elastic File System (API version 2015-02-01).

use crate::Seen;
use crate::policy::PolicyDocument;

pub use super::Tag;

aws! {
    "PascalCase"

    /// `FileSystemDescription`, with its mount targets, access points and policy.
    FileSystem {
        pub file_system_id: String,
        pub file_system_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub life_cycle_state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub encrypted: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub number_of_mount_targets: Option<i64>,
        pub mount_targets: Seen<Vec<MountTarget>>,
        pub access_points: Seen<Vec<AccessPoint>>,
        pub policy: Seen<Option<PolicyDocument>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `MountTargetDescription`, with its security groups.
    MountTarget {
        pub mount_target_id: String,
        pub file_system_id: String,
        pub subnet_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_interface_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub life_cycle_state: Option<String>,
        pub security_groups: Seen<Vec<String>>,
    }

    /// `AccessPointDescription`.
    AccessPoint {
        pub access_point_id: String,
        pub access_point_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub posix_user: Option<PosixUser>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub root_directory: Option<RootDirectory>,
    }

    /// `PosixUser`.
    PosixUser {
        pub uid: i64,
        pub gid: i64,
    }

    /// `RootDirectory`.
    RootDirectory {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
    }
}
