//! Reads the `privileged` flag of each container. Yields one verdict per task definition in scope; a failure names
//! every privileged container.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist, pci};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-privileged-container",
    title: "Container runs in privileged mode on the host",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.4"), cis_docker("5.5"), nist("AC-6"), nist("CM-7"), pci("7.2.1"), pci("7.2.2")],
    fails_when: "Any containerDefinitions[].privileged == true and compatibilities contains EC2 or EXTERNAL (or \
                 MANAGED_INSTANCES). Absent means false.",
    why: "A privileged container has every capability and every device of its host: whoever breaks into it owns the host, \
          the credentials of the instance role and those of every other task there.",
    remediation: Remediation {
        text: "Set privileged to false and add only the single Linux capability the program needs.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # privileged=false; then: aws ecs \
             update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate rejects privileged containers, so AWS meets the control there.
    if definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    let privileged = containers_where(definition, |container| container.privileged == Some(true));
    if privileged.is_empty() {
        return Ok(Verdict::Pass);
    }
    let of_containers: Vec<_> = privileged.iter().map(|name| json!({"name": name, "privileged": true})).collect();
    let evidence = json!({"containerDefinitions": of_containers, "networkMode": definition.network_mode, "usedBy": users(definition)});
    fail(format!("{} of {} may do anything on the host", containers(&privileged), definition.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::TaskDefinition;
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn privileged(definition: &mut TaskDefinition) {
        definition.container_definitions[0].privileged = Some(true);
    }

    fn on_ec2() -> Fixture {
        fixture().cluster("shop", |_| {}).service("shop", "agent", |service| service.launch_type = Some("EC2".to_owned()))
    }

    #[test]
    fn fails_when_a_container_on_ec2_is_privileged() {
        assert_eq!(outcome(&CHECK, on_ec2().ec2_task_definition("agent", privileged)), Fail(Severity::High));
    }

    #[test]
    fn evidence_names_fields_as_aws_does() {
        let found = findings(&CHECK, on_ec2().ec2_task_definition("agent", privileged));
        assert_eq!(found[0].evidence["containerDefinitions"], json!([{"name": "app", "privileged": true}]));
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        assert_eq!(outcome(&CHECK, fixture().ec2_task_definition("agent", privileged)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_flag_is_false_or_absent() {
        let account = on_ec2().ec2_task_definition("agent", |definition| definition.container_definitions[0].privileged = Some(false));
        assert_eq!(outcome(&CHECK, account), Pass);
        assert_eq!(outcome(&CHECK, on_ec2().ec2_task_definition("agent", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_on_fargate() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(privileged)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, on_ec2().denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn a_clean_definition_is_withheld_when_tasks_were_not_listed() {
        assert_eq!(outcome(&CHECK, on_ec2().ec2_task_definition("agent", |_| {}).denied("ecs:ListTasks")), Unknown);
    }
}
