//! AWS Private Certificate Authority in one account and Region.
//!
//! Calls acm-pca:DescribeCertificateAuthority once for each authority that Service Connect takes certificates from. Yields
//! these authorities.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use plimsoll_model::aws::acm_pca::CertificateAuthority;
use plimsoll_model::aws::ecs::ServiceConnectService;
use plimsoll_model::{Arn, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "acm-pca",
    id: "ACM PCA",
    host: "acm-pca",
    fips_host: "acm-pca-fips",
    signing_name: "acm-pca",
    protocol: Protocol::Json("1.1", "ACMPrivateCA"),
    reach: Reach::Regional,
};

const DESCRIBE_CERTIFICATE_AUTHORITY: Operation = Operation {
    service: "acm-pca",
    name: "DescribeCertificateAuthority",
    permission: "acm-pca:DescribeCertificateAuthority",
    why: "whether the authority that Service Connect takes certificates from works",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_CERTIFICATE_AUTHORITY];

/// Authorities that are described at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    certificate_authority: Option<CertificateAuthority>,
}

/// The authorities that services of the Region refer to.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let references: Vec<String> = references(api, containers).into_iter().map(ToOwned::to_owned).collect();
    let reads = stream::iter(references).map(|arn| async move {
        let ask = Ask::members(json!({"CertificateAuthorityArn": arn}));
        let answer = wire.ask_on(api, &DESCRIBE_CERTIFICATE_AUTHORITY, &arn, ask).await.absent_on("ResourceNotFoundException");
        api.or_gap(answer).flatten().and_then(|answer: Described| answer.certificate_authority)
    });
    let authorities: Vec<Option<CertificateAuthority>> = reads.buffer_unordered(AT_ONCE).collect().await;
    api.found(authorities.into_iter().flatten())
}

/// The authorities of this Region that deployments name.
fn references<'a>(api: &Api, containers: &'a Inventory) -> BTreeSet<&'a str> {
    let deployments = containers.services.iter().flat_map(|service| &service.data.deployments);
    let offered =
        deployments.filter_map(|deployment| deployment.service_connect_configuration.as_ref()).flat_map(|connect| &connect.services);
    let authorities = offered.filter_map(ServiceConnectService::certificate_authority);
    authorities.filter(|arn| Arn::parse(arn).is_some_and(|arn| arn.region == api.region().as_str())).collect()
}
