//! Reads the `containerInsights` setting of each ACTIVE cluster. Yields one verdict per cluster; evidence adds the account
//! setting that new clusters get.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::Cluster;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-container-insights-disabled",
    title: "Cluster does not collect Container Insights metrics",
    severity: Severity::Low,
    resource: "AWS::ECS::Cluster",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListAccountSettings"],
    shades: &["ecs:ListAccountSettings"],
    compliance: &[fsbp("ECS.12"), nist("AU-6"), nist("SI-2?"), pci("10.2.1?")],
    fails_when: "clusters[].settings[] with name containerInsights has value disabled or is absent (request include \
                 SETTINGS). enabled and enhanced pass.",
    why: "Without metrics of tasks and containers, a miner, a leak or a flood of restarts shows only when the bill or the \
          users tell.",
    remediation: Remediation {
        text: "Turn on Container Insights with enhanced observability.",
        cli: "aws ecs update-cluster-settings --cluster CLUSTER --settings name=containerInsights,value=enhanced",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(estate.active_clusters(), judge),
};

/// Name of the setting, of the cluster and of the account alike.
const SETTING: &str = "containerInsights";

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let value = cluster.data().settings.iter().find(|setting| setting.name == SETTING).map(|setting| setting.value.as_str());
    if matches!(value, Some("enabled" | "enhanced")) {
        return Ok(Verdict::Pass);
    }
    let default = cluster.estate().account_setting(cluster.account(), cluster.region(), SETTING).ok().flatten();
    let evidence = json!({"settings": [{"name": SETTING, "value": value}], "accountSetting": {"name": SETTING, "value": default}});
    let state = value.map_or_else(|| "is not set".to_owned(), |value| format!("is {value}"));
    fail(format!("{SETTING} of cluster {} {state}", cluster.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Cluster, KeyValuePair};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with_setting(value: Option<&str>) -> Fixture {
        fixture().cluster("shop", |cluster| {
            cluster.settings =
                value.map(|value| KeyValuePair { name: "containerInsights".to_owned(), value: value.to_owned() }).into_iter().collect();
        })
    }

    #[test]
    fn fails_when_the_setting_is_disabled_or_absent() {
        let found = findings(&CHECK, with_setting(Some("disabled")).account_setting("containerInsights", "enabled"));
        assert_eq!(found[0].severity, Severity::Low);
        assert_eq!(found[0].message, "containerInsights of cluster shop is disabled");
        assert_eq!(found[0].evidence["accountSetting"]["value"], "enabled");
        assert_eq!(outcome(&CHECK, with_setting(None)), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_enabled_or_enhanced() {
        assert_eq!(outcome(&CHECK, with_setting(Some("enabled"))), Pass);
        assert_eq!(outcome(&CHECK, with_setting(Some("enhanced"))), Pass);
    }

    #[test]
    fn does_not_apply_to_clusters_that_are_not_active() {
        let gone = with_setting(None).each(|cluster: &mut Cluster| "INACTIVE".clone_into(&mut cluster.status));
        assert_eq!(outcome(&CHECK, gone), NotApplicable);
    }

    #[test]
    fn is_unknown_when_clusters_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeClusters")), Unknown);
    }

    #[test]
    fn the_account_setting_only_adds_evidence() {
        assert_eq!(outcome(&CHECK, with_setting(Some("enabled")).denied("ecs:ListAccountSettings")), Pass);
        assert_eq!(outcome(&CHECK, with_setting(None).denied("ecs:ListAccountSettings")), Fail(Severity::Low));
    }
}
