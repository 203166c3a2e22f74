//! What a check is: a declaration, and a function from the estate to verdicts.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Unknown};
use plimsoll_model::{Compliance, Confidence, PathStep, Severity};
use serde_json::Value;

use crate::engine::Verdicts;

/// One check of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Names the problem; kebab-case, public, never reused.
    pub id: &'static str,
    /// The problem in a sentence.
    pub title: &'static str,
    /// The base severity; a judgement may name another for a case that the declaration describes.
    pub severity: Severity,
    /// CloudFormation type of the resources that it judges, or a plimsoll name in the same style.
    pub resource: &'static str,
    /// The part of the posture that it belongs to.
    pub area: Area,
    /// Who has to act, by launch type.
    pub responsibility: ByLaunch,
    /// Operations that its scope and its verdict rest on, `service:Operation`.
    pub needs: &'static [&'static str],
    /// Those of `needs` that only shade severity and evidence, or that matter to single resources, for which the
    /// judgement itself answers unknown: a gap in them withholds no other verdict.
    pub shades: &'static [&'static str],
    /// Controls of frameworks that it tests.
    pub compliance: &'static [Control],
    /// The exact condition.
    pub fails_when: &'static str,
    /// What can happen.
    pub why: &'static str,
    /// How to mend it.
    pub remediation: Remediation,
    /// Judges every resource in scope.
    pub evaluate: for<'e> fn(&'e Estate<'e>, &mut Verdicts<'e>),
}

/// How to mend a finding.
#[derive(Clone, Copy, Debug)]
pub struct Remediation {
    /// In words.
    pub text: &'static str,
    /// As an AWS CLI command, placeholders in capitals.
    pub cli: &'static str,
}

/// Parts of the posture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Encryption and secrets.
    DataSecrets,
    /// Patches and configuration of hosts.
    HostPatching,
    /// Roles and policies.
    Identity,
    /// What runs.
    Image,
    /// Addresses, groups, flow logs.
    Network,
    /// Logs, metrics, trails.
    PlatformAudit,
    /// Privileges of containers.
    Runtime,
    /// Tags that access control rests on.
    TaggingGovernance,
}

impl Area {
    /// The name, as in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DataSecrets => "data-secrets",
            Self::HostPatching => "host-patching",
            Self::Identity => "identity",
            Self::Image => "image",
            Self::Network => "network",
            Self::PlatformAudit => "platform-audit",
            Self::Runtime => "runtime",
            Self::TaggingGovernance => "tagging-governance",
        }
    }
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responsibility {
    /// AWS meets the control.
    Aws,
    /// The customer.
    Customer,
    /// Both.
    Shared,
    /// The check does not apply there.
    NotApplicable,
}

impl Responsibility {
    /// The name, as in the catalogue and in findings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Customer => "customer",
            Self::Shared => "shared",
            Self::NotApplicable => "n/a",
        }
    }
}

/// Responsibility by what the containers run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByLaunch {
    /// AWS Fargate.
    pub fargate: Responsibility,
    /// EC2 instances.
    pub ec2: Responsibility,
    /// Amazon EKS.
    pub eks: Responsibility,
}

/// A control of a framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Control {
    /// Key of the framework, as in [`crate::FRAMEWORKS`].
    pub framework: &'static str,
    /// The control; a trailing `?` marks a mapping that is likely but not verified.
    pub id: &'static str,
}

macro_rules! frameworks {
    ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => {$(
        $(#[$doc])*
        pub const fn $name(id: &'static str) -> Control {
            Control { framework: $key, id }
        }
    )*};
}

frameworks! {
    /// AWS Security Hub (FSBP and its sister standards).
    fsbp = "fsbp";
    /// CIS Docker Benchmark v1.6.0.
    cis_docker = "cis_docker";
    /// CIS AWS Foundations Benchmark, VERSION/ITEM.
    cis_aws = "cis_aws";
    /// CIS Amazon EKS Benchmark v1.5 to v1.7.
    cis_eks = "cis_eks";
    /// NIST SP 800-53 revision 5.
    nist = "nist_800_53";
    /// PCI DSS v4.
    pci = "pci_dss_4";
}

/// The verdict on one resource, or what stands in its way.
pub(crate) type Judgement = Result<Verdict, Unknown>;

/// A verdict.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The condition does not hold.
    Pass,
    /// The check says nothing of this resource.
    NotApplicable,
    /// The condition holds.
    Fail(Box<Failure>),
}

/// A failure with its facts.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) evidence: Value,
    pub(crate) severity: Option<Severity>,
    pub(crate) confidence: Confidence,
    pub(crate) discriminator: String,
    pub(crate) path: Vec<PathStep>,
}

/// A failure: one sentence with the facts, and the facts under AWS's names.
pub(crate) fn fail(message: impl Into<String>, evidence: Value) -> Failure {
    Failure {
        message: message.into(),
        evidence,
        severity: None,
        confidence: Confidence::Certain,
        discriminator: String::new(),
        path: Vec::new(),
    }
}

impl Failure {
    /// Names the severity of this case, where the declaration gives it another than the base.
    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Says that something undecided or unread stands between facts and verdict; the message must say what.
    pub(crate) fn possible(mut self) -> Self {
        self.confidence = Confidence::Possible;
        self
    }

    /// Tells several failures of one resource apart, for their ids.
    pub(crate) fn discriminator(mut self, text: impl Into<String>) -> Self {
        self.discriminator = text.into();
        self
    }

    /// Adds the way that the failure was derived, hop by hop.
    pub(crate) fn path(mut self, path: Vec<PathStep>) -> Self {
        self.path = path;
        self
    }

    /// Makes it the judgement.
    #[expect(clippy::unnecessary_wraps, reason = "a judgement may also be unknown; this one is not")]
    pub(crate) fn verdict(self) -> Judgement {
        Ok(Verdict::Fail(Box::new(self)))
    }
}

impl Check {
    /// Its controls, by framework.
    pub fn controls(&self) -> Compliance {
        let mut controls: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for control in self.compliance {
            controls.entry(control.framework.to_owned()).or_default().push(control.id.to_owned());
        }
        controls
    }
}
