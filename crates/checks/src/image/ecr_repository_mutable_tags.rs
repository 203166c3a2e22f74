//! Reads the tag mutability of each repository and the tags by which task definitions name its images. Yields one
//! verdict per private repository; a failure names the definitions that a moved tag would reach.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Repository;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::images::is_tag_immutable;
use crate::reading::{DEFINITION_NEEDS, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-mutable-tags",
    title: "Tags of the repository can be moved to another image",
    severity: Severity::Medium,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecr:DescribeRepositories",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
    ],
    shades: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
    ],
    compliance: &[fsbp("ECR.2"), nist("CM-2"), nist("SI-7")],
    fails_when: "imageTagMutability is MUTABLE or MUTABLE_WITH_EXCLUSION; or IMMUTABLE_WITH_EXCLUSION where a filter \
                 matches a tag that a TD-SCOPE revision uses. Low when no workload refers to the repository by tag.",
    why: "Whoever may push can put another image behind a tag that tasks already trust, and the next start of a task \
          runs it.",
    remediation: Remediation {
        text: "Make tags immutable.",
        cli: "aws ecr put-image-tag-mutability --repository-name REPO --image-tag-mutability IMMUTABLE",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Repository>(), judge),
};

fn judge(repository: Node<'_, Repository>) -> Judgement {
    let Some(mutability) = repository.data().image_tag_mutability.as_deref() else {
        return Err(undecided(repository, "ecr:DescribeRepositories", "NotAnswered", "the repository tells no imageTagMutability"));
    };
    let movable = |tag: &str| is_tag_immutable(repository.data(), tag) != Some(true);
    let reached: Vec<_> = repository.named_by_tag().filter(|(_, tag)| movable(tag)).collect();
    match mutability {
        "IMMUTABLE" => return Ok(Verdict::Pass),
        // A filter matters when a definition uses what it excludes.
        "IMMUTABLE_WITH_EXCLUSION" if reached.is_empty() => {
            let coverage = repository.estate().coverage();
            let unread = DEFINITION_NEEDS.iter().find_map(|need| coverage.check(repository.account(), repository.region(), need).err());
            return unread.map_or(Ok(Verdict::Pass), |gap| Err(gap.into()));
        }
        _ => {}
    }
    let mut names: Vec<&str> = reached.iter().map(|(definition, _)| definition.name()).collect();
    names.sort_unstable();
    names.dedup();
    let shown: Vec<_> = reached
        .iter()
        .take(20)
        .map(|(definition, tag)| json!({"taskDefinitionArn": definition.data().task_definition_arn, "imageTag": tag}))
        .collect();
    let evidence = json!({
        "imageTagMutability": mutability,
        "imageTagMutabilityExclusionFilters": repository.data().image_tag_mutability_exclusion_filters,
        "referredToByTag": shown,
        "referredToByTagCount": reached.len(),
    });
    if names.is_empty() {
        let message = format!("tags of repository {} can be moved ({mutability}); no task definition uses one", repository.name());
        return fail(message, evidence).severity(Severity::Low).verdict();
    }
    let message =
        format!("tags of repository {} can be moved ({mutability}); {} would run what they lead to", repository.name(), listed(&names));
    fail(message, evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{DIGEST, Fixture, fixture, image_reference};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecr::{Filter, Repository};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn by_tag(tag: &str) -> Fixture {
        let image = image_reference("app").replace(&format!("@{DIGEST}"), &format!(":{tag}"));
        fixture().shop().each::<plimsoll_model::aws::ecs::TaskDefinition>(move |definition| {
            definition.container_definitions[0].image.clone_from(&image);
        })
    }

    fn mutability(value: &str, filters: &[&str]) -> impl Fn(&mut Repository) {
        let value = value.to_owned();
        let filters: Vec<Filter> =
            filters.iter().map(|filter| Filter { filter: (*filter).to_owned(), filter_type: "WILDCARD".to_owned() }).collect();
        move |repository| {
            repository.image_tag_mutability = Some(value.clone());
            repository.image_tag_mutability_exclusion_filters.clone_from(&filters);
        }
    }

    #[test]
    fn fails_when_a_tag_in_use_can_be_moved() {
        let account = by_tag("1.0.0").each(mutability("MUTABLE", &[]));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account)[0].evidence["referredToByTag"][0]["imageTag"], "1.0.0");
        assert_eq!(outcome(&CHECK, by_tag("1.0.0").each(mutability("IMMUTABLE_WITH_EXCLUSION", &["1*"]))), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_nothing_names_images_by_a_tag_that_can_be_moved() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(mutability("MUTABLE", &[]))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, by_tag("1.0.0").each(mutability("MUTABLE_WITH_EXCLUSION", &["1*"]))), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_tags_stay_or_none_in_use_is_excluded() {
        assert_eq!(outcome(&CHECK, by_tag("1.0.0")), Pass);
        assert_eq!(outcome(&CHECK, by_tag("1.0.0").each(mutability("IMMUTABLE_WITH_EXCLUSION", &["latest*"]))), Pass);
    }

    #[test]
    fn is_unknown_when_what_names_images_by_tag_was_not_read() {
        let account = by_tag("1.0.0").each(mutability("IMMUTABLE_WITH_EXCLUSION", &["latest*"]));
        assert_eq!(outcome(&CHECK, account.denied("ecs:DescribeTaskDefinition")), Unknown);
        assert_eq!(outcome(&CHECK, by_tag("1").denied("ecr:DescribeRepositories")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().repository("web", |repository| repository.image_tag_mutability = None)), Unknown);
    }
}
