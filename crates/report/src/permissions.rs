//! The actions that plimsoll needs flow in; the policies that allow them flow out, in the form in which somebody
//! applies them: JSON, Terraform or CloudFormation.

mod cloudformation;
mod list;
mod policy;
#[cfg(test)]
mod sample;
mod terraform;
mod trust;

pub use cloudformation::{Deployment, cloudformation};
pub use list::permissions_table;
pub use policy::{Policies, PolicyDocument};
pub use terraform::terraform;
pub use trust::{ExternalId, Partition, Principal, RoleName, Trust, TrustError};

/// An operation and the action that allows it.
#[derive(Clone, Copy, Debug)]
pub struct Permission<'p> {
    /// The operation, `s3:ListBuckets`.
    pub operation: &'p str,
    /// The IAM action that allows it, `s3:ListAllMyBuckets`.
    pub action: &'p str,
    /// What it is wanted for alone: an ARN pattern without its first two parts (`arn:aws:`). Everything where `None`.
    pub resource: Option<&'p str>,
    /// What it is for, in a few words.
    pub why: &'p str,
}
