//! Readings of resources that several checks share.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::{Value, json};

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
pub(crate) fn containers_where<'e>(definition: Node<'e, TaskDefinition>, test: impl Fn(&ContainerDefinition) -> bool) -> Vec<&'e str> {
    definition.data().container_definitions.iter().filter(|container| test(container)).map(|container| container.name.as_str()).collect()
}

/// Services and tasks that use a revision, for evidence: at most ten of each, with the count.
pub(crate) fn users(definition: Node<'_, TaskDefinition>) -> Value {
    let services: Vec<&str> = definition.services().take(10).map(|service| service.data().service_arn.as_str()).collect();
    let tasks: Vec<&str> = definition.tasks().take(10).map(|task| task.data().task_arn.as_str()).collect();
    json!({"services": services, "serviceCount": definition.services().count(), "tasks": tasks, "taskCount": definition.tasks().count()})
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
