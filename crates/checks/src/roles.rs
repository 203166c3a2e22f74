//! The roles that containers, their hosts and their nodes run with. Task definitions, tasks, instances and clusters flow in;
//! each role flows out once, with those that use it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Link, Node, Principal};
use plimsoll_model::aws::ecs::{ContainerInstance, Service, Task, TaskDefinition};
use plimsoll_model::aws::eks::Cluster;
use plimsoll_model::aws::iam::Role;
use serde_json::{Value, json};

use crate::reading::{instance_of, listed};

/// Services and tasks that are named in evidence.
const SHOWN: usize = 10;

/// A role and the tasks that run with it.
pub(crate) struct TaskRole<'e> {
    pub(crate) role: Node<'e, Role>,
    /// Task definitions in scope that name it.
    pub(crate) definitions: Vec<Node<'e, TaskDefinition>>,
    /// RUNNING tasks that were started with it instead of their definition's.
    overriding: Vec<Node<'e, Task>>,
}

impl<'e> TaskRole<'e> {
    pub(crate) fn principal(&self) -> Principal<'e> {
        Principal::Role(self.role)
    }

    fn services(&self) -> BTreeMap<&'e str, Node<'e, Service>> {
        let services = self.definitions.iter().flat_map(|definition| definition.services());
        services.map(|service| (service.data().service_arn.as_str(), service)).collect()
    }

    /// Who uses it, for evidence: at most ten services and tasks, with the count.
    pub(crate) fn users(&self) -> Value {
        let services = self.services();
        let tasks = || self.definitions.iter().flat_map(|definition| definition.tasks()).chain(self.overriding.iter().copied());
        json!({
            "services": services.keys().take(SHOWN).collect::<Vec<_>>(),
            "serviceCount": services.len(),
            "tasks": tasks().take(SHOWN).map(|task| task.data().task_arn.as_str()).collect::<Vec<_>>(),
            "taskCount": tasks().count(),
            "taskDefinitions": self.definitions.iter().take(SHOWN).map(|one| one.data().task_definition_arn.as_str()).collect::<Vec<_>>(),
        })
    }

    /// Who uses it, for messages: ` of services api and web`, or nothing.
    pub(crate) fn told(&self) -> String {
        let names: Vec<&str> = self.services().values().map(Node::<'e, Service>::name).collect();
        match names.len() {
            0 => String::new(),
            1 => format!(" of service {}", listed(&names)),
            _ => format!(" of services {}", listed(&names)),
        }
    }
}

/// Roles that are `taskRoleArn` of definitions in scope or of overrides of RUNNING tasks.
pub(crate) fn task_roles<'e>(estate: &'e Estate<'e>) -> Vec<TaskRole<'e>> {
    collect(estate, Node::<'e, TaskDefinition>::task_role, Node::<'e, Task>::task_role_override)
}

/// Roles that are `executionRoleArn` of definitions in scope or of overrides of RUNNING tasks.
pub(crate) fn execution_roles<'e>(estate: &'e Estate<'e>) -> Vec<TaskRole<'e>> {
    collect(estate, Node::<'e, TaskDefinition>::execution_role, Node::<'e, Task>::execution_role_override)
}

fn collect<'e>(
    estate: &'e Estate<'e>,
    named: impl Fn(Node<'e, TaskDefinition>) -> Option<Link<'e, Role>>,
    overridden: impl Fn(Node<'e, Task>) -> Option<Link<'e, Role>>,
) -> Vec<TaskRole<'e>> {
    let mut found: BTreeMap<u32, TaskRole<'e>> = BTreeMap::new();
    let unused = |role| TaskRole { role, definitions: Vec::new(), overriding: Vec::new() };
    for definition in estate.definitions_in_scope() {
        if let Some(Link::Found(role)) = named(definition) {
            found.entry(role.index()).or_insert_with(|| unused(role)).definitions.push(definition);
        }
    }
    for task in estate.running_tasks() {
        if let Some(Link::Found(role)) = overridden(task) {
            found.entry(role.index()).or_insert_with(|| unused(role)).overriding.push(task);
        }
    }
    found.into_values().collect()
}

/// A role and the container hosts whose instance profile holds it.
pub(crate) struct HostRole<'e> {
    pub(crate) role: Node<'e, Role>,
    pub(crate) hosts: Vec<Node<'e, ContainerInstance>>,
}

/// Roles of container hosts that the customer runs.
pub(crate) fn host_roles<'e>(estate: &'e Estate<'e>) -> Vec<HostRole<'e>> {
    let mut found: BTreeMap<u32, HostRole<'e>> = BTreeMap::new();
    for host in estate.hosts() {
        let Ok(Some(instance)) = instance_of(host) else { continue };
        if let Some(Link::Found(role)) = instance.role() {
            found.entry(role.index()).or_insert_with(|| HostRole { role, hosts: Vec::new() }).hosts.push(host);
        }
    }
    found.into_values().collect()
}

/// A role and the nodes of EKS clusters that run with it.
pub(crate) struct NodeRole<'e> {
    pub(crate) role: Node<'e, Role>,
    /// ARNs of node groups, and of instances that belong to none, in order.
    pub(crate) nodes: BTreeSet<String>,
    /// The clusters, in order of their ARNs.
    pub(crate) clusters: BTreeMap<&'e str, Node<'e, Cluster>>,
}

/// Roles of node groups that are up, of other nodes, and of EKS Auto Mode.
pub(crate) fn node_roles<'e>(estate: &'e Estate<'e>) -> Vec<NodeRole<'e>> {
    let mut found: BTreeMap<u32, NodeRole<'e>> = BTreeMap::new();
    let mut add = |link: Option<Link<'e, Role>>, node: String, cluster: Node<'e, Cluster>| {
        let Some(Link::Found(role)) = link else { return };
        let of_role = found.entry(role.index()).or_insert_with(|| NodeRole { role, nodes: BTreeSet::new(), clusters: BTreeMap::new() });
        of_role.nodes.insert(node);
        of_role.clusters.insert(cluster.data().arn.as_str(), cluster);
    };
    for cluster in estate.eks_clusters() {
        for group in cluster.nodegroups().filter(|group| matches!(group.status.as_str(), "ACTIVE" | "UPDATING" | "DEGRADED")) {
            let role = group.data().node_role.as_deref().map(|role| estate.role(group.account(), role));
            add(role, group.data().nodegroup_arn.clone(), cluster);
        }
        let compute = cluster.data().compute_config.as_ref().and_then(|compute| compute.node_role_arn.as_deref());
        add(compute.map(|role| estate.role(cluster.account(), role)), cluster.data().arn.clone(), cluster);
    }
    for node in estate.all::<Cluster>().flat_map(Node::<'e, Cluster>::nodes) {
        let cluster = node.eks_cluster().filter(|cluster| cluster.is_up());
        // Of a managed node group the group told.
        if let Some(cluster) = cluster.filter(|_| node.node_kind() != plimsoll_graph::NodeKind::Managed) {
            add(node.role(), node.arn().into_owned(), cluster);
        }
    }
    found.into_values().collect()
}

/// Roles that service accounts of EKS take.
pub(crate) fn service_account_roles<'e>(estate: &'e Estate<'e>) -> Vec<Node<'e, Role>> {
    if estate.eks_clusters().next().is_none() {
        return Vec::new();
    }
    let takes = |role: &Node<'e, Role>| match role.service_accounts() {
        Ok(accounts) => !accounts.is_empty(),
        Err(_) => role.associated_service_accounts().next().is_some(),
    };
    estate.all::<Role>().filter(takes).collect()
}

/// Every role that containers or what they run on have, with what it is to them.
pub(crate) struct Runtime<'e>(BTreeMap<u32, (Node<'e, Role>, Vec<&'static str>)>);

impl<'e> Runtime<'e> {
    /// Roles of tasks, of service accounts and of nodes.
    pub(crate) fn without_hosts(estate: &'e Estate<'e>) -> Self {
        let tasks = task_roles(estate).into_iter().map(|one| (one.role, "task role"));
        let execution = execution_roles(estate).into_iter().map(|one| (one.role, "execution role"));
        let nodes = node_roles(estate).into_iter().map(|one| (one.role, "node role"));
        let accounts = service_account_roles(estate).into_iter().map(|role| (role, "service account role"));
        let mut found = Self(BTreeMap::new());
        found.add(tasks.chain(execution).chain(nodes).chain(accounts));
        found
    }

    /// The same with those of container hosts.
    pub(crate) fn of(estate: &'e Estate<'e>) -> Self {
        let mut found = Self::without_hosts(estate);
        found.add(host_roles(estate).into_iter().map(|one| (one.role, "instance role")));
        found
    }

    fn add(&mut self, roles: impl Iterator<Item = (Node<'e, Role>, &'static str)>) {
        for (role, used_as) in roles {
            let (_, uses) = self.0.entry(role.index()).or_insert_with(|| (role, Vec::new()));
            uses.push(used_as);
        }
    }

    /// The roles in the order of the inventory.
    pub(crate) fn roles(&self) -> impl Iterator<Item = (Node<'e, Role>, &[&'static str])> {
        self.0.values().map(|(role, uses)| (*role, uses.as_slice()))
    }
}

/// The ARN of a role's permissions boundary, for evidence.
pub(crate) fn boundary(role: Node<'_, Role>) -> Option<&str> {
    role.data().permissions_boundary.as_ref()?.permissions_boundary_arn.as_deref()
}

#[cfg(test)]
pub(crate) mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, policy};
    use plimsoll_model::Seen;
    use plimsoll_model::aws::iam::{PolicyDetail, Role};
    use plimsoll_model::aws::organizations::Account;
    use serde_json::{Value, json};

    /// An account of no organization: nothing but its own policies binds its roles.
    pub(crate) fn alone(account: Fixture) -> Fixture {
        let own = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        account.global_resource(own)
    }

    /// A change that adds inline policy `access` with these statements to a role.
    pub(crate) fn grants(name: &str, statement: Value) -> impl Fn(&mut Role) + use<> {
        let name = name.to_owned();
        let mut document = json!({"Version": "2012-10-17"});
        document["Statement"] = statement;
        let document = policy(document);
        move |role| {
            if role.role_name == name {
                role.role_policy_list.push(PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(document.clone()) });
            }
        }
    }
}
