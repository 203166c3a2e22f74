//! What checks of private paths share: the operations that they rest on, what a subnet lacks of what it needs, and the
//! words for that.

use plimsoll_graph::{Need, PrivatePath, SubnetDemand, Unknown};
use serde_json::{Value, json};

use crate::reading::listed;

/// Services shown in evidence.
const SHOWN: usize = 20;

/// A service that a subnet reaches through no endpoint.
pub(crate) struct Lack {
    service: &'static str,
    path: PrivatePath,
    /// Who needs it.
    asker: String,
}

/// What a subnet lacks of these needs. What is missing for certain wins over what is not known.
pub(crate) fn lacking(demand: SubnetDemand<'_>, needs: &[Need]) -> Result<Vec<Lack>, Unknown> {
    let mut lacks = Vec::new();
    let mut unknown = None;
    for &need in needs {
        if let Err(missing) = demand.is_whole(need) {
            unknown = unknown.or(Some(missing));
        }
        let Some(asker) = demand.asker(need) else { continue };
        for service in need.services() {
            match demand.path_to(need, service) {
                Ok(None | Some(PrivatePath::Through(_))) => {}
                Ok(Some(path)) => lacks.push(Lack { service, path, asker: asker.label() }),
                Err(missing) => unknown = unknown.or(Some(missing)),
            }
        }
    }
    match unknown {
        Some(unknown) if lacks.is_empty() => Err(unknown),
        _ => Ok(lacks),
    }
}

/// `subnet-a has no usable endpoint for ecr.api and s3`.
pub(crate) fn sentence(demand: SubnetDemand<'_>, lacks: &[Lack]) -> String {
    let services: Vec<&str> = lacks.iter().map(|lack| lack.service).collect();
    format!("{} has no usable endpoint for {}", demand.subnet().subnet_id, listed(&services))
}

/// What is left without endpoints, in words: nothing where there is no way out, `None` where that is not known.
pub(crate) fn way_out(demand: SubnetDemand<'_>) -> (Option<bool>, String) {
    match demand.way_out() {
        Ok(Some(target)) => (Some(true), format!("what needs it goes through {target}")),
        Ok(None) => (Some(false), "it has no default route either".to_owned()),
        Err(_) => (None, "where its default route leads is not known".to_owned()),
    }
}

/// The subnet with each service that it lacks, for evidence.
pub(crate) fn evidence(demand: SubnetDemand<'_>, lacks: &[Lack]) -> Value {
    let endpoints: Vec<Value> = lacks
        .iter()
        .map(|lack| {
            let (endpoint, rejected) = match &lack.path {
                PrivatePath::Refused { endpoint, reason } => (Some(endpoint), reason.as_str()),
                PrivatePath::Absent | PrivatePath::Through(_) => (None, "absent"),
            };
            json!({"service": lack.service, "VpcEndpointId": endpoint, "rejected": rejected, "neededBy": lack.asker})
        })
        .collect();
    let services: Vec<&str> = demand.services().take(SHOWN).map(|service| service.data().service_arn.as_str()).collect();
    json!({
        "SubnetId": demand.subnet().subnet_id,
        "VpcId": demand.subnet().vpc_id,
        "defaultRoute": demand.way_out().ok().flatten(),
        "endpoints": endpoints,
        "services": services,
        "serviceCount": demand.services().count(),
    })
}
