//! Reads the network mode. Yields one verdict per task definition that may run on EC2; a failure weighs less when no
//! container publishes a port.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::reading::{DEFINITION_NEEDS, is_validated_for_fargate, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-bridge-network",
    title: "Task in bridge mode cannot have its own security group",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[nist("AC-4"), nist("SC-7"), cis_docker("5.30?")],
    fails_when: "networkMode == \"bridge\" or networkMode is absent while compatibilities contains EC2 or EXTERNAL \
                 (absent means bridge on Linux, NAT on Windows). networkMode none does not fail. Report low when every \
                 container has an empty portMappings.",
    why: "All tasks of a host in bridge mode share its address and its security groups, so a rule that one of them needs \
          is open to all of them.",
    remediation: Remediation {
        text: "Move the task to awsvpc network mode so that a security group filters each task.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # networkMode=awsvpc; then: aws \
             ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate and ECS Managed Instances have no bridge mode, and ECS Anywhere has no other to offer.
    if is_validated_for_fargate(definition.data()) || !definition.launch().ec2 {
        return Ok(Verdict::NotApplicable);
    }
    // Left out, it means bridge on Linux and NAT on Windows.
    if !matches!(definition.network_mode.as_deref(), None | Some("bridge" | "nat")) {
        return Ok(Verdict::Pass);
    }
    let of_containers: Vec<_> = definition
        .container_definitions
        .iter()
        .map(|container| json!({"name": container.name, "portMappings": container.port_mappings, "links": container.links}))
        .collect();
    let evidence = json!({"networkMode": definition.network_mode, "containerDefinitions": of_containers, "usedBy": users(definition)});
    let mode = if definition.is_linux() { "bridge" } else { "NAT" };
    let publishing = definition.container_definitions.iter().filter(|container| !container.port_mappings.is_empty()).count();
    let ports = match publishing {
        0 => "no container publishes".to_owned(),
        1 => "1 container publishes".to_owned(),
        n => format!("{n} containers publish"),
    };
    let message = format!("{} runs in {mode} mode behind the security groups of its host, and {ports} ports", definition.name());
    fail(message, evidence).severity(if publishing == 0 { Severity::Low } else { Severity::Medium }).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn mode(mode: Option<&str>) -> Fixture {
        fixture().on_ec2(|definition| definition.network_mode = mode.map(str::to_owned))
    }

    #[test]
    fn fails_in_bridge_mode_which_is_also_the_default() {
        assert_eq!(outcome(&CHECK, mode(Some("bridge"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, mode(None)), Fail(Severity::Medium));
        assert_eq!(
            findings(&CHECK, mode(None))[0].message,
            "agent:1 runs in bridge mode behind the security groups of its host, and 1 container publishes ports"
        );
    }

    #[test]
    fn is_low_when_no_container_publishes_a_port() {
        let account = fixture().on_ec2(|definition| {
            definition.network_mode = Some("bridge".to_owned());
            definition.container_definitions[0].port_mappings.clear();
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn passes_in_other_modes() {
        for other in ["awsvpc", "none", "host"] {
            assert_eq!(outcome(&CHECK, mode(Some(other))), Pass, "{other}");
        }
    }

    #[test]
    fn does_not_apply_where_there_is_no_choice() {
        assert_eq!(outcome(&CHECK, fixture().task_definition("web", |_| {})), NotApplicable);
        for launch in ["EXTERNAL", "MANAGED_INSTANCES"] {
            let account = fixture().ec2_task_definition("agent", |definition| {
                definition.network_mode = None;
                definition.compatibilities = vec![launch.to_owned()];
            });
            assert_eq!(outcome(&CHECK, account), NotApplicable, "{launch}");
        }
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
