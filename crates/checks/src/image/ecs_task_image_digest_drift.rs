//! Reads the digests that the tasks of each deployment run, and what ECR has under the same digest and tag. Yields
//! one verdict per running task; a failure names the containers whose image differs, is gone, or is no longer what
//! its tag means.

use plimsoll_graph::{Estate, Link, Missing, Node, Unknown};
use plimsoll_model::aws::ecr::{CPU_ARCHITECTURE, Image};
use plimsoll_model::aws::ecs::{Container, Task};
use plimsoll_model::{ImageReference, Severity};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::images::{short, tag_in_force};
use crate::reading::counted;

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-image-digest-drift",
    title: "Tasks of one service run different images under the same tag",
    severity: Severity::Medium,
    resource: "AWS::ECS::Task",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
    ],
    shades: &["ecs:DescribeTaskDefinition", "ecr:DescribeImages", "ecr:DescribeRepositories"],
    compliance: &[nist("SI-7"), nist("CM-3")],
    fails_when: "Tasks of one deployment have different containers[].imageDigest for the same container and architecture, \
                 or the digest is not in the repository any more, or the tag in ECR now points to another digest and \
                 versionConsistency is disabled.",
    why: "Tasks that should be alike run different programs: somebody moved a tag, and only some of them took it.",
    remediation: Remediation {
        text: "Redeploy with a digest reference and find out who moved the tag.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate,
};

/// What tasks must have in common: deployment, revision, container, architecture.
type Kin<'e> = (&'e str, &'e str, &'e str, &'e str);

/// By account, Region, reference and digest.
type Answers<'e> = FxHashMap<(&'e str, &'e str, &'e str, &'e str), Told>;

/// What ECR says of a digest that runs under a reference.
#[derive(Clone)]
enum Told {
    /// There, and what its tag means if that could be looked up.
    There(Option<String>),
    Gone,
    Unknown(Unknown),
    /// In no private registry.
    Elsewhere,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut first: FxHashMap<Kin<'e>, (&'e str, Node<'e, Task>)> = FxHashMap::default();
    let mut told = Answers::default();
    for task in estate.running_tasks() {
        for (container, image, digest) in running(task) {
            if let Some(kin) = kin(task, container) {
                let earlier = |other: Node<'_, Task>| {
                    (task.data().started_at, &task.data().task_arn) < (other.data().started_at, &other.data().task_arn)
                };
                let entry = first.entry(kin).or_insert((digest, task));
                if earlier(entry.1) {
                    *entry = (digest, task);
                }
            }
            let place = (task.account().as_str(), task.region().as_str(), image, digest);
            told.entry(place).or_insert_with(|| look_up(task, image, digest));
        }
    }
    for task in estate.running_tasks() {
        let judgement = judge(task, &first, &told);
        verdicts.judge(task, judgement);
    }
}

/// Containers with the image that they run and its digest.
fn running(task: Node<'_, Task>) -> impl Iterator<Item = (&Container, &str, &str)> {
    let containers = task.data().containers.iter().filter(|container| !container.is_added_by_aws());
    containers.filter_map(|container| Some((container, container.image.as_deref()?, container.image_digest.as_deref()?)))
}

/// `None` for a task that belongs to no deployment.
fn kin<'e>(task: Node<'e, Task>, container: &'e Container) -> Option<Kin<'e>> {
    let task = task.data();
    let deployment = task.started_by.as_deref().filter(|starter| starter.starts_with("ecs-svc/"))?;
    let architecture = task.attributes.iter().find(|attribute| attribute.name == CPU_ARCHITECTURE);
    let architecture = architecture.and_then(|attribute| attribute.value.as_deref()).unwrap_or_default();
    Some((deployment, &task.task_definition_arn, &container.name, architecture))
}

fn judge<'e>(task: Node<'e, Task>, first: &FxHashMap<Kin<'e>, (&'e str, Node<'e, Task>)>, told: &Answers<'e>) -> Judgement {
    let mut problems: Vec<(String, Value)> = Vec::new();
    let mut unknown = None;
    let mut any = false;
    for (container, image, digest) in running(task) {
        any = true;
        let ours = json!({"container": container.name, "image": image, "imageDigest": digest});
        if let Some((other, sibling)) = kin(task, container).and_then(|kin| first.get(&kin))
            && *other != digest
        {
            let problem = format!("container {} runs {} where its deployment runs {}", container.name, short(digest), short(other));
            problems.push((problem, json!({"of": ours, "otherDigest": other, "otherTask": sibling.data().task_arn})));
            continue;
        }
        match told.get(&(task.account().as_str(), task.region().as_str(), image, digest)) {
            Some(Told::Gone) => {
                problems
                    .push((format!("container {} runs {}, which is not in the repository any more", container.name, short(digest)), ours));
            }
            Some(Told::There(Some(tagged))) if tagged != digest && tag_may_move(task, container)? => {
                let problem = format!("container {} runs {} where its tag means {} now", container.name, short(digest), short(tagged));
                problems.push((problem, json!({"of": ours, "digestOfTag": tagged})));
            }
            Some(Told::Unknown(why)) => unknown = Some(why.clone()),
            Some(Told::There(_) | Told::Elsewhere) | None => {}
        }
    }
    if problems.is_empty() {
        return match unknown {
            Some(unknown) => Err(unknown),
            None if any => Ok(Verdict::Pass),
            // Nothing tells what it runs.
            None => Ok(Verdict::NotApplicable),
        };
    }
    let texts: Vec<&str> = problems.iter().map(|(text, _)| text.as_str()).collect();
    let message = format!("{}: {}", counted("task", &[task.name()]), texts.join("; "));
    let evidence = json!({
        "containers": problems.iter().map(|(_, facts)| facts).collect::<Vec<_>>(),
        "startedBy": task.data().started_by,
        "taskDefinitionArn": task.data().task_definition_arn,
    });
    fail(message, evidence).verdict()
}

/// Whether ECS was told not to pin the image of a container.
fn tag_may_move(task: Node<'_, Task>, container: &Container) -> Result<bool, Unknown> {
    let definition = task.task_definition().known()?;
    let own = definition.data().container_definitions.iter().find(|one| one.name == container.name);
    Ok(own.is_some_and(|own| own.version_consistency.as_deref() == Some("disabled")))
}

fn look_up(task: Node<'_, Task>, image: &str, digest: &str) -> Told {
    let (account, region) = (task.account(), task.region());
    let estate = task.estate();
    match estate.container_image(account, region, image, Some(digest)) {
        None => Told::Elsewhere,
        // The whole repository is gone, and its images with it.
        Some(Link::Missing(Missing::NotFound { .. })) => Told::Gone,
        Some(link) => match link.known().and_then(Node::<'_, Image>::detail) {
            Err(unknown) => Told::Unknown(unknown),
            Ok(None) => Told::Gone,
            Ok(Some(_)) => Told::There(tagged(task, image)),
        },
    }
}

/// The digest that the tag of a reference means now.
fn tagged(task: Node<'_, Task>, image: &str) -> Option<String> {
    let reference = ImageReference::parse(image)?;
    let tag = tag_in_force(&reference)?;
    let repository = task.estate().repository(task.account(), task.region(), image)?.found()?;
    repository.data().images.known().ok()?.tags_in_use.get(tag).cloned()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{DIGEST, Fixture, fixture, gap, image_reference};
    use plimsoll_model::aws::ecr::{Image, Repository};
    use plimsoll_model::aws::ecs::{Attribute, Container, Task, TaskDefinition};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

    fn two(change: impl Fn(&mut Task)) -> Fixture {
        let tag = image_reference("app").replace(&format!("@{DIGEST}"), ":1.0.0");
        let image = |task: &mut Task| task.containers[0].image = Some(tag.clone());
        let account = fixture().shop().task("shop", "web", "t2", |task| change(task)).image("app", |image| {
            image.image_arn = image.image_arn.replace(DIGEST, OTHER);
            image.image_digest = OTHER.to_owned();
        });
        account.each::<Task>(image)
    }

    fn other(task: &mut Task) {
        task.containers[0].image_digest = Some(OTHER.to_owned());
    }

    #[test]
    fn fails_when_a_task_differs_from_the_first_of_its_deployment() {
        let found = findings(&CHECK, two(other));
        assert_eq!((found.len(), found[0].severity, found[0].resource.name.as_str()), (1, Severity::Medium, "t2"));
        assert!(
            found[0].message.contains("runs sha256:111111111111 where its deployment runs sha256:000000000000"),
            "{}",
            found[0].message
        );
    }

    #[test]
    fn passes_when_deployment_or_architecture_is_another() {
        assert_eq!(outcome(&CHECK, two(|_| {})), Pass);
        let deployment = |task: &mut Task| {
            other(task);
            task.started_by = Some("ecs-svc/2".to_owned());
        };
        assert_eq!(outcome(&CHECK, two(deployment)), Pass);
        let architecture = |task: &mut Task| {
            other(task);
            task.attributes = vec![Attribute { name: "ecs.cpu-architecture".to_owned(), value: Some("arm64".to_owned()) }];
        };
        assert_eq!(outcome(&CHECK, two(architecture)), Pass);
    }

    #[test]
    fn fails_when_the_digest_is_gone() {
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.image_detail = Seen::Known(None))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, fixture().shop().without::<Repository>()), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_the_tag_moved_and_ecs_does_not_pin_it() {
        let moved = two(|_| {}).each::<Repository>(|repository| {
            if let Seen::Known(images) = &mut repository.images {
                images.tags_in_use.insert("1.0.0".to_owned(), OTHER.to_owned());
            }
        });
        assert_eq!(outcome(&CHECK, moved.clone()), Pass);
        let unpinned = moved.each::<TaskDefinition>(|definition| {
            definition.container_definitions[0].version_consistency = Some("disabled".to_owned());
        });
        assert_eq!(outcome(&CHECK, unpinned), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_the_image_was_not_readable_and_not_applicable_without_digests() {
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.image_detail = gap("ecr:DescribeImages").into())), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Task>(|task| task.containers[0].image_digest = None)), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:ListTasks")), Unknown);
    }

    #[test]
    fn a_container_that_aws_added_is_its_affair() {
        let agent = Container {
            name: "aws-guardduty-agent-k1".to_owned(),
            image: Some("593207742271.dkr.ecr.us-east-1.amazonaws.com/aws-guardduty-agent-fargate:v1".to_owned()),
            image_digest: Some(OTHER.to_owned()),
            ..Container::default()
        };
        let with_agent = fixture().shop().each::<Task>(|task| task.containers.push(agent.clone()));
        assert_eq!(outcome(&CHECK, with_agent), outcome(&CHECK, fixture().shop()));
    }
}
