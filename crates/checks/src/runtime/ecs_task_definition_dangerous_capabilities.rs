//! Reads the Linux capabilities that each container adds. Yields one verdict per task definition in scope; a failure
//! names the containers and what they add.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::escape::{TRACE, dangerous_capabilities};
use crate::reading::{DEFINITION_NEEDS, containers, is_capability, is_for_fargate, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-dangerous-capabilities",
    title: "Container adds a Linux capability that allows host takeover",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Shared, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[cis_docker("5.4"), nist("AC-6"), nist("CM-7")],
    fails_when: "Any containerDefinitions[].linuxParameters.capabilities.add contains ALL, SYS_ADMIN, SYS_MODULE, \
                 SYS_PTRACE (when pidMode is host or compatibilities contains EC2), SYS_RAWIO, SYS_BOOT, SYS_TIME, \
                 DAC_READ_SEARCH, NET_ADMIN (with networkMode host), BPF, PERFMON or SYSLOG. On Fargate the only \
                 capability that can be added is SYS_PTRACE: that alone is reported as low.",
    why: "These capabilities reach the kernel past the isolation of the container: with one of them code in the container \
          can load modules, read any file or memory of the host, or trace its processes.",
    remediation: Remediation {
        text: "Remove the capability, or move the program that needs it to a dedicated cluster.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             linuxParameters.capabilities.add=[]; then: aws ecs update-service --cluster CLUSTER --service SERVICE \
             --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let mut names: Vec<&str> = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    let mut evidence = Vec::new();
    for container in &definition.data().container_definitions {
        let capabilities = container.linux_parameters.as_ref().and_then(|parameters| parameters.capabilities.as_ref());
        let add = capabilities.map(|capabilities| capabilities.add.as_slice()).unwrap_or_default();
        let before = added.len();
        added.extend(dangerous_capabilities(definition, container));
        if added.len() > before {
            names.push(&container.name);
            evidence.push(json!({"name": container.name, "linuxParameters": {"capabilities": {"add": add}}}));
        }
    }
    if names.is_empty() {
        return Ok(Verdict::Pass);
    }
    added.sort_unstable();
    added.dedup();
    let evidence = json!({
        "containerDefinitions": evidence,
        "pidMode": definition.pid_mode,
        "networkMode": definition.network_mode,
        "compatibilities": definition.compatibilities,
        "usedBy": users(definition),
    });
    let adds = if names.len() == 1 { "adds" } else { "add" };
    let failure = fail(format!("{} of {} {adds} {}", containers(&names), definition.name(), listed(&added)), evidence);
    let only_traces = added.iter().all(|added| is_capability(added, TRACE));
    if only_traces && is_for_fargate(definition) { failure.severity(Severity::Low).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::fixture;
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{KernelCapabilities, LinuxParameters, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn adds(capability: &str) -> impl Fn(&mut TaskDefinition) + use<> {
        let capabilities = Some(KernelCapabilities { add: vec![capability.to_owned()], drop: vec!["ALL".to_owned()] });
        let parameters = LinuxParameters { capabilities, ..LinuxParameters::default() };
        move |definition| definition.container_definitions[0].linux_parameters = Some(parameters.clone())
    }

    #[test]
    fn fails_when_a_container_adds_what_lets_it_out() {
        for capability in ["ALL", "SYS_ADMIN", "CAP_SYS_MODULE", "SYS_PTRACE", "SYSLOG"] {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(adds(capability))), Fail(Severity::High), "{capability}");
        }
    }

    #[test]
    fn net_admin_matters_in_the_network_of_the_host_only() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(adds("NET_ADMIN"))), Pass);
        let host_network = |definition: &mut TaskDefinition| {
            adds("NET_ADMIN")(definition);
            definition.network_mode = Some("host".to_owned());
        };
        assert_eq!(outcome(&CHECK, fixture().on_ec2(host_network)), Fail(Severity::High));
    }

    #[test]
    fn tracing_on_ecs_anywhere_matters_with_the_processes_of_the_host_only() {
        let external = |pid_mode: Option<&str>| {
            let pid_mode = pid_mode.map(str::to_owned);
            fixture().ec2_task_definition("agent", |definition| {
                adds("SYS_PTRACE")(definition);
                definition.compatibilities = vec!["EXTERNAL".to_owned()];
                definition.requires_compatibilities.clone_from(&definition.compatibilities);
                definition.pid_mode = pid_mode;
            })
        };
        assert_eq!(outcome(&CHECK, external(None)), Pass);
        assert_eq!(outcome(&CHECK, external(Some("host"))), Fail(Severity::Medium), "nothing runs it");
    }

    #[test]
    fn tracing_on_fargate_is_low() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(adds("SYS_PTRACE"))), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_a_harmless_capability_is_added() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(adds("NET_BIND_SERVICE"))), Pass);
    }

    #[test]
    fn the_message_names_container_and_capability() {
        let found = findings(&CHECK, fixture().on_ec2(adds("SYS_ADMIN")));
        assert_eq!(found[0].message, "container app of agent:1 adds SYS_ADMIN");
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
