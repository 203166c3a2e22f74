//! Reads how each container names its image, whether ECS pins it, and whether its repository lets tags move. Yields
//! one verdict per task definition in scope; a failure names every container whose image may change.

use plimsoll_graph::{Link, Node, TaskGroup, Unknown};
use plimsoll_model::aws::ecs::{ContainerDefinition, Task, TaskDefinition};
use plimsoll_model::{ImageReference, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::images::{is_tag_immutable, tag_in_force};
use crate::reading::{counted, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-image-not-pinned",
    title: "Container image can change without a new revision",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Image,
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
        "ecr:DescribeRepositories",
    ],
    shades: &["ecr:DescribeRepositories"],
    compliance: &[nist("CM-2"), nist("SI-7"), cis_docker("5.28")],
    fails_when: "The image has no @sha256: digest and one of: (a) the tag is absent or in the list of moving tags \
                 (latest, stable, main, master, prod, dev): medium; (b) versionConsistency is \"disabled\": medium; (c) \
                 tasks are started by RunTask, Scheduler or EventBridge outside a service (ECS version consistency \
                 applies to services only) and the repository is not an ECR repository with imageTagMutability IMMUTABLE: \
                 low. Otherwise pass: ECS resolves the tag to a digest once per deployment.",
    why: "The same revision may run another program tomorrow: nobody reviewed it, and no deployment shows the \
          change.",
    remediation: Remediation {
        text: "Pin the image by digest or make the repository immutable and keep versionConsistency enabled.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # versionConsistency=enabled; \
             then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Why the image of a container may change.
struct Movable<'e> {
    container: &'e ContainerDefinition,
    why: String,
    severity: Severity,
    mutability: Option<&'e str>,
}

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let mut found: Vec<Movable<'_>> = Vec::new();
    let mut unknown = None;
    for container in &definition.data().container_definitions {
        match movable(definition, container) {
            Ok(movable) => found.extend(movable),
            Err(why) => unknown = Some(why),
        }
    }
    let Some(severity) = found.iter().map(|one| one.severity).max() else {
        return unknown.map_or(Ok(Verdict::Pass), Err);
    };
    let parts: Vec<_> = found
        .iter()
        .map(|one| {
            json!({
                "name": one.container.name,
                "image": one.container.image,
                "versionConsistency": one.container.version_consistency,
                "imageTagMutability": one.mutability,
                "why": one.why,
            })
        })
        .collect();
    let names: Vec<&str> = found.iter().map(|one| one.container.name.as_str()).collect();
    let evidence = json!({"containerDefinitions": parts, "usedBy": users(definition)});
    let why = found.iter().find(|one| one.severity == severity).map_or("", |one| one.why.as_str());
    let message = format!("the image of {} of {} can change: {why}", counted("container", &names), definition.name());
    fail(message, evidence).severity(severity).verdict()
}

fn movable<'e>(definition: Node<'e, TaskDefinition>, container: &'e ContainerDefinition) -> Result<Option<Movable<'e>>, Unknown> {
    let Some(reference) = ImageReference::parse(&container.image) else { return Ok(None) };
    let Some(tag) = tag_in_force(&reference) else { return Ok(None) };
    let found = |why: String, severity, mutability| Ok(Some(Movable { container, why, severity, mutability }));
    if reference.tag.is_none() {
        return found("it names no tag".to_owned(), Severity::Medium, None);
    }
    if definition.estate().thresholds().moving_image_tags.iter().any(|moving| moving.eq_ignore_ascii_case(tag)) {
        return found(format!("tag {tag} moves from release to release"), Severity::Medium, None);
    }
    if container.version_consistency.as_deref() == Some("disabled") {
        return found("versionConsistency is disabled".to_owned(), Severity::Medium, None);
    }
    // ECS resolves the tag once for each deployment of a service; whoever starts a task otherwise takes what is there.
    if !definition.tasks().any(|task| Node::<'_, Task>::group(task) == TaskGroup::Standalone) {
        return Ok(None);
    }
    let mutability = match definition.estate().repository(definition.account(), definition.region(), &container.image) {
        Some(Link::Found(repository)) => {
            if is_tag_immutable(repository.data(), tag) == Some(true) {
                return Ok(None);
            }
            repository.data().image_tag_mutability.as_deref()
        }
        Some(missing) => {
            missing.exists()?;
            None
        }
        None => None,
    };
    found(format!("tasks start from tag {tag} outside a service"), Severity::Low, mutability)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{DIGEST, Fixture, fixture, image_reference};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecr::Repository;
    use plimsoll_model::aws::ecs::TaskDefinition;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn image(account: Fixture, image: &str) -> Fixture {
        let image = image.to_owned();
        account.each::<TaskDefinition>(move |definition| definition.container_definitions[0].image.clone_from(&image))
    }

    fn tagged(tag: &str) -> String {
        image_reference("app").replace(&format!("@{DIGEST}"), &format!(":{tag}"))
    }

    fn mutable(account: Fixture) -> Fixture {
        account.each::<Repository>(|repository| repository.image_tag_mutability = Some("MUTABLE".to_owned()))
    }

    #[test]
    fn fails_when_the_tag_moves_or_is_missing() {
        for name in ["nginx", "nginx:latest", "nginx:Stable", "public.ecr.aws/x/y:main"] {
            assert_eq!(outcome(&CHECK, image(fixture().shop(), name)), Fail(Severity::Medium), "{name}");
        }
    }

    #[test]
    fn fails_when_ecs_may_not_pin_it() {
        let account = image(fixture().shop(), "nginx:1.27").each::<TaskDefinition>(|definition| {
            definition.container_definitions[0].version_consistency = Some("disabled".to_owned());
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_tasks_start_from_a_tag_outside_a_service() {
        let account = fixture().shop().standalone_task("shop", "web", "t2", |_| {});
        assert_eq!(outcome(&CHECK, image(account.clone(), "nginx:1.27")), Fail(Severity::Low));
        let found = findings(&CHECK, mutable(image(account.clone(), &tagged("1.0.0"))));
        assert_eq!(found[0].evidence["containerDefinitions"][0]["imageTagMutability"], "MUTABLE");
        assert_eq!(outcome(&CHECK, image(account, &tagged("1.0.0"))), Pass);
    }

    #[test]
    fn passes_with_a_digest_and_with_a_release_tag_of_a_service() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, image(fixture().shop(), "nginx:1.27")), Pass);
        assert_eq!(outcome(&CHECK, image(fixture().shop(), &format!("nginx:latest@{DIGEST}"))), Pass);
    }

    #[test]
    fn is_unknown_when_the_repository_was_not_readable() {
        let account = image(fixture().shop().standalone_task("shop", "web", "t2", |_| {}), &tagged("1.0.0")).without::<Repository>();
        assert_eq!(outcome(&CHECK, account.denied("ecr:DescribeRepositories")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
