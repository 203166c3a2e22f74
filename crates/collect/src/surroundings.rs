//! What runs in a Region flows in; what surrounds it flows out: one line for each service.

use futures::future::{BoxFuture, join_all};
use plimsoll_model::Inventory;

use crate::api::Api;
use crate::session::Session;
use crate::{ecr, secretsmanager, signer};

/// Reads what the containers of a Region refer to. Everything here is read side by side; requests are bounded by [`Api`].
pub(crate) async fn collect(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let ecr = session.wire(&ecr::SERVICE, region);
    let signer = session.wire(&signer::SERVICE, region);
    let secretsmanager = session.wire(&secretsmanager::SERVICE, region);
    let parts: Vec<BoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(ecr::collect(api, &ecr, containers)),
        Box::pin(secretsmanager::collect(api, &secretsmanager, containers)),
        Box::pin(signer::collect(api, &signer, containers)),
    ];
    let mut found = Inventory::default();
    for part in join_all(parts).await {
        found.absorb(part);
    }
    found
}

/// Reads what task definitions refer to in a Region where nothing runs: the images that they name.
pub(crate) async fn of_definitions(session: &Session, api: &Api, definitions: &Inventory) -> Inventory {
    if !ecr::names_images(api, definitions) {
        return Inventory::default();
    }
    ecr::collect(api, &session.wire(&ecr::SERVICE, api.region().as_str()), definitions).await
}

/// Reads what the surroundings in turn refer to, such as the buckets of their logs.
pub(crate) async fn behind(_session: &Session, _api: &Api, _inventory: &Inventory) -> Inventory {
    Inventory::default()
}
