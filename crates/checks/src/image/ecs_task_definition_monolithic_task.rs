//! Reads images, ports and programs of containers. Yields one verdict per task definition in scope; a failure names the
//! applications that share a task, or the process manager that starts several in one container.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-monolithic-task",
    title: "Task packs several applications into one task or container",
    severity: Severity::Informational,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[nist("CM-7")],
    fails_when: "More than one container has essential true (or absent) together with a non-empty portMappings and an \
                 image that is not a known sidecar (configured list: envoy, aws-appmesh-envoy, service connect, \
                 fluent-bit, firelens, datadog, otel, xray, cloudwatch-agent, nginx as proxy), or a command/entryPoint \
                 starts a process manager (supervisord, s6-svscan, runit, pm2 with several apps).",
    why: "Applications in one task share its role, its network and its fate: breaking into one reaches the permissions of \
          all, and none can be scaled, patched or confined alone.",
    remediation: Remediation {
        text: "Split the task into one service per container and keep only sidecars next to it.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # one application container; \
             then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Programs that start and watch several others.
const PROCESS_MANAGERS: &[&str] = &["supervisord", "s6-svscan", "runit", "runit-init", "runsvdir", "runsvdir-start"];

/// Programs that run one application or several, as their configuration says.
const POSSIBLE_PROCESS_MANAGERS: &[&str] = &["pm2", "pm2-runtime", "pm2-docker"];

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let is_application = |container: &ContainerDefinition| {
        container.essential != Some(false) && !container.port_mappings.is_empty() && !is_sidecar(definition, container)
    };
    let applications = containers_where(definition, is_application);
    let managers = programs(definition, PROCESS_MANAGERS);
    let mut facts = Vec::new();
    if applications.len() > 1 {
        facts.push(format!("{} are applications of their own", containers(&applications)));
    }
    if !managers.is_empty() {
        facts.push(format!("{} starts several programs", listed(&managers)));
    }
    let possible = facts.is_empty();
    if possible {
        let managers = programs(definition, POSSIBLE_PROCESS_MANAGERS);
        if managers.is_empty() {
            return Ok(Verdict::Pass);
        }
        facts.push(format!("{} may start several applications, as its configuration says", listed(&managers)));
    }
    let of_containers: Vec<_> = definition
        .container_definitions
        .iter()
        .map(|c| {
            json!({"name": c.name, "image": c.image, "essential": c.essential, "portMappings": c.port_mappings,
                "command": c.command, "entryPoint": c.entry_point})
        })
        .collect();
    let evidence = json!({"containerDefinitions": of_containers, "usedBy": users(definition)});
    let failure = fail(format!("{}: {}", definition.name(), facts.join(", and ")), evidence);
    if possible { failure.possible().verdict() } else { failure.verdict() }
}

/// `PROGRAM in container NAME` for the containers that start one of these programs.
fn programs(definition: Node<'_, TaskDefinition>, managers: &[&str]) -> Vec<String> {
    let started = |container: &'_ ContainerDefinition| {
        let words = container.entry_point.iter().chain(&container.command);
        words.filter_map(|words| words.program.clone()).find(|program| managers.contains(&program.as_str()))
    };
    let containers = definition.container_definitions.iter();
    containers.filter_map(|c| Some(format!("{} in container {}", started(c)?, c.name))).collect()
}

fn is_sidecar(definition: Node<'_, TaskDefinition>, container: &ContainerDefinition) -> bool {
    let words = &definition.estate().thresholds().sidecar_images;
    container.firelens_configuration.is_some()
        || definition.proxy_configuration.as_ref().is_some_and(|proxy| proxy.container_name == container.name)
        || words.iter().any(|word| has_word(&container.image, word))
}

/// Whether a text holds a word with nothing that belongs to a longer word on either side: `otel` is not in `hotel`.
fn has_word(text: &str, word: &str) -> bool {
    let ends = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + word.len()..).unwrap_or_default());
        ends(before.chars().next_back()) && ends(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, container, fixture};
    use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition, Words};
    use plimsoll_model::{Confidence, Severity};

    use super::{CHECK, has_word};
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn beside(second: ContainerDefinition) -> Fixture {
        fixture().shop().each(move |definition: &mut TaskDefinition| definition.container_definitions.push(second.clone()))
    }

    fn starts(program: &'static str) -> Fixture {
        let command = Some(Words { count: 2, program: Some(program.to_owned()) });
        fixture().shop().each(move |definition: &mut TaskDefinition| definition.container_definitions[0].command = command.clone())
    }

    #[test]
    fn fails_when_two_applications_listen() {
        let found = findings(&CHECK, beside(ContainerDefinition { essential: None, ..container("admin") }));
        assert_eq!(found[0].message, "web:1: containers app and admin are applications of their own");
        assert_eq!(found[0].severity, Severity::Informational);
    }

    #[test]
    fn passes_when_the_second_is_no_application() {
        for sidecar in [
            "public.ecr.aws/datadog/agent:7",
            "gcr.io/datadoghq/agent:7",
            "amazon/aws-for-fluent-bit:stable",
            "nginx:1.29",
            "aws-otel-collector",
        ] {
            assert_eq!(
                outcome(&CHECK, beside(ContainerDefinition { image: sidecar.to_owned(), ..container("sidecar") })),
                Pass,
                "{sidecar}"
            );
        }
        assert_eq!(outcome(&CHECK, beside(ContainerDefinition { essential: Some(false), ..container("helper") })), Pass);
        assert_eq!(outcome(&CHECK, beside(ContainerDefinition { port_mappings: Vec::new(), ..container("worker") })), Pass);
    }

    #[test]
    fn fails_when_a_process_manager_starts() {
        assert_eq!(outcome(&CHECK, starts("supervisord")), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, starts("node")), Pass);
    }

    #[test]
    fn a_manager_that_may_run_one_application_is_possible() {
        let found = findings(&CHECK, starts("pm2-runtime"));
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert_eq!(found[0].message, "web:1: pm2-runtime in container app may start several applications, as its configuration says");
    }

    #[test]
    fn a_hotel_is_no_collector() {
        assert!(!has_word("registry.example.com/hotel-booking:3", "otel"));
        assert!(has_word("otel/opentelemetry-collector", "otel"));
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn the_configuration_names_the_sidecars() {
        let account = beside(ContainerDefinition { image: "acme/mesh-agent:2".to_owned(), ..container("mesh") });
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Informational));
        let account = account.thresholds(|thresholds| thresholds.sidecar_images = vec!["mesh-agent".to_owned()]);
        assert_eq!(outcome(&CHECK, account), Pass);
    }
}
