//! `plimsoll exposure`: every workload with what reaches it from the internet, and where it can go itself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use plimsoll_graph::{DiscoveryName, Estate, Host, NameKind, Node, WayIn, WaysIn};
use plimsoll_model::aws::ec2::{Instance, NetworkInterface};
use plimsoll_model::aws::ecs::{ContainerInstance, Service, Task};
use plimsoll_model::aws::eks::{Cluster, Nodegroup};
use plimsoll_model::{Resource, ResourceRef};
use plimsoll_net::{Egress, EgressKind, EgressWay};
use serde::Serialize;

use crate::arguments::{MatrixFormat, ResponsibilityOptions};
use crate::check::open;
use crate::failure::Failure;
use crate::output::{self, probe};
use crate::screen::Screen;

/// Version of the JSON document.
const SCHEMA: u32 = 1;
/// Lines about one workload that the table shows.
const SHOWN: usize = 8;

#[derive(Serialize)]
struct Document<'e> {
    schema: u32,
    plimsoll: &'static str,
    workloads: &'e [Workload],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workload {
    resource: ResourceRef,
    /// Interfaces of it that are in the network now.
    interfaces: usize,
    /// The names under which clients find a service, and what was not read and may hide others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<DiscoveryName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names_not_read: Vec<String>,
    /// What reaches it from the internet, equal ways of its tasks told once.
    #[serde(flatten)]
    ways_in: WaysIn,
    /// Where it can go: the widest kind, and each way, equal ones of its tasks told once.
    egress: Option<Out>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    kind: EgressKind,
    ways: Vec<EgressWay>,
    interface_endpoints: Vec<String>,
}

pub(crate) fn run(options: &ResponsibilityOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.output {
        probe(path)?;
    }
    let inventory = open(&options.snapshot, screen)?;
    let estate = Estate::new(&inventory);
    let workloads = workloads(&estate);
    output::to(options.output.as_deref(), |out| match options.format {
        MatrixFormat::Json => output::json(&Document { schema: SCHEMA, plimsoll: env!("CARGO_PKG_VERSION"), workloads: &workloads }, out),
        MatrixFormat::Table => table(&workloads, out),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Active services and the tasks that belong to none, the hosts of containers, and the nodes and pods of Kubernetes as far
/// as they have interfaces of their own; what the internet reaches comes first.
fn workloads(estate: &Estate<'_>) -> Vec<Workload> {
    let services = estate.active_services().map(|service| {
        let interfaces = Node::<'_, Service>::interfaces(service).unwrap_or_default();
        let (names, unread) = service.discovery_names();
        let names_not_read = unread.iter().map(|unknown| unknown.gap.to_string()).collect();
        Workload { names, names_not_read, ..workload(estate, service.reference(), service.ways_in(), &interfaces) }
    });
    let alone = estate.running_tasks().filter(|task| task.service().is_none()).map(|task| {
        let interfaces = Node::<'_, Task>::interfaces(task).unwrap_or_default();
        workload(estate, task.reference(), task.ways_in(), &interfaces)
    });
    let (mut machines, mut unread_hosts) = (Vec::new(), Vec::new());
    for Host { container_instance, instance } in estate.host_instances() {
        match instance.found() {
            Some(machine) => machines.push(machine),
            None => unread_hosts.push(workload(estate, container_instance.reference(), container_instance.ways_in(), &[])),
        }
    }
    let nodes = estate.eks_clusters().flat_map(Node::<'_, Cluster>::nodes_outside_groups);
    machines.extend(nodes);
    machines.sort_by_key(Node::index);
    machines.dedup();
    let machines = machines.into_iter().map(|machine| workload(estate, machine.reference(), machine.ways_in(), &interfaces_of(machine)));
    let groups = estate.eks_clusters().flat_map(Node::<'_, Cluster>::nodegroups).map(|group| {
        let interfaces: Vec<_> = group.nodes().flat_map(interfaces_of).collect();
        workload(estate, group.reference(), group.ways_in(), &interfaces)
    });
    let pods = estate.eks_clusters().flat_map(Node::<'_, Cluster>::pod_interfaces);
    let pods = pods.map(|pod| workload(estate, pod.reference(), WaysIn::of([pod]), &[pod]));
    let mut all: Vec<Workload> = services.chain(alone).chain(unread_hosts).chain(machines).chain(groups).chain(pods).collect();
    let rank = |workload: &Workload| match workload.ways_in.reachable {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    };
    all.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.resource.arn.cmp(&b.resource.arn)));
    all
}

/// The interfaces of a machine itself: those of tasks and pods are theirs.
fn interfaces_of(machine: Node<'_, Instance>) -> Vec<Node<'_, NetworkInterface>> {
    let all = machine.interfaces().unwrap_or_default();
    all.into_iter().filter(|interface| interface.task().is_none()).collect()
}

fn workload(estate: &Estate<'_>, resource: ResourceRef, mut ways_in: WaysIn, interfaces: &[Node<'_, NetworkInterface>]) -> Workload {
    let mut distinct: BTreeMap<String, WayIn> = BTreeMap::new();
    for way in ways_in.ways {
        // The tasks of a service differ in their interface alone.
        distinct.entry(way_words(&way)).or_insert(way);
    }
    ways_in.ways = distinct.into_values().collect();
    ways_in.ways.sort_by_key(|way| !way.certain);
    let out = interfaces.iter().filter_map(|interface| estate.network().egress(&interface.network_interface_id));
    Workload {
        resource,
        interfaces: interfaces.len(),
        names: Vec::new(),
        names_not_read: Vec::new(),
        ways_in,
        egress: out.fold(None, |so_far, one| Some(joined(so_far, one))),
    }
}

/// Both together: the widest kind, and each way once.
fn joined(so_far: Option<Out>, one: Egress) -> Out {
    let Some(mut all) = so_far else {
        return Out { kind: one.kind, ways: one.ways, interface_endpoints: one.interface_endpoints };
    };
    all.kind = all.kind.min(one.kind);
    all.ways.extend(one.ways.into_iter().filter(|way| !all.ways.contains(way)).collect::<Vec<_>>());
    all.interface_endpoints
        .extend(one.interface_endpoints.into_iter().filter(|id| !all.interface_endpoints.contains(id)).collect::<Vec<_>>());
    all
}

fn table(workloads: &[Workload], out: &mut dyn Write) -> io::Result<()> {
    for workload in workloads {
        let verdict = match workload.ways_in.reachable {
            Some(true) => "REACHABLE from the internet",
            None => "UNKNOWN",
            Some(false) if workload.interfaces == 0 => "nothing of it runs",
            Some(false) if !workload.ways_in.ways.is_empty() => "not reachable from the internet but by a ping",
            Some(false) => "not reachable from the internet",
        };
        let ResourceRef { account, region, .. } = &workload.resource;
        writeln!(out, "{}  {account} {region}: {verdict}", name(&workload.resource))?;
        if !workload.names.is_empty() {
            writeln!(out, "  as:  {}", workload.names.iter().map(found_as).collect::<Vec<_>>().join(", "))?;
        }
        for missing in &workload.names_not_read {
            writeln!(out, "  as:  not read: {}", plimsoll_report::inline(missing))?;
        }
        let ways = &workload.ways_in.ways;
        for way in ways.iter().take(SHOWN) {
            writeln!(out, "  in:  {}", way_words(way))?;
        }
        if ways.len() > SHOWN {
            writeln!(out, "       and {} more ways", ways.len() - SHOWN)?;
        }
        for missing in workload.ways_in.missing.iter().take(SHOWN) {
            writeln!(out, "       not known: {}", plimsoll_report::inline(missing))?;
        }
        if let Some(egress) = &workload.egress {
            writeln!(out, "  out: {}", out_words(egress))?;
        }
    }
    let count = |reachable: Option<bool>| workloads.iter().filter(|workload| workload.ways_in.reachable == reachable).count();
    writeln!(
        out,
        "{} workloads: {} reachable from the internet, {} unknown, {} not",
        workloads.len(),
        count(Some(true)),
        count(None),
        count(Some(false))
    )
}

/// `service shop/web`, `task shop/0123…`, `host i-0abc`, `node group prod/general`, `pod interface eni-0abc`.
fn name(resource: &ResourceRef) -> String {
    let (word, kind) = match &*resource.kind {
        Service::TYPE => ("service", "service"),
        Task::TYPE => ("task", "task"),
        Instance::TYPE => ("host", "instance"),
        ContainerInstance::TYPE => ("host", "container-instance"),
        Nodegroup::TYPE => ("node group", "nodegroup"),
        _ => ("pod interface", "network-interface"),
    };
    let path = resource.arn.split_once(&format!(":{kind}/")).map_or(resource.name.as_str(), |(_, path)| path);
    // The ARN of a node group ends with an id beside its name.
    let path = if resource.kind == Nodegroup::TYPE { path.rsplit_once('/').map_or(path, |(path, _)| path) } else { path };
    format!("{word} {}", plimsoll_report::inline(path))
}

/// `web.shop.local (private DNS)`, `web:80 (Service Connect)`.
fn found_as(name: &DiscoveryName) -> String {
    let port = name.port.map_or_else(String::new, |port| format!(":{port}"));
    let who = match name.kind {
        NameKind::PrivateDns => "private DNS",
        NameKind::PublicDns => "public DNS",
        NameKind::ServiceConnect => "Service Connect",
    };
    format!("{}{port} ({who})", plimsoll_report::inline(&name.name))
}

fn way_words(way: &WayIn) -> String {
    let flows: Vec<String> = way
        .flows
        .iter()
        .map(|flow| {
            let ports = flow.port_words().join(",");
            let ports = if flow.protocol.has_ports() || flow.protocol.is_icmp() { format!("/{ports}") } else { String::new() };
            format!("{}{ports} from {}", flow.protocol, flow.peers)
        })
        .collect();
    let through = way.balanced.as_ref().map_or_else(
        || "straight".to_owned(),
        |balanced| format!("through load balancer {}, to port {}", balanced.load_balancer, balanced.target_port),
    );
    let mut words = vec![format!("{} {through}", flows.join("; "))];
    words.extend(way.conditions.iter().cloned());
    words.extend(way.by_door.then(|| "by a front door".to_owned()));
    words.extend((!way.now).then(|| "not at this moment".to_owned()));
    words.extend((!way.certain).then(|| "not certain".to_owned()));
    words.join(", ")
}

fn out_words(egress: &Out) -> String {
    let kind = |kind: EgressKind| serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    let ways = egress.ways.iter().filter(|way| !way.through.is_empty()).map(|way| {
        let addresses = if way.public_ips.is_empty() { String::new() } else { format!(" ({})", way.public_ips.join(", ")) };
        format!("{}{addresses}", way.through)
    });
    let mut through: Vec<String> = ways.chain(egress.interface_endpoints.iter().cloned()).collect();
    through.dedup();
    let more = through.len().saturating_sub(SHOWN);
    through.truncate(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    if through.is_empty() { kind(egress.kind) } else { format!("{} through {}{rest}", kind(egress.kind), through.join(", ")) }
}
