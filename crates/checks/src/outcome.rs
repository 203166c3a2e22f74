//! Runs one check over a fixture and tells its verdict, for the tests beside the checks.

use plimsoll_fixture::Fixture;
use plimsoll_graph::Estate;
use plimsoll_model::{Finding, Severity, Status};

use crate::check::Check;
use crate::engine::{Evaluation, Options, Selection, Surroundings, evaluate_in};

pub(crate) use Outcome::{Fail, NotApplicable, Pass, Unknown};

/// The worst verdict that a check gives of a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fail(Severity),
    Unknown,
    Pass,
    NotApplicable,
}

/// Everything that the check says. The unknown findings for services that this release never reads are left out:
/// every fixture has them.
pub(crate) fn findings(check: &'static Check, fixture: Fixture) -> Vec<Finding> {
    run(check, fixture).findings
}

/// The worst verdict: fail before unknown before pass.
pub(crate) fn outcome(check: &'static Check, fixture: Fixture) -> Outcome {
    let evaluation = run(check, fixture);
    let failed = evaluation.findings.iter().filter(|f| f.status == Status::Fail).map(|f| f.severity).max();
    if let Some(severity) = failed {
        Fail(severity)
    } else if evaluation.findings.iter().any(|f| f.status == Status::Unknown) {
        Unknown
    } else if evaluation.summary.pass > 0 {
        Pass
    } else {
        NotApplicable
    }
}

fn run(check: &'static Check, fixture: Fixture) -> Evaluation {
    let (inventory, thresholds) = fixture.build_with_thresholds();
    let estate = Estate::with_thresholds(&inventory, thresholds);
    let selection = Selection::new(&[check.id.to_owned()], &[]).unwrap();
    // What surrounds the fixture is its own affair: whether the internet reaches it is no part of a check's judgement.
    let mut evaluation = evaluate_in(&estate, &selection, Options::default(), Surroundings::Ignored);
    evaluation.findings.retain(|finding| finding.resource.region.as_str() != "*");
    evaluation
}
