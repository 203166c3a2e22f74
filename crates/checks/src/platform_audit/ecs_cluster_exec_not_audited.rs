//! Reads where each cluster logs the sessions of ECS Exec and with what key, and which services and tasks allow them. Yields one
//! verdict per ACTIVE cluster; a failure tells what is missing.

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecs::{Cluster, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, TaskDefinition};
use plimsoll_model::{Gap, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{counted, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-exec-not-audited",
    title: "ECS Exec sessions are not logged or not encrypted with a KMS key",
    severity: Severity::Medium,
    resource: "AWS::ECS::Cluster",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "logs:DescribeLogGroups",
        "s3:ListBuckets",
    ],
    shades: &["ecs:DescribeTaskDefinition", "logs:DescribeLogGroups", "s3:ListBuckets"],
    compliance: &[nist("AU-2"), nist("AU-12"), nist("AC-17"), nist("SC-8"), nist("SC-28"), pci("10.2.1")],
    fails_when: "Some service or RUNNING task has enableExecuteCommand true, and \
                 configuration.executeCommandConfiguration.logging is NONE, or is absent/DEFAULT while the task has no \
                 awslogs configuration, or OVERRIDE with neither cloudWatchLogGroupName nor s3BucketName, or a \
                 destination that does not exist. Low when logging is in order but executeCommandConfiguration.kmsKeyId \
                 is absent, or cloudWatchEncryptionEnabled / s3EncryptionEnabled is false for the destination in use.",
    why: "A shell in a running container leaves no other trace: without a log nobody knows what was read, changed or carried off.",
    remediation: Remediation {
        text: "Set logging to OVERRIDE with an encrypted log group or bucket.",
        cli: "aws ecs update-cluster --cluster CLUSTER --configuration \
             executeCommandConfiguration={logging=OVERRIDE,kmsKeyId=KEY,logConfiguration={cloudWatchLogGroupName=GROUP,cloudWatchEncryptionEnabled=true}}",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(estate.active_clusters(), judge),
};

/// Services and tasks that allow sessions, and what they run.
#[derive(Default)]
struct Open<'e> {
    services: Vec<&'e str>,
    tasks: Vec<&'e str>,
    definitions: Vec<Node<'e, TaskDefinition>>,
    unseen: Option<Unknown>,
}

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let open = open(cluster);
    if open.services.is_empty() && open.tasks.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let configuration =
        cluster.data().configuration.as_ref().and_then(|configuration| configuration.execute_command_configuration.as_ref());
    let logs = configuration.and_then(|configuration| configuration.log_configuration.as_ref());
    let evidence = || {
        json!({
            "executeCommandConfiguration": configuration,
            "services": open.services.iter().take(20).collect::<Vec<_>>(),
            "serviceCount": open.services.len(),
            "taskCount": open.tasks.len(),
        })
    };
    let told = |problem: String| format!("ECS Exec is on for {} of {}, {problem}", sessions(&open), cluster.name());
    if let Some(problem) = unlogged(cluster, configuration, logs, &open)? {
        return fail(told(problem), evidence()).verdict();
    }
    let mut plain = Vec::new();
    if configuration.is_none_or(|configuration| configuration.kms_key_id.as_deref().is_none_or(str::is_empty)) {
        plain.push("no KMS key encrypts the sessions");
    }
    if let Some(logs) = logs.filter(|_| overrides(configuration)) {
        if named(logs.cloud_watch_log_group_name.as_deref()).is_some() && !logs.cloud_watch_encryption_enabled {
            plain.push("cloudWatchEncryptionEnabled is false");
        }
        if named(logs.s3_bucket_name.as_deref()).is_some() && !logs.s3_encryption_enabled {
            plain.push("s3EncryptionEnabled is false");
        }
    }
    if plain.is_empty() {
        return Ok(Verdict::Pass);
    }
    fail(told(listed(&plain)), evidence()).severity(Severity::Low).verdict()
}

fn open(cluster: Node<'_, Cluster>) -> Open<'_> {
    let mut open = Open::default();
    let mut links = Vec::new();
    for service in cluster.services().filter(|service| service.status == "ACTIVE" && service.enable_execute_command) {
        open.services.push(service.name());
        links.extend(service.task_definitions());
    }
    for task in cluster.tasks().filter(|task| task.last_status == "RUNNING" && task.enable_execute_command) {
        open.tasks.push(task.data().task_arn.as_str());
        links.push(task.task_definition());
    }
    for link in links {
        match link.known() {
            Ok(definition) => open.definitions.push(definition),
            Err(unknown) => open.unseen = Some(unknown),
        }
    }
    open.definitions.sort_by_key(Node::index);
    open.definitions.dedup();
    open
}

fn sessions(open: &Open<'_>) -> String {
    if open.services.is_empty() { format!("{} tasks", open.tasks.len()) } else { counted("service", &open.services) }
}

fn overrides(configuration: Option<&ExecuteCommandConfiguration>) -> bool {
    configuration.and_then(|configuration| configuration.logging.as_deref()) == Some("OVERRIDE")
}

fn named(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty())
}

/// Why sessions are not logged, if so.
fn unlogged(
    cluster: Node<'_, Cluster>,
    configuration: Option<&ExecuteCommandConfiguration>,
    logs: Option<&ExecuteCommandLogConfiguration>,
    open: &Open<'_>,
) -> Result<Option<String>, Unknown> {
    match configuration.and_then(|configuration| configuration.logging.as_deref()) {
        Some("NONE") => return Ok(Some("and logging is NONE".to_owned())),
        Some("OVERRIDE") => {}
        // The session goes where the container's own output goes, if that is CloudWatch Logs.
        _ => {
            let mute: Vec<&str> = open.definitions.iter().filter(|definition| !writes_logs(definition.data())).map(Node::name).collect();
            if mute.is_empty() {
                return open.unseen.clone().map_or(Ok(None), Err);
            }
            return Ok(Some(format!("and {} has no awslogs configuration to log them to", listed(&mute))));
        }
    }
    let group = logs.and_then(|logs| named(logs.cloud_watch_log_group_name.as_deref()));
    let bucket = logs.and_then(|logs| named(logs.s3_bucket_name.as_deref()));
    if group.is_none() && bucket.is_none() {
        return Ok(Some("and logging OVERRIDE names neither a log group nor a bucket".to_owned()));
    }
    let estate = cluster.estate();
    if let Some(name) = group
        && estate.log_group(cluster.account(), cluster.region(), name).exists()?.is_none()
    {
        return Ok(Some(format!("and their log group {name} does not exist")));
    }
    if let Some(name) = bucket.filter(|_| group.is_none())
        && estate.owned_bucket(name).is_none()
    {
        // One that the account does not have may be another's, or nobody's.
        estate.bucket(cluster.account(), cluster.region(), name).known()?.data().owned.known()?;
        let message = format!("bucket {name} is not one of the scanned accounts: it may not exist");
        return Err(undecided(cluster, "s3:ListBuckets", Gap::OUT_OF_SCOPE, message));
    }
    Ok(None)
}

fn writes_logs(definition: &TaskDefinition) -> bool {
    let drivers = definition.container_definitions.iter().filter_map(|container| container.log_configuration.as_ref());
    drivers.into_iter().any(|logs| logs.log_driver.as_deref() == Some("awslogs"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::ecs::{
        Cluster, ClusterConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, Service, Task, TaskDefinition,
    };
    use plimsoll_model::aws::logs::LogGroup;
    use plimsoll_model::aws::s3::Bucket;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn open(service: &mut Service) {
        service.enable_execute_command = true;
    }

    fn configured(change: impl Fn(&mut ExecuteCommandConfiguration)) -> Fixture {
        let logs = ExecuteCommandLogConfiguration {
            cloud_watch_log_group_name: Some("/ecs/app".to_owned()),
            cloud_watch_encryption_enabled: true,
            ..Default::default()
        };
        let logging = Some("OVERRIDE".to_owned());
        let mut exec = ExecuteCommandConfiguration { kms_key_id: Some(key_arn("exec")), logging, log_configuration: Some(logs) };
        change(&mut exec);
        fixture().shop().each(open).each(|cluster: &mut Cluster| {
            cluster.configuration = Some(ClusterConfiguration { execute_command_configuration: Some(exec.clone()), ..Default::default() });
        })
    }

    fn to_bucket(exec: &mut ExecuteCommandConfiguration) {
        let logs =
            ExecuteCommandLogConfiguration { s3_bucket_name: Some("exec".to_owned()), s3_encryption_enabled: true, ..Default::default() };
        exec.log_configuration = Some(logs);
    }

    #[test]
    fn fails_when_sessions_are_logged_nowhere() {
        assert_eq!(outcome(&CHECK, configured(|exec| exec.logging = Some("NONE".to_owned()))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, configured(|exec| exec.log_configuration = None)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, configured(|_| {}).without::<LogGroup>()), Fail(Severity::Medium));
        let mute = |definition: &mut TaskDefinition| definition.container_definitions[0].log_configuration = None;
        assert_eq!(outcome(&CHECK, fixture().shop().each(open).each(mute)), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_sessions_are_logged_but_not_encrypted() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(open)), Fail(Severity::Low), "no configuration, but awslogs");
        assert_eq!(outcome(&CHECK, configured(|exec| exec.kms_key_id = None)), Fail(Severity::Low));
        let plain =
            |exec: &mut ExecuteCommandConfiguration| exec.log_configuration.as_mut().unwrap().cloud_watch_encryption_enabled = false;
        assert_eq!(outcome(&CHECK, configured(plain)), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_logged_and_encrypted() {
        assert_eq!(outcome(&CHECK, configured(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, configured(to_bucket).bucket("exec", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, configured(|exec| exec.logging = None)), Pass);
    }

    #[test]
    fn does_not_apply_when_nobody_may_open_a_session() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
        let task = |task: &mut Task| task.enable_execute_command = true;
        assert_eq!(outcome(&CHECK, fixture().shop().each(task)), Fail(Severity::Low), "one task is enough");
    }

    #[test]
    fn is_unknown_when_the_destination_was_not_readable_or_is_not_ours() {
        assert_eq!(outcome(&CHECK, configured(|_| {}).without::<LogGroup>().denied("logs:DescribeLogGroups")), Unknown);
        assert_eq!(outcome(&CHECK, configured(to_bucket).denied("s3:ListBuckets")), Unknown);
        let foreign = |bucket: &mut Bucket| {
            bucket.owned = Seen::Known(false);
            bucket.policy_status = gap("s3:GetBucketPolicyStatus").into();
        };
        assert_eq!(outcome(&CHECK, configured(to_bucket).bucket("exec", foreign)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each(open).without::<TaskDefinition>().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
