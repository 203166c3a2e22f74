//! Relations of Auto Scaling and Systems Manager: where hosts come from, what they are launched from, what AWS recommends,
//! and how they are managed.

use plimsoll_model::aws::autoscaling::{AutoScalingGroup, LaunchConfiguration, LaunchTemplateSpecification};
use plimsoll_model::aws::ec2::{Image, Instance, InstanceMetadataDefaults, LaunchTemplateVersion};
use plimsoll_model::aws::ecs::{CapacityProvider, ContainerInstance};
use plimsoll_model::aws::eks::Nodegroup;
use plimsoll_model::aws::ssm::{InstanceInformation, InstancePatchState, PublicParameter};
use plimsoll_model::{AccountId, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Node, Unknown};

/// Positions by place and name.
type Named = FxHashMap<(AccountId, Region, String), u32>;

/// The tag by which Auto Scaling marks what it launches.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// What leads from hosts to groups and on.
#[derive(Default)]
pub(crate) struct Index {
    groups: Named,
    launch_configurations: Named,
    public_parameters: Named,
    template_versions: FxHashMap<(String, i64), u32>,
    instance_hosts: FxHashMap<String, Vec<u32>>,
    group_providers: FxHashMap<String, Vec<u32>>,
    group_nodegroups: FxHashMap<(AccountId, Region, String), Vec<u32>>,
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let mut index = Index::default();
    let name = |account: &AccountId, region: &Region, name: &str| (account.clone(), region.clone(), name.to_owned());
    for group in estate.all::<AutoScalingGroup>() {
        index.groups.insert(name(group.account(), group.region(), group.name()), group.index);
    }
    for configuration in estate.all::<LaunchConfiguration>() {
        index
            .launch_configurations
            .insert(name(configuration.account(), configuration.region(), configuration.name()), configuration.index);
    }
    for parameter in estate.all::<PublicParameter>() {
        index.public_parameters.insert(name(parameter.account(), parameter.region(), parameter.name()), parameter.index);
    }
    for version in estate.all::<LaunchTemplateVersion>() {
        index.template_versions.insert((version.launch_template_id.clone(), version.version_number), version.index);
    }
    for host in estate.all::<ContainerInstance>() {
        if let Some(id) = &host.ec2_instance_id {
            index.instance_hosts.entry(id.clone()).or_default().push(host.index);
        }
    }
    for provider in estate.all::<CapacityProvider>() {
        if let Some(group) = &provider.auto_scaling_group_provider {
            index.group_providers.entry(group.auto_scaling_group_arn.clone()).or_default().push(provider.index);
        }
    }
    for nodegroup in estate.all::<Nodegroup>() {
        for group in nodegroup.resources.iter().flat_map(|resources| &resources.auto_scaling_groups) {
            let place = name(nodegroup.account(), nodegroup.region(), &group.name);
            index.group_nodegroups.entry(place).or_default().push(nodegroup.index);
        }
    }
    estate.relations.fleet = index;
}

impl Estate<'_> {
    /// A machine image by id.
    pub fn image(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, Image> {
        self.link(account, region, id)
    }

    /// An Auto Scaling group by name.
    pub fn auto_scaling_group(&self, account: &AccountId, region: &Region, name: &str) -> Link<'_, AutoScalingGroup> {
        self.named(&self.relations.fleet.groups, account, region, name)
    }

    /// A public parameter of AWS by name.
    pub fn public_parameter(&self, account: &AccountId, region: &Region, name: &str) -> Link<'_, PublicParameter> {
        self.named(&self.relations.fleet.public_parameters, account, region, name)
    }

    /// The account's defaults for the metadata service of new instances; `None` when AWS answered nothing.
    pub fn instance_metadata_defaults(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<Node<'_, InstanceMetadataDefaults>>, Unknown> {
        let found = self.all::<InstanceMetadataDefaults>().find(|defaults| defaults.account() == account && defaults.region() == region);
        if found.is_none() {
            self.coverage().check(account, region, InstanceMetadataDefaults::OPERATION)?;
        }
        Ok(found)
    }

    fn named<'e, T: Resource>(&'e self, index: &Named, account: &AccountId, region: &Region, name: &str) -> Link<'e, T>
    where
        plimsoll_model::Inventory: plimsoll_model::Holds<T>,
    {
        let place = (account.clone(), region.clone(), name.to_owned());
        match index.get(&place).and_then(|&position| self.at(position)) {
            Some(node) => Link::Found(node),
            None => Link::Missing(self.missing::<T>(account, region, name)),
        }
    }
}

impl<'e> Node<'e, Instance> {
    /// The Auto Scaling group that launched it, by the tag that Auto Scaling gives; `None` when it belongs to none.
    pub fn auto_scaling_group(self) -> Option<Link<'e, AutoScalingGroup>> {
        let name = self.data().tags.iter().find(|tag| tag.key == GROUP_TAG)?.value.as_str();
        Some(self.estate.named(&self.estate.relations.fleet.groups, self.account(), self.region(), name))
    }

    /// Its container instances: one for each cluster that it is registered with.
    pub fn container_instances(self) -> impl Iterator<Item = Node<'e, ContainerInstance>> {
        self.estate.hosts_on(&self.data().instance_id)
    }

    /// What Systems Manager knows of it; missing when it is not managed.
    pub fn management(self) -> Link<'e, InstanceInformation> {
        self.estate.link(self.account(), self.region(), &self.data().instance_id)
    }

    /// Its last patch run; missing when there was none.
    pub fn patch_state(self) -> Link<'e, InstancePatchState> {
        self.estate.link(self.account(), self.region(), &self.data().instance_id)
    }
}

impl<'e> Estate<'e> {
    fn hosts_on(&'e self, instance_id: &str) -> impl Iterator<Item = Node<'e, ContainerInstance>> {
        self.many(self.relations.fleet.instance_hosts.get(instance_id).map(Vec::as_slice).unwrap_or_default())
    }
}

impl<'e> Node<'e, CapacityProvider> {
    /// The Auto Scaling group that it launches hosts with; `None` for those of Fargate and of Managed Instances.
    pub fn auto_scaling_group(self) -> Option<Link<'e, AutoScalingGroup>> {
        let group = self.data().auto_scaling_group_provider.as_ref()?;
        Some(self.estate.link(self.account(), self.region(), &group.auto_scaling_group_arn))
    }
}

impl<'e> Node<'e, AutoScalingGroup> {
    /// The capacity providers that launch hosts with it.
    pub fn capacity_providers(self) -> impl Iterator<Item = Node<'e, CapacityProvider>> {
        let providers = &self.estate.relations.fleet.group_providers;
        self.estate.many(providers.get(&self.data().auto_scaling_group_arn).map(Vec::as_slice).unwrap_or_default())
    }

    /// The node groups of EKS whose nodes it launches.
    pub fn nodegroups(self) -> impl Iterator<Item = Node<'e, Nodegroup>> {
        let place = (self.account().clone(), self.region().clone(), self.data().auto_scaling_group_name.clone());
        self.estate.many(self.estate.relations.fleet.group_nodegroups.get(&place).map(Vec::as_slice).unwrap_or_default())
    }

    /// The container instances on the instances that it has now.
    pub fn container_instances(self) -> impl Iterator<Item = Node<'e, ContainerInstance>> {
        self.data().instances.iter().flat_map(move |instance| self.estate.hosts_on(&instance.instance_id))
    }

    /// The launch template versions that it launches from, each as it is named and where that leads.
    pub fn launch_template_versions(self) -> impl Iterator<Item = (&'e LaunchTemplateSpecification, Link<'e, LaunchTemplateVersion>)> {
        self.data().launch_templates().map(move |template| (template, self.launch_template_version(template)))
    }

    fn launch_template_version(self, template: &LaunchTemplateSpecification) -> Link<'e, LaunchTemplateVersion> {
        let id = template.launch_template_id.clone().unwrap_or_default();
        let version = template.resolved_version.unwrap_or_default();
        let key = (id, version);
        match self.estate.relations.fleet.template_versions.get(&key).and_then(|&position| self.estate.at(position)) {
            Some(node) => Link::Found(node),
            None => Link::Missing(self.estate.missing::<LaunchTemplateVersion>(self.account(), self.region(), &key.0)),
        }
    }

    /// The launch configuration that it still launches from.
    pub fn launch_configuration(self) -> Option<Link<'e, LaunchConfiguration>> {
        let name = self.data().launch_configuration_name.as_deref().filter(|name| !name.is_empty())?;
        Some(self.estate.named(&self.estate.relations.fleet.launch_configurations, self.account(), self.region(), name))
    }
}
