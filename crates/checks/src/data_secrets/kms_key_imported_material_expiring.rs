//! Reads when the imported material of each customer managed key expires, and what uses the key. Yields one verdict per key in
//! use; a failure tells the date, or reminds of the material that only the customer keeps.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::kms::Key;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{KEY_USE_NEEDS, days_between, key_in_use, key_users, key_users_listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-imported-material-expiring",
    title: "Imported key material in use by a container platform is about to expire",
    severity: Severity::High,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: KEY_USE_NEEDS,
    shades: &[],
    compliance: &[nist("SC-12"), pci("3.7.4?")],
    fails_when: "Origin EXTERNAL, ExpirationModel KEY_MATERIAL_EXPIRES and ValidTo within 30 days, or already past \
                 (KeyState PendingImport is reported by kms-key-disabled-in-use). Informational: any Origin EXTERNAL key \
                 in use, as a reminder that the organization must keep the backup.",
    why: "When the material expires KMS deletes it: tasks that need the key no longer start, and what it encrypted cannot be read \
          until the same material is imported again.",
    remediation: Remediation {
        text: "Import the material again before the date.",
        cli: "aws kms import-key-material --key-id KEY --encrypted-key-material fileb://m.bin --import-token \
             fileb://t.bin --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

fn judge(key: Node<'_, Key>) -> Judgement {
    let Some(metadata) = key.customer_managed()?.filter(|metadata| metadata.origin.as_deref() == Some("EXTERNAL")) else {
        return Ok(Verdict::NotApplicable);
    };
    // A key without material, or on its way out, is the finding of other checks.
    if matches!(metadata.key_state.as_deref(), Some("PendingImport" | "PendingDeletion" | "PendingReplicaDeletion")) || !key_in_use(key)? {
        return Ok(Verdict::NotApplicable);
    }
    let estate = key.estate();
    let left = match (metadata.expiration_model.as_deref(), metadata.valid_to) {
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), _) => None,
        (Some(_), Some(until)) => Some((until, days_between(estate.inventory().header.finished_at, until))),
        _ => return Err(undecided(key, "kms:DescribeKey", "NotAnswered", "the key does not tell whether its material expires")),
    };
    let soon = left.filter(|(_, days)| *days <= i64::from(estate.thresholds().key_material_days));
    let mut evidence = key_users(key);
    if let Value::Object(fields) = &mut evidence {
        fields.insert("Origin".to_owned(), json!(metadata.origin));
        fields.insert("ExpirationModel".to_owned(), json!(metadata.expiration_model));
        fields.insert("ValidTo".to_owned(), json!(metadata.valid_to));
    }
    let of = format!("imported material of key {}, used by {},", key.name(), key_users_listed(key));
    match soon {
        Some((until, days)) if days < 0 => fail(format!("{of} expired on {until}"), evidence).verdict(),
        Some((until, days)) => fail(format!("{of} expires on {until}, in {days} days"), evidence).verdict(),
        None => fail(format!("{of} is kept by nobody but its owner"), evidence).severity(Severity::Informational).verdict(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap, key_arn};
    use plimsoll_model::aws::ec2::Volume;
    use plimsoll_model::aws::kms::{Key, KeyMetadata};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Unknown, outcome};

    fn imported(change: impl Fn(&mut KeyMetadata)) -> Fixture {
        let key = move |key: &mut Key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.origin = Some("EXTERNAL".to_owned());
                change(metadata);
            }
        };
        fixture().key("k1", key).instance("host", |_| {}).each::<Volume>(|volume| volume.kms_key_id = Some(key_arn("k1")))
    }

    fn until(date: &str) -> impl Fn(&mut KeyMetadata) {
        let date = at(date);
        move |metadata| {
            metadata.expiration_model = Some("KEY_MATERIAL_EXPIRES".to_owned());
            metadata.valid_to = Some(date);
        }
    }

    #[test]
    fn fails_when_material_expires_soon_or_has_expired() {
        assert_eq!(outcome(&CHECK, imported(until("2026-07-15T00:00:00Z"))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, imported(until("2026-06-14T00:00:00Z"))), Fail(Severity::High));
    }

    #[test]
    fn reminds_of_imported_material_that_lasts() {
        assert_eq!(outcome(&CHECK, imported(until("2026-08-15T00:00:00Z"))), Fail(Severity::Informational));
        let lasting = |metadata: &mut KeyMetadata| metadata.expiration_model = Some("KEY_MATERIAL_DOES_NOT_EXPIRE".to_owned());
        assert_eq!(outcome(&CHECK, imported(lasting)), Fail(Severity::Informational));
    }

    #[test]
    fn the_configuration_sets_how_soon() {
        let account = imported(until("2026-08-15T00:00:00Z")).thresholds(|thresholds| thresholds.key_material_days = 90);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn does_not_apply_to_other_keys_or_to_one_without_material() {
        let of_aws = |metadata: &mut KeyMetadata| metadata.origin = Some("AWS_KMS".to_owned());
        assert_eq!(outcome(&CHECK, imported(of_aws)), NotApplicable);
        let empty = |metadata: &mut KeyMetadata| metadata.key_state = Some("PendingImport".to_owned());
        assert_eq!(outcome(&CHECK, imported(empty)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_key_or_its_users_were_not_readable() {
        assert_eq!(outcome(&CHECK, imported(|_| {})), Unknown, "AWS told no expiration");
        let account = imported(until("2026-07-15T00:00:00Z"));
        assert_eq!(outcome(&CHECK, account.clone().each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into())), Unknown);
        assert_eq!(outcome(&CHECK, account.without::<Volume>().denied("ec2:DescribeVolumes")), Unknown);
    }
}
