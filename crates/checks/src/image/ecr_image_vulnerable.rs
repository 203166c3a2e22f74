//! Reads the scan findings of each image: those of Amazon Inspector where scanning is enhanced, else those of basic
//! scanning, both as ECR tells them. Yields one verdict per image that a task runs and per newest image of each other
//! repository; a failure tells counts and the worst flaws by name.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::{Image, ImageScan, SevereFindings, Vulnerability};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::images::{each_running_and_newest, gone, run_by, runners, told};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "ecr-image-vulnerable",
    title: "Container image has critical or high flaws",
    severity: Severity::High,
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
        "inspector2:ListFindings",
    ],
    shades: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecr:BatchGetImage",
        "inspector2:ListFindings",
    ],
    compliance: &[nist("RA-5"), nist("SI-2"), pci("6.3.3"), pci("11.3.1"), pci("6.3.1?")],
    fails_when: "Running digest: ACTIVE, not suppressed findings of severity CRITICAL (high; critical when \
                 exploitAvailable is YES) or HIGH with a fix (medium). Newest but not running image: CRITICAL (medium) or \
                 HIGH with a fix (low). For an image index use the digest of the platform manifest. Findings come from \
                 Inspector when scanType is ENHANCED, else from DescribeImageScanFindings.",
    why: "Known flaws come with known exploits: what a scanner can list, an attacker can try.",
    remediation: Remediation {
        text: "Rebuild on a patched base image and redeploy.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate: |estate, verdicts| each_running_and_newest(estate, verdicts, judge),
};

/// Flaws that are told by name.
const SHOWN: usize = 10;

/// What the findings of the images behind a digest come to.
#[derive(Default)]
struct Flaws<'e> {
    critical: u64,
    exploited: u64,
    high_with_fix: u64,
    /// HIGH findings of which basic scanning does not tell whether there is a fix.
    high: u64,
    examples: Vec<&'e Vulnerability>,
}

fn judge(image: Node<'_, Image>) -> Judgement {
    let Some(detail) = image.detail()? else { return Err(gone(image)) };
    let mut flaws = Flaws::default();
    let mut counts = Vec::new();
    let mut unknown: Option<Unknown> = None;
    for part in image.platform_images()? {
        match scan(part) {
            Ok(scan) => {
                flaws.add(scan);
                counts.push(json!({"imageDigest": part.data().image_digest, "findingSeverityCounts": scan.finding_severity_counts}));
                unknown = unknown.or_else(|| unscanned(part, scan));
            }
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    let running = image.is_running();
    let (severity, problem) = match (&flaws, running) {
        (Flaws { exploited: 1.., .. }, true) => {
            (Severity::Critical, format!("{} of which exploits exist", flawed(flaws.exploited, "critical")))
        }
        (Flaws { critical: 1.., .. }, true) => (Severity::High, flawed(flaws.critical, "critical")),
        (Flaws { critical: 1.., .. }, false) => (Severity::Medium, flawed(flaws.critical, "critical")),
        (Flaws { high_with_fix: 1.., .. }, _) => {
            (if running { Severity::Medium } else { Severity::Low }, format!("{} with a fix", flawed(flaws.high_with_fix, "high")))
        }
        (Flaws { high: 1.., .. }, _) => {
            let problem = format!("{}, and basic scanning does not tell whether there is a fix", flawed(flaws.high, "high"));
            (if running { Severity::Medium } else { Severity::Low }, problem)
        }
        _ => return unknown.map_or(Ok(Verdict::Pass), Err),
    };
    flaws.examples.truncate(SHOWN);
    let evidence = json!({
        "imageDigest": image.data().image_digest,
        "repositoryName": image.data().repository_name,
        "imageTags": detail.image_tags,
        "imagePushedAt": detail.image_pushed_at,
        "scans": counts,
        "vulnerabilities": flaws.examples,
        "usedBy": runners(image),
    });
    let failure = fail(format!("image {}, {}, has {problem}", told(image), run_by(image)), evidence).severity(severity);
    if flaws.critical == 0 && flaws.high_with_fix == 0 { failure.possible().verdict() } else { failure.verdict() }
}

/// The findings of an image. Those that Amazon Inspector tells by itself belong here too.
fn scan(image: Node<'_, Image>) -> Result<&ImageScan, Unknown> {
    let missing = || undecided(image, "ecr:DescribeImageScanFindings", "ScanNotFoundException", "no scanner has findings for the image");
    image.data().scan.known()?.as_ref().ok_or_else(missing)
}

/// Why a scan without severe findings says nothing; `None` when it is whole.
fn unscanned(image: Node<'_, Image>, scan: &ImageScan) -> Option<Unknown> {
    let status = scan.image_scan_status.as_ref().and_then(|status| status.status.as_deref());
    match status {
        Some("COMPLETE" | "ACTIVE") if scan.complete => None,
        Some("COMPLETE" | "ACTIVE") => {
            Some(undecided(image, "ecr:DescribeImageScanFindings", "TooManyFindings", "not all findings of the image were read"))
        }
        status => {
            let status = status.unwrap_or("not told");
            Some(undecided(image, "ecr:DescribeImageScanFindings", "NotScanned", format!("the status of the scan is {status}")))
        }
    }
}

fn flawed(count: u64, severity: &str) -> String {
    if count == 1 { format!("1 {severity} flaw") } else { format!("{count} {severity} flaws") }
}

impl<'e> Flaws<'e> {
    fn add(&mut self, scan: &'e ImageScan) {
        let is = |told: &Option<String>, wanted: &[&str]| told.as_deref().is_some_and(|told| wanted.contains(&told));
        for group in &scan.severe {
            let SevereFindings { severity, fix_available, exploit_available, count, examples } = group;
            if severity == "CRITICAL" {
                self.critical += count;
                self.exploited += if is(exploit_available, &["YES"]) { *count } else { 0 };
            } else if is(fix_available, &["YES", "PARTIAL"]) {
                self.high_with_fix += count;
            } else if fix_available.is_none() {
                self.high += count;
            } else {
                continue;
            }
            self.examples.extend(examples);
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::{Image, ImageScan, ImageScanStatus, SevereFindings};
    use plimsoll_model::{Confidence, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn scanned(account: Fixture, change: impl Fn(&mut ImageScan)) -> Fixture {
        account.each::<Image>(move |image| {
            if let Seen::Known(Some(scan)) = &mut image.scan {
                change(scan);
            }
        })
    }

    fn severe(severity: &str, fix: Option<&str>, exploit: Option<&str>) -> impl Fn(&mut ImageScan) {
        let group = SevereFindings {
            severity: severity.to_owned(),
            fix_available: fix.map(str::to_owned),
            exploit_available: exploit.map(str::to_owned),
            count: 2,
            examples: Vec::new(),
        };
        move |scan| scan.severe.push(group.clone())
    }

    fn newest() -> Fixture {
        fixture().repository("app", |_| {}).image("app", |_| {})
    }

    #[test]
    fn fails_by_what_runs_and_how_bad_it_is() {
        for (flaw, running, idle) in [
            (severe("CRITICAL", Some("NO"), Some("YES")), Severity::Critical, Severity::Medium),
            (severe("CRITICAL", None, None), Severity::High, Severity::Medium),
            (severe("HIGH", Some("YES"), Some("NO")), Severity::Medium, Severity::Low),
            (severe("HIGH", Some("PARTIAL"), None), Severity::Medium, Severity::Low),
        ] {
            assert_eq!(outcome(&CHECK, scanned(fixture().shop(), &flaw)), Fail(running));
            assert_eq!(outcome(&CHECK, scanned(newest(), &flaw)), Fail(idle));
        }
    }

    #[test]
    fn of_a_high_flaw_without_word_of_a_fix_it_is_not_certain() {
        let found = findings(&CHECK, scanned(fixture().shop(), severe("HIGH", None, None)));
        assert_eq!((found[0].confidence, found[0].severity), (Confidence::Possible, Severity::Medium));
    }

    #[test]
    fn passes_without_severe_flaws_and_with_one_that_nobody_can_mend() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, scanned(fixture().shop(), severe("HIGH", Some("NO"), None))), Pass);
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_no_scan_tells() {
        for status in ["PENDING", "FAILED", "UNSUPPORTED_IMAGE"] {
            let account = scanned(fixture().shop(), |scan| {
                scan.image_scan_status = Some(ImageScanStatus { status: Some(status.to_owned()), description: None });
            });
            assert_eq!(outcome(&CHECK, account), Unknown, "{status}");
        }
        assert_eq!(outcome(&CHECK, scanned(fixture().shop(), |scan| scan.complete = false)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.scan = Seen::Known(None))), Unknown);
        assert_eq!(
            outcome(&CHECK, fixture().shop().each::<Image>(|image| image.scan = gap("ecr:DescribeImageScanFindings").into())),
            Unknown
        );
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:ListTasks")), Unknown);
    }

    #[test]
    fn is_unknown_when_the_newest_image_was_not_listed() {
        let account = fixture().repository("app", |repository| repository.images = gap("ecr:DescribeImages").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
