//! Reads the trails that log in each account and Region with containers, and the buckets that they deliver to. Yields one
//! verdict per account and Region, by the soundest of its trails; a public bucket of any trail fails.

use plimsoll_graph::{Estate, Node, Place, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::cloudtrail::Trail;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::{each_place, listed};

pub(crate) const CHECK: Check = Check {
    id: "cloudtrail-integrity-weak",
    title: "Trail can be altered or read without notice",
    severity: Severity::Medium,
    resource: "AWS::CloudTrail::Trail",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "s3:ListBuckets",
        "s3:GetBucketPolicyStatus",
        "s3:GetPublicAccessBlock",
        "s3:GetBucketAcl",
        "s3:GetAccountPublicAccessBlock",
    ],
    shades: &["s3:GetPublicAccessBlock", "s3:GetBucketAcl", "s3:GetAccountPublicAccessBlock"],
    compliance: &[
        fsbp("CloudTrail.2"),
        fsbp("CloudTrail.4"),
        fsbp("CloudTrail.6"),
        cis_aws("3.0.0/3.2"),
        cis_aws("3.0.0/3.5"),
        cis_aws("5.0.0/3.2"),
        cis_aws("5.0.0/3.5"),
        nist("AU-9"),
        pci("10.3.2"),
        pci("10.3.4"),
    ],
    fails_when: "The trail that records this Region has LogFileValidationEnabled false, or KmsKeyId absent (low), or its \
                 bucket is public (critical), or LatestDeliveryError is set.",
    why: "Who takes over an account changes or deletes its records next; without digests nobody can prove that they are whole, and \
          a public bucket shows the world every role, address and resource.",
    remediation: Remediation {
        text: "Turn on validation and KMS encryption and block public access to the bucket.",
        cli: "aws cloudtrail update-trail --name TRAIL --enable-log-file-validation --kms-key-id KEY",
    },
    evaluate: |estate, verdicts| each_place::<Trail>(estate, verdicts, |place| judge(estate, place)),
};

/// What is wrong with a trail.
struct Weakness<'e> {
    trail: Node<'e, Trail>,
    severity: Severity,
    told: Vec<String>,
    is_public: Option<bool>,
}

fn judge(estate: &Estate<'_>, place: Place<'_>) -> Judgement {
    let (mut weak, mut sound, mut gap) = (Vec::new(), false, None);
    for trail in estate.trails_at(place) {
        match trail.is_logging().and_then(|logs| if logs { weakness(trail) } else { Ok(None) }) {
            Ok(Some(weakness)) if weakness.told.is_empty() => sound = true,
            Ok(Some(weakness)) => weak.push(weakness),
            Ok(None) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    let public = weak.iter().any(|one| one.is_public == Some(true));
    match gap {
        Some(unknown) if !public => return Err(unknown),
        _ if sound && !public => return Ok(Verdict::Pass),
        _ => {}
    }
    if public {
        weak.retain(|one| one.is_public == Some(true));
    }
    let Some(severity) = weak.iter().map(|one| one.severity).min() else {
        // Nothing records here: that is the finding of another check.
        return Ok(Verdict::NotApplicable);
    };
    let told: Vec<String> = weak.iter().map(|one| format!("trail {} {}", one.trail.name(), listed(&one.told))).collect();
    let evidence: Vec<Value> = weak.iter().map(evidence).collect();
    fail(told.join("; "), json!({"trailList": evidence})).severity(severity).verdict()
}

/// What is wrong with a trail that logs; unknown when all else is right and its bucket was not read.
fn weakness(trail: Node<'_, Trail>) -> Result<Option<Weakness<'_>>, Unknown> {
    let mut found = Weakness { trail, severity: Severity::Low, told: Vec::new(), is_public: None };
    let mut add = |severity: Severity, told: String| {
        found.severity = found.severity.max(severity);
        found.told.push(told);
    };
    if trail.kms_key_id.is_none() {
        add(Severity::Low, "is not encrypted with a KMS key".to_owned());
    }
    if trail.log_file_validation_enabled != Some(true) {
        add(Severity::Medium, "has no log file validation".to_owned());
    }
    let error = trail.status.known()?.latest_delivery_error.as_deref().filter(|error| !error.is_empty());
    if let Some(error) = error {
        add(Severity::Medium, format!("cannot deliver ({error})"));
    }
    let Some(name) = trail.data().s3_bucket_name.as_deref() else { return Ok(Some(found)) };
    match bucket_is_public(trail, name) {
        Ok(true) => {
            found.severity = Severity::Critical;
            found.told.push(format!("delivers to the public bucket {name}"));
            found.is_public = Some(true);
        }
        Ok(false) => found.is_public = Some(false),
        Err(unknown) if found.told.is_empty() => return Err(unknown),
        Err(_) => {}
    }
    Ok(Some(found))
}

/// The bucket of an organization's trail is another account's: that account tells of it, when it was scanned.
fn bucket_is_public(trail: Node<'_, Trail>, name: &str) -> Result<bool, Unknown> {
    match trail.estate().owned_bucket(name) {
        Some(bucket) => bucket.is_public(),
        None => trail.estate().bucket(trail.account(), trail.region(), name).known()?.is_public(),
    }
}

fn evidence(weak: &Weakness<'_>) -> Value {
    let trail = weak.trail.data();
    json!({
        "TrailARN": trail.trail_arn,
        "LogFileValidationEnabled": trail.log_file_validation_enabled,
        "KmsKeyId": trail.kms_key_id,
        "S3BucketName": trail.s3_bucket_name,
        "bucketIsPublic": weak.is_public,
        "LatestDeliveryError": trail.status.known().ok().and_then(|status| status.latest_delivery_error.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::cloudtrail::{Trail, TrailStatus};
    use plimsoll_model::aws::s3::{Acl, Bucket, Grant, Grantee, PolicyStatus};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn with(change: impl FnOnce(&mut Trail)) -> Fixture {
        fixture().cluster("shop", |_| {}).bucket("trail", |_| {}).account_public_access_block(|_| {}).trail("trail", change)
    }

    fn without_key(trail: &mut Trail) {
        trail.kms_key_id = None;
    }

    fn unvalidated(trail: &mut Trail) {
        trail.log_file_validation_enabled = Some(false);
    }

    #[test]
    fn fails_without_validation_or_with_an_error_in_delivery() {
        assert_eq!(outcome(&CHECK, with(unvalidated)), Fail(Severity::Medium));
        let failing = TrailStatus { is_logging: Some(true), latest_delivery_error: Some("AccessDenied".to_owned()), ..Default::default() };
        assert_eq!(outcome(&CHECK, with(|trail| trail.status = Seen::Known(failing))), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_little_when_only_the_key_is_missing() {
        assert_eq!(outcome(&CHECK, with(without_key)), Fail(Severity::Low));
    }

    #[test]
    fn is_critical_when_the_bucket_is_public_even_with_a_sound_trail_beside_it() {
        let account = with(|_| {}).trail("open", |_| {}).bucket("open", |bucket| {
            bucket.policy_status = Seen::Known(Some(PolicyStatus { is_public: true }));
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Critical));
    }

    #[test]
    fn a_list_that_everyone_is_on_counts_unless_a_block_disarms_it() {
        let listed = |bucket: &mut Bucket| {
            let uri = Some("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
            let everyone = Grant { grantee: Grantee { uri }, permission: Some("READ".to_owned()) };
            bucket.acl = Seen::Known(Acl { grants: vec![everyone] });
        };
        let bare = |bucket: &mut Bucket| {
            listed(bucket);
            bucket.public_access_block = Seen::Known(None);
        };
        assert_eq!(outcome(&CHECK, with(|_| {}).each(listed)), Pass);
        assert_eq!(outcome(&CHECK, with(|_| {}).each(bare)), Pass, "the account blocks");
        let open =
            fixture().cluster("shop", |_| {}).bucket("trail", bare).account_public_access_block(|block| block.ignore_public_acls = false);
        assert_eq!(outcome(&CHECK, open.trail("trail", |_| {})), Fail(Severity::Critical));
    }

    #[test]
    fn passes_when_one_trail_is_sound() {
        assert_eq!(outcome(&CHECK, with(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, with(|_| {}).trail("second", unvalidated).bucket("second", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_where_nothing_logs_or_no_containers_are() {
        assert_eq!(outcome(&CHECK, with(|trail| trail.status = Seen::Known(TrailStatus::default()))), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().trail("trail", unvalidated)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_status_or_bucket_was_not_readable_or_the_bucket_is_of_an_unscanned_account() {
        assert_eq!(outcome(&CHECK, with(|trail| trail.status = gap("cloudtrail:GetTrailStatus").into())), Unknown);
        assert_eq!(
            outcome(&CHECK, with(|_| {}).each::<Bucket>(|bucket| bucket.policy_status = gap("s3:GetBucketPolicyStatus").into())),
            Unknown
        );
        let foreign = |bucket: &mut Bucket| {
            bucket.owned = Seen::Known(false);
            bucket.policy_status = gap("s3:GetBucketPolicyStatus").into();
        };
        assert_eq!(outcome(&CHECK, with(|_| {}).each(foreign)), Unknown);
        assert_eq!(outcome(&CHECK, with(unvalidated).each(foreign)), Fail(Severity::Medium));
    }
}
