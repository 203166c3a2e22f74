//! Reads the features of GuardDuty where ECS tasks run, and what covers the clusters. Yields one verdict for each account
//! and Region with running tasks.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::guardduty::{Detector, DetectorConfiguration};
use plimsoll_model::{AccountId, LaunchKind, Region, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::hosts::place_reference;
use crate::reading::{counted, listed};

pub(crate) const CHECK: Check = Check {
    id: "guardduty-ecs-runtime-monitoring-off",
    title: "GuardDuty does not watch processes inside ECS tasks",
    severity: Severity::Medium,
    resource: "AWS::GuardDuty::Detector",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "guardduty:ListDetectors",
        "guardduty:GetDetector",
        "guardduty:ListCoverage",
    ],
    // Asked for where agents are not managed: that verdict alone is unknown without it.
    shades: &["guardduty:ListCoverage"],
    compliance: &[fsbp("GuardDuty.11"), fsbp("GuardDuty.12"), fsbp("GuardDuty.13"), nist("SI-4"), pci("11.5.1")],
    fails_when: "Feature RUNTIME_MONITORING Status is not ENABLED, or AdditionalConfiguration \
                 ECS_FARGATE_AGENT_MANAGEMENT is DISABLED while Fargate tasks run; for EC2 clusters EC2_AGENT_MANAGEMENT \
                 is DISABLED and no agent reports coverage.",
    why: "What an attacker starts inside a task, such as a shell or a miner, never shows up in the logs that GuardDuty reads without an agent.",
    remediation: Remediation {
        text: "Enable runtime monitoring with agent management for Fargate and EC2, then redeploy services.",
        cli: "aws guardduty update-detector --detector-id ID --features \
             '[{\"Name\":\"RUNTIME_MONITORING\",\"Status\":\"ENABLED\",\"AdditionalConfiguration\":[{\"Name\":\"ECS_FARGATE_AGENT_MANAGEMENT\",\"Status\":\"ENABLED\"},{\"Name\":\"EC2_AGENT_MANAGEMENT\",\"Status\":\"ENABLED\"}]}]'",
    },
    evaluate,
};

const FEATURE: &str = "RUNTIME_MONITORING";
const FARGATE_AGENT: &str = "ECS_FARGATE_AGENT_MANAGEMENT";
const EC2_AGENT: &str = "EC2_AGENT_MANAGEMENT";

/// The clusters of a place in which tasks run, by what they run on.
#[derive(Default)]
struct Running<'e> {
    fargate: BTreeSet<&'e str>,
    ec2: BTreeSet<&'e str>,
    other: bool,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut places: BTreeMap<(&AccountId, &Region), Running<'e>> = BTreeMap::new();
    for task in estate.running_tasks() {
        let running = places.entry((task.account(), task.region())).or_default();
        match task.launch() {
            LaunchKind::Fargate => drop(running.fargate.insert(task.data().cluster_arn.as_str())),
            LaunchKind::Ec2 => drop(running.ec2.insert(task.data().cluster_arn.as_str())),
            _ => running.other = true,
        }
    }
    for ((account, region), running) in places {
        match estate.detector(account, region) {
            Ok(Some(detector)) => verdicts.judge(detector, judge(detector, &running)),
            Ok(None) => {
                let evidence = json!({"Features": [], "clusters": running.names()});
                let message = format!("GuardDuty, which has no detector in {region}, does not watch the tasks of {}", running.told());
                let absent = place_reference(account, region, &Detector::default(), "GuardDuty");
                verdicts.judge_reference(absent, fail(message, evidence).verdict());
            }
            // Where the listing failed, the gap is reported for the place.
            Err(_) => {}
        }
    }
}

fn judge(detector: Node<'_, Detector>, running: &Running<'_>) -> Judgement {
    let configuration = detector.data().configuration.known()?;
    if !configuration.has(FEATURE) {
        let message = format!("GuardDuty runtime monitoring is off while the tasks of {} run", running.told());
        return fail(message, evidence(configuration, running)).verdict();
    }
    let mut unwatched = Vec::new();
    // Clusters that are chosen by tag are covered without automatic agents for all.
    if !configuration.has_part(FEATURE, FARGATE_AGENT) && !all_healthy(detector, &running.fargate) {
        unwatched.push((FARGATE_AGENT, "Fargate", &running.fargate));
    }
    // Agents may be installed by hand.
    if !configuration.has_part(FEATURE, EC2_AGENT) && !running.ec2.is_empty() && !any_agent(detector, &running.ec2)? {
        unwatched.push((EC2_AGENT, "EC2", &running.ec2));
    }
    unwatched.retain(|(_, _, clusters)| !clusters.is_empty());
    if unwatched.is_empty() {
        return Ok(Verdict::Pass);
    }
    let parts: Vec<String> = unwatched.iter().map(|(part, launch, _)| format!("{part} is off while tasks run on {launch}")).collect();
    let clusters: BTreeSet<&str> = unwatched.iter().flat_map(|(_, _, clusters)| clusters.iter().copied()).collect();
    let message = format!("GuardDuty runtime monitoring has no agents in {}: {}", told(&clusters), listed(&parts));
    fail(message, evidence(configuration, running)).verdict()
}

fn clusters<'e>(detector: Node<'e, Detector>, arns: &BTreeSet<&str>) -> impl Iterator<Item = Node<'e, Cluster>> {
    let wanted: Vec<String> = arns.iter().map(|arn| (*arn).to_owned()).collect();
    detector.estate().all::<Cluster>().filter(move |cluster| wanted.contains(&cluster.data().cluster_arn))
}

/// Whether GuardDuty calls each of these clusters healthy.
fn all_healthy(detector: Node<'_, Detector>, arns: &BTreeSet<&str>) -> bool {
    let healthy = |cluster: Node<'_, Cluster>| {
        let coverage = cluster.guardduty_coverage().ok().flatten();
        coverage.is_some_and(|coverage| coverage.data().coverage_status.as_deref() == Some("HEALTHY"))
    };
    !arns.is_empty() && clusters(detector, arns).filter(|cluster| healthy(*cluster)).count() == arns.len()
}

/// Whether an agent on some container instance of these clusters reports to GuardDuty.
fn any_agent(detector: Node<'_, Detector>, arns: &BTreeSet<&str>) -> Result<bool, Unknown> {
    for cluster in clusters(detector, arns) {
        let Some(coverage) = cluster.guardduty_coverage()? else { continue };
        let details = coverage.data().resource_details.as_ref().and_then(|details| details.ecs_cluster_details.as_ref());
        let hosts = details.and_then(|details| details.container_instance_details.as_ref());
        if hosts.and_then(|hosts| hosts.covered_container_instances).is_some_and(|covered| covered > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn evidence(configuration: &DetectorConfiguration, running: &Running<'_>) -> Value {
    json!({"Features": configuration.features, "clusters": running.names()})
}

fn told(arns: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = arns.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
    counted("cluster", &names)
}

impl Running<'_> {
    fn names(&self) -> BTreeSet<&str> {
        self.fargate.union(&self.ec2).copied().collect()
    }

    fn told(&self) -> String {
        let names = self.names();
        if names.is_empty() && self.other { "hosts that AWS or others run".to_owned() } else { told(&names) }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::guardduty::{ContainerInstanceDetails, CoverageResource, DetectorConfiguration};

    use super::{CHECK, EC2_AGENT, FARGATE_AGENT};
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn running(launch: &'static str) -> Fixture {
        fixture().cluster("shop", |_| {}).task("shop", "web", "t1", |task| task.launch_type = Some(launch.to_owned()))
    }

    fn without(part: &'static str) -> impl FnOnce(&mut DetectorConfiguration) {
        move |detector| {
            let parts = detector.features.iter_mut().flat_map(|feature| &mut feature.additional_configuration);
            parts.filter(|one| one.name == part).for_each(|one| one.status = "DISABLED".to_owned());
        }
    }

    fn agents(covered: i64) -> impl FnOnce(&mut CoverageResource) {
        move |coverage| {
            let details = coverage.resource_details.as_mut().unwrap().ecs_cluster_details.as_mut().unwrap();
            let hosts = ContainerInstanceDetails { covered_container_instances: Some(covered), compatible_container_instances: Some(2) };
            details.container_instance_details = Some(hosts);
        }
    }

    #[test]
    fn fails_when_runtime_monitoring_is_off() {
        let off = |detector: &mut DetectorConfiguration| detector.features[1].status = "DISABLED".to_owned();
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(off)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(|detector| detector.features.clear())), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, running("FARGATE")), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_agents_are_not_managed_for_what_runs() {
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(without(FARGATE_AGENT))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, running("EC2").detector(without(EC2_AGENT))), Fail(Severity::Medium));
        let silent = running("EC2").detector(without(EC2_AGENT)).covered_cluster("shop", agents(0));
        assert_eq!(outcome(&CHECK, silent), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_agents_are_managed_or_there_all_the_same() {
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(without(EC2_AGENT))), Pass);
        assert_eq!(outcome(&CHECK, running("EC2").detector(without(EC2_AGENT)).covered_cluster("shop", agents(1))), Pass);
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(without(FARGATE_AGENT)).covered_cluster("shop", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_where_nothing_runs() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).detector(|_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_features_tasks_or_agents_were_not_readable() {
        assert_eq!(outcome(&CHECK, running("FARGATE").denied("guardduty:ListDetectors")), Unknown);
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(|_| {}).denied("ecs:ListTasks")), Unknown);
        let unread = running("EC2").detector(without(EC2_AGENT)).denied("guardduty:ListCoverage");
        assert_eq!(outcome(&CHECK, unread), Unknown);
        assert_eq!(outcome(&CHECK, running("FARGATE").detector(|_| {}).denied("guardduty:ListCoverage")), Pass);
    }
}
