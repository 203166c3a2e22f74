//! Tasks and task definitions flow in; the images of this registry that they name flow out, with the platforms that they
//! run on.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::aws::ecr::Platform;
use plimsoll_model::{ImageReference, Inventory};

use crate::api::Api;

/// What is in use of each repository, by its name.
pub(super) type InUse = BTreeMap<String, RepositoryUse>;

/// What is in use of one repository.
#[derive(Clone, Debug, Default)]
pub(super) struct RepositoryUse {
    /// Digests that tasks run or definitions name.
    pub(super) digests: BTreeMap<String, Platforms>,
    /// Tags by which tasks and definitions name images.
    pub(super) tags: BTreeMap<String, Platforms>,
    /// The digests that tasks run.
    pub(super) running: BTreeSet<String>,
}

/// The platforms of those who use an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Platforms {
    known: BTreeSet<Platform>,
    /// Whether somebody's platform is not known, so that it may be any.
    any: bool,
}

impl Platforms {
    /// The platforms; none, where it may be any.
    pub(super) fn wanted(&self) -> Vec<Platform> {
        if self.any { Vec::new() } else { self.known.iter().copied().collect() }
    }

    fn add(&mut self, platform: Option<Platform>) {
        self.any |= platform.is_none();
        self.known.extend(platform);
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.any |= other.any;
        self.known.extend(other.known.iter().copied());
    }
}

/// The images of this account's registry in this Region that tasks and task definitions name.
pub(super) fn find(api: &Api, inventory: &Inventory) -> InUse {
    let mut found = Finder { api, in_use: InUse::new() };
    let definitions = &inventory.task_definitions;
    let by_arn: BTreeMap<&str, _> = definitions.iter().map(|located| (located.data.task_definition_arn.as_str(), &located.data)).collect();
    for definition in definitions {
        let platform = Platform::of_definition(&definition.data);
        for container in &definition.data.container_definitions {
            found.add(&container.image, None, platform);
        }
    }
    for task in &inventory.tasks {
        let task = &task.data;
        let platform = Platform::of_task(task, by_arn.get(task.task_definition_arn.as_str()).copied());
        for container in &task.containers {
            if let Some(image) = &container.image {
                found.add(image, container.image_digest.as_deref(), platform);
            }
        }
    }
    found.in_use
}

struct Finder<'a> {
    api: &'a Api,
    in_use: InUse,
}

impl Finder<'_> {
    fn add(&mut self, image: &str, runs: Option<&str>, platform: Option<Platform>) {
        let Some(reference) = ImageReference::parse(image) else { return };
        let ours = reference
            .private_registry()
            .is_some_and(|registry| registry.account == self.api.account().as_str() && registry.region == self.api.region().as_str());
        if !ours {
            return;
        }
        let repository = entry(&mut self.in_use, reference.repository);
        if let Some(digest) = runs.or(reference.digest) {
            entry(&mut repository.digests, digest).add(platform);
        }
        if let Some(digest) = runs
            && !repository.running.contains(digest)
        {
            repository.running.insert(digest.to_owned());
        }
        // The digest decides where both are written.
        if reference.digest.is_none() {
            entry(&mut repository.tags, reference.tag.unwrap_or("latest")).add(platform);
        }
    }
}

/// The value under a name; thousands of tasks say the same one.
fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), V::default());
    }
    map.entry(name.to_owned()).or_default()
}
