//! AWS Cloud Map in one account and Region: the names of ECS services.
//!
//! Calls servicediscovery:GetService once for each Cloud Map service of the account that ECS services register tasks with, and
//! servicediscovery:ListNamespaces where there is one, or where names of Service Connect end with a namespace that is told by
//! ARN. Yields these services and their namespaces. servicediscovery:ListServices would not do: it tells no namespaces.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::servicediscovery::{Namespace, Service as CloudMapService};
use plimsoll_model::{Arn, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "servicediscovery",
    id: "ServiceDiscovery",
    host: "servicediscovery",
    fips_host: "servicediscovery-fips",
    signing_name: "servicediscovery",
    protocol: Protocol::Json("1.1", "Route53AutoNaming_v20170314"),
    reach: Reach::Regional,
};

const LIST_NAMESPACES: Operation = Operation {
    service: "servicediscovery",
    name: "ListNamespaces",
    permission: "servicediscovery:ListNamespaces",
    why: "the domains in which ECS services are found",
};

const GET_SERVICE: Operation = Operation {
    service: "servicediscovery",
    name: "GetService",
    permission: "servicediscovery:GetService",
    why: "the names under which ECS services are found",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_NAMESPACES, GET_SERVICE];

/// The largest page of ListNamespaces.
const PAGE: u8 = 100;
/// Services that are asked for at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Namespaces {
    namespaces: Vec<Namespace>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Answered {
    service: Option<CloudMapService>,
}

/// The services and namespaces that ECS services of the Region refer to.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let registries: Vec<String> = registries(api, containers).into_iter().map(ToOwned::to_owned).collect();
    let mut wanted: BTreeSet<String> = connected(api, containers).map(ToOwned::to_owned).collect();
    if registries.is_empty() && wanted.is_empty() {
        return Inventory::default();
    }
    let mut namespaces = Vec::new();
    let ask = Ask::members(json!({"MaxResults": PAGE}));
    let listing = wire.pages(api, &LIST_NAMESPACES, Token::NEXT_CAPITAL, ask, |page: Namespaces| namespaces.extend(page.namespaces));
    let reads = stream::iter(registries).map(|arn| async move {
        let id = Arn::parse(&arn).map_or(arn.as_str(), |arn| arn.name());
        let answer = wire.ask_on(api, &GET_SERVICE, &arn, Ask::members(json!({"Id": id}))).await.absent_on("ServiceNotFound");
        api.or_gap(answer).flatten().and_then(|answer: Answered| answer.service)
    });
    let (listed, services): (_, Vec<Option<CloudMapService>>) = join!(listing, reads.buffer_unordered(AT_ONCE).collect());
    api.or_gap(listed);
    let services: Vec<CloudMapService> = services.into_iter().flatten().collect();
    wanted.extend(services.iter().filter_map(CloudMapService::namespace_arn));
    let mut found = api.found(services);
    found.absorb(api.found(namespaces.into_iter().filter(|namespace| wanted.contains(&namespace.arn))));
    found
}

/// The Cloud Map services, of this account and Region, that tasks are registered with.
fn registries<'a>(api: &Api, containers: &'a Inventory) -> BTreeSet<&'a str> {
    let of_services = containers.services.iter().flat_map(|service| &service.data.service_registries);
    let of_sets = containers.task_sets.iter().flat_map(|set| &set.data.service_registries);
    let arns = of_services.chain(of_sets).filter_map(|registry| registry.registry_arn.as_deref());
    arns.filter(|arn| is_here(api, arn)).collect()
}

/// The namespaces, of this account and Region, whose names aliases of Service Connect end with.
fn connected<'a>(api: &Api, containers: &'a Inventory) -> impl Iterator<Item = &'a str> {
    let services = containers.services.iter().map(|service| &service.data);
    let namespaces = services.filter_map(|service| {
        let connect = service.service_connect().filter(|connect| connect.names_by_namespace())?;
        let default = || {
            let cluster = containers.clusters.iter().find(|cluster| cluster.data.cluster_arn == service.cluster_arn)?;
            cluster.data.service_connect_defaults.as_ref()?.namespace.as_deref()
        };
        connect.namespace.as_deref().or_else(default)
    });
    namespaces.filter(|namespace| is_here(api, namespace))
}

fn is_here(api: &Api, arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.account == api.account().as_str() && arn.region == api.region().as_str())
}
