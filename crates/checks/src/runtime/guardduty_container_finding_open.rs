//! Reads the findings of GuardDuty that are not archived and concern clusters, containers, their hosts, or credentials of
//! their roles. Yields one failure for each of them on the detector, with the way from it to what runs there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use plimsoll_graph::{Estate, Link, Node};
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::aws::guardduty::{Detector, Finding};
use plimsoll_model::{PathStep, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Failure, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;

pub(crate) const CHECK: Check = Check {
    id: "guardduty-container-finding-open",
    title: "GuardDuty reports a threat on a container resource",
    severity: Severity::High,
    resource: "AWS::GuardDuty::Detector",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["guardduty:ListDetectors", "guardduty:ListFindings", "guardduty:GetFindings"],
    shades: &[],
    compliance: &[nist("IR-4"), nist("SI-4"), pci("10.4.1?"), pci("12.10.5?")],
    fails_when: "A finding with Service.Archived false, updated in the last 90 days, Resource.ResourceType ECSCluster, \
                 EKSCluster, Container or KubernetesWorkload (or an instance or role of the container platform, such as \
                 InstanceCredentialExfiltration), and Severity >= 7 (critical at >= 9, medium at >= 4).",
    why: "GuardDuty has seen signs of an attack on containers or their hosts, and nobody has said that it is over.",
    remediation: Remediation {
        text: "Investigate, contain the task or pod, and archive the finding after closure.",
        cli: "aws guardduty get-findings --detector-id ID --finding-ids FINDING",
    },
    evaluate,
};

/// The types of resources that are containers or run them.
const CONTAINER_TYPES: [&str; 5] = ["ECSCluster", "EKSCluster", "Container", "KubernetesCluster", "KubernetesWorkload"];

/// By what a finding on something else belongs to containers.
struct Platform<'e> {
    roles: BTreeSet<&'e str>,
    hosts: BTreeSet<&'e str>,
    tasks: BTreeSet<&'e str>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut platform: Option<Platform<'e>> = None;
    let now = estate.inventory().header.finished_at;
    let oldest = now - SignedDuration::from_hours(24 * i64::from(estate.thresholds().guardduty_finding_days));
    for detector in estate.all::<Detector>() {
        let mut open = 0;
        for finding in detector.findings().filter(|finding| is_open(finding, oldest)) {
            let platform = platform.get_or_insert_with(|| Platform::of(estate));
            if let Some(severity) = severity(finding.severity).filter(|_| platform.holds(finding.data())) {
                open += 1;
                verdicts.judge(detector, failure(finding, severity).verdict());
            }
        }
        if open == 0 {
            verdicts.judge(detector, Ok(Verdict::Pass));
        }
    }
}

fn is_open(finding: &Finding, oldest: Timestamp) -> bool {
    !finding.service.archived && finding.updated_at.is_none_or(|updated| updated >= oldest)
}

fn severity(of_finding: f64) -> Option<Severity> {
    match of_finding {
        high if high >= 9.0 => Some(Severity::Critical),
        high if high >= 7.0 => Some(Severity::High),
        medium if medium >= 4.0 => Some(Severity::Medium),
        _ => None,
    }
}

impl<'e> Platform<'e> {
    fn of(estate: &'e Estate<'e>) -> Self {
        let definitions = || estate.definitions_in_scope().map(|definition| definition.data());
        let name = |arn: &'e String| arn.rsplit('/').next().unwrap_or(arn);
        let roles = definitions().flat_map(|definition| [&definition.task_role_arn, &definition.execution_role_arn]);
        let mut roles: BTreeSet<&str> = roles.flatten().map(name).collect();
        let instances = || estate.hosts().filter_map(|host| host.instance().found());
        roles.extend(instances().filter_map(Node::<'e, Instance>::role).filter_map(Link::found).map(|role| role.data().role_name.as_str()));
        let hosts = estate.hosts().filter_map(|host| host.data().ec2_instance_id.as_deref()).collect();
        let tasks = estate.running_tasks().map(|task| name(&task.data().task_arn)).collect();
        Self { roles, hosts, tasks }
    }

    fn holds(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        if resource.resource_type.as_deref().is_some_and(|kind| CONTAINER_TYPES.contains(&kind)) || resource.ecs_cluster_details.is_some() {
            return true;
        }
        let instance = resource.instance_details.as_ref().and_then(|details| details.instance_id.as_deref());
        if instance.is_some_and(|id| self.hosts.contains(id)) {
            return true;
        }
        let Some(credentials) = &resource.access_key_details else { return false };
        // The name of a role's session is the instance or the task that got its credentials.
        let session = credentials.principal_id.as_deref().and_then(|id| id.split_once(':')).map(|(_, session)| session);
        let of_role = credentials.user_type.as_deref().is_some_and(|kind| kind.ends_with("Role"));
        session.is_some_and(|session| self.hosts.contains(session) || self.tasks.contains(session))
            || (of_role && credentials.user_name.as_deref().is_some_and(|name| self.roles.contains(name)))
    }
}

fn failure(finding: Node<'_, Finding>, severity: Severity) -> Failure {
    let data = finding.data();
    let resource = &data.resource;
    let mut path = vec![PathStep { arn: data.arn.clone(), via: "reports".to_owned() }];
    let mut step = |arn: Option<&String>, via: &str| path.extend(arn.map(|arn| PathStep { arn: arn.clone(), via: via.to_owned() }));
    let cluster = resource.ecs_cluster_details.as_ref();
    step(cluster.and_then(|cluster| cluster.arn.as_ref()), "runs");
    let task = cluster.and_then(|cluster| cluster.task_details.as_ref());
    step(task.and_then(|task| task.arn.as_ref()), "is affected");
    step(resource.eks_cluster_details.as_ref().and_then(|cluster| cluster.arn.as_ref()), "is affected");
    if let Some(instance) = finding.instance().and_then(Link::found) {
        path.push(PathStep { arn: instance.arn().into_owned(), via: "hosts".to_owned() });
        let tasks = instance
            .container_instances()
            .flat_map(Node::<'_, ContainerInstance>::tasks)
            .filter(|task| task.data().last_status == "RUNNING");
        path.extend(tasks.take(10).map(|task| PathStep { arn: task.data().task_arn.clone(), via: "runs there".to_owned() }));
    }
    let evidence = json!({
        "Id": data.id,
        "Type": data.kind,
        "Severity": data.severity,
        "Resource": resource,
        "UpdatedAt": data.updated_at,
        "Count": data.service.count,
    });
    let message = format!("GuardDuty finding {} reports {} with severity {} on {}", data.id, data.kind, data.severity, told(data));
    fail(message, evidence).severity(severity).discriminator(data.id.clone()).path(path)
}

/// What a finding is about, by the name that says most.
fn told(finding: &Finding) -> String {
    let resource = &finding.resource;
    let cluster = resource.ecs_cluster_details.as_ref();
    let task = cluster.and_then(|cluster| cluster.task_details.as_ref()?.arn.as_ref()).map(|arn| format!("task {arn}"));
    let pod = resource.kubernetes_details.as_ref().and_then(|details| details.kubernetes_workload_details.as_ref());
    let pod = pod.and_then(|pod| Some(format!("{} {} in {}", pod.kind.as_ref()?, pod.name.as_ref()?, pod.namespace.as_ref()?)));
    let named = |kind: &str, name: Option<&String>| name.map(|name| format!("{kind} {name}"));
    task.or(pod)
        .or_else(|| named("cluster", cluster.and_then(|cluster| cluster.name.as_ref())))
        .or_else(|| named("cluster", resource.eks_cluster_details.as_ref().and_then(|cluster| cluster.name.as_ref())))
        .or_else(|| named("instance", resource.instance_details.as_ref().and_then(|details| details.instance_id.as_ref())))
        .or_else(|| named("credentials of", resource.access_key_details.as_ref().and_then(|details| details.user_name.as_ref())))
        .or_else(|| named("container", resource.container_details.as_ref().and_then(|container| container.name.as_ref())))
        .unwrap_or_else(|| resource.resource_type.clone().unwrap_or_else(|| "a resource that it does not name".to_owned()))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::guardduty::{AccessKeyDetails, Finding, FindingResource, InstanceDetails};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn watched(change: impl FnOnce(&mut Finding)) -> Fixture {
        fixture().shop().container_instance("shop", "h1", |_| {}).instance("h1", |_| {}).threat("f1", change)
    }

    fn on(resource: FindingResource) -> impl FnOnce(&mut Finding) {
        move |finding| finding.resource = resource
    }

    fn instance(id: &str) -> FindingResource {
        let details = InstanceDetails { instance_id: Some(id.to_owned()) };
        FindingResource { resource_type: Some("Instance".to_owned()), instance_details: Some(details), ..Default::default() }
    }

    fn credentials(user_type: &str, user_name: &str, principal_id: &str) -> FindingResource {
        let details = AccessKeyDetails {
            principal_id: Some(principal_id.to_owned()),
            user_name: Some(user_name.to_owned()),
            user_type: Some(user_type.to_owned()),
        };
        FindingResource { resource_type: Some("AccessKey".to_owned()), access_key_details: Some(details), ..Default::default() }
    }

    #[test]
    fn fails_as_severely_as_guardduty_says() {
        for (given, severity) in [(9.0, Severity::Critical), (8.9, Severity::High), (7.0, Severity::High), (4.0, Severity::Medium)] {
            assert_eq!(outcome(&CHECK, watched(|finding| finding.severity = given)), Fail(severity), "{given}");
        }
        assert_eq!(outcome(&CHECK, watched(|finding| finding.severity = 3.9)), Pass);
    }

    #[test]
    fn each_finding_is_told_apart_with_its_way_to_the_task() {
        let found = findings(&CHECK, watched(|_| {}).threat("f2", |_| {}));
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].id, found[1].id);
        assert_eq!(found[0].path.len(), 3);
        assert!(found[0].message.contains("task arn:aws:ecs:us-east-1:111111111111:task/shop/t1"), "{}", found[0].message);
    }

    #[test]
    fn hosts_and_credentials_of_the_platform_count_and_others_do_not() {
        assert_eq!(outcome(&CHECK, watched(on(instance("i-h1")))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, watched(on(instance("i-elsewhere")))), Pass);
        assert_eq!(outcome(&CHECK, watched(on(credentials("AssumedRole", "web-task", "AROA:x")))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, watched(on(credentials("AssumedRole", "other", "AROA:i-h1")))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, watched(on(credentials("IAMUser", "web-task", "AIDA")))), Pass);
        assert_eq!(outcome(&CHECK, watched(on(credentials("AssumedRole", "other", "AROA:x")))), Pass);
    }

    #[test]
    fn passes_when_archived_or_old_and_the_configuration_says_what_is_old() {
        assert_eq!(outcome(&CHECK, watched(|finding| finding.service.archived = true)), Pass);
        assert_eq!(outcome(&CHECK, watched(|finding| finding.updated_at = Some(at("2026-03-01T00:00:00Z")))), Pass);
        assert_eq!(outcome(&CHECK, watched(|_| {}).thresholds(|limits| limits.guardduty_finding_days = 3)), Pass);
    }

    #[test]
    fn does_not_apply_without_detector() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_findings_were_not_readable() {
        for operation in ["guardduty:ListFindings", "guardduty:GetFindings", "guardduty:ListDetectors"] {
            assert_eq!(outcome(&CHECK, fixture().shop().denied(operation)), Unknown, "{operation}");
        }
    }
}
