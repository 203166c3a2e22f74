//! What runs in a Region flows in; what surrounds it flows out: one line for each service.

use futures::future::{BoxFuture, join_all};
use plimsoll_model::{Inventory, partition_of};

use crate::api::Api;
use crate::session::Session;
use crate::wire::Wire;
use crate::{acm_pca, elasticloadbalancing, secretsmanager, shield, wafv2};

/// Reads what the containers of a Region refer to. Everything here is read side by side; requests are bounded by [`Api`].
pub(crate) async fn collect(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let acm_pca = session.wire(&acm_pca::SERVICE, region);
    let (elb, wafv2) = (session.wire(&elasticloadbalancing::SERVICE, region), session.wire(&wafv2::SERVICE, region));
    let secretsmanager = session.wire(&secretsmanager::SERVICE, region);
    let parts: Vec<BoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(acm_pca::collect(api, &acm_pca, containers)),
        Box::pin(load_balancers(api, &elb, &wafv2, containers)),
        Box::pin(secretsmanager::collect(api, &secretsmanager, containers)),
    ];
    let mut found = Inventory::default();
    for part in join_all(parts).await {
        found.absorb(part);
    }
    found
}

/// Load balancers, then the web ACLs of those of them that need one.
async fn load_balancers(api: &Api, elb: &Wire, wafv2: &Wire, containers: &Inventory) -> Inventory {
    let mut found = elasticloadbalancing::collect(api, elb, containers).await;
    wafv2::associate(api, wafv2, &mut found).await;
    found
}

/// Reads what the surroundings in turn refer to, such as the buckets of their logs.
pub(crate) async fn behind(_session: &Session, _api: &Api, _inventory: &Inventory) -> Inventory {
    Inventory::default()
}

/// Reads what an account has once and its Regions make matter; `home` is one of these.
pub(crate) async fn global(session: &Session, api: &Api, home: &str, regional: &Inventory) -> Inventory {
    shield::collect(api, &session.wire(&shield::SERVICE, home), partition_of(home), regional).await
}
