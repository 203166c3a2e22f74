//! A registry over HTTP for tests: what each request is answered with flows in, what was asked flows out. It can lie,
//! never end, and hardly move.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::SERVICE;
use crate::replay::config;
use crate::session::http_client;
use crate::statistics::Statistics;
use crate::wire::Wire;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Status and text.
    Text(u16, String),
    /// An error of this code.
    Error(&'static str),
    /// So many bytes, of which few come.
    Announces(u64),
    /// Bytes without end.
    Endless,
    /// A byte now and then.
    Drip,
    /// Another place.
    Redirect(String),
}

type Rule = Arc<dyn Fn(&Value) -> Body + Send + Sync>;

/// A registry with images.
#[derive(Clone, Default)]
pub(super) struct Double {
    rules: Arc<Mutex<BTreeMap<String, Rule>>>,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

/// The digest of a text.
pub(super) fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// A manifest of an image with this configuration and one layer.
pub(super) fn manifest(config: &str) -> String {
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest("layer"), "size": 1_000_000_000_u64}],
    })
    .to_string()
}

impl Double {
    /// A registry with one repository `web`, without any policy, without images.
    pub(super) fn new() -> Self {
        Self::default()
            .json(
                "DescribeRepositories",
                json!({"repositories": [{"repositoryName": "web", "registryId": "111111111111",
                "repositoryArn": "arn:aws:ecr:eu-west-3:111111111111:repository/web", "createdAt": 1.7e9, "imageTagMutability": "MUTABLE",
                "imageScanningConfiguration": {"scanOnPush": true}, "encryptionConfiguration": {"encryptionType": "AES256"}}]}),
            )
            .json("GetRegistryScanningConfiguration", json!({"scanningConfiguration": {"scanType": "BASIC", "rules": []}}))
            .json(
                "BatchGetRepositoryScanningConfiguration",
                json!({"scanningConfigurations": [{"repositoryName": "web",
                "scanOnPush": true, "scanFrequency": "SCAN_ON_PUSH", "appliedScanFilters": []}], "failures": []}),
            )
            .error("GetRegistryPolicy", "RegistryPolicyNotFoundException")
            .error("GetSigningConfiguration", "SigningConfigurationNotFoundException")
            .json("DescribePullThroughCacheRules", json!({"pullThroughCacheRules": []}))
            .error("GetRepositoryPolicy", "RepositoryPolicyNotFoundException")
            .error("GetLifecyclePolicy", "LifecyclePolicyNotFoundException")
            .json("DescribeImages", json!({"imageDetails": []}))
            .error("DescribeImageScanFindings", "ScanNotFoundException")
            .json("ListImageReferrers", json!({"referrers": []}))
            .json("DescribeImageSigningStatus", json!({"signingStatuses": []}))
    }

    /// Answers an operation, or a download (`GET /DIGEST`), by its request.
    pub(super) fn on(self, request: &str, answer: impl Fn(&Value) -> Body + Send + Sync + 'static) -> Self {
        self.rules.lock().unwrap().insert(request.to_owned(), Arc::new(answer));
        self
    }

    /// Answers with JSON.
    pub(super) fn json(self, request: &str, answer: Value) -> Self {
        self.on(request, move |_| Body::Text(200, answer.to_string()))
    }

    /// Answers with an error.
    pub(super) fn error(self, request: &str, code: &'static str) -> Self {
        self.on(request, move |_| Body::Error(code))
    }

    /// Adds manifests, which BatchGetImage finds by their digests.
    pub(super) fn manifests(self, manifests: &[&str]) -> Self {
        let texts: BTreeMap<String, String> = manifests.iter().map(|text| (digest(text), (*text).to_owned())).collect();
        self.on("BatchGetImage", move |request| {
            let wanted = request["imageIds"][0]["imageDigest"].as_str().unwrap();
            Body::Text(
                200,
                match texts.get(wanted) {
                    Some(text) => json!({"images": [{"imageManifest": text, "imageId": {"imageDigest": wanted}}], "failures": []}),
                    None => json!({"images": [], "failures": [{"failureCode": "ImageNotFound", "failureReason": "no such image"}]}),
                }
                .to_string(),
            )
        })
    }

    /// Adds a configuration to download.
    pub(super) fn config(self, config: &str) -> Self {
        let text = config.to_owned();
        self.on(&format!("GET /{}", digest(config)), move |_| Body::Text(200, text.clone()))
    }

    /// What was asked so far.
    pub(super) fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }

    /// How often something was asked.
    pub(super) fn count(&self, request: &str) -> usize {
        self.requests().iter().filter(|(name, _)| name == request).count()
    }

    /// A client whose requests are answered here, as long as the test's runtime lives.
    pub(super) async fn wire(&self, attempt: Duration) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (double, address) = (self.clone(), endpoint.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(double.clone().converse(stream, address.clone()));
            }
        });
        let sdk = config(attempt).into_builder().endpoint_url(endpoint).http_client(http_client());
        Wire::new(&sdk.identity_cache(IdentityCache::lazy().build()).build(), &SERVICE, "eu-west-3", Statistics::default())
    }

    async fn converse(self, mut stream: TcpStream, endpoint: String) {
        let mut received = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap_or_default();
            received.extend_from_slice(&buffer[..read]);
            if read == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&received).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let header = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            };
            if body.len() < header("content-length").map_or(0, |length| length.parse().unwrap()) {
                continue;
            }
            let request: Value = serde_json::from_str(body).unwrap_or_default();
            let name = if let Some(target) = header("x-amz-target") {
                target.rsplit('.').next().unwrap().to_owned()
            } else {
                assert_eq!(header("authorization"), None, "a download must not be signed");
                head.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ")
            };
            self.requests.lock().unwrap().push((name.clone(), request.clone()));
            let rule = self.rules.lock().unwrap().get(&name).cloned();
            let answer = match rule {
                Some(rule) => rule(&request),
                // Presigned, as those of AWS are.
                None if name == "GetDownloadUrlForLayer" => {
                    let layer = request["layerDigest"].as_str().unwrap();
                    Body::Text(200, json!({"downloadUrl": format!("{endpoint}/{layer}?X-Amz-Signature=ab%2Fcd")}).to_string())
                }
                None => Body::Error("NoAnswerInTest"),
            };
            // The client may have had enough before the end.
            if send(&mut stream, answer).await.is_err() {
                return;
            }
            received.clear();
        }
    }
}

async fn send(stream: &mut TcpStream, answer: Body) -> std::io::Result<()> {
    let text = |status: u16, more: &str, text: &str| format!("HTTP/1.1 {status} X\r\n{more}content-length: {}\r\n\r\n{text}", text.len());
    match answer {
        Body::Text(status, body) => stream.write_all(text(status, "", &body).as_bytes()).await,
        Body::Error(code) => stream.write_all(text(400, "", &json!({"__type": code, "message": "in test"}).to_string()).as_bytes()).await,
        Body::Redirect(place) => stream.write_all(text(307, &format!("location: {place}\r\n"), "").as_bytes()).await,
        Body::Announces(length) => {
            stream.write_all(format!("HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await?;
            flood(stream).await
        }
        Body::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").await?;
            flood(stream).await
        }
        Body::Drip => {
            stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(b"{").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn flood(stream: &mut TcpStream) -> std::io::Result<()> {
    let block = vec![b'{'; 64 << 10];
    loop {
        stream.write_all(&block).await?;
    }
}
