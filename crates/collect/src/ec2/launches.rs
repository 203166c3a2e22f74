//! Auto Scaling groups flow in, and what AWS recommends; the launch template versions that the groups launch from flow
//! out, with their images and the account's defaults for the metadata service.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use futures::{StreamExt, stream};
use plimsoll_model::Inventory;

use super::hosts::{images, launch_template_versions};
use super::{AT_ONCE, GET_INSTANCE_METADATA_DEFAULTS, convert};
use crate::api::Api;

/// The version of a template that stands for its newest.
const LATEST: &str = "$Latest";
/// The version of a template that its owner chose; also what is meant when none is named.
const DEFAULT: &str = "$Default";

/// Reads what the groups launch, and the images that public parameters recommend. Fills in the versions that the groups
/// mean by `$Latest` and `$Default`.
pub(crate) async fn launches(api: &Api, client: &Client, inventory: &Inventory, around: &mut Inventory) -> Inventory {
    let (mut found, defaults) = (templates(api, client, around).await, metadata_defaults(api, client, around).await);
    found.absorb(defaults);
    let data = found.launch_template_versions.iter().filter_map(|version| version.data.launch_template_data.as_ref());
    let launched = data.filter_map(|data| data.image_id.clone());
    let recommended = around.public_parameters.iter().filter_map(|parameter| Some(parameter.data.recommended_image()?.image_id));
    let mut wanted: BTreeSet<String> = launched.chain(recommended).filter(|id| id.starts_with("ami-")).collect();
    for image in &inventory.images {
        wanted.remove(&image.data.image_id);
    }
    let wanted = wanted.iter().map(String::as_str).collect();
    let images = images(api, client, &wanted).await;
    found.absorb(images);
    found
}

async fn templates(api: &Api, client: &Client, around: &mut Inventory) -> Inventory {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for template in around.auto_scaling_groups.iter().flat_map(|group| group.data.launch_templates()) {
        if let Some(id) = &template.launch_template_id {
            let version = template.version.clone().unwrap_or_else(|| DEFAULT.to_owned());
            wanted.entry(id.clone()).or_default().insert(version);
        }
    }
    let answers = stream::iter(wanted).map(|(id, versions)| launch_template_versions(api, client, id, versions));
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    let mut found = Inventory::default();
    for template in around.auto_scaling_groups.iter_mut().flat_map(|group| group.data.launch_templates_mut()) {
        let mut versions = answers.iter().flatten().filter(|one| Some(&one.launch_template_id) == template.launch_template_id.as_ref());
        template.resolved_version = match template.version.as_deref().unwrap_or(DEFAULT) {
            // It was asked for, and no version is newer.
            LATEST => versions.map(|one| one.version_number).max(),
            DEFAULT => versions.find(|one| one.default_version).map(|one| one.version_number),
            number => number.parse().ok(),
        };
    }
    for version in answers.into_iter().flatten() {
        found.push(api.account(), api.region(), version);
    }
    found
}

async fn metadata_defaults(api: &Api, client: &Client, around: &Inventory) -> Inventory {
    let mut found = Inventory::default();
    // Who launches nothing is not asked.
    if around.auto_scaling_groups.is_empty() {
        return found;
    }
    let answer = api.or_gap(api.call(&GET_INSTANCE_METADATA_DEFAULTS, client.get_instance_metadata_defaults().send()).await);
    if let Some(answer) = answer {
        let defaults = answer.account_level.map(convert::metadata_defaults).unwrap_or_default();
        found.push(api.account(), api.region(), defaults);
    }
    found
}
