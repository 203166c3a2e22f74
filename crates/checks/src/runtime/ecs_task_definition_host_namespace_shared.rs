//! Reads `pidMode` and `ipcMode`. Yields one verdict per task definition in scope; a failure names the namespaces that
//! the task shares with its host.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist, pci};
use crate::reading::{DEFINITION_NEEDS, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-host-namespace-shared",
    title: "Task shares the process or IPC namespace of the host",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.3"), cis_docker("5.16"), cis_docker("5.17"), nist("AC-6"), nist("CM-7"), pci("1.4.5?")],
    fails_when: "pidMode == \"host\" (high) or ipcMode == \"host\" (medium when alone). pidMode \"task\" and ipcMode \
                 \"task\" or \"none\" share nothing with the host and pass.",
    why: "In the process namespace of the host a container sees every process there, with its environment and its files; in \
          the IPC namespace it reads and writes the shared memory of other programs.",
    remediation: Remediation {
        text: "Remove pidMode and ipcMode, or set them to task.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # pidMode=task; then: aws ecs \
             update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate accepts only pidMode task and no ipcMode, so AWS meets the control there.
    if definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    let (process, ipc) = (definition.pid_mode.as_deref() == Some("host"), definition.ipc_mode.as_deref() == Some("host"));
    let (namespaces, severity) = match (process, ipc) {
        (false, false) => return Ok(Verdict::Pass),
        (true, false) => ("process namespace", Severity::High),
        (true, true) => ("process and IPC namespaces", Severity::High),
        (false, true) => ("IPC namespace", Severity::Medium),
    };
    let evidence = json!({
        "pidMode": definition.pid_mode,
        "ipcMode": definition.ipc_mode,
        "taskRoleArn": definition.task_role_arn,
        "compatibilities": definition.compatibilities,
        "usedBy": users(definition),
    });
    fail(format!("{} shares the {namespaces} of its host", definition.name()), evidence).severity(severity).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn modes(process: Option<&str>, ipc: Option<&str>) -> Fixture {
        fixture().on_ec2(|definition| {
            definition.pid_mode = process.map(str::to_owned);
            definition.ipc_mode = ipc.map(str::to_owned);
        })
    }

    #[test]
    fn fails_when_the_task_sees_the_processes_of_the_host() {
        assert_eq!(outcome(&CHECK, modes(Some("host"), None)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, modes(Some("host"), Some("host"))), Fail(Severity::High));
    }

    #[test]
    fn the_ipc_namespace_alone_is_medium() {
        assert_eq!(outcome(&CHECK, modes(Some("task"), Some("host"))), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_namespaces_are_shared_within_the_task_or_not_at_all() {
        assert_eq!(outcome(&CHECK, modes(Some("task"), Some("task"))), Pass);
        assert_eq!(outcome(&CHECK, modes(None, Some("none"))), Pass);
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
