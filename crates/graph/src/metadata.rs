//! Whether containers reach the metadata service of their host, and with it the credentials of the host's role. Tasks, their
//! hosts and what user data says flow in; the way there flows out, or none, or what was not read.

use plimsoll_model::aws::ec2::{Instance, UserData};
use plimsoll_model::aws::ecs::{ContainerInstance, Task};
use plimsoll_model::{Gap, LaunchKind};

use crate::{Link, Node, Unknown};

/// Registered by agents that can run awsvpc tasks and that have `ECS_AWSVPC_BLOCK_IMDS` on, however it came to them: user
/// data, image or hand.
const BLOCKS_METADATA: &str = "ecs.capability.task-eni-block-instance-metadata";
/// What the agent calls the setting.
const BLOCK_IMDS: &str = "ECS_AWSVPC_BLOCK_IMDS";
/// The call that reads user data.
const USER_DATA: &str = "ec2:DescribeInstanceAttribute";

/// How containers reach the metadata service of their host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataWay {
    /// They share the network of the host (network mode `host`).
    HostNetwork,
    /// Over Docker's bridge, as the service answers requests without a token (IMDSv1).
    BridgeWithoutToken,
    /// Over Docker's bridge, as the service lets its answers travel so many hops.
    BridgeWithinHops(i32),
    /// By the interface of their own (network mode `awsvpc`), as the agent runs without `ECS_AWSVPC_BLOCK_IMDS`.
    OwnInterface,
}

/// Containers that reach the metadata service of their host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataAccess<'e> {
    /// The host, as ECS knows it.
    pub host: Node<'e, ContainerInstance>,
    /// The host, as EC2 knows it.
    pub instance: Node<'e, Instance>,
    /// The way.
    pub way: MetadataWay,
}

/// The networks that containers are in.
enum Network {
    Host,
    Bridge,
    OwnInterface,
    None,
}

impl<'e> Node<'e, Task> {
    /// The EC2 instance of the customer that it runs on; `None` on Fargate, ECS Anywhere and ECS Managed Instances.
    pub fn customer_host(self) -> Result<Option<Node<'e, ContainerInstance>>, Unknown> {
        if matches!(self.launch(), LaunchKind::Fargate | LaunchKind::External | LaunchKind::ManagedInstances) {
            return Ok(None);
        }
        let Some(host) = self.container_instance() else { return Ok(None) };
        let host = host.known()?;
        Ok((host.kind() == LaunchKind::Ec2 && host.is_run_by_customer()?).then_some(host))
    }

    /// How its containers reach the metadata service of their host; `None` when they do not, or run on no EC2 instance.
    /// What AWS lets them reach on ECS Managed Instances is not known.
    pub fn reaches_instance_metadata(self) -> Result<Option<MetadataAccess<'e>>, Unknown> {
        let Some(host) = self.customer_host()? else {
            let host = self.container_instance().and_then(Link::found);
            let managed =
                self.launch() == LaunchKind::ManagedInstances || host.is_some_and(|host| host.kind() == LaunchKind::ManagedInstances);
            let message = "AWS runs the host, and does not tell whether containers reach its metadata service";
            return if managed { Err(self.undecided("ecs:DescribeContainerInstances", message)) } else { Ok(None) };
        };
        let Some(instance) = host.instance().exists()? else { return Ok(None) };
        let Some(options) = &instance.data().metadata_options else {
            return Err(instance.undecided("ec2:DescribeInstances", "the instance shows no metadata options"));
        };
        // The endpoint is on unless it was switched off.
        if options.http_endpoint.as_deref() == Some("disabled") {
            return Ok(None);
        }
        let way = match self.network()? {
            Network::Host => MetadataWay::HostNetwork,
            Network::OwnInterface if !host.blocks_awsvpc_metadata()? => MetadataWay::OwnInterface,
            Network::Bridge => match instance.way_over_bridge()? {
                Some(way) => way,
                None => return Ok(None),
            },
            Network::OwnInterface | Network::None => return Ok(None),
        };
        Ok(Some(MetadataAccess { host, instance, way }))
    }

    fn network(self) -> Result<Network, Unknown> {
        let definition = match self.task_definition() {
            Link::Found(definition) => definition.data(),
            // Only awsvpc gives a task its own interface.
            Link::Missing(_) if self.has_own_interface() => return Ok(Network::OwnInterface),
            missing @ Link::Missing(_) => missing.known()?.data(),
        };
        Ok(match definition.network_mode.as_deref() {
            Some("host") => Network::Host,
            Some("awsvpc") => Network::OwnInterface,
            Some("none") => Network::None,
            // On Windows it is called `default`, or nothing, as on Linux.
            _ => Network::Bridge,
        })
    }
}

impl Node<'_, Instance> {
    /// How containers on Docker's bridge, which is a hop of its own, get an answer of the metadata service.
    fn way_over_bridge(self) -> Result<Option<MetadataWay>, Unknown> {
        let options = self.data().metadata_options.as_ref();
        let hops = options.and_then(|options| options.http_put_response_hop_limit);
        let way = match (options.and_then(|options| options.http_tokens.as_deref()), hops) {
            (Some("optional"), _) => MetadataWay::BridgeWithoutToken,
            (_, Some(hops)) if hops > 1 => MetadataWay::BridgeWithinHops(hops),
            (Some(_), Some(_)) => return Ok(None),
            _ => return Err(self.undecided("ec2:DescribeInstances", "the instance does not tell HttpTokens and HttpPutResponseHopLimit")),
        };
        let filtered = match self.data().user_data.known()? {
            Some(data) if data.blocks_bridged_metadata => true,
            Some(data) if is_incomplete(data) => {
                return Err(self.undecided(USER_DATA, "user data that was not read may filter what containers send"));
            }
            _ => false,
        };
        Ok((!filtered).then_some(way))
    }
}

impl Node<'_, ContainerInstance> {
    /// Whether its agent registered capabilities at all: then it tells what it can and what it does.
    pub fn tells_capabilities(self) -> bool {
        self.data().attributes.iter().any(|attribute| attribute.name.starts_with("ecs.capability."))
    }

    /// Whether its agent keeps tasks with an interface of their own from the metadata service (`ECS_AWSVPC_BLOCK_IMDS`).
    /// Where the agent registered no capabilities, what was written for it has to do; that is unknown where something
    /// that was not read may have been, a custom image included.
    pub fn blocks_awsvpc_metadata(self) -> Result<bool, Unknown> {
        if self.has_attribute(BLOCKS_METADATA) {
            return Ok(true);
        }
        if self.tells_capabilities() {
            return Ok(false);
        }
        let instance = self.instance().known()?;
        if let Some(data) = instance.data().user_data.known()? {
            if let Some(value) = data.agent_configuration.get(BLOCK_IMDS) {
                return Ok(value == "true");
            }
            if is_incomplete(data) || data.unresolved.contains(BLOCK_IMDS) {
                return Err(self.undecided(USER_DATA, "user data takes the agent configuration from elsewhere"));
            }
        }
        let image = match instance.image() {
            Some(image) => image.exists()?,
            None => None,
        };
        if image.is_some_and(|image| image.data().image_owner_alias.as_deref() == Some("amazon")) {
            return Ok(false);
        }
        Err(self.undecided("ec2:DescribeImages", "a custom image may carry the agent configuration"))
    }
}

/// Whether user data does more than was read of it.
fn is_incomplete(data: &UserData) -> bool {
    data.configured_elsewhere || data.unreadable.is_some()
}

impl<T: plimsoll_model::Resource> Node<'_, T> {
    /// The unknown of what AWS answered, when the answer does not decide.
    fn undecided(self, operation: &str, message: &str) -> Unknown {
        let gap = Gap {
            account: self.account().clone(),
            region: self.region().clone(),
            operation: operation.to_owned(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: message.to_owned(),
            resource: Some(self.arn().into_owned()),
        };
        Unknown { gap }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, gap};
    use plimsoll_model::aws::ec2::{Image, Instance, InstanceMetadataOptions, UserData};
    use plimsoll_model::aws::ecs::{ContainerInstance, Task, TaskDefinition};
    use plimsoll_model::{Gap, Seen};

    use super::MetadataWay::{self, BridgeWithinHops, BridgeWithoutToken, HostNetwork, OwnInterface};
    use crate::Estate;

    /// Task `t1` in a network mode on host `h1`, which confines every mode but `host`.
    fn task(mode: &'static str) -> Fixture {
        fixture()
            .cluster("shop", |_| {})
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |_| {})
            .ec2_task_definition("web", |definition| definition.network_mode = Some(mode.to_owned()))
            .task("shop", "web", "t1", |task| {
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
                task.attachments.clear();
            })
    }

    fn way(account: Fixture) -> Result<Option<MetadataWay>, String> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let task = estate.all::<Task>().next().unwrap();
        task.reaches_instance_metadata().map(|access| access.map(|access| access.way)).map_err(|unknown| unknown.gap.operation)
    }

    fn options(change: impl Fn(&mut InstanceMetadataOptions)) -> impl Fn(&mut Instance) {
        move |instance| change(instance.metadata_options.as_mut().unwrap())
    }

    fn user_data(change: impl Fn(&mut UserData)) -> impl Fn(&mut Instance) {
        move |instance| {
            let mut data = UserData::default();
            change(&mut data);
            instance.user_data = Seen::Known(Some(data));
        }
    }

    #[test]
    fn host_mode_reaches_it_whatever_else_was_read() {
        assert_eq!(way(task("host")), Ok(Some(HostNetwork)));
        let unread = |instance: &mut Instance| instance.user_data = gap("ec2:DescribeInstanceAttribute").into();
        assert_eq!(way(task("host").each(unread)), Ok(Some(HostNetwork)));
        let off = options(|options| options.http_endpoint = Some("disabled".to_owned()));
        assert_eq!(way(task("host").each(off)), Ok(None));
        assert_eq!(way(task("none")), Ok(None));
    }

    #[test]
    fn a_bridge_is_one_hop() {
        assert_eq!(way(task("bridge")), Ok(None));
        let hops = || options(|options| options.http_put_response_hop_limit = Some(2));
        assert_eq!(way(task("bridge").each(hops())), Ok(Some(BridgeWithinHops(2))));
        let optional = options(|options| options.http_tokens = Some("optional".to_owned()));
        assert_eq!(way(task("bridge").each(optional)), Ok(Some(BridgeWithoutToken)));
        let untold = options(|options| options.http_put_response_hop_limit = None);
        assert_eq!(way(task("bridge").each(untold)), Err("ec2:DescribeInstances".to_owned()));
        let filtered = user_data(|data| data.blocks_bridged_metadata = true);
        assert_eq!(way(task("bridge").each(hops()).each(filtered)), Ok(None));
        let unreadable = user_data(|data| data.unreadable = Some("user data is not base64".to_owned()));
        assert_eq!(way(task("bridge").each(hops()).each(unreadable)), Err("ec2:DescribeInstanceAttribute".to_owned()));
    }

    #[test]
    fn an_interface_of_its_own_reaches_it_unless_the_agent_blocks() {
        assert_eq!(way(task("awsvpc")), Ok(None));
        let unblocked = |host: &mut ContainerInstance| host.attributes.retain(|one| !one.name.ends_with("block-instance-metadata"));
        assert_eq!(way(task("awsvpc").each(unblocked)), Ok(Some(OwnInterface)));
        let silent = || task("awsvpc").each(|host: &mut ContainerInstance| host.attributes.clear());
        assert_eq!(way(silent()), Ok(None), "user data turns it on");
        assert_eq!(way(silent().each(user_data(|_| {}))), Ok(Some(OwnInterface)));
        let elsewhere = user_data(|data| data.configured_elsewhere = true);
        assert_eq!(way(silent().each(elsewhere)), Err("ec2:DescribeInstanceAttribute".to_owned()));
        let custom = |image: &mut Image| image.image_owner_alias = None;
        assert_eq!(way(silent().each(user_data(|_| {})).each(custom)), Err("ec2:DescribeImages".to_owned()));
    }

    #[test]
    fn an_attached_interface_tells_the_mode_where_the_definition_was_not_read() {
        let unread = || task("host").without::<TaskDefinition>().denied("ecs:DescribeTaskDefinition");
        assert_eq!(way(unread()), Err("ecs:DescribeTaskDefinition".to_owned()));
        let attached = fixture().task("shop", "web", "t1", |_| {}).build().tasks[0].data.attachments.clone();
        assert_eq!(way(unread().each(move |task: &mut Task| task.attachments.clone_from(&attached))), Ok(None));
    }

    #[test]
    fn there_is_no_host_on_fargate_and_what_managed_instances_allow_is_not_known() {
        let fargate = |task: &mut Task| (task.launch_type, task.container_instance_arn) = (Some("FARGATE".to_owned()), None);
        assert_eq!(way(task("awsvpc").each(fargate)), Ok(None));
        let managed = |task: &mut Task| task.launch_type = Some("MANAGED_INSTANCES".to_owned());
        assert!(way(task("host").each(managed)).is_err());
        let unread = task("host").without::<Instance>().with(|inventory| inventory.gaps.push(Gap { ..gap("ec2:DescribeInstances") }));
        assert_eq!(way(unread), Err("ec2:DescribeInstances".to_owned()));
    }
}
