//! Reads the lifecycle policy of each repository. Yields one verdict per private repository.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Repository;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-no-lifecycle-policy",
    title: "Old images are kept for ever",
    severity: Severity::Low,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy"],
    shades: &["ecr:GetLifecyclePolicy"],
    compliance: &[fsbp("ECR.3"), nist("CM-2?")],
    fails_when: "GetLifecyclePolicy answers LifecyclePolicyNotFoundException.",
    why: "Every image that was ever pushed stays pullable, with the flaws and secrets of its time, and can be run \
          again by anyone who may name it.",
    remediation: Remediation {
        text: "Add a lifecycle policy that keeps the images in use and expires the rest.",
        cli: "aws ecr put-lifecycle-policy --repository-name REPO --lifecycle-policy-text file://lifecycle.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Repository>(), judge),
};

fn judge(repository: Node<'_, Repository>) -> Judgement {
    if repository.data().lifecycle_policy.known()?.is_some() {
        return Ok(Verdict::Pass);
    }
    let images = repository.data().images.known().ok();
    let count = images.map(|images| images.count);
    let evidence = json!({
        "repositoryName": repository.data().repository_name,
        "imageCount": count,
        "oldestImagePushedAt": images.and_then(|images| images.oldest_image_pushed_at),
    });
    let keeps = count.map_or("all its images".to_owned(), |count| format!("all its images, {count} so far"));
    fail(format!("repository {} has no lifecycle policy and keeps {keeps}", repository.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, gap};
    use plimsoll_model::aws::ecr::Repository;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    #[test]
    fn fails_when_there_is_no_policy() {
        let account = fixture().repository("web", |repository| repository.lifecycle_policy = Seen::Known(None));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        let found = findings(&CHECK, account.each::<Repository>(|repository| repository.images = gap("ecr:DescribeImages").into()));
        assert_eq!(found[0].message, "repository web has no lifecycle policy and keeps all its images");
    }

    #[test]
    fn passes_when_there_is_one() {
        assert_eq!(outcome(&CHECK, fixture().repository("web", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_policy_or_repositories_were_not_readable() {
        let account = fixture().repository("web", |repository| repository.lifecycle_policy = gap("ecr:GetLifecyclePolicy").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("ecr:DescribeRepositories")), Unknown);
    }
}
