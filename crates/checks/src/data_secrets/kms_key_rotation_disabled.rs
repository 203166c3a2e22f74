//! Reads the rotation of each customer managed key that can rotate, and what uses the key. Yields one verdict per key that a
//! container platform uses; a failure tells whether it never rotates or too rarely.

use plimsoll_graph::Node;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::{Gap, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::{days_between, key_in_use, key_users, undecided};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-rotation-disabled",
    title: "Key of a container platform is not rotated",
    severity: Severity::Medium,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "kms:ListKeys",
        "kms:DescribeKey",
        "kms:GetKeyRotationStatus",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeVolumes",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeRepositories",
        "logs:DescribeLogGroups",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
        "elasticfilesystem:DescribeFileSystems",
        "cloudtrail:DescribeTrails",
    ],
    shades: &[],
    compliance: &[fsbp("KMS.4"), cis_aws("3.0.0/3.6"), cis_aws("5.0.0/3.6"), nist("SC-12"), pci("3.7.4")],
    fails_when: "KeySpec SYMMETRIC_DEFAULT, Origin AWS_KMS and KeyRotationEnabled false; or RotationPeriodInDays above \
                 365 where policy demands a year; or Origin EXTERNAL with no on-demand rotation in the past year (low).",
    why: "The longer one piece of key material serves, the more data falls with it if it is ever disclosed, and the further \
          back that data reaches.",
    remediation: Remediation {
        text: "Turn on yearly rotation.",
        cli: "aws kms enable-key-rotation --key-id KEY --rotation-period-in-days 365",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

fn judge(key: Node<'_, Key>) -> Judgement {
    let Some(metadata) = key.customer_managed()? else {
        return Ok(Verdict::NotApplicable);
    };
    let (Some(spec), Some(state), Some(origin)) = (&metadata.key_spec, &metadata.key_state, metadata.origin.as_deref()) else {
        return Err(undecided(key, "kms:DescribeKey", "NotAnswered", "the key tells no KeySpec, KeyState or Origin"));
    };
    let kind = metadata.multi_region_configuration.as_ref().and_then(|configuration| configuration.multi_region_key_type.as_deref());
    // KMS rotates no other keys by itself; a replica follows its primary.
    if spec != "SYMMETRIC_DEFAULT"
        || !matches!(origin, "AWS_KMS" | "EXTERNAL")
        || metadata.custom_key_store_id.is_some()
        || matches!(state.as_str(), "PendingDeletion" | "PendingReplicaDeletion")
        || kind == Some("REPLICA")
    {
        return Ok(Verdict::NotApplicable);
    }
    let now = key.estate().inventory().header.finished_at;
    let longest = i64::from(key.estate().thresholds().key_rotation_days);
    let rotation = key.data().rotation.known();
    if origin == "EXTERNAL" {
        // GetKeyRotationStatus shows an on-demand rotation only while it runs.
        let running = rotation.ok().and_then(Option::as_ref).and_then(|rotation| rotation.on_demand_rotation_start_date);
        let newest = metadata.creation_date.into_iter().chain(running).max();
        if newest.is_some_and(|newest| days_between(newest, now) <= longest) {
            return Ok(Verdict::Pass);
        }
        return if key_in_use(key)? { Err(Gap::not_collected("kms:ListKeyRotations").into()) } else { Ok(Verdict::NotApplicable) };
    }
    let rotation = match rotation {
        Ok(rotation) => rotation.as_ref(),
        // Of keys that nothing is seen to use, rotation is not even asked.
        Err(gap) => return if key_in_use(key)? { Err(gap.into()) } else { Ok(Verdict::NotApplicable) },
    };
    let period = rotation.and_then(|rotation| rotation.rotation_period_in_days);
    let problem = if !rotation.is_some_and(|rotation| rotation.key_rotation_enabled) {
        "is not rotated".to_owned()
    } else if let Some(days) = period.filter(|days| i64::from(*days) > longest) {
        format!("is rotated every {days} days only")
    } else {
        return Ok(Verdict::Pass);
    };
    if !key_in_use(key)? {
        return Ok(Verdict::NotApplicable);
    }
    let mut evidence = key_users(key);
    if let Value::Object(fields) = &mut evidence {
        fields.insert("KeyRotationEnabled".to_owned(), json!(rotation.is_some_and(|rotation| rotation.key_rotation_enabled)));
        fields.insert("RotationPeriodInDays".to_owned(), json!(period));
        fields.insert("NextRotationDate".to_owned(), json!(rotation.and_then(|rotation| rotation.next_rotation_date)));
        fields.insert("Origin".to_owned(), json!(origin));
    }
    fail(format!("key {} {problem}", key.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap, key_arn};
    use plimsoll_model::aws::ec2::Volume;
    use plimsoll_model::aws::kms::{Key, KeyMetadata, KeyRotation, MultiRegionConfiguration};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn used() -> Fixture {
        fixture().key("k1", |_| {}).instance("host", |_| {}).each::<Volume>(|volume| volume.kms_key_id = Some(key_arn("k1")))
    }

    fn rotation(enabled: bool, period: Option<i32>) -> impl Fn(&mut Key) {
        move |key| {
            key.rotation =
                Seen::Known(Some(KeyRotation { key_rotation_enabled: enabled, rotation_period_in_days: period, ..Default::default() }));
        }
    }

    fn metadata(change: impl Fn(&mut KeyMetadata)) -> impl Fn(&mut Key) {
        move |key| {
            key.rotation = Seen::Known(None);
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                change(metadata);
            }
        }
    }

    #[test]
    fn fails_when_a_used_key_is_not_rotated_or_too_rarely() {
        assert_eq!(outcome(&CHECK, used().each(rotation(false, None))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, used().each(metadata(|_| {}))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, used().each(rotation(true, Some(366)))), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_key_is_rotated_every_year() {
        assert_eq!(outcome(&CHECK, used()), Pass);
        assert_eq!(outcome(&CHECK, used().each(rotation(true, None))), Pass);
    }

    #[test]
    fn is_unknown_when_what_was_not_read_may_use_the_key() {
        assert_eq!(outcome(&CHECK, fixture().key("k1", |_| {}).each(rotation(false, None)).denied("ssm:DescribeParameters")), Unknown);
    }

    #[test]
    fn does_not_apply_to_keys_that_kms_does_not_rotate() {
        for change in [
            |key: &mut KeyMetadata| key.key_spec = Some("RSA_2048".to_owned()),
            |key: &mut KeyMetadata| key.origin = Some("AWS_CLOUDHSM".to_owned()),
            |key: &mut KeyMetadata| key.custom_key_store_id = Some("cks-1".to_owned()),
            |key: &mut KeyMetadata| key.key_state = Some("PendingDeletion".to_owned()),
            |key: &mut KeyMetadata| key.key_manager = Some("AWS".to_owned()),
            |key: &mut KeyMetadata| {
                key.multi_region_configuration = Some(MultiRegionConfiguration { multi_region_key_type: Some("REPLICA".to_owned()) });
            },
        ] {
            assert_eq!(outcome(&CHECK, used().each(metadata(change))), NotApplicable);
        }
    }

    #[test]
    fn judges_imported_material_by_its_age_and_cannot_see_past_rotations() {
        let imported = |created: &str| {
            let created = at(created);
            used().each(metadata(move |key| {
                key.origin = Some("EXTERNAL".to_owned());
                key.creation_date = Some(created);
            }))
        };
        assert_eq!(outcome(&CHECK, imported("2026-01-01T00:00:00Z")), Pass);
        let found = findings(&CHECK, imported("2024-01-01T00:00:00Z"));
        assert!(found[0].message.contains("kms:ListKeyRotations"), "{found:?}");
    }

    #[test]
    fn is_unknown_when_key_or_rotation_was_not_readable() {
        assert_eq!(outcome(&CHECK, used().each::<Key>(|key| key.rotation = gap("kms:GetKeyRotationStatus").into())), Unknown);
        assert_eq!(outcome(&CHECK, used().each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into())), Unknown);
    }

    #[test]
    fn the_configuration_sets_the_period() {
        let account = used().each(rotation(true, Some(365)));
        assert_eq!(outcome(&CHECK, account.clone()), Pass);
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.key_rotation_days = 90)), Fail(Severity::Medium));
    }
}
