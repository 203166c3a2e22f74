//! Reads memory limits and ulimits. Yields one verdict per task definition that may run on a host; a failure names the
//! containers without a hard limit.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, is_validated_for_fargate, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-no-resource-limit",
    title: "Container can use up the memory of its host",
    severity: Severity::Low,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[cis_docker("5.11"), nist("SC-5")],
    fails_when: "compatibilities contains EC2 or EXTERNAL, task-level memory is absent, and containerDefinitions[].memory \
                 is absent (memoryReservation alone is a soft limit). Also fails when ulimits contains nofile or nproc \
                 with hardLimit -1.",
    why: "A container without a hard limit that leaks memory, or is made to, starves the host: the kernel then kills \
          processes of its neighbours too.",
    remediation: Remediation {
        text: "Set a hard memory limit on the task or on each container.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # memory=512; then: aws ecs \
             update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Limits that keep one container from using up files or processes of the host.
const LIMITS: &[&str] = &["nofile", "nproc"];

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate asks for cpu and memory of the task.
    if is_validated_for_fargate(definition.data()) || definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    let unlimited = match definition.memory {
        Some(_) => Vec::new(),
        None => containers_where(definition, |container| container.memory.is_none()),
    };
    let endless = containers_where(definition, has_endless_limit);
    let mut facts = Vec::new();
    if !unlimited.is_empty() {
        facts.push(format!("no hard memory limit holds for {}", containers(&unlimited)));
    }
    if !endless.is_empty() {
        facts.push(format!("files or processes are unlimited for {}", containers(&endless)));
    }
    if facts.is_empty() {
        return Ok(Verdict::Pass);
    }
    let failing = definition.container_definitions.iter().filter(|c| unlimited.contains(&c.name.as_str()) || has_endless_limit(c));
    let of_containers: Vec<_> = failing
        .map(|c| json!({"name": c.name, "memory": c.memory, "memoryReservation": c.memory_reservation, "ulimits": c.ulimits}))
        .collect();
    let evidence = json!({"memory": definition.memory, "containerDefinitions": of_containers, "usedBy": users(definition)});
    fail(format!("{}: {}", definition.name(), facts.join(", and ")), evidence).verdict()
}

fn has_endless_limit(container: &ContainerDefinition) -> bool {
    container.ulimits.iter().any(|ulimit| ulimit.hard_limit == -1 && LIMITS.contains(&ulimit.name.as_str()))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{container, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{TaskDefinition, Ulimit};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn unlimited(definition: &mut TaskDefinition) {
        definition.memory = None;
        definition.container_definitions[0].memory = None;
        definition.container_definitions[0].memory_reservation = Some(128);
        definition.container_definitions.push(container("sidecar"));
    }

    fn ulimit(name: &'static str, hard_limit: i32) -> impl Fn(&mut TaskDefinition) {
        move |definition| {
            definition.container_definitions[0].ulimits = vec![Ulimit { name: name.to_owned(), soft_limit: 1024, hard_limit }];
        }
    }

    #[test]
    fn fails_when_a_container_has_only_a_soft_limit() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(unlimited)), Fail(Severity::Low));
        assert_eq!(findings(&CHECK, fixture().on_ec2(unlimited))[0].message, "agent:1: no hard memory limit holds for container app");
    }

    #[test]
    fn fails_when_files_or_processes_are_unlimited() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(ulimit("nofile", -1))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, fixture().on_ec2(ulimit("nofile", 65_536))), Pass);
        assert_eq!(outcome(&CHECK, fixture().on_ec2(ulimit("core", -1))), Pass);
    }

    #[test]
    fn passes_when_the_task_or_every_container_is_limited() {
        let task = fixture().on_ec2(|definition| definition.container_definitions[0].memory = None);
        assert_eq!(outcome(&CHECK, task), Pass);
        assert_eq!(outcome(&CHECK, fixture().on_ec2(|definition| definition.memory = None)), Pass);
    }

    #[test]
    fn does_not_apply_to_fargate_definitions() {
        assert_eq!(outcome(&CHECK, fixture().task_definition("web", ulimit("nofile", -1))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
