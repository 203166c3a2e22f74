//! Reads the container hosts of each subnet in use and the endpoints of Amazon ECS that they reach. Yields one verdict per
//! subnet; a failure names the endpoints that its hosts lack.

use plimsoll_graph::{Estate, Need, SubnetDemand};
use plimsoll_model::Severity;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::private_paths::{evidence, lacking, sentence, way_out};

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-missing-for-ecs-agent",
    title: "Container hosts lack a private path to the ECS control plane",
    severity: Severity::Low,
    resource: "AWS::EC2::Subnet",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
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
    shades: &["ec2:DescribeNetworkAcls", "ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"],
    compliance: &[nist("SC-7")],
    fails_when: "A subnet that holds EC2 container instances lacks a usable interface endpoint ecs, ecs-agent or \
                 ecs-telemetry. High when the subnet has no internet egress. Subnets that only hold Fargate tasks never \
                 fail: Fargate does not use these endpoints; Fargate with Service Connect may use ecs-agent \
                 (informational note). A route counts as internet egress when 0.0.0.0/0 (or ::/0) goes to igw-, nat-, \
                 eigw-, tgw- or a firewall endpoint. An endpoint counts only when State is available, PrivateDnsEnabled \
                 is true (interface), its security groups admit TCP 443 from the subnet, and for gateways the route table \
                 of the subnet is listed.",
    why: "The agents take their orders and report over the internet; where no way leads out, hosts never join their cluster, \
          or start nothing more once they have lost it.",
    remediation: Remediation {
        text: "Create ecs-agent, ecs-telemetry and ecs endpoints in this order, then restart the agents.",
        cli: "aws ec2 create-vpc-endpoint --vpc-id VPC --vpc-endpoint-type Interface --service-name \
             com.amazonaws.REGION.ecs-agent --subnet-ids SUBNET --security-group-ids SG --private-dns-enabled",
    },
    evaluate,
};

/// Hosts shown in evidence.
const SHOWN: usize = 20;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for demand in estate.subnet_demands() {
        verdicts.judge(demand.subnet(), judge(demand));
    }
}

fn judge(demand: SubnetDemand<'_>) -> Judgement {
    let lacks = lacking(demand, &[Need::Agent])?;
    if lacks.is_empty() {
        return Ok(Verdict::Pass);
    }
    let (leads_out, way) = way_out(demand);
    let hosts: Vec<Value> = demand
        .hosts()
        .take(SHOWN)
        .map(|host| {
            let version = host.data().version_info.as_ref().and_then(|version| version.agent_version.as_deref());
            json!({"containerInstanceArn": host.data().container_instance_arn, "agentVersion": version})
        })
        .collect();
    let mut evidence = evidence(demand, &lacks);
    if let Value::Object(evidence) = &mut evidence {
        evidence.insert("containerInstances".to_owned(), json!(hosts));
        evidence.insert("containerInstanceCount".to_owned(), json!(demand.hosts().count()));
    }
    let failure = fail(format!("{}: {way}", sentence(demand, &lacks)), evidence);
    if leads_out == Some(false) { failure.severity(Severity::High).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, default_route, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::{Route, VpcEndpoint};
    use plimsoll_model::aws::ecs::ContainerInstance;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn hosts() -> Fixture {
        fixture().shop().security_group("hosts", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {})
    }

    fn served(account: Fixture) -> Fixture {
        ["ecs", "ecs-agent", "ecs-telemetry"].into_iter().fold(account, Fixture::interface_endpoint)
    }

    #[test]
    fn fails_when_hosts_lack_an_endpoint_of_three() {
        assert_eq!(outcome(&CHECK, hosts()), Fail(Severity::High));
        let nat = default_route(|route: &mut Route| route.nat_gateway_id = Some("nat-1".to_owned()));
        assert_eq!(outcome(&CHECK, hosts().each(nat)), Fail(Severity::Low));
        let one = served(hosts()).each(|endpoint: &mut VpcEndpoint| {
            if endpoint.vpc_endpoint_id == "vpce-ecs-telemetry" {
                endpoint.private_dns_enabled = false;
            }
        });
        let found = findings(&CHECK, one);
        assert_eq!(found[0].message, "subnet-a has no usable endpoint for ecs-telemetry: it has no default route either");
        assert_eq!(found[0].evidence["endpoints"][0]["rejected"], "private-dns:vpce-ecs-telemetry");
        assert_eq!(found[0].evidence["containerInstances"][0]["agentVersion"], "1.90.0");
    }

    #[test]
    fn passes_with_all_three_and_where_only_fargate_runs() {
        assert_eq!(outcome(&CHECK, served(hosts())), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, fixture().network()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_hosts_or_endpoints_were_not_readable() {
        assert_eq!(outcome(&CHECK, served(hosts()).without::<VpcEndpoint>().denied("ec2:DescribeVpcEndpoints")), Unknown);
        let unlisted = fixture().shop().without::<ContainerInstance>().denied("ecs:ListContainerInstances");
        assert_eq!(outcome(&CHECK, unlisted), Unknown);
    }
}
