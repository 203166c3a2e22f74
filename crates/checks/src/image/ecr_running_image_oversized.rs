//! Reads the compressed size of each image that a task runs. Yields one verdict per running digest; of an index the
//! images of the platforms that run count.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Image;
use plimsoll_model::policy::wildcard_match;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::images::{each_running, gone, run_by, runners, told};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "ecr-running-image-oversized",
    title: "Running image is much larger than a minimal image",
    severity: Severity::Informational,
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
    ],
    shades: &["eks:ListClusters", "eks:DescribeCluster", "ecr:DescribeImages", "ecr:BatchGetImage"],
    compliance: &[cis_docker("4.3"), nist("CM-7")],
    fails_when: "imageSizeInBytes (compressed) of a running platform manifest exceeds 1 GiB (configurable; 8 GiB for \
                 images with GPU libraries by tag).",
    why: "What a program does not need it still has to be patched for, and an intruder finds there the tools that a \
          small image lacks.",
    remediation: Remediation {
        text: "Use a multi-stage build and a slim or distroless base.",
        cli: "aws ecr describe-images --repository-name REPO --image-ids imageDigest=DIGEST --query \
             imageDetails[].imageSizeInBytes",
    },
    evaluate: |estate, verdicts| each_running(estate, verdicts, judge),
};

fn judge(image: Node<'_, Image>) -> Judgement {
    let thresholds = image.estate().thresholds();
    let Some(detail) = image.detail()? else { return Err(gone(image)) };
    let gpu = detail.image_tags.iter().any(|tag| thresholds.gpu_image_tags.iter().any(|pattern| wildcard_match(pattern, tag)));
    let limit = if gpu { thresholds.gpu_image_mib } else { thresholds.image_mib };
    let mut undecided_size = None;
    for part in image.platform_images()? {
        let size = match part.detail()? {
            Some(detail) => detail.image_size_in_bytes,
            None => None,
        };
        // The manifest tells the layers' sizes too.
        match size.or_else(|| part.contents().ok()?.layers_size) {
            Some(size) if size >> 20 >= limit && size > limit << 20 => {
                let evidence = json!({
                    "imageDigest": part.data().image_digest,
                    "imageTags": detail.image_tags,
                    "imageSizeInBytes": size,
                    "limitInBytes": limit << 20,
                    "usedBy": runners(image),
                });
                let message = format!("image {}, {}, has {} MiB compressed", told(image), run_by(image), size >> 20);
                return fail(message, evidence).verdict();
            }
            Some(_) => {}
            None => undecided_size = Some(undecided(part, "ecr:DescribeImages", "NotAnswered", "ECR tells no size of the image")),
        }
    }
    undecided_size.map_or(Ok(Verdict::Pass), Err)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::Image;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn sized(mib: u64, tag: &str) -> Fixture {
        let tag = tag.to_owned();
        fixture().shop().each::<Image>(move |image| {
            if let Seen::Known(Some(detail)) = &mut image.image_detail {
                detail.image_size_in_bytes = Some((mib << 20) + 1);
                detail.image_tags = vec![tag.clone()];
            }
        })
    }

    #[test]
    fn fails_above_the_limit() {
        assert_eq!(outcome(&CHECK, sized(1024, "1")), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, sized(8192, "2.1-cuda12")), Fail(Severity::Informational));
    }

    #[test]
    fn passes_below_it() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, sized(4096, "2.1-cuda12")), Pass);
        assert_eq!(outcome(&CHECK, fixture().repository("app", |_| {}).image("app", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_image_was_not_read() {
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.image_detail = gap("ecr:DescribeImages").into())), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().without::<Image>()), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.image_detail = Seen::Known(None))), Unknown);
    }
}
