//! Reads the metric filters of the log groups that trails deliver to, the alarms on their metrics, and the rules of EventBridge.
//! Yields one verdict per account and Region with containers; a failure names the calls that nobody is told of.

use plimsoll_graph::{Estate, Node, Place, Unknown};
use plimsoll_model::aws::cloudtrail::Trail;
use plimsoll_model::aws::cloudwatch::MetricAlarm;
use plimsoll_model::aws::logs::{LogGroup, MetricFilter};
use plimsoll_model::{Gap, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, nist, pci};
use crate::pattern::{Call, any, filter_picks, rule_picks};
use crate::reading::{each_place, listed};

pub(crate) const CHECK: Check = Check {
    id: "cloudtrail-container-changes-not-alarmed",
    title: "Nobody is told about risky container or key changes",
    severity: Severity::Low,
    resource: "AWS::CloudTrail::Trail",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "logs:DescribeLogGroups",
        "logs:DescribeMetricFilters",
        "cloudwatch:DescribeAlarmsForMetric",
        "events:ListEventBuses",
        "events:ListRules",
        "events:ListTargetsByRule",
    ],
    shades: &[
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "logs:DescribeLogGroups",
        "logs:DescribeMetricFilters",
        "cloudwatch:DescribeAlarmsForMetric",
        "events:ListEventBuses",
        "events:ListRules",
        "events:ListTargetsByRule",
    ],
    compliance: &[cis_aws("3.0.0/4.7"), cis_aws("5.0.0/4.7"), nist("AU-6"), nist("SI-4"), pci("10.4.1?")],
    fails_when: "Neither a metric filter with an alarm that has actions, nor an ENABLED EventBridge rule with a target, \
                 covers: (a) kms.amazonaws.com DisableKey and ScheduleKeyDeletion, and (b) at least ecs \
                 RegisterTaskDefinition, UpdateService, ExecuteCommand, RunTask, DeleteCluster or the EKS and ECR \
                 counterparts (PutImage outside CI, SetRepositoryPolicy). Decide by parsing filterPattern and \
                 EventPattern.",
    why: "A key that is scheduled for deletion can be saved for some days, and an intruder in a container can be stopped: but only \
          by somebody who hears of it.",
    remediation: Remediation {
        text: "Add EventBridge rules on these API calls with an SNS target.",
        cli: "aws events put-rule --name container-risk --event-pattern file://pattern.json",
    },
    evaluate: |estate, verdicts| each_place::<Trail>(estate, verdicts, |place| judge(estate, place)),
};

/// The calls that somebody must be told of.
const CALLS: [(&str, &str); 7] = [
    ("kms", "DisableKey"),
    ("kms", "ScheduleKeyDeletion"),
    ("ecs", "RegisterTaskDefinition"),
    ("ecs", "UpdateService"),
    ("ecs", "ExecuteCommand"),
    ("ecs", "RunTask"),
    ("ecs", "DeleteCluster"),
];

/// What tells of calls, and what of it was not read.
#[derive(Default)]
struct Channels<'e> {
    /// Patterns of rules with a target.
    rules: Vec<(&'e str, &'e str)>,
    /// Metric filters with an alarm that does something.
    filters: Vec<(&'e str, &'e str)>,
    unread: Option<Unknown>,
}

fn judge(estate: &Estate<'_>, place: Place<'_>) -> Judgement {
    let mut channels = Channels::default();
    rules(estate, place, &mut channels);
    filters(estate, place, &mut channels);
    let (mut missing, mut undecided) = (Vec::new(), None);
    for (service, name) in CALLS {
        let call = Call { service, name, account: place.account.as_str(), region: place.region.as_str() };
        let told = channels.rules.iter().map(|(rule, pattern)| (*rule, rule_picks(pattern, call)));
        let told: Vec<(&str, Option<bool>)> =
            told.chain(channels.filters.iter().map(|(filter, pattern)| (*filter, filter_picks(pattern, call)))).collect();
        match any(told.iter().map(|(_, picks)| *picks)) {
            Some(true) => {}
            Some(false) => missing.push(format!("{service}:{name}")),
            None => undecided = told.iter().find(|(_, picks)| picks.is_none()).map(|(pattern, _)| unreadable(place, pattern)),
        }
    }
    // What was not read may tell of everything.
    if let Some(unknown) = channels.unread.filter(|_| !missing.is_empty() || undecided.is_some()) {
        return Err(unknown);
    }
    if missing.is_empty() {
        return undecided.map_or(Ok(Verdict::Pass), Err);
    }
    let names =
        |list: &[(&str, &str)]| -> Vec<Value> { list.iter().map(|(name, pattern)| json!({"name": name, "pattern": pattern})).collect() };
    let evidence = json!({"missing": missing, "rules": names(&channels.rules), "metricFilters": names(&channels.filters)});
    let message = format!("in {} of account {} nobody is told of {}", place.region, place.account, listed(&missing));
    fail(message, evidence).verdict()
}

/// Events of API calls arrive on the default bus; what is passed on from there has a rule there.
fn rules<'e>(estate: &'e Estate<'_>, place: Place<'e>, channels: &mut Channels<'e>) {
    for operation in ["events:ListEventBuses", "events:ListRules"] {
        if let Err(unknown) = place.was_read(estate, operation) {
            channels.unread = Some(unknown);
        }
    }
    for rule in estate.rules_at(place).filter(|rule| rule.is_enabled() && rule.event_bus_name == "default") {
        let Some(pattern) = rule.data().event_pattern.as_deref() else { continue };
        match rule.data().targets.known() {
            Ok(targets) if !targets.is_empty() => channels.rules.push((&rule.data().name, pattern)),
            Ok(_) => {}
            Err(gap) => channels.unread = Some(gap.into()),
        }
    }
}

fn filters<'e>(estate: &'e Estate<'_>, place: Place<'e>, channels: &mut Channels<'e>) {
    if let Err(unknown) = place.was_read(estate, "cloudtrail:DescribeTrails") {
        channels.unread = Some(unknown);
    }
    for trail in estate.trails_at(place) {
        if let Err(unknown) = filters_of(trail, channels) {
            channels.unread = Some(unknown);
        }
    }
}

fn filters_of<'e>(trail: Node<'e, Trail>, channels: &mut Channels<'e>) -> Result<(), Unknown> {
    let Some(group) = trail.log_group() else { return Ok(()) };
    if !trail.is_logging()? {
        return Ok(());
    }
    let Some(group) = group.exists()? else { return Ok(()) };
    for filter in group.data().metric_filters.known()? {
        if alarms(group, filter)? {
            channels.filters.push((&filter.filter_name, filter.filter_pattern.as_deref().unwrap_or_default()));
        }
    }
    Ok(())
}

/// Whether an alarm on one of the filter's metrics does something.
fn alarms(group: Node<'_, LogGroup>, filter: &MetricFilter) -> Result<bool, Unknown> {
    let acts = |alarm: &MetricAlarm| alarm.actions_enabled != Some(false) && !alarm.alarm_actions.is_empty();
    let mut unread = None;
    for metric in &filter.metric_transformations {
        match group.estate().alarms_on(group.account(), group.region(), metric) {
            Ok(alarms) if alarms.iter().any(acts) => return Ok(true),
            Ok(_) => {}
            Err(unknown) => unread = Some(unknown),
        }
    }
    unread.map_or(Ok(false), Err)
}

fn unreadable(place: Place<'_>, pattern: &str) -> Unknown {
    let gap = Gap {
        account: place.account.clone(),
        region: place.region.clone(),
        operation: "events:ListRules".to_owned(),
        code: "UndecidedPattern".to_owned(),
        message: format!("what the pattern of {pattern} picks cannot be told"),
        resource: Some(pattern.to_owned()),
    };
    gap.into()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::cloudtrail::Trail;
    use plimsoll_model::aws::cloudwatch::{MetricAlarm, MetricAlarms};
    use plimsoll_model::aws::events::Rule;
    use plimsoll_model::aws::logs::{LogGroup, MetricFilter, MetricTransformation};
    use plimsoll_model::{Seen, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    const ALL: &str = "{ ($.eventSource = kms.amazonaws.com) || ($.eventSource = ecs.amazonaws.com) }";

    fn cluster() -> Fixture {
        fixture().cluster("shop", |_| {})
    }

    fn filtered(pattern: &str, alarm: impl FnOnce(&mut MetricAlarm)) -> Fixture {
        let metric = MetricTransformation { metric_name: "Changes".to_owned(), metric_namespace: "Audit".to_owned() };
        let filter = MetricFilter {
            filter_name: "changes".to_owned(),
            filter_pattern: Some(pattern.to_owned()),
            metric_transformations: vec![metric],
        };
        let mut told = MetricAlarm { alarm_actions: vec!["arn:aws:sns:us-east-1:111111111111:alerts".to_owned()], ..Default::default() };
        alarm(&mut told);
        let group = |group: &mut LogGroup| group.metric_filters = Seen::Known(vec![filter]);
        cluster().trail("trail", delivering).log_group("trail", group).resource(MetricAlarms {
            metric: "Audit/Changes".to_owned(),
            metric_name: "Changes".to_owned(),
            namespace: "Audit".to_owned(),
            alarms: Seen::Known(vec![told]),
        })
    }

    fn delivering(trail: &mut Trail) {
        trail.cloud_watch_logs_log_group_arn = Some("arn:aws:logs:us-east-1:111111111111:log-group:trail:*".to_owned());
    }

    fn pattern(text: &str) -> impl Fn(&mut Rule) {
        let text = text.to_owned();
        move |rule| rule.event_pattern = Some(text.clone())
    }

    #[test]
    fn fails_and_names_the_calls_that_nothing_tells_of() {
        assert_eq!(outcome(&CHECK, cluster()), Fail(Severity::Low));
        let keys = pattern(r#"{"source": ["aws.kms"]}"#);
        let found = findings(&CHECK, cluster().rule("keys", keys));
        let missing = json!(["ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecs:ExecuteCommand", "ecs:RunTask", "ecs:DeleteCluster"]);
        assert_eq!(found[0].evidence["missing"], missing);
    }

    #[test]
    fn a_rule_that_is_off_or_has_no_target_or_another_bus_tells_nobody() {
        for change in [
            |rule: &mut Rule| rule.state = Some("DISABLED".to_owned()),
            |rule: &mut Rule| rule.targets = Seen::Known(Vec::new()),
            |rule: &mut Rule| rule.event_bus_name = "orders".to_owned(),
        ] {
            assert_eq!(outcome(&CHECK, cluster().rule("changes", change)), Fail(Severity::Low));
        }
    }

    #[test]
    fn a_filter_without_an_alarm_that_acts_tells_nobody() {
        assert_eq!(outcome(&CHECK, filtered(ALL, |alarm| alarm.alarm_actions.clear())), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, filtered(ALL, |alarm| alarm.actions_enabled = Some(false))), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_rules_or_filters_or_both_together_tell_of_all() {
        assert_eq!(outcome(&CHECK, cluster().rule("changes", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, filtered(ALL, |_| {})), Pass);
        let both = filtered("{ $.eventSource = ecs.amazonaws.com }", |_| {}).rule("keys", pattern(r#"{"source": ["aws.kms"]}"#));
        assert_eq!(outcome(&CHECK, both), Pass);
    }

    #[test]
    fn does_not_apply_where_no_containers_are() {
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_a_pattern_cannot_be_read_or_something_was_not_readable() {
        assert_eq!(outcome(&CHECK, filtered("DisableKey", |_| {})), Unknown);
        assert_eq!(outcome(&CHECK, cluster().rule("odd", pattern(r#"{"source": [{"cidr": "10.0.0.0/8"}]}"#))), Unknown);
        assert_eq!(outcome(&CHECK, cluster().denied("events:ListRules")), Unknown);
        assert_eq!(outcome(&CHECK, cluster().rule("changes", |rule| rule.targets = gap("events:ListTargetsByRule").into())), Unknown);
        assert_eq!(outcome(&CHECK, filtered(ALL, |_| {}).without::<MetricAlarms>().denied("cloudwatch:DescribeAlarmsForMetric")), Unknown);
        let elsewhere = |trail: &mut Trail| {
            trail.cloud_watch_logs_log_group_arn = Some("arn:aws:logs:us-east-1:222222222222:log-group:trail:*".to_owned());
        };
        assert_eq!(outcome(&CHECK, cluster().trail("organization", elsewhere)), Unknown);
        assert_eq!(outcome(&CHECK, cluster().rule("changes", |_| {}).trail("organization", elsewhere)), Pass);
    }
}
