//! Reads the images that tasks, services and hosts of each subnet pull, the endpoints that they reach, and the default routes.
//! Yields one verdict per subnet in use; a failure names the services that no usable endpoint serves, and what each lacks.

use plimsoll_graph::{Estate, Need, SubnetDemand};
use plimsoll_model::Severity;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::private_paths::{evidence, lacking, sentence, way_out};

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-missing-for-image-pull",
    title: "Task subnet lacks a private path to ECR",
    severity: Severity::Medium,
    resource: "AWS::EC2::Subnet",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeInstances",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    // A path on which one of these has a say is unknown by itself.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    compliance: &[fsbp("EC2.55"), fsbp("EC2.56"), nist("SC-7"), pci("1.3.2?"), pci("1.4.4?")],
    fails_when: "A subnet used by tasks, hosts or nodes that pull private ECR images lacks a usable interface endpoint \
                 ecr.api or ecr.dkr or a gateway endpoint s3. High when the subnet has no internet egress (pulls fail or \
                 depend on chance), low when it has egress and the organization does not demand private paths. A route \
                 counts as internet egress when 0.0.0.0/0 (or ::/0) goes to igw-, nat-, eigw-, tgw- or a firewall \
                 endpoint. An endpoint counts only when State is available, PrivateDnsEnabled is true (interface), its \
                 security groups admit TCP 443 from the subnet, and for gateways the route table of the subnet is listed.",
    why: "Images come over the internet, or not at all: where nothing else leads out, new tasks do not start, and a way out \
          that is kept for pulls alone is open to whoever takes over a container.",
    remediation: Remediation {
        text: "Create ecr.api and ecr.dkr interface endpoints and the S3 gateway endpoint.",
        cli: "aws ec2 create-vpc-endpoint --vpc-id VPC --vpc-endpoint-type Interface --service-name \
             com.amazonaws.REGION.ecr.dkr --subnet-ids SUBNET --security-group-ids SG --private-dns-enabled",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for demand in estate.subnet_demands() {
        verdicts.judge(demand.subnet(), judge(demand));
    }
}

fn judge(demand: SubnetDemand<'_>) -> Judgement {
    let lacks = lacking(demand, &[Need::Images])?;
    if lacks.is_empty() {
        return Ok(Verdict::Pass);
    }
    let (leads_out, way) = way_out(demand);
    let failure = fail(format!("{}: {way}", sentence(demand, &lacks)), evidence(demand, &lacks));
    match leads_out {
        Some(false) => failure.severity(Severity::High).verdict(),
        Some(true) if !demand.subnet().estate().thresholds().require_private_endpoints => failure.severity(Severity::Low).verdict(),
        Some(true) | None => failure.verdict(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, default_route, fixture, policy};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::{NetworkAcl, NetworkInterface, Route, RouteTable, Subnet, VpcEndpoint};
    use plimsoll_model::aws::ecs::{Task, TaskDefinition};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn to_nat() -> impl Fn(&mut RouteTable) {
        default_route(|route: &mut Route| route.nat_gateway_id = Some("nat-1".to_owned()))
    }

    #[test]
    fn passes_when_every_service_has_an_endpoint_in_reach() {
        assert_eq!(outcome(&CHECK, fixture().shop().private_paths()), Pass);
        // The same for a service that runs no task now.
        assert_eq!(outcome(&CHECK, fixture().shop().private_paths().without::<Task>()), Pass);
        let hub = |definition: &mut TaskDefinition| definition.container_definitions[0].image = "nginx:1".to_owned();
        assert_eq!(outcome(&CHECK, fixture().shop().each(hub)), Pass);
    }

    #[test]
    fn weighs_as_much_as_the_way_out_and_the_organization_make_it() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, fixture().shop().each(to_nat())), Fail(Severity::Low));
        let demanding = fixture().shop().each(to_nat()).thresholds(|thresholds| thresholds.require_private_endpoints = true);
        assert_eq!(outcome(&CHECK, demanding), Fail(Severity::Medium));
        let peered = fixture().shop().each(default_route(|route: &mut Route| route.vpc_peering_connection_id = Some("pcx-1".to_owned())));
        assert_eq!(outcome(&CHECK, peered), Fail(Severity::High));
        let found = findings(&CHECK, fixture().shop().each(to_nat()));
        assert_eq!(found[0].message, "subnet-a has no usable endpoint for ecr.api, ecr.dkr and s3: what needs it goes through nat-1");
        assert_eq!(found[0].evidence["serviceCount"], 1);
    }

    #[test]
    fn an_endpoint_that_does_not_serve_does_not_count() {
        let rejected = |account: Fixture| {
            let found = findings(&CHECK, account);
            let shown: Vec<_> = found[0].evidence["endpoints"].as_array().unwrap().clone();
            assert_eq!(shown.len(), 1, "{shown:?}");
            shown[0]["rejected"].as_str().unwrap().to_owned()
        };
        let change = |id: &'static str, change: fn(&mut VpcEndpoint)| {
            fixture().shop().private_paths().each(move |endpoint: &mut VpcEndpoint| {
                if endpoint.vpc_endpoint_id == id {
                    change(endpoint);
                }
            })
        };
        assert_eq!(rejected(change("vpce-ecr.api", |one| one.state = Some("pending".to_owned()))), "endpoint-state:vpce-ecr.api:pending");
        assert_eq!(rejected(change("vpce-ecr.dkr", |one| one.private_dns_enabled = false)), "private-dns:vpce-ecr.dkr");
        let nothing = |one: &mut VpcEndpoint| {
            one.policy_document =
                Some(policy(json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}})));
        };
        assert_eq!(rejected(change("vpce-ecr.dkr", nothing)), "policy:vpce-ecr.dkr");
        let shut = fixture().shop().private_paths().each(|interface: &mut NetworkInterface| {
            if interface.network_interface_id == "eni-ecr.api" {
                interface.groups[0].group_id = "sg-web".to_owned();
            }
        });
        assert_eq!(rejected(shut), "sg-in:eni-ecr.api");
        let unrouted = fixture()
            .shop()
            .private_paths()
            .each(|table: &mut RouteTable| table.routes.retain(|route| route.gateway_id.as_deref() != Some("vpce-s3")));
        let unlisted = unrouted.clone().each(|endpoint: &mut VpcEndpoint| endpoint.route_table_ids.clear());
        assert_eq!(rejected(unlisted), "route:subnet-a:none");
        assert_eq!(outcome(&CHECK, unrouted), Pass);
    }

    #[test]
    fn judges_only_subnets_in_use() {
        assert_eq!(outcome(&CHECK, fixture().network()), NotApplicable);
        assert_eq!(findings(&CHECK, fixture().shop().subnet("main", "b", |_| {})).len(), 1);
    }

    #[test]
    fn nodes_of_kubernetes_pull_as_well() {
        let nodes = fixture().network().eks_cluster("k", |_| {}).nodegroup("k", "web", |_| {}).node("k", Some("web"), "n1", |_| {});
        let found = findings(&CHECK, nodes.security_group("hosts", |_| {}));
        assert_eq!((found[0].resource.name.as_str(), &found[0].evidence["endpoints"][0]["neededBy"]), ("subnet-a", &json!("i-n1")));
    }

    #[test]
    fn is_unknown_when_endpoints_or_what_stands_before_them_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().private_paths().without::<VpcEndpoint>().denied("ec2:DescribeVpcEndpoints")), Unknown);
        let acl = fixture().shop().private_paths().without::<NetworkAcl>();
        assert_eq!(outcome(&CHECK, acl.denied("ec2:DescribeNetworkAcls")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().private_paths().denied("ecs:ListServices")), Unknown);
        let shared = fixture().shop().each(|subnet: &mut Subnet| subnet.owner_id = Some("222222222222".to_owned()));
        assert_eq!(outcome(&CHECK, shared), Unknown);
    }

    #[test]
    fn fails_at_its_base_when_the_routes_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().without::<RouteTable>().denied("ec2:DescribeRouteTables")), Fail(Severity::Medium));
    }
}
