//! AWS Systems Manager in one account and Region: the parameters that AWS publishes for everyone.
//!
//! Calls ssm:GetParameters with ten names at a time. Yields public parameters; a name that is not among them does not
//! exist. Parameters of the account are never asked for.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ssm::PublicParameter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "ssm",
    id: "SSM",
    host: "ssm",
    fips_host: "ssm-fips",
    signing_name: "ssm",
    protocol: Protocol::Json("1.1", "AmazonSSM"),
    reach: Reach::Regional,
};

const GET_PARAMETERS: Operation = Operation {
    service: "ssm",
    name: "GetParameters",
    permission: "ssm:GetParameters",
    why: "the images that AWS recommends for hosts, from its public parameters",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[GET_PARAMETERS];

/// What the names of public parameters begin with.
const PUBLIC: &str = "/aws/service/";
/// Names in one request.
const NAMES: usize = 10;
/// Requests that are prepared at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Parameters {
    parameters: Vec<PublicParameter>,
}

/// The public parameters that tell what the hosts of the Region should run.
pub(crate) async fn recommended(api: &Api, wire: &Wire, inventory: &Inventory) -> Inventory {
    let recommended = inventory.nodegroups.iter().filter_map(|group| group.data.release_parameter());
    public_parameters(api, wire, recommended.collect()).await
}

/// The public parameters with these names, as far as they exist.
pub(crate) async fn public_parameters(api: &Api, wire: &Wire, names: BTreeSet<String>) -> Inventory {
    let names: Vec<String> = names.into_iter().filter(|name| name.starts_with(PUBLIC)).collect();
    let batches = stream::iter(names.chunks(NAMES)).map(|batch| async move {
        let ask = Ask::members(json!({"Names": batch}));
        api.or_gap(wire.ask::<Parameters>(api, &GET_PARAMETERS, ask).await)
    });
    let answers: Vec<Option<Parameters>> = batches.buffer_unordered(AT_ONCE).collect().await;
    let mut found = Inventory::default();
    for parameter in answers.into_iter().flatten().flat_map(|answer| answer.parameters) {
        found.push(api.account(), api.region(), parameter);
    }
    found
}
