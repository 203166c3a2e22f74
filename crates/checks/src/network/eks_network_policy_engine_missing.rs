//! Reads whether the VPC CNI add-on of each EKS cluster enforces network policies. Yields one verdict per cluster. Other
//! engines run inside the cluster, where this version does not look: a failure is possible, not certain.

use plimsoll_graph::Node;
use plimsoll_model::Gap;
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "eks-network-policy-engine-missing",
    title: "Cluster cannot enforce network policies",
    severity: Severity::Medium,
    resource: "AWS::EKS::Cluster",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &["eks:ListClusters", "eks:DescribeCluster", "eks:ListAddons", "eks:DescribeAddon", "k8s:list daemonsets"],
    // The verdict on each cluster is unknown without its add-ons, or where only its inside can tell.
    shades: &["eks:ListAddons", "eks:DescribeAddon", "k8s:list daemonsets"],
    compliance: &[cis_eks("4.3.1"), cis_eks("5.4.4"), nist("SC-7"), nist("AC-4")],
    fails_when: "vpc-cni add-on configurationValues lacks enableNetworkPolicy \"true\" (and the aws-node DaemonSet lacks \
                 aws-eks-nodeagent with enable-network-policy=true), and no DaemonSet of Calico, Cilium, Antrea or \
                 Kube-router runs. NetworkPolicy objects would have no effect. EKS Auto Mode: network policy controller \
                 ConfigMap amazon-vpc-cni enable-network-policy-controller.",
    why: "Network policies are then accepted and do nothing: every pod reaches every other, and whoever takes one can go on \
          from there.",
    remediation: Remediation {
        text: "Turn on network policy in the VPC CNI or install Calico or Cilium.",
        cli: "aws eks update-addon --cluster-name CLUSTER --addon-name vpc-cni --configuration-values \
             '{\"enableNetworkPolicy\":\"true\"}'",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

/// The add-on that connects pods, and enforces network policies when told to.
const ADDON: &str = "vpc-cni";

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let inside = |operation: &str| -> Judgement {
        let (account, region) = (cluster.account().clone(), cluster.region().clone());
        Err(Gap { account, region, resource: Some(cluster.data().arn.clone()), ..Gap::not_collected(operation) }.into())
    };
    // Nodes of EKS Auto Mode have no add-on: a config map of the cluster decides.
    if cluster.is_auto_mode() {
        return inside("k8s:get configmaps");
    }
    let Some(addon) = cluster.addon(ADDON)? else {
        return inside("k8s:list daemonsets");
    };
    let values = addon.data().configuration_values.as_ref();
    let written = values.and_then(|values| values.enable_network_policy.as_deref());
    if written.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Verdict::Pass);
    }
    if values.is_some_and(|values| values.unreadable) {
        return Err(undecided(
            cluster,
            "eks:DescribeAddon",
            "UnreadableConfiguration",
            "the configuration of vpc-cni is neither JSON nor YAML",
        ));
    }
    let evidence = json!({"addonVersion": addon.addon_version, "enableNetworkPolicy": written});
    let message = format!(
        "{ADDON} of cluster {} does not enforce network policies; whether another engine does was not read (k8s:list daemonsets)",
        cluster.name()
    );
    fail(message, evidence).possible().verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::eks::{Addon, ComputeConfigResponse, ConfigurationValues};
    use plimsoll_model::{Confidence, Gap, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn addon(change: impl FnOnce(&mut Addon)) -> Fixture {
        fixture().eks_cluster("shop", |_| {}).addon("shop", "vpc-cni", change)
    }

    #[test]
    fn fails_as_possible_when_the_add_on_does_not_enforce_policies() {
        let found = findings(&CHECK, addon(|addon| addon.configuration_values = None));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Possible));
        let off =
            |addon: &mut Addon| addon.configuration_values = Some(ConfigurationValues::from_text(r#"{"enableNetworkPolicy": "false"}"#));
        assert_eq!(outcome(&CHECK, addon(off)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_add_on_enforces_policies() {
        assert_eq!(outcome(&CHECK, addon(|_| {})), Pass);
    }

    #[test]
    fn is_unknown_when_only_the_inside_of_the_cluster_can_tell() {
        let found = findings(&CHECK, fixture().eks_cluster("shop", |_| {}).addon("shop", "coredns", |_| {}));
        assert!(found[0].message.contains("k8s:list daemonsets"), "{found:?}");
        let auto = fixture().eks_cluster("shop", |cluster| {
            cluster.compute_config = Some(ComputeConfigResponse { enabled: Some(true), ..Default::default() });
        });
        assert!(findings(&CHECK, auto)[0].message.contains("k8s:get configmaps"));
    }

    #[test]
    fn is_unknown_when_the_add_on_was_not_readable() {
        let arn = |kind: &str| Some(format!("arn:aws:eks:us-east-1:111111111111:{kind}"));
        let missing = |operation: &str, resource: Option<String>| {
            let gap = Gap { resource, ..gap(operation) };
            fixture().eks_cluster("shop", |_| {}).with(|inventory| inventory.gaps.push(gap))
        };
        let found = findings(&CHECK, missing("eks:ListAddons", arn("cluster/shop")));
        assert!(found.iter().any(|finding| finding.resource.name == "shop" && finding.message.contains("eks:ListAddons")), "{found:?}");
        let found = findings(&CHECK, missing("eks:DescribeAddon", arn("addon/shop/vpc-cni")));
        assert!(found.iter().any(|finding| finding.resource.name == "shop" && finding.message.contains("eks:DescribeAddon")), "{found:?}");
        let unreadable =
            |addon: &mut Addon| addon.configuration_values = Some(ConfigurationValues { unreadable: true, ..Default::default() });
        assert_eq!(outcome(&CHECK, addon(unreadable)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
    }
}
