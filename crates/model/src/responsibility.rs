//! The shared-responsibility matrix: who must do what for each workload, and whether it is done.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccountId, Region};

/// What a workload's containers run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchKind {
    /// AWS Fargate.
    Fargate,
    /// EC2 instances of the customer.
    Ec2,
    /// ECS Managed Instances.
    ManagedInstances,
    /// ECS Anywhere.
    External,
    /// The snapshot does not say.
    Unknown,
}

impl LaunchKind {
    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fargate => "Fargate",
            Self::Ec2 => "EC2",
            Self::ManagedInstances => "Managed Instances",
            Self::External => "External",
            Self::Unknown => "unknown",
        }
    }
}

/// Who is responsible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Amazon Web Services.
    Aws,
    /// The customer.
    Customer,
    /// Both, each for a part.
    Shared,
}

impl Party {
    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Customer => "customer",
            Self::Shared => "shared",
        }
    }
}

/// What there is to be responsible for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// Patches of the host's operating system and runtime.
    HostPatching,
    /// Isolation between workloads below the container.
    KernelIsolation,
    /// The ECS agent: version and configuration.
    Agent,
    /// Security groups, addresses, routes.
    NetworkControls,
    /// Task and execution roles.
    Identity,
    /// Encryption of data at rest and in transit.
    DataEncryption,
    /// Where secrets live.
    Secrets,
    /// What is in the image, and which image runs.
    Image,
    /// Privileges and limits of containers.
    Runtime,
    /// Logs and metrics.
    Audit,
}

impl Item {
    /// All items, in the order of the matrix.
    pub const ALL: [Self; 10] = [
        Self::HostPatching,
        Self::KernelIsolation,
        Self::Agent,
        Self::NetworkControls,
        Self::Identity,
        Self::DataEncryption,
        Self::Secrets,
        Self::Image,
        Self::Runtime,
        Self::Audit,
    ];

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::HostPatching => "host patching",
            Self::KernelIsolation => "kernel isolation",
            Self::Agent => "agent",
            Self::NetworkControls => "network controls",
            Self::Identity => "identity",
            Self::DataEncryption => "data encryption",
            Self::Secrets => "secrets",
            Self::Image => "image",
            Self::Runtime => "runtime",
            Self::Audit => "audit",
        }
    }
}

/// Whether a responsibility is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// A check fails.
    NotMet,
    /// No check fails, and at least one could not be decided.
    Unknown,
    /// Every check that applies passes, or AWS does it.
    Met,
}

impl ItemState {
    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotMet => "not met",
            Self::Unknown => "unknown",
            Self::Met => "met",
        }
    }
}

/// An ECS service or a standalone task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// ARN of the service or of the task.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `AWS::ECS::Service` or `AWS::ECS::Task`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the cluster.
    pub cluster: String,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What it runs on.
    pub launch: LaunchKind,
}

/// One responsibility of one workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatrixRow {
    /// What there is to do.
    pub item: Item,
    /// Who has to do it.
    pub party: Party,
    /// Whether it is done.
    pub state: ItemState,
    /// Checks that looked at it, worst outcome first, with that outcome.
    pub evidence: Vec<MatrixEvidence>,
    /// What the state rests on, in words.
    pub note: String,
}

/// What one check said of a workload, the worst over the resources that make it up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatrixEvidence {
    /// `not-met` for a failing check, `met` for a passing one.
    pub state: ItemState,
    /// Id of the check.
    pub check: String,
}

/// The rows of one workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadRows {
    /// The workload.
    pub workload: Workload,
    /// One row an item, in the order of [`Item::ALL`].
    pub rows: Vec<MatrixRow>,
}

/// Counts of items by state for one responsible party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateCounts {
    /// Met.
    pub met: usize,
    /// Not met.
    pub not_met: usize,
    /// Unknown.
    pub unknown: usize,
}

/// Counts over all workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixSummary {
    /// How many workloads there are.
    pub workloads: usize,
    /// Counts by `aws`, `customer` and `shared`.
    pub items: BTreeMap<String, StateCounts>,
}

/// The whole matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matrix {
    /// Version of this contract.
    pub schema: u32,
    /// Counts.
    pub summary: MatrixSummary,
    /// Workloads, ordered by ARN.
    pub workloads: Vec<WorkloadRows>,
}
