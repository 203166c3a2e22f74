//! Reads the log driver of each container, and whether a log agent runs on the hosts of the clusters in question. Yields
//! one verdict per task definition in scope; a failure names every container whose logs leave nowhere.

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecs::{ContainerDefinition, Service, TaskDefinition};
use plimsoll_model::{Gap, Severity, Thresholds};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-logging-missing",
    title: "Container sends no logs",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.9"), nist("AU-2"), nist("AU-12"), pci("10.2.1")],
    fails_when: "containerDefinitions[].logConfiguration is absent, or logDriver is none or empty. json-file and journald \
                 on EC2 fail as low (logs stay on the host) unless a known log agent daemon service runs in the cluster. \
                 A container with firelensConfiguration is itself the router and passes.",
    why: "When the container is gone its output is gone with it: a break-in or a crash leaves nothing to look at.",
    remediation: Remediation {
        text: "Set logConfiguration to awslogs or awsfirelens for every container.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             logConfiguration={logDriver:awslogs}; then: aws ecs update-service --cluster CLUSTER --service SERVICE \
             --task-definition FAMILY",
    },
    evaluate,
};

/// Drivers that keep logs on the host, where only an agent picks them up.
const LOCAL_DRIVERS: [&str; 2] = ["json-file", "journald"];

/// The log agent of a cluster's hosts.
enum Agent {
    Runs,
    /// A daemon runs whose image is not known.
    Maybe(Unknown),
}

/// By ARN of the cluster; a cluster without daemon is not there.
type Agents<'e> = FxHashMap<&'e str, Agent>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let agents = agents(estate);
    verdicts.each_definition(|definition| judge(definition, &agents));
}

fn agents<'e>(estate: &'e Estate<'e>) -> Agents<'e> {
    let mut agents = Agents::default();
    let known = |container: &ContainerDefinition| is_log_agent(container, estate.thresholds());
    for service in estate.active_services().filter(|service| is_daemon(*service)) {
        let agent = match service.task_definition().map(plimsoll_graph::Link::known) {
            Some(Ok(definition)) if definition.data().container_definitions.iter().any(known) => Agent::Runs,
            Some(Ok(_)) | None => continue,
            Some(Err(unknown)) => Agent::Maybe(unknown),
        };
        let cluster = agents.entry(service.data().cluster_arn.as_str());
        cluster
            .and_modify(|known| {
                if matches!(agent, Agent::Runs) {
                    *known = Agent::Runs;
                }
            })
            .or_insert(agent);
    }
    agents
}

fn is_daemon(service: Node<'_, Service>) -> bool {
    service.scheduling_strategy.as_deref() == Some("DAEMON") && service.running_count > 0
}

fn is_log_agent(container: &ContainerDefinition, thresholds: &Thresholds) -> bool {
    let image = container.image.to_ascii_lowercase();
    thresholds.log_agent_images.iter().any(|name| image.contains(&name.to_ascii_lowercase()))
}

fn judge(definition: Node<'_, TaskDefinition>, agents: &Agents<'_>) -> Judgement {
    let silent = containers_where(definition, is_silent);
    let local = containers_where(definition, is_local);
    if silent.is_empty() && (local.is_empty() || picked_up(definition, agents)?) {
        return Ok(Verdict::Pass);
    }
    let failing = definition.data().container_definitions.iter().filter(|container| is_silent(container) || is_local(container));
    let told = |container: &ContainerDefinition| json!({"name": container.name, "logConfiguration": {"logDriver": driver(container)}});
    let evidence = json!({"containerDefinitions": failing.map(told).collect::<Vec<Value>>(), "usedBy": users(definition)});
    if silent.is_empty() {
        let keep = if local.len() == 1 { "keeps" } else { "keep" };
        let message =
            format!("{} of {} {keep} logs on the host, where no known agent collects them", containers(&local), definition.name());
        return fail(message, evidence).severity(Severity::Low).verdict();
    }
    let send = if silent.len() == 1 { "sends" } else { "send" };
    fail(format!("{} of {} {send} no logs", containers(&silent), definition.name()), evidence).verdict()
}

fn driver(container: &ContainerDefinition) -> Option<&str> {
    container.log_configuration.as_ref()?.log_driver.as_deref()
}

/// A container with FireLens is the router of the others' logs.
fn is_silent(container: &ContainerDefinition) -> bool {
    container.firelens_configuration.is_none() && matches!(driver(container), None | Some("" | "none"))
}

fn is_local(container: &ContainerDefinition) -> bool {
    container.firelens_configuration.is_none() && driver(container).is_some_and(|driver| LOCAL_DRIVERS.contains(&driver))
}

/// Whether a log agent runs in every cluster that runs the revision.
fn picked_up(definition: Node<'_, TaskDefinition>, agents: &Agents<'_>) -> Result<bool, Unknown> {
    if !definition.in_use()? {
        return Ok(false);
    }
    let mut unsure = None;
    let of_services = definition.services().map(|service| service.data().cluster_arn.as_str());
    for cluster in of_services.chain(definition.tasks().map(|task| task.data().cluster_arn.as_str())) {
        match agents.get(cluster) {
            Some(Agent::Runs) => {}
            Some(Agent::Maybe(unknown)) => unsure = Some(unknown.clone()),
            None => match unlisted(definition) {
                Some(gap) => unsure = Some(gap.into()),
                None => return Ok(false),
            },
        }
    }
    unsure.map_or(Ok(true), Err)
}

/// Why a daemon may run that was not seen.
fn unlisted(definition: Node<'_, TaskDefinition>) -> Option<Gap> {
    let coverage = definition.estate().coverage();
    ["ecs:ListServices", "ecs:DescribeServices"]
        .iter()
        .find_map(|operation| coverage.check(definition.account(), definition.region(), operation).err())
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, container, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ContainerDefinition, FirelensConfiguration, LogConfiguration, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, Outcome, Pass, Unknown, findings, outcome};

    fn logging(driver: Option<&str>) -> impl Fn(&mut ContainerDefinition) {
        let configuration = driver.map(|driver| LogConfiguration { log_driver: Some(driver.to_owned()), ..Default::default() });
        move |container| container.log_configuration.clone_from(&configuration)
    }

    fn outcome_of(driver: Option<&str>) -> Outcome {
        let change = logging(driver);
        outcome(&CHECK, fixture().shop().each(|definition: &mut TaskDefinition| change(&mut definition.container_definitions[0])))
    }

    /// Service `app` on EC2 whose container keeps its logs on the host.
    fn on_host() -> Fixture {
        fixture()
            .cluster("shop", |_| {})
            .ec2_task_definition("app", |definition| logging(Some("json-file"))(&mut definition.container_definitions[0]))
            .service("shop", "app", |service| service.launch_type = Some("EC2".to_owned()))
    }

    fn daemon(account: Fixture, image: &str) -> Fixture {
        account.ec2_task_definition("agent", |definition| image.clone_into(&mut definition.container_definitions[0].image)).service(
            "shop",
            "agent",
            |service| service.scheduling_strategy = Some("DAEMON".to_owned()),
        )
    }

    #[test]
    fn fails_when_a_container_has_no_log_driver() {
        assert_eq!(outcome_of(None), Fail(Severity::Medium));
        assert_eq!(outcome_of(Some("none")), Fail(Severity::Medium));
        assert_eq!(outcome_of(Some("")), Fail(Severity::Medium));
    }

    #[test]
    fn passes_with_a_driver_that_sends_logs_away() {
        assert_eq!(outcome_of(Some("awslogs")), Pass);
        assert_eq!(outcome_of(Some("awsfirelens")), Pass);
    }

    #[test]
    fn the_log_router_itself_passes() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            let firelens_configuration = Some(FirelensConfiguration { kind: "fluentbit".to_owned() });
            let router = ContainerDefinition { firelens_configuration, log_configuration: None, ..container("router") };
            definition.container_definitions.push(router);
        });
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn logs_that_stay_on_the_host_are_low() {
        assert_eq!(outcome(&CHECK, on_host()), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, daemon(on_host(), "public.ecr.aws/acme/cache:1")), Fail(Severity::Low));
    }

    #[test]
    fn a_log_agent_on_the_hosts_picks_them_up() {
        assert_eq!(outcome(&CHECK, daemon(on_host(), "public.ecr.aws/datadog/agent:7")), Pass);
    }

    #[test]
    fn a_container_without_any_log_outweighs_local_ones() {
        let account = on_host().each(|definition: &mut TaskDefinition| {
            definition.container_definitions.push(ContainerDefinition { log_configuration: None, ..container("mute") });
        });
        let found = findings(&CHECK, account);
        assert_eq!((found[0].severity, found[0].message.as_str()), (Severity::Medium, "container mute of app:1 sends no logs"));
    }

    #[test]
    fn is_unknown_when_the_image_of_a_daemon_was_not_readable() {
        let account = daemon(on_host(), "x").with(|inventory| {
            inventory.task_definitions.retain(|definition| definition.data.family != "agent");
            let mut gap = plimsoll_fixture::gap("ecs:DescribeTaskDefinition");
            gap.resource = Some(plimsoll_fixture::definition_arn("agent"));
            inventory.gaps.push(gap);
        });
        assert_eq!(outcome(&CHECK, account), Unknown);
    }

    #[test]
    fn is_unknown_when_daemons_were_not_listed() {
        assert_eq!(outcome(&CHECK, on_host().denied("ecs:DescribeServices")), Unknown);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn the_configuration_names_the_agents() {
        let account = daemon(on_host(), "public.ecr.aws/acme/Shipper:1");
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let account = account.thresholds(|thresholds| thresholds.log_agent_images = vec!["acme/shipper".to_owned()]);
        assert_eq!(outcome(&CHECK, account), Pass);
    }
}
