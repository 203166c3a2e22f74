//! Reads the network mode and the users of containers. Yields one verdict per task definition in scope; a failure is
//! worse when a container is root in the network of the host.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-host-network",
    title: "Task uses the network of the host",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.17"), fsbp("ECS.1"), cis_docker("5.10"), nist("AC-4"), nist("SC-7")],
    fails_when: "networkMode == \"host\". Severity is critical when the same container is also root (user absent, \"0\" \
                 or \"root\") and not privileged, the condition of the retired Security Hub control ECS.1.",
    why: "In host mode no security group stands around the task: it listens on the addresses of the instance, reaches its \
          local services and, through the metadata service, the instance role.",
    remediation: Remediation {
        text: "Move the task to awsvpc network mode and give it its own security group.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # networkMode=awsvpc; then: aws \
             ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate forces awsvpc, so AWS meets the control there.
    if definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    if definition.network_mode.as_deref() != Some("host") {
        return Ok(Verdict::Pass);
    }
    let of_containers: Vec<_> = definition
        .container_definitions
        .iter()
        .map(|container| {
            // Left out, the port of the host is that of the container.
            let ports = container.port_mappings.iter().filter_map(|mapping| mapping.host_port.or(mapping.container_port));
            let ports: Vec<_> = ports.map(|port| json!({"hostPort": port})).collect();
            json!({"name": container.name, "user": container.user, "privileged": container.privileged, "portMappings": ports})
        })
        .collect();
    let evidence = json!({"networkMode": definition.network_mode, "containerDefinitions": of_containers, "usedBy": users(definition)});
    let message = format!("{} runs in the network of its host", definition.name());
    // Privileged containers have a check of their own.
    let root = containers_where(definition, |container| container.privileged != Some(true) && is_root(container));
    if root.is_empty() {
        return fail(message, evidence).verdict();
    }
    fail(format!("{message}, with {} as root or without a user", containers(&root)), evidence).severity(Severity::Critical).verdict()
}

/// Whether the definition makes it root, by name or number, or leaves the user to the image.
fn is_root(container: &ContainerDefinition) -> bool {
    let user = container.user.as_deref().and_then(|user| user.split(':').next());
    matches!(user, None | Some("" | "0" | "root"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host(user: Option<&str>, privileged: bool) -> Fixture {
        fixture().on_ec2(|definition| {
            definition.network_mode = Some("host".to_owned());
            definition.container_definitions[0].user = user.map(str::to_owned);
            definition.container_definitions[0].privileged = Some(privileged);
        })
    }

    #[test]
    fn fails_in_host_mode() {
        assert_eq!(outcome(&CHECK, host(Some("1000"), false)), Fail(Severity::High));
        assert_eq!(findings(&CHECK, host(Some("app:root"), false))[0].message, "agent:1 runs in the network of its host");
    }

    #[test]
    fn is_critical_when_a_container_is_root_there() {
        for user in [None, Some("0"), Some("root"), Some("0:1000")] {
            assert_eq!(outcome(&CHECK, host(user, false)), Fail(Severity::Critical), "{user:?}");
        }
    }

    #[test]
    fn evidence_names_fields_as_aws_does() {
        let container = &findings(&CHECK, host(Some("0"), false))[0].evidence["containerDefinitions"][0];
        assert_eq!(*container, json!({"name": "app", "user": "0", "privileged": false, "portMappings": [{"hostPort": 8080}]}));
    }

    #[test]
    fn a_privileged_root_is_left_to_its_own_check() {
        assert_eq!(outcome(&CHECK, host(None, true)), Fail(Severity::High));
    }

    #[test]
    fn passes_in_another_mode() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture().on_ec2(|definition| definition.network_mode = None)), Pass);
    }

    #[test]
    fn does_not_apply_on_fargate() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
