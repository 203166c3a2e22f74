//! Reads the storage configuration of each cluster and the tasks that it runs. Yields one verdict per active cluster that
//! runs Linux tasks on Fargate; a failure tells how many there are and how the cluster's data is classed.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::{LaunchKind, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{is_fargate_linux, regulated_data_class, takes_storage_key};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-fargate-storage-no-cmk",
    title: "Fargate ephemeral storage is not encrypted with a customer managed key",
    severity: Severity::Low,
    resource: "AWS::ECS::Cluster",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Shared, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListTasks", "ecs:DescribeTasks"],
    shades: &[],
    compliance: &[nist("SC-12"), nist("SC-28(1)"), pci("3.5.1?")],
    fails_when: "configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId is absent (request include \
                 CONFIGURATIONS) and the cluster runs Fargate: capacityProviders has FARGATE or FARGATE_SPOT, or a \
                 RUNNING task has launchType FARGATE with platformFamily Linux. Medium when the cluster is tagged with a \
                 regulated data class.",
    why: "AWS encrypts the storage with a key of its own, which the customer can neither restrict, nor \
          audit, nor revoke.",
    remediation: Remediation {
        text: "Attach a single-Region symmetric KMS key to the cluster, then redeploy its services.",
        cli: "aws ecs update-cluster --cluster CLUSTER --configuration \
             managedStorageConfiguration={fargateEphemeralStorageKmsKeyId=KEY_ARN}",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_clusters(), judge),
};

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let associated = cluster.capacity_providers.iter().any(|provider| matches!(provider.as_str(), "FARGATE" | "FARGATE_SPOT"));
    let (mut eligible, mut ineligible, mut undecided) = (0_usize, 0_usize, None);
    for task in cluster.tasks().filter(|task| task.last_status == "RUNNING" && task.launch() == LaunchKind::Fargate) {
        match is_fargate_linux(task) {
            Ok(true) if takes_storage_key(task) != Some(false) => eligible += 1,
            Ok(_) => ineligible += 1,
            Err(unknown) => undecided = Some(unknown),
        }
    }
    if eligible == 0 {
        if let Some(unknown) = undecided {
            return Err(unknown);
        }
        // Associated with Fargate, a cluster may start such tasks at any time; if others run there, it is used for those.
        if !associated || ineligible > 0 {
            for operation in ["ecs:ListTasks", "ecs:DescribeTasks"] {
                cluster.estate().coverage().check(cluster.account(), cluster.region(), operation)?;
            }
            return Ok(Verdict::NotApplicable);
        }
    }
    if cluster.ephemeral_storage_key_reference().is_some() {
        return Ok(Verdict::Pass);
    }
    let class = regulated_data_class(cluster);
    let storage = cluster.configuration.as_ref().and_then(|configuration| configuration.managed_storage_configuration.as_ref());
    let evidence = json!({
        "managedStorageConfiguration": storage,
        "runningFargateLinuxTasks": eligible,
        "capacityProviders": cluster.capacity_providers,
        "dataClass": cluster.data_class(),
    });
    let runs = match eligible {
        0 => "may run Fargate tasks".to_owned(),
        1 => "runs 1 Fargate Linux task".to_owned(),
        count => format!("runs {count} Fargate Linux tasks"),
    };
    let classed = class.map_or(String::new(), |class| format!(" for data of class {class}"));
    let failure =
        fail(format!("cluster {} {runs}{classed} without a customer managed key for ephemeral storage", cluster.name()), evidence);
    if class.is_some() { failure.severity(Severity::Medium).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, ManagedStorageConfiguration, Tag};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn with_key(cluster: &mut Cluster) {
        let storage =
            ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some("alias/storage".to_owned()), ..Default::default() };
        cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
    }

    fn on_ec2_only() -> Fixture {
        fixture().shop().each::<Cluster>(|cluster| cluster.capacity_providers.clear())
    }

    #[test]
    fn fails_when_a_fargate_cluster_names_no_key() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {})), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, on_ec2_only()), Fail(Severity::Low));
    }

    #[test]
    fn weighs_more_when_the_cluster_handles_regulated_data() {
        let account =
            fixture().cluster("shop", |cluster| cluster.tags = vec![Tag { key: "Data-Class".to_owned(), value: "PCI".to_owned() }]);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_cluster_names_a_key() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", with_key)), Pass);
    }

    #[test]
    fn does_not_apply_to_windows_tasks_old_platforms_or_other_hosts() {
        let windows = fixture()
            .shop()
            .each::<plimsoll_model::aws::ecs::Task>(|task| task.platform_family = Some("Windows_Server_2022_Core".to_owned()));
        assert_eq!(outcome(&CHECK, windows), NotApplicable);
        let old = on_ec2_only().each::<plimsoll_model::aws::ecs::Task>(|task| task.platform_version = Some("1.3.0".to_owned()));
        assert_eq!(outcome(&CHECK, old), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |cluster| cluster.capacity_providers.clear())), NotApplicable);
    }

    #[test]
    fn is_unknown_when_tasks_were_not_listed() {
        let account = fixture().cluster("shop", |cluster| cluster.capacity_providers.clear());
        assert_eq!(outcome(&CHECK, account.denied("ecs:ListTasks")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", with_key).denied("ecs:DescribeTasks")), Unknown);
    }

    #[test]
    fn the_configuration_names_tag_and_values_of_regulated_data() {
        let account = fixture().cluster("shop", |cluster| cluster.tags = vec![Tag { key: "class".to_owned(), value: "secret".to_owned() }]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let account = account.thresholds(|thresholds| {
            "class".clone_into(&mut thresholds.data_class_tag);
            thresholds.strict_values = vec!["Secret".to_owned()];
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }
}
