//! Reads `readonlyRootFilesystem` of each container. Yields one verdict per Linux task definition in scope; a failure
//! names every container that may write.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist, pci};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-writable-root-filesystem",
    title: "Container can write to its root filesystem",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.5"), cis_docker("5.13"), nist("AC-3"), nist("CM-7"), pci("7.2.1?")],
    fails_when: "operatingSystemFamily is LINUX or absent and containerDefinitions[].readonlyRootFilesystem is absent or \
                 false.",
    why: "Whoever breaks into the container can replace its programs and leave tools behind, and what runs is no longer \
          what the image holds.",
    remediation: Remediation {
        text: "Set readonlyRootFilesystem to true and mount a volume or tmpfs on the paths that must be written. ECS \
              Exec needs a writable path for its agent, so test it.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # readonlyRootFilesystem=true; \
             then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Windows has no read-only root file system.
    if !definition.is_linux() {
        return Ok(Verdict::NotApplicable);
    }
    let writable = containers_where(definition, may_write);
    if writable.is_empty() {
        return Ok(Verdict::Pass);
    }
    let of_containers: Vec<_> = definition
        .container_definitions
        .iter()
        .filter(|container| may_write(container))
        .map(|c| json!({"name": c.name, "readonlyRootFilesystem": c.readonly_root_filesystem, "mountPoints": c.mount_points}))
        .collect();
    let evidence = json!({"containerDefinitions": of_containers, "usedBy": users(definition)});
    let can = if writable.len() == 1 { "can write to its" } else { "can write to their" };
    fail(format!("{} of {} {can} root file system", containers(&writable), definition.name()), evidence).verdict()
}

fn may_write(container: &ContainerDefinition) -> bool {
    container.readonly_root_filesystem != Some(true)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{container, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn writable(definition: &mut TaskDefinition) {
        definition.container_definitions.push(ContainerDefinition { readonly_root_filesystem: None, ..container("log") });
    }

    #[test]
    fn fails_when_one_container_may_write() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(writable)), Fail(Severity::Medium));
        let found = findings(&CHECK, fixture().shop().each(writable));
        assert_eq!(found[0].message, "container log of web:1 can write to its root file system");
    }

    #[test]
    fn passes_when_every_root_file_system_is_read_only() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn does_not_apply_to_windows_containers() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            writable(definition);
            definition.runtime_platform.as_mut().unwrap().operating_system_family = Some("WINDOWS_SERVER_2019_FULL".to_owned());
        });
        assert_eq!(outcome(&CHECK, account), NotApplicable);
    }

    #[test]
    fn applies_when_no_platform_is_named() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            writable(definition);
            definition.runtime_platform = None;
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
