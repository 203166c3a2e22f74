//! A digest flows in; what scanners found in that image flows out, condensed: counts, and the worst flaws by name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_model::Gap;
use plimsoll_model::aws::ecr::{ImageScan, ImageScanStatus, SevereFindings, Vulnerability};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{DESCRIBE_IMAGE_SCAN_FINDINGS, Ecr};
use crate::api::Outcome;
use crate::wire::{Ask, Token};

/// Findings on a page: each has paragraphs of text.
const PAGE: usize = 500;
/// Pages of findings that are read.
const PAGES: usize = 4;
/// Flaws of one severity that are told by name.
const EXAMPLES: usize = 10;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ScanPage {
    image_scan_status: Option<ImageScanStatus>,
    image_scan_findings: Option<Findings>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "AWS's own names")]
struct Findings {
    image_scan_completed_at: Option<Timestamp>,
    vulnerability_source_updated_at: Option<Timestamp>,
    finding_severity_counts: BTreeMap<String, u64>,
    findings: Vec<BasicFinding>,
    enhanced_findings: Vec<EnhancedFinding>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct BasicFinding {
    name: String,
    severity: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Attribute {
    key: String,
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct EnhancedFinding {
    severity: String,
    status: Option<String>,
    title: Option<String>,
    fix_available: Option<String>,
    exploit_available: Option<String>,
    package_vulnerability_details: Option<PackageVulnerability>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct PackageVulnerability {
    vulnerability_id: Option<String>,
    vulnerable_packages: Vec<VulnerablePackage>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct VulnerablePackage {
    name: Option<String>,
    version: Option<String>,
    fixed_in_version: Option<String>,
}

impl Ecr<'_> {
    /// The findings of an image; `None` when nothing scanned it.
    pub(super) async fn scan(&self, repository: &str, digest: &str, image: &str) -> Result<Option<ImageScan>, Gap> {
        let ask = json!({"repositoryName": repository, "imageId": {"imageDigest": digest}, "maxResults": PAGE});
        let mut scan = ImageScan::default();
        let pages = self.wire.pages_up_to(self.api, &DESCRIBE_IMAGE_SCAN_FINDINGS, Token::NEXT, PAGES, Ask::members(ask), |page| {
            add(&mut scan, page);
        });
        let whole = pages.await.about(image).absent_on("ScanNotFoundException")?;
        Ok(whole.map(|whole| {
            scan.complete = whole;
            scan.severe.sort_by(|a, b| {
                (&a.severity, &a.fix_available, &a.exploit_available).cmp(&(&b.severity, &b.fix_available, &b.exploit_available))
            });
            scan
        }))
    }
}

fn add(scan: &mut ImageScan, page: ScanPage) {
    scan.image_scan_status = page.image_scan_status.or(scan.image_scan_status.take());
    let Some(findings) = page.image_scan_findings else { return };
    scan.image_scan_completed_at = findings.image_scan_completed_at.or(scan.image_scan_completed_at);
    scan.vulnerability_source_updated_at = findings.vulnerability_source_updated_at.or(scan.vulnerability_source_updated_at);
    // Each page tells the counts over all.
    scan.finding_severity_counts.extend(findings.finding_severity_counts);
    for finding in findings.findings {
        let attribute = |name: &str| finding.attributes.iter().find(|attribute| attribute.key == name).and_then(|a| a.value.clone());
        let flaw = Vulnerability {
            vulnerability_id: finding.name.clone(),
            package_name: attribute("package_name"),
            version: attribute("package_version"),
            fixed_in_version: None,
        };
        count(scan, &finding.severity, None, None, flaw);
    }
    for finding in findings.enhanced_findings {
        // Inspector keeps what was suppressed or mended for a while.
        if finding.status.as_deref().is_some_and(|status| status != "ACTIVE") {
            continue;
        }
        let details = finding.package_vulnerability_details.unwrap_or_default();
        let package = details.vulnerable_packages.into_iter().next().unwrap_or_default();
        let flaw = Vulnerability {
            vulnerability_id: details.vulnerability_id.or(finding.title).unwrap_or_default(),
            package_name: package.name,
            version: package.version,
            fixed_in_version: package.fixed_in_version.filter(|version| version != "NotAvailable"),
        };
        count(scan, &finding.severity, finding.fix_available, finding.exploit_available, flaw);
    }
}

fn count(scan: &mut ImageScan, severity: &str, fix: Option<String>, exploit: Option<String>, flaw: Vulnerability) {
    if !matches!(severity, "CRITICAL" | "HIGH") {
        return;
    }
    let same = |group: &SevereFindings| group.severity == severity && group.fix_available == fix && group.exploit_available == exploit;
    let position = scan.severe.iter().position(same).unwrap_or_else(|| {
        let severity = severity.to_owned();
        scan.severe.push(SevereFindings { severity, fix_available: fix, exploit_available: exploit, ..SevereFindings::default() });
        scan.severe.len() - 1
    });
    let Some(group) = scan.severe.get_mut(position) else { return };
    group.count += 1;
    if group.examples.len() < EXAMPLES {
        group.examples.push(flaw);
    }
}
