//! Reads the policy of each private repository and evaluates it for somebody with an AWS account of their own. Yields one
//! verdict per repository; a failure names what everyone may do and the statements that allow it.

use plimsoll_graph::{Admitted, Node, Outsider, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Repository;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::policies::{letting_in, named_statements};
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-public-policy",
    title: "Repository policy gives everyone access",
    severity: Severity::Critical,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["ecr:DescribeRepositories", "ecr:GetRepositoryPolicy"],
    shades: &[],
    compliance: &[nist("AC-3"), nist("AC-6"), pci("7.2.1?"), cis_eks("5.1.2")],
    fails_when: "policyText has Allow with Principal \"*\" or AWS \"*\" and no condition that limits the caller \
                 (aws:PrincipalOrgID, aws:PrincipalAccount, aws:SourceAccount, aws:SourceVpce, aws:PrincipalArn), and no Deny \
                 takes it back. Write actions (PutImage, InitiateLayerUpload, BatchDeleteImage, SetRepositoryPolicy, ecr:*) \
                 stay critical; pull only is high.",
    why: "Anyone with an AWS account can pull the images and read what is in them; with write actions, anyone decides what the \
          containers run.",
    remediation: Remediation {
        text: "Replace the principal with named accounts or add aws:PrincipalOrgID.",
        cli: "aws ecr set-repository-policy --repository-name REPO --policy-text file://policy.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Repository>(), judge),
};

/// Actions that change a repository or what is in it.
const WRITES: [&str; 19] = [
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:BatchDeleteImage",
    "ecr:SetRepositoryPolicy",
    "ecr:DeleteRepositoryPolicy",
    "ecr:DeleteRepository",
    "ecr:PutLifecyclePolicy",
    "ecr:DeleteLifecyclePolicy",
    "ecr:StartLifecyclePolicyPreview",
    "ecr:PutImageTagMutability",
    "ecr:PutImageScanningConfiguration",
    "ecr:ReplicateImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:UpdateImageStorageClass",
    "ecr:StartImageScan",
    "ecr:TagResource",
    "ecr:UntagResource",
];
/// Actions that show what is in it.
const READS: [&str; 13] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
    "ecr:DescribeImages",
    "ecr:ListImages",
    "ecr:DescribeRepositories",
    "ecr:DescribeImageScanFindings",
    "ecr:GetRepositoryPolicy",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageReplicationStatus",
    "ecr:ListImageReferrers",
];

fn judge(repository: Node<'_, Repository>) -> Judgement {
    let everyone = |actions: &[&'static str]| -> Result<Option<Admitted>, Unknown> {
        let outside = repository.outsiders(actions)?;
        Ok(outside.admitted.into_iter().find(|admitted| admitted.who == Outsider::Everyone))
    };
    let (writes, reads) = (everyone(&WRITES)?, everyone(&READS)?);
    let severity = if writes.is_some() { Severity::Critical } else { Severity::High };
    let admitted = writes.as_ref().or(reads.as_ref());
    let Some(admitted) = admitted else {
        return Ok(Verdict::Pass);
    };
    let actions: Vec<&str> = writes.iter().chain(&reads).flat_map(|admitted| admitted.actions.iter().copied()).collect();
    let statements = letting_in(writes.iter().chain(&reads));
    let mut message = format!("every AWS principal may {} in repository {}", listed(&actions), repository.name());
    if !admitted.certain {
        message = format!("{message}, as far as {} does not keep it out", listed(&admitted.keys));
    }
    let policy = repository.data().policy.known().ok().and_then(Option::as_ref);
    let evidence = json!({
        "repositoryArn": repository.data().repository_arn,
        "Statement": named_statements(policy, &statements),
        "actions": actions,
    });
    let failure = fail(message, evidence).severity(severity);
    if admitted.certain { failure.verdict() } else { failure.possible().verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Outcome, Pass, Unknown, findings, outcome};

    fn repository(statements: &[Value]) -> Fixture {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        fixture().repository("app", |repository| repository.policy = Seen::Known(Some(document)))
    }

    fn everyone(actions: &Value, condition: &Value) -> Value {
        json!({"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": actions, "Condition": condition})
    }

    fn pull(condition: &Value) -> Outcome {
        outcome(&CHECK, repository(&[everyone(&json!(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]), condition)]))
    }

    #[test]
    fn everyone_may_pull_is_high_and_write_is_critical() {
        assert_eq!(pull(&json!({})), Fail(Severity::High));
        for actions in [json!("ecr:*"), json!("*"), json!(["ecr:BatchGetImage", "ecr:Put*"]), json!("ecr:SetRepositoryPolicy")] {
            let found = findings(&CHECK, repository(&[everyone(&actions, &json!({}))]));
            assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Certain), "{actions}");
            assert_eq!(found[0].evidence["Statement"][0]["Sid"], "open");
        }
    }

    #[test]
    fn passes_without_a_policy_or_with_one_for_named_accounts() {
        assert_eq!(outcome(&CHECK, fixture().repository("app", |_| {})), Pass);
        let other = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "ecr:*"});
        assert_eq!(outcome(&CHECK, repository(&[other])), Pass);
    }

    #[test]
    fn passes_when_a_condition_limits_the_caller() {
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, "222222222222"]}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}}),
            json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
            json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
        ] {
            assert_eq!(pull(&condition), Pass, "{condition}");
        }
    }

    #[test]
    fn fails_when_outsiders_can_meet_the_condition() {
        for condition in [
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}}),
            json!({"StringEquals": {"aws:PrincipalTag/team": "shop"}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringLike": {"aws:SourceVpce": "vpce-*"}}),
            json!({"Null": {"aws:PrincipalOrgID": "false"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}),
        ] {
            assert_eq!(pull(&condition), Fail(Severity::High), "{condition}");
        }
    }

    #[test]
    fn a_deny_takes_it_back() {
        let open = || everyone(&json!("ecr:BatchGetImage"), &json!({}));
        let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Condition": condition});
        let outcome_of = |condition| outcome(&CHECK, repository(&[open(), deny(condition)]));
        assert_eq!(outcome_of(json!({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}})), Pass);
        assert_eq!(outcome_of(json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}})), Fail(Severity::High));
    }

    #[test]
    fn an_address_that_nobody_knows_leaves_it_possible() {
        let condition = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
        let found = findings(&CHECK, repository(&[everyone(&json!("ecr:BatchGetImage"), &condition)]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
        assert!(found[0].message.ends_with("as far as aws:SourceIp does not keep it out"), "{}", found[0].message);
    }

    #[test]
    fn is_unknown_when_the_policy_was_not_readable_or_does_not_parse() {
        let with = |policy: Seen<_>| fixture().repository("app", |repository| repository.policy = policy);
        assert_eq!(outcome(&CHECK, with(gap("ecr:GetRepositoryPolicy").into())), Unknown);
        assert_eq!(outcome(&CHECK, with(Seen::Known(Some(policy(json!("{oops")))))), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("ecr:DescribeRepositories")), Unknown);
    }
}
