//! Reads when each image that a task runs was pushed, and what was pushed after it under a tag of the same line.
//! Yields one verdict per running digest; a failure tells its age, that of what it is built on, and the image that
//! waits.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Image;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::images::{each_running, gone, run_by, runners, told};
use crate::reading::{days_between, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecr-running-image-stale",
    title: "Running image has not been rebuilt for a long time",
    severity: Severity::Low,
    resource: "AWS::ECR::Image",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ],
    shades: &["eks:ListClusters", "eks:DescribeCluster", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    compliance: &[nist("SI-2"), pci("6.3.3?")],
    fails_when: "imagePushedAt of a running digest is older than 180 days (configurable; 90 for internet-exposed \
                 services), or the repository holds a newer image under the same tag prefix for over 90 days.",
    why: "Images do not mend themselves: every flaw that became known since the build is still inside.",
    remediation: Remediation {
        text: "Rebuild on a current base image on a schedule.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate: |estate, verdicts| each_running(estate, verdicts, judge),
};

fn judge(image: Node<'_, Image>) -> Judgement {
    let thresholds = image.estate().thresholds();
    let now = image.estate().inventory().header.finished_at;
    let Some(detail) = image.detail()? else { return Err(gone(image)) };
    let Some(pushed) = detail.image_pushed_at else {
        return Err(undecided(image, "ecr:DescribeImages", "NotAnswered", "ECR does not tell when the image was pushed"));
    };
    let age = days_between(pushed, now);
    let newer = image.data().superseded_by.known();
    let waiting = newer
        .ok()
        .and_then(Option::as_ref)
        .filter(|newer| days_between(newer.image_pushed_at, now) > i64::from(thresholds.newer_image_days));
    let problem = if age > i64::from(thresholds.image_days) {
        format!("was pushed {age} days ago")
    } else if let Some(newer) = waiting {
        format!("was replaced by {} {} days ago", newer.image_tag, days_between(newer.image_pushed_at, now))
    } else {
        newer?;
        return Ok(Verdict::Pass);
    };
    let newest = image.repository().found().and_then(|repository| repository.data().images.known().ok()?.newest_image_pushed_at);
    let built_on = image.platform_images().ok().and_then(|parts| parts.first()?.config().ok().flatten()?.oldest_history);
    let evidence = json!({
        "imageDigest": image.data().image_digest,
        "imageTags": detail.image_tags,
        "imagePushedAt": pushed,
        "newerImage": newer.ok(),
        "newestImagePushedAt": newest,
        "baseCreated": built_on,
        "usedBy": runners(image),
    });
    fail(format!("image {}, {}, {problem}", told(image), run_by(image)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap};
    use plimsoll_model::aws::ecr::{Image, NewerImage};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn pushed(when: &str) -> Fixture {
        let when = at(when);
        fixture().shop().each::<Image>(move |image| {
            if let Seen::Known(Some(detail)) = &mut image.image_detail {
                detail.image_pushed_at = Some(when);
            }
        })
    }

    fn superseded(account: Fixture, when: &str) -> Fixture {
        let newer = NewerImage { image_digest: "sha256:1".to_owned(), image_tag: "1.1.0".to_owned(), image_pushed_at: at(when) };
        account.each::<Image>(move |image| image.superseded_by = Seen::Known(Some(newer.clone())))
    }

    #[test]
    fn fails_when_the_image_is_old() {
        assert_eq!(outcome(&CHECK, pushed("2025-12-01T00:00:00Z")), Fail(Severity::Low));
        let account = pushed("2025-12-01T00:00:00Z").each::<Image>(|image| image.superseded_by = gap("ecr:DescribeImages").into());
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn fails_when_a_newer_one_waits_for_long() {
        let found = findings(&CHECK, superseded(pushed("2026-02-01T00:00:00Z"), "2026-02-10T00:00:00Z"));
        assert_eq!(found[0].message, "image app:1.0.0, run by web, was replaced by 1.1.0 125 days ago");
    }

    #[test]
    fn passes_when_it_is_fresh_or_the_newer_one_is() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, superseded(pushed("2026-02-01T00:00:00Z"), "2026-05-01T00:00:00Z")), Pass);
    }

    #[test]
    fn is_unknown_when_neither_was_readable() {
        let account = fixture().shop().each::<Image>(|image| image.superseded_by = gap("ecr:DescribeImages").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeTasks")), Unknown);
    }
}
