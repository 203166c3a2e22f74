//! Container images: which image of a private registry a reference means, and who runs it. Tasks and task definitions
//! flow in; images with their users flow out, and what runs from elsewhere.

use std::collections::BTreeSet;

use plimsoll_model::aws::ecr::{Image, ImageConfig, ImageContents, ImageDetail, Platform, Registry, Repository};
use plimsoll_model::aws::ecs::{ContainerDefinition, Service, Task, TaskDefinition};
use plimsoll_model::{AccountId, Gap, ImageReference, Region, Resource, partition_of};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Missing, Node, Unknown};

/// Who runs images, and what runs of which no image was read.
#[derive(Debug, Default)]
pub(crate) struct ImageUses {
    /// By position of the image.
    users: FxHashMap<u32, ImageUsers>,
    elsewhere: Vec<ElsewhereUse>,
    /// In-scope definitions and tags by which they name images, by position of the repository.
    tagged: FxHashMap<u32, Vec<(u32, String)>>,
}

#[derive(Debug, Default)]
struct ImageUsers {
    tasks: Vec<u32>,
    platforms: BTreeSet<Platform>,
    any_platform: bool,
}

#[derive(Debug)]
struct ElsewhereUse {
    image: String,
    missing: Option<Missing>,
    tasks: Vec<u32>,
}

/// An image that runs, and that no registry in sight has.
#[derive(Clone, Copy)]
pub struct ElsewhereImage<'e> {
    estate: &'e Estate<'e>,
    used: &'e ElsewhereUse,
}

impl Estate<'_> {
    /// The registry of an account in a Region; none where ECR was not asked.
    pub fn registry(&self, account: &AccountId, region: &Region) -> Option<Node<'_, Registry>> {
        let position = self.relations.registries.get(&(account.clone(), region.clone()))?;
        self.at(*position)
    }

    /// The repository that a reference from this place names; `None` when it is in no private registry of Amazon ECR.
    pub fn repository(&self, account: &AccountId, region: &Region, image: &str) -> Option<Link<'_, Repository>> {
        let reference = ImageReference::parse(image)?;
        let arn = repository_arn(&reference)?;
        let link: Link<'_, Repository> = self.link(account, region, &arn);
        if let Link::Missing(Missing::NotFound { reference: arn }) = link {
            // That nobody listed the repositories there says nothing of this one.
            let registry = reference.private_registry()?;
            let (at_account, at_region) = (AccountId::new(registry.account), Region::new(registry.region));
            let here = at_account == *account && at_region == *region;
            if here || self.registry(&at_account, &at_region).is_some() {
                return Some(Link::Missing(Missing::NotFound { reference: arn }));
            }
            return Some(Link::Missing(not_read::<Repository>(&at_account, &at_region, arn)));
        }
        Some(link)
    }

    /// The image that a reference from this place means; `None` when it is in no private registry of Amazon ECR. A digest
    /// that is known to run counts more than the tag.
    pub fn container_image(&self, account: &AccountId, region: &Region, image: &str, digest: Option<&str>) -> Option<Link<'_, Image>> {
        let reference = ImageReference::parse(image)?;
        let repository = match self.repository(account, region, image)? {
            Link::Found(repository) => repository,
            Link::Missing(missing) => return Some(Link::Missing(missing)),
        };
        let digest = match digest.or(reference.digest) {
            Some(digest) => Ok(digest),
            None => digest_of_tag(repository, account, region, reference.tag.unwrap_or(LATEST), image),
        };
        let digest = match digest {
            Ok(digest) => digest,
            Err(missing) => return Some(Link::Missing(missing)),
        };
        let arn = Image::arn_of(&repository.data().repository_arn, digest);
        match self.link(account, region, &arn) {
            // Of those that are not in use in their own account and Region nothing was asked.
            Link::Missing(Missing::NotFound { reference }) => {
                Some(Link::Missing(not_read::<Image>(repository.account(), repository.region(), reference)))
            }
            link => Some(link),
        }
    }

    /// Images that run, in the order of the inventory.
    pub fn running_images(&self) -> impl Iterator<Item = Node<'_, Image>> {
        let uses = self.image_uses();
        self.all::<Image>().filter(|image| uses.users.contains_key(&image.index))
    }

    /// Images that run from other registries, and those of private registries that were not read.
    pub fn images_elsewhere(&self) -> impl Iterator<Item = ElsewhereImage<'_>> {
        self.image_uses().elsewhere.iter().map(|used| ElsewhereImage { estate: self, used })
    }

    fn image_uses(&self) -> &ImageUses {
        self.image_uses.get_or_init(|| self.find_image_uses())
    }

    fn find_image_uses(&self) -> ImageUses {
        let mut uses = ImageUses::default();
        self.find_running(&mut uses);
        self.find_tagged(&mut uses);
        uses
    }

    fn find_running(&self, found: &mut ImageUses) {
        // Thousands of tasks run the same image.
        let mut known: FxHashMap<Named<'_>, Result<u32, usize>> = FxHashMap::default();
        for task in self.running_tasks() {
            let definition = task.task_definition().found();
            let platform = Platform::of_task(task.data(), definition.map(|definition| definition.data()));
            for container in task.data().containers.iter().filter(|container| !container.is_added_by_aws()) {
                let Some(image) = container.image.as_deref() else { continue };
                let digest = container.image_digest.as_deref();
                let (account, region) = (task.account(), task.region());
                let place = known.entry((account, region, image, digest)).or_insert_with(|| {
                    let missing = match self.container_image(account, region, image, digest) {
                        Some(Link::Found(node)) => return Ok(node.index),
                        Some(Link::Missing(missing)) => Some(missing),
                        None => None,
                    };
                    found.elsewhere.push(ElsewhereUse { image: image.to_owned(), missing, tasks: Vec::new() });
                    Err(found.elsewhere.len() - 1)
                });
                let tasks = match *place {
                    Ok(position) => {
                        let users = found.users.entry(position).or_default();
                        users.any_platform |= platform.is_none();
                        users.platforms.extend(platform);
                        Some(&mut users.tasks)
                    }
                    Err(position) => found.elsewhere.get_mut(position).map(|used| &mut used.tasks),
                };
                if let Some(tasks) = tasks
                    && tasks.last() != Some(&task.index)
                {
                    tasks.push(task.index);
                }
            }
        }
    }

    fn find_tagged(&self, found: &mut ImageUses) {
        for definition in self.definitions_in_scope() {
            for container in &definition.data().container_definitions {
                let Some(reference) = ImageReference::parse(&container.image) else { continue };
                if reference.digest.is_some() {
                    continue;
                }
                let repository = repository_arn(&reference).and_then(|arn| self.ids.repositories.get(arn.as_str()));
                if let Some(position) = repository {
                    let tag = reference.tag.unwrap_or(LATEST).to_owned();
                    found.tagged.entry(*position).or_default().push((definition.index, tag));
                }
            }
        }
    }
}

/// The digest that a tag of a repository means for those who use it from this place.
fn digest_of_tag<'e>(
    repository: Node<'e, Repository>,
    account: &AccountId,
    region: &Region,
    tag: &str,
    image: &str,
) -> Result<&'e str, Missing> {
    let reference = image.to_owned();
    let images = match repository.data().images.known() {
        Ok(images) => images,
        Err(gap) => return Err(Missing::Unseen { reference, gap: gap.clone() }),
    };
    match images.tags_in_use.get(tag) {
        Some(digest) => Ok(digest),
        None if repository.account() == account && repository.region() == region => Err(Missing::NotFound { reference }),
        // Tags that another account or Region uses were not kept.
        None => Err(not_read::<Image>(repository.account(), repository.region(), reference)),
    }
}

/// An image as a task names it: the task's account and Region, the reference, and the digest that runs.
type Named<'e> = (&'e AccountId, &'e Region, &'e str, Option<&'e str>);

/// The tag that a reference without one means.
pub const LATEST: &str = "latest";

fn repository_arn(reference: &ImageReference<'_>) -> Option<String> {
    let registry = reference.private_registry()?;
    let partition = partition_of(registry.region);
    Some(format!("arn:{partition}:ecr:{}:{}:repository/{}", registry.region, registry.account, reference.repository))
}

/// Nobody asked, because nothing in its own account and Region uses it.
fn not_read<T: Resource>(account: &AccountId, region: &Region, reference: String) -> Missing {
    let gap = Gap {
        account: account.clone(),
        region: region.clone(),
        resource: Some(reference.clone()),
        message: "images are read for the tasks of their own account and Region".to_owned(),
        ..Gap::not_collected(T::OPERATION)
    };
    Missing::Unseen { reference, gap }
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let registries = estate.inventory().registries.iter().zip(0_u32..);
    estate.relations.registries = registries.map(|(one, position)| ((one.account.clone(), one.region.clone()), position)).collect();
}

impl<'e> ElsewhereImage<'e> {
    /// The reference as tasks write it.
    pub fn image(self) -> &'e str {
        &self.used.image
    }

    /// Why it was not read; `None` when no private registry of Amazon ECR is meant.
    pub fn missing(self) -> Option<&'e Missing> {
        self.used.missing.as_ref()
    }

    /// What stands in the way of a verdict on an image of a private registry; `None` for images from elsewhere.
    pub fn unknown(self) -> Option<Unknown> {
        Some(self.used.missing.clone()?.into_unknown::<Image>())
    }

    /// The tasks that run it; there is one at least.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(&self.used.tasks)
    }
}

impl<'e> Node<'e, Repository> {
    /// The in-scope definitions that name images of it by tag, each with the tag.
    pub fn named_by_tag(self) -> impl Iterator<Item = (Node<'e, TaskDefinition>, &'e str)> {
        let tagged = self.estate.image_uses().tagged.get(&self.index).into_iter().flatten();
        tagged.filter_map(|(definition, tag)| Some((self.estate.at(*definition)?, tag.as_str())))
    }

    /// Its newest container image; `None` when it holds none.
    pub fn newest_image(self) -> Result<Option<Node<'e, Image>>, Unknown> {
        let Some(digest) = &self.data().images.known()?.newest_image_digest else { return Ok(None) };
        let arn = Image::arn_of(&self.data().repository_arn, digest);
        let link: Link<'e, Image> = self.estate.link(self.account(), self.region(), &arn);
        link.known().map(Some)
    }
}

impl<'e> Node<'e, Image> {
    /// The repository that it is in.
    pub fn repository(self) -> Link<'e, Repository> {
        let arn = &self.data().image_arn;
        let repository = arn.strip_suffix(&self.data().image_digest).unwrap_or(arn).trim_end_matches('/');
        self.estate.link(self.account(), self.region(), repository)
    }

    /// What ECR says of it; `None` when it is not in the repository.
    pub fn detail(self) -> Result<Option<&'e ImageDetail>, Unknown> {
        Ok(self.data().image_detail.known()?.as_ref())
    }

    /// Whether a task runs it.
    pub fn is_running(self) -> bool {
        self.users().is_some()
    }

    /// The RUNNING tasks that run it.
    pub fn running_tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(self.users().map(|users| users.tasks.as_slice()).unwrap_or_default())
    }

    /// The services of these tasks, each once, in the order of the inventory.
    pub fn running_services(self) -> Vec<Node<'e, Service>> {
        let mut services: Vec<Node<'e, Service>> = self.running_tasks().filter_map(Node::<'e, Task>::service).collect();
        services.sort_by_key(|service| service.index);
        services.dedup();
        services
    }

    /// What it says of itself.
    pub fn contents(self) -> Result<&'e ImageContents, Unknown> {
        Ok(self.data().contents.known()?)
    }

    /// The images that run on behalf of it: itself, or of an index those of the platforms of its tasks, or one of them
    /// when no task runs it.
    pub fn platform_images(self) -> Result<Vec<Node<'e, Image>>, Unknown> {
        let Some(users) = self.users() else {
            // Of an index that nothing runs, one was read.
            let (read, unread): (Vec<_>, Vec<_>) = self.parts(&[])?.into_iter().partition(Result::is_ok);
            return read.into_iter().chain(unread).take(1).collect();
        };
        let platforms: Vec<Platform> = if users.any_platform { Vec::new() } else { users.platforms.iter().copied().collect() };
        self.parts(&platforms)?.into_iter().collect()
    }

    /// The images for a platform, for any when it is not known.
    pub fn images_on(self, platform: Option<Platform>) -> Result<Vec<Node<'e, Image>>, Unknown> {
        self.parts(platform.as_slice())?.into_iter().collect()
    }

    fn parts(self, platforms: &[Platform]) -> Result<Vec<Result<Node<'e, Image>, Unknown>>, Unknown> {
        let contents = match self.data().contents.known() {
            Ok(contents) => contents,
            // What kind of manifest it is, ECR tells too.
            Err(gap) if self.detail()?.is_none_or(ImageDetail::is_index) => return Err(gap.into()),
            Err(_) => return Ok(vec![Ok(self)]),
        };
        if !contents.is_index() {
            return Ok(vec![Ok(self)]);
        }
        let repository = self.data().image_arn.strip_suffix(&self.data().image_digest).unwrap_or_default().trim_end_matches('/');
        let parts = contents.images_for(platforms).map(|part| {
            let arn = Image::arn_of(repository, &part.digest);
            match self.estate.link::<Image>(self.account(), self.region(), &arn) {
                Link::Missing(Missing::NotFound { reference }) => {
                    Err(not_read::<Image>(self.account(), self.region(), reference).into_unknown::<Image>())
                }
                link => link.known(),
            }
        });
        Ok(parts.collect())
    }

    /// Its configuration; `None` for what has none, such as an index.
    pub fn config(self) -> Result<Option<&'e ImageConfig>, Unknown> {
        Ok(self.contents()?.config.known()?.as_ref())
    }

    fn users(self) -> Option<&'e ImageUsers> {
        self.estate.image_uses().users.get(&self.index)
    }
}

impl<'e> Node<'e, TaskDefinition> {
    /// The images that one of its containers runs, one for each platform that it may run on; `None` when they are in no
    /// private registry of Amazon ECR.
    pub fn images_of(self, container: &ContainerDefinition) -> Option<Result<Vec<Node<'e, Image>>, Unknown>> {
        let link = self.estate.container_image(self.account(), self.region(), &container.image, None)?;
        Some(link.known().and_then(|image| image.images_on(Platform::of_definition(self.data()))))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, REGION, fixture, image_reference};
    use plimsoll_model::aws::ecr::{Image, ImageContents, PlatformManifest};
    use plimsoll_model::aws::ecs::Task;
    use plimsoll_model::{AccountId, Region, Seen};

    use crate::{Estate, Link, Missing};

    fn place() -> (AccountId, Region) {
        (AccountId::new(ACCOUNT), Region::new(REGION))
    }

    #[test]
    fn a_reference_leads_to_the_image_or_says_why_not() {
        let inventory = fixture().shop().build();
        let estate = Estate::new(&inventory);
        let (account, region) = place();
        let at = |image: &str| estate.container_image(&account, &region, image, None);
        assert!(matches!(at(&image_reference("app")), Some(Link::Found(_))));
        let tagged = image_reference("app").split('@').next().unwrap().to_owned();
        assert!(matches!(at(&format!("{tagged}:1.0.0")), Some(Link::Found(_))));
        assert!(matches!(at(&format!("{tagged}:2")), Some(Link::Missing(Missing::NotFound { .. }))));
        assert!(matches!(at(&image_reference("other")), Some(Link::Missing(Missing::NotFound { .. }))));
        let foreign = image_reference("app").replace(ACCOUNT, "222222222222");
        assert!(matches!(at(&foreign), Some(Link::Missing(Missing::OutOfScope { .. }))));
        assert!(at("nginx:1.27").is_none());
    }

    #[test]
    fn what_another_region_uses_was_not_read() {
        let inventory = fixture().shop().region("eu-west-3").build();
        let estate = Estate::new(&inventory);
        let (account, _) = place();
        let elsewhere = |image: &str| match estate.container_image(&account, &Region::new("eu-west-3"), image, None) {
            Some(Link::Missing(Missing::Unseen { gap, .. })) => gap.code,
            other => format!("{other:?}"),
        };
        assert_eq!(elsewhere(&image_reference("app").replace(&"0".repeat(64), &"1".repeat(64))), "NotCollected");
    }

    #[test]
    fn an_index_runs_as_the_images_of_its_tasks_platforms() {
        let part = |digest: &str, architecture: &str| PlatformManifest {
            digest: digest.to_owned(),
            os: Some("linux".to_owned()),
            architecture: Some(architecture.to_owned()),
            ..Default::default()
        };
        let index = ImageContents {
            manifest_count: Some(2),
            manifests: vec![part("sha256:amd", "amd64"), part("sha256:arm", "arm64")],
            config: Seen::Known(None),
            ..Default::default()
        };
        let account = fixture().shop().each::<Image>(|image| image.contents = Seen::Known(index.clone()));
        let digests = |account: plimsoll_fixture::Fixture| {
            let inventory = account.build();
            let estate = Estate::new(&inventory);
            let image = estate.running_images().next().unwrap();
            image.platform_images().map(|images| images.into_iter().map(|image| image.image_digest.clone()).collect::<Vec<_>>())
        };
        assert!(digests(account.clone()).is_err());
        let account = account.image("app", |image| {
            image.image_arn = image.image_arn.replace(&image.image_digest, "sha256:amd");
            image.image_digest = "sha256:amd".to_owned();
        });
        assert_eq!(digests(account.clone()).unwrap(), ["sha256:amd"]);
        // On a host of unknown kind it may be the other, which was not read.
        let on_host = account.each::<Task>(|task| task.task_definition_arn = "gone".to_owned());
        assert!(digests(on_host).is_err());
    }
}
