//! Reads the storage key of each running Fargate task and that of its cluster. Yields one verdict per task on a cluster that
//! names a key; a failure names both keys.

use std::borrow::Cow;

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::{Arn, LaunchKind, Severity, partition_of};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{is_fargate_linux, takes_storage_key, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-fargate-storage-key-stale",
    title: "Running Fargate task still uses the old ephemeral storage key",
    severity: Severity::Medium,
    resource: "AWS::ECS::Task",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "kms:DescribeKey",
    ],
    shades: &["ecs:ListServices", "ecs:DescribeServices"],
    compliance: &[nist("SC-12"), nist("SC-28")],
    fails_when: "The cluster has fargateEphemeralStorageKmsKeyId and a RUNNING task with launchType FARGATE (or a FARGATE \
                 capacity provider), platformFamily Linux and platformVersion >= 1.4.0 has \
                 fargateEphemeralStorage.kmsKeyId absent or different after both are resolved to a key ARN with \
                 DescribeKey. High when the old key is PendingDeletion.",
    why: "A task keeps the key that it started with. Whoever revokes or deletes the old key in the belief that \
          nothing uses it loses the task's storage, and what the new key was to protect is still under the old one.",
    remediation: Remediation {
        text: "Redeploy the service with force-new-deployment; stop and rerun standalone tasks.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.running_tasks(), judge),
};

fn judge(task: Node<'_, Task>) -> Judgement {
    if task.launch() != LaunchKind::Fargate {
        return Ok(Verdict::NotApplicable);
    }
    let cluster = task.cluster().known()?;
    let Some(wanted) = cluster.ephemeral_storage_key_reference() else {
        return Ok(Verdict::NotApplicable);
    };
    if !is_fargate_linux(task)? || takes_storage_key(task) == Some(false) {
        return Ok(Verdict::NotApplicable);
    }
    let used = task.data().fargate_ephemeral_storage.as_ref().and_then(|storage| storage.kms_key_id.as_deref());
    if let Some(used) = used
        && (used == wanted || key_arn(task, used)? == key_arn(task, wanted)?)
    {
        return Ok(Verdict::Pass);
    }
    if takes_storage_key(task).is_none() {
        return Err(undecided(task, "ecs:DescribeTasks", "NotAnswered", "the task tells no platformVersion"));
    }
    let state = task
        .ephemeral_storage_key()
        .and_then(plimsoll_graph::Link::found)
        .and_then(|key| key.metadata().ok().flatten())
        .and_then(|metadata| metadata.key_state.as_deref());
    let doomed = matches!(state, Some("PendingDeletion" | "PendingReplicaDeletion"));
    let deployments: Vec<_> = task
        .service()
        .into_iter()
        .flat_map(Node::live_deployments)
        .map(|deployment| json!({"id": deployment.id, "fargateEphemeralStorage": deployment.fargate_ephemeral_storage}))
        .collect();
    let evidence = json!({
        "fargateEphemeralStorage": task.data().fargate_ephemeral_storage,
        "fargateEphemeralStorageKmsKeyId": wanted,
        "keyState": state,
        "startedAt": task.started_at,
        "group": task.group,
        "deployments": deployments,
    });
    let old = used.map_or_else(|| "a key of AWS".to_owned(), |used| format!("key {used}"));
    let end = if doomed { ", and that key is scheduled for deletion" } else { "" };
    let message = format!("task {} of cluster {} encrypts its storage with {old} instead of {wanted}{end}", task.name(), cluster.name());
    let failure = fail(message, evidence);
    if doomed { failure.severity(Severity::High).verdict() } else { failure.verdict() }
}

/// The ARN of the key that a reference means; only an alias needs `DescribeKey` for that.
fn key_arn<'e>(task: Node<'e, Task>, reference: &'e str) -> Result<Cow<'e, str>, Unknown> {
    let (account, region) = (task.account(), task.region());
    match Arn::parse(reference) {
        Some(arn) if arn.resource.starts_with("key/") => return Ok(Cow::Borrowed(reference)),
        None if !reference.starts_with("alias/") => {
            return Ok(Cow::Owned(format!("arn:{}:kms:{region}:{account}:key/{reference}", partition_of(region.as_str()))));
        }
        _ => {}
    }
    match task.estate().key(account, region, reference).known()?.metadata()? {
        Some(metadata) => Ok(Cow::Borrowed(&metadata.arn)),
        None => Err(undecided(task, "kms:DescribeKey", "NotFoundException", format!("{reference} does not exist"))),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, EphemeralStorage, ManagedStorageConfiguration, Task};
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    /// A cluster with one key, its task with another or none.
    fn keys(cluster_key: &str, task_key: Option<&str>) -> Fixture {
        fixture()
            .shop()
            .key("old", |_| {})
            .key("new", |key| key.aliases = vec!["alias/storage".to_owned()])
            .each::<Cluster>(|cluster| {
                let storage = ManagedStorageConfiguration {
                    fargate_ephemeral_storage_kms_key_id: Some(cluster_key.to_owned()),
                    ..Default::default()
                };
                cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
            })
            .each::<Task>(|task| {
                task.fargate_ephemeral_storage = Some(EphemeralStorage { size_in_gib: Some(20), kms_key_id: task_key.map(str::to_owned) });
            })
    }

    #[test]
    fn fails_when_the_task_has_another_key_or_none() {
        assert_eq!(outcome(&CHECK, keys(&key_arn("new"), Some(&key_arn("old")))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, keys("alias/storage", None)), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_more_when_the_old_key_is_about_to_be_deleted() {
        let account = keys(&key_arn("new"), Some(&key_arn("old"))).each::<Key>(|key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_state = Some("PendingDeletion".to_owned());
            }
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn passes_when_alias_id_and_arn_mean_the_same_key() {
        let arn = key_arn("new");
        for (cluster, task) in [("alias/storage", arn.as_str()), ("new", &arn), (&arn, "new"), ("alias/storage", "new")] {
            assert_eq!(outcome(&CHECK, keys(cluster, Some(task))), Pass, "{cluster} {task}");
        }
    }

    #[test]
    fn key_ids_are_told_apart_even_if_the_keys_were_not_described() {
        let account = keys(&key_arn("new"), Some("old")).without::<Key>().denied("kms:DescribeKey");
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_without_a_cluster_key_on_windows_or_before_platform_1_4() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
        assert_eq!(outcome(&CHECK, keys("", None)), NotApplicable);
        let windows = keys("new", None).each::<Task>(|task| task.platform_family = Some("Windows_Server_2022_Core".to_owned()));
        assert_eq!(outcome(&CHECK, windows), NotApplicable);
        let old = keys("new", None).each::<Task>(|task| task.platform_version = Some("1.3.0".to_owned()));
        assert_eq!(outcome(&CHECK, old), NotApplicable);
        let ec2 = keys("new", None).each::<Task>(|task| task.launch_type = Some("EC2".to_owned()));
        assert_eq!(outcome(&CHECK, ec2), NotApplicable);
    }

    #[test]
    fn is_unknown_when_an_alias_could_not_be_resolved() {
        let unseen = keys("alias/storage", Some(&key_arn("old"))).each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into());
        assert_eq!(outcome(&CHECK, unseen), Unknown);
        let denied = keys("alias/other", Some(&key_arn("old"))).denied("kms:DescribeKey");
        assert_eq!(outcome(&CHECK, denied), Unknown);
    }

    #[test]
    fn is_unknown_when_the_cluster_or_the_platform_version_was_not_read() {
        let account = keys("new", None).without::<Cluster>().denied("ecs:DescribeClusters");
        assert_eq!(outcome(&CHECK, account), Unknown);
        assert_eq!(outcome(&CHECK, keys("new", None).each::<Task>(|task| task.platform_version = None)), Unknown);
    }
}
