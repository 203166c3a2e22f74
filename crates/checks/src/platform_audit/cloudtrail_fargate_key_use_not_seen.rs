//! Reads what CloudTrail recorded of each key that encrypts Fargate's storage, and the Fargate tasks that were started since.
//! Yields one verdict per key; a failure names the clusters whose use of it no event shows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_graph::{Estate, Link, Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::cloudtrail::{KeyEvent, KeyEvents};
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::kms::Key;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::{is_fargate_linux, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "cloudtrail-fargate-key-use-not-seen",
    title: "No KMS event shows that Fargate uses the key of the cluster",
    severity: Severity::Informational,
    resource: "AWS::KMS::Key",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "kms:DescribeKey",
        "cloudtrail:LookupEvents",
    ],
    shades: &[],
    compliance: &[nist("AU-6")],
    fails_when: "The cluster has a storage key and a Fargate Linux task was started in the last 14 days, but LookupEvents \
                 (ResourceName = key ARN, EventName CreateGrant or GenerateDataKeyWithoutPlaintext) shows no event with \
                 requestParameters.granteePrincipal fargate.REGION.amazonaws.com or encryption context \
                 aws:ecs:clusterName of this cluster, and no grant matches. Passing evidence lists event time and volume \
                 id.",
    why: "If the key does not show up in the records, storage that should be under it may not be, and an auditor has no proof \
          that it is.",
    remediation: Remediation {
        text: "Check the key policy and redeploy the service; keep the events as audit proof.",
        cli: "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=KEY_ARN",
    },
    evaluate,
};

/// How long CloudTrail may take to show an event.
const DELAY: SignedDuration = SignedDuration::from_hours(1);

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    // Clusters may share a key.
    let mut users: BTreeMap<u32, (Node<'_, Key>, Vec<Node<'_, Cluster>>)> = BTreeMap::new();
    for cluster in estate.active_clusters() {
        if let Some(Link::Found(key)) = cluster.ephemeral_storage_key() {
            users.entry(key.index()).or_insert_with(|| (key, Vec::new())).1.push(cluster);
        }
    }
    for (key, clusters) in users.into_values() {
        verdicts.judge(key, judge(key, &clusters));
    }
}

fn judge(key: Node<'_, Key>, clusters: &[Node<'_, Cluster>]) -> Judgement {
    let now = key.estate().inventory().header.finished_at;
    let days = i64::from(key.estate().thresholds().key_use_days);
    let (mut silent, mut gap, mut seen) = (Vec::new(), None, false);
    for cluster in clusters {
        match shows_use(*cluster, now - SignedDuration::from_hours(days.saturating_mul(24)), now) {
            Ok(Some(true)) => seen = true,
            Ok(Some(false)) => silent.push(*cluster),
            Ok(None) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    if silent.is_empty() {
        let verdict = if seen { Verdict::Pass } else { Verdict::NotApplicable };
        return gap.map_or(Ok(verdict), Err);
    }
    let names: Vec<&str> = silent.iter().map(Node::name).collect();
    let message = format!(
        "no event of the last {days} days shows that Fargate uses key {} for {}; whether a grant does was not read",
        key.name(),
        listed(&names)
    );
    let clusters: Vec<&str> = silent.iter().map(|cluster| cluster.data().cluster_arn.as_str()).collect();
    fail(message, json!({"KeyId": key.key_id, "clusters": clusters, "eventNames": EVENTS})).possible().verdict()
}

/// The events by which Fargate gets to use a key.
const EVENTS: [&str; 2] = ["CreateGrant", "GenerateDataKeyWithoutPlaintext"];

/// Whether an event shows that Fargate uses a cluster's key; `None` when no task was started in time.
fn shows_use(cluster: Node<'_, Cluster>, since: Timestamp, now: Timestamp) -> Result<Option<bool>, Unknown> {
    let reference = cluster.ephemeral_storage_key_reference().unwrap_or_default();
    let events = cluster.estate().key_events(cluster.account(), cluster.region(), reference);
    let read = events.as_ref().ok().map(Node::data);
    let since = read.and_then(|events: &KeyEvents| events.since).map_or(since, |asked| asked.max(since));
    let mut gap = None;
    let mut started = false;
    for task in cluster.tasks().filter(|task| task.started_at.is_some_and(|at| at >= since && at <= now - DELAY)) {
        match is_fargate_linux(task) {
            Ok(is) => started |= is,
            Err(unknown) => gap = Some(unknown),
        }
    }
    if !started {
        return gap.map_or(Ok(None), Err);
    }
    let events = events?;
    let grantee = format!("fargate.{}.amazonaws.com", cluster.region());
    let shows = |event: &&KeyEvent| {
        let of_cluster = event.encryption_context.get("aws:ecs:clusterName").map(|name| *name == cluster.cluster_name);
        let to_fargate = event.grantee_principal.as_deref() == Some(grantee.as_str());
        EVENTS.contains(&event.event_name.as_str())
            && event.event_time.is_none_or(|at| at >= since)
            && (of_cluster == Some(true) || of_cluster.is_none() && to_fargate)
    };
    if events.data().events.known()?.iter().any(|event| shows(&event)) {
        return Ok(Some(true));
    }
    if !events.complete {
        let message = "the key has more events than were looked up";
        return Err(undecided(events, "cloudtrail:LookupEvents", "Incomplete", message));
    }
    Ok(Some(false))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap, key_arn};
    use plimsoll_model::aws::cloudtrail::KeyEvents;
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, ManagedStorageConfiguration, Task};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with_key(cluster: &mut Cluster) {
        let storage = ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some(key_arn("k1")), ..Default::default() };
        cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
    }

    fn shop(events: Value) -> Fixture {
        let events: Vec<_> = serde_json::from_value(events).unwrap();
        fixture().shop().key("k1", |_| {}).each(with_key).resource(KeyEvents {
            key_arn: key_arn("k1"),
            since: Some(at("2026-06-01T12:00:00Z")),
            complete: true,
            events: Seen::Known(events),
        })
    }

    fn event(name: &str, grantee: Option<&str>, cluster: Option<&str>) -> Value {
        let context = cluster.map_or(json!({}), |cluster| json!({"aws:ecs:clusterName": cluster, "aws:ebs:id": "vol-1"}));
        json!({"EventId": "e", "EventName": name, "EventTime": "2026-06-15T09:00:00Z", "GranteePrincipal": grantee, "EncryptionContext": context})
    }

    #[test]
    fn fails_as_possible_when_no_event_is_of_fargate_and_this_cluster() {
        for events in [
            json!([]),
            json!([event("Decrypt", None, Some("shop"))]),
            json!([event("CreateGrant", Some("fargate.us-east-1.amazonaws.com"), Some("till"))]),
            json!([event("CreateGrant", Some("arn:aws:iam::111111111111:role/r"), None)]),
        ] {
            let found = findings(&CHECK, shop(events.clone()));
            assert_eq!((found[0].severity, found[0].confidence), (Severity::Informational, Confidence::Possible), "{events}");
        }
    }

    #[test]
    fn passes_when_a_grant_or_a_data_key_is_of_fargate() {
        for event in [
            event("GenerateDataKeyWithoutPlaintext", None, Some("shop")),
            event("CreateGrant", Some("fargate.us-east-1.amazonaws.com"), Some("shop")),
            event("CreateGrant", Some("fargate.us-east-1.amazonaws.com"), None),
        ] {
            assert_eq!(outcome(&CHECK, shop(json!([event]))), Pass, "{event}");
        }
    }

    #[test]
    fn does_not_apply_when_no_task_was_started_in_time() {
        let old = |task: &mut Task| task.started_at = Some(at("2026-05-01T00:00:00Z"));
        assert_eq!(outcome(&CHECK, shop(json!([])).each(old)), NotApplicable);
        let fresh = |task: &mut Task| task.started_at = Some(at("2026-06-15T11:55:00Z"));
        assert_eq!(outcome(&CHECK, shop(json!([])).each(fresh)), NotApplicable, "CloudTrail is not that fast");
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
    }

    #[test]
    fn the_configuration_sets_how_far_back_counts() {
        let account = shop(json!([])).each(|task: &mut Task| task.started_at = Some(at("2026-06-10T00:00:00Z")));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.key_use_days = 2)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_events_were_not_readable_or_too_many() {
        assert_eq!(outcome(&CHECK, shop(json!([])).each::<KeyEvents>(|events| events.complete = false)), Unknown);
        let unread = |events: &mut KeyEvents| events.events = gap("cloudtrail:LookupEvents").into();
        assert_eq!(outcome(&CHECK, shop(json!([])).each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, shop(json!([])).without::<KeyEvents>()), Unknown);
    }
}
