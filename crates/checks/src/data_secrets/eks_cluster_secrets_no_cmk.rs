//! Reads with which key each EKS cluster encrypts Kubernetes secrets. Yields one verdict per cluster; a failure tells what
//! encrypts them instead.

use plimsoll_graph::{Link, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use plimsoll_model::aws::kms::Key;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};
use crate::reading::kubernetes_minor;

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-secrets-no-cmk",
    title: "Kubernetes secrets are not envelope-encrypted with a customer managed key",
    severity: Severity::Medium,
    resource: "AWS::EKS::Cluster",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &["eks:ListClusters", "eks:DescribeCluster", "kms:DescribeKey"],
    // The key is named or not: what KMS tells of it adds to that.
    shades: &["kms:DescribeKey"],
    compliance: &[fsbp("EKS.3"), cis_eks("5.3.1"), nist("SC-28"), pci("3.5.1?")],
    fails_when: "encryptionConfig is empty or no entry has resources containing secrets with provider.keyArn. From \
                 Kubernetes 1.28 EKS encrypts API data with an AWS owned key: then low unless policy demands a CMK. The \
                 key state is tested by kms-key-pending-deletion-in-use.",
    why: "Without a key of your own nobody can cut off who copied the secrets by disabling it, and the trail does not show \
          when they are decrypted.",
    remediation: Remediation {
        text: "Associate a KMS key with the cluster (it cannot be removed later).",
        cli: "aws eks associate-encryption-config --cluster-name CLUSTER --encryption-config \
             resources=secrets,provider={keyArn=KEY_ARN}",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

/// The first minor version of Kubernetes 1 for which EKS encrypts all API data with a key of AWS.
const ENCRYPTED_BY_AWS: u32 = 28;

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let secrets = cluster.data().encryption_config.iter().filter(|config| config.resources.iter().any(|resource| resource == "secrets"));
    let keys = secrets.filter_map(|config| config.provider.as_ref()?.key_arn.as_deref());
    let Some(reference) = keys.into_iter().find(|key| !key.is_empty()) else {
        let version = cluster.data().version.as_deref();
        let by_aws = version.and_then(kubernetes_minor).is_some_and(|minor| minor >= ENCRYPTED_BY_AWS);
        let demanded = cluster.estate().thresholds().require_customer_managed_keys;
        let what = if by_aws { "encrypted with a key of AWS only" } else { "not encrypted with a KMS key" };
        let evidence = json!({"encryptionConfig": cluster.encryption_config, "version": version});
        let failure = fail(format!("Kubernetes secrets of {} are {what}", cluster.name()), evidence);
        return if by_aws && !demanded { failure.severity(Severity::Low).verdict() } else { failure.verdict() };
    };
    // Whether the key works is another check's question.
    let key: Option<Node<'_, Key>> = Link::found(cluster.estate().key(cluster.account(), cluster.region(), reference));
    let metadata = key.and_then(|key| key.metadata().ok().flatten());
    if metadata.is_some_and(|key| key.key_manager.as_deref() == Some("AWS")) {
        let evidence = json!({"encryptionConfig": cluster.encryption_config, "version": cluster.version, "KeyManager": "AWS"});
        return fail(format!("Kubernetes secrets of {} are encrypted with a key that AWS manages", cluster.name()), evidence).verdict();
    }
    Ok(Verdict::Pass)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::eks::Cluster;
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, outcome};

    fn without_key(version: &'static str) -> Fixture {
        fixture().eks_cluster("shop", |cluster: &mut Cluster| {
            cluster.version = Some(version.to_owned());
            cluster.encryption_config.clear();
        })
    }

    #[test]
    fn fails_when_secrets_have_no_key() {
        assert_eq!(outcome(&CHECK, without_key("1.27")), Fail(Severity::Medium));
        let other = fixture().eks_cluster("shop", |cluster| {
            cluster.version = None;
            cluster.encryption_config[0].resources.clear();
        });
        assert_eq!(outcome(&CHECK, other), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_where_aws_encrypts_unless_a_key_of_ones_own_is_demanded() {
        assert_eq!(outcome(&CHECK, without_key("1.28")), Fail(Severity::Low));
        let demanded = without_key("1.28").thresholds(|thresholds| thresholds.require_customer_managed_keys = true);
        assert_eq!(outcome(&CHECK, demanded), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_a_key_is_named_also_one_that_was_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {}).key("eks", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {}).denied("kms:DescribeKey")), Pass);
    }

    #[test]
    fn fails_when_the_key_turns_out_to_be_of_aws() {
        let account = fixture().eks_cluster("shop", |_| {}).key("eks", |key: &mut Key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_manager = Some("AWS".to_owned());
            }
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_clusters_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
    }
}
