//! Reads the scan of each image that a task runs. Yields one verdict per running digest, and one per image that comes
//! from outside Amazon ECR, where no scanner of AWS looks.

use plimsoll_graph::{ElsewhereImage, Estate, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::{Image, ImageScan};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::engine::Verdicts;
use crate::images::{each_running, elsewhere, gone, run_by, runners, runners_elsewhere, short, told};
use crate::reading::days_between;

pub(crate) const CHECK: Check = Check {
    id: "ecr-image-running-unscanned",
    title: "Running container uses an image that no scanner has covered",
    severity: Severity::Medium,
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
        "ecr:DescribeImageScanFindings",
        "ecr:BatchGetImage",
        "ecr:GetRegistryScanningConfiguration",
        "inspector2:ListCoverage",
    ],
    shades: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecr:BatchGetImage",
        "ecr:GetRegistryScanningConfiguration",
        "inspector2:ListCoverage",
    ],
    compliance: &[cis_eks("5.1.1"), nist("RA-5"), pci("11.3.1?")],
    fails_when: "For a running digest: imageScanStatus absent or FAILED or UNSUPPORTED_IMAGE, imageScanCompletedAt older \
                 than 30 days with BASIC scanning, or Inspector coverage scanStatus.statusCode INACTIVE (for example \
                 SCAN_ELIGIBILITY_EXPIRED). Images outside ECR that run in tasks fail as well: no AWS scanner sees them.",
    why: "Nobody will say when a flaw in it becomes known: what no scanner covers looks as clean as what has no \
          flaws.",
    remediation: Remediation {
        text: "Move the image to a scanned ECR repository and extend the rescan duration.",
        cli: "aws inspector2 update-configuration --ecr-configuration \
             rescanDuration=LIFETIME,pullDateRescanDuration=DAYS_90",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    each_running(estate, verdicts, judge);
    for (reference, image) in elsewhere(estate) {
        if image.missing().is_none() {
            verdicts.judge_reference(reference, outside(image));
        }
    }
}

fn outside(image: ElsewhereImage<'_>) -> Judgement {
    let evidence = json!({"image": image.image(), "usedBy": runners_elsewhere(image)});
    fail(format!("image {} runs from a registry where no scanner of AWS looks", image.image()), evidence).verdict()
}

fn judge(image: Node<'_, Image>) -> Judgement {
    let Some(detail) = image.detail()? else { return Err(gone(image)) };
    for part in image.platform_images()? {
        let coverage = part.inspector_coverage().ok().flatten().and_then(|coverage| coverage.data().scan_status.as_ref());
        let scan = part.data().scan.known();
        let problem = match coverage {
            Some(status) if status.status_code == "ACTIVE" => None,
            Some(status) => {
                let reason = status.reason.as_deref().unwrap_or("it does not say why");
                Some(format!("is not scanned by Amazon Inspector: {reason}"))
            }
            None => problem(part, scan.map_err(Clone::clone)?.as_ref())?,
        };
        let Some(problem) = problem else { continue };
        let scan = scan.ok().and_then(Option::as_ref);
        let evidence = json!({
            "imageDigest": part.data().image_digest,
            "imageTags": detail.image_tags,
            "imageScanStatus": scan.and_then(|scan| scan.image_scan_status.as_ref()),
            "inspector": coverage,
            "imageScanCompletedAt": scan.and_then(|scan| scan.image_scan_completed_at),
            "usedBy": runners(image),
        });
        let message = format!("image {} ({}), {}, {problem}", told(image), short(&part.data().image_digest), run_by(image));
        return fail(message, evidence).verdict();
    }
    Ok(Verdict::Pass)
}

/// Why no scanner vouches for an image.
fn problem(image: Node<'_, Image>, scan: Option<&ImageScan>) -> Result<Option<String>, plimsoll_graph::Unknown> {
    let Some(scan) = scan else { return Ok(Some("was never scanned".to_owned())) };
    match scan.image_scan_status.as_ref().and_then(|status| status.status.as_deref()) {
        None => return Ok(Some("has no scan status".to_owned())),
        Some(status @ ("FAILED" | "UNSUPPORTED_IMAGE" | "SCAN_ELIGIBILITY_EXPIRED" | "FINDINGS_UNAVAILABLE" | "IMAGE_ARCHIVED")) => {
            return Ok(Some(format!("is not covered: its scan status is {status}")));
        }
        // Inspector goes on scanning by itself.
        Some("ACTIVE") => return Ok(None),
        Some(_) => {}
    }
    let limit = i64::from(image.estate().thresholds().image_scan_days);
    let Some(days) = scan.image_scan_completed_at.map(|at| days_between(at, image.estate().inventory().header.finished_at)) else {
        return Ok(None);
    };
    if days <= limit {
        return Ok(None);
    }
    let registry = image.estate().registry(image.account(), image.region());
    let basic = match registry.as_ref().map(|registry| registry.data().scanning_configuration.known()) {
        Some(Ok(configuration)) => configuration.scan_type.as_deref() != Some("ENHANCED"),
        Some(Err(gap)) => return Err(gap.into()),
        None => true,
    };
    Ok(basic.then(|| format!("was last scanned {days} days ago")))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap};
    use plimsoll_model::aws::ecr::{Image, ImageScan, ImageScanStatus, Registry, RegistryScanningConfiguration};
    use plimsoll_model::aws::ecs::Task;
    use plimsoll_model::aws::inspector2::{Coverage, ScanStatus};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn scanned(status: &str, when: &str) -> Fixture {
        let scan = ImageScan {
            image_scan_status: Some(ImageScanStatus { status: Some(status.to_owned()), description: None }),
            image_scan_completed_at: Some(at(when)),
            complete: true,
            ..Default::default()
        };
        let basic = RegistryScanningConfiguration { scan_type: Some("BASIC".to_owned()), rules: Vec::new() };
        fixture()
            .shop()
            .each::<Image>(move |image| image.scan = Seen::Known(Some(scan.clone())))
            .each::<Registry>(move |registry| registry.scanning_configuration = Seen::Known(basic.clone()))
    }

    #[test]
    fn fails_when_no_scan_covers_what_runs() {
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.scan = Seen::Known(None))), Fail(Severity::Medium));
        for status in ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED"] {
            assert_eq!(outcome(&CHECK, scanned(status, "2026-06-14T00:00:00Z")), Fail(Severity::Medium), "{status}");
        }
        assert_eq!(outcome(&CHECK, scanned("COMPLETE", "2026-05-01T00:00:00Z")), Fail(Severity::Medium));
    }

    #[test]
    fn fails_for_an_image_from_elsewhere() {
        let account = fixture().shop().each::<Task>(|task| task.containers[0].image = Some("nginx:1.27".to_owned()));
        let found = findings(&CHECK, account);
        assert_eq!(found[0].resource.arn, "arn:aws:ecr:us-east-1:111111111111:image/nginx:1.27");
        assert_eq!(found[0].evidence["usedBy"]["taskCount"], 1);
    }

    #[test]
    fn passes_when_the_scan_is_fresh_or_goes_on() {
        assert_eq!(outcome(&CHECK, scanned("COMPLETE", "2026-06-01T00:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, scanned("ACTIVE", "2026-01-01T00:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn the_coverage_of_inspector_counts_before_what_ecr_tells() {
        let covered = |account: Fixture, status: &str| {
            let image = account.clone().build().container_images[0].data.image_arn.clone();
            let status = status.to_owned();
            account.inspected(&image, |_| {}).each::<Coverage>(move |coverage| {
                coverage.scan_status =
                    Some(ScanStatus { status_code: status.clone(), reason: Some("SCAN_ELIGIBILITY_EXPIRED".to_owned()) });
            })
        };
        let unread = fixture().shop().each::<Image>(|image| image.scan = gap("ecr:DescribeImageScanFindings").into());
        assert_eq!(outcome(&CHECK, covered(unread.clone(), "ACTIVE")), Pass);
        let expired = covered(scanned("ACTIVE", "2026-06-14T00:00:00Z"), "INACTIVE");
        assert!(findings(&CHECK, expired.clone())[0].message.contains("SCAN_ELIGIBILITY_EXPIRED"));
        assert_eq!(outcome(&CHECK, expired), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_scan_or_image_was_not_readable() {
        assert_eq!(
            outcome(&CHECK, fixture().shop().each::<Image>(|image| image.scan = gap("ecr:DescribeImageScanFindings").into())),
            Unknown
        );
        assert_eq!(outcome(&CHECK, fixture().shop().without::<Image>()), Unknown);
    }
}
