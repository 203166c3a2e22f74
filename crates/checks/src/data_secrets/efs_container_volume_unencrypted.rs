//! Reads the encryption of each file system that a task definition in scope mounts. Yields one verdict per file system; a failure
//! names the definitions.

use plimsoll_graph::Node;
use plimsoll_model::aws::elasticfilesystem::FileSystem;
use plimsoll_model::{Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::{each_mounted_file_system, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "efs-container-volume-unencrypted",
    title: "File system mounted by tasks is not encrypted at rest",
    severity: Severity::Medium,
    resource: "AWS::EFS::FileSystem",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "elasticfilesystem:DescribeFileSystems",
        "kms:DescribeKey",
    ],
    shades: &["kms:DescribeKey"],
    compliance: &[fsbp("EFS.1"), fsbp("EFS.8"), cis_aws("3.0.0/2.4.1"), cis_aws("5.0.0/2.3.1"), nist("SC-28"), pci("3.5.1?")],
    fails_when: "A file system named in efsVolumeConfiguration.fileSystemId (or in an EKS PersistentVolume of driver \
                 efs.csi.aws.com) has Encrypted false. Low when encrypted with the AWS managed key and the organization \
                 demands a CMK.",
    why: "Backups, replicas and retired disks of the file system hold the data of the containers in clear.",
    remediation: Remediation {
        text: "Create an encrypted file system and move the data; encryption cannot be turned on later.",
        cli: "aws efs create-file-system --encrypted --kms-key-id KEY",
    },
    evaluate: |estate, verdicts| each_mounted_file_system(estate, verdicts, |files, verdicts| verdicts.judge(files, judge(files))),
};

fn judge(files: Node<'_, FileSystem>) -> Judgement {
    let Some(encrypted) = files.encrypted else {
        return Err(undecided(files, FileSystem::OPERATION, "NotAnswered", "the file system does not tell whether it is encrypted"));
    };
    let problem = if !encrypted {
        "is not encrypted"
    } else if files.estate().thresholds().require_customer_managed_keys {
        let reference = files.data().kms_key_id.as_deref().unwrap_or_default();
        let key = files.estate().key(files.account(), files.region(), reference).known()?;
        if key.metadata()?.is_none_or(|metadata| metadata.key_manager.as_deref() != Some("AWS")) {
            return Ok(Verdict::Pass);
        }
        "is encrypted with a key that AWS manages"
    } else {
        return Ok(Verdict::Pass);
    };
    let definitions: Vec<&str> = files.mounted_by().map(|definition| definition.data().task_definition_arn.as_str()).collect();
    let names: Vec<&str> = definitions.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
    let shown: Vec<Value> = definitions.iter().take(20).map(|arn| json!(arn)).collect();
    let evidence = json!({
        "FileSystemId": files.file_system_id,
        "Encrypted": encrypted,
        "KmsKeyId": files.kms_key_id,
        "taskDefinitions": shown,
        "taskDefinitionCount": definitions.len(),
    });
    let failure = fail(format!("{}, mounted by {}, {problem}", files.file_system_id, listed(&names)), evidence);
    if encrypted { failure.severity(Severity::Low).verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, TaskDefinition, Volume};
    use plimsoll_model::aws::elasticfilesystem::FileSystem;
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Gap, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn shop() -> Fixture {
        let efs = EfsVolumeConfiguration { file_system_id: "fs-1".to_owned(), ..Default::default() };
        let volume = Volume { name: "files".to_owned(), efs_volume_configuration: Some(efs), ..Default::default() };
        fixture().shop().each(move |definition: &mut TaskDefinition| definition.volumes = vec![volume.clone()])
    }

    #[test]
    fn fails_when_a_mounted_file_system_is_not_encrypted() {
        assert_eq!(outcome(&CHECK, shop().file_system("1", |files| files.encrypted = Some(false))), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_encrypted_and_says_nothing_of_others() {
        assert_eq!(outcome(&CHECK, shop().file_system("1", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop().file_system("2", |files| files.encrypted = Some(false))), NotApplicable);
        assert_eq!(outcome(&CHECK, shop()), NotApplicable, "a file system that does not exist");
    }

    #[test]
    fn a_key_that_aws_manages_is_not_enough_where_the_configuration_says_so() {
        let asked = || shop().file_system("1", |_| {}).thresholds(|thresholds| thresholds.require_customer_managed_keys = true);
        let of_aws = |key: &mut Key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_manager = Some("AWS".to_owned());
            }
        };
        assert_eq!(outcome(&CHECK, asked().key("files", of_aws)), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, asked().key("files", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, asked().denied("kms:DescribeKey")), Unknown);
    }

    #[test]
    fn is_unknown_when_the_file_system_was_not_readable() {
        let one = Gap { resource: Some("fs-1".to_owned()), ..gap("elasticfilesystem:DescribeFileSystems") };
        assert_eq!(outcome(&CHECK, shop().with(|inventory| inventory.gaps.push(one))), Unknown);
        assert_eq!(outcome(&CHECK, shop().resource(FileSystem { file_system_id: "fs-1".to_owned(), ..Default::default() })), Unknown);
    }
}
