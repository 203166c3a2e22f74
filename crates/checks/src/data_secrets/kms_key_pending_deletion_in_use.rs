//! Reads the state of each customer managed key and what uses it. Yields one verdict per key; a failure tells how many days
//! are left and what the deletion takes with it.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::kms::Key;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{KEY_USE_NEEDS, days_between, key_users, key_users_listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-pending-deletion-in-use",
    title: "Key in use by a container platform is scheduled for deletion",
    severity: Severity::Critical,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: KEY_USE_NEEDS,
    shades: &[],
    compliance: &[fsbp("KMS.3"), nist("SC-12"), nist("CP-9?"), pci("3.7.5?")],
    fails_when: "KeyState is PendingDeletion or PendingReplicaDeletion and the key is KEY-IN-USE. Report medium for \
                 customer keys that no known resource uses.",
    why: "When the waiting period ends, everything encrypted with the key is lost for good: no backup of the key exists, \
          and until then tasks that need it already fail.",
    remediation: Remediation {
        text: "Cancel the deletion and enable the key, or re-encrypt the resources first.",
        cli: "aws kms cancel-key-deletion --key-id KEY && aws kms enable-key --key-id KEY",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

fn judge(key: Node<'_, Key>) -> Judgement {
    let Some(metadata) = key.customer_managed()? else {
        return Ok(Verdict::NotApplicable);
    };
    let Some(state) = metadata.key_state.as_deref() else {
        return Err(undecided(key, "kms:DescribeKey", "NotAnswered", "the key tells no KeyState"));
    };
    if !matches!(state, "PendingDeletion" | "PendingReplicaDeletion") {
        return Ok(Verdict::Pass);
    }
    let days = metadata.deletion_date.map(|date| days_between(key.estate().inventory().header.finished_at, date).max(0));
    let when = match days {
        // A multi-Region primary waits for its replicas; its own period has not begun.
        None => "will be deleted".to_owned(),
        Some(0) => "will be deleted within a day".to_owned(),
        Some(1) => "will be deleted in 1 day".to_owned(),
        Some(days) => format!("will be deleted in {days} days"),
    };
    let mut evidence = key_users(key);
    if let Value::Object(fields) = &mut evidence {
        fields.insert("Arn".to_owned(), json!(metadata.arn));
        fields.insert("KeyState".to_owned(), json!(state));
        fields.insert("DeletionDate".to_owned(), json!(metadata.deletion_date));
        fields.insert("daysLeft".to_owned(), json!(days));
    }
    if !key.users().is_empty() {
        return fail(format!("key {} {when}; used by {}", key.name(), key_users_listed(key)), evidence).verdict();
    }
    let message = format!("key {} {when}; no resource that was read uses it", key.name());
    let Some(gap) = key.unread_users() else {
        return fail(message, evidence).severity(Severity::Medium).verdict();
    };
    if let Value::Object(fields) = &mut evidence {
        fields.insert("unread".to_owned(), json!(gap.operation));
    }
    fail(format!("{message}, but not all were ({})", gap.operation), evidence).severity(Severity::Medium).possible().verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap, key_arn};
    use plimsoll_model::aws::ecs::{ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::aws::kms::{Key, KeyMetadata};
    use plimsoll_model::{Confidence, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn key(change: impl Fn(&mut KeyMetadata)) -> Fixture {
        fixture().key("k1", |key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                change(metadata);
            }
        })
    }

    fn pending(metadata: &mut KeyMetadata) {
        metadata.key_state = Some("PendingDeletion".to_owned());
        metadata.deletion_date = Some(at("2026-06-22T11:00:00Z"));
    }

    fn used(account: Fixture) -> Fixture {
        account.cluster("shop", |cluster| {
            let storage = ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some(key_arn("k1")), ..Default::default() };
            cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
        })
    }

    #[test]
    fn fails_when_a_cluster_uses_the_key_and_counts_the_whole_days() {
        assert_eq!(outcome(&CHECK, used(key(pending))), Fail(Severity::Critical));
        assert_eq!(findings(&CHECK, used(key(pending)))[0].message, "key k1 will be deleted in 6 days; used by cluster/shop");
    }

    #[test]
    fn fails_for_a_primary_that_waits_for_its_replicas() {
        let account = key(|metadata| metadata.key_state = Some("PendingReplicaDeletion".to_owned()));
        assert_eq!(outcome(&CHECK, used(account)), Fail(Severity::Critical));
    }

    #[test]
    fn weighs_less_and_is_possible_when_no_known_resource_uses_the_key() {
        let found = findings(&CHECK, key(pending).denied("ssm:DescribeParameters"));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Possible));
    }

    #[test]
    fn passes_while_no_deletion_is_scheduled() {
        assert_eq!(outcome(&CHECK, used(key(|_| {}))), Pass);
        assert_eq!(outcome(&CHECK, key(|metadata| metadata.key_state = Some("Disabled".to_owned()))), Pass);
    }

    #[test]
    fn does_not_apply_to_keys_of_aws_or_keys_that_do_not_exist() {
        assert_eq!(outcome(&CHECK, key(|metadata| metadata.key_manager = Some("AWS".to_owned()))), NotApplicable);
        assert_eq!(outcome(&CHECK, key(|_| {}).each::<Key>(|key| key.key_metadata = Seen::Known(None))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_key_was_not_readable() {
        assert_eq!(outcome(&CHECK, key(|_| {}).each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into())), Unknown);
        assert_eq!(outcome(&CHECK, key(|metadata| metadata.key_state = None)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("kms:ListKeys")), Unknown);
    }
}
