//! Reads who can reach the Kubernetes API endpoint of each EKS cluster. Yields one verdict per cluster; a failure lists the
//! ranges that are let in and tells whether nodes have a private way.

use plimsoll_graph::{Node, exceed_prefix};
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-endpoint-public",
    title: "Kubernetes API endpoint is public or nodes do not use a private one",
    severity: Severity::High,
    resource: "AWS::EKS::Cluster",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &["eks:ListClusters", "eks:DescribeCluster"],
    shades: &[],
    compliance: &[fsbp("EKS.1"), cis_eks("5.4.1"), cis_eks("5.4.2"), nist("AC-3"), nist("SC-7"), pci("1.4.4")],
    fails_when: "resourcesVpcConfig.endpointPublicAccess true with publicAccessCidrs holding 0.0.0.0/0 or ::/0, or ranges \
                 larger than a /8 together (high); endpointPrivateAccess false, so node traffic leaves the VPC (medium); \
                 endpointPublicAccess true limited to named CIDRs with private access on (low; Security Hub EKS.1 fails \
                 on any public access).",
    why: "Everyone who can reach the endpoint can try stolen credentials on it, and any flaw of the API server; \
          without a private one the nodes themselves talk to it over the internet.",
    remediation: Remediation {
        text: "Turn public access off or limit it to named ranges.",
        cli: "aws eks update-cluster-config --name CLUSTER --resources-vpc-config \
             endpointPublicAccess=false,endpointPrivateAccess=true",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

/// Ranges that hold more addresses than this prefix let in everyone, as far as it matters.
const WIDE: u32 = 8;
/// What AWS lets in when no range is named.
const EVERYONE: &str = "0.0.0.0/0";

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let Some(config) = &cluster.data().resources_vpc_config else {
        return Err(untold(cluster, "resourcesVpcConfig"));
    };
    let (public, private) = (config.endpoint_public_access, config.endpoint_private_access);
    let evidence = json!({
        "endpointPublicAccess": public,
        "endpointPrivateAccess": private,
        "publicAccessCidrs": config.public_access_cidrs,
    });
    let name = cluster.name();
    let ranges: Vec<&str> = config.public_access_cidrs.iter().map(String::as_str).collect();
    let ranges = if ranges.is_empty() { vec![EVERYONE] } else { ranges };
    let nodes = if private == Some(false) { ", and nodes have no private way to it" } else { "" };
    if public == Some(true) && exceed_prefix(&ranges, WIDE) {
        return fail(format!("the Kubernetes API of {name} is open to {}{nodes}", listed(&ranges)), evidence).verdict();
    }
    if private == Some(false) {
        let open = if public == Some(true) { format!("; it is public for {}", listed(&ranges)) } else { String::new() };
        let message = format!("nodes of {name} reach its Kubernetes API outside the VPC{open}");
        return fail(message, evidence).severity(Severity::Medium).verdict();
    }
    match (public, private) {
        (Some(true), _) => {
            fail(format!("the Kubernetes API of {name} is public for {}", listed(&ranges)), evidence).severity(Severity::Low).verdict()
        }
        (Some(false), Some(true)) => Ok(Verdict::Pass),
        _ => Err(untold(cluster, "endpointPublicAccess or endpointPrivateAccess")),
    }
}

fn untold(cluster: Node<'_, Cluster>, what: &str) -> plimsoll_graph::Unknown {
    undecided(cluster, "eks:DescribeCluster", "NotAnswered", format!("the cluster tells no {what}"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::eks::VpcConfigResponse;
    use plimsoll_model::{Confidence, Gap, Severity, Status};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn endpoint(change: impl FnOnce(&mut VpcConfigResponse)) -> Fixture {
        fixture().eks_cluster("shop", |cluster| change(cluster.resources_vpc_config.as_mut().unwrap()))
    }

    fn public(ranges: &'static [&'static str], private: bool) -> Fixture {
        endpoint(|config| {
            config.endpoint_public_access = Some(true);
            config.endpoint_private_access = Some(private);
            config.public_access_cidrs = ranges.iter().map(|&range| range.to_owned()).collect();
        })
    }

    #[test]
    fn fails_when_everyone_can_reach_the_endpoint() {
        assert_eq!(outcome(&CHECK, public(&["0.0.0.0/0"], true)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, public(&["192.0.2.0/24", "::/0"], true)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, public(&["52.0.0.0/8", "54.0.0.0/16"], true)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, public(&[], false)), Fail(Severity::High));
        let found = findings(&CHECK, public(&["0.0.0.0/0"], false));
        assert_eq!(found[0].message, "the Kubernetes API of shop is open to 0.0.0.0/0, and nodes have no private way to it");
        assert_eq!((found[0].confidence, found[0].evidence["publicAccessCidrs"][0].as_str()), (Confidence::Certain, Some("0.0.0.0/0")));
    }

    #[test]
    fn weighs_less_when_few_can_reach_it() {
        assert_eq!(outcome(&CHECK, public(&["192.0.2.0/24"], false)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, public(&["52.0.0.0/8"], true)), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_the_endpoint_is_private() {
        assert_eq!(outcome(&CHECK, endpoint(|_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_clusters_that_come_or_go() {
        let deleting = fixture().eks_cluster("shop", |cluster| {
            "DELETING".clone_into(&mut cluster.status);
            cluster.resources_vpc_config = None;
        });
        assert_eq!(outcome(&CHECK, deleting), NotApplicable);
    }

    #[test]
    fn is_unknown_when_clusters_were_not_readable_or_tell_nothing() {
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
        assert_eq!(outcome(&CHECK, endpoint(|config| config.endpoint_public_access = None)), Unknown);
        let undescribed = endpoint(|_| {}).with(|inventory| {
            inventory.eks_clusters.clear();
            inventory
                .gaps
                .push(Gap { resource: Some("arn:aws:eks:us-east-1:111111111111:cluster/shop".to_owned()), ..gap("eks:DescribeCluster") });
        });
        let found = findings(&CHECK, undescribed);
        assert_eq!((found.len(), found[0].status, found[0].resource.name.as_str()), (1, Status::Unknown, "shop"));
    }
}
