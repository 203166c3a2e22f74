//! What runs in a Region flows in; what surrounds it flows out: one line for each service.

use futures::future::{LocalBoxFuture, join_all};
use futures::join;
use plimsoll_model::{Inventory, partition_of};

use crate::api::Api;
use crate::session::Session;
use crate::wire::Wire;
use crate::{
    acm_pca, autoscaling, cloudtrail, cloudwatch, ec2, ecr, elasticfilesystem, elasticloadbalancing, events, guardduty, inspector2, logs,
    network_firewall, rds, route53resolver, s3, scheduler, secretsmanager, servicediscovery, shield, signer, ssm, wafv2,
};

/// Reads what starts tasks besides services: the revisions that it names belong to what is judged.
pub(crate) async fn triggers(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let (events, scheduler) = (session.wire(&events::SERVICE, region), session.wire(&scheduler::SERVICE, region));
    let (mut found, planned) = join!(events::collect(api, &events, containers), scheduler::collect(api, &scheduler));
    found.absorb(planned);
    found
}

/// Reads what the containers of a Region refer to. Everything here is read side by side; requests are bounded by [`Api`].
pub(crate) async fn collect(session: &Session, api: &Api, containers: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let acm_pca = session.wire(&acm_pca::SERVICE, region);
    let ecr = session.wire(&ecr::SERVICE, region);
    let elasticfilesystem = session.wire(&elasticfilesystem::SERVICE, region);
    let (elb, wafv2) = (session.wire(&elasticloadbalancing::SERVICE, region), session.wire(&wafv2::SERVICE, region));
    let network_firewall = session.wire(&network_firewall::SERVICE, region);
    let route53resolver = session.wire(&route53resolver::SERVICE, region);
    let signer = session.wire(&signer::SERVICE, region);
    let secretsmanager = session.wire(&secretsmanager::SERVICE, region);
    let servicediscovery = session.wire(&servicediscovery::SERVICE, region);
    let ssm = session.wire(&ssm::SERVICE, region);
    let parts: Vec<LocalBoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(acm_pca::collect(api, &acm_pca, containers)),
        Box::pin(cloudtrail::collect(api, |region| session.wire(&cloudtrail::SERVICE, region), containers)),
        Box::pin(ecr::collect(api, &ecr, containers)),
        Box::pin(elasticfilesystem::collect(api, &elasticfilesystem, containers)),
        Box::pin(load_balancers(api, &elb, &wafv2, containers)),
        Box::pin(network_firewall::collect(api, &network_firewall)),
        Box::pin(route53resolver::collect(api, &route53resolver)),
        Box::pin(secretsmanager::collect(api, &secretsmanager, containers)),
        Box::pin(servicediscovery::collect(api, &servicediscovery, containers)),
        Box::pin(ssm::collect(api, &ssm, containers)),
        Box::pin(signer::collect(api, &signer, containers)),
    ];
    together(parts).await
}

/// Reads what task definitions refer to in a Region where nothing runs: the images, log groups, file systems and buckets that
/// they name.
pub(crate) async fn of_definitions(session: &Session, api: &Api, definitions: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let elasticfilesystem = session.wire(&elasticfilesystem::SERVICE, region);
    let mut found = elasticfilesystem::collect(api, &elasticfilesystem, definitions).await;
    if ecr::names_images(api, definitions) {
        found.absorb(ecr::collect(api, &session.wire(&ecr::SERVICE, region), definitions).await);
    }
    found.absorb(watching(session, api, definitions).await);
    let control = session.wire(&s3::CONTROL, region).for_account(api.account().as_str());
    found.absorb(s3::collect(api, |region| session.wire(&s3::SERVICE, region), &control, definitions).await);
    found
}

/// Reads the log groups that are named, those of trails in other Regions too, and the alarms on what they count.
async fn watching(session: &Session, api: &Api, inventory: &Inventory) -> Inventory {
    let mut groups = logs::collect(api, |region| session.wire(&logs::SERVICE, region), inventory).await;
    let alarms = cloudwatch::collect(api, |region| session.wire(&cloudwatch::SERVICE, region), &groups).await;
    groups.absorb(alarms);
    groups
}

/// Load balancers, then the web ACLs of those of them that need one.
async fn load_balancers(api: &Api, elb: &Wire, wafv2: &Wire, containers: &Inventory) -> Inventory {
    let mut found = elasticloadbalancing::collect(api, elb, containers).await;
    wafv2::associate(api, wafv2, &mut found).await;
    found
}

/// Reads what the surroundings in turn refer to, such as the groups that trails deliver to.
pub(crate) async fn behind(session: &Session, api: &Api, inventory: &Inventory) -> Inventory {
    let region = api.region().as_str();
    let control = session.wire(&s3::CONTROL, region).for_account(api.account().as_str());
    let rds = session.wire(&rds::SERVICE, region);
    let (autoscaling, ssm) = (session.wire(&autoscaling::SERVICE, region), session.wire(&ssm::SERVICE, region));
    let (guardduty, inspector2) = (session.wire(&guardduty::SERVICE, region), session.wire(&inspector2::SERVICE, region));
    let ec2 = session.ec2(region);
    let parts: Vec<LocalBoxFuture<'_, Inventory>> = vec![
        // In the order of the services' names.
        Box::pin(async move {
            let (mut groups, recommended) =
                join!(autoscaling::collect(api, &autoscaling, inventory), ssm::recommended(api, &ssm, inventory));
            groups.absorb(recommended);
            let launched = ec2::launches(api, &ec2, inventory, &mut groups).await;
            groups.absorb(launched);
            groups
        }),
        Box::pin(guardduty::collect(api, &guardduty, inventory)),
        Box::pin(inspector2::collect(api, &inspector2, inventory)),
        Box::pin(watching(session, api, inventory)),
        Box::pin(rds::collect(api, &rds, inventory)),
        Box::pin(s3::collect(api, |region| session.wire(&s3::SERVICE, region), &control, inventory)),
    ];
    together(parts).await
}

async fn together(parts: Vec<LocalBoxFuture<'_, Inventory>>) -> Inventory {
    join_all(parts).await.into_iter().collect()
}

/// Reads what an account has once and its Regions make matter; `home` is one of these.
pub(crate) async fn global(session: &Session, api: &Api, home: &str, regional: &Inventory) -> Inventory {
    shield::collect(api, &session.wire(&shield::SERVICE, home), partition_of(home), regional).await
}
