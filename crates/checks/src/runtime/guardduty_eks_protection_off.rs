//! Reads the features of GuardDuty where EKS clusters are, and how it covers them. Yields one verdict for each account and
//! Region with an EKS cluster.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::guardduty::{CoverageEksClusterDetails, CoverageResource, Detector};
use plimsoll_model::{AccountId, Region, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::hosts::place_reference;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "guardduty-eks-protection-off",
    title: "GuardDuty does not watch EKS audit logs or nodes",
    severity: Severity::Medium,
    resource: "AWS::GuardDuty::Detector",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &["eks:ListClusters", "eks:DescribeCluster", "guardduty:ListDetectors", "guardduty:GetDetector", "guardduty:ListCoverage"],
    shades: &[],
    compliance: &[fsbp("GuardDuty.5"), fsbp("GuardDuty.7"), nist("SI-4"), pci("11.5.1")],
    fails_when: "EKS_AUDIT_LOGS is not ENABLED (medium), or neither EKS_RUNTIME_MONITORING nor RUNTIME_MONITORING with \
                 EKS_ADDON_MANAGEMENT is ENABLED, or a cluster has CoverageStatus UNHEALTHY or CoveredNodes below \
                 CompatibleNodes (low).",
    why: "Whoever misuses the Kubernetes API or breaks out of a pod leaves traces only in audit logs and on nodes, and nobody looks there.",
    remediation: Remediation {
        text: "Enable EKS audit log monitoring and runtime monitoring with add-on management.",
        cli: "aws guardduty update-detector --detector-id ID --features \
             '[{\"Name\":\"EKS_AUDIT_LOGS\",\"Status\":\"ENABLED\"},{\"Name\":\"RUNTIME_MONITORING\",\"Status\":\"ENABLED\",\"AdditionalConfiguration\":[{\"Name\":\"EKS_ADDON_MANAGEMENT\",\"Status\":\"ENABLED\"}]}]'",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let places: BTreeSet<(&AccountId, &Region)> = estate.eks_clusters().map(|cluster| (cluster.account(), cluster.region())).collect();
    for (account, region) in places {
        match estate.detector(account, region) {
            Ok(Some(detector)) => verdicts.judge(detector, judge(detector)),
            Ok(None) => {
                let message = format!("GuardDuty, which has no detector in {region}, does not watch the EKS clusters there");
                let absent = place_reference(account, region, &Detector::default(), "GuardDuty");
                verdicts.judge_reference(absent, fail(message, json!({"Features": []})).verdict());
            }
            // Where the listing failed, the gap is reported for the place.
            Err(_) => {}
        }
    }
}

fn judge(detector: Node<'_, Detector>) -> Judgement {
    let configuration = detector.data().configuration.known()?;
    let mut off = Vec::new();
    if !configuration.has("EKS_AUDIT_LOGS") {
        off.push("EKS_AUDIT_LOGS is off".to_owned());
    }
    let runtime = configuration.has("EKS_RUNTIME_MONITORING") || configuration.has_part("RUNTIME_MONITORING", "EKS_ADDON_MANAGEMENT");
    if !runtime {
        off.push("runtime monitoring of nodes is off".to_owned());
    }
    let uncovered: Vec<&CoverageResource> =
        detector.coverage().map(|covered| covered.data()).filter(|covered| is_uncovered(covered)).collect();
    let evidence =
        json!({"Features": configuration.features, "coverage": uncovered.iter().map(|covered| shown(covered)).collect::<Vec<_>>()});
    if !off.is_empty() {
        let message = format!("GuardDuty does not watch the EKS clusters in {} whole: {}", detector.region(), listed(&off));
        return fail(message, evidence).verdict();
    }
    if uncovered.is_empty() {
        detector.estate().coverage().check(detector.account(), detector.region(), "guardduty:ListCoverage")?;
        return Ok(Verdict::Pass);
    }
    let told: Vec<String> = uncovered.iter().map(|covered| told(covered)).collect();
    fail(format!("GuardDuty does not cover all nodes: {}", listed(&told)), evidence).severity(Severity::Low).verdict()
}

fn details(covered: &CoverageResource) -> Option<&CoverageEksClusterDetails> {
    covered.resource_details.as_ref()?.eks_cluster_details.as_ref()
}

fn is_uncovered(covered: &CoverageResource) -> bool {
    let Some(details) = details(covered) else { return false };
    let nodes = details.covered_nodes.zip(details.compatible_nodes);
    covered.coverage_status.as_deref() == Some("UNHEALTHY") || nodes.is_some_and(|(covered, compatible)| covered < compatible)
}

fn told(covered: &CoverageResource) -> String {
    let details = details(covered);
    let name = details.and_then(|details| details.cluster_name.as_deref()).unwrap_or(&covered.resource_id);
    let nodes = details.and_then(|details| details.covered_nodes.zip(details.compatible_nodes));
    match nodes.filter(|(covered, compatible)| covered < compatible) {
        Some((covered, compatible)) => format!("{covered} of {compatible} in cluster {name}"),
        None => format!("cluster {name} is {}", covered.coverage_status.as_deref().unwrap_or_default()),
    }
}

fn shown(covered: &CoverageResource) -> Value {
    json!({"CoverageStatus": covered.coverage_status, "Issue": covered.issue, "EksClusterDetails": details(covered)})
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::guardduty::{CoverageEksClusterDetails, CoverageResource, CoverageResourceDetails, DetectorConfiguration};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn cluster() -> Fixture {
        fixture().eks_cluster("apps", |_| {})
    }

    fn covered(status: &str, covered: i64) -> CoverageResource {
        let details = CoverageEksClusterDetails {
            cluster_name: Some("apps".to_owned()),
            covered_nodes: Some(covered),
            compatible_nodes: Some(3),
            ..Default::default()
        };
        CoverageResource {
            resource_id: "r1".to_owned(),
            coverage_status: Some(status.to_owned()),
            resource_details: Some(CoverageResourceDetails { eks_cluster_details: Some(details), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn fails_when_a_feature_is_off_or_there_is_no_detector() {
        for feature in [0, 1] {
            let off = move |detector: &mut DetectorConfiguration| detector.features[feature].status = "DISABLED".to_owned();
            assert_eq!(outcome(&CHECK, cluster().detector(off)), Fail(Severity::Medium), "{feature}");
        }
        let without_addon = |detector: &mut DetectorConfiguration| detector.features[1].additional_configuration.clear();
        assert_eq!(outcome(&CHECK, cluster().detector(without_addon)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, cluster()), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_only_nodes_are_not_covered() {
        let found = findings(&CHECK, cluster().detector(|_| {}).resource(covered("HEALTHY", 2)));
        assert_eq!(found[0].severity, Severity::Low);
        assert!(found[0].message.contains("2 of 3 in cluster apps"), "{}", found[0].message);
        assert_eq!(outcome(&CHECK, cluster().detector(|_| {}).resource(covered("UNHEALTHY", 3))), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_all_is_on_and_covered() {
        assert_eq!(outcome(&CHECK, cluster().detector(|_| {}).resource(covered("HEALTHY", 3))), Pass);
        // The feature before runtime monitoring became one for all.
        let older = |detector: &mut DetectorConfiguration| "EKS_RUNTIME_MONITORING".clone_into(&mut detector.features[1].name);
        assert_eq!(outcome(&CHECK, cluster().detector(older)), Pass);
    }

    #[test]
    fn does_not_apply_without_eks() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_clusters_features_or_coverage_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
        assert_eq!(outcome(&CHECK, cluster().denied("guardduty:ListDetectors")), Unknown);
        assert_eq!(outcome(&CHECK, cluster().detector(|_| {}).denied("guardduty:ListCoverage")), Unknown);
    }
}
