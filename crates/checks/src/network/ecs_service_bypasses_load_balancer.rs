//! Reads the ports at which application load balancers ask a service's tasks, and what the tasks' security groups admit
//! there. Yields one verdict per ACTIVE service; a failure shows the rules that admit addresses. A rule that names a
//! group, of the load balancer or of a client, is no way past it.

use std::collections::BTreeMap;

use plimsoll_graph::{Front, Node};
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::{PathStep, Severity};
use serde_json::{Value, json};

use crate::admission::{Admission, Admitting, groups_listed, rules_evidence, sources_listed};
use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-bypasses-load-balancer",
    title: "Task behind an ALB accepts traffic that does not come from the ALB",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetGroups",
    ],
    // Subnets are asked for services that name no group, lists for rules that name one; load balancers are evidence.
    shades: &[
        "ec2:DescribeSubnets",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticloadbalancing:DescribeLoadBalancers",
    ],
    compliance: &[nist("SC-7"), nist("AC-4"), pci("1.2.5?"), pci("1.3.1")],
    fails_when: "The service has loadBalancers[] with an ALB target group, and the task ENI security groups allow ingress \
                 on the container port from any source other than a security group of that ALB (or of named client \
                 services through UserIdGroupPairs). CIDR sources fail: 0.0.0.0/0 or ::/0 is high, a range inside the VPC \
                 medium. A load balancer health check needs no CIDR rule.",
    why: "Who connects to the task itself meets no TLS policy, no authentication and no web ACL of the load balancer, and \
          leaves no line in its access log.",
    remediation: Remediation {
        text: "Replace the rule by one that names the security group of the ALB.",
        cli: "aws ec2 authorize-security-group-ingress --group-id TASK_SG --ip-permissions \
              IpProtocol=tcp,FromPort=PORT,ToPort=PORT,UserIdGroupPairs=[{GroupId=ALB_SG}]",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

/// A port behind an application load balancer, and the rules that let addresses come to it.
struct Bypass<'e> {
    port: u16,
    fronts: Vec<Front<'e>>,
    admission: Admission<'e>,
}

impl<'e> Bypass<'e> {
    fn rules(&self) -> impl Iterator<Item = &Admitting<'e>> {
        self.admission.rules.iter().filter(|rule| !rule.addresses.is_empty())
    }
}

fn judge(service: Node<'_, Service>) -> Judgement {
    let (fronts, mut unread) = service.fronts();
    let mut ports: BTreeMap<u16, Vec<Front<'_>>> = BTreeMap::new();
    // Where a network load balancer sends to the same port, addresses may have to be admitted: that is judged there.
    let is_shared = |port: u16| fronts.iter().any(|front| front.port == port && LoadBalancer::names_network(front.load_balancer_arn));
    for front in fronts.iter().filter(|front| LoadBalancer::names_application(front.load_balancer_arn) && !is_shared(front.port)) {
        ports.entry(front.port).or_default().push(front.clone());
    }
    let groups = service.effective_security_groups();
    // Tasks without an interface of their own have the groups of their host.
    if groups.is_empty() || ports.is_empty() && unread.is_none() {
        return Ok(Verdict::NotApplicable);
    }
    let mut found = Vec::new();
    for (port, fronts) in ports {
        let mut admission = Admission::new(groups.iter().cloned(), &["tcp"], &[port..=port]);
        unread = unread.or(admission.unread.take());
        let bypass = Bypass { port, fronts, admission };
        if bypass.rules().next().is_some() {
            found.push(bypass);
        }
    }
    match (found.is_empty(), unread) {
        (false, _) => failure(service, &found),
        (true, Some(unknown)) => Err(unknown),
        (true, None) => Ok(Verdict::Pass),
    }
}

fn failure(service: Node<'_, Service>, found: &[Bypass<'_>]) -> Judgement {
    let is_open = found.iter().any(|bypass| bypass.admission.ranges().is_internet());
    let told: Vec<String> = found
        .iter()
        .map(|bypass| {
            let sources = sources_listed(bypass.rules().flat_map(|rule| &rule.addresses), std::iter::empty());
            format!("{sources} on port {} by {}", bypass.port, groups_listed(bypass.rules()))
        })
        .collect();
    let mut names: Vec<&str> = found.iter().flat_map(|bypass| &bypass.fronts).map(|front| balancer_name(front.load_balancer_arn)).collect();
    names.sort_unstable();
    names.dedup();
    let whole = if is_open { ", together the whole internet" } else { "" };
    let message = format!("tasks of {} admit past load balancer {}: {}{whole}", service.name(), listed(&names), told.join("; "));
    let ports: Vec<Value> = found
        .iter()
        .map(|bypass| {
            json!({
                "containerPort": bypass.port,
                "targetGroups": bypass.fronts.iter().map(evidence_of_front).collect::<Vec<_>>(),
                "IpPermissions": rules_evidence(bypass.rules()),
            })
        })
        .collect();
    let severity = if is_open { Severity::High } else { Severity::Medium };
    fail(message, json!({"ports": ports})).severity(severity).path(path(service, found)).verdict()
}

fn evidence_of_front(front: &Front<'_>) -> Value {
    let groups = front.load_balancer.clone().found().map(|balancer| &balancer.data().security_groups);
    json!({
        "targetGroupArn": front.target_group.data().target_group_arn,
        "LoadBalancerArn": front.load_balancer_arn,
        "SecurityGroups": groups,
    })
}

/// From what the load balancer protects to the first rule that leads around it.
fn path(service: Node<'_, Service>, found: &[Bypass<'_>]) -> Vec<PathStep> {
    let Some(bypass) = found.first() else { return Vec::new() };
    let (Some(front), Some(rule)) = (bypass.fronts.first(), bypass.rules().next()) else { return Vec::new() };
    vec![
        PathStep { arn: service.arn().into_owned(), via: format!("port {} is in target group", bypass.port) },
        PathStep { arn: front.target_group.arn().into_owned(), via: "behind load balancer".to_owned() },
        PathStep { arn: front.load_balancer_arn.to_owned(), via: "passed by security group".to_owned() },
        PathStep {
            arn: rule.group.arn().into_owned(),
            via: format!("admits {}", sources_listed(rule.addresses.iter(), std::iter::empty())),
        },
    ]
}

/// `front` of `arn:aws:elasticloadbalancing:…:loadbalancer/app/front/1`.
fn balancer_name(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, rule, rule_from, target_group_arn};
    use plimsoll_model::aws::ec2::{IpPermission, ManagedPrefixList, PrefixListEntry, PrefixListId, SecurityGroup, Subnet};
    use plimsoll_model::aws::ecs::{self, Service};
    use plimsoll_model::aws::elasticloadbalancing::{LoadBalancer, TargetGroup};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// Service `web` behind application load balancer `front`, with these rules for its tasks.
    fn shop(rules: &[IpPermission]) -> Fixture {
        let rules = rules.to_vec();
        fixture().shop().behind_load_balancer().each(move |group: &mut SecurityGroup| group.ip_permissions = rules.clone())
    }

    fn listed() -> IpPermission {
        let list = PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None };
        IpPermission { prefix_list_ids: vec![list], ..rule_from("tcp", 8080, "front") }
    }

    fn list(cidr: &str) -> ManagedPrefixList {
        let entries = Seen::Known(vec![PrefixListEntry { cidr: Some(cidr.to_owned()), description: None }]);
        ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() }
    }

    #[test]
    fn fails_when_the_vpc_may_connect_to_the_task_itself() {
        let account = shop(&[rule_from("tcp", 8080, "front"), rule("tcp", 8080, "10.0.0.0/16")]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        let found = findings(&CHECK, account);
        assert_eq!(found[0].message, "tasks of web admit past load balancer front: 10.0.0.0/16 on port 8080 by sg-web");
        assert_eq!(found[0].evidence["ports"][0]["targetGroups"][0]["SecurityGroups"][0], "sg-front");
        assert_eq!(found[0].evidence["ports"][0]["IpPermissions"].as_array().unwrap().len(), 1);
        assert_eq!(found[0].path.len(), 4);
    }

    #[test]
    fn weighs_more_when_everybody_may() {
        for rules in [
            &[rule("tcp", 8080, "0.0.0.0/0")][..],
            &[rule("-1", 0, "::/0")],
            &[rule("6", 8080, "0.0.0.0/0")],
            &[rule("tcp", 8080, "0.0.0.0/1"), rule("-1", 0, "128.0.0.0/1")],
        ] {
            assert_eq!(outcome(&CHECK, shop(rules)), Fail(Severity::High), "{rules:?}");
        }
        assert_eq!(outcome(&CHECK, shop(&[rule("tcp", 8080, "0.0.0.0/1")])), Fail(Severity::Medium));
    }

    #[test]
    fn several_groups_admit_together() {
        let both = |service: &mut Service| {
            for network in std::iter::once(&mut service.network_configuration)
                .chain(service.deployments.iter_mut().map(|d| &mut d.network_configuration))
            {
                network.as_mut().unwrap().awsvpc_configuration.as_mut().unwrap().security_groups.push("sg-more".to_owned());
            }
        };
        let account = shop(&[rule("tcp", 8080, "0.0.0.0/1")])
            .security_group("more", |group| group.ip_permissions = vec![rule("tcp", 8080, "128.0.0.0/1")])
            .each(both);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn passes_when_groups_alone_are_admitted() {
        assert_eq!(outcome(&CHECK, fixture().shop().behind_load_balancer()), Pass);
        assert_eq!(outcome(&CHECK, shop(&[rule_from("tcp", 8080, "front"), rule_from("-1", 0, "client")])), Pass);
        assert_eq!(outcome(&CHECK, shop(&[rule("tcp", 8081, "0.0.0.0/0"), rule("udp", 8080, "0.0.0.0/0")])), Pass);
    }

    #[test]
    fn a_prefix_list_admits_what_it_holds() {
        assert_eq!(outcome(&CHECK, shop(&[listed()]).resource(list("10.1.0.0/16"))), Fail(Severity::Medium));
        let empty = ManagedPrefixList { entries: Seen::Known(Vec::new()), ..list("") };
        assert_eq!(outcome(&CHECK, shop(&[listed()]).resource(empty)), Pass);
        // CloudFront that asks the tasks passes the load balancer too.
        let of_aws = ManagedPrefixList { owner_id: Some("AWS".to_owned()), ..list("130.176.0.0/17") };
        assert_eq!(outcome(&CHECK, shop(&[listed()]).resource(of_aws)), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_without_application_load_balancer_or_group_of_its_own() {
        let open = || shop(&[rule("tcp", 8080, "0.0.0.0/0")]);
        assert_eq!(outcome(&CHECK, open().each(|service: &mut Service| service.load_balancers.clear())), NotApplicable);
        let network = |group: &mut TargetGroup| {
            group.load_balancer_arns = vec![plimsoll_fixture::arn("elasticloadbalancing", "loadbalancer/net/nlb/1")];
        };
        assert_eq!(outcome(&CHECK, open().each(network)), NotApplicable);
        assert_eq!(outcome(&CHECK, open().each(|group: &mut TargetGroup| group.load_balancer_arns.clear())), NotApplicable);
        let bridge = |service: &mut Service| {
            service.network_configuration = None;
            service.deployments.clear();
        };
        assert_eq!(outcome(&CHECK, open().each(bridge)), NotApplicable);
        assert_eq!(outcome(&CHECK, open().each(|service: &mut Service| service.status = "DRAINING".to_owned())), NotApplicable);
    }

    #[test]
    fn a_port_that_a_network_load_balancer_asks_too_is_judged_there() {
        let both = |service: &mut Service| {
            let registration = ecs::LoadBalancer { target_group_arn: Some(target_group_arn("tcp")), ..service.load_balancers[0].clone() };
            service.load_balancers.push(registration);
        };
        let arn = plimsoll_fixture::arn("elasticloadbalancing", "loadbalancer/net/nlb/1");
        let account =
            shop(&[rule("tcp", 8080, "10.0.0.0/16")]).target_group("tcp", "nlb", |group| group.load_balancer_arns = vec![arn]).each(both);
        assert_eq!(outcome(&CHECK, account), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_lists_or_target_groups_were_not_readable() {
        let closed = || fixture().shop().behind_load_balancer();
        assert_eq!(outcome(&CHECK, closed().without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        assert_eq!(outcome(&CHECK, closed().without::<TargetGroup>().denied("elasticloadbalancing:DescribeTargetGroups")), Unknown);
        let unread = ManagedPrefixList { entries: gap("ec2:GetManagedPrefixListEntries").into(), ..list("") };
        assert_eq!(outcome(&CHECK, shop(&[listed()]).resource(unread.clone())), Unknown);
        let open = shop(&[listed(), rule("tcp", 8080, "0.0.0.0/0")]).resource(unread);
        assert_eq!(outcome(&CHECK, open), Fail(Severity::High), "what was read proves it");
        let unnamed = |service: &mut Service| {
            for network in std::iter::once(&mut service.network_configuration)
                .chain(service.deployments.iter_mut().map(|d| &mut d.network_configuration))
            {
                network.as_mut().unwrap().awsvpc_configuration.as_mut().unwrap().security_groups.clear();
            }
        };
        assert_eq!(outcome(&CHECK, closed().each(unnamed).without::<Subnet>().denied("ec2:DescribeSubnets")), Unknown);
    }

    #[test]
    fn the_load_balancer_is_evidence_only() {
        let account = || shop(&[rule("tcp", 8080, "10.0.0.0/16")]).without::<LoadBalancer>();
        let denied = account().denied("elasticloadbalancing:DescribeLoadBalancers");
        assert_eq!(outcome(&CHECK, denied), Fail(Severity::Medium));
    }
}
