//! Reads the key that each cluster names for Fargate ephemeral storage. Yields one verdict per active cluster that names one;
//! a failure tells what is wrong with the key. Keys that are disabled or about to be deleted are judged as keys.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::kms::KeyMetadata;
use plimsoll_model::{Arn, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-fargate-storage-key-unsupported",
    title: "Fargate storage key of the cluster is missing or of an unsupported kind",
    severity: Severity::High,
    resource: "AWS::ECS::Cluster",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "kms:DescribeKey"],
    shades: &[],
    compliance: &[nist("CP-9?"), nist("SC-12")],
    fails_when: "DescribeKey on fargateEphemeralStorageKmsKeyId answers NotFoundException, or KeySpec is not \
                 SYMMETRIC_DEFAULT, or KeyUsage is not ENCRYPT_DECRYPT, or MultiRegion is true, or the key is in another \
                 Region: new Fargate tasks cannot start. A key that is Disabled, PendingDeletion or PendingImport is \
                 reported on the key (kms-key-disabled-in-use, kms-key-pending-deletion-in-use) and linked here as \
                 evidence.",
    why: "Fargate cannot encrypt storage with such a key, so the cluster starts no new task: not on a deployment, not when \
          a task dies, not when load rises.",
    remediation: Remediation {
        text: "Cancel the deletion or enable the key; otherwise attach another single-Region symmetric key and \
              redeploy.",
        cli: "aws kms cancel-key-deletion --key-id KEY && aws kms enable-key --key-id KEY",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_clusters(), judge),
};

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let (Some(reference), Some(link)) = (cluster.ephemeral_storage_key_reference(), cluster.ephemeral_storage_key()) else {
        return Ok(Verdict::NotApplicable);
    };
    let elsewhere =
        |arn: &str| Arn::parse(arn).map(|arn| arn.region).filter(|region| *region != cluster.region().as_str()).map(str::to_owned);
    // The reference itself may say so, and then it does not matter whether the key can be read.
    if let Some(region) = elsewhere(reference) {
        let known = link.found().and_then(|key| key.metadata().ok().flatten());
        return report(cluster, reference, known, &[format!("is in Region {region}")]);
    }
    let metadata = match link.exists()? {
        Some(key) => key.metadata()?,
        None => None,
    };
    let Some(metadata) = metadata else {
        return report(cluster, reference, None, &["does not exist".to_owned()]);
    };
    let mut problems = Vec::new();
    if let Some(region) = elsewhere(&metadata.arn) {
        problems.push(format!("is in Region {region}"));
    }
    if let Some(spec) = metadata.key_spec.as_deref().filter(|spec| *spec != "SYMMETRIC_DEFAULT") {
        problems.push(format!("is of kind {spec}"));
    }
    if let Some(usage) = metadata.key_usage.as_deref().filter(|usage| *usage != "ENCRYPT_DECRYPT") {
        problems.push(format!("is for {usage}"));
    }
    if metadata.multi_region {
        problems.push("is a multi-Region key".to_owned());
    }
    if !problems.is_empty() {
        return report(cluster, reference, Some(metadata), &problems);
    }
    if metadata.key_spec.is_none() || metadata.key_usage.is_none() {
        return Err(undecided(cluster, "kms:DescribeKey", "NotAnswered", "the key tells no KeySpec or no KeyUsage"));
    }
    Ok(Verdict::Pass)
}

fn report(cluster: Node<'_, Cluster>, reference: &str, metadata: Option<&KeyMetadata>, problems: &[String]) -> Judgement {
    let mut evidence = json!({"fargateEphemeralStorageKmsKeyId": reference});
    if let (Some(metadata), Value::Object(fields)) = (metadata, &mut evidence) {
        fields.insert("Arn".to_owned(), json!(metadata.arn));
        fields.insert("KeyState".to_owned(), json!(metadata.key_state));
        fields.insert("DeletionDate".to_owned(), json!(metadata.deletion_date));
        fields.insert("KeySpec".to_owned(), json!(metadata.key_spec));
        fields.insert("KeyUsage".to_owned(), json!(metadata.key_usage));
        fields.insert("MultiRegion".to_owned(), json!(metadata.multi_region));
    }
    fail(format!("storage key {reference} of cluster {} {}: no new Fargate task can start", cluster.name(), listed(problems)), evidence)
        .verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::ecs::{ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::aws::kms::{Key, KeyMetadata};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn named(reference: &str) -> Fixture {
        fixture().cluster("shop", |cluster| {
            let storage =
                ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some(reference.to_owned()), ..Default::default() };
            cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
        })
    }

    fn changed(change: impl Fn(&mut KeyMetadata)) -> Fixture {
        named(&key_arn("k1")).key("k1", |key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                change(metadata);
            }
        })
    }

    #[test]
    fn fails_when_the_key_is_of_another_kind_or_multi_region() {
        for account in [
            changed(|key| key.key_spec = Some("RSA_2048".to_owned())),
            changed(|key| key.key_usage = Some("GENERATE_VERIFY_MAC".to_owned())),
            changed(|key| key.multi_region = true),
        ] {
            assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
        }
    }

    #[test]
    fn fails_when_kms_says_that_there_is_no_such_key() {
        assert_eq!(outcome(&CHECK, named(&key_arn("gone"))), Fail(Severity::High));
        let gone = named("alias/gone").resource(Key {
            key_id: "alias/gone".to_owned(),
            referred_to_as: vec!["alias/gone".to_owned()],
            key_metadata: Seen::Known(None),
            ..Default::default()
        });
        assert_eq!(outcome(&CHECK, gone), Fail(Severity::High));
    }

    #[test]
    fn fails_when_the_key_is_in_another_region_even_if_it_could_not_be_read() {
        let far = findings(&CHECK, named("arn:aws:kms:eu-west-3:111111111111:key/k1").denied("kms:DescribeKey"));
        assert!(far.iter().any(|finding| finding.message.contains("is in Region eu-west-3")), "{far:?}");
    }

    #[test]
    fn passes_a_symmetric_key_even_if_it_is_disabled() {
        assert_eq!(outcome(&CHECK, changed(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, changed(|key| key.key_state = Some("Disabled".to_owned()))), Pass);
    }

    #[test]
    fn does_not_apply_to_a_cluster_that_names_no_key() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_key_was_not_readable() {
        assert_eq!(outcome(&CHECK, named("arn:aws:kms:us-east-1:222222222222:key/k1")), Unknown);
        assert_eq!(outcome(&CHECK, named(&key_arn("k1")).denied("kms:DescribeKey")), Unknown);
        let unseen = named(&key_arn("k1")).key("k1", |key| key.key_metadata = gap("kms:DescribeKey").into());
        assert_eq!(outcome(&CHECK, unseen), Unknown);
        assert_eq!(outcome(&CHECK, changed(|key| key.key_spec = None)), Unknown);
    }
}
