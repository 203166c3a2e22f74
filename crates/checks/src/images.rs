//! Readings of container images that several checks share.

use std::collections::BTreeMap;

use plimsoll_graph::{ElsewhereImage, Estate, Node};
use plimsoll_model::aws::ecr::{Image, Repository};
use plimsoll_model::aws::ecs::{ContainerDefinition, Service, Task, TaskDefinition};
use plimsoll_model::{Arn, ImageReference, Resource, ResourceRef, partition_of};
use serde_json::{Value, json};

use crate::check::Judgement;
use crate::engine::Verdicts;
use crate::reading::{listed, undecided};

/// Services and tasks that are named in evidence.
const SHOWN: usize = 10;
/// Characters of a digest that tell it apart for people.
const SHORT_DIGEST: usize = 19;

/// Judges each image that runs. What runs from a private registry and was not read is unknown.
pub(crate) fn each_running<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>, judge: impl Fn(Node<'e, Image>) -> Judgement) {
    for image in estate.running_images() {
        verdicts.judge(image, judge(image));
    }
    for (reference, image) in elsewhere(estate) {
        if let Some(unknown) = image.unknown() {
            verdicts.judge_reference(reference, Err(unknown));
        }
    }
}

/// Judges each image that runs and the newest image of each other repository.
pub(crate) fn each_running_and_newest<'e>(
    estate: &'e Estate<'e>,
    verdicts: &mut Verdicts<'e>,
    judge: impl Fn(Node<'e, Image>) -> Judgement,
) {
    each_running(estate, verdicts, &judge);
    for repository in estate.all::<Repository>() {
        match repository.newest_image() {
            // A running one was judged above.
            Ok(Some(image)) if !image.is_running() => verdicts.judge(image, judge(image)),
            Ok(_) => {}
            Err(unknown) => verdicts.judge(repository, Err(unknown)),
        }
    }
}

/// What runs and was read in no registry, each once, with how findings refer to it.
pub(crate) fn elsewhere<'e>(estate: &'e Estate<'e>) -> impl Iterator<Item = (ResourceRef, ElsewhereImage<'e>)> {
    let mut found: BTreeMap<String, (ResourceRef, ElsewhereImage<'e>)> = BTreeMap::new();
    for image in estate.images_elsewhere() {
        let Some(task) = image.tasks().next() else { continue };
        let (account, region) = (task.account().clone(), task.region().clone());
        let arn = format!("arn:{}:ecr:{region}:{account}:image/{}", partition_of(region.as_str()), image.image());
        let name = image.image().to_owned();
        let reference = ResourceRef { arn: arn.clone(), kind: Image::TYPE.into(), account, region, name, tags: BTreeMap::new() };
        found.entry(arn).or_insert((reference, image));
    }
    found.into_values()
}

/// An image as people name it: `shop/web:1.2`, or `shop/web@sha256:0123456789ab` when it has no tag.
pub(crate) fn told(image: Node<'_, Image>) -> String {
    let name = &image.data().repository_name;
    let tag = image.data().image_detail.known().ok().and_then(Option::as_ref).and_then(|detail| detail.image_tags.first());
    match tag {
        Some(tag) => format!("{name}:{tag}"),
        None => format!("{name}@{}", short(&image.data().image_digest)),
    }
}

/// The beginning of a digest.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

/// The services and tasks that run an image, for evidence: at most ten of each, with the count.
pub(crate) fn runners(image: Node<'_, Image>) -> Value {
    runners_of(image.running_services().into_iter(), image.running_tasks())
}

/// The same for an image that was not read.
pub(crate) fn runners_elsewhere(image: ElsewhereImage<'_>) -> Value {
    let mut services: Vec<Node<'_, Service>> = image.tasks().filter_map(Node::<'_, Task>::service).collect();
    services.sort_by_key(Node::index);
    services.dedup();
    runners_of(services.into_iter(), image.tasks())
}

fn runners_of<'e>(services: impl Iterator<Item = Node<'e, Service>>, tasks: impl Iterator<Item = Node<'e, Task>>) -> Value {
    let services: Vec<&str> = services.map(|service| service.data().service_arn.as_str()).collect();
    let tasks: Vec<&str> = tasks.map(|task| task.data().task_arn.as_str()).collect();
    json!({
        "services": services.get(..SHOWN).unwrap_or(&services),
        "serviceCount": services.len(),
        "tasks": tasks.get(..SHOWN).unwrap_or(&tasks),
        "taskCount": tasks.len(),
    })
}

/// The services that run an image, in words; else how many tasks do.
pub(crate) fn run_by(image: Node<'_, Image>) -> String {
    let services = image.running_services();
    let names: Vec<&str> =
        services.iter().map(|service| Arn::parse(&service.data().service_arn).map_or(service.name(), |arn| arn.name())).collect();
    match image.running_tasks().count() {
        _ if !names.is_empty() => format!("run by {}", listed(&names)),
        0 => "not run".to_owned(),
        1 => "run by one task".to_owned(),
        count => format!("run by {count} tasks"),
    }
}

/// What stands in the way of a verdict on an image that ECR does not have.
pub(crate) fn gone(image: Node<'_, Image>) -> plimsoll_graph::Unknown {
    undecided(image, "ecr:DescribeImages", "ImageNotFoundException", "the image is not in the repository any more")
}

/// The tag that a reference names, `latest` when it names none; `None` when its digest decides.
pub(crate) fn tag_in_force<'r>(reference: &ImageReference<'r>) -> Option<&'r str> {
    if reference.digest.is_some() { None } else { Some(reference.tag.unwrap_or(plimsoll_graph::LATEST)) }
}

/// Whether ECR refuses to move a tag of a repository; `None` when it tells nothing.
pub(crate) fn is_tag_immutable(repository: &Repository, tag: &str) -> Option<bool> {
    let excluded =
        || repository.image_tag_mutability_exclusion_filters.iter().any(|one| plimsoll_model::policy::wildcard_match(&one.filter, tag));
    match repository.image_tag_mutability.as_deref()? {
        "IMMUTABLE" => Some(true),
        "IMMUTABLE_WITH_EXCLUSION" => Some(!excluded()),
        "MUTABLE_WITH_EXCLUSION" => Some(excluded()),
        _ => Some(false),
    }
}

/// The user that an image sets.
pub(crate) enum ImageUser<'e> {
    /// Root, by name or because it sets none.
    Root(Option<&'e str>),
    Other,
    /// No registry that is read has the image, or it could not be read.
    Unknown,
}

/// `root`, `0`, `root:wheel`, `0:0`, and no user at all.
pub(crate) fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or(user).trim();
    name.is_empty() || name == "root" || name.parse::<u64>() == Ok(0)
}

/// The user that the images of a container name, where its definition names none.
pub(crate) fn image_user<'e>(definition: Node<'e, TaskDefinition>, container: &ContainerDefinition) -> ImageUser<'e> {
    let Some(Ok(images)) = definition.images_of(container) else { return ImageUser::Unknown };
    let mut found = if images.is_empty() { ImageUser::Unknown } else { ImageUser::Other };
    for image in images {
        match image.config() {
            Ok(Some(config)) if config.user.as_deref().is_none_or(is_root) => return ImageUser::Root(config.user.as_deref()),
            Ok(Some(_)) => {}
            _ => found = ImageUser::Unknown,
        }
    }
    found
}
