//! What runs in a Region flows in; what surrounds it flows out: one line for each service.

use futures::future::{LocalBoxFuture, join_all};
use futures::join;
use plimsoll_model::Inventory;

use crate::api::Api;
use crate::session::Session;
use crate::{
    cloudtrail, cloudwatch, elasticfilesystem, events, logs, network_firewall, rds, route53resolver, s3, scheduler, secretsmanager,
};

/// Reads what starts tasks besides services: the revisions that it names belong to what is judged.
pub(crate) async fn triggers(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let (events, scheduler) = (session.wire(&events::SERVICE, region), session.wire(&scheduler::SERVICE, region));
    let (mut found, schedules) = join!(events::collect(api, &events, containers), scheduler::collect(api, &scheduler));
    found.absorb(schedules);
    found
}

/// Reads what the containers of a Region refer to. Everything here is read side by side; requests are bounded by [`Api`].
pub(crate) async fn collect(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let elasticfilesystem = session.wire(&elasticfilesystem::SERVICE, region);
    let network_firewall = session.wire(&network_firewall::SERVICE, region);
    let route53resolver = session.wire(&route53resolver::SERVICE, region);
    let secretsmanager = session.wire(&secretsmanager::SERVICE, region);
    let parts: Vec<LocalBoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(cloudtrail::collect(api, |region| session.wire(&cloudtrail::SERVICE, region), containers)),
        Box::pin(elasticfilesystem::collect(api, &elasticfilesystem, containers)),
        Box::pin(network_firewall::collect(api, &network_firewall)),
        Box::pin(route53resolver::collect(api, &route53resolver)),
        Box::pin(secretsmanager::collect(api, &secretsmanager, containers)),
    ];
    together(parts).await
}

/// Reads what the surroundings in turn refer to, such as the groups that trails deliver to.
pub(crate) async fn behind(session: &Session, api: &Api, inventory: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let control = session.wire(&s3::CONTROL, region).for_account(api.account().as_str());
    let rds = session.wire(&rds::SERVICE, region);
    let (logs, cloudwatch) = (session.wire(&logs::SERVICE, region), session.wire(&cloudwatch::SERVICE, region));
    let parts: Vec<LocalBoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(async move {
            let mut groups = logs::collect(api, &logs, inventory).await;
            let alarms = cloudwatch::collect(api, &cloudwatch, &groups).await;
            groups.absorb(alarms);
            groups
        }),
        Box::pin(rds::collect(api, &rds, inventory)),
        Box::pin(s3::collect(api, |region| session.wire(&s3::SERVICE, region), &control, inventory)),
    ];
    together(parts).await
}

async fn together(parts: Vec<LocalBoxFuture<'_, Inventory>>) -> Inventory {
    join_all(parts).await.into_iter().fold(Inventory::default(), |mut all, one| {
        all.absorb(one);
        all
    })
}
