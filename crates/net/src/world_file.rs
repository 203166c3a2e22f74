//! A world as one JSON object of `Describe*` lists, so that what the AWS CLI prints can be pasted. Text flows in, the
//! owned lists of a [`World`] flow out.

use std::collections::BTreeMap;

use plimsoll_model::aws::{ec2, elasticloadbalancing as elb};
use plimsoll_model::{AccountId, Gap, Located, Region, Seen};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::world::World;

/// What is wrong with a file of a world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The text is no JSON.
    #[error("not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Something in it has another shape than AWS gives it.
    #[error("{path}: {source}")]
    Shape {
        /// Where, as `network_acls[3]`.
        path: String,
        /// What is wrong there.
        source: serde_json::Error,
    },
    /// It should hold a list, or an object.
    #[error("{path}: expected {expected}")]
    Kind {
        /// Where.
        path: String,
        /// What should be there.
        expected: &'static str,
    },
}

/// The owned lists of a world.
///
/// Keys are `vpcs`, `subnets`, `route_tables`, `network_acls`, `security_groups`, `network_interfaces`,
/// `internet_gateways`, `egress_only_internet_gateways`, `nat_gateways`, `vpc_endpoints`, `vpc_peering_connections`,
/// `prefix_lists`, `load_balancers`, `listeners`, `target_groups` (lists of AWS's shapes), `target_health` (by ARN of the
/// target group), `rules` (by ARN of the listener), `target_group_attributes` and `load_balancer_attributes` (by ARN),
/// `vpc_block_public_access_options` (an object), `vpc_block_public_access_exclusions` (a list), `account`, `region`, and
/// `missing`: operations that could not be read, as `"ec2:DescribeSubnets"`. What is left out is empty. Other keys are
/// ignored.
#[derive(Clone, Debug, Default)]
pub struct WorldFile {
    vpcs: Vec<Located<ec2::Vpc>>,
    subnets: Vec<Located<ec2::Subnet>>,
    route_tables: Vec<Located<ec2::RouteTable>>,
    network_acls: Vec<Located<ec2::NetworkAcl>>,
    security_groups: Vec<Located<ec2::SecurityGroup>>,
    network_interfaces: Vec<Located<ec2::NetworkInterface>>,
    internet_gateways: Vec<Located<ec2::InternetGateway>>,
    egress_only_internet_gateways: Vec<Located<ec2::EgressOnlyInternetGateway>>,
    nat_gateways: Vec<Located<ec2::NatGateway>>,
    vpc_endpoints: Vec<Located<ec2::VpcEndpoint>>,
    vpc_peering_connections: Vec<Located<ec2::VpcPeeringConnection>>,
    managed_prefix_lists: Vec<Located<ec2::ManagedPrefixList>>,
    vpc_block_public_access_options: Vec<Located<ec2::VpcBlockPublicAccessOptions>>,
    load_balancers: Vec<Located<elb::LoadBalancer>>,
    listeners: Vec<Located<elb::Listener>>,
    target_groups: Vec<Located<elb::TargetGroup>>,
    missing: Vec<Gap>,
}

/// AWS-owned lists come with `Cidrs`, customer-managed ones with `Entries`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PrefixListShape {
    prefix_list_id: String,
    prefix_list_name: Option<String>,
    cidrs: Option<Vec<String>>,
    entries: Option<Vec<ec2::PrefixListEntry>>,
}

impl WorldFile {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        Self::from_value(serde_json::from_str(text).map_err(WorldError::Json)?)
    }

    /// Reads what is parsed already.
    pub fn from_value(value: Value) -> Result<Self, WorldError> {
        let Value::Object(mut object) = value else {
            return Err(WorldError::Kind { path: "the world".to_owned(), expected: "an object" });
        };
        let mut take = |key: &str| object.remove(key).unwrap_or(Value::Null);
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let place = Place { account: AccountId::new(&text(take("account"))), region: Region::new(&text(take("region"))) };
        let mut world = Self {
            vpcs: place.list("vpcs", take("vpcs"))?,
            subnets: place.list("subnets", take("subnets"))?,
            route_tables: place.list("route_tables", take("route_tables"))?,
            network_acls: place.list("network_acls", take("network_acls"))?,
            security_groups: place.list("security_groups", take("security_groups"))?,
            network_interfaces: place.list("network_interfaces", take("network_interfaces"))?,
            internet_gateways: place.list("internet_gateways", take("internet_gateways"))?,
            egress_only_internet_gateways: place.list("egress_only_internet_gateways", take("egress_only_internet_gateways"))?,
            nat_gateways: place.list("nat_gateways", take("nat_gateways"))?,
            vpc_endpoints: place.list("vpc_endpoints", take("vpc_endpoints"))?,
            vpc_peering_connections: place.list("vpc_peering_connections", take("vpc_peering_connections"))?,
            load_balancers: place.list("load_balancers", take("load_balancers"))?,
            listeners: place.list("listeners", take("listeners"))?,
            target_groups: place.list("target_groups", take("target_groups"))?,
            ..Self::default()
        };
        for operation in items("missing", take("missing"))? {
            let operation = text(operation);
            world.missing.push(Gap { account: place.account.clone(), region: place.region.clone(), ..Gap::not_collected(&operation) });
        }
        world.prefix_lists(&place, take("prefix_lists"))?;
        world.public_access(&place, take("vpc_block_public_access_options"), take("vpc_block_public_access_exclusions"))?;
        world.balancing(&mut take)?;
        Ok(world)
    }

    fn prefix_lists(&mut self, place: &Place, value: Value) -> Result<(), WorldError> {
        for Located { data, .. } in place.list::<PrefixListShape>("prefix_lists", value)? {
            let from_cidrs =
                |cidrs: Vec<String>| cidrs.into_iter().map(|cidr| ec2::PrefixListEntry { cidr: Some(cidr), description: None }).collect();
            let entries = data.entries.or_else(|| data.cidrs.map(from_cidrs));
            self.managed_prefix_lists.push(place.at(ec2::ManagedPrefixList {
                prefix_list_id: data.prefix_list_id,
                prefix_list_name: data.prefix_list_name,
                entries: entries.map_or_else(|| Gap::not_collected("ec2:GetManagedPrefixListEntries").into(), Seen::Known),
                ..ec2::ManagedPrefixList::default()
            }));
        }
        Ok(())
    }

    fn public_access(&mut self, place: &Place, options: Value, exclusions: Value) -> Result<(), WorldError> {
        let exclusions = place.list("vpc_block_public_access_exclusions", exclusions)?;
        if options.is_null() {
            return Ok(());
        }
        let mut options: ec2::VpcBlockPublicAccessOptions = shape("vpc_block_public_access_options", options)?;
        options.exclusions = Seen::Known(exclusions.into_iter().map(|located| located.data).collect());
        self.vpc_block_public_access_options.push(place.at(options));
        Ok(())
    }

    /// Joins what AWS tells in calls of their own.
    fn balancing(&mut self, take: &mut impl FnMut(&str) -> Value) -> Result<(), WorldError> {
        let mut health: BTreeMap<String, Vec<elb::TargetHealthDescription>> = by_arn("target_health", take("target_health"))?;
        let mut rules: BTreeMap<String, Vec<elb::Rule>> = by_arn("rules", take("rules"))?;
        let mut of_groups: BTreeMap<String, Vec<elb::Attribute>> = by_arn("target_group_attributes", take("target_group_attributes"))?;
        let mut of_balancers: BTreeMap<String, Vec<elb::Attribute>> = by_arn("load_balancer_attributes", take("load_balancer_attributes"))?;
        for Located { data, .. } in &mut self.target_groups {
            data.target_health_descriptions = Seen::Known(health.remove(&data.target_group_arn).unwrap_or_default());
            data.attributes = Seen::Known(of_groups.remove(&data.target_group_arn).unwrap_or_default());
        }
        for Located { data, .. } in &mut self.load_balancers {
            data.attributes = Seen::Known(of_balancers.remove(&data.load_balancer_arn).unwrap_or_default());
            data.listeners = Seen::Known(Vec::new());
        }
        for Located { data, .. } in &mut self.listeners {
            data.rules = Seen::Known(rules.remove(&data.listener_arn).unwrap_or_default());
        }
        Ok(())
    }

    /// The world that it holds.
    pub fn world(&self) -> World<'_> {
        World {
            vpcs: &self.vpcs,
            subnets: &self.subnets,
            route_tables: &self.route_tables,
            network_acls: &self.network_acls,
            security_groups: &self.security_groups,
            network_interfaces: &self.network_interfaces,
            internet_gateways: &self.internet_gateways,
            egress_only_internet_gateways: &self.egress_only_internet_gateways,
            nat_gateways: &self.nat_gateways,
            vpc_endpoints: &self.vpc_endpoints,
            vpc_peering_connections: &self.vpc_peering_connections,
            managed_prefix_lists: &self.managed_prefix_lists,
            vpc_block_public_access_options: &self.vpc_block_public_access_options,
            load_balancers: &self.load_balancers,
            listeners: &self.listeners,
            target_groups: &self.target_groups,
            missing: &self.missing,
            operations: None,
        }
    }
}

struct Place {
    account: AccountId,
    region: Region,
}

impl Place {
    fn at<T>(&self, data: T) -> Located<T> {
        Located { account: self.account.clone(), region: self.region.clone(), data }
    }

    fn list<T: DeserializeOwned>(&self, key: &str, value: Value) -> Result<Vec<Located<T>>, WorldError> {
        items(key, value)?.into_iter().enumerate().map(|(index, item)| Ok(self.at(shape(&format!("{key}[{index}]"), item)?))).collect()
    }
}

fn items(key: &str, value: Value) -> Result<Vec<Value>, WorldError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items),
        _ => Err(WorldError::Kind { path: key.to_owned(), expected: "a list" }),
    }
}

fn shape<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, WorldError> {
    T::deserialize(value).map_err(|source| WorldError::Shape { path: path.to_owned(), source })
}

fn by_arn<T: DeserializeOwned>(key: &str, value: Value) -> Result<BTreeMap<String, Vec<T>>, WorldError> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(object) => {
            object.into_iter().map(|(arn, value)| Ok((arn.clone(), shape(&format!("{key}[{arn:?}]"), value)?))).collect()
        }
        _ => Err(WorldError::Kind { path: key.to_owned(), expected: "an object by ARN" }),
    }
}
