//! Reads the host volumes that containers mount. Yields one verdict per task definition in scope; a failure names every
//! mount that holds a socket of the container runtime.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::reading::{DEFINITION_NEEDS, HostMount, containers, distinct, holds_runtime_socket, host_mounts, host_path, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-docker-socket-mount",
    title: "Container mounts the container runtime socket of the host",
    severity: Severity::Critical,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[cis_docker("5.32"), nist("AC-6"), nist("CM-7")],
    fails_when: "A volumes[].host.sourcePath is /, /var/run, /run, /var/run/docker.sock, /run/docker.sock, \
                 /run/containerd or /run/containerd/containerd.sock (normalise the path; a parent directory counts), and \
                 any containerDefinitions[].mountPoints[].sourceVolume names it. readOnly does not help: the socket still \
                 takes commands.",
    why: "Whoever can talk to the runtime can start a privileged container on the host: the socket is root on the host and \
          on every other task there, even when it is mounted read-only.",
    remediation: Remediation {
        text: "Remove the volume; if an agent must talk to the runtime, run it as a daemon service on a dedicated \
              cluster.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # remove the host volume; then: \
             aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate accepts no host.sourcePath, so AWS meets the control there.
    if definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    let mounts: Vec<HostMount<'_>> =
        host_mounts(definition.data()).filter(|mount| holds_runtime_socket(&host_path(mount.source_path()))).collect();
    if mounts.is_empty() {
        return Ok(Verdict::Pass);
    }
    let (names, paths) = (distinct(mounts.iter().map(HostMount::container_name)), distinct(mounts.iter().map(HostMount::source_path)));
    let evidence = json!({
        "mountPoints": mounts.iter().map(HostMount::evidence).collect::<Vec<_>>(),
        "taskRoleArn": definition.task_role_arn,
        "usedBy": users(definition),
    });
    let mount = if names.len() == 1 { "mounts" } else { "mount" };
    let message =
        format!("{} of {} {mount} {}, which holds the runtime socket of the host", containers(&names), definition.name(), listed(&paths));
    fail(message, evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, mounts};
    use plimsoll_model::Severity;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    #[test]
    fn fails_when_the_socket_or_a_directory_above_it_is_mounted() {
        for path in
            ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd", "/run/containerd/containerd.sock", "/var/run/", "/", "/run//."]
        {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(path, false))), Fail(Severity::Critical), "{path}");
        }
    }

    #[test]
    fn read_only_does_not_help() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts("/var/run/docker.sock", true))), Fail(Severity::Critical));
    }

    #[test]
    fn fails_for_the_pipe_of_a_windows_host() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(r"\\.\pipe\docker_engine", false))), Fail(Severity::Critical));
    }

    #[test]
    fn passes_when_a_neighbour_of_the_socket_is_mounted_or_no_container_mounts_it() {
        for path in ["/run/docker.socket", "/run/app", "/srv/run"] {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(path, false))), Pass, "{path}");
        }
        let unused = fixture().on_ec2(|definition| {
            mounts("/run/docker.sock", false)(definition);
            definition.container_definitions[0].mount_points.clear();
        });
        assert_eq!(outcome(&CHECK, unused), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        let account = fixture().ec2_task_definition("agent", mounts("/run/docker.sock", false));
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn does_not_apply_on_fargate() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
    }

    #[test]
    fn the_message_names_container_and_path() {
        let found = findings(&CHECK, fixture().on_ec2(mounts("/var/run", true)));
        assert_eq!(found[0].message, "container app of agent:1 mounts /var/run, which holds the runtime socket of the host");
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
