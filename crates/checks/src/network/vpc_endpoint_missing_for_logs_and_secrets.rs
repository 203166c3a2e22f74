//! Reads what tasks, services and nodes of each subnet need of CloudWatch Logs, Secrets Manager, Systems Manager, KMS, STS and
//! EFS, and the endpoints that they reach. Yields one verdict per subnet in use; a failure names each service with who needs it.

use plimsoll_graph::{Estate, Need, SubnetDemand};
use plimsoll_model::Severity;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::engine::Verdicts;
use crate::private_paths::{evidence, lacking, sentence, way_out};

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-missing-for-logs-and-secrets",
    title: "Task subnet lacks a private path to logs, secrets or keys",
    severity: Severity::Low,
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
        "ecs:DescribeClusters",
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
        "iam:GetAccountAuthorizationDetails",
    ],
    // A path on which one of these has a say is unknown by itself.
    shades: &[
        "ecs:DescribeClusters",
        "ecs:DescribeCapacityProviders",
        "iam:GetAccountAuthorizationDetails",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    compliance: &[fsbp("EC2.57?"), nist("SC-7")],
    fails_when: "Per subnet and by need: logs (some container uses awslogs), secretsmanager or ssm (secrets[].valueFrom \
                 of that kind), kms (SecureString or CMK secrets read by the application), ssmmessages (ECS Exec on), sts \
                 (EKS with IRSA), elasticfilesystem (EFS) has no usable endpoint. High when the subnet has no internet \
                 egress, low otherwise. A route counts as internet egress when 0.0.0.0/0 (or ::/0) goes to igw-, nat-, \
                 eigw-, tgw- or a firewall endpoint. An endpoint counts only when State is available, PrivateDnsEnabled \
                 is true (interface), its security groups admit TCP 443 from the subnet, and for gateways the route table \
                 of the subnet is listed.",
    why: "Secrets, logs and credentials leave the network of the workload on the way to AWS; where no way leads out, tasks \
          fail at start or run without logs.",
    remediation: Remediation {
        text: "Create the interface endpoint for each service the tasks use.",
        cli: "aws ec2 create-vpc-endpoint --vpc-id VPC --vpc-endpoint-type Interface --service-name \
             com.amazonaws.REGION.secretsmanager --subnet-ids SUBNET --security-group-ids SG --private-dns-enabled",
    },
    evaluate,
};

/// What it judges; images and the agent have checks of their own.
const NEEDS: [Need; 7] = [Need::Logs, Need::Secrets, Need::Parameters, Need::Keys, Need::Exec, Need::Tokens, Need::Files];

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for demand in estate.subnet_demands() {
        verdicts.judge(demand.subnet(), judge(demand));
    }
}

fn judge(demand: SubnetDemand<'_>) -> Judgement {
    let lacks = lacking(demand, &NEEDS)?;
    if lacks.is_empty() {
        return Ok(Verdict::Pass);
    }
    let (leads_out, way) = way_out(demand);
    let failure = fail(format!("{}: {way}", sentence(demand, &lacks)), evidence(demand, &lacks));
    if leads_out == Some(false) { failure.severity(Severity::High).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, default_route, fixture, gap, injects};
    use plimsoll_model::aws::ec2::{Route, VpcEndpoint};
    use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, Service, Task, TaskDefinition, Volume};
    use plimsoll_model::{Gap, Region, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with(account: Fixture, services: &[&str]) -> Fixture {
        services.iter().fold(account, |account, service| account.interface_endpoint(service))
    }

    /// The services that a subnet lacks.
    fn lacking(account: Fixture) -> Vec<String> {
        let found = findings(&CHECK, account);
        let endpoints = found.iter().filter_map(|finding| finding.evidence["endpoints"].as_array()).flatten();
        endpoints.map(|endpoint| endpoint["service"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_need_of_a_definition_takes_its_endpoint() {
        assert_eq!(lacking(fixture().shop()), ["logs"]);
        let busy =
            fixture().shop().each(|service: &mut Service| service.enable_execute_command = true).each(|definition: &mut TaskDefinition| {
                injects("arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf")(definition);
                injects("/shop/url")(definition);
                let efs = EfsVolumeConfiguration::default();
                definition.volumes = vec![Volume { efs_volume_configuration: Some(efs), ..Volume::default() }];
            });
        assert_eq!(lacking(busy.clone()), ["logs", "secretsmanager", "ssm", "ssmmessages", "elasticfilesystem"]);
        assert_eq!(lacking(with(busy.clone(), &["logs", "ssm", "elasticfilesystem"])), ["secretsmanager", "ssmmessages"]);
        let all = with(busy, &["logs", "secretsmanager", "ssm", "ssmmessages", "elasticfilesystem"]);
        assert_eq!(outcome(&CHECK, all.clone()), Pass);
        assert_eq!(outcome(&CHECK, all.without::<Task>()), Pass);
    }

    #[test]
    fn weighs_more_where_nothing_leads_out() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Fail(Severity::High));
        let out = |set: fn(&mut Route)| outcome(&CHECK, fixture().shop().each(default_route(set)));
        assert_eq!(out(|route| route.nat_gateway_id = Some("nat-1".to_owned())), Fail(Severity::Low));
        assert_eq!(out(|route| route.transit_gateway_id = Some("tgw-1".to_owned())), Fail(Severity::Low));
        assert_eq!(out(|route| route.gateway_id = Some("vpce-fw".to_owned())), Fail(Severity::Low));
        let message = findings(&CHECK, fixture().shop())[0].message.clone();
        assert_eq!(message, "subnet-a has no usable endpoint for logs: it has no default route either");
    }

    #[test]
    fn passes_when_nothing_is_needed_and_does_not_apply_to_idle_subnets() {
        let silent = |definition: &mut TaskDefinition| definition.container_definitions[0].log_configuration = None;
        assert_eq!(outcome(&CHECK, fixture().shop().each(silent)), Pass);
        assert_eq!(outcome(&CHECK, fixture().network()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_endpoints_services_or_roles_were_not_readable() {
        let served = || with(fixture().shop(), &["logs"]);
        assert_eq!(outcome(&CHECK, served().without::<VpcEndpoint>().denied("ec2:DescribeVpcEndpoints")), Unknown);
        assert_eq!(outcome(&CHECK, served().without::<Task>().each(|service: &mut Service| service.launch_type = None)), Unknown);
        let nodes = fixture().network().eks_cluster("k", |_| {}).nodegroup("k", "web", |_| {}).node("k", Some("web"), "n1", |_| {});
        assert_eq!(outcome(&CHECK, nodes.clone()), Pass);
        let unread = nodes.with(|inventory| {
            inventory.gaps.push(Gap { region: Region::global(), ..gap("iam:GetAccountAuthorizationDetails") });
        });
        assert_eq!(outcome(&CHECK, unread), Unknown);
    }
}
