//! Container instances and EKS clusters flow in; the EC2 instances behind the first and the nodes of the second flow out,
//! with their volumes, images and launch templates. User data is judged on the spot and never kept.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::InstanceAttributeName;
use futures::{StreamExt, join, stream};
use plimsoll_model::aws::ec2;
use plimsoll_model::{Inventory, Located, Seen};
use plimsoll_secrets::{Detector, user_data_facts};

use super::{
    AT_ONCE, DESCRIBE_IMAGES, DESCRIBE_INSTANCE_ATTRIBUTE, DESCRIBE_INSTANCES, DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, DESCRIBE_VOLUMES,
    FILTER_VALUES, PAGE, convert, filter, listed,
};
use crate::api::{Api, Outcome};
use crate::screen;

/// What the user data of a launch template version became, by template and version; absent where it was not read.
type TemplateUserData = BTreeMap<(String, String), Option<ec2::UserData>>;

/// Tags that name the cluster of a node: of managed node groups, and of EKS Auto Mode and Karpenter.
const CLUSTER_NAME_TAGS: [&str; 2] = ["eks:cluster-name", "eks:eks-cluster-name"];
/// What the tag of every node begins with; the name of its cluster follows.
const CLUSTER_TAG: &str = "kubernetes.io/cluster/";

/// Reads the EC2 instances that container instances run on, and the nodes of EKS clusters. Container instances outside
/// EC2 have no EC2 id.
pub(crate) async fn hosts(api: &Api, client: &Client, containers: &Inventory) -> Inventory {
    let nodes = nodes(api, client, containers).await;
    let ids = containers.container_instances.iter().filter_map(|instance| instance.data.ec2_instance_id.as_deref());
    let ids: BTreeSet<&str> = ids.filter(|id| id.starts_with("i-")).collect();
    let node_ids: BTreeSet<&str> = nodes.instances.iter().map(|instance| instance.data.instance_id.as_str()).collect();
    let others: BTreeSet<&str> = ids.difference(&node_ids).copied().collect();
    let ids: BTreeSet<&str> = ids.union(&node_ids).copied().collect();
    let (mut inventory, volumes) = join!(
        in_batches(&others, |batch| async move {
            // A filter, not ids: an id that is gone would fail the whole request.
            let request = client.describe_instances().filters(filter("instance-id", batch));
            let pages = request.into_paginator().page_size(PAGE).send();
            listed(api, &DESCRIBE_INSTANCES, pages, reserved, convert::instance).await.0
        }),
        in_batches(&ids, |batch| async move {
            let request = client.describe_volumes().filters(filter("attachment.instance-id", batch));
            let pages = request.into_paginator().page_size(PAGE).send();
            listed(api, &DESCRIBE_VOLUMES, pages, |page| page.volumes, convert::volume).await.0
        })
    );
    inventory.absorb(nodes);
    inventory.absorb(volumes);
    let images: BTreeSet<String> = inventory.instances.iter().filter_map(|instance| instance.data.image_id.clone()).collect();
    let images: BTreeSet<&str> = images.iter().map(String::as_str).collect();
    let images = self::images(api, client, &images);
    let (templates, images) = join!(user_data(api, client, &mut inventory.instances), images);
    inventory.absorb(templates);
    inventory.absorb(images);
    inventory
}

/// Reads images by id, those that may no longer be launched included.
pub(super) async fn images(api: &Api, client: &Client, ids: &BTreeSet<&str>) -> Inventory {
    in_batches(ids, |batch| async move {
        // Old images are what checks look for: they are deprecated or disabled.
        let request = client.describe_images().include_deprecated(true).include_disabled(true);
        let pages = request.filters(filter("image-id", batch)).into_paginator().send();
        listed(api, &DESCRIBE_IMAGES, pages, |page| page.images, convert::image).await.0
    })
    .await
}

/// Reads the instances that are tagged as nodes of EKS clusters. A Region without such clusters costs no request.
async fn nodes(api: &Api, client: &Client, containers: &Inventory) -> Inventory {
    let tags: BTreeSet<String> = containers.eks_clusters.iter().map(|cluster| format!("{CLUSTER_TAG}{}", cluster.data.name)).collect();
    if tags.is_empty() {
        return Inventory::default();
    }
    let tags: BTreeSet<&str> = tags.iter().map(String::as_str).chain(CLUSTER_NAME_TAGS).collect();
    let mut nodes = in_batches(&tags, |batch| async move {
        let alive = filter("instance-state-name", ["pending", "running", "stopping", "stopped"]);
        let request = client.describe_instances().filters(filter("tag-key", batch)).filters(alive);
        listed(api, &DESCRIBE_INSTANCES, request.into_paginator().page_size(PAGE).send(), reserved, convert::instance).await.0
    })
    .await;
    // Most carry two of the tags, and several clusters make several requests.
    nodes.sort();
    nodes
}

fn reserved(page: aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput) -> Option<Vec<aws_sdk_ec2::types::Instance>> {
    let reservations = page.reservations?;
    Some(reservations.into_iter().flat_map(|reservation| reservation.instances.unwrap_or_default()).collect())
}

/// Asks for resources by id, as many at a time as a filter takes.
async fn in_batches<F>(ids: &BTreeSet<&str>, ask: impl Fn(Vec<String>) -> F) -> Inventory
where
    F: Future<Output = Inventory>,
{
    let ids: Vec<&str> = ids.iter().copied().collect();
    let batches = ids.chunks(FILTER_VALUES).map(|batch| batch.iter().map(|id| (*id).to_owned()).collect());
    let batches: Vec<Vec<String>> = batches.collect();
    let parts: Vec<Inventory> = stream::iter(batches).map(ask).buffer_unordered(AT_ONCE).collect().await;
    parts.into_iter().fold(Inventory::default(), |mut all, part| {
        all.absorb(part);
        all
    })
}

/// Fills in the user data of each instance. Yields the launch template versions that were read for it.
async fn user_data(api: &Api, client: &Client, instances: &mut [Located<ec2::Instance>]) -> Inventory {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (template, version) in instances.iter().filter_map(|instance| launch_template(&instance.data)) {
        wanted.entry(template).or_default().insert(version);
    }
    let mut inventory = Inventory::default();
    let mut known = TemplateUserData::new();
    let answers: Vec<_> = stream::iter(wanted)
        .map(|(id, versions)| launch_template_versions(api, client, id, versions))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for version in answers.into_iter().flatten() {
        let data = version.launch_template_data.as_ref();
        known
            .insert((version.launch_template_id.clone(), version.version_number.to_string()), data.and_then(|data| data.user_data.clone()));
        inventory.push(api.account(), api.region(), version);
    }
    let known = &known;
    stream::iter(instances)
        .for_each_concurrent(AT_ONCE, |instance| async move {
            let instance = &mut instance.data;
            let of_template = launch_template(instance).and_then(|template| known.get(&template));
            instance.user_data = match of_template {
                Some(user_data) => Seen::Known(user_data.clone()),
                None => own_user_data(api, client, &instance.instance_id).await,
            };
        })
        .await;
    inventory
}

/// The launch template and version of an instance whose user data nobody else can have set: an Auto Scaling group takes
/// it from the template, whoever runs an instance by hand may give another.
fn launch_template(instance: &ec2::Instance) -> Option<(String, String)> {
    let tag = |key: &str| instance.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
    tag("aws:autoscaling:groupName")?;
    Some((tag("aws:ec2launchtemplate:id")?, tag("aws:ec2launchtemplate:version")?))
}

/// Reads versions of a launch template. None come back when it cannot be read: the instances are asked then.
pub(super) async fn launch_template_versions(
    api: &Api,
    client: &Client,
    id: String,
    versions: BTreeSet<String>,
) -> Vec<ec2::LaunchTemplateVersion> {
    let mut found = Vec::new();
    let request = client.describe_launch_template_versions().launch_template_id(&id).set_versions(Some(versions.into_iter().collect()));
    let listing = api.pages(&DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, request.into_paginator().send(), |page| {
        for mut version in page.launch_template_versions.into_iter().flatten() {
            let text = version.launch_template_data.as_mut().and_then(|data| data.user_data.take());
            let source = format!("launch-template {id}/{}", version.version_number.unwrap_or_default());
            let user_data = text.and_then(|text| judged(api.detector(), source, &text));
            found.push(convert::launch_template_version(version, user_data));
        }
    });
    match listing.await {
        // A template may be deleted while its instances live on.
        Err(gap) if gap.code.starts_with("InvalidLaunchTemplateId.") => {}
        outcome => {
            api.or_gap(outcome.about(&id));
        }
    }
    found
}

async fn own_user_data(api: &Api, client: &Client, instance_id: &str) -> Seen<Option<ec2::UserData>> {
    let request = client.describe_instance_attribute().instance_id(instance_id).attribute(InstanceAttributeName::UserData).send();
    match api.call_on(&DESCRIBE_INSTANCE_ATTRIBUTE, instance_id, request).await {
        Ok(answer) => {
            let text = answer.user_data.and_then(|attribute| attribute.value);
            Seen::Known(text.and_then(|text| judged(api.detector(), "instance".to_owned(), &text)))
        }
        // Terminated since it was listed.
        Err(gap) if gap.code == "InvalidInstanceID.NotFound" => gap.into(),
        Err(gap) => api.noted(Err(gap)),
    }
}

/// What user data says. `None` when it is empty.
fn judged(detector: &Detector, source: String, base64: &str) -> Option<ec2::UserData> {
    if base64.trim().is_empty() {
        return None;
    }
    let facts = match user_data_facts(detector, base64) {
        Ok(facts) => facts,
        Err(error) => return Some(ec2::UserData { source, unreadable: Some(error.to_string()), ..Default::default() }),
    };
    let secrets = facts.matches.into_iter().map(|found| screen::verdict(&format!("line {}", found.line), Some(found), Vec::new()));
    Some(ec2::UserData {
        source,
        secrets_in_text: secrets.collect(),
        agent_configuration: facts.agent_configuration,
        http_proxy: facts.http_proxy.map(|proxy| ec2::Proxy { host: proxy.host, credentials: proxy.credentials }),
        no_proxy: facts.no_proxy,
        bottlerocket: facts.is_bottlerocket,
        unresolved: facts.unresolved,
        blocks_bridged_metadata: facts.blocks_bridged_metadata,
        configured_elsewhere: facts.configured_elsewhere,
        unreadable: None,
    })
}
