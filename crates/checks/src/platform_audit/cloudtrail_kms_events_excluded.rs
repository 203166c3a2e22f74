//! Reads the selectors of the trails that log in each account and Region whose clusters have a key for storage or secrets. Yields
//! one verdict per account and Region; a failure names the trails and the clusters.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Node, Place};
use plimsoll_model::Severity;
use plimsoll_model::aws::cloudtrail::Trail;
use plimsoll_model::aws::eks;
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

/// A cluster with a key for Fargate's storage or for the secrets of Kubernetes.
struct Encrypted<'e> {
    name: &'e str,
    arn: &'e str,
    key: &'e str,
}

/// The source of KMS's events.
const KMS: &str = "kms.amazonaws.com";

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut encrypted: BTreeMap<Place<'_>, Vec<Encrypted<'_>>> = BTreeMap::new();
    for cluster in estate.active_clusters() {
        if let Some(key) = cluster.ephemeral_storage_key_reference() {
            let at = Place { account: cluster.account(), region: cluster.region() };
            encrypted.entry(at).or_default().push(Encrypted { name: cluster.name(), arn: &cluster.data().cluster_arn, key });
        }
    }
    for cluster in estate.all::<eks::Cluster>() {
        let key = cluster.data().encryption_config.iter().find_map(|config| config.provider.as_ref()?.key_arn.as_deref());
        if let Some(key) = key {
            let at = Place { account: cluster.account(), region: cluster.region() };
            encrypted.entry(at).or_default().push(Encrypted { name: cluster.name(), arn: &cluster.data().arn, key });
        }
    }
    each_place::<Trail>(estate, verdicts, |place| judge(estate, place, encrypted.get(&place).map(Vec::as_slice).unwrap_or_default()));
}

fn judge(estate: &Estate<'_>, place: Place<'_>, encrypted: &[Encrypted<'_>]) -> Judgement {
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
    let names: Vec<&str> = excluding.iter().map(Node::name).collect();
    let clusters: Vec<&str> = encrypted.iter().map(|cluster| cluster.name).collect();
    let message = format!("{} of {} leave out {KMS}, whose keys encrypt for {}", listed(&names), place.region, listed(&clusters));
    let trails: Vec<Value> =
        excluding.iter().map(|trail| json!({"TrailARN": trail.trail_arn, "Selectors": trail.selectors.known().ok()})).collect();
    let clusters: Vec<Value> = encrypted.iter().map(|cluster| json!({"arn": cluster.arn, "kmsKeyId": cluster.key})).collect();
    fail(message, json!({"trailList": trails, "clusters": clusters})).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::aws::cloudtrail::{Selectors, Trail, TrailStatus};
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::aws::eks;
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
        let secrets = |cluster: &mut eks::Cluster| {
            let provider = Some(eks::Provider { key_arn: Some(key_arn("k1")) });
            cluster.encryption_config = vec![eks::EncryptionConfig { resources: vec!["secrets".to_owned()], provider }];
        };
        let kubernetes = fixture().eks_cluster("k8s", secrets).trail("a", excluding());
        assert_eq!(outcome(&CHECK, kubernetes), Fail(Severity::Medium));
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
