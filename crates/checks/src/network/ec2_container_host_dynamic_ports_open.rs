//! Reads the tasks of a host that listen on ports which the host gives out, and what the host's security groups admit to
//! such ports. Yields one verdict per EC2 instance under a container instance; a failure shows the rules that name other
//! sources than a load balancer in front of containers.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use plimsoll_graph::{Estate, Node, Openings, Unknown};
use plimsoll_model::aws::ec2::{Instance, UserIdGroupPair};
use plimsoll_model::aws::ecs::{ContainerInstance, Task};
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::{AccountId, Gap, PathStep, Resource, Severity};
use rustc_hash::FxHashMap;
use serde_json::json;

use crate::admission::{Admission, Admitting, existing, groups_listed, host_groups, rules_evidence, sources_listed};
use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{instance_of, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-dynamic-ports-open",
    title: "Container host opens the dynamic port range beyond its load balancer",
    severity: Severity::Medium,
    resource: "AWS::EC2::Instance",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTasks",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetHealth",
    ],
    // Each is asked for some hosts only, whose verdict alone is unknown without it: definitions for tasks without an
    // interface of their own, services and load balancers for rules that name a group, lists for rules that name one.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetHealth",
    ],
    compliance: &[nist("SC-7"), cis_docker("5.9?"), pci("1.3.1?")],
    fails_when: "The host runs bridge tasks with hostPort 0 or absent and its security group allows all or part of \
                 32768-65535 (or 49153-65535) from a source that is not the load balancer security group. 0.0.0.0/0 is \
                 high.",
    why: "Every task on the host takes its turn in that range: a rule for one of them lets its sources connect to all, \
          past the load balancer and whatever that asks of clients.",
    remediation: Remediation {
        text: "Allow the range only from the security group of the load balancer, or move to awsvpc.",
        cli: "aws ec2 revoke-security-group-ingress --group-id SG --security-group-rule-ids SGR",
    },
    evaluate,
};

/// The ports that the kernel, and Docker where that tells none, give out.
const DYNAMIC: RangeInclusive<u16> = 32_768..=65_535;
/// Tasks that evidence lists.
const SHOWN: usize = 10;

/// Load balancers by the ids of their security groups.
type Balancers<'e> = FxHashMap<&'e str, Vec<Node<'e, LoadBalancer>>>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut balancers = Balancers::default();
    for balancer in estate.all::<LoadBalancer>() {
        for group in &balancer.data().security_groups {
            balancers.entry(group.as_str()).or_default().push(balancer);
        }
    }
    for host in estate.host_instances() {
        // Instances that could not be read are the listing's to report.
        let Some(instance) = host.instance.found() else { continue };
        let judgement = match instance_of(host.container_instance) {
            Ok(Some(instance)) => judge(instance, &balancers),
            Ok(None) => Ok(Verdict::NotApplicable),
            Err(unknown) => Err(unknown),
        };
        verdicts.judge(instance, judgement);
    }
}

/// Tasks with ports that the host gives out.
#[derive(Default)]
struct Listening<'e> {
    tasks: Vec<Node<'e, Task>>,
    protocols: BTreeSet<&'e str>,
    /// A definition that was not read.
    unread: Option<Unknown>,
}

impl<'e> Listening<'e> {
    fn on(instance: Node<'e, Instance>) -> Self {
        let mut listening = Self::default();
        let tasks = instance.container_instances().flat_map(Node::<'e, ContainerInstance>::tasks);
        for task in tasks.filter(|task| task.data().last_status != "STOPPED") {
            match dynamic_protocols(task) {
                Ok(protocols) if protocols.is_empty() => {}
                Ok(protocols) => {
                    listening.tasks.push(task);
                    listening.protocols.extend(protocols);
                }
                Err(unknown) => listening.unread = Some(unknown),
            }
        }
        listening
    }
}

/// The protocols in which a task listens on ports that its host gives out.
fn dynamic_protocols(task: Node<'_, Task>) -> Result<BTreeSet<&str>, Unknown> {
    if task.has_own_interface() {
        return Ok(BTreeSet::new());
    }
    let definition = task.task_definition().known()?.data();
    // Without a mode it is bridge, or what Windows has in its place.
    if !matches!(definition.network_mode.as_deref(), None | Some("bridge")) {
        return Ok(BTreeSet::new());
    }
    let mappings = definition.container_definitions.iter().flat_map(|container| &container.port_mappings);
    let dynamic = mappings.filter(|mapping| matches!(mapping.host_port, None | Some(0)));
    Ok(dynamic.map(|mapping| mapping.protocol.as_deref().unwrap_or("tcp")).collect())
}

fn judge(instance: Node<'_, Instance>, balancers: &Balancers<'_>) -> Judgement {
    let listening = Listening::on(instance);
    if listening.tasks.is_empty() {
        return listening.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let (links, gap) = host_groups(instance);
    let protocols: Vec<&str> = listening.protocols.iter().copied().collect();
    let mut admission = Admission::new(links.iter().cloned(), &protocols, &[DYNAMIC]);
    let mut unread = admission.unread.take().or(gap).or(listening.unread.clone());
    let mut found: Vec<(Admitting<'_>, Vec<&UserIdGroupPair>)> = Vec::new();
    for rule in admission.rules {
        let mut others = Vec::new();
        for pair in &rule.rule.user_id_group_pairs {
            match is_of_load_balancer(instance, pair, balancers, &listening.tasks) {
                Ok(true) => {}
                Ok(false) => others.push(pair),
                Err(unknown) => unread = unread.or(Some(unknown)),
            }
        }
        if !rule.addresses.is_empty() || !others.is_empty() {
            found.push((rule, others));
        }
    }
    if found.is_empty() {
        return unread.map_or(Ok(Verdict::Pass), Err);
    }
    let openings = Openings::of(existing(links).0);
    let is_open = openings.open.iter().any(|opening| protocols.iter().any(|protocol| opening.admits_some(protocol, &DYNAMIC)));
    failure(instance, &listening, &found, is_open)
}

/// Whether a rule names the group of a load balancer in front of containers. One that stands before other hosts of the
/// cluster counts too: its tasks may come here next.
fn is_of_load_balancer(
    instance: Node<'_, Instance>,
    pair: &UserIdGroupPair,
    balancers: &Balancers<'_>,
    tasks: &[Node<'_, Task>],
) -> Result<bool, Unknown> {
    let Some(id) = pair.group_id.as_deref() else { return Ok(false) };
    let carrying = balancers.get(id).map(Vec::as_slice).unwrap_or_default();
    if carrying.iter().any(|balancer| balancer.is_in_front_of_containers()) {
        return Ok(true);
    }
    let (estate, region) = (instance.estate(), instance.region());
    let account = pair.user_id.as_deref().map_or_else(|| instance.account().clone(), AccountId::new);
    let out_of_scope = || {
        let message = format!("{id} belongs to account {account}, which was not scanned");
        undecided(instance, LoadBalancer::OPERATION, Gap::OUT_OF_SCOPE, message)
    };
    if !estate.is_scanned(&account, region) {
        return Err(out_of_scope());
    }
    estate.coverage().check(&account, region, LoadBalancer::OPERATION)?;
    if !carrying.is_empty() {
        // What they lead to is told by services and by targets.
        for operation in ["elasticloadbalancing:DescribeTargetGroups", "ecs:ListServices", "ecs:DescribeServices"] {
            estate.coverage().check(&account, region, operation)?;
        }
        for group in carrying.iter().flat_map(|balancer| balancer.target_groups()) {
            group.data().target_health_descriptions.known()?;
        }
    }
    let mut services = tasks.iter().filter_map(|task| task.service());
    let classic = services.find(|service| service.data().load_balancers.iter().any(|one| one.load_balancer_name.is_some()));
    match classic {
        Some(service) => {
            let message = format!("service {} is behind a classic load balancer, whose groups are not read", service.name());
            Err(undecided(instance, LoadBalancer::OPERATION, Gap::INCONCLUSIVE, message))
        }
        None => Ok(false),
    }
}

fn failure(
    instance: Node<'_, Instance>,
    listening: &Listening<'_>,
    found: &[(Admitting<'_>, Vec<&UserIdGroupPair>)],
    is_open: bool,
) -> Judgement {
    let rules = || found.iter().map(|(rule, _)| rule);
    let sources = sources_listed(rules().flat_map(|rule| &rule.addresses), found.iter().flat_map(|(_, others)| others.iter().copied()));
    let count = listening.tasks.len();
    let message = format!(
        "container host {} gives ports to {count} task{} and admits {sources}{} to ports from {} on by rules of {}",
        instance.instance_id,
        if count == 1 { "" } else { "s" },
        if is_open { ", together the whole internet," } else { "" },
        DYNAMIC.start(),
        groups_listed(rules()),
    );
    let evidence = json!({
        "portRange": format!("{}-{}", DYNAMIC.start(), DYNAMIC.end()),
        "protocols": listening.protocols,
        "sources": sources,
        "IpPermissions": rules_evidence(rules()),
        "bridgeTasks": listening.tasks.iter().take(SHOWN).map(|task| task.data().task_arn.as_str()).collect::<Vec<_>>(),
        "bridgeTaskCount": count,
    });
    let mut path = Vec::new();
    path.extend(
        listening.tasks.first().map(|task| PathStep { arn: task.arn().into_owned(), via: "listens on a dynamic port of".to_owned() }),
    );
    path.push(PathStep { arn: instance.arn().into_owned(), via: "carries security group".to_owned() });
    path.extend(rules().next().map(|rule| PathStep { arn: rule.group.arn().into_owned(), via: format!("admits {sources}") }));
    let severity = if is_open { Severity::High } else { Severity::Medium };
    fail(message, evidence).severity(severity).path(path).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, rule, rule_from, target_group_arn};
    use plimsoll_model::aws::ec2::{self, IpPermission, ManagedPrefixList, PrefixListId, SecurityGroup, UserIdGroupPair};
    use plimsoll_model::aws::ecs::{self, Task, TaskDefinition};
    use plimsoll_model::aws::elasticloadbalancing::{LoadBalancer, TargetDescription, TargetGroup, TargetHealthDescription};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// Host `h1`, whose group has these rules, with a task of service `agent` that asks for any port of it.
    fn host(rules: &[IpPermission]) -> Fixture {
        let rules = rules.to_vec();
        fixture()
            .network()
            .on_ec2(|definition| {
                definition.network_mode = Some("bridge".to_owned());
                definition.container_definitions[0].port_mappings[0].host_port = Some(0);
            })
            .security_group("hosts", move |group| group.ip_permissions = rules)
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |_| {})
            .task("shop", "agent", "t1", |task| {
                task.attachments.clear();
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(plimsoll_fixture::arn("ecs", "container-instance/shop/h1"));
            })
    }

    /// The same behind application load balancer `front`.
    fn behind(rules: &[IpPermission]) -> Fixture {
        host(rules).load_balancer("front", |_| {}).target_group("agent", "front", |_| {}).each(|service: &mut ecs::Service| {
            service.load_balancers = vec![ecs::LoadBalancer {
                target_group_arn: Some(target_group_arn("agent")),
                container_name: Some("app".to_owned()),
                container_port: Some(8080),
                ..Default::default()
            }];
        })
    }

    fn range(source: IpPermission) -> IpPermission {
        IpPermission { from_port: Some(32_768), to_port: Some(60_999), ..source }
    }

    fn mapped(port: Option<i32>) -> impl Fn(&mut TaskDefinition) {
        move |definition| definition.container_definitions[0].port_mappings[0].host_port = port
    }

    #[test]
    fn fails_when_the_vpc_may_connect_to_dynamic_ports() {
        let account = behind(&[range(rule_from("tcp", 0, "front")), range(rule("tcp", 0, "10.0.0.0/16"))]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        let found = findings(&CHECK, account);
        assert_eq!(
            found[0].message,
            "container host i-h1 gives ports to 1 task and admits 10.0.0.0/16 to ports from 32768 on by rules of sg-hosts"
        );
        assert_eq!(found[0].evidence["IpPermissions"].as_array().unwrap().len(), 1);
        assert_eq!(found[0].path.len(), 3);
        assert_eq!(
            outcome(&CHECK, host(&[rule("tcp", 49_153, "10.0.0.0/16")]).each(mapped(None))),
            Fail(Severity::Medium),
            "a part, and no port"
        );
    }

    #[test]
    fn fails_when_a_group_other_than_the_load_balancers_is_admitted() {
        let account = behind(&[range(rule_from("tcp", 0, "front")), rule_from("-1", 0, "hosts")]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert!(findings(&CHECK, account)[0].message.contains("admits sg-hosts to"));
    }

    #[test]
    fn weighs_more_when_everybody_may() {
        for rules in [
            &[range(rule("tcp", 0, "0.0.0.0/0"))][..],
            &[rule("-1", 0, "::/0")],
            &[range(rule("tcp", 0, "0.0.0.0/1")), rule("tcp", 50_000, "128.0.0.0/1")],
        ] {
            assert_eq!(outcome(&CHECK, host(rules)), Fail(Severity::High), "{rules:?}");
        }
        let apart = [rule("tcp", 40_000, "0.0.0.0/1"), rule("tcp", 50_000, "128.0.0.0/1"), rule("tcp", 443, "0.0.0.0/0")];
        assert_eq!(outcome(&CHECK, host(&apart)), Fail(Severity::Medium), "no dynamic port is open to all");
    }

    #[test]
    fn passes_when_the_load_balancer_alone_is_admitted() {
        assert_eq!(outcome(&CHECK, behind(&[range(rule_from("tcp", 0, "front"))])), Pass);
        assert_eq!(outcome(&CHECK, behind(&[rule("tcp", 443, "0.0.0.0/0"), range(rule("udp", 0, "0.0.0.0/0"))])), Pass);
    }

    #[test]
    fn a_host_registered_by_hand_is_behind_the_load_balancer_too() {
        let target =
            TargetHealthDescription { target: TargetDescription { id: "i-h1".to_owned(), ..Default::default() }, ..Default::default() };
        let registered = move |group: &mut TargetGroup| group.target_health_descriptions = Seen::Known(vec![target.clone()]);
        let by_hand = || {
            let account = behind(&[range(rule_from("tcp", 0, "front"))]);
            account.each(|service: &mut ecs::Service| service.load_balancers.clear())
        };
        assert_eq!(outcome(&CHECK, by_hand().each(registered)), Pass);
        assert_eq!(outcome(&CHECK, by_hand()), Fail(Severity::Medium), "nothing leads from it to containers");
        let unread = |group: &mut TargetGroup| group.target_health_descriptions = gap("elasticloadbalancing:DescribeTargetHealth").into();
        assert_eq!(outcome(&CHECK, by_hand().each(unread)), Unknown);
    }

    #[test]
    fn passes_when_no_task_has_a_dynamic_port() {
        let open = || host(&[range(rule("tcp", 0, "0.0.0.0/0"))]);
        assert_eq!(outcome(&CHECK, open().each(mapped(Some(8080)))), Pass);
        assert_eq!(outcome(&CHECK, open().each(|definition: &mut TaskDefinition| definition.network_mode = Some("host".to_owned()))), Pass);
        assert_eq!(outcome(&CHECK, open().each(|task: &mut Task| task.last_status = "STOPPED".to_owned())), Pass);
        assert_eq!(outcome(&CHECK, open().without::<Task>()), Pass);
    }

    #[test]
    fn is_unknown_when_what_decides_was_not_readable() {
        let open = || behind(&[range(rule("tcp", 0, "10.0.0.0/16"))]);
        assert_eq!(outcome(&CHECK, open().without::<TaskDefinition>().denied("ecs:DescribeTaskDefinition")), Unknown);
        assert_eq!(outcome(&CHECK, open().without::<Task>().denied("ecs:ListTasks")), Unknown);
        assert_eq!(outcome(&CHECK, open().without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        let named = || behind(&[range(rule_from("tcp", 0, "front"))]);
        assert_eq!(outcome(&CHECK, named().without::<LoadBalancer>().denied("elasticloadbalancing:DescribeLoadBalancers")), Unknown);
        let listed = IpPermission {
            ip_ranges: Vec::new(),
            prefix_list_ids: vec![PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None }],
            ..range(rule("tcp", 0, "10.0.0.0/16"))
        };
        let unread = ManagedPrefixList {
            prefix_list_id: "pl-1".to_owned(),
            entries: gap("ec2:GetManagedPrefixListEntries").into(),
            ..Default::default()
        };
        assert_eq!(outcome(&CHECK, behind(&[listed]).resource(unread)), Unknown);
    }

    #[test]
    fn addresses_fail_whatever_load_balancers_were_not_readable() {
        let account = behind(&[range(rule_from("tcp", 0, "front")), range(rule("tcp", 0, "0.0.0.0/0"))]);
        let unread = account.without::<LoadBalancer>().denied("elasticloadbalancing:DescribeLoadBalancers");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::High));
    }

    #[test]
    fn a_group_may_be_that_of_a_load_balancer_that_is_not_read() {
        let classic = |service: &mut ecs::Service| {
            service.load_balancers = vec![ecs::LoadBalancer { load_balancer_name: Some("old".to_owned()), ..Default::default() }];
        };
        assert_eq!(outcome(&CHECK, host(&[range(rule_from("tcp", 0, "old"))]).each(classic)), Unknown);
        assert_eq!(outcome(&CHECK, host(&[range(rule_from("tcp", 0, "old"))])), Fail(Severity::Medium));
        let pair = UserIdGroupPair { group_id: Some("sg-far".to_owned()), user_id: Some("222222222222".to_owned()), ..Default::default() };
        let far = IpPermission { user_id_group_pairs: vec![pair], ..range(rule_from("tcp", 0, "far")) };
        assert_eq!(outcome(&CHECK, host(&[far])), Unknown);
    }

    #[test]
    fn does_not_apply_to_ended_instances() {
        let ended = |instance: &mut ec2::Instance| instance.state.as_mut().unwrap().name = Some("terminated".to_owned());
        assert_eq!(outcome(&CHECK, host(&[range(rule("tcp", 0, "0.0.0.0/0"))]).each(ended)), NotApplicable);
    }
}
