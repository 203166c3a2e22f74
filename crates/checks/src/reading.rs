//! Readings of resources that several checks share.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plimsoll_graph::{ContainerLogGroup, Estate, Link, Node, NodeKind, Place, Trigger, Unknown};
use plimsoll_model::aws::ec2::{Instance, IpPermission, VpcEndpoint};
use plimsoll_model::aws::ecs::{
    ContainerDefinition, ContainerInstance, ContainerOverride, MountPoint, Screened, Task, TaskDefinition, Volume,
};
use plimsoll_model::aws::elasticfilesystem::FileSystem;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::aws::logs::LogGroup;
use plimsoll_model::policy::Statement;
use plimsoll_model::{Arn, Gap, LaunchKind, Resource, ResourceRef};
use serde_json::{Map, Value, json};

use crate::check::{Judgement, Verdict};
use crate::engine::Verdicts;

/// The operations by which task definitions come into scope (TD-SCOPE).
pub(crate) const DEFINITION_NEEDS: &[&str] = &[
    "ecs:ListTaskDefinitionFamilies",
    "ecs:ListTaskDefinitions",
    "ecs:DescribeTaskDefinition",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ecs:ListClusters",
];

/// Names of the containers that a test holds for.
pub(crate) fn containers_where(definition: Node<'_, TaskDefinition>, test: impl Fn(&ContainerDefinition) -> bool) -> Vec<&str> {
    definition.data().container_definitions.iter().filter(|container| test(container)).map(|container| container.name.as_str()).collect()
}

/// Services and tasks that use a revision, for evidence: at most ten of each, with the count; and what else starts it.
pub(crate) fn users(definition: Node<'_, TaskDefinition>) -> Value {
    let services: Vec<&str> = definition.services().take(10).map(|service| service.data().service_arn.as_str()).collect();
    let tasks: Vec<&str> = definition.tasks().take(10).map(|task| task.data().task_arn.as_str()).collect();
    let started_by: Vec<&str> = definition.triggers().take(10).map(Trigger::arn).collect();
    let mut users = json!({"services": services, "serviceCount": definition.services().count(), "tasks": tasks, "taskCount": definition.tasks().count()});
    if let (Value::Object(users), false) = (&mut users, started_by.is_empty()) {
        users.insert("startedBy".to_owned(), json!(started_by));
    }
    users
}

/// `a`, `a and b`, `a, b and c`; a long list is cut with a count.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match (shown.split_last(), names.len().saturating_sub(SHOWN)) {
        (None, _) => String::new(),
        (Some((only, [])), 0) => (*only).to_owned(),
        (Some((last, rest)), 0) => format!("{} and {last}", rest.join(", ")),
        (Some(_), more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `container a` or `containers a and b`.
pub(crate) fn containers(names: &[&str]) -> String {
    format!("{} {}", if names.len() == 1 { "container" } else { "containers" }, listed(names))
}

/// Whether Fargate validated the definition when it was registered, and so refused what would touch a host.
pub(crate) fn is_validated_for_fargate(definition: &TaskDefinition) -> bool {
    definition.requires_compatibilities.iter().any(|launch| launch == "FARGATE")
}

/// Whether the definition is meant for Fargate alone: nothing is seen to run it elsewhere, and nothing else was asked
/// for at registration. Its `compatibilities` name EC2 too, as those of nearly every Fargate definition do.
pub(crate) fn is_for_fargate(definition: Node<'_, TaskDefinition>) -> bool {
    let elsewhere = |launch| !matches!(launch, LaunchKind::Fargate | LaunchKind::Unknown);
    definition.launch().only_fargate()
        || (is_validated_for_fargate(definition.data())
            && definition.requires_compatibilities.len() == 1
            && !definition.services().any(|service| elsewhere(service.launch()))
            && !definition.tasks().any(|task| elsewhere(task.launch())))
}

/// Each of these once, in their order.
pub(crate) fn distinct<'e>(names: impl Iterator<Item = &'e str>) -> Vec<&'e str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Whether a capability is the one named, however it is written: `SYS_ADMIN`, `CAP_SYS_ADMIN`, in any case.
pub(crate) fn is_capability(written: &str, name: &str) -> bool {
    let bare = match written.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("CAP_") => written.get(4..).unwrap_or_default(),
        _ => written,
    };
    bare.eq_ignore_ascii_case(name)
}

/// A directory, file or pipe of the host that a container mounts.
pub(crate) struct HostMount<'e> {
    container: &'e ContainerDefinition,
    volume: &'e Volume,
    source_path: &'e str,
    mount_point: &'e MountPoint,
}

impl<'e> HostMount<'e> {
    /// Name of the container.
    pub(crate) fn container_name(&self) -> &'e str {
        &self.container.name
    }

    /// Image of the container.
    pub(crate) fn image(&self) -> &'e str {
        &self.container.image
    }

    /// The path on the host, as the definition writes it.
    pub(crate) fn source_path(&self) -> &'e str {
        self.source_path
    }

    /// Whether the container may write.
    pub(crate) fn is_writable(&self) -> bool {
        self.mount_point.read_only != Some(true)
    }

    /// The mount, for evidence.
    pub(crate) fn evidence(&self) -> Value {
        json!({
            "containerName": self.container.name,
            "sourceVolume": self.volume.name,
            "sourcePath": self.source_path,
            "containerPath": self.mount_point.container_path,
            "readOnly": self.mount_point.read_only.unwrap_or(false),
        })
    }
}

/// What containers mount of their host by path. A volume without a path is a directory that Docker makes for the task.
pub(crate) fn host_mounts(definition: &TaskDefinition) -> impl Iterator<Item = HostMount<'_>> {
    let volumes = definition.volumes.iter().filter_map(|volume| Some((volume, volume.host.as_ref()?.source_path.as_deref()?)));
    volumes.filter(|(_, source_path)| !source_path.is_empty()).flat_map(|(volume, source_path)| {
        definition.container_definitions.iter().flat_map(move |container| {
            let mount_points = container.mount_points.iter().filter(|mount| mount.source_volume.as_ref() == Some(&volume.name));
            mount_points.map(move |mount_point| HostMount { container, volume, source_path, mount_point })
        })
    })
}

/// A path of a host in one spelling: `.`, `..` and doubled or trailing slashes resolved, and `/var/run` written `/run`,
/// to which it is linked. A Windows path comes in lower case with forward slashes, a pipe as `pipe/NAME`.
pub(crate) fn host_path(written: &str) -> String {
    let windows = written.starts_with('\\') || matches!(written.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    let written = if windows { Cow::Owned(written.replace('\\', "/").to_lowercase()) } else { Cow::Borrowed(written) };
    let mut parts: Vec<&str> = Vec::new();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.starts_with(&["var", "run"]) {
        parts.remove(0);
    }
    let joined = parts.join("/");
    if windows { joined } else { format!("/{joined}") }
}

/// Sockets and pipes on which container runtimes take commands, as [`host_path`] writes them.
const RUNTIME_SOCKETS: &[&str] =
    &["/run/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock", "pipe/docker_engine"];

/// Whether a path, as [`host_path`] writes it, is a socket of the container runtime or a directory above one.
pub(crate) fn holds_runtime_socket(path: &str) -> bool {
    RUNTIME_SOCKETS.iter().any(|socket| is_within(socket, path))
}

/// Whether one path is another or lies below it; both as [`host_path`] writes them.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || directory.ends_with('/'))
}

/// The detector's verdict on an access key id: it names a key, and opens nothing alone.
pub(crate) const ACCESS_KEY_ID: &str = "aws-access-key-id";

/// Those of the screened texts that hold a secret.
pub(crate) fn secrets(screened: &[Screened]) -> impl Iterator<Item = &Screened> {
    screened.iter().filter(|text| text.looks_like.as_deref().is_some_and(|kind| kind != ACCESS_KEY_ID))
}

/// Secrets for evidence: where each stands and what it looks like, never the value.
pub(crate) fn masked<'s>(secrets: impl Iterator<Item = &'s Screened>) -> Value {
    secrets.map(|s| json!({"name": s.name, "detector": s.looks_like, "length": s.length, "fingerprint": s.fingerprint})).collect()
}

/// Secrets for messages: `DB_PASSWORD (named-secret)`, each once.
pub(crate) fn told<'s>(secrets: impl Iterator<Item = &'s Screened>) -> String {
    let mut told: Vec<String> = Vec::new();
    for secret in secrets {
        let one = format!("{} ({})", secret.name, secret.looks_like.as_deref().unwrap_or_default());
        if !told.contains(&one) {
            told.push(one);
        }
    }
    listed(&told)
}

/// What RUNNING tasks of a revision override in its containers, each with the ARN of its task.
pub(crate) fn running_overrides(definition: Node<'_, TaskDefinition>) -> impl Iterator<Item = (&str, &ContainerOverride)> {
    let running = definition.tasks().map(|task| task.data()).filter(|task| task.last_status == "RUNNING");
    running.flat_map(|task| {
        let overrides = task.overrides.iter().flat_map(|overrides| &overrides.container_overrides);
        overrides.map(|one| (task.task_arn.as_str(), one))
    })
}

/// The data class that a resource is tagged with, when law or contract asks for strict protection of it.
pub(crate) fn regulated_data_class<T: Resource>(node: Node<'_, T>) -> Option<&str> {
    node.data_class().filter(|class| node.estate().thresholds().is_strict(class))
}

/// Whether a task runs on Fargate in Linux containers. Where the task does not say, its definition does.
pub(crate) fn is_fargate_linux(task: Node<'_, Task>) -> Result<bool, Unknown> {
    if task.launch() != LaunchKind::Fargate {
        return Ok(false);
    }
    match &task.data().platform_family {
        Some(family) => Ok(family.eq_ignore_ascii_case("linux")),
        None => Ok(task.task_definition().known()?.is_linux()),
    }
}

/// The minor version of a version of Kubernetes: 33 of `1.33`; `None` for what is not Kubernetes 1.
pub(crate) fn kubernetes_minor(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    if parts.next()? == "1" { parts.next()?.parse().ok() } else { None }
}

/// Whole days from one instant to another, less than none when it lies before.
pub(crate) fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    const SECONDS_A_DAY: i64 = 86_400;
    (to.as_second() - from.as_second()).div_euclid(SECONDS_A_DAY)
}

/// What stands in the way when AWS answered, but the answer does not decide.
pub(crate) fn undecided<T: Resource>(node: Node<'_, T>, operation: &str, code: &str, message: impl Into<String>) -> Unknown {
    Unknown {
        gap: Gap {
            account: node.account().clone(),
            region: node.region().clone(),
            operation: operation.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            resource: Some(node.arn().into_owned()),
        },
    }
}

/// The statements of a key policy, `None` when there is no such key.
pub(crate) fn key_statements(key: Node<'_, Key>) -> Result<Option<Vec<Statement<'_>>>, Unknown> {
    let Some(policy) = key.data().policy.known()? else { return Ok(None) };
    match policy.statements() {
        Ok(statements) => Ok(Some(statements)),
        Err(error) => Err(undecided(key, "kms:GetKeyPolicy", "MalformedPolicyDocument", error.to_string())),
    }
}

/// Whether a statement names a service principal.
pub(crate) fn names_service(statement: &Statement<'_>, service: &str) -> bool {
    statement.principals.as_ref().is_some_and(|principals| principals.service.iter().any(|name| name == service))
}

/// A statement's `Sid`, else its place in the document.
pub(crate) fn statement_name(statement: &Statement<'_>) -> String {
    statement.sid.map_or_else(|| format!("#{}", statement.index), str::to_owned)
}

/// A statement of a resource policy under AWS's names, for evidence.
pub(crate) fn statement_evidence(statement: &Statement<'_>) -> Value {
    let mut evidence = Map::new();
    evidence.insert("Sid".to_owned(), json!(statement_name(statement)));
    evidence.insert("Effect".to_owned(), json!(if statement.allows { "Allow" } else { "Deny" }));
    if let Some(principals) = &statement.principals {
        let mut named = Map::new();
        let kinds = [("AWS", &principals.aws), ("Service", &principals.service), ("Federated", &principals.federated)];
        for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            named.insert(kind.to_owned(), json!(names));
        }
        evidence.insert("Principal".to_owned(), if named.is_empty() { json!("*") } else { Value::Object(named) });
    }
    for (name, list) in [("Action", &statement.actions), ("NotAction", &statement.not_actions)] {
        if !list.is_empty() {
            evidence.insert(name.to_owned(), json!(list));
        }
    }
    let mut conditions = Map::new();
    for (operator, key, values) in &statement.conditions {
        if let Value::Object(keys) = conditions.entry(*operator).or_insert_with(|| json!({})) {
            keys.insert((*key).to_owned(), json!(values));
        }
    }
    evidence.insert("Condition".to_owned(), Value::Object(conditions));
    Value::Object(evidence)
}

/// Whether a task's platform version can encrypt ephemeral storage with a customer's key (1.4.0 and later); `None` when
/// the task tells no version.
pub(crate) fn takes_storage_key(task: Node<'_, Task>) -> Option<bool> {
    const FIRST: (u32, u32) = (1, 4);
    let version = task.data().platform_version.as_deref()?;
    if version.eq_ignore_ascii_case("latest") {
        return Some(true);
    }
    let mut parts = version.split('.').map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?) >= FIRST)
}

/// The operations by which the use of a key comes to light (KEY-IN-USE).
pub(crate) const KEY_USE_NEEDS: &[&str] = &[
    "kms:ListKeys",
    "kms:DescribeKey",
    "ecs:ListClusters",
    "ecs:DescribeClusters",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ec2:DescribeVolumes",
    "eks:ListClusters",
    "eks:DescribeCluster",
    "ecr:DescribeRepositories",
    "logs:DescribeLogGroups",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
    "elasticfilesystem:DescribeFileSystems",
    "cloudtrail:DescribeTrails",
];

/// Whether a container platform uses a key (KEY-IN-USE); unknown when no use was seen and not all users were read.
pub(crate) fn key_in_use(key: Node<'_, Key>) -> Result<bool, Unknown> {
    if !key.users().is_empty() {
        return Ok(true);
    }
    key.unread_users().map_or(Ok(false), |gap| Err(gap.into()))
}

/// What uses a key, in words: `cluster/shop and task/shop/t1`.
pub(crate) fn key_users_listed(key: Node<'_, Key>) -> String {
    let names: Vec<&str> = key.users().iter().map(|user| Arn::parse(&user.arn).map_or(user.arn.as_str(), |arn| arn.resource)).collect();
    listed(&names)
}

/// What uses a key, for evidence: at most a hundred, with the count.
pub(crate) fn key_users(key: Node<'_, Key>) -> Value {
    let users: Vec<Value> = key.users().iter().take(100).map(|user| json!({"arn": user.arn, "purpose": user.purpose})).collect();
    json!({"users": users, "userCount": key.users().len()})
}

/// The operations by which VPCs with container workload come to light (WORKLOAD-VPC), and their flow logs.
pub(crate) const FLOW_LOG_NEEDS: &[&str] = &[
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:ListContainerInstances",
    "ecs:DescribeContainerInstances",
    "ecs:ListClusters",
    "eks:ListClusters",
    "eks:DescribeCluster",
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstances",
    "ec2:DescribeFlowLogs",
];

/// The endpoints of VPCs with container workload that are in service.
pub(crate) fn workload_endpoints<'e>(estate: &'e Estate<'e>) -> impl Iterator<Item = Node<'e, VpcEndpoint>> {
    estate.all::<VpcEndpoint>().filter(|endpoint| {
        let available = endpoint.data().state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("available"));
        available && endpoint.data().vpc_id.as_deref().is_some_and(|vpc| estate.workload_in(vpc).is_some())
    })
}

/// The service of an endpoint without the name of its Region: `ecr.api`.
pub(crate) fn endpoint_service(endpoint: Node<'_, VpcEndpoint>) -> Option<&str> {
    let region = format!(".{}.", endpoint.region());
    Some(endpoint.data().service_name.as_deref()?.split_once(&region)?.1)
}

/// `subnet a` or `subnets a and b`, and so on with any noun.
pub(crate) fn counted<S: AsRef<str>>(noun: &str, names: &[S]) -> String {
    format!("{noun}{} {}", if names.len() == 1 { "" } else { "s" }, listed(names))
}

/// The EC2 instance under a container instance; `None` when it has ended, or when AWS runs it.
pub(crate) fn instance_of(host: Node<'_, ContainerInstance>) -> Result<Option<Node<'_, Instance>>, Unknown> {
    if !host.is_run_by_customer()? {
        return Ok(None);
    }
    Ok(host.instance().exists()?.filter(|instance| !has_ended(instance.data())))
}

/// Whether an instance runs no more.
pub(crate) fn has_ended(instance: &Instance) -> bool {
    let state = instance.state.as_ref().and_then(|state| state.name.as_deref());
    matches!(state, Some("shutting-down" | "terminated"))
}

/// Judges each EC2 instance that is a container host of the customer or a node of EKS, once. Instances that could not be
/// read are left to the engine, which reports the listing.
pub(crate) fn each_host_instance<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>, judge: impl Fn(Node<'e, Instance>) -> Judgement) {
    for node in estate.nodes_alone() {
        // AWS patches and locks the nodes of EKS Auto Mode.
        let apart = node.node_kind() == NodeKind::AutoMode || has_ended(node.data());
        verdicts.judge(node, if apart { Ok(Verdict::NotApplicable) } else { judge(node) });
    }
    for host in estate.host_instances() {
        let Some(instance) = host.instance.found() else { continue };
        let judgement = match instance_of(host.container_instance) {
            Ok(Some(instance)) => judge(instance),
            Ok(None) => Ok(Verdict::NotApplicable),
            Err(unknown) => Err(unknown),
        };
        verdicts.judge(instance, judgement);
    }
}

/// Judges each account and Region with containers as a whole, as of resources of type `T`.
pub(crate) fn each_place<'e, T: Resource>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>, judge: impl Fn(Place<'e>) -> Judgement) {
    for &place in estate.container_places() {
        verdicts.judge_place::<T>(place, judge(place));
    }
}

/// Takes each file system that a task definition in scope mounts, once. One that could not be read is unknown.
pub(crate) fn each_mounted_file_system<'e>(
    estate: &'e Estate<'e>,
    verdicts: &mut Verdicts<'e>,
    take: impl Fn(Node<'e, FileSystem>, &mut Verdicts<'e>),
) {
    let mut seen = BTreeSet::new();
    for definition in estate.definitions_in_scope() {
        for mounted in definition.data().volumes.iter().filter_map(|volume| volume.efs_volume_configuration.as_ref()) {
            if !seen.insert((definition.account(), definition.region(), mounted.file_system_id.as_str())) {
                continue;
            }
            match definition.file_system(mounted) {
                Link::Found(files) => take(files, verdicts),
                Link::Missing(missing) if missing.is_not_found() => {}
                missing @ Link::Missing(_) => {
                    let unread = FileSystem { file_system_id: mounted.file_system_id.clone(), ..FileSystem::default() };
                    let resource = ResourceRef {
                        arn: unread.arn(definition.account(), definition.region()).into_owned(),
                        kind: FileSystem::TYPE.into(),
                        account: definition.account().clone(),
                        region: definition.region().clone(),
                        name: unread.file_system_id,
                        tags: BTreeMap::new(),
                    };
                    verdicts.judge_reference(resource, missing.known().map(|_| Verdict::Pass));
                }
            }
        }
    }
}

/// The log group that containers write to; unknown when it was not asked for, since nothing in its own Region names it.
pub(crate) fn log_group<'e>(estate: &'e Estate<'e>, group: &ContainerLogGroup<'e>) -> Result<Link<'e, LogGroup>, Unknown> {
    let link = estate.log_group(group.place.account, group.place.region, group.name);
    if matches!(&link, Link::Missing(missing) if missing.is_not_found()) && !group.writers.iter().any(|writer| writer.is_local) {
        let gap = Gap {
            account: group.place.account.clone(),
            region: group.place.region.clone(),
            resource: Some(group.name.to_owned()),
            ..Gap::not_collected(LogGroup::OPERATION)
        };
        return Err(gap.into());
    }
    Ok(link)
}

/// A log group that may not exist, for findings.
pub(crate) fn log_group_reference(group: &ContainerLogGroup<'_>) -> ResourceRef {
    let unread = LogGroup { log_group_name: group.name.to_owned(), ..LogGroup::default() };
    ResourceRef {
        arn: unread.arn(group.place.account, group.place.region).into_owned(),
        kind: LogGroup::TYPE.into(),
        account: group.place.account.clone(),
        region: group.place.region.clone(),
        name: group.name.to_owned(),
        tags: BTreeMap::new(),
    }
}

/// Who writes to a log group, for evidence: at most twenty.
pub(crate) fn writers(group: &ContainerLogGroup<'_>) -> Value {
    group.writers.iter().take(20).map(|writer| json!({"arn": writer.arn, "purpose": writer.purpose.as_str()})).collect()
}

/// Who writes to a log group, for messages.
pub(crate) fn writers_listed(group: &ContainerLogGroup<'_>) -> String {
    let names: Vec<&str> = group.writers.iter().map(|writer| writer.arn.rsplit('/').next().unwrap_or(writer.arn)).collect();
    listed(&names)
}

/// What user data of a host writes for a setting of the ECS agent, for evidence; null when it was not read.
pub(crate) fn written_setting(host: Node<'_, ContainerInstance>, name: &str) -> Value {
    match host.instance().found().map(|instance| instance.data().user_data.known()) {
        Some(Ok(Some(data))) => json!({
            "source": data.source,
            name: data.agent_configuration.get(name),
            "computed": data.unresolved.contains(name),
            "configuredElsewhere": data.configured_elsewhere,
        }),
        Some(Ok(None)) => json!({"source": "instance", name: null}),
        Some(Err(_)) | None => Value::Null,
    }
}

/// Rules of a security group, for evidence.
pub(crate) fn rules(permissions: &[IpPermission]) -> Value {
    const SHOWN: usize = 20;
    permissions.iter().take(SHOWN).map(|rule| json!(rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::{host_path, is_capability, is_within};

    #[test]
    fn paths_have_one_spelling() {
        for (written, path) in [
            ("/", "/"),
            ("//etc/./ssh/../", "/etc"),
            ("/..", "/"),
            ("/var/run/docker.sock", "/run/docker.sock"),
            ("/var/running", "/var/running"),
            ("C:\\ProgramData\\Amazon\\", "c:/programdata/amazon"),
            ("\\\\.\\pipe\\docker_engine", "pipe/docker_engine"),
        ] {
            assert_eq!(host_path(written), path, "{written}");
        }
    }

    #[test]
    fn a_longer_name_does_not_lie_below_a_shorter_one() {
        assert!(is_within("/etc/ssh", "/etc"));
        assert!(is_within("/etc", "/"));
        assert!(!is_within("/etcetera", "/etc"));
    }

    #[test]
    fn a_capability_may_be_written_with_its_prefix() {
        assert!(is_capability("cap_sys_admin", "SYS_ADMIN"));
        assert!(!is_capability("SYS_ADMINISTRATOR", "SYS_ADMIN"));
        assert!(!is_capability("CAPé", "ALL"));
    }
}
