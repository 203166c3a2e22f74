//! Reads the isolation tags of the ACTIVE services of each cluster, and which of their tasks share a host. Yields one
//! verdict per ACTIVE cluster; a failure names the services by the value of their tag and the hosts that they share.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::{Cluster, PlacementConstraint, Service};
use plimsoll_model::{AccountId, PathStep, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-mixed-isolation-workloads",
    title: "Strictly isolated and ordinary services share a cluster",
    severity: Severity::Medium,
    resource: "AWS::ECS::Cluster",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
    ],
    // Tasks and their hosts tell severity.
    shades: &["ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"],
    compliance: &[nist("SC-7"), nist("AC-4"), pci("1.2.5?")],
    fails_when: "Within one cluster, ACTIVE services carry different values of the isolation tag (default key data-class \
                 or isolation; strict values: restricted, pci, phi) and at least one is strict. High when their tasks \
                 share an EC2 container instance without placementConstraints that keep them apart, or when the \
                 non-strict service on that instance is internet-exposed.",
    why: "A cluster is one boundary of permissions, capacity and hosts: who breaks out of the ordinary service stands \
          beside the data that was to be kept apart.",
    remediation: Remediation {
        text: "Move services with strict requirements to their own cluster.",
        cli: "aws ecs create-cluster --cluster-name STRICT && aws ecs create-service --cluster STRICT --cli-input-json \
             file://service.json",
    },
    evaluate,
};

/// Services and hosts that evidence lists.
const SHOWN: usize = 20;

/// A host that runs tasks of a strict service and of one with another value.
struct SharedHost<'e> {
    container_instance_arn: &'e str,
    strict: Node<'e, Service>,
    other: Node<'e, Service>,
    /// Whether a placement constraint keeps new tasks of the two apart.
    is_kept_apart: bool,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let strict: BTreeSet<&AccountId> = estate.active_services().filter(Node::is_strict).map(|service| service.account()).collect();
    verdicts.each(
        estate.active_clusters(),
        |cluster| {
            if strict.contains(cluster.account()) { judge(cluster) } else { Ok(Verdict::NotApplicable) }
        },
    );
}

/// The value of a service's isolation tag in one spelling. A service without one is ordinary, which is a value too.
fn value(service: Node<'_, Service>) -> String {
    service.isolation().unwrap_or_default().to_lowercase()
}

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let services: Vec<Node<'_, Service>> = cluster.services().filter(|service| service.status == "ACTIVE").collect();
    if !services.iter().any(Node::is_strict) {
        return Ok(Verdict::Pass);
    }
    let mut values: BTreeMap<String, Vec<Node<'_, Service>>> = BTreeMap::new();
    for &service in &services {
        values.entry(value(service)).or_default().push(service);
    }
    if values.len() < 2 {
        return Ok(Verdict::Pass);
    }
    let hosts = shared_hosts(&services);
    let gravest = hosts.iter().find(|host| is_grave(host)).or(hosts.first());
    let severity = if gravest.is_some_and(is_grave) { Severity::High } else { Severity::Medium };
    let told: Vec<String> = values
        .iter()
        .map(|(value, services)| {
            let names: Vec<&str> = services.iter().map(Node::name).collect();
            format!("{} ({})", listed(&names), if value.is_empty() { "no isolation tag" } else { value })
        })
        .collect();
    let on_host = gravest.map_or_else(String::new, |host| {
        let instance = host.container_instance_arn.rsplit('/').next().unwrap_or_default();
        format!("; tasks of {} and {} share container instance {instance}", host.strict.name(), host.other.name())
    });
    let evidence = json!({
        "services": services_evidence(&values),
        "serviceCount": services.len(),
        "sharedHosts": hosts.iter().take(SHOWN).map(|host| host_evidence(cluster, host)).collect::<Vec<_>>(),
        "sharedHostCount": hosts.len(),
    });
    let message = format!("cluster {} runs services of different isolation: {}{on_host}", cluster.name(), listed(&told));
    let path = gravest.map(|host| {
        vec![
            PathStep { arn: host.other.arn().into_owned(), via: "its task runs on the host".to_owned() },
            PathStep { arn: host.container_instance_arn.to_owned(), via: "runs a task of the strict service too".to_owned() },
            PathStep { arn: host.strict.arn().into_owned(), via: "strict isolation".to_owned() },
        ]
    });
    fail(message, evidence).severity(severity).path(path.unwrap_or_default()).verdict()
}

/// Whether sharing this host makes the failure High: nothing keeps the two services apart, or the internet reaches the
/// other one.
fn is_grave(host: &SharedHost<'_>) -> bool {
    !host.is_kept_apart || host.other.estate().internet_reaches(Service::KIND, host.other.index()) == Some(Some(true))
}

/// The hosts that a strict service shares with one of another value, each with the pair that weighs most.
fn shared_hosts<'e>(services: &[Node<'e, Service>]) -> Vec<SharedHost<'e>> {
    let mut on_host: BTreeMap<&'e str, Vec<Node<'e, Service>>> = BTreeMap::new();
    for &service in services {
        for task in service.tasks().filter(|task| task.data().last_status == "RUNNING") {
            let Some(arn) = task.data().container_instance_arn.as_deref() else { continue };
            let running = on_host.entry(arn).or_default();
            if running.last() != Some(&service) {
                running.push(service);
            }
        }
    }
    on_host.into_iter().filter_map(|(arn, services)| shared_host(arn, &services)).collect()
}

fn shared_host<'e>(container_instance_arn: &'e str, services: &[Node<'e, Service>]) -> Option<SharedHost<'e>> {
    let mut kept_apart = None;
    for &strict in services.iter().filter(|service| service.is_strict()) {
        for &other in services.iter().filter(|&&other| value(other) != value(strict)) {
            let host = SharedHost { container_instance_arn, strict, other, is_kept_apart: is_kept_apart(strict, other) };
            if is_grave(&host) {
                return Some(host);
            }
            kept_apart = kept_apart.or(Some(host));
        }
    }
    kept_apart
}

/// Whether placement constraints keep new tasks of two services off each other's hosts: one refuses hosts with tasks of the
/// other, or both ask for different values of one attribute.
fn is_kept_apart(one: Node<'_, Service>, other: Node<'_, Service>) -> bool {
    refuses(one.data(), other.data()) || refuses(other.data(), one.data()) || {
        let asked = |service: &'_ Service| expressions(service).filter_map(attribute).map(owned).collect::<Vec<_>>();
        let others = asked(other.data());
        asked(one.data()).iter().any(|(key, equal, value)| {
            let differ = |(theirs, is, wanted): &(String, bool, String)| {
                theirs == key && if *equal && *is { value != wanted } else { (*equal || *is) && value == wanted }
            };
            others.iter().any(differ)
        })
    }
}

fn owned((key, equal, value): (&str, bool, &str)) -> (String, bool, String) {
    (key.to_owned(), equal, value.to_owned())
}

fn expressions(service: &Service) -> impl Iterator<Item = &str> {
    let member_of = service.placement_constraints.iter().filter(|constraint: &&PlacementConstraint| constraint.kind == "memberOf");
    member_of.filter_map(|constraint| constraint.expression.as_deref())
}

/// Whether a service asks for hosts without tasks of another, such as by `not(task:group == service:web)`.
fn refuses(service: &Service, other: &Service) -> bool {
    let group = format!("service:{}", other.service_name);
    let names = |expression: &str| {
        let mut words = expression.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | '!' | '='));
        words.any(|word| word == group)
    };
    expressions(service).any(|expression| {
        let negates = expression.contains("!=") || expression.contains("not_in") || expression.trim_start().starts_with(['!', 'n']);
        expression.contains("task:group") && !expression.contains("||") && negates && names(expression)
    })
}

/// Key, whether equal, and value of an expression that is nothing but a comparison of one attribute.
fn attribute(expression: &str) -> Option<(&str, bool, &str)> {
    let words: Vec<&str> = expression.split_whitespace().collect();
    match words.as_slice() {
        [key, operator @ ("==" | "equals" | "!=" | "not_equals"), value] if key.starts_with("attribute:") => {
            Some((*key, matches!(*operator, "==" | "equals"), *value))
        }
        _ => None,
    }
}

fn services_evidence(values: &BTreeMap<String, Vec<Node<'_, Service>>>) -> Value {
    let all = values.values().flatten();
    all.take(SHOWN).map(|service| json!({"serviceArn": service.service_arn, "isolation": service.isolation()})).collect()
}

fn host_evidence(cluster: Node<'_, Cluster>, host: &SharedHost<'_>) -> Value {
    let registered = cluster.container_instances().find(|one| one.container_instance_arn == host.container_instance_arn);
    let constraints = |service: Node<'_, Service>| json!(service.data().placement_constraints);
    json!({
        "containerInstanceArn": host.container_instance_arn,
        "ec2InstanceId": registered.and_then(|one| one.data().ec2_instance_id.as_deref()),
        "strictService": host.strict.service_arn,
        "otherService": host.other.service_arn,
        "placementConstraints": {"strictService": constraints(host.strict), "otherService": constraints(host.other)},
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{PlacementConstraint, Service, Task};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn tagged(value: &'static str) -> impl Fn(&mut Service) {
        move |service| match service.tags.iter().position(|tag| tag.key == "data-class") {
            Some(at) if value.is_empty() => drop(service.tags.remove(at)),
            Some(at) => service.tags[at].value = value.to_owned(),
            None => {}
        }
    }

    /// Cluster `shop` with services `pay` and `web`, whose isolation tags have these values.
    fn services(pay: &'static str, web: &'static str) -> Fixture {
        fixture().cluster("shop", |_| {}).service("shop", "pay", tagged(pay)).service("shop", "web", tagged(web))
    }

    fn on_host(account: Fixture, pay: &'static str, web: &'static str) -> Fixture {
        let host = |name: &'static str| {
            move |task: &mut Task| {
                task.container_instance_arn = Some(arn("ecs", &format!("container-instance/shop/{name}")));
                task.launch_type = Some("EC2".to_owned());
            }
        };
        account.task("shop", "pay", "p1", host(pay)).task("shop", "web", "w1", host(web)).container_instance("shop", "h1", |_| {})
    }

    fn constrained(name: &'static str, expression: &'static str) -> impl Fn(&mut Service) {
        let constraint = PlacementConstraint { kind: "memberOf".to_owned(), expression: Some(expression.to_owned()) };
        move |service| {
            if service.service_name == name {
                service.placement_constraints = vec![constraint.clone()];
            }
        }
    }

    #[test]
    fn fails_when_a_strict_service_has_neighbours_of_another_value() {
        let found = findings(&CHECK, services("pci", "internal"));
        assert_eq!(found[0].message, "cluster shop runs services of different isolation: web (internal) and pay (pci)");
        for other in ["internal", "phi", ""] {
            assert_eq!(outcome(&CHECK, services("PCI", other)), Fail(Severity::Medium), "{other}");
        }
    }

    #[test]
    fn weighs_more_when_their_tasks_share_a_host() {
        let account = on_host(services("pci", "internal"), "h1", "h1");
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::High));
        let found = findings(&CHECK, account);
        assert_eq!(found[0].evidence["sharedHosts"][0]["ec2InstanceId"], "i-h1");
        assert_eq!(found[0].path.len(), 3);
        assert_eq!(outcome(&CHECK, on_host(services("pci", "internal"), "h1", "h2")), Fail(Severity::Medium));
        let unread = services("pci", "internal").denied("ecs:ListTasks");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Medium));
    }

    #[test]
    fn constraints_that_keep_them_apart_weigh_as_if_they_shared_nothing() {
        let shared = || on_host(services("pci", "internal"), "h1", "h1");
        for apart in [
            "not(task:group == service:web)",
            "task:group != service:web",
            "!(task:group == service:web)",
            "task:group not_in [service:web, service:x]",
        ] {
            assert_eq!(outcome(&CHECK, shared().each(constrained("pay", apart))), Fail(Severity::Medium), "{apart}");
        }
        for not_apart in ["task:group == service:web", "task:group != service:website", "attribute:ecs.os-type == linux"] {
            assert_eq!(outcome(&CHECK, shared().each(constrained("pay", not_apart))), Fail(Severity::High), "{not_apart}");
        }
        let ask = |pay, web| outcome(&CHECK, shared().each(constrained("pay", pay)).each(constrained("web", web)));
        assert_eq!(ask("attribute:pool == strict", "attribute:pool == open"), Fail(Severity::Medium));
        assert_eq!(ask("attribute:pool == strict", "attribute:pool != strict"), Fail(Severity::Medium));
        assert_eq!(ask("attribute:pool == strict", "attribute:pool == strict"), Fail(Severity::High));
        assert_eq!(ask("attribute:pool == strict", "attribute:pool != open"), Fail(Severity::High));
    }

    #[test]
    fn a_neighbour_that_the_internet_reaches_weighs_more_however_it_is_kept_apart() {
        let apart = || {
            on_host(services("pci", "internal"), "h1", "h1")
                .network()
                .security_group("app", |_| {})
                .interface("w1", |_| {})
                .task_definition("web", |_| {})
                .each(constrained("pay", "task:group != service:web"))
        };
        assert_eq!(outcome(&CHECK, apart()), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, apart().facing_internet(8080)), Fail(Severity::High));
    }

    #[test]
    fn passes_when_a_cluster_has_one_value_only() {
        assert_eq!(outcome(&CHECK, services("pci", "PCI")), Pass);
        let apart = fixture().cluster("shop", |_| {}).cluster("open", |_| {});
        assert_eq!(outcome(&CHECK, apart.service("shop", "pay", tagged("pci")).service("open", "web", tagged("internal"))), Pass);
        let gone = services("pci", "internal").each(|service: &mut Service| {
            if service.service_name == "web" {
                service.status = "INACTIVE".to_owned();
            }
        });
        assert_eq!(outcome(&CHECK, gone), Pass);
    }

    #[test]
    fn does_not_apply_where_no_service_is_strict() {
        assert_eq!(outcome(&CHECK, services("internal", "public")), NotApplicable);
    }

    #[test]
    fn is_unknown_when_services_were_not_readable() {
        assert_eq!(outcome(&CHECK, services("pci", "pci").denied("ecs:DescribeServices")), Unknown);
    }
}
