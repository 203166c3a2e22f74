//! Reads until when AWS supports the version of Kubernetes of each EKS cluster. Yields one verdict per cluster; a failure
//! names what stands in the way of an upgrade.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{days_between, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-version-unsupported",
    title: "Cluster runs a Kubernetes version near or past its support end",
    severity: Severity::High,
    resource: "AWS::EKS::Cluster",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Shared },
    needs: &["eks:ListClusters", "eks:DescribeCluster", "eks:DescribeClusterVersions", "eks:ListInsights"],
    // Each verdict is unknown without its version; insights are evidence.
    shades: &["eks:DescribeClusterVersions", "eks:ListInsights"],
    compliance: &[fsbp("EKS.2"), nist("SI-2"), nist("SA-22"), pci("6.3.3")],
    fails_when: "versionStatus of the cluster version is UNSUPPORTED (high) or EXTENDED_SUPPORT (low), or \
                 STANDARD_SUPPORT with endOfStandardSupportDate within 60 days (low). Evidence adds UPGRADE_READINESS \
                 insights with insightStatus ERROR.",
    why: "Without support no more flaws of the version are mended, and AWS upgrades the cluster at a time of its own choice; \
          extended support costs six times as much.",
    remediation: Remediation {
        text: "Upgrade one minor version at a time, then the add-ons and nodes.",
        cli: "aws eks update-cluster-version --name CLUSTER --kubernetes-version VERSION",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let untold = |what: &str| undecided(cluster, "eks:DescribeClusterVersions", "NotAnswered", format!("AWS tells no {what}"));
    let Some(version) = cluster.cluster_version() else {
        return Err(undecided(cluster, "eks:DescribeCluster", "NotAnswered", "the cluster tells no version"));
    };
    let version = version.known()?.data();
    let (now, name) = (cluster.estate().inventory().header.finished_at, cluster.name());
    let of = format!("cluster {name} runs Kubernetes {}", version.cluster_version);
    let (message, severity) = match version.version_status.as_deref() {
        Some("UNSUPPORTED") => (format!("{of}, which AWS no longer supports"), Severity::High),
        Some("EXTENDED_SUPPORT") => (format!("{of}, which is in extended support"), Severity::Low),
        Some("STANDARD_SUPPORT") => {
            let Some(end) = version.end_of_standard_support_date else { return Err(untold("endOfStandardSupportDate")) };
            let days = days_between(now, end);
            if days > i64::from(cluster.estate().thresholds().eks_support_days) {
                return Ok(Verdict::Pass);
            }
            let when = if days < 0 { "has ended".to_owned() } else { format!("ends in {days} days") };
            (format!("{of}, whose standard support {when}"), Severity::Low)
        }
        _ => return Err(untold("versionStatus")),
    };
    fail(message, evidence(cluster, version)).severity(severity).verdict()
}

fn evidence(cluster: Node<'_, Cluster>, version: &plimsoll_model::aws::eks::ClusterVersion) -> Value {
    let failing = cluster.insights().filter(|insight| {
        insight.category.as_deref() == Some("UPGRADE_READINESS")
            && insight.data().insight_status.as_ref().is_some_and(|status| status.status.as_deref() == Some("ERROR"))
    });
    let insights: Vec<Value> =
        failing.map(|insight| json!({"name": insight.name, "kubernetesVersion": insight.kubernetes_version})).collect();
    json!({
        "version": version.cluster_version,
        "versionStatus": version.version_status,
        "endOfStandardSupportDate": version.end_of_standard_support_date,
        "endOfExtendedSupportDate": version.end_of_extended_support_date,
        "supportType": cluster.data().upgrade_policy.as_ref().and_then(|policy| policy.support_type.as_deref()),
        "insights": insights,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::eks::{Cluster, ClusterVersion, Insight, InsightStatus};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn version(change: impl Fn(&mut ClusterVersion)) -> Fixture {
        fixture().eks_cluster("shop", |_| {}).each(change)
    }

    fn status(status: &'static str) -> Fixture {
        version(|version| version.version_status = Some(status.to_owned()))
    }

    fn ends(date: &'static str) -> Fixture {
        version(|version| version.end_of_standard_support_date = Some(at(date)))
    }

    #[test]
    fn fails_when_support_has_ended() {
        assert_eq!(outcome(&CHECK, status("UNSUPPORTED")), Fail(Severity::High));
    }

    #[test]
    fn weighs_less_in_extended_support_and_shortly_before() {
        assert_eq!(outcome(&CHECK, status("EXTENDED_SUPPORT")), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, ends("2026-08-14T00:00:00Z")), Fail(Severity::Low));
        assert_eq!(
            findings(&CHECK, ends("2026-06-25T12:00:00Z"))[0].message,
            "cluster shop runs Kubernetes 1.33, whose standard support ends in 10 days"
        );
    }

    #[test]
    fn names_what_stands_in_the_way() {
        let insight = |id: &str, status: &str| Insight {
            id: id.to_owned(),
            name: format!("Deprecated APIs {id}"),
            cluster_name: "shop".to_owned(),
            category: Some("UPGRADE_READINESS".to_owned()),
            insight_status: Some(InsightStatus { status: Some(status.to_owned()), reason: None }),
            ..Default::default()
        };
        let found = findings(&CHECK, status("UNSUPPORTED").resource(insight("a", "ERROR")).resource(insight("b", "PASSING")));
        assert_eq!(found[0].evidence["insights"].as_array().unwrap().len(), 1);
        assert_eq!(found[0].evidence["insights"][0]["name"], "Deprecated APIs a");
    }

    #[test]
    fn passes_in_standard_support() {
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, ends("2026-08-16T00:00:00Z")), Pass);
        let account = ends("2026-08-16T00:00:00Z");
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.eks_support_days = 90)), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_the_versions_were_not_readable() {
        let denied = fixture().eks_cluster("shop", |_| {}).without::<ClusterVersion>().denied("eks:DescribeClusterVersions");
        assert_eq!(findings(&CHECK, denied)[0].resource.name, "shop");
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {}).without::<ClusterVersion>()), Unknown);
        assert_eq!(outcome(&CHECK, status("SOMETHING_NEW")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |cluster: &mut Cluster| cluster.version = None)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
    }
}
