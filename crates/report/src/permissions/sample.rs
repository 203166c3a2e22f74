//! A few permissions that no new collector changes.

use super::{Permission, Trust};

const fn permission(operation: &'static str, why: &'static str) -> Permission<'static> {
    Permission { operation, action: operation, resource: None, why }
}

pub(super) const SAMPLE: &[Permission<'static>] = &[
    permission("sts:GetCallerIdentity", "whose account it is"),
    permission("ecs:ListTasks", "finds the running tasks of a cluster"),
    permission("ecs:DescribeTasks", "reads tasks: network interfaces, images, platform"),
    Permission { operation: "s3:ListBuckets", action: "s3:ListAllMyBuckets", resource: None, why: "finds the buckets that logs go to" },
    Permission {
        operation: "ssm:GetParameter",
        action: "ssm:GetParameter",
        resource: Some("ssm:*::parameter/aws/service/*"),
        why: "which machine image is the newest",
    },
    permission("ssm:DescribeInstanceInformation", "whether hosts are managed"),
    permission("ecr-public:DescribeRegistries", "whether images are published"),
];

/// A role that the account 111122223333 assumes.
pub(super) fn trust() -> Trust {
    Trust { principal: Some("111122223333".parse().unwrap()), external_id: Some("0815-shop".parse().unwrap()), ..Trust::default() }
}
