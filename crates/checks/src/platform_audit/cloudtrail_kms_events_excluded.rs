//! Reads the selectors of the trails that log in each account and Region whose clusters have a storage key of their own. Yields
//! one verdict per account and Region; a failure names the trails and the clusters.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Node, Place};
use plimsoll_model::Severity;
use plimsoll_model::aws::cloudtrail::Trail;
use plimsoll_model::aws::ecs::Cluster;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{each_place, listed};

pub(crate) const CHECK: Check = Check {
    id: "cloudtrail-kms-events-excluded",
    title: "Trail leaves out the KMS events that prove encryption",
    severity: Severity::Medium,
    resource: "AWS::CloudTrail::Trail",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeClusters",
        "ecs:ListClusters",
        "eks:DescribeCluster",
        "eks:ListClusters",
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:GetEventSelectors",
    ],
    shades: &[],
    compliance: &[nist("AU-12"), pci("10.2.1?")],
    fails_when: "Every trail that covers the Region has ExcludeManagementEventSources with kms.amazonaws.com, or an \
                 advanced selector with eventSource NotEquals kms.amazonaws.com, and a cluster of the account uses a CMK \
                 (Fargate storage or EKS secrets). CreateGrant, GenerateDataKeyWithoutPlaintext and Decrypt by Fargate \
                 are then not stored.",
    why: "Nobody can show later that the key was used, or who else decrypted with it.",
    remediation: Remediation {
        text: "Remove the exclusion from one trail.",
        cli: "aws cloudtrail put-event-selectors --trail-name TRAIL --event-selectors \
             ReadWriteType=All,IncludeManagementEvents=true",
    },
    evaluate,
};

/// The source of KMS's events.
const KMS: &str = "kms.amazonaws.com";

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut encrypted: BTreeMap<Place<'_>, Vec<Node<'_, Cluster>>> = BTreeMap::new();
    for cluster in estate.active_clusters().filter(|cluster| cluster.ephemeral_storage_key_reference().is_some()) {
        encrypted.entry(Place { account: cluster.account(), region: cluster.region() }).or_default().push(cluster);
    }
    each_place::<Trail>(estate, verdicts, |place| judge(estate, place, encrypted.get(&place).map(Vec::as_slice).unwrap_or_default()));
}

fn judge(estate: &Estate<'_>, place: Place<'_>, encrypted: &[Node<'_, Cluster>]) -> Judgement {
    if encrypted.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let (mut excluding, mut gap) = (Vec::new(), None);
    for trail in estate.trails_at(place) {
        match trail.is_logging() {
            Ok(false) => continue,
            Ok(true) => {}
            Err(unknown) => {
                gap = Some(unknown);
                continue;
            }
        }
        match trail.data().selectors.known() {
            Ok(selectors) => {
                let recorded = selectors.management();
                if recorded.iter().any(|selector| !selector.excludes(KMS)) {
                    return Ok(Verdict::Pass);
                }
                // A trail of data events alone says nothing of KMS.
                if !recorded.is_empty() {
                    excluding.push(trail);
                }
            }
            Err(unseen) => gap = Some(unseen.into()),
        }
    }
    if let Some(unknown) = gap {
        return Err(unknown);
    }
    if excluding.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let names: Vec<&str> = excluding.iter().map(|trail| trail.name()).collect();
    let clusters: Vec<&str> = encrypted.iter().map(|cluster| cluster.name()).collect();
    let message = format!("{} of {} leave out {KMS}, whose key encrypts storage of {}", listed(&names), place.region, listed(&clusters));
    let trails: Vec<Value> =
        excluding.iter().map(|trail| json!({"TrailARN": trail.trail_arn, "Selectors": trail.selectors.known().ok()})).collect();
    let clusters: Vec<Value> = encrypted
        .iter()
        .map(|cluster| json!({"clusterArn": cluster.cluster_arn, "fargateEphemeralStorageKmsKeyId": cluster.ephemeral_storage_key_reference()}))
        .collect();
    fail(message, json!({"trailList": trails, "clusters": clusters})).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::cloudtrail::{Selectors, Trail, TrailStatus};
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::{Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn with_key(cluster: &mut Cluster) {
        let storage = ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some(key_arn("k1")), ..Default::default() };
        cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
    }

    fn selecting(selectors: Value) -> impl Fn(&mut Trail) {
        let selectors: Selectors = serde_json::from_value(selectors).unwrap();
        move |trail| trail.selectors = Seen::Known(selectors.clone())
    }

    fn excluding() -> impl Fn(&mut Trail) {
        selecting(json!({"EventSelectors": [{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}]}))
    }

    fn shop() -> Fixture {
        fixture().cluster("shop", with_key)
    }

    #[test]
    fn fails_when_every_trail_leaves_kms_out() {
        assert_eq!(outcome(&CHECK, shop().trail("a", excluding())), Fail(Severity::Medium));
        let advanced = json!({"AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}]}]});
        let stopped = |trail: &mut Trail| trail.status = Seen::Known(TrailStatus { is_logging: Some(false), ..Default::default() });
        assert_eq!(outcome(&CHECK, shop().trail("a", selecting(advanced)).trail("b", stopped)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_one_trail_keeps_them() {
        assert_eq!(outcome(&CHECK, shop().trail("a", excluding()).trail("b", |_| {})), Pass);
        assert_eq!(
            outcome(
                &CHECK,
                shop().trail("a", selecting(json!({"EventSelectors": [{"ExcludeManagementEventSources": ["rdsdata.amazonaws.com"]}]})))
            ),
            Pass
        );
    }

    #[test]
    fn does_not_apply_without_a_key_or_without_a_trail() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).trail("a", excluding())), NotApplicable);
        assert_eq!(outcome(&CHECK, shop()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_another_trail_was_not_readable() {
        let unread = |trail: &mut Trail| trail.selectors = gap("cloudtrail:GetEventSelectors").into();
        assert_eq!(outcome(&CHECK, shop().trail("a", excluding()).trail("b", unread)), Unknown);
        assert_eq!(outcome(&CHECK, shop().denied("cloudtrail:DescribeTrails")), Unknown);
    }
}
