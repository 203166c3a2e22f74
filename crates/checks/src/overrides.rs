//! What the configuration says of findings: they flow in as the checks judged them; severities that were set anew, and
//! findings that are accepted, flow out marked as such.

use plimsoll_model::{Exception, ExceptionState, ExceptionUse, Finding, Scope, Severity, Status, Suppression};
use rustc_hash::FxHashMap;

use crate::engine::{Evaluation, Options};

/// Sets severities and suppresses findings. Suppressed findings are dropped unless they are asked for.
pub(crate) fn apply(evaluation: &mut Evaluation, options: Options, scope: &Scope, now: jiff::Timestamp) {
    if !options.severities.is_empty() {
        for finding in &mut evaluation.findings {
            if let Some(&severity) = options.severities.get(finding.check.as_ref()) {
                if finding.status == Status::Fail {
                    evaluation.summary.fail.remove(finding.severity);
                    evaluation.summary.fail.add(severity);
                }
                set_severity(finding, severity);
            }
        }
    }
    if options.exceptions.is_empty() {
        return;
    }
    let mut outcomes: Vec<ExceptionUse> = options
        .exceptions
        .into_iter()
        .map(|exception| {
            let ran = evaluation.checks.iter().any(|check| exception.names_check(check.id));
            let state = match ran && exception.is_in_scope(scope) {
                _ if exception.is_expired(now) => ExceptionState::Expired,
                true => ExceptionState::Unused,
                false => ExceptionState::Skipped,
            };
            ExceptionUse { exception, state, findings: 0 }
        })
        .collect();
    let by_check: FxHashMap<&str, Vec<usize>> = evaluation
        .checks
        .iter()
        .map(|check| {
            let naming = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.exception.names_check(check.id));
            (check.id, naming.map(|(at, _)| at).collect())
        })
        .collect();
    for finding in evaluation.findings.iter_mut().filter(|finding| matches!(finding.status, Status::Fail | Status::Unknown)) {
        let mut suppression = None;
        for &at in by_check.get(finding.check.as_ref()).into_iter().flatten() {
            let Some(outcome) = outcomes.get_mut(at).filter(|outcome| outcome.exception.names_resource(finding)) else { continue };
            outcome.findings += 1;
            if outcome.state != ExceptionState::Expired {
                outcome.state = ExceptionState::Applied;
                suppression.get_or_insert_with(|| told(&outcome.exception));
            }
        }
        if suppression.is_some() {
            match finding.status {
                Status::Fail => evaluation.summary.fail.remove(finding.severity),
                _ => evaluation.summary.unknown = evaluation.summary.unknown.saturating_sub(1),
            }
            evaluation.summary.suppressed += 1;
            finding.status = Status::Suppressed;
            finding.suppression = suppression;
        }
    }
    if !options.include_suppressed {
        evaluation.findings.retain(|finding| finding.status != Status::Suppressed);
    }
    evaluation.exceptions = outcomes;
}

fn told(exception: &Exception) -> Suppression {
    Suppression { reason: exception.reason.clone(), expires: exception.expires }
}

fn set_severity(finding: &mut Finding, severity: Severity) {
    if finding.severity != severity {
        finding.severity_reason = if finding.severity == finding.base_severity {
            "set by the configuration".into()
        } else {
            format!("set by the configuration ({} in context)", finding.severity).into()
        };
        finding.severity = severity;
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, mounts};
    use plimsoll_graph::Estate;
    use plimsoll_model::{AccountId, Exception, ExceptionState, Severity, Status, Summary};

    use crate::engine::{Evaluation, Options, Selection, evaluate};

    const CHECK: &str = "ecs-task-definition-docker-socket-mount";

    /// One critical failure.
    fn account() -> Fixture {
        fixture().on_ec2(mounts("/var/run/docker.sock", false))
    }

    fn run(account: Fixture, only: &str, options: Options) -> Evaluation {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        evaluate(&estate, &Selection::new(&[only.to_owned()], &[]).unwrap(), options)
    }

    fn accepting(exceptions: &[Exception]) -> Options {
        Options { exceptions: exceptions.to_vec(), include_suppressed: true, ..Options::default() }
    }

    fn exception() -> Exception {
        Exception {
            check: CHECK.to_owned(),
            resource: None,
            tag: None,
            account: None,
            reason: "the agent needs it".into(),
            expires: "2026-12-31".parse().unwrap(),
        }
    }

    fn states(evaluation: &Evaluation) -> Vec<(ExceptionState, usize)> {
        evaluation.exceptions.iter().map(|used| (used.state, used.findings)).collect()
    }

    #[test]
    fn an_exception_suppresses_what_it_names_and_says_why() {
        let arn = "arn:aws:ecs:*:111111111111:task-definition/agent:*".to_owned();
        let evaluation = run(account(), CHECK, accepting(&[Exception { resource: Some(arn), ..exception() }]));
        assert_eq!(evaluation.findings.len(), 1);
        let finding = &evaluation.findings[0];
        assert_eq!(finding.status, Status::Suppressed);
        let suppression = finding.suppression.as_ref().unwrap();
        assert_eq!((&*suppression.reason, suppression.expires.to_string()), ("the agent needs it", "2026-12-31".to_owned()));
        assert_eq!(evaluation.summary, Summary { suppressed: 1, ..Summary::default() });
        assert_eq!(states(&evaluation), [(ExceptionState::Applied, 1)]);
    }

    #[test]
    fn suppressed_findings_are_counted_but_not_reported_unless_asked_for() {
        let options = Options { include_suppressed: false, ..accepting(&[exception()]) };
        let evaluation = run(account(), CHECK, options);
        assert!(evaluation.findings.is_empty());
        assert_eq!(evaluation.summary.suppressed, 1);
    }

    #[test]
    fn another_check_account_resource_or_tag_is_not_covered() {
        let others = [
            Exception { check: "ecs-task-definition-host-network".to_owned(), ..exception() },
            Exception { account: Some(AccountId::new("222222222222")), ..exception() },
            Exception { resource: Some("arn:aws:ecs:*:*:task-definition/other:*".to_owned()), ..exception() },
            Exception { tag: Some("owner=nobody".parse().unwrap()), ..exception() },
        ];
        let evaluation = run(account(), CHECK, accepting(&others));
        assert_eq!(evaluation.findings[0].status, Status::Fail);
        let (skipped, unused) = ((ExceptionState::Skipped, 0), (ExceptionState::Unused, 0));
        assert_eq!(states(&evaluation), [skipped, skipped, unused, unused]);
    }

    #[test]
    fn an_exception_may_go_by_tag_and_by_pattern_of_checks() {
        let tagged = account().each(|definition: &mut plimsoll_model::aws::ecs::TaskDefinition| {
            definition.tags = vec![plimsoll_model::aws::ecs::Tag { key: "Team".to_owned(), value: "platform-eu".to_owned() }];
        });
        let by_tag = Exception { check: "ecs-task-*".to_owned(), tag: Some("team=platform-*".parse().unwrap()), ..exception() };
        assert_eq!(run(tagged, CHECK, accepting(&[by_tag])).findings[0].status, Status::Suppressed);
    }

    #[test]
    fn an_exception_whose_time_is_over_suppresses_nothing() {
        let over = Exception { expires: "2026-06-14".parse().unwrap(), ..exception() };
        let evaluation = run(account(), CHECK, accepting(std::slice::from_ref(&over)));
        assert_eq!(evaluation.findings[0].status, Status::Fail);
        assert_eq!(states(&evaluation), [(ExceptionState::Expired, 1)]);
        // The fixture ends on 2026-06-15: the last day counts.
        let last_day = Exception { expires: "2026-06-15".parse().unwrap(), ..exception() };
        let evaluation = run(account(), CHECK, accepting(&[over, last_day]));
        assert_eq!(evaluation.findings[0].status, Status::Suppressed);
        assert_eq!(states(&evaluation), [(ExceptionState::Expired, 1), (ExceptionState::Applied, 1)]);
    }

    #[test]
    fn the_first_exception_gives_the_reason_and_the_others_are_used_too() {
        let second = Exception { reason: "also".into(), ..exception() };
        let evaluation = run(account(), CHECK, accepting(&[exception(), second]));
        assert_eq!(&*evaluation.findings[0].suppression.as_ref().unwrap().reason, "the agent needs it");
        assert_eq!(states(&evaluation), [(ExceptionState::Applied, 1), (ExceptionState::Applied, 1)]);
    }

    #[test]
    fn what_is_unknown_can_be_accepted_too() {
        let account = fixture().shop().denied("ecs:DescribeTaskDefinition");
        let evaluation = run(account, CHECK, accepting(&[exception()]));
        assert_eq!(evaluation.summary.unknown, 0);
        assert!(evaluation.summary.suppressed > 0);
        assert!(evaluation.findings.iter().all(|finding| finding.status == Status::Suppressed));
    }

    #[test]
    fn passed_verdicts_are_not_accepted() {
        let account = fixture().on_ec2(|_| {});
        let evaluation = run(account, CHECK, Options { include_passed: true, ..accepting(&[exception()]) });
        assert_eq!(evaluation.findings[0].status, Status::Pass);
        assert_eq!(states(&evaluation), [(ExceptionState::Unused, 0)]);
    }

    #[test]
    fn a_severity_that_is_set_replaces_the_judged_one_and_says_so() {
        let severities = [(CHECK.to_owned(), Severity::Low)].into_iter().collect();
        let evaluation = run(account(), CHECK, Options { severities, ..Options::default() });
        let finding = &evaluation.findings[0];
        assert_eq!((finding.severity, finding.base_severity), (Severity::Low, Severity::Critical));
        assert_eq!(finding.severity_reason, "set by the configuration");
        assert_eq!((evaluation.summary.fail.low, evaluation.summary.fail.total()), (1, 1));
    }

    #[test]
    fn a_severity_that_is_set_stands_whatever_the_context() {
        let severities: std::collections::BTreeMap<_, _> = [(CHECK.to_owned(), Severity::Critical)].into_iter().collect();
        // Nothing runs it: that alone would lower it.
        let account = fixture().ec2_task_definition("agent", mounts("/var/run/docker.sock", false));
        let evaluation = run(account, CHECK, Options { severities, ..Options::default() });
        let finding = &evaluation.findings[0];
        assert_eq!((finding.severity, finding.base_severity), (Severity::Critical, Severity::Critical));
        assert_eq!(finding.severity_reason, "set by the configuration (high in context)");
    }

    #[test]
    fn a_severity_that_is_set_orders_the_findings() {
        let severities = [(CHECK.to_owned(), Severity::Informational)].into_iter().collect();
        let evaluation = run(account(), "ecs-task-definition-*", Options { severities, ..Options::default() });
        let failed: Vec<Severity> = evaluation.findings.iter().filter(|f| f.status == Status::Fail).map(|f| f.severity).collect();
        assert!(failed.is_sorted_by(|a, b| a >= b), "{failed:?}");
    }
}
