//! AWS resources under AWS's own names: the JSON that the API or the AWS CLI shows.
//!
//! Only the fields that plimsoll uses are kept; unknown ones are ignored and missing ones are `None` or empty.
//! The meaning of a field is in the API reference that each type names.
#![expect(missing_docs, reason = "fields are AWS's own: the reference named at the type describes them")]

/// Structures of one service, whose members AWS writes in this case. What AWS leaves out is `None` or empty.
macro_rules! aws {
    ($case:tt $($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = $case, default)]
        pub struct $name { $($body)* }
    )*};
}

pub mod acm_pca;
pub mod autoscaling;
pub mod cloudtrail;
pub mod cloudwatch;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod eks;
pub mod elasticfilesystem;
pub mod elasticloadbalancing;
pub mod events;
pub mod guardduty;
pub mod iam;
pub mod inspector2;
pub mod kms;
pub mod logs;
pub mod network_firewall;
pub mod organizations;
pub mod rds;
pub mod route53resolver;
pub mod s3;
pub mod scheduler;
pub mod secretsmanager;
pub mod servicediscovery;
pub mod shield;
pub mod signer;
pub mod ssm;
pub mod wafv2;

aws! {
    "PascalCase"

    /// `Tag`, as most services have it; those of ECS begin small, and those of KMS have names of their own.
    Tag {
        pub key: String,
        pub value: String,
    }
}
