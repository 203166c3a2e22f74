//! Reads the ports at which network load balancers ask a service's tasks, what the tasks' security groups admit there, the
//! ranges of the VPC and the addresses of the load balancers. Yields one verdict per ACTIVE service; a failure names the
//! sources beyond them.

use std::collections::BTreeMap;

use plimsoll_graph::{Front, Node, Ranges, Source, Unknown};
use plimsoll_model::aws::ec2::Vpc;
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::{PathStep, Severity};
use serde_json::{Value, json};

use crate::admission::{Admission, Admitting, groups_listed, rules_evidence, sources_listed};
use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-nlb-source-too-wide",
    title: "Task behind an NLB accepts more than the VPC range and the NLB addresses",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeVpcs",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ],
    // Each is asked for some services only, whose verdict alone is unknown without it: lists for rules that name one,
    // subnets for services that name no group, the VPC for rules with addresses, load balancers for those beyond the VPC.
    shades: &[
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ],
    compliance: &[nist("SC-7"), pci("1.3.1")],
    fails_when: "The service has an NLB target group and the task security group allows the target port from a CIDR \
                 outside the CidrBlockAssociationSet of the VPC, other than the /32 addresses of the NLB. When the NLB is \
                 internet-facing and preserve_client_ip.enabled is true, client ranges are needed: then fail only if the \
                 NLB has no security group of its own and the task group is open to 0.0.0.0/0. When the NLB has a \
                 security group, expect a reference to it.",
    why: "Whoever has a route to the task connects to it without the load balancer: its TLS, its security group and its \
          logs are then no protection.",
    remediation: Remediation {
        text: "Allow only the VPC range and the static addresses of the NLB, or chain security groups.",
        cli: "aws ec2 revoke-security-group-ingress --group-id TASK_SG --security-group-rule-ids SGR",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

/// A port behind network load balancers that admits more than they need.
struct Wide<'e> {
    protocol: &'static str,
    port: u16,
    fronts: Vec<Front<'e>>,
    admission: Admission<'e>,
    /// What may come in; `None` when that was not read, and the whole internet comes in anyway.
    allowed: Option<Ranges>,
}

impl<'e> Wide<'e> {
    fn is_beyond(&self, source: &Source<'_>) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| !allowed.holds(&std::iter::once(source.cidr).collect()))
    }

    fn rules(&self) -> impl Iterator<Item = &Admitting<'e>> {
        self.admission.rules.iter().filter(|rule| rule.addresses.iter().any(|source| self.is_beyond(source)))
    }

    fn sources(&self) -> String {
        let beyond = self.admission.rules.iter().flat_map(|rule| &rule.addresses).filter(|source| self.is_beyond(source));
        sources_listed(beyond, std::iter::empty())
    }
}

fn judge(service: Node<'_, Service>) -> Judgement {
    let (fronts, mut unread) = service.fronts();
    let mut ports: BTreeMap<(&'static str, u16), Vec<Front<'_>>> = BTreeMap::new();
    for front in fronts.into_iter().filter(|front| LoadBalancer::names_network(front.load_balancer_arn)) {
        for protocol in front.target_group.data().transports() {
            ports.entry((protocol, front.port)).or_default().push(front.clone());
        }
    }
    let groups = service.effective_security_groups();
    // Tasks without an interface of their own have the groups of their host.
    if groups.is_empty() || ports.is_empty() && unread.is_none() {
        return Ok(Verdict::NotApplicable);
    }
    let mut found = Vec::new();
    for ((protocol, port), fronts) in ports {
        let mut admission = Admission::new(groups.iter().cloned(), &[protocol], &[port..=port]);
        unread = unread.or(admission.unread.take());
        match excess(&admission, &fronts) {
            Ok(None) => {}
            Ok(Some(allowed)) => found.push(Wide { protocol, port, fronts, admission, allowed: Some(allowed) }),
            // Whatever the load balancers are, nobody needs all of the internet in the group of a task.
            Err(_) if admission.ranges().is_internet() => found.push(Wide { protocol, port, fronts, admission, allowed: None }),
            Err(unknown) => unread = unread.or(Some(unknown)),
        }
    }
    match (found.is_empty(), unread) {
        (false, _) => failure(service, &found),
        (true, Some(unknown)) => Err(unknown),
        (true, None) => Ok(Verdict::Pass),
    }
}

/// What may come in, when more comes in.
fn excess(admission: &Admission<'_>, fronts: &[Front<'_>]) -> Result<Option<Ranges>, Unknown> {
    let admitted = admission.ranges();
    if admitted.is_empty() {
        return Ok(None);
    }
    let mut allowed = vpc_ranges(admission)?;
    if allowed.holds(&admitted) {
        return Ok(None);
    }
    let mut balancers = Vec::new();
    for front in fronts {
        if let Some(balancer) = front.load_balancer.clone().exists()? {
            allowed = allowed.and(&balancer.data().addresses().collect());
            balancers.push((front, balancer));
        }
    }
    if allowed.holds(&admitted) {
        return Ok(None);
    }
    if !admitted.is_internet() {
        for (front, balancer) in balancers {
            // Targets that see the clients must admit them; a load balancer with a group is admitted by that, clients and all.
            let is_open = balancer.data().is_internet_facing() && balancer.data().security_groups.is_empty();
            if is_open && front.target_group.data().preserves_client_ip()? {
                return Ok(None);
            }
        }
    }
    Ok(Some(allowed))
}

/// The ranges of the VPC that the groups belong to.
fn vpc_ranges(admission: &Admission<'_>) -> Result<Ranges, Unknown> {
    let mut ranges = Ranges::default();
    let mut seen: Option<Node<'_, Vpc>> = None;
    for rule in &admission.rules {
        let Some(id) = rule.group.data().vpc_id.as_deref() else { continue };
        if seen.is_some_and(|vpc| vpc.data().vpc_id == id) {
            continue;
        }
        let vpc = rule.group.estate().vpc(rule.group.account(), rule.group.region(), id).known()?;
        ranges = ranges.and(&vpc.ranges());
        seen = Some(vpc);
    }
    Ok(ranges)
}

fn failure(service: Node<'_, Service>, found: &[Wide<'_>]) -> Judgement {
    let told: Vec<String> = found
        .iter()
        .map(|wide| {
            let whole = if wide.admission.ranges().is_internet() { ", together the whole internet," } else { "" };
            let unnamed = if wide.fronts.iter().any(|front| is_unnamed(front, wide)) { ", none the load balancer's group" } else { "" };
            format!("{}{whole} on port {} by rules of {}{unnamed}", wide.sources(), wide.port, groups_listed(wide.rules()))
        })
        .collect();
    let ports: Vec<Value> = found
        .iter()
        .map(|wide| {
            json!({
                "protocol": wide.protocol,
                "containerPort": wide.port,
                "IpPermissions": rules_evidence(wide.rules()),
                "targetGroups": wide.fronts.iter().map(evidence_of_front).collect::<Vec<_>>(),
            })
        })
        .collect();
    let beyond = if found.iter().all(|wide| wide.allowed.is_some()) { " beyond VPC and network load balancer" } else { "" };
    let message = format!("tasks of {} admit{beyond} {}", service.name(), told.join("; "));
    fail(message, json!({"ports": ports})).path(path(service, found)).verdict()
}

/// Whether a load balancer has groups and no rule names one of them.
fn is_unnamed(front: &Front<'_>, wide: &Wide<'_>) -> bool {
    let groups = front.load_balancer.clone().found().map(|balancer| balancer.data().security_groups.as_slice()).unwrap_or_default();
    !groups.is_empty() && !wide.admission.names_group(groups)
}

fn evidence_of_front(front: &Front<'_>) -> Value {
    let balancer = front.load_balancer.clone().found();
    json!({
        "targetGroupArn": front.target_group.data().target_group_arn,
        "preserve_client_ip.enabled": front.target_group.data().preserves_client_ip().ok(),
        "LoadBalancerArn": front.load_balancer_arn,
        "Scheme": balancer.and_then(|balancer| balancer.data().scheme.as_deref()),
        "LoadBalancerAddresses": balancer.map(|balancer| balancer.data().addresses().collect::<Vec<_>>()),
        "SecurityGroups": balancer.map(|balancer| &balancer.data().security_groups),
    })
}

/// From what the load balancer protects to the first rule that admits more.
fn path(service: Node<'_, Service>, found: &[Wide<'_>]) -> Vec<PathStep> {
    let Some(wide) = found.first() else { return Vec::new() };
    let (Some(front), Some(rule)) = (wide.fronts.first(), wide.rules().next()) else { return Vec::new() };
    vec![
        PathStep { arn: service.arn().into_owned(), via: format!("port {} is in target group", wide.port) },
        PathStep { arn: front.target_group.arn().into_owned(), via: "behind load balancer".to_owned() },
        PathStep { arn: front.load_balancer_arn.to_owned(), via: "passed by security group".to_owned() },
        PathStep { arn: rule.group.arn().into_owned(), via: format!("admits {}", wide.sources()) },
    ]
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, gap, rule, rule_from};
    use plimsoll_model::aws::ec2::{
        IpPermission, ManagedPrefixList, PrefixListEntry, PrefixListId, SecurityGroup, Vpc, VpcCidrBlockAssociation,
    };
    use plimsoll_model::aws::ecs::Service;
    use plimsoll_model::aws::elasticloadbalancing::{Attribute, LoadBalancer, LoadBalancerAddress, TargetGroup};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    const WIDE: Outcome = Fail(Severity::Medium);

    /// Service `web` behind internal network load balancer `front` without group, with these rules for its tasks.
    fn shop(rules: &[IpPermission]) -> Fixture {
        let rules = rules.to_vec();
        let balancer_arn = arn("elasticloadbalancing", "loadbalancer/net/front/1");
        let balancer = balancer_arn.clone();
        fixture()
            .shop()
            .behind_load_balancer()
            .each(move |balancer: &mut LoadBalancer| {
                balancer.load_balancer_arn.clone_from(&balancer_arn);
                balancer.kind = "network".to_owned();
                balancer.scheme = Some("internal".to_owned());
                balancer.security_groups.clear();
            })
            .each(move |group: &mut TargetGroup| {
                group.load_balancer_arns = vec![balancer.clone()];
                group.protocol = Some("TCP".to_owned());
            })
            .each(move |group: &mut SecurityGroup| group.ip_permissions = rules.clone())
    }

    fn facing(balancer: &mut LoadBalancer) {
        balancer.scheme = Some("internet-facing".to_owned());
    }

    fn preserving(group: &mut TargetGroup) {
        group.attributes = Seen::Known(vec![Attribute { key: "preserve_client_ip.enabled".to_owned(), value: "true".to_owned() }]);
    }

    fn with_group(balancer: &mut LoadBalancer) {
        balancer.security_groups = vec!["sg-front".to_owned()];
    }

    fn on_8080(range: &str) -> IpPermission {
        rule("tcp", 8080, range)
    }

    #[test]
    fn fails_when_more_than_the_vpc_is_admitted() {
        let account = shop(&[on_8080("10.0.0.0/16"), on_8080("10.0.0.0/8")]);
        assert_eq!(outcome(&CHECK, account.clone()), WIDE);
        let found = findings(&CHECK, account);
        assert_eq!(found[0].message, "tasks of web admit beyond VPC and network load balancer 10.0.0.0/8 on port 8080 by rules of sg-web");
        assert_eq!(found[0].evidence["ports"][0]["IpPermissions"].as_array().unwrap().len(), 1);
        for rules in [&[on_8080("0.0.0.0/0")][..], &[on_8080("::/0")], &[rule("-1", 0, "192.168.0.0/24")]] {
            assert_eq!(outcome(&CHECK, shop(rules)), WIDE, "{rules:?}");
        }
    }

    #[test]
    fn passes_when_the_vpc_and_the_load_balancers_addresses_are_all() {
        assert_eq!(outcome(&CHECK, shop(&[on_8080("10.0.0.0/16"), on_8080("10.0.3.0/24")])), Pass);
        assert_eq!(outcome(&CHECK, shop(&[rule_from("tcp", 8080, "client")])), Pass);
        assert_eq!(outcome(&CHECK, shop(&[rule("tcp", 22, "0.0.0.0/0"), rule("udp", 8080, "0.0.0.0/0")])), Pass);
        let block = VpcCidrBlockAssociation { cidr_block: Some("10.1.0.0/16".to_owned()), ..Default::default() };
        let second = |vpc: &mut Vpc| vpc.cidr_block_association_set = vec![block.clone()];
        assert_eq!(outcome(&CHECK, shop(&[on_8080("10.0.0.0/15")]).each(second)), Pass);
        let address = LoadBalancerAddress { ip_address: Some("198.51.100.7".to_owned()), ..Default::default() };
        let fixed = |balancer: &mut LoadBalancer| balancer.availability_zones[0].load_balancer_addresses = vec![address.clone()];
        assert_eq!(outcome(&CHECK, shop(&[on_8080("198.51.100.7/32")]).each(fixed)), Pass);
        assert_eq!(outcome(&CHECK, shop(&[on_8080("198.51.100.6/31")]).each(fixed)), WIDE);
    }

    #[test]
    fn clients_that_targets_see_may_come_in_but_not_everybody() {
        let clients = || shop(&[on_8080("203.0.113.0/24")]);
        assert_eq!(outcome(&CHECK, clients().each(facing).each(preserving)), Pass);
        assert_eq!(outcome(&CHECK, clients().each(facing)), WIDE, "by default targets by address see the load balancer");
        assert_eq!(outcome(&CHECK, clients().each(preserving)), WIDE, "an internal one has no clients outside");
        for all in [&[on_8080("0.0.0.0/0")][..], &[on_8080("0.0.0.0/1"), on_8080("128.0.0.0/1")], &[on_8080("::/0")]] {
            assert_eq!(outcome(&CHECK, shop(all).each(facing).each(preserving)), WIDE, "{all:?}");
        }
    }

    #[test]
    fn a_group_of_the_load_balancer_is_to_be_named_instead_of_clients() {
        let grouped = |rules: &[IpPermission]| shop(rules).each(facing).each(preserving).each(with_group);
        assert_eq!(outcome(&CHECK, grouped(&[rule_from("tcp", 8080, "front")])), Pass);
        let account = grouped(&[on_8080("203.0.113.0/24")]);
        assert_eq!(outcome(&CHECK, account.clone()), WIDE);
        assert!(findings(&CHECK, account)[0].message.ends_with(", none the load balancer's group"));
    }

    #[test]
    fn datagrams_are_judged_where_the_target_group_takes_them() {
        let udp = |rules: &[IpPermission]| shop(rules).each(|group: &mut TargetGroup| group.protocol = Some("UDP".to_owned()));
        assert_eq!(outcome(&CHECK, udp(&[rule("udp", 8080, "192.168.0.0/24")])), WIDE);
        assert_eq!(outcome(&CHECK, udp(&[on_8080("192.168.0.0/24")])), Pass);
        assert_eq!(outcome(&CHECK, udp(&[rule("udp", 8080, "203.0.113.0/24")]).each(facing)), Pass, "targets always see clients");
    }

    #[test]
    fn does_not_apply_behind_no_network_load_balancer_or_without_group_of_its_own() {
        assert_eq!(outcome(&CHECK, fixture().shop().behind_load_balancer()), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
        let bridge = |service: &mut Service| {
            service.network_configuration = None;
            service.deployments.clear();
        };
        assert_eq!(outcome(&CHECK, shop(&[on_8080("0.0.0.0/0")]).each(bridge)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_what_decides_was_not_readable() {
        let clients = || shop(&[on_8080("203.0.113.0/24")]);
        let unseen = |group: &mut TargetGroup| group.attributes = gap("elasticloadbalancing:DescribeTargetGroupAttributes").into();
        assert_eq!(outcome(&CHECK, clients().each(facing).each(unseen)), Unknown);
        assert_eq!(outcome(&CHECK, clients().each(unseen)), WIDE, "it matters for an internet-facing one only");
        assert_eq!(outcome(&CHECK, clients().without::<LoadBalancer>().denied("elasticloadbalancing:DescribeLoadBalancers")), Unknown);
        assert_eq!(outcome(&CHECK, clients().without::<TargetGroup>().denied("elasticloadbalancing:DescribeTargetGroups")), Unknown);
        assert_eq!(outcome(&CHECK, clients().without::<Vpc>().denied("ec2:DescribeVpcs")), Unknown);
        assert_eq!(outcome(&CHECK, clients().without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
    }

    #[test]
    fn an_unread_prefix_list_is_unknown_until_something_else_is_too_wide() {
        let list = PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None };
        let listed = IpPermission { prefix_list_ids: vec![list], ..on_8080("10.0.0.0/16") };
        let with = |entries| ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() };
        let unread = || with(gap("ec2:GetManagedPrefixListEntries").into());
        assert_eq!(outcome(&CHECK, shop(std::slice::from_ref(&listed)).resource(unread())), Unknown);
        assert_eq!(outcome(&CHECK, shop(&[listed.clone(), on_8080("192.168.0.0/24")]).resource(unread())), WIDE);
        let entry = PrefixListEntry { cidr: Some("192.168.0.0/24".to_owned()), description: None };
        assert_eq!(outcome(&CHECK, shop(&[listed]).resource(with(Seen::Known(vec![entry])))), WIDE);
    }

    #[test]
    fn the_whole_internet_is_too_wide_whatever_was_not_read() {
        let all = || shop(&[on_8080("0.0.0.0/0")]);
        assert_eq!(outcome(&CHECK, all().without::<Vpc>().denied("ec2:DescribeVpcs")), WIDE);
        let unread = all().without::<LoadBalancer>().denied("elasticloadbalancing:DescribeLoadBalancers");
        assert_eq!(outcome(&CHECK, unread), WIDE);
    }
}
