//! A check's declaration in the form that renderers take.

use plimsoll_checks::Check;
use plimsoll_model::Compliance;
use plimsoll_report::{ByPlatform, CheckPage};

/// The page of a check; `controls` are [`Check::controls`].
pub(crate) fn page<'c>(check: &'c Check, controls: &'c Compliance) -> CheckPage<'c> {
    let by = check.responsibility;
    CheckPage {
        id: check.id,
        title: check.title,
        severity: check.severity,
        area: check.area.as_str(),
        resource: check.resource,
        responsibility: ByPlatform { fargate: by.fargate.as_str(), ec2: by.ec2.as_str(), eks: by.eks.as_str() },
        needs: check.needs,
        why: check.why,
        fails_when: check.fails_when,
        remediation: check.remediation.text,
        cli: check.remediation.cli,
        compliance: controls,
    }
}
