//! Reads the rotation of each secret that a task definition in scope names. Yields one verdict per secret; a failure tells
//! whether it never rotates or the rotation is late.

use jiff::Timestamp;
use plimsoll_graph::{Estate, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::secretsmanager::Secret;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{days_between, undecided};

pub(crate) const CHECK: Check = Check {
    id: "secretsmanager-secret-rotation-off",
    title: "Secret used by containers is not rotated",
    severity: Severity::Medium,
    resource: "AWS::SecretsManager::Secret",
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
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
    ],
    // Asked for single secrets of other accounts: their verdict alone is unknown without it.
    shades: &["secretsmanager:DescribeSecret"],
    compliance: &[fsbp("SecretsManager.1"), fsbp("SecretsManager.2"), fsbp("SecretsManager.4"), nist("IA-5"), pci("8.6.3")],
    fails_when: "RotationEnabled is absent or false; or true while LastRotatedDate is older than \
                 RotationRules.AutomaticallyAfterDays plus a day of grace; or LastChangedDate is older than 90 days \
                 without rotation (low when the secret is a third-party key that AWS cannot rotate, by tag).",
    why: "A password that never changes works for whoever once saw it, for as long as the service lives.",
    remediation: Remediation {
        text: "Turn on rotation and redeploy services that read the secret at start only.",
        cli: "aws secretsmanager rotate-secret --secret-id SECRET --rotation-lambda-arn ARN --rotation-rules \
             AutomaticallyAfterDays=30",
    },
    evaluate: |estate, verdicts| verdicts.each(used_secrets(estate), judge),
};

/// The secrets that task definitions in scope name.
fn used_secrets<'e>(estate: &'e Estate<'e>) -> impl Iterator<Item = Node<'e, Secret>> {
    estate.all::<Secret>().filter(|secret| secret.definitions().next().is_some())
}

fn judge(secret: Node<'_, Secret>) -> Judgement {
    let data = secret.data();
    // A secret of another account of which no more than its ARN is known.
    if data.name.is_empty() {
        return Err(match secret.estate().coverage().on_resource("secretsmanager:DescribeSecret", &data.arn) {
            Some(gap) => gap.into(),
            None => undecided(secret, "secretsmanager:DescribeSecret", "NotAnswered", "the secret tells no name"),
        });
    }
    if data.deleted_date.is_some() {
        return Ok(Verdict::NotApplicable);
    }
    let estate = secret.estate();
    let now = estate.inventory().header.finished_at;
    let limits = estate.thresholds();
    let changed = data.last_changed_date.or(data.created_date).map(|changed| days_between(changed, now));
    if data.rotation_enabled != Some(true) {
        let age = changed.map_or(String::new(), |days| format!(" and has not changed for {days} days"));
        let third_party = limits.third_party_secret_tags.iter().any(|tag| tag.matches_any(tags(data)));
        if third_party && changed.is_some_and(|days| days <= i64::from(limits.secret_days)) {
            return Ok(Verdict::Pass);
        }
        let severity = if third_party { Severity::Low } else { Severity::Medium };
        return fail(format!("secret {} is not rotated{age}", data.name), evidence(secret)).severity(severity).verdict();
    }
    let Some(late) = days_late(data, now).filter(|days| *days > i64::from(limits.secret_rotation_grace_days)) else {
        return Ok(Verdict::Pass);
    };
    fail(format!("rotation of secret {} is on and {late} days late", data.name), evidence(secret)).verdict()
}

/// Days since a rotation should have been; less than none when the next is to come.
fn days_late(secret: &Secret, now: Timestamp) -> Option<i64> {
    let every = secret.rotation_rules.as_ref().and_then(|rules| rules.automatically_after_days);
    // A secret that was never rotated counts from its creation.
    let last = secret.last_rotated_date.or(secret.created_date);
    match (every, last) {
        (Some(every), Some(last)) => Some(days_between(last, now) - every),
        // A schedule in words: AWS tells the day.
        _ => secret.next_rotation_date.map(|next| days_between(next, now)),
    }
}

fn tags(secret: &Secret) -> impl Iterator<Item = (&str, &str)> + Clone {
    secret.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))
}

fn evidence(secret: Node<'_, Secret>) -> Value {
    let data = secret.data();
    let definitions: Vec<&str> = secret.definitions().take(10).map(|definition| definition.name()).collect();
    json!({
        "Name": data.name,
        "RotationEnabled": data.rotation_enabled.unwrap_or(false),
        "RotationRules": data.rotation_rules,
        "LastRotatedDate": data.last_rotated_date,
        "NextRotationDate": data.next_rotation_date,
        "LastChangedDate": data.last_changed_date,
        "taskDefinitions": definitions,
        "taskDefinitionCount": secret.definitions().count(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, at, fixture, gap, injects};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::secretsmanager::{RotationRules, Secret, Tag};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn used(change: impl FnOnce(&mut Secret)) -> Fixture {
        let reference = format!("{}:password::", arn("secretsmanager", "secret:db-AbCdEf"));
        fixture().cluster("shop", |_| {}).task_definition("web", injects(&reference)).secret("db", change)
    }

    fn off(secret: &mut Secret) {
        secret.rotation_enabled = None;
    }

    #[test]
    fn fails_when_rotation_is_off() {
        assert_eq!(outcome(&CHECK, used(off)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, used(|secret| secret.rotation_enabled = Some(false))), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_rotation_is_late() {
        let last = |date: &'static str| used(move |secret| secret.last_rotated_date = Some(at(date)));
        assert_eq!(outcome(&CHECK, last("2026-05-15T00:00:00Z")), Pass);
        let found = findings(&CHECK, last("2026-05-14T00:00:00Z"));
        assert!(found[0].message.contains("2 days late"), "{}", found[0].message);
        assert_eq!(outcome(&CHECK, last("2026-05-14T00:00:00Z").thresholds(|limits| limits.secret_rotation_grace_days = 7)), Pass);
        assert_eq!(outcome(&CHECK, used(|secret| secret.last_rotated_date = None)), Fail(Severity::Medium));
    }

    #[test]
    fn a_schedule_in_words_is_late_when_its_next_day_has_passed() {
        let scheduled = |next: &'static str| {
            used(move |secret| {
                secret.rotation_rules =
                    Some(RotationRules { schedule_expression: Some("rate(10 days)".to_owned()), ..RotationRules::default() });
                secret.next_rotation_date = Some(at(next));
            })
        };
        assert_eq!(outcome(&CHECK, scheduled("2026-06-20T00:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, scheduled("2026-06-01T00:00:00Z")), Fail(Severity::Medium));
    }

    #[test]
    fn keys_of_somebody_else_weigh_less_and_only_when_they_are_old() {
        let third_party = |changed: &'static str| {
            used(move |secret| {
                off(secret);
                secret.tags.push(Tag { key: "third-party".to_owned(), value: "true".to_owned() });
                secret.last_changed_date = Some(at(changed));
            })
        };
        assert_eq!(outcome(&CHECK, third_party("2026-06-01T00:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, third_party("2026-01-01T00:00:00Z")), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_to_secrets_of_others_and_to_those_that_are_being_deleted() {
        assert_eq!(outcome(&CHECK, fixture().secret("db", off)), NotApplicable);
        assert_eq!(outcome(&CHECK, used(|secret| secret.deleted_date = Some(at("2026-06-01T00:00:00Z")))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_secret_was_not_readable() {
        assert_eq!(outcome(&CHECK, used(|_| {}).denied("secretsmanager:ListSecrets")), Unknown);
        let unread = used(|secret| *secret = Secret { arn: secret.arn.clone(), ..Secret::default() }).with(|inventory| {
            let resource = Some(arn("secretsmanager", "secret:db-AbCdEf"));
            inventory.gaps.push(plimsoll_model::Gap { resource, ..gap("secretsmanager:DescribeSecret") });
        });
        assert_eq!(outcome(&CHECK, unread), Unknown);
    }
}
