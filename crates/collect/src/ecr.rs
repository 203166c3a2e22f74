//! Amazon ECR in one account and Region: its private registry, its repositories, and the images that tasks run or task
//! definitions name, with what these say of themselves.
//!
//! Calls: ecr:DescribeRepositories (1,000 at a time) where a cluster is or a task definition names a repository of this
//! registry; where there are any, ecr:GetRegistryScanningConfiguration, ecr:GetRegistryPolicy,
//! ecr:GetSigningConfiguration, ecr:DescribePullThroughCacheRules once, ecr:BatchGetRepositoryScanningConfiguration (25);
//! for each repository, up to [`MAX_REPOSITORIES`] beyond those in use, ecr:GetRepositoryPolicy and
//! ecr:GetLifecyclePolicy; for each repository in use and [`MAX_LISTED`] more ecr:DescribeImages (1,000 at a time, up to
//! [`IMAGE_PAGES`] pages). For each image in use, each part of an index that may run, and the newest image of each listed
//! repository: ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and the download of the configuration behind that URL,
//! ecr:DescribeImageScanFindings; for those that run ecr:ListImageReferrers and ecr:DescribeImageSigningStatus. Layers are
//! never fetched. Yields the registry, repositories and images.

mod contents;
mod in_use;
mod scan;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, join, stream};
use jiff::Timestamp;
use plimsoll_model::aws::ecr::{
    Image, ImageContents, ImageDetail, ImageReferrer, ImageSigningStatus, ImagesSummary, NewerImage, PullThroughCacheRule, Registry,
    RegistryScanningConfiguration, Repository, RepositoryScanningConfiguration, SigningConfiguration,
};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Gap, Inventory, Seen, partition_of};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation, Outcome};
use crate::ecr::in_use::{Platforms, RepositoryUse};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "ecr",
    id: "ECR",
    host: "api.ecr",
    fips_host: "ecr-fips",
    signing_name: "ecr",
    protocol: Protocol::Json("1.1", "AmazonEC2ContainerRegistry_V20150921"),
    reach: Reach::Regional,
};

macro_rules! operations {
    ($($constant:ident = $name:literal: $why:literal;)*) => {
        $(pub(crate) const $constant: Operation = Operation { service: "ecr", name: $name, permission: concat!("ecr:", $name), why: $why };)*

        /// Every operation that this collector calls.
        pub(crate) const OPERATIONS: &[Operation] = &[$($constant),*];
    };
}

operations! {
    DESCRIBE_REPOSITORIES = "DescribeRepositories": "repositories with their tag mutability and encryption";
    GET_REPOSITORY_POLICY = "GetRepositoryPolicy": "who else may pull from or push to a repository";
    GET_LIFECYCLE_POLICY = "GetLifecyclePolicy": "whether old images are removed";
    GET_REGISTRY_POLICY = "GetRegistryPolicy": "who else may replicate into the registry";
    GET_REGISTRY_SCANNING_CONFIGURATION = "GetRegistryScanningConfiguration": "whether scanning is basic or enhanced";
    BATCH_GET_REPOSITORY_SCANNING_CONFIGURATION = "BatchGetRepositoryScanningConfiguration": "when images of a repository are scanned";
    DESCRIBE_PULL_THROUGH_CACHE_RULES = "DescribePullThroughCacheRules": "which repositories mirror another registry";
    GET_SIGNING_CONFIGURATION = "GetSigningConfiguration": "whether ECR signs what is pushed";
    DESCRIBE_IMAGES = "DescribeImages": "tags, age and size of images";
    DESCRIBE_IMAGE_SCAN_FINDINGS = "DescribeImageScanFindings": "known flaws of images in use";
    LIST_IMAGE_REFERRERS = "ListImageReferrers": "signatures of running images";
    DESCRIBE_IMAGE_SIGNING_STATUS = "DescribeImageSigningStatus": "whether ECR signed a running image";
    BATCH_GET_IMAGE = "BatchGetImage": "manifests of images in use";
    GET_DOWNLOAD_URL_FOR_LAYER = "GetDownloadUrlForLayer": "configurations of images in use: user, and verdicts on secrets; no layer is fetched";
}

/// The largest page of DescribeRepositories, DescribeImages and DescribePullThroughCacheRules.
const PAGE: usize = 1000;
/// The largest batch of BatchGetRepositoryScanningConfiguration.
const SCANNING_BATCH: usize = 25;
/// The largest page of ListImageReferrers.
const REFERRERS_PAGE: usize = 50;
/// Repositories whose policies are read, beyond those in use.
const MAX_REPOSITORIES: usize = 1000;
/// Repositories whose images are listed, beyond those in use.
const MAX_LISTED: usize = 200;
/// Pages of a repository's images that are read.
const IMAGE_PAGES: usize = 5;
/// Images of an index that are looked into, when it is not known which of them runs.
const MAX_PLATFORMS: usize = 20;
/// Repositories that are worked on at a time; requests are bounded by [`Api`].
const REPOSITORIES_AT_ONCE: usize = 16;
/// Images of one repository that are worked on at a time.
const IMAGES_AT_ONCE: usize = 8;

macro_rules! answers {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        struct $name { $($field: $type),* }
    )*};
}

answers! {
    RepositoriesPage { repositories: Vec<Repository> }
    PolicyText { policy_text: Option<String> }
    LifecyclePolicyText { lifecycle_policy_text: Option<String> }
    RegistryScanning { scanning_configuration: Option<RegistryScanningConfiguration> }
    Signing { signing_configuration: Option<SigningConfiguration> }
    PullThroughCacheRulesPage { pull_through_cache_rules: Vec<PullThroughCacheRule> }
    RepositoriesScanning { scanning_configurations: Vec<RepositoryScanning>, failures: Vec<RepositoryFailure> }
    RepositoryFailure { repository_name: String, failure_code: Option<String>, failure_reason: Option<String> }
    ImagesPage { image_details: Vec<ListedImage> }
    ReferrersPage { referrers: Vec<ImageReferrer> }
    SigningStatuses { signing_statuses: Vec<ImageSigningStatus> }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct RepositoryScanning {
    repository_name: String,
    #[serde(flatten)]
    configuration: RepositoryScanningConfiguration,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ListedImage {
    image_digest: String,
    #[serde(flatten)]
    detail: ImageDetail,
}

/// What is asked about in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Depth {
    policies: bool,
    images: bool,
}

struct Ecr<'a> {
    api: &'a Api,
    wire: &'a Wire,
    /// The same client for manifests, which anybody who may push writes.
    manifests: Wire,
}

/// The images of one repository, as far as they were listed.
#[derive(Debug, Default)]
struct Listing {
    images: BTreeMap<String, ImageDetail>,
    /// Why those are not all.
    missing: Option<Gap>,
}

/// An image to look into.
#[derive(Clone, Debug, Default)]
struct Wanted {
    platforms: Platforms,
    runs: bool,
    /// Nothing uses it that is known; it is the newest of its repository.
    only_newest: bool,
}

/// Whether images of this registry are named at all.
pub(crate) fn names_images(api: &Api, inventory: &Inventory) -> bool {
    !in_use::find(api, inventory).is_empty()
}

/// Whether tasks run images of this registry.
pub(crate) fn runs_images(api: &Api, inventory: &Inventory) -> bool {
    in_use::find(api, inventory).values().any(|repository| !repository.running.is_empty())
}

/// The registry of the Region, its repositories and the images in use.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let in_use = in_use::find(api, containers);
    let ecr = Ecr { api, wire, manifests: wire.with_limit(contents::MANIFEST_ANSWER_LIMIT) };
    let mut found = Inventory::default();
    let repositories = ecr.repositories().await;
    if repositories.is_empty() && in_use.is_empty() {
        return found;
    }
    let runs = in_use.values().any(|repository| !repository.running.is_empty());
    let names: Vec<String> = repositories.iter().map(|repository| repository.repository_name.clone()).collect();
    let (registry, mut scanning) = join!(ecr.registry(runs), ecr.scanning(&names));
    found.push(api.account(), api.region(), registry);
    let (mut policies, mut listed) = (0, 0);
    let work: Vec<_> = repositories
        .into_iter()
        .map(|mut repository| {
            repository.scanning_configuration = scanning.remove(&repository.repository_name).unwrap_or_default();
            let used = in_use.get(&repository.repository_name);
            if used.is_none() {
                policies += 1;
                listed += 1;
            }
            let depth = Depth { policies: used.is_some() || policies <= MAX_REPOSITORIES, images: used.is_some() || listed <= MAX_LISTED };
            ecr.repository(repository, used, depth)
        })
        .collect();
    let mut read = stream::iter(work).buffer_unordered(REPOSITORIES_AT_ONCE);
    while let Some(part) = read.next().await {
        found.absorb(part);
    }
    found
}

impl Ecr<'_> {
    async fn repositories(&self) -> Vec<Repository> {
        let mut repositories = Vec::new();
        let ask = Ask::members(json!({"maxResults": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_REPOSITORIES, Token::NEXT, ask, |page: RepositoriesPage| {
            repositories.extend(page.repositories);
        });
        self.api.or_gap(listing.await);
        repositories
    }

    async fn registry(&self, runs: bool) -> Registry {
        let nothing = || Ask::members(json!({}));
        let scanning = async {
            let answer: RegistryScanning = self.wire.ask(self.api, &GET_REGISTRY_SCANNING_CONFIGURATION, nothing()).await?;
            Ok(answer.scanning_configuration.unwrap_or_default())
        };
        let policy = async {
            let answer = self.wire.ask::<PolicyText>(self.api, &GET_REGISTRY_POLICY, nothing()).await;
            let answer = answer.absent_on("RegistryPolicyNotFoundException")?;
            Ok(answer.and_then(|answer| answer.policy_text).as_deref().map(PolicyDocument::from_text))
        };
        let signing = async {
            if !runs {
                return Err(self.api.not_asked(&GET_SIGNING_CONFIGURATION, None, "no task runs an image of this registry"));
            }
            let answer = self.wire.ask::<Signing>(self.api, &GET_SIGNING_CONFIGURATION, nothing()).await;
            let answer = answer.absent_on("SigningConfigurationNotFoundException")?;
            Ok(answer.and_then(|answer| answer.signing_configuration))
        };
        let rules = async {
            let mut rules = Vec::new();
            let ask = Ask::members(json!({"maxResults": PAGE}));
            let listing =
                self.wire.pages(self.api, &DESCRIBE_PULL_THROUGH_CACHE_RULES, Token::NEXT, ask, |page: PullThroughCacheRulesPage| {
                    rules.extend(page.pull_through_cache_rules);
                });
            listing.await.map(|()| rules)
        };
        let (scanning, policy, signing, rules) = join!(scanning, policy, signing, rules);
        Registry {
            scanning_configuration: self.api.noted(scanning),
            policy: self.api.noted(policy),
            signing_configuration: self.api.noted(signing),
            pull_through_cache_rules: self.api.noted(rules),
        }
    }

    /// How the images of each repository are scanned, by name.
    async fn scanning(&self, names: &[String]) -> BTreeMap<String, Seen<Option<RepositoryScanningConfiguration>>> {
        let batches = names.chunks(SCANNING_BATCH).map(|batch| async move {
            let ask = Ask::members(json!({"repositoryNames": batch}));
            let answer: Result<RepositoriesScanning, Gap> =
                self.wire.ask(self.api, &BATCH_GET_REPOSITORY_SCANNING_CONFIGURATION, ask).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(gap) => {
                    self.api.gap(gap.clone());
                    return batch.iter().map(|name| (name.clone(), gap.clone().into())).collect::<Vec<_>>();
                }
            };
            let failures = answer.failures.into_iter().map(|failure| {
                let seen = match failure.failure_code.as_deref() {
                    Some("REPOSITORY_NOT_FOUND") => Seen::Known(None),
                    code => {
                        let reason = failure.failure_reason.as_deref().unwrap_or("ECR gave no reason");
                        let arn = self.repository_arn(&failure.repository_name);
                        let operation = &BATCH_GET_REPOSITORY_SCANNING_CONFIGURATION;
                        self.api.noted(Err(self.api.failed(operation, &arn, code.unwrap_or("Failure"), reason)))
                    }
                };
                (failure.repository_name, seen)
            });
            let read = answer.scanning_configurations.into_iter().map(|one| (one.repository_name, Seen::Known(Some(one.configuration))));
            read.chain(failures).collect()
        });
        let batches: Vec<_> = batches.collect();
        stream::iter(batches).buffer_unordered(REPOSITORIES_AT_ONCE).map(stream::iter).flatten().collect().await
    }

    async fn repository(&self, mut repository: Repository, used: Option<&RepositoryUse>, depth: Depth) -> Inventory {
        let name = repository.repository_name.clone();
        let arn = repository.repository_arn.clone();
        let (policy, lifecycle, images) = join!(
            self.repository_policy(&name, &arn, depth),
            self.lifecycle_policy(&name, &arn, depth),
            self.images(&name, &arn, used, depth)
        );
        let (summary, images) = images;
        repository.policy = self.api.noted(policy);
        repository.lifecycle_policy = self.api.noted(lifecycle);
        // Its gap was recorded where it came about.
        repository.images = summary;
        let mut found = Inventory::default();
        found.push(self.api.account(), self.api.region(), repository);
        for image in images {
            found.push(self.api.account(), self.api.region(), image);
        }
        found
    }

    async fn repository_policy(&self, name: &str, arn: &str, depth: Depth) -> Result<Option<PolicyDocument>, Gap> {
        self.policies(&GET_REPOSITORY_POLICY, arn, depth)?;
        let ask = Ask::members(json!({"repositoryName": name}));
        let answer = self.wire.ask_on::<PolicyText>(self.api, &GET_REPOSITORY_POLICY, arn, ask).await;
        let answer = answer.absent_on("RepositoryPolicyNotFoundException")?;
        Ok(answer.and_then(|answer| answer.policy_text).as_deref().map(PolicyDocument::from_text))
    }

    async fn lifecycle_policy(&self, name: &str, arn: &str, depth: Depth) -> Result<Option<Value>, Gap> {
        self.policies(&GET_LIFECYCLE_POLICY, arn, depth)?;
        let ask = Ask::members(json!({"repositoryName": name}));
        let answer = self.wire.ask_on::<LifecyclePolicyText>(self.api, &GET_LIFECYCLE_POLICY, arn, ask).await;
        let text = answer.absent_on("LifecyclePolicyNotFoundException")?.and_then(|answer| answer.lifecycle_policy_text);
        Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    fn policies(&self, operation: &'static Operation, arn: &str, depth: Depth) -> Result<(), Gap> {
        let why = "policies of so many repositories that nothing names are not read";
        if depth.policies { Ok(()) } else { Err(self.api.not_asked(operation, Some(arn), why)) }
    }

    /// The images of a repository that matter, with a summary of all.
    async fn images(&self, name: &str, arn: &str, used: Option<&RepositoryUse>, depth: Depth) -> (Seen<ImagesSummary>, Vec<Image>) {
        if !depth.images {
            let why = "images of so many repositories that nothing names are not listed";
            return (self.api.not_asked(&DESCRIBE_IMAGES, Some(arn), why).into(), Vec::new());
        }
        let listing = self.listing(name, arn).await;
        let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
        let mut tags_in_use = BTreeMap::new();
        let none = RepositoryUse::default();
        let used = used.unwrap_or(&none);
        for (digest, platforms) in &used.digests {
            let image = wanted.entry(digest.clone()).or_default();
            image.platforms.join(platforms);
            image.runs |= used.running.contains(digest);
        }
        for (digest, detail) in &listing.images {
            for tag in &detail.image_tags {
                if let Some(platforms) = used.tags.get(tag) {
                    tags_in_use.insert(tag.clone(), digest.clone());
                    wanted.entry(digest.clone()).or_default().platforms.join(platforms);
                }
            }
        }
        // A tag of a listing that was cut may stand behind the cut.
        let mut details = BTreeMap::new();
        if listing.is_cut() {
            let beyond: Vec<_> = used.tags.iter().filter(|(tag, _)| !tags_in_use.contains_key(*tag)).collect();
            for (tag, platforms) in beyond {
                let asked = self.api.or_gap(self.describe(name, arn, json!({"imageTag": tag})).await).flatten();
                if let Some(image) = asked {
                    tags_in_use.insert(tag.clone(), image.image_digest.clone());
                    wanted.entry(image.image_digest.clone()).or_default().platforms.join(platforms);
                    details.insert(image.image_digest, image.detail);
                }
            }
        }
        let newest = listing.newest();
        if let Some((digest, _)) = newest
            && !wanted.contains_key(digest)
        {
            wanted.insert(digest.to_owned(), Wanted { only_newest: true, ..Wanted::default() });
        }
        let summary = match &listing.missing {
            Some(gap) => gap.clone().into(),
            None => Seen::Known(ImagesSummary {
                count: listing.images.len() as u64,
                oldest_image_pushed_at: listing.images.values().filter_map(|detail| detail.image_pushed_at).min(),
                newest_image_digest: newest.map(|(digest, _)| digest.to_owned()),
                newest_image_pushed_at: newest.map(|(_, at)| at),
                tags_in_use,
            }),
        };
        let work: Vec<_> =
            wanted.iter().map(|(digest, wanted)| self.image(name, arn, digest, wanted, &listing, details.get(digest).cloned())).collect();
        let read: Vec<Vec<Image>> = stream::iter(work).buffer_unordered(IMAGES_AT_ONCE).collect().await;
        // A part of an index may be used by itself too; what was asked about it then is more.
        let mut images: BTreeMap<String, Image> = BTreeMap::new();
        for image in read.into_iter().flatten() {
            if !images.contains_key(&image.image_digest) || wanted.contains_key(&image.image_digest) && image.referrers.known().is_ok() {
                images.insert(image.image_digest.clone(), image);
            }
        }
        (summary, images.into_values().collect())
    }

    async fn listing(&self, name: &str, arn: &str) -> Listing {
        let mut images = BTreeMap::new();
        let ask = Ask::members(json!({"repositoryName": name, "maxResults": PAGE}));
        let pages = self.wire.pages_up_to(self.api, &DESCRIBE_IMAGES, Token::NEXT, IMAGE_PAGES, ask, |page: ImagesPage| {
            images.extend(page.image_details.into_iter().map(|image| (image.image_digest, image.detail)));
        });
        let missing = match pages.await {
            Ok(true) => None,
            Ok(false) => {
                let why = format!("only the first {} images of a repository are listed", IMAGE_PAGES * PAGE);
                Some(self.api.not_asked(&DESCRIBE_IMAGES, Some(arn), &why))
            }
            Err(gap) => {
                let gap = Gap { resource: Some(arn.to_owned()), ..gap };
                self.api.gap(gap.clone());
                Some(gap)
            }
        };
        Listing { images, missing }
    }

    /// Asks for one image; `None` when it is not in the repository.
    async fn describe(&self, name: &str, resource: &str, id: Value) -> Result<Option<ListedImage>, Gap> {
        let ask = Ask::members(json!({"repositoryName": name, "imageIds": [id]}));
        let answer = self.wire.ask_on::<ImagesPage>(self.api, &DESCRIBE_IMAGES, resource, ask).await;
        Ok(answer.absent_on("ImageNotFoundException")?.and_then(|page| page.image_details.into_iter().next()))
    }

    /// An image, and for an index the images in it that may run.
    async fn image(
        &self,
        name: &str,
        repository: &str,
        digest: &str,
        wanted: &Wanted,
        listing: &Listing,
        told: Option<ImageDetail>,
    ) -> Vec<Image> {
        let mut image = Image::of(name, repository, digest);
        let arn = image.image_arn.clone();
        image.image_detail = match (told.or_else(|| listing.images.get(digest).cloned()), &listing.missing) {
            (Some(detail), _) => Seen::Known(Some(detail)),
            (None, None) => Seen::Known(None),
            (None, Some(gap)) if !listing.is_cut() => gap.clone().into(),
            (None, Some(_)) => {
                let asked = self.describe(name, &arn, json!({"imageDigest": digest})).await;
                self.api.noted(asked.map(|image| image.map(|image| image.detail)))
            }
        };
        if matches!(image.image_detail, Seen::Known(None)) {
            image.scan = Seen::Known(None);
            (image.referrers, image.signing_statuses) = (Seen::Known(Vec::new()), Seen::Known(Vec::new()));
            image.signature_tags = listing.signature_tags(digest);
            image.contents = self.api.not_asked(&BATCH_GET_IMAGE, Some(&arn), "the image is not in the repository").into();
            image.superseded_by = Seen::Known(None);
            return vec![image];
        }
        let (contents, signatures) = join!(self.contents(name, digest, &arn), async {
            if wanted.runs {
                let (referrers, statuses) = join!(self.referrers(name, digest, &arn), self.signing_statuses(name, digest, &arn));
                (self.api.noted(referrers), self.api.noted(statuses))
            } else {
                let why = "nothing is known to run it";
                let gap = |operation| self.api.not_asked(operation, Some(&arn), why);
                (gap(&LIST_IMAGE_REFERRERS).into(), gap(&DESCRIBE_IMAGE_SIGNING_STATUS).into())
            }
        });
        (image.referrers, image.signing_statuses) = signatures;
        image.signature_tags = listing.signature_tags(digest);
        image.superseded_by = listing.superseded_by(digest);
        image.contents = self.api.noted(contents);

        let is_index = match image.contents.known() {
            Ok(contents) => contents.is_index(),
            Err(_) => image.image_detail.known().ok().and_then(Option::as_ref).is_some_and(ImageDetail::is_index),
        };
        let parts = match image.contents.known() {
            Ok(contents) => parts(contents, wanted),
            Err(_) => BTreeSet::new(),
        };
        if is_index {
            image.scan = self.api.not_asked(&DESCRIBE_IMAGE_SCAN_FINDINGS, Some(&arn), "an index is scanned by its images").into();
        } else {
            image.scan = self.api.noted(self.scan(name, digest, &arn).await);
        }
        let parts: Vec<_> = parts.into_iter().map(|part| self.part(name, repository, part, listing)).collect();
        let mut images: Vec<Image> = stream::iter(parts).buffer_unordered(IMAGES_AT_ONCE).collect().await;
        images.push(image);
        images
    }

    /// The image of one platform of an index.
    async fn part(&self, name: &str, repository: &str, digest: String, listing: &Listing) -> Image {
        let mut image = Image::of(name, repository, &digest);
        let arn = image.image_arn.clone();
        let (contents, scan) = join!(self.contents(name, &digest, &arn), self.scan(name, &digest, &arn));
        image.contents = self.api.noted(contents);
        image.scan = self.api.noted(scan);
        image.image_detail = match (listing.images.get(&digest), &listing.missing) {
            (Some(detail), _) => Seen::Known(Some(detail.clone())),
            (None, None) => Seen::Known(None),
            (None, Some(gap)) if !listing.is_cut() => gap.clone().into(),
            (None, Some(_)) => {
                let asked = self.describe(name, &arn, json!({"imageDigest": digest})).await;
                self.api.noted(asked.map(|image| image.map(|image| image.detail)))
            }
        };
        let gap = |operation| self.api.not_asked(operation, Some(&arn), "it is asked of the index");
        image.referrers = gap(&LIST_IMAGE_REFERRERS).into();
        image.signing_statuses = gap(&DESCRIBE_IMAGE_SIGNING_STATUS).into();
        image.signature_tags = listing.signature_tags(&digest);
        image.superseded_by = gap(&DESCRIBE_IMAGES).into();
        image
    }

    async fn referrers(&self, name: &str, digest: &str, arn: &str) -> Result<Vec<ImageReferrer>, Gap> {
        let mut referrers = Vec::new();
        let ask = json!({"repositoryName": name, "subjectId": {"imageDigest": digest}, "maxResults": REFERRERS_PAGE});
        let pages = self.wire.pages_up_to(self.api, &LIST_IMAGE_REFERRERS, Token::NEXT, IMAGE_PAGES, Ask::members(ask), |page| {
            let page: ReferrersPage = page;
            referrers.extend(page.referrers);
        });
        // A listing, but one of this image.
        let whole = pages.await.about(arn)?;
        if whole || !referrers.is_empty() {
            return Ok(referrers);
        }
        Err(self.api.not_asked(&LIST_IMAGE_REFERRERS, Some(arn), "it has too many referrers"))
    }

    async fn signing_statuses(&self, name: &str, digest: &str, arn: &str) -> Result<Vec<ImageSigningStatus>, Gap> {
        let ask = json!({"repositoryName": name, "imageId": {"imageDigest": digest}});
        let answer: SigningStatuses = self.wire.ask_on(self.api, &DESCRIBE_IMAGE_SIGNING_STATUS, arn, Ask::members(ask)).await?;
        Ok(answer.signing_statuses)
    }

    fn repository_arn(&self, name: &str) -> String {
        let (region, account) = (self.api.region(), self.api.account());
        format!("arn:{}:ecr:{region}:{account}:repository/{name}", partition_of(region.as_str()))
    }
}

/// The images of an index to look into: those that may run, and of the newest image that nothing runs the first.
fn parts(contents: &ImageContents, wanted: &Wanted) -> BTreeSet<String> {
    let platforms = wanted.platforms.wanted();
    let limit = if wanted.only_newest { 1 } else { MAX_PLATFORMS };
    contents.images_for(&platforms).take(limit).map(|part| part.digest.clone()).collect()
}

impl Listing {
    /// Whether it ended early, and did not fail: what is beyond can be asked for by itself.
    fn is_cut(&self) -> bool {
        self.missing.as_ref().is_some_and(|gap| gap.code == Gap::NOT_COLLECTED)
    }

    /// The container image that was pushed last.
    fn newest(&self) -> Option<(&str, Timestamp)> {
        let images = self.images.iter().filter(|(_, detail)| is_container_image(detail));
        let pushed = images.filter_map(|(digest, detail)| Some((detail.image_pushed_at?, !detail.image_tags.is_empty(), digest.as_str())));
        pushed.max().map(|(at, _, digest)| (digest, at))
    }

    /// The tags under which Cosign attached signatures to an image.
    fn signature_tags(&self, digest: &str) -> Seen<Vec<String>> {
        let tag = tags::signature(digest);
        let found = self.images.values().any(|detail| detail.image_tags.contains(&tag));
        match &self.missing {
            Some(gap) if !found => gap.clone().into(),
            _ => Seen::Known(found.then_some(tag).into_iter().collect()),
        }
    }

    /// The first image that was pushed after another under a tag of the same line.
    fn superseded_by(&self, digest: &str) -> Seen<Option<NewerImage>> {
        let Some((pushed, own)) = self.images.get(digest).and_then(|detail| Some((detail.image_pushed_at?, &detail.image_tags))) else {
            return self.missing.clone().map_or(Seen::Known(None), Seen::from);
        };
        let lines: BTreeSet<String> = own.iter().filter_map(|tag| tags::line(tag)).collect();
        let newer = self.images.iter().filter(|(other, detail)| *other != digest && is_container_image(detail));
        let newer =
            newer.filter_map(|(other, detail)| Some((detail.image_pushed_at.filter(|at| *at > pushed)?, other, &detail.image_tags)));
        let newer = newer.filter_map(|(at, other, tags)| {
            let tag = tags.iter().find(|tag| tags::line(tag).is_some_and(|line| lines.contains(&line)))?;
            Some((at, other, tag))
        });
        match (newer.min(), &self.missing) {
            (Some((image_pushed_at, other, tag)), _) => {
                Seen::Known(Some(NewerImage { image_digest: other.clone(), image_tag: tag.clone(), image_pushed_at }))
            }
            (None, Some(gap)) => gap.clone().into(),
            (None, None) => Seen::Known(None),
        }
    }
}

/// Whether it is an image that runs, and no signature, attestation, bill of materials or chart.
fn is_container_image(detail: &ImageDetail) -> bool {
    let artifact = detail.artifact_media_type.as_deref();
    artifact.is_none_or(|kind| contents::CONFIG_MEDIA_TYPES.contains(&kind))
        && detail.subject_manifest_digest.is_none()
        && !detail.image_tags.iter().any(|tag| tags::is_attachment(tag))
}
