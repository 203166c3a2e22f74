//! Amazon EFS in one account and Region: the file systems that task definitions mount.
//!
//! Calls elasticfilesystem:DescribeFileSystems, elasticfilesystem:DescribeMountTargets,
//! elasticfilesystem:DescribeAccessPoints and elasticfilesystem:DescribeFileSystemPolicy once for each of them, and
//! elasticfilesystem:DescribeMountTargetSecurityGroups for each mount target. Yields file systems; an id that is not among
//! them does not exist.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::elasticfilesystem::{AccessPoint, FileSystem, MountTarget};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Gap, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::{Api, Operation, Outcome};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "elasticfilesystem",
    id: "EFS",
    host: "elasticfilesystem",
    fips_host: "elasticfilesystem-fips",
    signing_name: "elasticfilesystem",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

const DESCRIBE_FILE_SYSTEMS: Operation = Operation {
    service: "elasticfilesystem",
    name: "DescribeFileSystems",
    permission: "elasticfilesystem:DescribeFileSystems",
    why: "encryption of the file systems that tasks mount",
};

const DESCRIBE_MOUNT_TARGETS: Operation = Operation {
    service: "elasticfilesystem",
    name: "DescribeMountTargets",
    permission: "elasticfilesystem:DescribeMountTargets",
    why: "where these file systems can be reached",
};

const DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS: Operation = Operation {
    service: "elasticfilesystem",
    name: "DescribeMountTargetSecurityGroups",
    permission: "elasticfilesystem:DescribeMountTargetSecurityGroups",
    why: "from where these file systems can be reached",
};

const DESCRIBE_ACCESS_POINTS: Operation = Operation {
    service: "elasticfilesystem",
    name: "DescribeAccessPoints",
    permission: "elasticfilesystem:DescribeAccessPoints",
    why: "to which directory an access point leads",
};

const DESCRIBE_FILE_SYSTEM_POLICY: Operation = Operation {
    service: "elasticfilesystem",
    name: "DescribeFileSystemPolicy",
    permission: "elasticfilesystem:DescribeFileSystemPolicy",
    why: "who may mount these file systems",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    DESCRIBE_FILE_SYSTEMS,
    DESCRIBE_MOUNT_TARGETS,
    DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS,
    DESCRIBE_ACCESS_POINTS,
    DESCRIBE_FILE_SYSTEM_POLICY,
];

/// The version of the API, which begins every path.
const VERSION: &str = "2015-02-01";
/// How a listing with markers goes on.
const MARKER: Token = Token { answer: "NextMarker", request: "Marker" };
/// File systems that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct FileSystems {
    file_systems: Vec<FileSystem>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct MountTargets {
    mount_targets: Vec<MountTarget>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct SecurityGroups {
    security_groups: Vec<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct AccessPoints {
    access_points: Vec<AccessPoint>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Policy {
    policy: Option<String>,
}

/// The file systems that the Region's task definitions mount.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let volumes = containers.task_definitions.iter().flat_map(|definition| &definition.data.volumes);
    let mounted = volumes.filter_map(|volume| volume.efs_volume_configuration.as_ref());
    let ids: BTreeSet<&str> = mounted.map(|volume| volume.file_system_id.as_str()).collect();
    let read = stream::iter(ids).map(|id| file_system(api, wire, id)).buffer_unordered(AT_ONCE);
    let read: Vec<Option<FileSystem>> = read.collect().await;
    api.found(read.into_iter().flatten())
}

async fn file_system(api: &Api, wire: &Wire, id: &str) -> Option<FileSystem> {
    let ask = Ask::get(&[VERSION, "file-systems"]).query("FileSystemId", id);
    let described = wire.ask_on::<FileSystems>(api, &DESCRIBE_FILE_SYSTEMS, id, ask).await.absent_on("FileSystemNotFound");
    let described = api.or_gap(described)??;
    let mut file_system = described.file_systems.into_iter().next()?;
    screen::tags(api.detector(), &mut file_system.tags);
    let (mount_targets, access_points, policy) = join!(mount_targets(api, wire, id), access_points(api, wire, id), policy(api, wire, id));
    file_system.mount_targets = api.noted(mount_targets);
    file_system.access_points = api.noted(access_points);
    file_system.policy = api.noted(policy);
    Some(file_system)
}

async fn mount_targets(api: &Api, wire: &Wire, id: &str) -> Result<Vec<MountTarget>, Gap> {
    let mut targets = Vec::new();
    let ask = Ask::get(&[VERSION, "mount-targets"]).query("FileSystemId", id).query("MaxItems", "100");
    let each = |page: MountTargets| targets.extend(page.mount_targets);
    wire.pages(api, &DESCRIBE_MOUNT_TARGETS, MARKER, ask, each).await.about(id)?;
    let targets = stream::iter(targets).map(|target| with_security_groups(api, wire, target)).buffered(AT_ONCE);
    Ok(targets.collect().await)
}

async fn with_security_groups(api: &Api, wire: &Wire, mut target: MountTarget) -> MountTarget {
    let id = target.mount_target_id.clone();
    let ask = Ask::get(&[VERSION, "mount-targets", &id, "security-groups"]);
    let answer = wire.ask_on::<SecurityGroups>(api, &DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS, &id, ask).await;
    target.security_groups = api.noted(answer.map(|answer| answer.security_groups));
    target
}

async fn access_points(api: &Api, wire: &Wire, id: &str) -> Result<Vec<AccessPoint>, Gap> {
    let mut points = Vec::new();
    let ask = Ask::get(&[VERSION, "access-points"]).query("FileSystemId", id).query("MaxResults", "100");
    let each = |page: AccessPoints| points.extend(page.access_points);
    wire.pages(api, &DESCRIBE_ACCESS_POINTS, Token::NEXT_CAPITAL, ask, each).await.about(id)?;
    Ok(points)
}

async fn policy(api: &Api, wire: &Wire, id: &str) -> Result<Option<PolicyDocument>, Gap> {
    let ask = Ask::get(&[VERSION, "file-systems", id, "policy"]);
    let answer = wire.ask_on::<Policy>(api, &DESCRIBE_FILE_SYSTEM_POLICY, id, ask).await.absent_on("PolicyNotFound")?;
    Ok(answer.and_then(|answer| answer.policy).as_deref().map(PolicyDocument::from_text))
}
