//! Reads the key of each log group that containers, ECS Exec, Container Insights or control planes write to. Yields one verdict per group that
//! exists; a failure names who writes there.

use plimsoll_graph::{ContainerLogGroup, Estate, Link, Missing, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::logs::LogGroup;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{log_group, log_group_reference, writers, writers_listed};

pub(crate) const CHECK: Check = Check {
    id: "logs-container-group-no-cmk",
    title: "Container log group is not encrypted with a customer managed key",
    severity: Severity::Low,
    resource: "AWS::Logs::LogGroup",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "logs:DescribeLogGroups",
    ],
    shades: &[],
    compliance: &[nist("AU-9(3)"), nist("SC-28"), pci("10.3.2?")],
    fails_when: "kmsKeyId is absent on a log group named by awslogs-group, by executeCommandConfiguration, by \
                 /aws/eks/NAME/cluster, /aws/ecs/containerinsights or /aws/containerinsights.",
    why: "Logs hold what applications say of their users; AWS's own key gives them to everyone who may read the group, and nobody \
          can shut it off.",
    remediation: Remediation {
        text: "Associate a KMS key with the log group.",
        cli: "aws logs associate-kms-key --log-group-name GROUP --kms-key-id KEY",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for group in estate.container_log_groups() {
        match log_group(estate, group) {
            Ok(Link::Found(found)) => verdicts.judge(found, judge(found, group)),
            // What does not exist yet has no key either.
            Ok(Link::Missing(Missing::NotFound { .. })) => {}
            Ok(missing) => verdicts.judge_reference(log_group_reference(group), missing.known().map(|_| Verdict::Pass)),
            Err(unknown) => verdicts.judge_reference(log_group_reference(group), Err(unknown)),
        }
    }
}

fn judge(found: Node<'_, LogGroup>, group: &ContainerLogGroup<'_>) -> Judgement {
    if found.kms_key_id.as_deref().is_some_and(|key| !key.is_empty()) {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({"logGroupName": group.name, "kmsKeyId": null, "writers": writers(group)});
    fail(format!("log group {} of {} has no key of its own", group.name, writers_listed(group)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecs::{
        Cluster, ClusterConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, TaskDefinition,
    };
    use plimsoll_model::aws::logs::LogGroup;
    use plimsoll_model::{Gap, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn without_key(group: &mut LogGroup) {
        group.kms_key_id = None;
    }

    fn shop() -> Fixture {
        fixture().shop().without::<LogGroup>()
    }

    fn exec_to(group: &str) -> impl Fn(&mut Cluster) {
        let logs = ExecuteCommandLogConfiguration { cloud_watch_log_group_name: Some(group.to_owned()), ..Default::default() };
        let exec = ExecuteCommandConfiguration { log_configuration: Some(logs), ..Default::default() };
        move |cluster| {
            cluster.configuration = Some(ClusterConfiguration { execute_command_configuration: Some(exec.clone()), ..Default::default() });
        }
    }

    #[test]
    fn fails_when_a_group_that_something_writes_to_has_no_key() {
        assert_eq!(outcome(&CHECK, shop().log_group("/ecs/app", without_key)), Fail(Severity::Low));
        let sessions = shop().each(exec_to("/exec")).log_group("/exec", without_key);
        assert_eq!(outcome(&CHECK, sessions), Fail(Severity::Low));
        let found = findings(&CHECK, shop().log_group("/aws/ecs/containerinsights/shop/performance", without_key));
        assert_eq!(found[0].evidence["writers"][0]["purpose"], "containerInsights");
    }

    #[test]
    fn passes_with_a_key_and_says_nothing_of_groups_that_no_container_writes_to() {
        assert_eq!(outcome(&CHECK, shop().log_group("/ecs/app", |_| {}).log_group("/flow", without_key)), Pass);
        assert_eq!(outcome(&CHECK, shop()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_were_not_readable_or_are_in_a_region_where_they_were_not_asked_for() {
        assert_eq!(outcome(&CHECK, shop().denied("logs:DescribeLogGroups")), Unknown);
        let one = Gap { resource: Some("/ecs/app".to_owned()), ..gap("logs:DescribeLogGroups") };
        assert_eq!(outcome(&CHECK, shop().with(|inventory| inventory.gaps.push(one))), Unknown);
        let elsewhere = |definition: &mut TaskDefinition| {
            let logs = definition.container_definitions[0].log_configuration.as_mut().unwrap();
            logs.options.insert("awslogs-region".to_owned(), "eu-west-3".to_owned());
        };
        assert_eq!(outcome(&CHECK, shop().each(elsewhere).region("eu-west-3")), Unknown);
    }
}
