//! Reads which logs of its control plane each EKS cluster writes, and what reads the audit log. Yields one verdict per
//! cluster; a failure lists the missing types.

use plimsoll_graph::{Link, Missing, Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::eks::Cluster;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};
use crate::reading::{counted, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-control-plane-logs-incomplete",
    title: "Control plane logs of the cluster are not all enabled or not used",
    severity: Severity::Medium,
    resource: "AWS::EKS::Cluster",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "logs:DescribeLogGroups",
        "logs:DescribeSubscriptionFilters",
        "logs:DescribeMetricFilters",
        "guardduty:ListDetectors",
        "guardduty:GetDetector",
    ],
    // What reads the log matters to clusters that write all of it: their verdicts alone are unknown without it.
    shades: &[
        "logs:DescribeLogGroups",
        "logs:DescribeSubscriptionFilters",
        "logs:DescribeMetricFilters",
        "guardduty:ListDetectors",
        "guardduty:GetDetector",
    ],
    compliance: &[fsbp("EKS.8"), cis_eks("2.1.1"), nist("AU-2"), nist("AU-12"), pci("10.2.1")],
    fails_when: "logging.clusterLogging lacks enabled types audit or authenticator (medium), api, controllerManager or \
                 scheduler (low); or audit is on but the log group has no subscription or metric filter and GuardDuty \
                 EKS_AUDIT_LOGS is off (informational: nobody reads it).",
    why: "Who did what in the cluster stands only in these logs: without the audit log an intrusion leaves no trace, and one that \
          nobody reads is found when it is too late.",
    remediation: Remediation {
        text: "Enable all five log types and feed the audit log to detection.",
        cli: "aws eks update-cluster-config --name CLUSTER --logging \
             '{\"clusterLogging\":[{\"types\":[\"api\",\"audit\",\"authenticator\",\"controllerManager\",\"scheduler\"],\"enabled\":true}]}'",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

/// Types of logs; without one of the first two nobody can say who did what.
const TYPES: [&str; 5] = ["audit", "authenticator", "api", "controllerManager", "scheduler"];
/// How many of them weigh more.
const OF_ACCESS: usize = 2;

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let Some(logging) = &cluster.data().logging else {
        return Err(undecided(cluster, "eks:DescribeCluster", "NotAnswered", "the cluster tells no logging"));
    };
    let enabled = logging.cluster_logging.iter().filter(|setup| setup.enabled == Some(true)).flat_map(|setup| &setup.types);
    let enabled: Vec<&str> = enabled.map(String::as_str).collect();
    let missing: Vec<&str> = TYPES.into_iter().filter(|kind| !enabled.contains(kind)).collect();
    let (name, group) = (cluster.name(), cluster.log_group_name());
    if !missing.is_empty() {
        let message = format!("cluster {name} does not write {}", counted("control plane log", &missing));
        let failure = fail(message, json!({"missing": missing, "enabled": enabled, "logGroup": group}));
        let of_access = TYPES.iter().take(OF_ACCESS).any(|kind| missing.contains(kind));
        return if of_access { failure.verdict() } else { failure.severity(Severity::Low).verdict() };
    }
    match (is_read(cluster), is_watched(cluster)) {
        (Ok(true), _) | (_, Ok(true)) => Ok(Verdict::Pass),
        (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
        (Ok(false), Ok(false)) => {
            let message = format!("nothing reads the audit log of cluster {name}: {group} has no filter and GuardDuty does not watch it");
            fail(message, json!({"missing": [], "logGroup": group, "filters": []})).severity(Severity::Informational).verdict()
        }
    }
}

/// Whether the log group has a subscription or metric filter. A group that does not exist has none.
fn is_read(cluster: Node<'_, Cluster>) -> Result<bool, Unknown> {
    let group = match cluster.log_group() {
        Link::Found(group) => group.data(),
        Link::Missing(Missing::NotFound { .. }) => return Ok(false),
        missing @ Link::Missing(_) => return missing.known().map(|_| false),
    };
    match (group.subscription_filters.known(), group.metric_filters.known()) {
        (Ok(filters), _) if !filters.is_empty() => Ok(true),
        (_, Ok(filters)) if !filters.is_empty() => Ok(true),
        (Err(gap), _) | (_, Err(gap)) => Err(gap.into()),
        (Ok(_), Ok(_)) => Ok(false),
    }
}

/// Whether GuardDuty reads the audit log, which it gets from EKS itself.
fn is_watched(cluster: Node<'_, Cluster>) -> Result<bool, Unknown> {
    let Some(detector) = cluster.estate().detector(cluster.account(), cluster.region())? else { return Ok(false) };
    Ok(detector.data().configuration.known()?.has("EKS_AUDIT_LOGS"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::eks::LogSetup;
    use plimsoll_model::aws::logs::{LogGroup, MetricFilter};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn without(types: &'static [&'static str]) -> Fixture {
        fixture().eks_cluster("shop", |cluster| {
            for setup in &mut cluster.logging.as_mut().unwrap().cluster_logging {
                setup.types.retain(|kind| !types.contains(&kind.as_str()));
            }
            let off = types.iter().map(|&kind| kind.to_owned()).collect();
            cluster.logging.as_mut().unwrap().cluster_logging.push(LogSetup { types: off, enabled: Some(false) });
        })
    }

    fn group(change: impl Fn(&mut LogGroup)) -> Fixture {
        fixture().eks_cluster("shop", |_| {}).each(change)
    }

    #[test]
    fn fails_when_the_audit_or_authenticator_log_is_off() {
        assert_eq!(outcome(&CHECK, without(&["audit"])), Fail(Severity::Medium));
        let found = findings(&CHECK, without(&["authenticator", "scheduler"]));
        assert_eq!(found[0].message, "cluster shop does not write control plane logs authenticator and scheduler");
        let nothing = fixture().eks_cluster("shop", |cluster| cluster.logging.as_mut().unwrap().cluster_logging.clear());
        assert_eq!(outcome(&CHECK, nothing), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_only_other_logs_are_off() {
        assert_eq!(outcome(&CHECK, without(&["api", "controllerManager"])), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_all_are_on_and_a_filter_reads_them() {
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {})), Pass);
        let metric = |group: &mut LogGroup| {
            group.subscription_filters = gap("logs:DescribeSubscriptionFilters").into();
            group.metric_filters = Seen::Known(vec![MetricFilter::default()]);
        };
        assert_eq!(outcome(&CHECK, group(metric)), Pass);
    }

    #[test]
    fn nobody_reads_them_without_filter_and_detector() {
        let unread = |group: &mut LogGroup| group.subscription_filters = Seen::Known(Vec::new());
        assert_eq!(outcome(&CHECK, group(unread)), Fail(Severity::Informational));
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |_| {}).without::<LogGroup>()), Fail(Severity::Informational));
    }

    #[test]
    fn is_unknown_when_no_filter_reads_them_and_guardduty_was_not_read() {
        let unread = |group: &mut LogGroup| group.subscription_filters = Seen::Known(Vec::new());
        assert_eq!(outcome(&CHECK, group(unread).denied("guardduty:ListDetectors")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("shop", |cluster| cluster.logging = None)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
    }
}
