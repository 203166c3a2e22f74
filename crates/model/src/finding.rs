//! What checks say, in the shape of the result contract (`--format json`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{AccountId, CallStatistics, ExceptionUse, Gap, Region, Suppression};

/// How much a finding matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Hardening.
    Low,
    /// A weakness that needs another to be used.
    Medium,
    /// A weakness that can be used.
    High,
    /// Use is likely and the damage large.
    Critical,
}

impl Severity {
    /// All levels, worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational];

    /// One level less, `informational` at least.
    pub fn lower(self) -> Self {
        match self {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium => Self::Low,
            Self::Low | Self::Informational => Self::Informational,
        }
    }

    /// One level more, `critical` at most.
    pub fn raise(self) -> Self {
        match self {
            Self::Informational => Self::Low,
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    /// The lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The condition of the check holds.
    Fail,
    /// Something that the verdict rests on was not read.
    Unknown,
    /// The condition does not hold.
    Pass,
    /// It holds, and an exception covers it.
    Suppressed,
}

/// Whether anything stands between the facts and the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The facts decide.
    Certain,
    /// An undecidable condition or an unread part of a chain is involved; the message says which.
    Possible,
}

/// The resource that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRef {
    /// Its ARN.
    pub arn: String,
    /// CloudFormation type, or a plimsoll name in the same style.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The account.
    pub account: AccountId,
    /// The Region, `global` for IAM.
    pub region: Region,
    /// The name that people use.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A hop of an attack path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathStep {
    /// The resource at this hop.
    pub arn: String,
    /// How it leads on.
    pub via: String,
}

/// How to mend a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remediation {
    /// In words.
    pub text: Cow<'static, str>,
    /// As an AWS CLI command, with placeholders in capitals.
    pub cli: Cow<'static, str>,
}

/// Controls of frameworks, by framework.
pub type Compliance = BTreeMap<String, Vec<String>>;

/// One verdict on one resource. What its check declares is shared between findings: there may be many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable over scans: see [`finding_id`].
    pub id: String,
    /// Id of the check.
    pub check: Cow<'static, str>,
    /// The verdict.
    pub status: Status,
    /// Severity in context.
    pub severity: Severity,
    /// Severity as the check declares it for this case.
    pub base_severity: Severity,
    /// Why it is accepted, when an exception suppresses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// Why the severity differs from the base; empty when it does not.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub severity_reason: Cow<'static, str>,
    /// Certain or possible.
    pub confidence: Confidence,
    /// Title of the check.
    pub title: Cow<'static, str>,
    /// One sentence with the facts.
    pub message: String,
    /// What it is about.
    pub resource: ResourceRef,
    /// The facts, under AWS's names.
    pub evidence: Value,
    /// Attack path, empty for plain checks.
    pub path: Vec<PathStep>,
    /// Who has to act: `customer`, `aws` or `shared`.
    pub responsibility: Cow<'static, str>,
    /// How to mend it.
    pub remediation: Remediation,
    /// Controls of frameworks.
    pub compliance: Arc<Compliance>,
}

impl Finding {
    /// Orders findings for people: fails first, then by severity, path length, check, resource and id.
    pub fn sort(findings: &mut [Self]) {
        findings.sort_by(|a, b| {
            (a.status, b.severity, a.path.len(), &a.check, &a.resource.arn, &a.id).cmp(&(
                b.status,
                a.severity,
                b.path.len(),
                &b.check,
                &b.resource.arn,
                &b.id,
            ))
        });
    }
}

/// The id of a finding: the first 16 hex digits of SHA-256 over check, ARN and discriminator.
pub fn finding_id(check: &str, arn: &str, discriminator: &str) -> String {
    let mut hash = Sha256::new();
    for part in [check, "\0", arn, "\0", discriminator] {
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// How many findings fail, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeverityCounts {
    /// Critical.
    pub critical: usize,
    /// High.
    pub high: usize,
    /// Medium.
    pub medium: usize,
    /// Low.
    pub low: usize,
    /// Informational.
    pub informational: usize,
}

impl SeverityCounts {
    /// Counts one more.
    pub fn add(&mut self, severity: Severity) {
        *self.of_mut(severity) += 1;
    }

    /// Counts one less.
    pub fn remove(&mut self, severity: Severity) {
        let count = self.of_mut(severity);
        *count = count.saturating_sub(1);
    }

    fn of_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Informational => &mut self.informational,
        }
    }

    /// The count of one level.
    pub fn of(mut self, severity: Severity) -> usize {
        *self.of_mut(severity)
    }

    /// All levels together.
    pub fn total(self) -> usize {
        self.critical + self.high + self.medium + self.low + self.informational
    }
}

/// Counts of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Failing findings.
    pub fail: SeverityCounts,
    /// Verdicts that could not be reached.
    pub unknown: usize,
    /// Passed verdicts.
    pub pass: usize,
    /// Suppressed findings.
    pub suppressed: usize,
}

/// What was scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanSummary {
    /// When collection began.
    pub started_at: Timestamp,
    /// When collection ended.
    pub finished_at: Timestamp,
    /// Whether collection ran to its end without an interrupt.
    pub complete: bool,
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Regions.
    pub regions: Vec<Region>,
    /// Requests sent.
    pub calls: u64,
    /// Answers that said "slow down".
    pub throttled: u64,
    /// Milliseconds for which the API budget held requests back, summed over the operations.
    #[serde(default)]
    pub waited_ms: u64,
    /// What each operation cost, by `service:Operation`.
    #[serde(default)]
    pub operations: BTreeMap<String, CallStatistics>,
}

/// The result of a scan: the whole of `--format json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanResult {
    /// Version of this contract.
    pub schema: u32,
    /// Version of plimsoll that judged.
    pub plimsoll: String,
    /// What was scanned.
    pub scan: ScanSummary,
    /// Counts of all verdicts, shown or not.
    pub summary: Summary,
    /// The findings, ordered.
    pub findings: Vec<Finding>,
    /// The shared-responsibility summary: how many workload items are met, not met and unknown, by party.
    pub responsibility: crate::responsibility::MatrixSummary,
    /// The exceptions of the configuration, with what each did.
    #[serde(default)]
    pub exceptions: Vec<ExceptionUse>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}
