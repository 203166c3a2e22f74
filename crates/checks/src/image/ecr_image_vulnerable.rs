//! Reads the scan findings of each image: those of Amazon Inspector where scanning is enhanced, else those of basic
//! scanning, both as ECR tells them. Yields one verdict per image that a task runs and per newest image of each other
//! repository; a failure tells counts and the worst flaws by name.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::ecr::{Image, ImageScan, SevereFindings};
use plimsoll_model::aws::inspector2::{Coverage, ResourceFindings, Vulnerability as Inspected};
use plimsoll_model::{Gap, Severity};
use serde_json::{Value, json};

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
        "inspector2:ListCoverage",
        "inspector2:ListFindings",
    ],
    shades: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecr:BatchGetImage",
        "inspector2:ListCoverage",
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
struct Flaws {
    critical: u64,
    exploited: u64,
    high_with_fix: u64,
    /// HIGH findings of which basic scanning does not tell whether there is a fix.
    high: u64,
    /// The worst, as ECR or Amazon Inspector tells them.
    examples: Vec<Value>,
    /// There are more than were counted.
    at_least: bool,
}

fn judge(image: Node<'_, Image>) -> Judgement {
    let Some(detail) = image.detail()? else { return Err(gone(image)) };
    let mut flaws = Flaws::default();
    let mut counts = Vec::new();
    let mut unknown: Option<Unknown> = None;
    for part in image.platform_images()? {
        let digest = &part.data().image_digest;
        match source(part) {
            Ok(Source::Inspector(findings)) => {
                flaws.add_inspected(findings);
                let severities = json!({"CRITICAL": findings.critical, "HIGH": findings.high});
                counts.push(json!({"imageDigest": digest, "scanner": "Amazon Inspector", "findingSeverityCounts": severities}));
                if findings.truncated {
                    unknown = unknown.or(Some(unread(part, "inspector2:ListFindings")));
                }
            }
            Ok(Source::Ecr(scan)) => {
                flaws.add(scan);
                counts.push(json!({"imageDigest": digest, "findingSeverityCounts": scan.finding_severity_counts}));
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
    let least = if flaws.at_least { "at least " } else { "" };
    let failure = fail(format!("image {}, {}, has {least}{problem}", told(image), run_by(image)), evidence).severity(severity);
    if flaws.critical == 0 && flaws.high_with_fix == 0 { failure.possible().verdict() } else { failure.verdict() }
}

/// Who tells the findings of an image.
enum Source<'e> {
    Inspector(&'e ResourceFindings),
    Ecr(&'e ImageScan),
}

/// The findings of an image: those of Amazon Inspector where it scans the image, else what ECR tells.
fn source(image: Node<'_, Image>) -> Result<Source<'_>, Unknown> {
    let scans = |coverage: &Coverage| coverage.scan_status.as_ref().is_some_and(|status| status.status_code == "ACTIVE");
    if image.inspector_coverage().is_ok_and(|coverage| coverage.is_some_and(|coverage| scans(coverage.data())))
        && let Ok(Some(findings)) = image.inspector_findings()
    {
        return Ok(Source::Inspector(findings.data()));
    }
    let missing = || undecided(image, "ecr:DescribeImageScanFindings", Gap::INCONCLUSIVE, "no scanner has findings for the image");
    image.data().scan.known()?.as_ref().map(Source::Ecr).ok_or_else(missing)
}

fn unread(image: Node<'_, Image>, operation: &str) -> Unknown {
    undecided(image, operation, Gap::INCONCLUSIVE, "not all findings of the image were read")
}

/// Why a scan without severe findings says nothing; `None` when it is whole.
fn unscanned(image: Node<'_, Image>, scan: &ImageScan) -> Option<Unknown> {
    let status = scan.image_scan_status.as_ref().and_then(|status| status.status.as_deref());
    match status {
        Some("COMPLETE" | "ACTIVE") if scan.complete => None,
        Some("COMPLETE" | "ACTIVE") => Some(unread(image, "ecr:DescribeImageScanFindings")),
        status => {
            let status = status.unwrap_or("not told");
            Some(undecided(image, "ecr:DescribeImageScanFindings", Gap::INCONCLUSIVE, format!("the status of the scan is {status}")))
        }
    }
}

fn flawed(count: u64, severity: &str) -> String {
    if count == 1 { format!("1 {severity} flaw") } else { format!("{count} {severity} flaws") }
}

impl Flaws {
    fn add(&mut self, scan: &ImageScan) {
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
            self.examples.extend(examples.iter().map(|one| json!(one)));
        }
    }

    fn add_inspected(&mut self, findings: &ResourceFindings) {
        let ResourceFindings { critical, high, worst, truncated, .. } = findings;
        self.critical += u64::from(critical.count);
        self.exploited += u64::from(critical.exploit_available);
        self.high_with_fix += u64::from(high.fix_available);
        let fixable = |one: &&Inspected| matches!(one.fix_available.as_deref(), Some("YES" | "PARTIAL"));
        self.examples.extend(worst.iter().filter(|one| one.severity == "CRITICAL" || fixable(one)).map(|one| json!(one)));
        self.at_least |= *truncated;
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::{Image, ImageScan, ImageScanStatus, SevereFindings};
    use plimsoll_model::aws::inspector2::{ResourceFindings, SeverityCount};
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

    fn inspected(change: impl Fn(&mut ResourceFindings)) -> Fixture {
        let account = fixture().shop().each::<Image>(|image| image.scan = gap("ecr:DescribeImageScanFindings").into());
        let image = account.clone().build().container_images[0].data.image_arn.clone();
        account.inspected(&image, change)
    }

    #[test]
    fn what_inspector_found_counts_where_ecr_told_nothing() {
        assert_eq!(outcome(&CHECK, inspected(|_| {})), Pass);
        let counted = |count, exploit_available, fix_available| SeverityCount { count, exploit_available, fix_available };
        for (critical, high, severity) in [
            (counted(2, 1, 0), counted(0, 0, 0), Severity::Critical),
            (counted(2, 0, 0), counted(0, 0, 0), Severity::High),
            (counted(0, 0, 0), counted(3, 0, 2), Severity::Medium),
        ] {
            let change = |found: &mut ResourceFindings| (found.critical, found.high) = (critical.clone(), high.clone());
            assert_eq!(outcome(&CHECK, inspected(change)), Fail(severity));
        }
        assert_eq!(outcome(&CHECK, inspected(|found| found.high = counted(3, 3, 0))), Pass);
        assert_eq!(outcome(&CHECK, inspected(|found| found.truncated = true)), Unknown);
        let found = findings(&CHECK, inspected(|found| (found.critical.count, found.truncated) = (50, true)));
        assert!(found[0].message.contains("at least 50 critical flaws"), "{}", found[0].message);
    }

    #[test]
    fn is_unknown_when_the_newest_image_was_not_listed() {
        let account = fixture().repository("app", |repository| repository.images = gap("ecr:DescribeImages").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
