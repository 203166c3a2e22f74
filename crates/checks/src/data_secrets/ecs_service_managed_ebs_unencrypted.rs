//! Reads the EBS volumes that the live deployments of each service ask ECS for, the storage key of the cluster and the EBS
//! defaults of the account. Yields one verdict per active service with such volumes; a failure names the volumes.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::EbsEncryptionDefaults;
use plimsoll_model::aws::ecs::{Service, ServiceManagedEbsVolumeConfiguration};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-managed-ebs-unencrypted",
    title: "Service attaches EBS volumes without encryption or without a customer key",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeClusters",
        "ec2:DescribeVolumes",
        "ec2:GetEbsEncryptionByDefault",
        "ec2:GetEbsDefaultKmsKeyId",
    ],
    shades: &["ec2:DescribeVolumes"],
    compliance: &[fsbp("EC2.3"), fsbp("EC2.7"), nist("SC-28"), pci("3.5.1?")],
    fails_when: "deployments[].volumeConfigurations[].managedEBSVolume.encrypted is absent or false and the account does \
                 not encrypt EBS by default (medium); or encrypted without kmsKeyId, with no cluster \
                 managedStorageConfiguration.kmsKeyId and default key alias/aws/ebs (low).",
    why: "Whoever gets at an unencrypted volume or a snapshot of it reads the data of the task; with a key of AWS the \
          volume is encrypted, but access to the key cannot be restricted or revoked.",
    remediation: Remediation {
        text: "Set encrypted and kmsKeyId on the volume configuration, or set managedStorageConfiguration.kmsKeyId on \
              the cluster.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --volume-configurations file://volumes.json \
             --force-new-deployment",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

/// What is wrong with a volume.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Unencrypted,
    KeyOfAws,
}

fn judge(service: Node<'_, Service>) -> Judgement {
    let (mut unencrypted, mut key_of_aws, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    let (mut any, mut unless_snapshot, mut unknown) = (false, true, None);
    for deployment in service.live_deployments() {
        for volume in &deployment.volume_configurations {
            let Some(managed) = &volume.managed_ebs_volume else { continue };
            any = true;
            let names = match fault(service, managed) {
                Ok(None) => continue,
                Ok(Some(Fault::Unencrypted)) => {
                    unless_snapshot &= managed.snapshot_id.is_some();
                    &mut unencrypted
                }
                Ok(Some(Fault::KeyOfAws)) => &mut key_of_aws,
                Err(why) => {
                    unknown = Some(why);
                    continue;
                }
            };
            evidence.push(json!({"deployment": deployment.id, "name": volume.name, "managedEBSVolume": managed}));
            if !names.contains(&volume.name.as_str()) {
                names.push(volume.name.as_str());
            }
        }
    }
    if !any {
        return Ok(Verdict::NotApplicable);
    }
    if evidence.is_empty() {
        return unknown.map_or(Ok(Verdict::Pass), Err);
    }
    let evidence = json!({"volumeConfigurations": evidence, "ebsEncryptionDefaults": defaults_evidence(service)});
    if unencrypted.is_empty() {
        let message = format!("service {} encrypts {} with a key of AWS", service.name(), volumes(&key_of_aws));
        return fail(message, evidence).severity(Severity::Low).verdict();
    }
    let message = format!("service {} attaches {} without encryption", service.name(), volumes(&unencrypted));
    if unless_snapshot {
        return fail(format!("{message}, unless the snapshot behind is encrypted, which was not read"), evidence).possible().verdict();
    }
    fail(message, evidence).verdict()
}

fn fault(service: Node<'_, Service>, volume: &ServiceManagedEbsVolumeConfiguration) -> Result<Option<Fault>, Unknown> {
    let encrypted = volume.encrypted == Some(true);
    let own = volume.kms_key_id.as_deref();
    if let (true, Some(own)) = (encrypted, own) {
        return Ok(is_key_of_aws(service, own).then_some(Fault::KeyOfAws));
    }
    let cluster = service.cluster().known();
    let cluster_has_key = cluster.as_ref().is_ok_and(|cluster| {
        let storage = cluster.data().configuration.as_ref().and_then(|configuration| configuration.managed_storage_configuration.as_ref());
        storage.is_some_and(|storage| storage.kms_key_id.is_some())
    });
    // The cluster's key encrypts every volume that names no key, whatever the volume says of encryption:
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ebs-kms-encryption.html
    if own.is_none() && cluster_has_key {
        return Ok(None);
    }
    let defaults = defaults(service);
    if !encrypted {
        let by_default = *defaults.as_ref().map_err(Clone::clone)?.data().ebs_encryption_by_default.known()?;
        if !by_default {
            cluster?;
            return Ok(Some(Fault::Unencrypted));
        }
        if let Some(own) = own {
            return Ok(is_key_of_aws(service, own).then_some(Fault::KeyOfAws));
        }
    }
    cluster?;
    let default_key = defaults?.data().ebs_default_kms_key_id.known()?.as_deref();
    Ok(default_key.is_none_or(|key| is_key_of_aws(service, key)).then_some(Fault::KeyOfAws))
}

fn defaults(service: Node<'_, Service>) -> Result<Node<'_, EbsEncryptionDefaults>, Unknown> {
    service.estate().ebs_encryption_defaults(service.account(), service.region())?.ok_or_else(|| {
        undecided(service, "ec2:GetEbsEncryptionByDefault", "NotAnswered", "the EBS defaults of the account are not in the snapshot")
    })
}

/// Whether a reference means a key that AWS manages: `alias/aws/ebs`, or the key behind it.
fn is_key_of_aws(service: Node<'_, Service>, reference: &str) -> bool {
    reference.contains("alias/aws/")
        || service
            .estate()
            .key(service.account(), service.region(), reference)
            .found()
            .and_then(|key| key.metadata().ok().flatten())
            .is_some_and(|metadata| metadata.key_manager.as_deref() == Some("AWS"))
}

fn defaults_evidence(service: Node<'_, Service>) -> Value {
    defaults(service).map_or(Value::Null, |defaults| {
        json!({
            "EbsEncryptionByDefault": defaults.ebs_encryption_by_default.known().ok(),
            "KmsKeyId": defaults.ebs_default_kms_key_id.known().ok(),
        })
    })
}

fn volumes(names: &[&str]) -> String {
    format!("{} {}", if names.len() == 1 { "volume" } else { "volumes" }, listed(names))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::ec2::EbsEncryptionDefaults;
    use plimsoll_model::aws::ecs::{
        Cluster, ClusterConfiguration, ManagedStorageConfiguration, ServiceManagedEbsVolumeConfiguration, ServiceVolumeConfiguration,
    };
    use plimsoll_model::{Confidence, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with_volume(change: impl Fn(&mut ServiceManagedEbsVolumeConfiguration)) -> Fixture {
        fixture().cluster("shop", |_| {}).service("shop", "web", |service| {
            let mut managed = ServiceManagedEbsVolumeConfiguration::default();
            change(&mut managed);
            service.deployments[0].volume_configurations =
                vec![ServiceVolumeConfiguration { name: "data".to_owned(), managed_ebs_volume: Some(managed) }];
        })
    }

    fn defaults(encrypted: bool, key: &str) -> EbsEncryptionDefaults {
        EbsEncryptionDefaults {
            ebs_encryption_by_default: Seen::Known(encrypted),
            ebs_default_kms_key_id: Seen::Known(Some(key.to_owned())),
        }
    }

    fn cluster_key(cluster: &mut Cluster) {
        let storage = ManagedStorageConfiguration { kms_key_id: Some(key_arn("k1")), ..Default::default() };
        cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
    }

    #[test]
    fn fails_when_neither_volume_nor_account_asks_for_encryption() {
        for encrypted in [None, Some(false)] {
            let account = with_volume(|volume| volume.encrypted = encrypted).resource(defaults(false, "alias/aws/ebs"));
            assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
        }
    }

    #[test]
    fn is_possible_only_when_the_volume_comes_from_a_snapshot() {
        let account = with_volume(|volume| volume.snapshot_id = Some("snap-1".to_owned())).resource(defaults(false, "alias/aws/ebs"));
        assert_eq!(findings(&CHECK, account)[0].confidence, Confidence::Possible);
    }

    #[test]
    fn weighs_less_when_a_key_of_aws_encrypts() {
        let asked = with_volume(|volume| volume.encrypted = Some(true)).resource(defaults(false, "alias/aws/ebs"));
        assert_eq!(outcome(&CHECK, asked), Fail(Severity::Low));
        let by_default = with_volume(|_| {}).resource(defaults(true, "alias/aws/ebs"));
        assert_eq!(outcome(&CHECK, by_default), Fail(Severity::Low));
        let named = with_volume(|volume| {
            volume.encrypted = Some(true);
            volume.kms_key_id = Some("alias/aws/ebs".to_owned());
        });
        assert_eq!(outcome(&CHECK, named), Fail(Severity::Low));
    }

    #[test]
    fn passes_with_a_key_of_the_volume_the_cluster_or_the_account() {
        let of_volume = with_volume(|volume| {
            volume.encrypted = Some(true);
            volume.kms_key_id = Some(key_arn("k1"));
        });
        assert_eq!(outcome(&CHECK, of_volume), Pass);
        let of_cluster = with_volume(|_| {}).each(cluster_key).resource(defaults(false, "alias/aws/ebs"));
        assert_eq!(outcome(&CHECK, of_cluster), Pass);
        let of_account = with_volume(|_| {}).resource(defaults(true, &key_arn("k1")));
        assert_eq!(outcome(&CHECK, of_account), Pass);
    }

    #[test]
    fn does_not_apply_without_managed_volumes() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_defaults_were_not_readable() {
        let denied = with_volume(|_| {}).resource(EbsEncryptionDefaults {
            ebs_encryption_by_default: gap("ec2:GetEbsEncryptionByDefault").into(),
            ebs_default_kms_key_id: gap("ec2:GetEbsDefaultKmsKeyId").into(),
        });
        assert_eq!(outcome(&CHECK, denied), Unknown);
        assert_eq!(outcome(&CHECK, with_volume(|_| {})), Unknown);
    }

    #[test]
    fn is_unknown_when_the_cluster_that_may_have_a_key_was_not_readable() {
        let account = with_volume(|_| {}).resource(defaults(false, "alias/aws/ebs")).without::<Cluster>().denied("ecs:DescribeClusters");
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
