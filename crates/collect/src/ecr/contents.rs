//! Repository and digest flow in; what the image says of itself flows out: manifest and configuration, their texts
//! replaced by verdicts.
//!
//! Both are checked against their digests and bounded in size and time. Layers are never fetched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_model::aws::ecr::{ImageConfig, ImageContents, PlatformManifest};
use plimsoll_model::{Gap, Seen};
use plimsoll_secrets::Detector;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{BATCH_GET_IMAGE, Ecr, GET_DOWNLOAD_URL_FOR_LAYER};
use crate::api::Operation;
use crate::cache::Kind;
use crate::failure::Failure;
use crate::screen::{self, Screen};
use crate::wire::Ask;

/// Manifest and configuration of a digest, on disk between scans.
const CONTENTS: Kind = Kind { operation: "ecr:BatchGetImage", lifetime: None };
/// Bytes that a manifest may have: ECR's own limit.
const MANIFEST_LIMIT: usize = 4 << 20;
/// Bytes that the answer with one manifest may have: it is escaped there.
pub(super) const MANIFEST_ANSWER_LIMIT: u64 = 12 << 20;
/// Bytes that the configuration of an image may have.
const CONFIG_LIMIT: u64 = 4 << 20;
/// Entries of an index that are kept.
const MAX_PLATFORMS: usize = 100;
/// Variables, labels, words and steps of each kind that are judged; images that people build have a few dozen.
const MAX_TEXTS: usize = 500;
/// Bytes of one text that are judged.
const MAX_TEXT: usize = 64 << 10;
/// Secrets that are told.
const MAX_FOUND: usize = 100;
/// Characters of names that are kept.
const MAX_NAME: usize = 512;

/// The manifests that are read; a signed manifest of Docker's first schema has another digest than its text.
const ACCEPTED_MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Configurations of containers; others belong to signatures, charts and the like.
pub(super) const CONFIG_MEDIA_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// What an image says that it is built on.
const BASE_KEYS: [&str; 2] = ["org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FetchedImages {
    images: Vec<FetchedImage>,
    failures: Vec<ImageFailure>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FetchedImage {
    image_manifest: Option<String>,
    image_manifest_media_type: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ImageFailure {
    failure_code: Option<String>,
    failure_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct DownloadUrl {
    download_url: Option<String>,
}

/// A manifest or an index, of the Open Container Initiative or of Docker.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Descriptor {
    media_type: Option<String>,
    digest: String,
    size: Option<u64>,
    platform: Option<PlatformDocument>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PlatformDocument {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

/// The configuration of an image. Null and absent are the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigDocument {
    created: Option<Value>,
    os: Option<String>,
    architecture: Option<String>,
    config: Option<ContainerDocument>,
    history: Option<Vec<HistoryDocument>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerDocument {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    labels: Option<BTreeMap<String, Value>>,
    healthcheck: Option<HealthcheckDocument>,
    on_build: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthcheckDocument {
    test: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryDocument {
    created: Option<Value>,
    created_by: Option<String>,
    comment: Option<String>,
}

impl Ecr<'_> {
    /// Everything that an image says of itself. It never changes for a digest, and so is the one thing here that need not
    /// be read twice.
    pub(super) async fn contents(&self, repository: &str, digest: &str, image: &str) -> Result<ImageContents, Gap> {
        if let Some(kept) = self.api.cache().get(&CONTENTS, image).await {
            return Ok(kept);
        }
        let contents = self.read_contents(repository, digest, image).await?;
        // A configuration that could not be read may be another time.
        if contents.config.known().is_ok() {
            self.api.cache().put(&CONTENTS, image, &contents).await;
        }
        Ok(contents)
    }

    async fn read_contents(&self, repository: &str, digest: &str, image: &str) -> Result<ImageContents, Gap> {
        let manifest = self.manifest(repository, digest, image).await?;
        let document: Document = serde_json::from_str(&manifest.text).map_err(|error| {
            self.malformed(&BATCH_GET_IMAGE, image, &format!("the manifest of {digest} is not one: {}", without_text(&error)))
        })?;
        let media_type = document.media_type.or(manifest.media_type);
        let mut contents = ImageContents {
            media_type: media_type.map(short),
            artifact_type: document.artifact_type.map(short),
            subject: document.subject.map(|subject| short(subject.digest)),
            annotations: base(self.detector(), document.annotations.into_iter().flatten()),
            config: Seen::Known(None),
            ..ImageContents::default()
        };
        match (document.manifests, document.config) {
            (Some(manifests), _) => {
                contents.manifest_count = Some(manifests.len() as u64);
                contents.manifests = manifests.into_iter().take(MAX_PLATFORMS).map(platform_manifest).collect();
            }
            (None, Some(config)) => {
                let layers = document.layers.unwrap_or_default();
                contents.layer_count = Some(layers.len() as u64);
                contents.layers_size = layers.iter().try_fold(0_u64, |sum, layer| sum.checked_add(layer.size?));
                if !config.media_type.as_deref().is_some_and(|kind| CONFIG_MEDIA_TYPES.contains(&kind)) {
                    return Ok(contents);
                }
                if self.api.image_configs() {
                    let config = self.config(repository, &config, image).await;
                    if let Err(gap) = &config {
                        self.api.gap(gap.clone());
                    }
                    contents.config = config.map(Some).map_or_else(Seen::from, Seen::Known);
                } else {
                    contents.config = Gap::not_collected(&GET_DOWNLOAD_URL_FOR_LAYER.id()).into();
                }
            }
            (None, None) => {
                let what = format!("the manifest of {digest} names neither a configuration nor manifests");
                return Err(self.malformed(&BATCH_GET_IMAGE, image, &what));
            }
        }
        Ok(contents)
    }

    async fn manifest(&self, repository: &str, digest: &str, image: &str) -> Result<Manifest, Gap> {
        let ask = json!({
            "repositoryName": repository,
            "imageIds": [{"imageDigest": digest}],
            "acceptedMediaTypes": ACCEPTED_MEDIA_TYPES,
        });
        let answer: FetchedImages = self.manifests.ask_on(self.api, &BATCH_GET_IMAGE, image, Ask::members(ask)).await?;
        if let Some(failure) = answer.failures.into_iter().next() {
            let code = failure.failure_code.as_deref().unwrap_or(Failure::MALFORMED_RESPONSE);
            let reason = failure.failure_reason.unwrap_or_else(|| "ECR gave no reason".to_owned());
            return Err(self.api.failed(&BATCH_GET_IMAGE, image, code, &reason));
        }
        let fetched = answer.images.into_iter().next().unwrap_or_default();
        let Some(text) = fetched.image_manifest else {
            return Err(self.malformed(&BATCH_GET_IMAGE, image, "the answer holds no manifest"));
        };
        if text.len() > MANIFEST_LIMIT {
            return Err(self.malformed(&BATCH_GET_IMAGE, image, &format!("the manifest is longer than {MANIFEST_LIMIT} bytes")));
        }
        self.verify(&BATCH_GET_IMAGE, image, "manifest", digest, text.as_bytes())?;
        Ok(Manifest { text, media_type: fetched.image_manifest_media_type })
    }

    async fn config(&self, repository: &str, descriptor: &Descriptor, image: &str) -> Result<ImageConfig, Gap> {
        const OPERATION: &Operation = &GET_DOWNLOAD_URL_FOR_LAYER;
        if descriptor.size.is_some_and(|size| size > CONFIG_LIMIT) {
            return Err(self.malformed(OPERATION, image, &format!("the configuration is longer than {CONFIG_LIMIT} bytes")));
        }
        let ask = json!({"repositoryName": repository, "layerDigest": descriptor.digest});
        let answer: DownloadUrl = self.wire.ask_on(self.api, OPERATION, image, Ask::members(ask)).await?;
        let Some(url) = answer.download_url else {
            return Err(self.malformed(OPERATION, image, "the answer holds no URL"));
        };
        let bytes = self.wire.download(self.api, OPERATION, image, &url, CONFIG_LIMIT).await?;
        self.verify(OPERATION, image, "configuration", &descriptor.digest, &bytes)?;
        let document = serde_json::from_slice(&bytes)
            .map_err(|error| self.malformed(OPERATION, image, &format!("the configuration is not one: {}", without_text(&error))))?;
        Ok(image_config(self.detector(), document))
    }

    /// What was fetched must be what the digest stands for, else somebody between has changed it.
    fn verify(&self, operation: &Operation, image: &str, what: &str, digest: &str, bytes: &[u8]) -> Result<(), Gap> {
        let Some(expected) = digest.strip_prefix("sha256:") else {
            return Err(self.malformed(operation, image, &format!("the digest of the {what} is not SHA-256")));
        };
        let found = Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if found == expected {
            return Ok(());
        }
        Err(self.malformed(operation, image, &format!("the {what} is not what its digest stands for")))
    }

    fn malformed(&self, operation: &Operation, image: &str, why: &str) -> Gap {
        self.api.failed(operation, image, Failure::MALFORMED_RESPONSE, why)
    }

    fn detector(&self) -> &Detector {
        self.api.detector()
    }
}

struct Manifest {
    text: String,
    media_type: Option<String>,
}

/// Where JSON is wrong, and not what stands there.
fn without_text(error: &serde_json::Error) -> String {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}

fn short(text: String) -> String {
    match text.char_indices().nth(MAX_NAME) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

fn platform_manifest(from: Descriptor) -> PlatformManifest {
    let platform = from.platform.unwrap_or_default();
    PlatformManifest {
        digest: short(from.digest),
        media_type: from.media_type.map(short),
        os: platform.os.map(short),
        architecture: platform.architecture.map(short),
        variant: platform.variant.map(short),
    }
}

/// What an image says that it is built on.
fn base(detector: &Detector, texts: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    texts
        .filter(|(key, _)| BASE_KEYS.contains(&key.as_str()))
        .map(|(key, value)| {
            let value = short(screen::tag_value(detector, &key, value));
            (key, value)
        })
        .collect()
}

fn image_config(detector: &Detector, from: ConfigDocument) -> ImageConfig {
    let mut cut = Cut::default();
    let container = from.config.unwrap_or_default();
    let mut screen = Screen::new(detector);
    let entrypoint = cut.texts(container.entrypoint);
    let cmd = cut.texts(container.cmd);
    screen.words("config.Entrypoint", &entrypoint);
    screen.words("config.Cmd", &cmd);
    screen.words("config.Healthcheck.Test", &cut.texts(container.healthcheck.and_then(|check| check.test)));
    for (index, line) in cut.texts(container.on_build).iter().enumerate() {
        screen.line(&format!("config.OnBuild[{index}]"), line);
    }
    let labels = container.labels.into_iter().flatten();
    let labels: Vec<(String, String)> = labels.filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    let labels = cut.list(labels);
    for (key, value) in &labels {
        screen.named(&format!("config.Labels.{}", short(key.clone())), key, cut.text(value));
    }
    let history = from.history.unwrap_or_default();
    let (history_count, oldest_history) = (history.len() as u64, history.first().and_then(|step| instant(step.created.as_ref())));
    for (index, step) in cut.list(history).iter().enumerate() {
        for (name, text) in [("created_by", &step.created_by), ("comment", &step.comment)] {
            screen.line(&format!("history[{index}].{name}"), cut.text(text.as_deref().unwrap_or_default()));
        }
    }
    let env: Vec<(String, String)> = cut.texts(container.env).iter().map(|variable| pair(variable)).collect();
    let user = container.user.filter(|user| !user.is_empty());
    let secrets_in_text = screen.found();
    ImageConfig {
        created: instant(from.created.as_ref()),
        os: from.os.map(short),
        architecture: from.architecture.map(short),
        user: user.map(|user| short(screen::tag_value(detector, "User", user))),
        env: screen::environment(detector, &env),
        entrypoint: (!entrypoint.is_empty()).then(|| screen::shape(detector, &[], &entrypoint)),
        cmd: (!cmd.is_empty()).then(|| screen::shape(detector, &entrypoint, &cmd)),
        labels: base(detector, labels.into_iter()),
        history_count,
        oldest_history,
        truncated: cut.any,
        secrets_in_text: secrets_in_text.into_iter().take(MAX_FOUND).collect(),
    }
}

/// Leaves out what goes beyond all measure, and remembers that it did.
#[derive(Debug, Default)]
struct Cut {
    any: bool,
}

impl Cut {
    fn list<T>(&mut self, mut list: Vec<T>) -> Vec<T> {
        self.any |= list.len() > MAX_TEXTS;
        list.truncate(MAX_TEXTS);
        list
    }

    fn texts(&mut self, list: Option<Vec<String>>) -> Vec<String> {
        let list = self.list(list.unwrap_or_default());
        list.into_iter().map(|text| if text.len() > MAX_TEXT { self.text(&text).to_owned() } else { text }).collect()
    }

    fn text<'t>(&mut self, text: &'t str) -> &'t str {
        if text.len() <= MAX_TEXT {
            return text;
        }
        self.any = true;
        text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
    }
}

fn pair(variable: &str) -> (String, String) {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (name.to_owned(), value.to_owned())
}

/// An instant as builders write it; one that cannot be read is none.
fn instant(from: Option<&Value>) -> Option<Timestamp> {
    from?.as_str()?.parse().ok()
}
