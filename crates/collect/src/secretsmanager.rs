//! AWS Secrets Manager in one account and Region: metadata and policies, never a value.
//!
//! Calls secretsmanager:ListSecrets where task definitions refer to secrets; secretsmanager:GetResourcePolicy once for each
//! secret that they refer to; secretsmanager:DescribeSecret for those of other accounts. Yields secrets.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Arn, Gap, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "secretsmanager",
    id: "Secrets Manager",
    host: "secretsmanager",
    fips_host: "secretsmanager-fips",
    signing_name: "secretsmanager",
    protocol: Protocol::Json("1.1", "secretsmanager"),
    reach: Reach::Regional,
};

const LIST_SECRETS: Operation = Operation {
    service: "secretsmanager",
    name: "ListSecrets",
    permission: "secretsmanager:ListSecrets",
    why: "keys and rotation of secrets; no values",
};

const DESCRIBE_SECRET: Operation = Operation {
    service: "secretsmanager",
    name: "DescribeSecret",
    permission: "secretsmanager:DescribeSecret",
    why: "the same for secrets of other accounts that task definitions refer to",
};

const GET_RESOURCE_POLICY: Operation = Operation {
    service: "secretsmanager",
    name: "GetResourcePolicy",
    permission: "secretsmanager:GetResourcePolicy",
    why: "who may read a secret that a task definition refers to",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_SECRETS, DESCRIBE_SECRET, GET_RESOURCE_POLICY];

/// The largest page of ListSecrets.
const SECRETS_PAGE: usize = 100;
/// Secrets that are worked on at a time; requests are bounded by [`Api`].
const SECRETS_AT_ONCE: usize = 32;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct SecretsPage {
    secret_list: Vec<Secret>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct ResourcePolicy {
    resource_policy: Option<String>,
}

/// The secrets of the Region, with the policies of those that its task definitions refer to.
pub(crate) async fn collect(api: &Api, wire: &Wire, inventory: &Inventory) -> Inventory {
    let referred = references(api, inventory);
    // Who uses no secrets is not asked for them.
    if referred.is_empty() {
        return Inventory::default();
    }
    let mut secrets = BTreeMap::new();
    let ask = Ask::members(json!({"MaxResults": SECRETS_PAGE}));
    let listing = wire.pages(api, &LIST_SECRETS, Token::NEXT_CAPITAL, ask, |page: SecretsPage| {
        secrets.extend(page.secret_list.into_iter().map(|secret| (secret.arn.clone(), secret)));
    });
    let listed = api.or_gap(listing.await).is_some();
    let by_name: BTreeMap<String, String> = secrets.iter().map(|(arn, secret)| (secret.name.clone(), arn.clone())).collect();

    let mut wanted = BTreeSet::new();
    for reference in referred {
        let arn = secrets.contains_key(reference).then(|| reference.to_owned()).or_else(|| by_name.get(name(reference)).cloned());
        wanted.insert(arn.unwrap_or_else(|| reference.to_owned()));
    }
    let read = stream::iter(wanted).map(|id| {
        let known = secrets.get(&id).cloned();
        // What a whole listing of the own account lacks is not there.
        let absent = known.is_none() && listed && Arn::parse(&id).is_none_or(|arn| arn.account == api.account().as_str());
        async move { if absent { None } else { Some(secret(api, wire, id, known).await) } }
    });
    let read: Vec<Option<Secret>> = read.buffer_unordered(SECRETS_AT_ONCE).collect().await;
    secrets.extend(read.into_iter().flatten().map(|secret| (secret.arn.clone(), secret)));

    for secret in secrets.values_mut() {
        screen::tags(api.detector(), &mut secret.tags);
    }
    api.found(secrets.into_values())
}

async fn secret(api: &Api, wire: &Wire, id: String, known: Option<Secret>) -> Secret {
    let described = if known.is_some() {
        known
    } else {
        let ask = Ask::members(json!({"SecretId": id}));
        api.or_gap(wire.ask_on::<Secret>(api, &DESCRIBE_SECRET, &id, ask).await)
    };
    let mut secret = described.unwrap_or_else(|| Secret { arn: id.clone(), ..Secret::default() });
    let policy = policy(api, wire, &id).await;
    secret.resource_policy = api.noted(policy);
    secret
}

async fn policy(api: &Api, wire: &Wire, id: &str) -> Result<Option<PolicyDocument>, Gap> {
    let ask = Ask::members(json!({"SecretId": id}));
    let answer: ResourcePolicy = wire.ask_on(api, &GET_RESOURCE_POLICY, id, ask).await?;
    Ok(answer.resource_policy.as_deref().map(PolicyDocument::from_text))
}

/// The secrets of this Region that task definitions refer to, by ARN or name.
fn references<'a>(api: &Api, inventory: &'a Inventory) -> BTreeSet<&'a str> {
    let definitions = inventory.task_definitions.iter().flat_map(|definition| &definition.data.container_definitions);
    let references = definitions.flat_map(|container| {
        let options = container.log_configuration.iter().flat_map(|logs| &logs.secret_options);
        let values = container.secrets.iter().chain(options).map(|secret| secret.value_from.as_str());
        // Registry credentials may be given by name.
        let registry = container.repository_credentials.iter().map(|credentials| credentials.credentials_parameter.as_str());
        values.filter(|value| value.contains(":secretsmanager:")).chain(registry)
    });
    references
        .map(without_json_key)
        .filter(|reference| Arn::parse(reference).is_none_or(|arn| arn.region == api.region().as_str()))
        .filter(|reference| !reference.is_empty())
        .collect()
}

/// The ARN of a secret without `:json-key:version-stage:version-id`, which task definitions may append.
fn without_json_key(reference: &str) -> &str {
    if !reference.starts_with("arn:") {
        return reference;
    }
    // arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME
    reference.match_indices(':').nth(6).and_then(|(end, _)| reference.get(..end)).unwrap_or(reference)
}

/// The name that an ARN may give without the six random characters at its end.
fn name(reference: &str) -> &str {
    reference.rsplit(':').next().unwrap_or(reference)
}
