//! AWS Systems Manager in one account and Region: parameters that task definitions refer to, the public parameters by
//! which AWS recommends images, and container hosts under management.
//!
//! Calls of [`collect`]: ssm:DescribeParameters for the parameters that task definitions name (50 at a time; never their
//! values), ssm:DescribeInstanceInformation and ssm:DescribeInstancePatchStates for the container hosts (50 at a time). Call
//! of [`recommended`]: ssm:GetParameters for public parameters below `/aws/service` alone (10 at a time).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::ssm::{InstanceInformation, InstancePatchState, Parameter, PublicParameter};
use plimsoll_model::{Arn, DEFAULT_HOST_IMAGE, Inventory, recommended_parameter};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "ssm",
    id: "SSM",
    host: "ssm",
    fips_host: "ssm-fips",
    signing_name: "ssm",
    protocol: Protocol::Json("1.1", "AmazonSSM"),
    reach: Reach::Regional,
};

const DESCRIBE_PARAMETERS: Operation = Operation {
    service: "ssm",
    name: "DescribeParameters",
    permission: "ssm:DescribeParameters",
    why: "type and key of parameters that task definitions refer to; no values",
};

const GET_PARAMETERS: Operation = Operation {
    service: "ssm",
    name: "GetParameters",
    permission: "ssm:GetParameters",
    why: "which images AWS recommends: public parameters below /aws/service",
};

const DESCRIBE_INSTANCE_INFORMATION: Operation = Operation {
    service: "ssm",
    name: "DescribeInstanceInformation",
    permission: "ssm:DescribeInstanceInformation",
    why: "whether container hosts are under management",
};

const DESCRIBE_INSTANCE_PATCH_STATES: Operation = Operation {
    service: "ssm",
    name: "DescribeInstancePatchStates",
    permission: "ssm:DescribeInstancePatchStates",
    why: "missing patches of container hosts",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] =
    &[DESCRIBE_PARAMETERS, GET_PARAMETERS, DESCRIBE_INSTANCE_INFORMATION, DESCRIBE_INSTANCE_PATCH_STATES];

/// What the names of public parameters begin with.
const PUBLIC: &str = "/aws/service/";
/// Values of one filter, instances of one request, and the largest page of all but patch states.
const BATCH: usize = 50;
/// Names of one GetParameters.
const NAMES: usize = 10;
/// The largest page of DescribeInstancePatchStates.
const PATCH_PAGE: usize = 100;
/// Batches that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct ParametersPage {
    parameters: Vec<Parameter>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct PublicParameters {
    parameters: Vec<PublicParameter>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct InstancesPage {
    instance_information_list: Vec<InstanceInformation>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct PatchStatesPage {
    instance_patch_states: Vec<InstancePatchState>,
}

/// The parameters that task definitions refer to, and the management of container hosts.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let names = parameter_names(api, containers);
    let hosts = containers.container_instances.iter().filter_map(|instance| instance.data.ec2_instance_id.clone());
    let hosts: BTreeSet<String> = hosts.filter(|id| id.starts_with("i-")).collect();
    let (mut found, managed, patched) = join!(
        in_batches(&names, |batch| parameters(api, wire, batch)),
        in_batches(&hosts, |batch| managed(api, wire, batch)),
        in_batches(&hosts, |batch| patched(api, wire, batch)),
    );
    found.absorb(managed);
    found.absorb(patched);
    found
}

/// The public parameters that tell what the hosts of the Region should run: for the families of their images, and the
/// image that AWS recommends to all.
pub(crate) async fn recommended(api: &Api, wire: &Wire, inventory: &Inventory) -> Inventory {
    let images = inventory.images.iter().map(|image| &image.data);
    // Who else names an image as AWS does is not AWS.
    let images = images.filter(|image| image.image_owner_alias.as_deref() == Some("amazon"));
    let mut names: BTreeSet<String> = images.filter_map(|image| recommended_parameter(image.name.as_deref()?)).collect();
    if inventory.container_instances.iter().any(|host| host.data.ec2_instance_id.as_deref().is_some_and(|id| id.starts_with("i-"))) {
        names.insert(DEFAULT_HOST_IMAGE.to_owned());
    }
    names.extend(inventory.nodegroups.iter().filter_map(|group| group.data.release_parameter()));
    public_parameters(api, wire, names).await
}

/// The public parameters with these names, as far as they exist: names that do not come back apart.
pub(crate) async fn public_parameters(api: &Api, wire: &Wire, names: BTreeSet<String>) -> Inventory {
    let names: Vec<String> = names.into_iter().filter(|name| name.starts_with(PUBLIC)).collect();
    let batches = stream::iter(names.chunks(NAMES)).map(|batch| async move {
        let ask = Ask::members(json!({"Names": batch}));
        api.or_gap(wire.ask::<PublicParameters>(api, &GET_PARAMETERS, ask).await)
    });
    let answers: Vec<Option<PublicParameters>> = batches.buffer_unordered(AT_ONCE).collect().await;
    api.found(answers.into_iter().flatten().flat_map(|answer| answer.parameters))
}

async fn parameters(api: &Api, wire: &Wire, names: Vec<String>) -> Inventory {
    let filters = json!([{"Key": "Name", "Option": "Equals", "Values": names}]);
    let ask = Ask::members(json!({"ParameterFilters": filters, "MaxResults": BATCH}));
    let mut found = Inventory::default();
    let pages = wire.pages(api, &DESCRIBE_PARAMETERS, Token::NEXT_CAPITAL, ask, |page: ParametersPage| {
        for parameter in page.parameters {
            found.push(api.account(), api.region(), parameter);
        }
    });
    api.or_gap(pages.await);
    found
}

async fn managed(api: &Api, wire: &Wire, ids: Vec<String>) -> Inventory {
    let ask = Ask::members(json!({"Filters": [{"Key": "InstanceIds", "Values": ids}], "MaxResults": BATCH}));
    let mut found = Inventory::default();
    let pages = wire.pages(api, &DESCRIBE_INSTANCE_INFORMATION, Token::NEXT_CAPITAL, ask, |page: InstancesPage| {
        for instance in page.instance_information_list {
            found.push(api.account(), api.region(), instance);
        }
    });
    api.or_gap(pages.await);
    found
}

async fn patched(api: &Api, wire: &Wire, ids: Vec<String>) -> Inventory {
    let ask = Ask::members(json!({"InstanceIds": ids, "MaxResults": PATCH_PAGE}));
    let mut found = Inventory::default();
    let pages = wire.pages(api, &DESCRIBE_INSTANCE_PATCH_STATES, Token::NEXT_CAPITAL, ask, |page: PatchStatesPage| {
        for state in page.instance_patch_states {
            found.push(api.account(), api.region(), state);
        }
    });
    api.or_gap(pages.await);
    found
}

async fn in_batches<F>(ids: &BTreeSet<String>, ask: impl Fn(Vec<String>) -> F) -> Inventory
where
    F: Future<Output = Inventory>,
{
    let ids: Vec<String> = ids.iter().cloned().collect();
    let batches: Vec<Vec<String>> = ids.chunks(BATCH).map(<[String]>::to_vec).collect();
    let parts: Vec<Inventory> = stream::iter(batches).map(ask).buffer_unordered(AT_ONCE).collect().await;
    parts.into_iter().fold(Inventory::default(), |mut all, part| {
        all.absorb(part);
        all
    })
}

/// The names of the account's parameters in this Region that task definitions refer to. An ARN does not tell a name with
/// a slash before its only part from one without: both are asked for.
fn parameter_names(api: &Api, containers: &Inventory) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let uses = containers.task_definitions.iter().flat_map(|definition| definition.data.secret_uses());
    for reference in uses.filter_map(|one| one.parameter()) {
        let path = match Arn::parse(reference) {
            Some(arn) if arn.account != api.account().as_str() || arn.region != api.region().as_str() => continue,
            Some(arn) => match arn.resource.strip_prefix("parameter") {
                Some(path) => path,
                None => continue,
            },
            None => reference,
        };
        // A version or label may follow.
        let path = path.split(':').next().unwrap_or(path);
        let plain = path.trim_start_matches('/');
        if plain.is_empty() {
            continue;
        }
        if !plain.contains('/') && (path == plain || Arn::parse(reference).is_some()) {
            names.insert(plain.to_owned());
        }
        if path.starts_with('/') {
            names.insert(path.to_owned());
        }
    }
    names
}
