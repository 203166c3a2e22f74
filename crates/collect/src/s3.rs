//! Amazon S3 for one account and Region: only the buckets that something collected names.
//!
//! Calls s3:ListBuckets where there are such names: it tells in one call which of them belong to the account, and where they
//! are; then s3:GetBucketPolicyStatus, s3:GetPublicAccessBlock, s3:GetBucketEncryption and s3:GetBucketAcl once for each of
//! the account's own, and S3 Control's GetPublicAccessBlock once. Yields buckets and the account's block.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::s3::{AccountPublicAccessBlock, Acl, Bucket, Encryption, PolicyStatus, PublicAccessBlock};
use plimsoll_model::{Arn, Gap, Inventory, Seen};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "s3",
    id: "S3",
    host: "s3",
    fips_host: "s3-fips",
    signing_name: "s3",
    protocol: Protocol::RestXml,
    reach: Reach::Regional,
};

/// S3 Control, whose IAM actions have S3's prefix.
pub(crate) const CONTROL: Service = Service { id: "S3 Control", host: "s3-control", fips_host: "s3-control-fips", ..SERVICE };

const LIST_BUCKETS: Operation = Operation {
    service: "s3",
    name: "ListBuckets",
    permission: "s3:ListAllMyBuckets",
    why: "whose the buckets are that containers and logs use",
};

const GET_BUCKET_POLICY_STATUS: Operation = Operation {
    service: "s3",
    name: "GetBucketPolicyStatus",
    permission: "s3:GetBucketPolicyStatus",
    why: "whether a bucket that containers or logs use is public",
};

const GET_PUBLIC_ACCESS_BLOCK: Operation = Operation {
    service: "s3",
    name: "GetPublicAccessBlock",
    permission: "s3:GetBucketPublicAccessBlock",
    why: "whether such a bucket can become public",
};

const GET_BUCKET_ENCRYPTION: Operation =
    Operation { service: "s3", name: "GetBucketEncryption", permission: "s3:GetEncryptionConfiguration", why: "the key of such a bucket" };

const GET_BUCKET_ACL: Operation =
    Operation { service: "s3", name: "GetBucketAcl", permission: "s3:GetBucketAcl", why: "whether such a bucket is shared with everyone" };

/// S3 Control calls this GetPublicAccessBlock too; the name of its IAM action tells the two apart.
const GET_ACCOUNT_PUBLIC_ACCESS_BLOCK: Operation = Operation {
    service: "s3",
    name: "GetAccountPublicAccessBlock",
    permission: "s3:GetAccountPublicAccessBlock",
    why: "whether any bucket of the account can be public",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    LIST_BUCKETS,
    GET_BUCKET_POLICY_STATUS,
    GET_PUBLIC_ACCESS_BLOCK,
    GET_BUCKET_ENCRYPTION,
    GET_BUCKET_ACL,
    GET_ACCOUNT_PUBLIC_ACCESS_BLOCK,
];

/// How the listing goes on.
const CONTINUATION: Token = Token { answer: "ContinuationToken", request: "continuation-token" };
/// Buckets that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Buckets {
    buckets: Vec<Listed>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Listed {
    name: String,
    bucket_region: Option<String>,
}

/// The buckets that something collected names. `in_region` gives a client for the Region in which a bucket is.
pub(crate) async fn collect(api: &Api, in_region: impl Fn(&str) -> Wire, control: &Wire, inventory: &Inventory) -> Inventory {
    let names = names(inventory);
    let mut found = Inventory::default();
    if names.is_empty() {
        return found;
    }
    let here = in_region(api.region().as_str());
    let (listed, block) = join!(list(api, &here), account_block(api, control));
    found.push(api.account(), api.region(), block);
    let read = stream::iter(names).map(|name| {
        let (listed, in_region) = (&listed, &in_region);
        async move {
            match listed {
                Err(gap) => unread(name, gap.clone().into(), gap),
                Ok(buckets) => {
                    if let Some(region) = buckets.get(name) {
                        let region = region.as_deref();
                        let wire = in_region(region.unwrap_or(api.region().as_str()));
                        bucket(api, &wire, name, region).await
                    } else {
                        let why = "the bucket is not one of this account";
                        unread(name, Seen::Known(false), &api.not_asked(&GET_BUCKET_POLICY_STATUS, Some(name), why))
                    }
                }
            }
        }
    });
    let read: Vec<Bucket> = read.buffer_unordered(AT_ONCE).collect().await;
    for bucket in read {
        found.push(api.account(), api.region(), bucket);
    }
    found
}

/// The account's buckets, and where each is.
async fn list(api: &Api, wire: &Wire) -> Result<BTreeMap<String, Option<String>>, Gap> {
    let mut buckets = BTreeMap::new();
    let ask = Ask::get(&[""]).query("max-buckets", "10000");
    let listing = wire.pages(api, &LIST_BUCKETS, CONTINUATION, ask, |page: Buckets| {
        buckets.extend(page.buckets.into_iter().map(|bucket| (bucket.name, bucket.bucket_region)));
    });
    listing.await.inspect_err(|gap| api.gap(gap.clone()))?;
    Ok(buckets)
}

async fn account_block(api: &Api, control: &Wire) -> AccountPublicAccessBlock {
    let ask = Ask::get(&["v20180820", "configuration", "publicAccessBlock"]).header("x-amz-account-id", api.account().as_str());
    let answer = control.ask::<PublicAccessBlock>(api, &GET_ACCOUNT_PUBLIC_ACCESS_BLOCK, ask).await;
    let answer = answer.absent_on("NoSuchPublicAccessBlockConfiguration");
    AccountPublicAccessBlock { configuration: api.noted(answer) }
}

async fn bucket(api: &Api, wire: &Wire, name: &str, region: Option<&str>) -> Bucket {
    let (status, block, encryption, acl) = join!(
        part::<PolicyStatus>(api, wire, &GET_BUCKET_POLICY_STATUS, name, "policyStatus", "NoSuchBucketPolicy"),
        part::<PublicAccessBlock>(api, wire, &GET_PUBLIC_ACCESS_BLOCK, name, "publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        part::<Encryption>(api, wire, &GET_BUCKET_ENCRYPTION, name, "encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        // Every bucket has one.
        part::<Acl>(api, wire, &GET_BUCKET_ACL, name, "acl", ""),
    );
    Bucket {
        name: name.to_owned(),
        bucket_region: region.map(ToOwned::to_owned),
        owned: Seen::Known(true),
        policy_status: status.seen(),
        public_access_block: block.seen(),
        encryption: encryption.seen(),
        acl: acl.map(Option::unwrap_or_default).seen(),
    }
}

/// One of the bucket's subresources; the code says "there is none".
async fn part<T>(
    api: &Api,
    wire: &Wire,
    operation: &'static Operation,
    bucket: &str,
    subresource: &str,
    none: &str,
) -> Result<Option<T>, Gap>
where
    T: DeserializeOwned + JsonSchema + std::fmt::Debug + Send + Sync + 'static,
{
    let ask = Ask::get(&[bucket]).query(subresource, "");
    let answer = wire.ask_on::<T>(api, operation, bucket, ask).await.absent_on(none);
    answer.inspect_err(|gap| api.gap(gap.clone()))
}

/// A bucket of which nothing is known but its name, and perhaps that it is somebody else's.
fn unread(name: &str, owned: Seen<bool>, gap: &Gap) -> Bucket {
    Bucket {
        name: name.to_owned(),
        bucket_region: None,
        owned,
        policy_status: gap.clone().into(),
        public_access_block: gap.clone().into(),
        encryption: gap.clone().into(),
        acl: gap.clone().into(),
    }
}

/// The buckets of environment files, trails, ECS Exec, flow logs and the logs of load balancers.
fn names(inventory: &Inventory) -> BTreeSet<&str> {
    let containers = inventory.task_definitions.iter().flat_map(|definition| &definition.data.container_definitions);
    let files = containers.flat_map(|container| &container.environment_files).filter_map(|file| bucket_of(&file.value));
    let trails = inventory.trails.iter().filter_map(|trail| trail.data.s3_bucket_name.as_deref());
    let exec = inventory.clusters.iter().filter_map(|cluster| {
        let exec = cluster.data.configuration.as_ref()?.execute_command_configuration.as_ref()?;
        exec.log_configuration.as_ref()?.s3_bucket_name.as_deref()
    });
    let flow_logs = inventory.flow_logs.iter().filter_map(|log| bucket_of(log.data.log_destination.as_deref()?));
    let balancers = inventory.load_balancers.iter().filter_map(|balancer| balancer.data.attributes.known().ok()).flatten();
    let balancers = balancers.filter(|one| matches!(one.key.as_str(), "access_logs.s3.bucket" | "connection_logs.s3.bucket"));
    let balancers = balancers.map(|attribute| attribute.value.as_str());
    files.chain(trails).chain(exec).chain(flow_logs).chain(balancers).filter(|name| !name.is_empty()).collect()
}

/// The bucket of `arn:PARTITION:s3:::BUCKET/KEY`.
fn bucket_of(arn: &str) -> Option<&str> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "s3")?;
    arn.resource.split('/').next()
}
