//! Reads the state of each customer managed key and what uses it. Yields one verdict per key; a failure names the state and
//! the users. A key that cannot be used is unknown as long as not everything that may use it was read.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::kms::Key;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{KEY_USE_NEEDS, key_in_use, key_users, key_users_listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-disabled-in-use",
    title: "Key in use by a container platform is disabled or unavailable",
    severity: Severity::High,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: KEY_USE_NEEDS,
    shades: &[],
    compliance: &[nist("SC-12")],
    fails_when: "KeyState is Disabled, Unavailable or PendingImport and the key is KEY-IN-USE: new tasks, image pulls or \
                 secret reads fail.",
    why: "Every call that needs the key is refused: new tasks do not start, volumes do not attach, images and secrets \
          are not read, while what runs goes on and hides the fault.",
    remediation: Remediation { text: "Enable the key or connect its key store.", cli: "aws kms enable-key --key-id KEY" },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

fn judge(key: Node<'_, Key>) -> Judgement {
    let Some(metadata) = key.customer_managed()? else {
        return Ok(Verdict::NotApplicable);
    };
    let Some(state) = metadata.key_state.as_deref() else {
        return Err(undecided(key, "kms:DescribeKey", "NotAnswered", "the key tells no KeyState"));
    };
    if !matches!(state, "Disabled" | "Unavailable" | "PendingImport") {
        return Ok(Verdict::Pass);
    }
    if !key_in_use(key)? {
        return Ok(Verdict::NotApplicable);
    }
    let mut evidence = key_users(key);
    if let Value::Object(fields) = &mut evidence {
        fields.insert("Arn".to_owned(), json!(metadata.arn));
        fields.insert("KeyState".to_owned(), json!(state));
        fields.insert("Origin".to_owned(), json!(metadata.origin));
        fields.insert("CustomKeyStoreId".to_owned(), json!(metadata.custom_key_store_id));
    }
    fail(format!("key {} is in state {state}; used by {}", key.name(), key_users_listed(key)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::ec2::Volume;
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn key(state: &str) -> Fixture {
        fixture().key("k1", |key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_state = Some(state.to_owned());
            }
        })
    }

    fn used(account: Fixture) -> Fixture {
        account.instance("host", |_| {}).each::<Volume>(|volume| volume.kms_key_id = Some(key_arn("k1")))
    }

    /// As if this version collected everything that may use a key.
    fn all_read(account: Fixture) -> Fixture {
        account.with(|inventory| inventory.header.operations.extend(CHECK.needs.iter().map(|&operation| operation.to_owned())))
    }

    #[test]
    fn fails_when_a_volume_uses_a_key_that_refuses_service() {
        for state in ["Disabled", "Unavailable", "PendingImport"] {
            assert_eq!(outcome(&CHECK, used(key(state))), Fail(Severity::High), "{state}");
        }
    }

    #[test]
    fn passes_when_the_key_is_enabled_and_leaves_deletion_to_its_own_check() {
        assert_eq!(outcome(&CHECK, used(key("Enabled"))), Pass);
        assert_eq!(outcome(&CHECK, used(key("PendingDeletion"))), Pass);
    }

    #[test]
    fn is_unknown_when_what_was_not_read_may_use_the_key() {
        assert_eq!(outcome(&CHECK, key("Disabled").denied("ssm:DescribeParameters")), Unknown);
    }

    #[test]
    fn does_not_apply_to_unused_keys_and_keys_of_aws() {
        assert_eq!(outcome(&CHECK, all_read(key("Disabled"))), NotApplicable);
        let of_aws = used(key("Disabled")).each::<Key>(|key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_manager = Some("AWS".to_owned());
            }
        });
        assert_eq!(outcome(&CHECK, of_aws), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_key_was_not_readable() {
        let account = used(key("Enabled")).each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
