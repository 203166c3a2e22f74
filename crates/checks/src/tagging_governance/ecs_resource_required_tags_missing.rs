//! Reads the tags of ACTIVE clusters, ACTIVE services and task definitions in scope, and whether services hand tags to
//! their tasks. Yields one verdict per resource; a failure names the keys that are missing.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::{Resource, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-resource-required-tags-missing",
    title: "ECS resource lacks the tags that access control relies on",
    severity: Severity::Low,
    resource: "AWS::ECS::Cluster",
    area: Area::TaggingGovernance,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
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
    ],
    shades: &[],
    compliance: &[nist("CM-8")],
    fails_when: "A cluster, ACTIVE service or TD-SCOPE definition lacks one of the configured tag keys (default: owner, \
                 environment, data-class), ignoring aws: tags; or a service has enableECSManagedTags false and \
                 propagateTags NONE so that its tasks carry no tags. Only evaluated for keys that a policy uses in \
                 aws:ResourceTag conditions, or that the configuration lists.",
    why: "Policies that grant by tag do not see the resource, or see it as nobody's: access, cost and alarms then follow \
          guesses.",
    remediation: Remediation {
        text: "Tag the resource and propagate tags to tasks.",
        cli: "aws ecs tag-resource --resource-arn ARN --tags key=owner,value=TEAM",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    verdicts.each(estate.active_clusters(), |cluster| judge(cluster, "cluster"));
    verdicts.each(estate.active_services(), judge_service);
    verdicts.each_definition(|definition| judge(definition, "task definition"));
}

fn judge<T: Resource>(node: Node<'_, T>, kind: &str) -> Judgement {
    let missing = missing(node);
    if missing.is_empty() {
        return Ok(Verdict::Pass);
    }
    fail(format!("{kind} {} {}", node.name(), lacks(&missing)), json!({"missingKeys": missing})).verdict()
}

fn judge_service(service: Node<'_, Service>) -> Judgement {
    let missing = missing(service);
    let data = service.data();
    // Absent means NONE.
    let propagates = data.propagate_tags.as_deref().is_some_and(|from| !matches!(from, "" | "NONE"));
    let bare = !propagates && !data.enable_ecs_managed_tags;
    let message = match (missing.as_slice(), bare) {
        ([], false) => return Ok(Verdict::Pass),
        ([], true) => format!("service {} gives its tasks no tags", service.name()),
        (keys, false) => format!("service {} {}", service.name(), lacks(keys)),
        (keys, true) => format!("service {} {} and gives its tasks no tags", service.name(), lacks(keys)),
    };
    let evidence = json!({
        "missingKeys": missing,
        "propagateTags": data.propagate_tags,
        "enableECSManagedTags": data.enable_ecs_managed_tags,
    });
    fail(message, evidence).verdict()
}

fn missing<T: Resource>(node: Node<'_, T>) -> Vec<&str> {
    let tags = node.data().tags();
    let required = node.estate().thresholds().required_tags.iter().map(String::as_str);
    required.filter(|key| !tags.iter().any(|(name, _)| name.eq_ignore_ascii_case(key))).collect()
}

fn lacks(keys: &[&str]) -> String {
    format!("lacks {} {}", if keys.len() == 1 { "tag" } else { "tags" }, listed(keys))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Cluster, Service, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn only_finding(account: Fixture) -> (String, &'static str, Severity) {
        let mut found = findings(&CHECK, account);
        assert_eq!(found.len(), 1, "{found:?}");
        let finding = found.remove(0);
        (finding.message, if finding.resource.kind == CHECK.resource { "cluster" } else { "other" }, finding.severity)
    }

    #[test]
    fn fails_when_a_cluster_lacks_a_key() {
        let account = fixture().shop().each(|cluster: &mut Cluster| cluster.tags.retain(|tag| tag.key == "owner"));
        assert_eq!(only_finding(account), ("cluster shop lacks tags environment and data-class".to_owned(), "cluster", Severity::Low));
    }

    #[test]
    fn fails_when_a_service_or_a_definition_lacks_a_key() {
        let account = fixture().shop().each(|service: &mut Service| service.tags.retain(|tag| tag.key != "owner"));
        assert_eq!(only_finding(account), ("service web lacks tag owner".to_owned(), "other", Severity::Low));
        let account = fixture().shop().each(|definition: &mut TaskDefinition| definition.tags.clear());
        let message = "task definition web:1 lacks tags owner, environment and data-class".to_owned();
        assert_eq!(only_finding(account), (message, "other", Severity::Low));
    }

    #[test]
    fn keys_compare_without_case() {
        let account = fixture().shop().each(|cluster: &mut Cluster| cluster.tags.iter_mut().for_each(|tag| tag.key.make_ascii_uppercase()));
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn fails_when_a_service_gives_its_tasks_no_tags() {
        let bare = |propagate: Option<&'static str>, managed: bool| {
            fixture().shop().each(move |service: &mut Service| {
                service.propagate_tags = propagate.map(str::to_owned);
                service.enable_ecs_managed_tags = managed;
            })
        };
        assert_eq!(only_finding(bare(Some("NONE"), false)).0, "service web gives its tasks no tags");
        assert_eq!(outcome(&CHECK, bare(None, false)), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, bare(None, true)), Pass);
        assert_eq!(outcome(&CHECK, bare(Some("TASK_DEFINITION"), false)), Pass);
    }

    #[test]
    fn a_definition_that_nothing_runs_weighs_less() {
        let account = fixture().task_definition("web", |definition| definition.tags.clear());
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Informational));
    }

    #[test]
    fn is_unknown_when_services_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeServices")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeClusters")), Unknown);
    }

    #[test]
    fn the_configuration_names_the_keys() {
        let account = fixture().shop().thresholds(|thresholds| thresholds.required_tags = vec!["cost-center".to_owned()]);
        let found = findings(&CHECK, account);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.message.ends_with("lacks tag cost-center")), "{found:?}");
        assert_eq!(outcome(&CHECK, fixture().shop().thresholds(|thresholds| thresholds.required_tags.clear())), Pass);
    }
}
