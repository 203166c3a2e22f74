#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod double;

use std::time::{Duration, Instant};

use plimsoll_model::aws::ecr::{Image, ImageContents};
use plimsoll_model::aws::ecs;
use plimsoll_model::{Gap, Inventory, Seen};
use serde_json::{Value, json};

use self::double::{Body, Double, digest, manifest};
use super::{collect, contents};
use crate::api::Api;
use crate::cache::{Cache, Entries};

const HOST: &str = "111111111111.dkr.ecr.eu-west-3.amazonaws.com";
const SOON: Duration = Duration::from_secs(5);

fn config(change: &Value) -> String {
    let mut config = json!({"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05.678901234Z", "config": {"User": "app"},
        "history": [{"created": "2025-12-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:1 in / "}]});
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    config.to_string()
}

/// A Fargate task that runs an image of repository `web` by tag.
fn running(tag: &str, digest: &str) -> Inventory {
    let image = format!("{HOST}/web:{tag}");
    let mut inventory = Inventory::default();
    let definition: ecs::TaskDefinition =
        serde_json::from_value(json!({"taskDefinitionArn": "web:1", "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{"name": "web", "image": image}]}))
        .unwrap();
    let task: ecs::Task = serde_json::from_value(json!({"taskArn": "t1", "taskDefinitionArn": "web:1", "lastStatus": "RUNNING",
        "containers": [{"name": "web", "image": image, "imageDigest": digest}]}))
    .unwrap();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), task);
    inventory
}

fn detail(digest: &str, tags: &[&str], pushed: f64) -> Value {
    json!({"imageDigest": digest, "imageTags": tags, "imagePushedAt": pushed, "imageSizeInBytes": 12_345,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json", "artifactMediaType": "application/vnd.oci.image.config.v1+json"})
}

struct Read {
    images: Vec<Image>,
    inventory: Inventory,
    gaps: Vec<Gap>,
}

async fn read(double: &Double, containers: &Inventory) -> Read {
    read_within(double, containers, SOON).await
}

async fn read_within(double: &Double, containers: &Inventory, attempt: Duration) -> Read {
    let api = Api::in_test();
    let mut inventory = collect(&api, &double.wire(attempt).await, containers).await;
    inventory.sort();
    let images = inventory.container_images.iter().map(|image| image.data.clone()).collect();
    Read { images, inventory, gaps: api.take_gaps() }
}

impl Read {
    fn image(&self, digest: &str) -> &Image {
        self.images.iter().find(|image| image.image_digest == digest).unwrap()
    }
}

fn contents_of(image: &Image) -> &ImageContents {
    image.contents.known().unwrap()
}

/// A registry in which `web:1` runs, with this manifest and configuration.
fn web(manifest: &str, config: &str) -> Double {
    Double::new()
        .manifests(&[manifest])
        .config(config)
        .json("DescribeImages", json!({"imageDetails": [detail(&digest(manifest), &["1"], 1.7e9)]}))
}

#[tokio::test]
async fn a_running_image_is_read_with_its_configuration() {
    let config = config(&json!({"config": {"User": "app", "Env": ["PATH=/bin", "DB_PASSWORD=Tr0ub4dor&3"], "Entrypoint": ["/usr/bin/app"],
        "Labels": {"org.opencontainers.image.base.name": "docker.io/library/debian:12", "api_token": "Tr0ub4dor&3"}}}));
    let manifest = manifest(&config);
    let double = web(&manifest, &config);
    let found = read(&double, &running("1", &digest(&manifest))).await;
    assert_eq!(found.gaps, []);
    let image = found.image(&digest(&manifest));
    assert_eq!(image.image_arn, format!("arn:aws:ecr:eu-west-3:111111111111:repository/web/{}", digest(&manifest)));
    let detail = image.image_detail.known().unwrap().as_ref().unwrap();
    assert_eq!((detail.image_size_in_bytes, detail.image_pushed_at.unwrap().to_string().as_str()), (Some(12_345), "2023-11-14T22:13:20Z"));
    let contents = contents_of(image);
    assert_eq!((contents.layer_count, contents.layers_size), (Some(1), Some(1_000_000_000)));
    let config = contents.config.known().unwrap().as_ref().unwrap();
    assert_eq!((config.user.as_deref(), config.entrypoint.as_ref().unwrap().program.as_deref()), (Some("app"), Some("app")));
    assert_eq!(config.oldest_history.unwrap().to_string(), "2025-12-01T00:00:00Z");
    assert_eq!(config.env[1].looks_like.as_deref(), Some("named-secret"));
    assert_eq!(config.secrets_in_text[0].name, "config.Labels.api_token");
    assert_eq!(config.labels["org.opencontainers.image.base.name"], "docker.io/library/debian:12");
    let text = serde_json::to_string(image).unwrap();
    assert!(!text.contains("Tr0ub4dor") && !text.contains("/bin\""), "{text}");
    assert!(matches!(image.scan, Seen::Known(None)));
    assert_eq!(image.referrers.known().unwrap(), &[]);

    let repository = &found.inventory.repositories[0].data;
    assert!(matches!((&repository.policy, &repository.lifecycle_policy), (Seen::Known(None), Seen::Known(None))));
    assert_eq!(repository.scanning_configuration.known().unwrap().as_ref().unwrap().scan_frequency.as_deref(), Some("SCAN_ON_PUSH"));
    let images = repository.images.known().unwrap();
    assert_eq!((images.count, images.tags_in_use["1"].as_str()), (1, digest(&manifest).as_str()));
    let registry = &found.inventory.registries[0].data;
    assert!(matches!((&registry.policy, &registry.signing_configuration), (Seen::Known(None), Seen::Known(None))));
    assert_eq!(registry.scanning_configuration.known().unwrap().scan_type.as_deref(), Some("BASIC"));
    // Neither the layer nor its URL.
    assert_eq!(double.requests().iter().filter(|(name, request)| format!("{name}{request}").contains(&digest("layer"))).count(), 0);
    assert_eq!((double.count("DescribeImages"), double.count("BatchGetImage")), (1, 1));
}

#[tokio::test]
async fn a_registry_without_repositories_costs_one_call() {
    let double = Double::new().json("DescribeRepositories", json!({"repositories": []}));
    assert!(read(&double, &Inventory::default()).await.inventory.is_empty());
    assert_eq!(double.requests().len(), 1);
}

#[tokio::test]
async fn secrets_in_history_are_told_by_place_and_checksums_are_none() {
    let steps = [
        "ENV DB_PASSWORD=Tr0ub4dor&3",
        "RUN |1 NPM_TOKEN=kd93jfKD02kd83jfXYZ1 /bin/sh -c npm ci # buildkit",
        "/bin/sh -c #(nop)  ENV API_SECRET=kd93jfKD02kd83jfXYZ1",
        "ENV GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D",
        "ENV GPG_KEYS=AFD8691FDAEDF03BDF6E460563F15A9B715376CA 9D7F99A0CB8F05C8A6958D6256A97AF7600A39A6",
        "ENV PYTHON_SHA256=8d7e1b2d9e5e6c3d4f7c2a1b0e9f8d7c6b5a4938271605f4e3d2c1b0a9f8e7d6",
        "ENV REDIS_DOWNLOAD_SHA=5d2f6e1b8c7a4039f6e5d4c3b2a190807f6e5d4c3b2a19080f1e2d3c4b5a6978",
        "ENV NODE_VERSION=20.11.1",
        "/bin/sh -c set -x && NGINX_GPGKEYS=\"573BFD6B3D8FBC641079A6ABABF5BD827BD9BF62 8540A6F18833A80E9C1653A42FD21310B49F6B46\"",
        "COPY docker-entrypoint.sh /usr/local/bin/ # buildkit",
    ];
    let history: Vec<Value> = steps.iter().map(|step| json!({"created_by": step})).collect();
    let config = config(&json!({"history": history, "config": {"Env": ["GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D"]}}));
    let manifest = manifest(&config);
    let found = read(&web(&manifest, &config), &running("1", &digest(&manifest))).await;
    let config = contents_of(found.image(&digest(&manifest))).config.known().unwrap().clone().unwrap();
    let steps: Vec<&str> = config.secrets_in_text.iter().map(|found| found.name.split('.').next().unwrap()).collect();
    assert_eq!(steps, ["history[0]", "history[1]", "history[2]"], "{:?}", config.secrets_in_text);
    assert!(config.env.iter().all(|variable| variable.looks_like.is_none()), "{:?}", config.env);
}

#[tokio::test]
async fn of_an_index_the_platform_that_runs_is_read() {
    let (arm, amd) = (config(&json!({"architecture": "arm64"})), config(&json!({})));
    let (arm_manifest, amd_manifest) = (manifest(&arm), manifest(&amd));
    let entry = |text: &str, os: &str, architecture: &str| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(text), "size": text.len(), "platform": {"os": os, "architecture": architecture}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&arm_manifest, "linux", "arm64"), entry(&amd_manifest, "linux", "amd64"), entry("attestation", "unknown", "unknown")]})
    .to_string();
    let double = Double::new()
        .manifests(&[&index, &arm_manifest, &amd_manifest])
        .config(&arm)
        .config(&amd)
        .json("DescribeImages", json!({"imageDetails": [detail(&digest(&amd_manifest), &[], 1.7e9), detail(&digest(&arm_manifest), &[], 1.7e9),
            {"imageDigest": digest(&index), "imageTags": ["1"], "imagePushedAt": 1.7e9, "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"}]}));
    let mut containers = running("1", &digest(&index));
    let found = read(&double, &containers).await;
    assert_eq!(found.gaps, []);
    assert_eq!(contents_of(found.image(&digest(&index))).manifest_count, Some(3));
    assert!(found.images.iter().any(|image| image.image_digest == digest(&amd_manifest)));
    assert_eq!(found.images.len(), 2);
    assert_eq!(double.count("DescribeImageScanFindings"), 1);

    // On EC2 it may be any.
    containers.task_definitions[0].data.requires_compatibilities.clear();
    assert_eq!(read(&double, &containers).await.images.len(), 3);
}

#[tokio::test]
async fn what_was_pushed_later_under_a_tag_of_the_same_line_supersedes() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let own = digest(&manifest);
    let (newer, newest, other, signature) = (digest("b"), digest("c"), digest("d"), digest("e"));
    let sig = own.replace(':', "-") + ".sig";
    let listed = json!({"imageDetails": [detail(&own, &["1.2.3"], 1.70e9), detail(&newest, &["1.4.0"], 1.72e9), detail(&newer, &["1.3.0"], 1.71e9),
        detail(&other, &["2-slim"], 1.705e9), detail(&signature, &[&sig], 1.73e9)]});
    let double = web(&manifest, &config).json("DescribeImages", listed);
    let found = read(&double, &running("1.2.3", &own)).await;
    let image = found.image(&own);
    assert_eq!(image.superseded_by.known().unwrap().as_ref().unwrap().image_tag, "1.3.0");
    assert_eq!(image.signature_tags.known().unwrap(), &[sig]);
    let summary = found.inventory.repositories[0].data.images.known().unwrap();
    assert_eq!(summary.newest_image_digest.as_deref(), Some(newest.as_str()));
    assert_eq!(summary.count, 5);
}

#[tokio::test]
async fn an_image_that_is_gone_is_known_to_be() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let double = web(&manifest, &config);
    let found = read(&double, &running("1", &digest("gone"))).await;
    let gone = found.image(&digest("gone"));
    assert!(matches!(gone.image_detail, Seen::Known(None)));
    // The tag leads to another image now.
    assert!(found.image(&digest(&manifest)).image_detail.known().unwrap().is_some());
    assert_eq!(found.gaps, []);
}

#[tokio::test]
async fn findings_are_condensed_to_counts_and_examples() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let double = web(&manifest, &config).on("DescribeImageScanFindings", |request| {
        let first = request.get("nextToken").is_none();
        let finding = |severity: &str, status: &str, fix: &str| json!({"severity": severity, "status": status, "fixAvailable": fix, "exploitAvailable": "NO",
            "description": "long", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-1", "vulnerablePackages": [{"name": "openssl", "version": "3.0", "fixedInVersion": "3.1"}]}});
        let findings = if first { json!([finding("HIGH", "ACTIVE", "YES"), finding("HIGH", "SUPPRESSED", "YES"), finding("LOW", "ACTIVE", "NO")]) }
            else { json!([finding("CRITICAL", "ACTIVE", "NO"), finding("HIGH", "ACTIVE", "YES")]) };
        let mut answer = json!({"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": {"imageScanCompletedAt": 1.7e9,
            "findingSeverityCounts": {"HIGH": 3, "CRITICAL": 1, "LOW": 1}, "enhancedFindings": findings}});
        if first { answer["nextToken"] = json!("2"); }
        Body::Text(200, answer.to_string())
    });
    let found = read(&double, &running("1", &digest(&manifest))).await;
    let scan = found.image(&digest(&manifest)).scan.known().unwrap().clone().unwrap();
    let severe: Vec<_> =
        scan.severe.iter().map(|group| (group.severity.as_str(), group.fix_available.as_deref().unwrap(), group.count)).collect();
    assert_eq!(severe, [("CRITICAL", "NO", 1), ("HIGH", "YES", 2)]);
    assert_eq!(scan.severe[1].examples[0].fixed_in_version.as_deref(), Some("3.1"));
    assert!(scan.complete);
    assert!(!serde_json::to_string(&scan).unwrap().contains("long"));
}

#[tokio::test]
async fn refusals_are_gaps_of_their_image_and_repository() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    for operation in [
        "BatchGetImage",
        "GetDownloadUrlForLayer",
        "DescribeImages",
        "DescribeImageScanFindings",
        "ListImageReferrers",
        "DescribeImageSigningStatus",
        "GetRepositoryPolicy",
        "GetLifecyclePolicy",
    ] {
        let double = web(&manifest, &config).error(operation, "AccessDeniedException");
        let found = read(&double, &running("1", &digest(&manifest))).await;
        assert!(!found.gaps.is_empty(), "{operation}");
        for gap in found.gaps {
            assert_eq!((gap.operation, gap.code.as_str()), (format!("ecr:{operation}"), "AccessDeniedException"));
            assert!(gap.resource.unwrap().starts_with("arn:aws:ecr:eu-west-3:111111111111:repository/web"));
        }
    }
    for operation in [
        "DescribeRepositories",
        "GetRegistryScanningConfiguration",
        "BatchGetRepositoryScanningConfiguration",
        "GetRegistryPolicy",
        "GetSigningConfiguration",
        "DescribePullThroughCacheRules",
    ] {
        let double = web(&manifest, &config).error(operation, "AccessDeniedException");
        let gaps = read(&double, &running("1", &digest(&manifest))).await.gaps;
        assert_eq!(
            gaps.iter().map(|gap| (gap.operation.clone(), gap.resource.clone())).collect::<Vec<_>>(),
            [(format!("ecr:{operation}"), None)]
        );
    }
}

/// The code and message of the gap in place of the contents or of the configuration.
fn why(image: &Image) -> (String, String) {
    let gap = match image.contents.known() {
        Ok(contents) => contents.config.known().unwrap_err(),
        Err(gap) => gap,
    };
    (gap.code.clone(), gap.message.clone())
}

#[tokio::test]
async fn a_hostile_manifest_costs_neither_memory_nor_time() {
    let nested = format!(r#"{{"config": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"{{"config": "{}"}}"#, "x".repeat(5 << 20));
    let answer = |text: &str| Body::Text(200, json!({"images": [{"imageManifest": text}]}).to_string());
    for (name, body, says) in [
        ("announced", Body::Announces(1 << 30), "longer than"),
        ("endless", Body::Endless, "longer than"),
        ("nested", answer(&nested), "not one"),
        ("long", answer(&long), "longer than"),
        ("other", answer("{}"), "not what its digest stands for"),
        ("no manifest", Body::Text(200, json!({"images": []}).to_string()), "holds no manifest"),
    ] {
        let wanted = if name == "nested" { digest(&nested) } else { digest("a") };
        let double = Double::new().on("BatchGetImage", move |_| body.clone());
        let double = double.json("DescribeImages", json!({"imageDetails": [detail(&wanted, &["1"], 1.7e9)]}));
        let begin = Instant::now();
        let found = read(&double, &running("1", &wanted)).await;
        let (code, message) = why(found.image(&wanted));
        assert!(code == "MalformedResponse" && message.contains(says), "{name}: {code} {message}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{name}: {:?}", begin.elapsed());
        assert_eq!(double.count("BatchGetImage"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_hostile_configuration_costs_neither_memory_nor_time() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    for (name, body, code, says) in [
        ("announced", Body::Announces(1 << 30), "MalformedResponse", "longer than"),
        ("endless", Body::Endless, "MalformedResponse", "longer than"),
        ("other", Body::Text(200, "{}".to_owned()), "MalformedResponse", "not what its digest stands for"),
        ("redirect", Body::Redirect("http://169.254.169.254/latest/meta-data".to_owned()), "Http307", "307"),
        ("refused", Body::Text(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned()), "AccessDenied", "no"),
    ] {
        let double = web(&manifest, &config).on(&format!("GET /{}", digest(&config)), move |_| body.clone());
        let begin = Instant::now();
        let found = read(&double, &running("1", &digest(&manifest))).await;
        let (found_code, message) = why(found.image(&digest(&manifest)));
        assert!(found_code == code && message.contains(says), "{name}: {found_code} {message}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{name}: {:?}", begin.elapsed());
        assert_eq!(found.gaps[0].operation, "ecr:GetDownloadUrlForLayer");
    }
}

#[tokio::test]
async fn a_host_that_hardly_moves_is_left_and_ecr_is_read_on() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let double = web(&manifest, &config).on(&format!("GET /{}", digest(&config)), |_| Body::Drip);
    let begin = Instant::now();
    let found = read_within(&double, &running("1", &digest(&manifest)), Duration::from_millis(500)).await;
    assert_eq!(why(found.image(&digest(&manifest))).0, "Timeout");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(found.gaps.iter().all(|gap| gap.operation == "ecr:GetDownloadUrlForLayer"), "{:?}", found.gaps);
}

#[tokio::test]
async fn an_index_of_ten_thousand_entries_is_cut() {
    let entries: Vec<Value> = (0..10_000)
        .map(|number| json!({"digest": digest(&number.to_string()), "platform": {"os": "linux", "architecture": "amd64"}}))
        .collect();
    let index = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}).to_string();
    let double =
        Double::new().manifests(&[&index]).json("DescribeImages", json!({"imageDetails": [detail(&digest(&index), &["1"], 1.7e9)]}));
    let found = read(&double, &running("1", &digest(&index))).await;
    let contents = contents_of(found.image(&digest(&index)));
    assert_eq!((contents.manifest_count, contents.manifests.len()), (Some(10_000), 100));
    assert_eq!(double.count("BatchGetImage"), 21);
}

#[tokio::test]
async fn a_configuration_full_of_texts_is_judged_in_part_and_says_so() {
    let env: Vec<String> = (0..60_000).map(|number| format!("PASSWORD_{number}=Tr0ub4dor&{number}")).collect();
    let line = format!("RUN x {}", "TOKEN=kd93jfKD02kd83jfXYZ1 ".repeat(40_000));
    let config = config(&json!({"config": {"Env": env}, "history": [{"created_by": line}]}));
    let manifest = manifest(&config);
    let begin = Instant::now();
    let found = read(&web(&manifest, &config), &running("1", &digest(&manifest))).await;
    let config = contents_of(found.image(&digest(&manifest))).config.known().unwrap().clone().unwrap();
    assert!(config.truncated);
    assert_eq!((config.env.len(), config.secrets_in_text.len()), (500, 100));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_layer_is_never_fetched_even_when_it_is_named_as_configuration() {
    let manifest =
        json!({"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest("layer")},
        "layers": [{"digest": digest("layer"), "size": 10}]})
        .to_string();
    let double =
        Double::new().manifests(&[&manifest]).json("DescribeImages", json!({"imageDetails": [detail(&digest(&manifest), &["1"], 1.7e9)]}));
    let found = read(&double, &running("1", &digest(&manifest))).await;
    assert!(matches!(contents_of(found.image(&digest(&manifest))).config, Seen::Known(None)));
    assert_eq!(double.count("GetDownloadUrlForLayer"), 0);
    assert_eq!(contents::CONFIG_MEDIA_TYPES.len(), 2);
}

#[tokio::test]
async fn images_of_other_registries_are_not_asked_for() {
    let mut containers = running("1", "sha256:a");
    for image in ["nginx:1", "222222222222.dkr.ecr.eu-west-3.amazonaws.com/web:1", "111111111111.dkr.ecr.us-east-1.amazonaws.com/web:1"] {
        containers.task_definitions[0].data.container_definitions[0].image = image.to_owned();
        containers.tasks[0].data.containers[0].image = Some(image.to_owned());
        let double = Double::new();
        assert_eq!(read(&double, &containers).await.images, []);
        assert_eq!(double.count("BatchGetImage"), 0);
    }
}

#[tokio::test]
async fn a_scan_without_image_configs_fetches_no_content_and_says_so() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let double = web(&manifest, &config);
    let api = Api::in_test().with_image_configs(false);
    let found = collect(&api, &double.wire(SOON).await, &running("1", &digest(&manifest))).await;
    assert_eq!((double.count("BatchGetImage"), double.count("GetDownloadUrlForLayer")), (1, 0));
    let contents = found.container_images[0].data.contents.known().unwrap();
    let gap = contents.config.known().unwrap_err();
    assert_eq!((gap.operation.as_str(), gap.code.as_str()), ("ecr:GetDownloadUrlForLayer", "NotCollected"));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn what_an_image_says_of_itself_is_read_once_and_a_failure_is_asked_again() {
    let config = config(&json!({}));
    let manifest = manifest(&config);
    let folder = tempfile::tempdir().unwrap();
    let entries = || Entries::open(Some(&Cache::chosen(folder.path().join("cache"), 1 << 20)), None, None);
    let containers = running("1", &digest(&manifest));
    let refused = web(&manifest, &config).error("GetDownloadUrlForLayer", "AccessDeniedException");
    let api = Api::in_test().with_cache(entries());
    collect(&api, &refused.wire(SOON).await, &containers).await;
    assert_eq!(api.take_gaps().len(), 1);
    let double = web(&manifest, &config);
    let mut found = Vec::new();
    for times in [1, 1] {
        let api = Api::in_test().with_cache(entries());
        found.push(collect(&api, &double.wire(SOON).await, &containers).await.container_images);
        assert_eq!((double.count("BatchGetImage"), double.count("GetDownloadUrlForLayer")), (times, times));
        assert_eq!(api.take_gaps(), []);
    }
    assert_eq!(found[0], found[1]);
}
