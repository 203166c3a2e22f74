//! Reads where the subnets of containers send what is for the internet, and the associations of DNS Firewall with their VPC.
//! Yields one verdict per VPC with container workload; a failure names the subnets that nothing inspects.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Egress, Estate, Link, Node};
use plimsoll_model::aws::ec2::Vpc;
use plimsoll_model::aws::network_firewall::Firewall;
use plimsoll_model::aws::route53resolver::{FirewallRuleGroupAssociation, QueryLogConfigAssociation};
use plimsoll_model::{AccountId, Gap, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{counted, undecided};

pub(crate) const CHECK: Check = Check {
    id: "vpc-container-egress-uninspected",
    title: "Container egress to the internet is not filtered or inspected",
    severity: Severity::Informational,
    resource: "AWS::EC2::VPC",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
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
        "ec2:DescribeRouteTables",
        "ec2:DescribeNatGateways",
        "network-firewall:ListFirewalls",
        "network-firewall:DescribeFirewall",
        "route53resolver:ListFirewallRuleGroupAssociations",
        "route53resolver:ListResolverQueryLogConfigAssociations",
    ],
    shades: &[
        "network-firewall:ListFirewalls",
        "network-firewall:DescribeFirewall",
        "route53resolver:ListResolverQueryLogConfigAssociations",
    ],
    compliance: &[nist("SC-7(8)?"), nist("SI-4"), pci("1.3.2?")],
    fails_when: "Workload subnets route 0.0.0.0/0 to an internet or NAT gateway with neither a Network Firewall or \
                 Gateway Load Balancer endpoint on the path nor a Route 53 Resolver DNS Firewall association for the VPC. \
                 Low when the VPC holds strict services.",
    why: "A container that was taken over fetches its tools and sends its loot over the same way out as every update: only \
          something that looks at names and addresses can tell them apart.",
    remediation: Remediation {
        text: "Send egress through Network Firewall or associate DNS Firewall rule groups.",
        cli: "aws route53resolver associate-firewall-rule-group --firewall-rule-group-id RG --vpc-id VPC --priority \
             101 --name containers",
    },
    evaluate,
};

/// What looks at the traffic of VPCs, by their ids.
#[derive(Default)]
struct Inspection<'e> {
    dns: BTreeMap<&'e str, Vec<Node<'e, FirewallRuleGroupAssociation>>>,
    query_logs: BTreeMap<&'e str, Vec<&'e str>>,
    firewalls: BTreeMap<&'e str, Vec<&'e str>>,
    /// VPCs with services that ask for strict isolation.
    strict: BTreeSet<&'e str>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut inspection = Inspection::default();
    for association in estate.all::<FirewallRuleGroupAssociation>() {
        if association.status.as_deref() != Some("DELETING") {
            inspection.dns.entry(&association.data().vpc_id).or_default().push(association);
        }
    }
    for association in estate.all::<QueryLogConfigAssociation>().map(|association| association.data()) {
        inspection.query_logs.entry(&association.resource_id).or_default().push(&association.resolver_query_log_config_id);
    }
    for firewall in estate.all::<Firewall>().map(|firewall| firewall.data()) {
        if let Some(vpc) = &firewall.vpc_id {
            inspection.firewalls.entry(vpc).or_default().push(&firewall.firewall_arn);
        }
    }
    for service in estate.active_services().filter(Node::is_strict) {
        let subnets = service.subnets().into_iter().filter_map(Link::found);
        inspection.strict.extend(subnets.map(|subnet| subnet.data().vpc_id.as_str()));
    }
    verdicts.each(estate.all::<Vpc>(), |vpc| judge(vpc, &inspection));
}

fn judge(vpc: Node<'_, Vpc>, inspection: &Inspection<'_>) -> Judgement {
    let Some(workload) = vpc.workload() else {
        return Ok(Verdict::NotApplicable);
    };
    let id = vpc.data().vpc_id.as_str();
    if inspection.dns.contains_key(id) {
        return Ok(Verdict::Pass);
    }
    let (mut open, mut gap) = (Vec::new(), None);
    for subnet in workload.subnets() {
        match subnet.egress(false) {
            Ok(Egress::Open(target)) => open.push((subnet.data().subnet_id.as_str(), target)),
            Ok(Egress::Inspected(_) | Egress::Closed) => {}
            Ok(Egress::Elsewhere(target)) => {
                let message = format!("what inspects the traffic of {} behind {target} is not read", subnet.subnet_id);
                gap = Some(undecided(subnet, "ec2:DescribeRouteTables", "NotFollowed", message));
            }
            Err(unknown) => gap = Some(unknown),
        }
    }
    if open.is_empty() {
        return gap.map_or(Ok(Verdict::Pass), Err);
    }
    // The associations of a shared VPC are its owner's.
    let owner = vpc.data().owner_id.as_deref().map_or_else(|| vpc.account().clone(), AccountId::new);
    if !vpc.estate().inventory().header.scope.accounts.contains(&owner) {
        let message = format!("{id} belongs to account {owner}, which was not scanned");
        let operation = FirewallRuleGroupAssociation::OPERATION.to_owned();
        let (region, code) = (vpc.region().clone(), Gap::OUT_OF_SCOPE.to_owned());
        return Err(Gap { account: owner, region, operation, code, message, resource: Some(id.to_owned()) }.into());
    }
    vpc.estate().coverage().check(&owner, vpc.region(), FirewallRuleGroupAssociation::OPERATION)?;
    let subnets: Vec<&str> = open.iter().map(|(subnet, _)| *subnet).collect();
    let routes: Vec<Value> = open
        .iter()
        .take(20)
        .map(|(subnet, target)| json!({"SubnetId": subnet, "DestinationCidrBlock": "0.0.0.0/0", "target": target}))
        .collect();
    let evidence = json!({
        "VpcId": id,
        "routes": routes,
        "subnetCount": open.len(),
        "firewalls": inspection.firewalls.get(id).map(Vec::as_slice).unwrap_or_default(),
        "firewallRuleGroupAssociations": [],
        "queryLogConfigs": inspection.query_logs.get(id).map(Vec::as_slice).unwrap_or_default(),
    });
    let message =
        format!("containers in {} of {id} reach the internet, and nothing inspects where they connect to", counted("subnet", &subnets));
    let failure = fail(message, evidence);
    if inspection.strict.contains(id) { failure.severity(Severity::Low).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::ec2::{Route, RouteTable, Vpc};
    use plimsoll_model::aws::ecs::{Service, Tag};
    use plimsoll_model::aws::route53resolver::FirewallRuleGroupAssociation;
    use plimsoll_model::{AccountId, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn routed(change: impl Fn(&mut Route)) -> Fixture {
        fixture().shop().each(move |table: &mut RouteTable| {
            let mut route =
                Route { destination_cidr_block: Some("0.0.0.0/0".to_owned()), state: Some("active".to_owned()), ..Default::default() };
            change(&mut route);
            table.routes.push(route);
        })
    }

    fn to(gateway: &str) -> impl Fn(&mut Route) {
        let gateway = Some(gateway.to_owned());
        move |route| route.gateway_id.clone_from(&gateway)
    }

    fn association(status: &str) -> FirewallRuleGroupAssociation {
        FirewallRuleGroupAssociation {
            id: "rslvr-1".to_owned(),
            arn: "arn:aws:route53resolver:us-east-1:111111111111:firewall-rule-group-association/rslvr-1".to_owned(),
            vpc_id: "vpc-main".to_owned(),
            status: Some(status.to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn tells_of_a_way_out_that_nothing_inspects() {
        assert_eq!(outcome(&CHECK, routed(to("igw-1"))), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, routed(|route| route.nat_gateway_id = Some("nat-1".to_owned()))), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, routed(to("igw-1")).resource(association("DELETING"))), Fail(Severity::Informational));
    }

    #[test]
    fn weighs_more_where_services_ask_for_strict_isolation() {
        let strict = |service: &mut Service| service.tags = vec![Tag { key: "isolation".to_owned(), value: "pci".to_owned() }];
        assert_eq!(outcome(&CHECK, routed(to("igw-1")).each(strict)), Fail(Severity::Low));
    }

    #[test]
    fn passes_behind_a_firewall_endpoint_or_with_a_dns_firewall_or_without_a_way_out() {
        assert_eq!(outcome(&CHECK, routed(to("vpce-1"))), Pass);
        assert_eq!(outcome(&CHECK, routed(to("igw-1")).resource(association("COMPLETE"))), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn does_not_apply_to_a_vpc_without_containers() {
        assert_eq!(outcome(&CHECK, fixture().network()), NotApplicable);
    }

    #[test]
    fn is_unknown_behind_a_transit_gateway_in_a_vpc_of_others_or_when_not_readable() {
        let transit = |route: &mut Route| route.transit_gateway_id = Some("tgw-1".to_owned());
        assert_eq!(outcome(&CHECK, routed(transit)), Unknown);
        assert_eq!(outcome(&CHECK, routed(transit).resource(association("COMPLETE"))), Pass);
        let shared = |vpc: &mut Vpc| vpc.owner_id = Some("222222222222".to_owned());
        assert_eq!(outcome(&CHECK, routed(to("igw-1")).each(shared)), Unknown);
        let scanned = routed(to("igw-1")).each(shared).with(|inventory| {
            inventory.header.scope.accounts.insert(AccountId::new("222222222222"));
        });
        assert_eq!(outcome(&CHECK, scanned), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, routed(to("igw-1")).denied("route53resolver:ListFirewallRuleGroupAssociations")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().without::<RouteTable>().denied("ec2:DescribeRouteTables")), Unknown);
    }
}
