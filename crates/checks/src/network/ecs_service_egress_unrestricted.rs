//! Reads the egress rules of the security groups that a service's tasks get, and where their subnets lead. Yields one
//! verdict per ACTIVE service with awsvpc tasks; a failure names the group, the range and the way out.

use plimsoll_graph::{Egress, Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::SecurityGroup;
use plimsoll_model::aws::ecs::Service;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-egress-unrestricted",
    title: "Task may open connections to any address and port",
    severity: Severity::Low,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNatGateways",
    ],
    shades: &["ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeNatGateways"],
    compliance: &[nist("SC-7"), nist("AC-4"), pci("1.3.2")],
    fails_when: "Every security group of the service is considered: some IpPermissionsEgress has IpProtocol -1 with \
                 0.0.0.0/0 or ::/0. Medium when the subnet routes to an internet or NAT gateway and no network firewall \
                 endpoint lies on the route.",
    why: "Whoever takes over a container can fetch tools from anywhere and send data to anywhere; a narrow way out stops \
          most malware at its first step.",
    remediation: Remediation {
        text: "Limit egress to endpoint prefix lists, VPC endpoint security groups and named peers.",
        cli: "aws ec2 revoke-security-group-egress --group-id SG --ip-permissions \
             IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

const ANY_IPV4: &str = "0.0.0.0/0";
const ANY_IPV6: &str = "::/0";

/// Address families to which a group lets everything out.
#[derive(Clone, Copy, Default)]
struct Open {
    ipv4: bool,
    ipv6: bool,
}

fn judge(service: Node<'_, Service>) -> Judgement {
    let groups = service.effective_security_groups();
    // Tasks without an interface of their own go out as their host does.
    if groups.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let mut gap: Option<Unknown> = None;
    let mut all = Open::default();
    let mut failing = Vec::new();
    for link in groups {
        // A group that does not exist admits nothing.
        match link.exists() {
            Ok(Some(group)) => {
                let open = open(group.data());
                if open.ipv4 || open.ipv6 {
                    failing.push(group);
                    all = Open { ipv4: all.ipv4 || open.ipv4, ipv6: all.ipv6 || open.ipv6 };
                }
            }
            Ok(None) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    match (failing.first(), gap) {
        (Some(&group), _) => failure(service, group, &failing, all),
        (None, Some(unknown)) => Err(unknown),
        (None, None) => Ok(Verdict::Pass),
    }
}

fn open(group: &SecurityGroup) -> Open {
    let mut open = Open::default();
    for rule in group.ip_permissions_egress.iter().filter(|rule| rule.ip_protocol == "-1") {
        open.ipv4 |= rule.ip_ranges.iter().any(|range| range.cidr_ip == ANY_IPV4);
        open.ipv6 |= rule.ipv6_ranges.iter().any(|range| range.cidr_ipv6 == ANY_IPV6);
    }
    open
}

fn failure(service: Node<'_, Service>, group: Node<'_, SecurityGroup>, failing: &[Node<'_, SecurityGroup>], open: Open) -> Judgement {
    let ranges: Vec<&str> =
        [(open.ipv4, ANY_IPV4), (open.ipv6, ANY_IPV6)].into_iter().filter(|(open, _)| *open).map(|(_, any)| any).collect();
    let mut way_out = None;
    let mut routes: Vec<Value> = Vec::new();
    for subnet in service.subnets().into_iter().filter_map(plimsoll_graph::Link::found) {
        for ipv6 in [false, true].into_iter().filter(|&ipv6| if ipv6 { open.ipv6 } else { open.ipv4 }) {
            let egress = subnet.egress(ipv6);
            if let Ok(Egress::Open(gateway)) = egress {
                way_out.get_or_insert((subnet.data().subnet_id.as_str(), gateway));
            }
            let target = match egress {
                Ok(Egress::Open(target) | Egress::Inspected(target) | Egress::Elsewhere(target)) => json!(target),
                Ok(Egress::Closed) => Value::Null,
                Err(_) => json!("not read"),
            };
            routes.push(
                json!({"subnetId": subnet.data().subnet_id, "destination": if ipv6 { ANY_IPV6 } else { ANY_IPV4 }, "target": target}),
            );
        }
    }
    let evidence = json!({
        "IpPermissionsEgress": {"IpProtocol": "-1", "ranges": ranges},
        "securityGroups": failing.iter().map(|group| group.data().group_id.as_str()).collect::<Vec<_>>(),
        "routes": routes,
    });
    let (severity, route) = match way_out {
        Some((subnet, gateway)) => (Severity::Medium, format!(", and {subnet} leads there through {gateway}")),
        None => (Severity::Low, String::new()),
    };
    let name = service.name();
    let message =
        format!("tasks of {name} may connect to every port of {}: {} allows it{route}", ranges.join(" and "), group.data().group_id);
    fail(message, evidence).severity(severity).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, rule};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn open(range: &'static str) -> Fixture {
        fixture().shop().each(move |group: &mut ec2::SecurityGroup| group.ip_permissions_egress = vec![rule("-1", 0, range)])
    }

    fn default_route(change: impl Fn(&mut ec2::Route)) -> impl Fn(&mut ec2::RouteTable) {
        move |table| {
            let mut route = ec2::Route { destination_cidr_block: Some("0.0.0.0/0".to_owned()), ..Default::default() };
            change(&mut route);
            table.routes.push(route);
        }
    }

    /// Subnet `a` goes out through a NAT gateway in subnet `edge`, whose own route leads to the gateway with this id.
    fn through_nat(onward: &'static str) -> Fixture {
        let table = default_route(|route| route.nat_gateway_id = Some("nat-1".to_owned()));
        open("0.0.0.0/0")
            .each(table)
            .subnet("main", "edge", |_| {})
            .resource(ec2::NatGateway {
                nat_gateway_id: "nat-1".to_owned(),
                subnet_id: Some("subnet-edge".to_owned()),
                ..Default::default()
            })
            .resource(ec2::RouteTable {
                route_table_id: "rtb-edge".to_owned(),
                vpc_id: "vpc-main".to_owned(),
                associations: vec![ec2::RouteTableAssociation { subnet_id: Some("subnet-edge".to_owned()), ..Default::default() }],
                routes: vec![ec2::Route {
                    destination_cidr_block: Some("0.0.0.0/0".to_owned()),
                    gateway_id: Some(onward.to_owned()),
                    ..Default::default()
                }],
                ..Default::default()
            })
    }

    #[test]
    fn fails_when_a_group_lets_everything_out() {
        assert_eq!(outcome(&CHECK, open("0.0.0.0/0")), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, open("::/0")), Fail(Severity::Low));
    }

    #[test]
    fn weighs_more_when_the_subnet_leads_to_the_internet() {
        let gateway = default_route(|route| route.gateway_id = Some("igw-1".to_owned()));
        assert_eq!(outcome(&CHECK, open("0.0.0.0/0").each(gateway)), Fail(Severity::Medium));
        let ipv6 = |table: &mut ec2::RouteTable| {
            table.routes.push(ec2::Route {
                destination_ipv6_cidr_block: Some("::/0".to_owned()),
                egress_only_internet_gateway_id: Some("eigw-1".to_owned()),
                ..Default::default()
            });
        };
        assert_eq!(outcome(&CHECK, open("::/0").each(ipv6)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, open("0.0.0.0/0").each(ipv6)), Fail(Severity::Low));
    }

    #[test]
    fn a_nat_gateway_leads_where_its_own_subnet_leads() {
        assert_eq!(outcome(&CHECK, through_nat("igw-1")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, through_nat("vpce-firewall")), Fail(Severity::Low));
        // The owner of a shared VPC keeps its gateways to itself.
        assert_eq!(outcome(&CHECK, through_nat("igw-1").without::<ec2::NatGateway>()), Fail(Severity::Medium));
    }

    #[test]
    fn keeps_its_severity_when_a_firewall_inspects_or_routes_were_not_readable() {
        let firewall = default_route(|route| route.gateway_id = Some("vpce-firewall".to_owned()));
        assert_eq!(outcome(&CHECK, open("0.0.0.0/0").each(firewall)), Fail(Severity::Low));
        let unread = open("0.0.0.0/0").without::<ec2::RouteTable>().denied("ec2:DescribeRouteTables");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Low));
    }

    #[test]
    fn fails_by_the_default_group_of_a_service_that_names_none() {
        let unnamed = fixture()
            .shop()
            .each(|service: &mut ecs::Service| {
                service.network_configuration.as_mut().unwrap().awsvpc_configuration.as_mut().unwrap().security_groups.clear();
                service.deployments.clear();
            })
            .security_group("default", |group| group.ip_permissions_egress = vec![rule("-1", 0, "0.0.0.0/0")]);
        assert_eq!(outcome(&CHECK, unnamed), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_egress_is_narrow() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        let one_port = |group: &mut ec2::SecurityGroup| group.ip_permissions_egress = vec![rule("tcp", 443, "0.0.0.0/0")];
        assert_eq!(outcome(&CHECK, fixture().shop().each(one_port)), Pass);
    }

    #[test]
    fn does_not_apply_without_awsvpc() {
        let bridge = |service: &mut ecs::Service| {
            service.network_configuration = None;
            service.deployments.clear();
        };
        assert_eq!(outcome(&CHECK, open("0.0.0.0/0").each(bridge)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_were_not_readable() {
        let account = fixture().shop().without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups");
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
