//! Reads which services get the same security group, their isolation tag, cluster and load balancers, and the ports of
//! their definitions. Yields one verdict per ACTIVE service with awsvpc tasks; a failure names the neighbours.

use plimsoll_graph::{Estate, Link, Node, Unknown};
use plimsoll_model::aws::ec2::SecurityGroup;
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::{PathStep, Severity};
use rustc_hash::FxHashMap;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-security-group-shared",
    title: "Services of different owners or data classes share one security group",
    severity: Severity::Low,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeVpcBlockPublicAccessOptions",
    ],
    // Groups and definitions are asked for services with a neighbour of another kind only, the rest tells exposure.
    shades: &[
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeVpcBlockPublicAccessOptions",
    ],
    compliance: &[nist("SC-7(21)?"), nist("AC-4")],
    fails_when: "The same security group is on task ENIs of two or more services that differ in isolation tag, cluster or \
                 load balancer exposure, and the group has a self-referencing ingress rule or both need different rules. \
                 Medium when one service is internet-exposed and the other holds a strict tag.",
    why: "A shared group admits to each service what any of them needs: who breaks into the exposed one gets to the \
          ports of the protected one unhindered.",
    remediation: Remediation {
        text: "Give each service its own security group and connect them by reference.",
        cli: "aws ec2 create-security-group --group-name SERVICE --description SERVICE --vpc-id VPC",
    },
    evaluate,
};

/// Neighbours that evidence lists.
const SHOWN: usize = 10;
/// Neighbours that the message names.
const NAMED: usize = 5;

/// What must be equal for services to share a group without harm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Kind<'e> {
    isolation: Option<&'e str>,
    is_strict: bool,
    cluster: &'e str,
    is_behind_load_balancer: bool,
}

impl Kind<'_> {
    fn of(service: Node<'_, Service>) -> Kind<'_> {
        Kind {
            isolation: service.isolation(),
            is_strict: service.is_strict(),
            cluster: &service.data().cluster_arn,
            is_behind_load_balancer: !service.data().load_balancers.is_empty(),
        }
    }
}

/// Services of one kind and with one set of ports that share a group; the ports are unknown when a definition is.
struct Class<'e> {
    kind: Kind<'e>,
    ports: Result<Vec<String>, Unknown>,
    members: Vec<Node<'e, Service>>,
    /// Whether the internet reaches one of them; looked for only where the group is on a strict service too.
    is_exposed: bool,
}

/// A group on services of different kinds.
struct Shared<'e> {
    id: String,
    admits_itself: Result<bool, Unknown>,
    classes: Vec<Class<'e>>,
}

/// The groups that each service shares with services of another kind, by the service's position.
type Sharing<'e> = FxHashMap<u32, Vec<(&'e Shared<'e>, &'e Class<'e>)>>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let shared = shared_groups(estate);
    let mut sharing: Sharing<'_> = FxHashMap::default();
    for group in &shared {
        for class in &group.classes {
            for member in &class.members {
                sharing.entry(member.index()).or_default().push((group, class));
            }
        }
    }
    for service in estate.active_services() {
        verdicts.judge(service, judge(service, sharing.get(&service.index()).map(Vec::as_slice).unwrap_or_default()));
    }
}

fn shared_groups<'e>(estate: &'e Estate<'e>) -> Vec<Shared<'e>> {
    let mut positions: FxHashMap<String, usize> = FxHashMap::default();
    let mut groups: Vec<(Link<'e, SecurityGroup>, Vec<Node<'e, Service>>)> = Vec::new();
    for service in estate.active_services() {
        for link in service.effective_security_groups() {
            let id = match &link {
                Link::Found(group) => group.group_id.clone(),
                Link::Missing(missing) if missing.is_not_found() => continue,
                Link::Missing(missing) => missing.reference().to_owned(),
            };
            let position = *positions.entry(id).or_insert(groups.len());
            match groups.get_mut(position) {
                Some((_, services)) if services.last() == Some(&service) => {}
                Some((_, services)) => services.push(service),
                None => groups.push((link, vec![service])),
            }
        }
    }
    groups.into_iter().filter_map(|(link, services)| shared_group(link, services)).collect()
}

/// The group with its services by class; `None` when all are of one kind.
fn shared_group<'e>(link: Link<'e, SecurityGroup>, services: Vec<Node<'e, Service>>) -> Option<Shared<'e>> {
    let first = Kind::of(*services.first()?);
    if services.iter().all(|&service| Kind::of(service) == first) {
        return None;
    }
    let mut positions = FxHashMap::default();
    let mut classes: Vec<Class<'e>> = Vec::new();
    for service in services {
        let (kind, ports) = (Kind::of(service), ports(service));
        let position = *positions.entry((kind, ports.as_ref().ok().cloned())).or_insert(classes.len());
        match classes.get_mut(position) {
            Some(class) => class.members.push(service),
            None => classes.push(Class { kind, ports, members: vec![service], is_exposed: false }),
        }
    }
    if classes.iter().any(|class| class.kind.is_strict) {
        for class in &mut classes {
            class.is_exposed = class.members.iter().any(|&member| is_exposed(member));
        }
    }
    let id = match &link {
        Link::Found(group) => group.group_id.clone(),
        Link::Missing(missing) => missing.reference().to_owned(),
    };
    Some(Shared { id, admits_itself: link.known().map(|group| admits_itself(group.data())), classes })
}

fn admits_itself(group: &SecurityGroup) -> bool {
    let mut sources = group.ip_permissions.iter().flat_map(|rule| &rule.user_id_group_pairs);
    sources.any(|pair| pair.group_id.as_deref() == Some(&group.group_id))
}

/// The ports that its containers open, over all live definitions.
fn ports(service: Node<'_, Service>) -> Result<Vec<String>, Unknown> {
    let mut ports = Vec::new();
    for link in service.task_definitions() {
        let definition = link.known()?.data();
        for mapping in definition.container_definitions.iter().flat_map(|container| &container.port_mappings) {
            let range = mapping.container_port_range.clone().or_else(|| Some(mapping.container_port?.to_string()));
            ports.extend(range.map(|range| format!("{range}/{}", mapping.protocol.as_deref().unwrap_or("tcp"))));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

fn judge<'e>(service: Node<'e, Service>, sharing: &[(&'e Shared<'e>, &'e Class<'e>)]) -> Judgement {
    if sharing.is_empty() && service.awsvpc_configurations().is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let mut gap = None;
    for &(group, own) in sharing {
        let mut harmful = Vec::new();
        for other in group.classes.iter().filter(|class| class.kind != own.kind) {
            match is_harmful(group, own, other) {
                Ok(true) => harmful.push(other),
                Ok(false) => {}
                Err(unknown) => gap = Some(unknown.clone()),
            }
        }
        if !harmful.is_empty() {
            return failure(service, group, own, &harmful);
        }
    }
    gap.map_or(Ok(Verdict::Pass), Err)
}

/// Whether the group opens to one of the classes what only the other needs.
fn is_harmful<'s>(group: &'s Shared<'_>, own: &'s Class<'_>, other: &'s Class<'_>) -> Result<bool, &'s Unknown> {
    // A load balancer needs a rule of its own.
    if own.kind.is_behind_load_balancer != other.kind.is_behind_load_balancer || group.admits_itself == Ok(true) {
        return Ok(true);
    }
    match (&own.ports, &other.ports, &group.admits_itself) {
        (Ok(own), Ok(other), _) if own != other => Ok(true),
        (Err(unknown), _, _) | (_, Err(unknown), _) | (_, _, Err(unknown)) => Err(unknown),
        _ => Ok(false),
    }
}

fn failure<'e>(service: Node<'e, Service>, group: &Shared<'e>, own: &Class<'e>, harmful: &[&Class<'e>]) -> Judgement {
    let others = || harmful.iter().flat_map(|class| class.members.iter().copied());
    let count: usize = harmful.iter().map(|class| class.members.len()).sum();
    let names: Vec<&str> = others().take(NAMED).map(|other| other.name()).collect();
    let told = if count > names.len() { format!("{} and {} more", names.join(", "), count - names.len()) } else { listed(&names) };
    let is_severe = harmful.iter().any(|other| own.kind.is_strict && other.is_exposed)
        || own.is_exposed && harmful.iter().any(|other| other.kind.is_strict) && is_exposed(service);
    let neighbours: Vec<_> = others()
        .take(SHOWN)
        .map(|other| {
            let kind = Kind::of(other);
            json!({"service": other.service_arn, "isolation": kind.isolation, "isBehindLoadBalancer": kind.is_behind_load_balancer})
        })
        .collect();
    let evidence = json!({
        "GroupId": group.id,
        "selfReferencingRule": group.admits_itself.as_ref().ok(),
        "isolation": own.kind.isolation,
        "isBehindLoadBalancer": own.kind.is_behind_load_balancer,
        "services": neighbours,
        "serviceCount": count,
    });
    let mut path = vec![PathStep { arn: service.arn().into_owned(), via: format!("security group {}", group.id) }];
    path.extend(others().next().map(|other| PathStep { arn: other.arn().into_owned(), via: "the same security group".to_owned() }));
    let message = format!(
        "{} shares security group {} with {}, which differ{} in isolation tag, cluster or load balancer",
        service.name(),
        group.id,
        told,
        if count == 1 { "s" } else { "" },
    );
    let severity = if is_severe { Severity::Medium } else { Severity::Low };
    fail(message, evidence).severity(severity).path(path).verdict()
}

/// Whether its tasks have public addresses that the internet reaches. What a load balancer exposes is not read yet.
fn is_exposed(service: Node<'_, Service>) -> bool {
    service.awsvpc_configurations().iter().any(|configuration| configuration.assign_public_ip.as_deref() == Some("ENABLED"))
        && service.subnets().into_iter().filter_map(Link::found).any(|subnet| subnet.is_reachable_from_internet().is_ok_and(|yes| yes))
        && service.effective_security_groups().into_iter().filter_map(Link::found).any(|group| group.admits_internet().is_ok_and(|yes| yes))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, awsvpc, fixture, rule};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// Services `web` and `api` of one cluster in one group; `change` is applied to `web`.
    fn pair(change: impl Fn(&mut ecs::Service)) -> Fixture {
        let together = |service: &mut ecs::Service| {
            service.network_configuration = Some(awsvpc("a", "both"));
            service.deployments[0].network_configuration = None;
        };
        fixture()
            .network()
            .cluster("shop", |_| {})
            .task_definition("web", |_| {})
            .task_definition("api", |_| {})
            .security_group("both", |_| {})
            .service("shop", "api", together)
            .service("shop", "web", |service| {
                together(service);
                change(service);
            })
    }

    fn tagged(value: &'static str) -> impl Fn(&mut ecs::Service) {
        move |service| service.tags.iter_mut().find(|tag| tag.key == "data-class").unwrap().value = value.to_owned()
    }

    fn admit_itself(group: &mut ec2::SecurityGroup) {
        let own = ec2::UserIdGroupPair { group_id: Some(group.group_id.clone()), ..Default::default() };
        group.ip_permissions.push(ec2::IpPermission { ip_protocol: "-1".to_owned(), user_id_group_pairs: vec![own], ..Default::default() });
    }

    fn on_port(port: i32) -> impl Fn(&mut ecs::TaskDefinition) {
        move |definition| {
            if definition.family == "web" {
                definition.container_definitions[0].port_mappings[0].container_port = Some(port);
            }
        }
    }

    #[test]
    fn fails_when_services_of_different_classes_share_a_group_that_admits_itself() {
        let account = pair(tagged("public")).each(admit_itself);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let found = findings(&CHECK, account);
        assert_eq!(found.iter().map(|finding| finding.resource.name.as_str()).collect::<Vec<_>>(), ["api", "web"]);
    }

    #[test]
    fn fails_when_services_of_different_classes_need_different_ports() {
        assert_eq!(outcome(&CHECK, pair(tagged("public")).each(on_port(9000))), Fail(Severity::Low));
    }

    #[test]
    fn fails_when_only_one_of_them_is_behind_a_load_balancer() {
        let account = pair(|service| service.load_balancers.push(ecs::LoadBalancer::default()));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let unread = account.without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Low));
    }

    #[test]
    fn weighs_more_when_one_is_exposed_and_the_other_strict() {
        let exposed = |service: &mut ecs::Service| {
            tagged("public")(service);
            service.network_configuration.as_mut().unwrap().awsvpc_configuration.as_mut().unwrap().assign_public_ip =
                Some("ENABLED".to_owned());
        };
        let account = pair(exposed).each(admit_itself).each(|service: &mut ecs::Service| {
            if service.service_name == "api" {
                tagged("PCI")(service);
            }
        });
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let gateway =
            ec2::Route { destination_cidr_block: Some("0.0.0.0/0".to_owned()), gateway_id: Some("igw-1".to_owned()), ..Default::default() };
        let account = account
            .each(|table: &mut ec2::RouteTable| table.routes.push(gateway.clone()))
            .each(|group: &mut ec2::SecurityGroup| group.ip_permissions.push(rule("tcp", 443, "0.0.0.0/0")));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert!(findings(&CHECK, account).iter().all(|finding| finding.severity == Severity::Medium));
    }

    #[test]
    fn passes_when_services_of_one_kind_share_a_group() {
        assert_eq!(outcome(&CHECK, pair(|_| {}).each(admit_itself).each(on_port(9000))), Pass);
    }

    #[test]
    fn passes_when_nothing_but_the_tag_differs() {
        assert_eq!(outcome(&CHECK, pair(tagged("public"))), Pass);
        let ended = pair(|service| {
            tagged("public")(service);
            service.status = "DRAINING".to_owned();
        });
        assert_eq!(outcome(&CHECK, ended.each(admit_itself)), Pass);
    }

    #[test]
    fn does_not_apply_without_awsvpc() {
        let bridge = |service: &mut ecs::Service| {
            service.network_configuration = None;
            service.deployments.clear();
        };
        assert_eq!(outcome(&CHECK, fixture().shop().each(bridge)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_group_or_a_definition_was_not_readable() {
        let differ = || pair(tagged("public"));
        assert_eq!(outcome(&CHECK, differ().without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        assert_eq!(outcome(&CHECK, differ().without::<ecs::TaskDefinition>().denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn the_configuration_names_the_isolation_tag() {
        let account = pair(tagged("public")).each(admit_itself);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.isolation_tags = vec!["zone".to_owned()])), Pass);
    }
}
