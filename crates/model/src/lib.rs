//! What plimsoll knows: typed AWS resources, what could not be read, and what is made of both.
//!
//! Collectors produce an [`Inventory`], which is also the snapshot file; checks turn it into [`Finding`]s.
//! Nothing here knows the AWS SDK, waits, or touches the world but for the snapshot reader and writer.

mod arn;
pub mod aws;
mod diagnosis;
mod exception;
mod finding;
mod host_image;
mod image_reference;
mod inventory;
pub mod policy;
mod responsibility;
mod secret_use;
mod seen;
mod snapshot;
mod tag;
mod thresholds;

pub use arn::{AccountId, Arn, Region, partition_of};
pub use diagnosis::{Diagnosis, OperationDiagnosis, ReadAnswer, RegionDiagnosis};
pub use exception::{Exception, ExceptionState, ExceptionUse, Suppression};
pub use finding::{
    Compliance, Confidence, Finding, PathStep, Remediation, ResourceRef, ScanResult, ScanSummary, Severity, SeverityCounts, Status,
    Summary, finding_id,
};
pub use host_image::{DEFAULT_HOST_IMAGE, is_bottlerocket_image, recommended_parameter};
pub use image_reference::{ImageReference, PrivateRegistry};
pub use inventory::{CallStatistics, Header, Holds, Inventory, Located, Resource, Scope, resource_schemas};
pub use responsibility::{
    Item, ItemState, LaunchKind, Matrix, MatrixEvidence, MatrixRow, MatrixSummary, Party, StateCounts, Workload, WorkloadRows,
};
pub use secret_use::SecretUse;
pub use seen::{Gap, Seen};
pub use snapshot::{SCHEMA, SnapshotError, SnapshotWarning, create_private, open, read, read_compressed, write, write_file};
pub use tag::{TagPattern, TagPatternError};
pub use thresholds::{AcceptedMount, Thresholds};
