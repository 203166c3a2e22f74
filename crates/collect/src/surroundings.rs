//! What runs in a Region flows in; what surrounds it flows out: one line for each service.

use futures::future::{BoxFuture, join_all};
use plimsoll_model::Inventory;

use crate::api::Api;
use crate::secretsmanager;
use crate::session::Session;

/// Reads what the containers of a Region refer to. Everything here is read side by side; requests are bounded by [`Api`].
pub(crate) async fn collect(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let secretsmanager = session.wire(&secretsmanager::SERVICE, region);
    let parts: Vec<BoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(secretsmanager::collect(api, &secretsmanager, containers)),
    ];
    let mut found = Inventory::default();
    for part in join_all(parts).await {
        found.absorb(part);
    }
    found
}

/// Reads what the surroundings in turn refer to, such as the buckets of their logs.
pub(crate) async fn behind(_session: &Session, _api: &Api, _inventory: &Inventory) -> Inventory {
    Inventory::default()
}
