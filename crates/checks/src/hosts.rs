//! Readings of container hosts that several checks share: which of them the customer runs, what system is on them, and
//! which image AWS recommends instead; and places as resources of a report.

use jiff::Timestamp;
use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ec2::{Image, Instance};
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::aws::ssm::RecommendedImage;
use plimsoll_model::{AccountId, Region, Resource, ResourceRef, is_bottlerocket_image, recommended_parameter};

use crate::check::{Judgement, Verdict};
use crate::engine::Verdicts;
use crate::reading::instance_of;

/// Judges each container instance of the customer with the EC2 instance under it, as long as that runs.
pub(crate) fn each_host<'e>(
    estate: &'e Estate<'e>,
    verdicts: &mut Verdicts<'e>,
    judge: impl Fn(Node<'e, ContainerInstance>, Node<'e, Instance>) -> Judgement,
) {
    verdicts.each(estate.hosts(), |host| match instance_of(host)? {
        Some(instance) => judge(host, instance),
        None => Ok(Verdict::NotApplicable),
    });
}

/// The image of a host; `None` when DescribeImages shows none: it is gone, or private to another account.
pub(crate) fn image_of(instance: Node<'_, Instance>) -> Result<Option<Node<'_, Image>>, Unknown> {
    instance.image().map_or(Ok(None), plimsoll_graph::Link::exists)
}

/// Whether an image is AWS's own.
pub(crate) fn is_of_aws(image: &Image) -> bool {
    image.image_owner_alias.as_deref() == Some("amazon")
}

/// Whether a host runs Bottlerocket, whose image is replaced as a whole.
pub(crate) fn is_bottlerocket(host: Node<'_, ContainerInstance>, instance: Node<'_, Instance>) -> Result<bool, Unknown> {
    let configured = instance.data().user_data.known().ok().and_then(Option::as_ref).is_some_and(|data| data.bottlerocket);
    if configured || host.has_attribute("bottlerocket.variant") {
        return Ok(true);
    }
    let image = image_of(instance)?;
    Ok(image.and_then(|image| image.data().name.as_deref()).is_some_and(is_bottlerocket_image))
}

/// The image that AWS recommends for the family of an image; `None` where AWS recommends none.
pub(crate) fn recommended_for(image: Node<'_, Image>) -> Result<Option<RecommendedImage>, Unknown> {
    let name = image.data().name.as_deref().filter(|_| is_of_aws(image.data()));
    let Some(parameter) = name.and_then(recommended_parameter) else { return Ok(None) };
    let parameter = image.estate().public_parameter(image.account(), image.region(), &parameter).exists()?;
    Ok(parameter.and_then(|parameter| parameter.data().recommended_image()))
}

/// The instant of a text such as `2026-06-01T00:00:00.000Z`.
pub(crate) fn instant(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// Something that there is at most one of in an account and Region, and that was not found there.
pub(crate) fn place_reference<T: Resource>(account: &AccountId, region: &Region, unlisted: &T, name: &str) -> ResourceRef {
    ResourceRef {
        arn: unlisted.arn(account, region).into_owned(),
        kind: T::TYPE.into(),
        account: account.clone(),
        region: region.clone(),
        name: name.to_owned(),
        tags: std::collections::BTreeMap::new(),
    }
}
