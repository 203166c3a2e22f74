//! The shared-responsibility matrix: verdicts flow in; for each workload, who must do what and whether it is done
//! flows out. Source of the split: AWS documentation, "Shared responsibility model" of Amazon ECS and of AWS Fargate.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Node, Place};
use plimsoll_model::aws::ec2::{FlowLog, Vpc};
use plimsoll_model::aws::ecs::{Cluster, Service, Task, TaskDefinition};
use plimsoll_model::{
    Item, ItemState, LaunchKind, Matrix, MatrixEvidence, MatrixRow, MatrixSummary, Party, Resource, Workload, WorkloadRows,
};
use rustc_hash::FxHashMap;

use crate::check::{Area, Check};
use crate::engine::{Evaluation, Outcome, OutcomeState};

/// Version of the matrix contract.
const SCHEMA: u32 = 1;

/// Checks that belong to another item than their area says.
const PLACED: &[(Item, &[&str])] = &[
    (
        Item::KernelIsolation,
        &[
            "ecs-task-definition-privileged-container",
            "ecs-task-definition-dangerous-capabilities",
            "ecs-task-definition-host-namespace-shared",
            "ecs-task-definition-docker-socket-mount",
            "ecs-task-definition-sensitive-host-path-mount",
        ],
    ),
    (
        Item::Agent,
        &[
            "ecs-agent-awsvpc-imds-not-blocked",
            "ecs-agent-host-network-task-role-disabled",
            "ecs-agent-proxy-leaks-credentials-calls",
            "ecs-container-instance-agent-disconnected",
        ],
    ),
    (
        Item::Secrets,
        &[
            "ecs-task-definition-plaintext-secret-environment",
            "ecs-task-definition-secret-in-command",
            "ec2-container-host-user-data-secret",
            "iam-user-key-in-task-definition",
        ],
    ),
    (Item::DataEncryption, &["ecs-task-definition-efs-transit-unencrypted"]),
    (
        Item::Audit,
        &[
            "vpc-flow-logs-disabled",
            "vpc-flow-logs-incomplete",
            "vpc-flow-logs-task-eni-uncovered",
            "vpc-flow-logs-without-container-fields",
        ],
    ),
];

/// Without this check in the catalogue an item is unknown at best: what decides it is not read yet.
const DECIDING: &[(Item, &str, &str)] = &[
    (Item::HostPatching, "ecs-container-instance-ami-outdated", "the age and patches of the machine image are not read by this version"),
    (Item::NetworkControls, "ecs-task-internet-reachable", "whether the internet reaches the tasks is not computed by this version"),
    (Item::Identity, "iam-task-role-admin", "what the roles may do is not evaluated by this version"),
    (Item::Image, "ecr-image-vulnerable", "image scans are not read by this version"),
    (Item::Audit, "cloudtrail-not-recording-all-regions", "trails and threat detection are not read by this version"),
];

/// Builds the matrix of an estate from what the checks said.
pub fn matrix(estate: &Estate<'_>, evaluation: &Evaluation) -> Matrix {
    let verdicts = Verdicts::new(evaluation);
    let mut workloads: Vec<WorkloadRows> = estate.active_services().map(|service| service_rows(service, &verdicts)).collect();
    workloads.extend(estate.running_tasks().filter(|task| task.service().is_none()).map(|task| task_rows(task, &verdicts)));
    workloads.sort_by(|a, b| a.workload.arn.cmp(&b.workload.arn));
    let mut summary = MatrixSummary { workloads: workloads.len(), ..MatrixSummary::default() };
    for row in workloads.iter().flat_map(|workload| &workload.rows) {
        let counts = summary.items.entry(party_key(row.party).to_owned()).or_default();
        match row.state {
            ItemState::Met => counts.met += 1,
            ItemState::NotMet => counts.not_met += 1,
            ItemState::Unknown => counts.unknown += 1,
        }
    }
    Matrix { schema: SCHEMA, summary, workloads }
}

fn party_key(party: Party) -> &'static str {
    match party {
        Party::Aws => "aws",
        Party::Customer => "customer",
        Party::Shared => "shared",
    }
}

/// Who is responsible for an item, by what the containers run on.
fn party(item: Item, launch: LaunchKind) -> Party {
    use LaunchKind::{Ec2, External, Fargate, ManagedInstances, Unknown};
    match (item, launch) {
        (Item::KernelIsolation | Item::Agent, Fargate) | (Item::HostPatching | Item::Agent, ManagedInstances) => Party::Aws,
        (Item::HostPatching | Item::DataEncryption | Item::Runtime | Item::Audit, Fargate)
        | (Item::KernelIsolation | Item::DataEncryption | Item::Runtime | Item::Audit, ManagedInstances)
        | (Item::Audit, Ec2 | External)
        | (_, Unknown) => Party::Shared,
        _ => Party::Customer,
    }
}

/// What AWS's share is, where it has one.
fn aws_share(item: Item, launch: LaunchKind) -> &'static str {
    match (item, launch) {
        (Item::HostPatching, LaunchKind::Fargate) => "AWS patches the hosts; new tasks get the patches, so old tasks must be replaced",
        (Item::HostPatching, _) => "AWS patches and replaces the hosts",
        (Item::KernelIsolation, LaunchKind::Fargate) => "AWS runs each task in a virtual machine of its own",
        (Item::KernelIsolation, _) => "AWS isolates hosts; tasks on one host share its kernel",
        (Item::Agent, _) => "AWS runs and updates the agent",
        (Item::DataEncryption, _) => "AWS encrypts task storage; keys of your own and volumes are yours",
        (Item::Runtime, _) => "AWS refuses privileged containers and host mounts; the rest is yours",
        (Item::Audit, _) => "AWS records API calls; logs, flow logs and trails are yours to turn on",
        _ => "",
    }
}

fn item_of(check: &Check) -> Item {
    if let Some((item, _)) = PLACED.iter().find(|(_, ids)| ids.contains(&check.id)) {
        return *item;
    }
    match check.area {
        Area::DataSecrets => Item::DataEncryption,
        Area::HostPatching => Item::HostPatching,
        Area::Identity | Area::TaggingGovernance => Item::Identity,
        Area::Image => Item::Image,
        Area::Network => Item::NetworkControls,
        Area::PlatformAudit => Item::Audit,
        Area::Runtime => Item::Runtime,
    }
}

/// Verdicts by resource.
struct Verdicts<'v> {
    checks: &'v [&'static Check],
    items: Vec<Item>,
    // Sorted by kind and index, so that the verdicts on one resource stand together.
    outcomes: Vec<&'v Outcome>,
    starts: FxHashMap<(&'static str, u32), usize>,
}

impl<'v> Verdicts<'v> {
    fn new(evaluation: &'v Evaluation) -> Self {
        let mut outcomes: Vec<&Outcome> =
            evaluation.outcomes.iter().filter(|outcome| outcome.state != OutcomeState::NotApplicable).collect();
        outcomes.sort_by_key(|outcome| (outcome.kind, outcome.index, outcome.check));
        let mut starts = FxHashMap::default();
        for (position, outcome) in outcomes.iter().enumerate() {
            starts.entry((outcome.kind, outcome.index)).or_insert(position);
        }
        Self { checks: &evaluation.checks, items: evaluation.checks.iter().map(|check| item_of(check)).collect(), outcomes, starts }
    }

    fn on(&self, kind: &'static str, index: u32) -> impl Iterator<Item = &'v Outcome> {
        let start = self.starts.get(&(kind, index)).copied();
        let rest = start.and_then(|start| self.outcomes.get(start..)).unwrap_or_default();
        rest.iter().copied().take_while(move |outcome| outcome.kind == kind && outcome.index == index)
    }

    fn decides(&self, id: &str) -> bool {
        self.checks.iter().any(|check| check.id == id)
    }
}

/// The resources that make up a workload.
#[derive(Default)]
struct Parts(BTreeSet<(&'static str, u32)>);

impl Parts {
    /// Adds a resource; `true` when it is new.
    fn add<T: Resource>(&mut self, node: Node<'_, T>) -> bool {
        self.0.insert((T::KIND, node.index()))
    }

    fn add_cluster(&mut self, cluster: Node<'_, Cluster>) {
        if !self.add(cluster) {
            return;
        }
        if let Some(key) = cluster.ephemeral_storage_key().and_then(plimsoll_graph::Link::found) {
            self.add(key);
        }
        for setting in cluster.estate().account_settings_of(cluster.account(), cluster.region()) {
            self.add(setting);
        }
        if let Some(index) = cluster.estate().position_of(Place { account: cluster.account(), region: cluster.region() }) {
            self.0.insert((Place::KIND, index));
        }
    }

    fn add_definition(&mut self, definition: Node<'_, TaskDefinition>) {
        if !self.add(definition) {
            return;
        }
        for role in [definition.task_role(), definition.execution_role()].into_iter().flatten() {
            if let Some(role) = role.found() {
                self.add(role);
            }
        }
    }

    fn add_task(&mut self, task: Node<'_, Task>) {
        self.add(task);
        if let Some(definition) = task.task_definition().found() {
            self.add_definition(definition);
        }
        for interface in task.network_interfaces() {
            if let Some(interface) = interface.found() {
                self.add(interface);
                if let Some(vpc) = interface.vpc().and_then(plimsoll_graph::Link::found) {
                    self.add_vpc(vpc);
                }
            }
        }
        if let Some(key) = task.ephemeral_storage_key().and_then(plimsoll_graph::Link::found) {
            self.add(key);
        }
        let Some(host) = task.container_instance().and_then(plimsoll_graph::Link::found) else { return };
        if !self.add(host) {
            return;
        }
        if let Some(instance) = host.instance().found() {
            self.add(instance);
            for volume in instance.volumes() {
                self.add(volume);
            }
        }
    }

    fn add_vpc(&mut self, vpc: Node<'_, Vpc>) {
        if self.add(vpc) {
            let logs: Vec<Node<'_, FlowLog>> = vpc.estate().flow_logs_on(&vpc.data().vpc_id).collect();
            for log in logs {
                self.add(log);
            }
        }
    }
}

fn service_rows(service: Node<'_, Service>, verdicts: &Verdicts<'_>) -> WorkloadRows {
    let mut parts = Parts::default();
    parts.add(service);
    for set in service.task_sets() {
        parts.add(set);
    }
    let cluster = service.cluster().found();
    if let Some(cluster) = cluster {
        parts.add_cluster(cluster);
    }
    for definition in service.task_definitions() {
        if let Some(definition) = definition.found() {
            parts.add_definition(definition);
        }
    }
    for subnet in service.subnets() {
        if let Some(vpc) = subnet.found().and_then(|subnet| subnet.vpc().found()) {
            parts.add_vpc(vpc);
        }
    }
    for task in service.tasks() {
        parts.add_task(task);
    }
    let workload = workload(service, cluster, service.launch());
    rows(workload, &parts, verdicts)
}

fn task_rows(task: Node<'_, Task>, verdicts: &Verdicts<'_>) -> WorkloadRows {
    let mut parts = Parts::default();
    let cluster = task.cluster().found();
    if let Some(cluster) = cluster {
        parts.add_cluster(cluster);
    }
    parts.add_task(task);
    rows(workload(task, cluster, task.launch()), &parts, verdicts)
}

fn workload<T: Resource>(node: Node<'_, T>, cluster: Option<Node<'_, Cluster>>, launch: LaunchKind) -> Workload {
    Workload {
        arn: node.arn().into_owned(),
        name: node.name().to_owned(),
        kind: T::TYPE.to_owned(),
        cluster: cluster.map_or_else(String::new, |cluster| cluster.name().to_owned()),
        account: node.account().clone(),
        region: node.region().clone(),
        launch,
    }
}

fn rows(workload: Workload, parts: &Parts, verdicts: &Verdicts<'_>) -> WorkloadRows {
    // The worst verdict of each check over the parts.
    let mut worst: FxHashMap<u16, OutcomeState> = FxHashMap::default();
    for outcome in parts.0.iter().flat_map(|(kind, index)| verdicts.on(kind, *index)) {
        worst.entry(outcome.check).and_modify(|state| *state = (*state).min(outcome.state)).or_insert(outcome.state);
    }
    let rows = Item::ALL.into_iter().map(|item| row(item, workload.launch, &worst, verdicts)).collect();
    WorkloadRows { workload, rows }
}

fn row(item: Item, launch: LaunchKind, worst: &FxHashMap<u16, OutcomeState>, verdicts: &Verdicts<'_>) -> MatrixRow {
    let party = party(item, launch);
    let share = aws_share(item, launch);
    if party == Party::Aws {
        return MatrixRow { item, party, state: ItemState::Met, evidence: Vec::new(), note: share.to_owned() };
    }
    let mut evidence: Vec<MatrixEvidence> = verdicts
        .checks
        .iter()
        .zip(&verdicts.items)
        .zip(0_u16..)
        .filter(|((_, belongs), _)| **belongs == item)
        .filter_map(|((check, _), position)| Some(MatrixEvidence { state: state_of(*worst.get(&position)?), check: check.id.to_owned() }))
        .collect();
    evidence.sort();
    let undecided = DECIDING.iter().find(|(of, id, _)| *of == item && !verdicts.decides(id) && needs_deciding(item, launch));
    let found = evidence.first().map(|worst| worst.state);
    let state = match (found, undecided) {
        (Some(ItemState::NotMet), _) => ItemState::NotMet,
        (Some(ItemState::Met), None) => ItemState::Met,
        _ => ItemState::Unknown,
    };
    let mut notes: Vec<&str> = Vec::new();
    if party == Party::Shared && !share.is_empty() {
        notes.push(share);
    }
    match (state, undecided) {
        (ItemState::Unknown, Some((_, _, why))) => notes.push(why),
        (ItemState::Unknown, None) if evidence.is_empty() => notes.push("no check that applies could look at it"),
        _ => {}
    }
    MatrixRow { item, party, state, evidence, note: notes.join("; ") }
}

/// On Fargate the platform version and the age of tasks tell all that the customer has to do about patches.
fn needs_deciding(item: Item, launch: LaunchKind) -> bool {
    !(item == Item::HostPatching && launch == LaunchKind::Fargate)
}

fn state_of(state: OutcomeState) -> ItemState {
    match state {
        OutcomeState::Fail => ItemState::NotMet,
        OutcomeState::Unknown => ItemState::Unknown,
        OutcomeState::Pass | OutcomeState::NotApplicable => ItemState::Met,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_graph::Estate;
    use plimsoll_model::{Item, ItemState, LaunchKind, Matrix, Party, WorkloadRows};

    use super::{DECIDING, PLACED, matrix};
    use crate::engine::{Options, Selection, evaluate};
    use crate::registry::CHECKS;

    fn matrix_of(fixture: Fixture) -> Matrix {
        let inventory = fixture.build();
        let estate = Estate::new(&inventory);
        matrix(&estate, &evaluate(&estate, &Selection::default(), Options::default()))
    }

    fn state(rows: &WorkloadRows, item: Item) -> (Party, ItemState) {
        let row = rows.rows.iter().find(|row| row.item == item).unwrap();
        (row.party, row.state)
    }

    #[test]
    fn every_placed_check_exists() {
        for id in PLACED.iter().flat_map(|(_, ids)| ids.iter()) {
            assert!(CHECKS.iter().any(|check| check.id == *id), "{id}");
        }
    }

    #[test]
    fn aws_meets_its_share_on_fargate() {
        let matrix = matrix_of(fixture().shop());
        let [web] = matrix.workloads.as_slice() else { panic!("one workload") };
        assert_eq!(web.workload.launch, LaunchKind::Fargate);
        assert_eq!(web.rows.len(), Item::ALL.len());
        assert_eq!(state(web, Item::KernelIsolation), (Party::Aws, ItemState::Met));
        assert_eq!(state(web, Item::Agent), (Party::Aws, ItemState::Met));
        assert_eq!(state(web, Item::Secrets), (Party::Customer, ItemState::Met));
    }

    #[test]
    fn a_failing_check_of_any_part_makes_the_item_not_met() {
        let account = fixture().shop().each(|definition: &mut plimsoll_model::aws::ecs::TaskDefinition| {
            definition.container_definitions[0].environment = vec![plimsoll_fixture::screened("DB_PASSWORD", Some("named-secret"))];
        });
        let matrix = matrix_of(account);
        let row = matrix.workloads[0].rows.iter().find(|row| row.item == Item::Secrets).unwrap();
        assert_eq!(row.state, ItemState::NotMet);
        assert_eq!(row.evidence[0].check, "ecs-task-definition-plaintext-secret-environment");
        assert_eq!(matrix.summary.items["customer"].not_met, 1);
    }

    #[test]
    fn what_was_not_read_is_never_met() {
        let matrix = matrix_of(fixture().shop().denied("ecs:ListTasks").denied("ecs:DescribeTaskDefinition"));
        let web = &matrix.workloads[0];
        assert_eq!(state(web, Item::Secrets).1, ItemState::Unknown);
        assert_eq!(state(web, Item::Runtime).1, ItemState::Unknown);
    }

    #[test]
    fn an_item_whose_deciding_check_is_missing_is_unknown_at_best() {
        let matrix = matrix_of(fixture().shop());
        for (item, id, _) in
            DECIDING.iter().filter(|(item, id, _)| *item != Item::HostPatching && !CHECKS.iter().any(|check| check.id == *id))
        {
            assert_ne!(state(&matrix.workloads[0], *item).1, ItemState::Met, "{id}");
        }
    }

    #[test]
    fn hosts_of_the_customer_are_the_customers_business() {
        let account = fixture()
            .network()
            .cluster("shop", |_| {})
            .ec2_task_definition("agent", |_| {})
            .service("shop", "agent", |service| service.launch_type = Some("EC2".to_owned()))
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |_| {});
        let matrix = matrix_of(account);
        assert_eq!(matrix.workloads[0].workload.launch, LaunchKind::Ec2);
        assert_eq!(state(&matrix.workloads[0], Item::HostPatching).0, Party::Customer);
        assert_eq!(state(&matrix.workloads[0], Item::KernelIsolation).0, Party::Customer);
    }

    #[test]
    fn a_standalone_task_is_a_workload() {
        let account = fixture().shop().standalone_task("shop", "web", "lone", |_| {});
        let kinds: Vec<String> = matrix_of(account).workloads.into_iter().map(|rows| rows.workload.kind).collect();
        assert_eq!(kinds, ["AWS::ECS::Service", "AWS::ECS::Task"]);
    }
}
