//! Reads the deletion protection and the tags of each EKS cluster. Yields one verdict per cluster.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-deletion-protection-off",
    title: "Cluster can be deleted by a single API call",
    severity: Severity::Low,
    resource: "AWS::EKS::Cluster",
    area: Area::TaggingGovernance,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &["eks:ListClusters", "eks:DescribeCluster"],
    shades: &[],
    compliance: &[nist("CP-9?"), nist("SI-12?")],
    fails_when: "deletionProtection is absent or false and the cluster is not tagged as non-production.",
    why: "One call by mistake, or with stolen credentials, then ends everything that runs in the cluster.",
    remediation: Remediation {
        text: "Turn on deletion protection.",
        cli: "aws eks update-cluster-config --name CLUSTER --deletion-protection",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let data = cluster.data();
    let tags = || data.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>();
    if data.deletion_protection == Some(true) || cluster.estate().thresholds().is_non_production(tags()) {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({"deletionProtection": data.deletion_protection, "tags": data.tags});
    fail(format!("cluster {} can be deleted by a single call", data.name), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, outcome};

    fn cluster(protection: Option<bool>, environment: &'static str) -> Fixture {
        fixture().eks_cluster("shop", |cluster| {
            cluster.deletion_protection = protection;
            cluster.tags.insert("environment".to_owned(), environment.to_owned());
        })
    }

    #[test]
    fn fails_when_the_protection_is_off_or_absent() {
        assert_eq!(outcome(&CHECK, cluster(Some(false), "live")), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, cluster(None, "other")), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_the_protection_is_on_or_the_cluster_is_not_production() {
        assert_eq!(outcome(&CHECK, cluster(Some(true), "production")), Pass);
        assert_eq!(outcome(&CHECK, cluster(Some(false), "staging")), Pass);
    }

    #[test]
    fn the_configuration_says_what_is_not_production() {
        let account = cluster(Some(false), "scratch");
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, account.thresholds(|t| t.non_production_tags = vec!["environment=scratch".parse().unwrap()])), Pass);
    }

    #[test]
    fn is_unknown_when_clusters_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("eks:DescribeCluster")), Unknown);
    }
}
