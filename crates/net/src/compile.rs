//! A world flows in, a network flows out: every id looked up once, every CIDR parsed once.

use plimsoll_model::Located;
use plimsoll_model::aws::{ec2, elasticloadbalancing};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::acl::Acl;
use crate::address::{Family, cidr_range, parse_address};
use crate::arena::Ix;
use crate::balancing::{Balancer, forwards, targets};
use crate::groups::Group;
use crate::network::{Address, BlockMode, Class, Eni, GroupSet, Nat, Network, Owned, Peering, PublicAccess, Subnet, Vpc};
use crate::prefix_list::PrefixList;
use crate::routes::{Doubt, Entries, Table};
use crate::set::CidrSet;
use crate::world::World;

pub(crate) fn compile<'a>(world: &World<'a>) -> Network<'a> {
    let mut network = Network { operations: world.operations, ..Network::default() };
    // What failed for one resource is said by that resource.
    for gap in world.missing.iter().filter(|gap| gap.resource.is_none()) {
        let operation = if gap.closes_account() || gap.closes_region() { "" } else { gap.operation.as_str() };
        let region = if gap.closes_account() { "" } else { gap.region.as_str() };
        network.unread.insert((gap.account.as_str(), region, operation));
    }
    groups(&mut network, world);
    lists(&mut network, world);
    tables(&mut network, world);
    vpcs(&mut network, world);
    subnets(&mut network, world);
    peerings(&mut network, world);
    nats(&mut network, world);
    interfaces(&mut network, world);
    balancers(&mut network, world);
    network.endpoints = world.vpc_endpoints.iter().map(|endpoint| &endpoint.data).collect();
    network
}

fn groups<'a>(network: &mut Network<'a>, world: &World<'a>) {
    let (arena, ids, lists, list_ids) = (&mut network.groups, &mut network.ids.groups, &mut network.lists, &mut network.ids.lists);
    for described in world.security_groups {
        let data = &described.data;
        let ix = *ids.entry(&data.group_id).or_insert_with(|| arena.push(Group::named(&data.group_id)));
        if let Some(before) = arena.get(ix).data {
            // The same group read by two accounts differs in tags alone.
            let same = before.ip_permissions == data.ip_permissions && before.ip_permissions_egress == data.ip_permissions_egress;
            arena.get_mut(ix).contradictory |= !same;
            continue;
        }
        let filled = Group::fill(
            data,
            |id| *ids.entry(id).or_insert_with(|| arena.push(Group::named(id))),
            |id| *list_ids.entry(id).or_insert_with(|| lists.push(PrefixList::named(id))),
        );
        *arena.get_mut(ix) = filled;
    }
}

fn lists<'a>(network: &mut Network<'a>, world: &World<'a>) {
    let mut read: FxHashMap<&str, &ec2::ManagedPrefixList> = FxHashMap::default();
    for described in world.managed_prefix_lists {
        let data = &described.data;
        let id = data.prefix_list_id.as_str();
        let mut list = PrefixList::read(data);
        match read.get(id) {
            // One account may read the entries of a shared list where another may not.
            Some(before) if before.entries.known().is_ok() && data.entries.known().is_err() => continue,
            Some(before) if before.entries.known().is_ok() && before.entries != data.entries => {
                list.doubt = Some(format!("contradictory:{id}").into());
            }
            _ => {}
        }
        read.insert(id, data);
        let lists = &mut network.lists;
        let ix = *network.ids.lists.entry(id).or_insert_with(|| lists.push(PrefixList::named(id)));
        *lists.get_mut(ix) = list;
    }
}

fn tables<'a>(network: &mut Network<'a>, world: &World<'a>) {
    let through: FxHashSet<&str> = world
        .vpc_endpoints
        .iter()
        .filter(|endpoint| endpoint.data.vpc_endpoint_type.as_deref() == Some("GatewayLoadBalancer"))
        .map(|endpoint| endpoint.data.vpc_endpoint_id.as_str())
        .collect();
    let (lists, list_ids) = (&network.lists, &network.ids.lists);
    let entries = |id: &str| match list_ids.get(id).map(|ix| lists.get(*ix)) {
        Some(list) if list.doubt.is_none() => Entries::Known(&list.entries),
        Some(list) => Entries::Unknown(list.doubt.clone().unwrap_or_else(|| Doubt::from(""))),
        None => Entries::Unknown(format!("prefix-list-missing:{id}").into()),
    };
    for described in world.route_tables {
        let id = described.data.route_table_id.as_str();
        if let Some(ix) = network.ids.tables.get(id) {
            let before = network.tables.get_mut(*ix);
            if before.data.routes != described.data.routes {
                before.unsure = Some(format!("contradictory:{id}").into());
            }
            continue;
        }
        let table = Table::compile(&described.data, |endpoint| through.contains(endpoint), entries);
        network.ids.tables.insert(id, network.tables.push(table));
    }
}

fn is_in_force(state: Option<&ec2::CidrBlockState>) -> bool {
    state.and_then(|state| state.state.as_deref()).is_none_or(|state| matches!(state, "associated" | "associating"))
}

fn vpcs<'a>(network: &mut Network<'a>, world: &World<'a>) {
    for Located { account, region, data } in world.vpcs {
        let blocks4 = data.cidr_block_association_set.iter().filter(|block| is_in_force(block.cidr_block_state.as_ref()));
        let blocks4 = blocks4.filter_map(|block| block.cidr_block.as_deref()).chain(data.cidr_block.as_deref());
        let blocks6: Vec<_> =
            data.ipv6_cidr_block_association_set.iter().filter(|block| is_in_force(block.ipv6_cidr_block_state.as_ref())).collect();
        let private = blocks6.iter().filter(|block| block.ipv6_address_attribute.as_deref() == Some("private"));
        let private6 = private.filter_map(|block| cidr_range(block.ipv6_cidr_block.as_deref()?)).collect();
        let ranges = blocks4.filter_map(cidr_range).chain(blocks6.iter().filter_map(|block| cidr_range(block.ipv6_cidr_block.as_deref()?)));
        let vpc = Vpc {
            id: &data.vpc_id,
            account: account.as_str(),
            region: region.as_str(),
            local: ranges.collect(),
            private6,
            gateways: Vec::new(),
            edge: None,
        };
        if !network.ids.vpcs.contains_key(vpc.id) {
            network.ids.vpcs.insert(vpc.id, network.vpcs.push(vpc));
        }
    }
    let edges: FxHashMap<&str, &str> = world
        .route_tables
        .iter()
        .flat_map(|table| table.data.associations.iter().map(move |association| (association, table.data.route_table_id.as_str())))
        .filter_map(|(association, table)| Some((association.gateway_id.as_deref()?, table)))
        .collect();
    for gateway in world.internet_gateways {
        let id = gateway.data.internet_gateway_id.as_str();
        network.gateways.insert(id);
        let attached = gateway
            .data
            .attachments
            .iter()
            .filter(|attachment| attachment.state.as_deref().is_none_or(|state| matches!(state, "available" | "attached")));
        for vpc in attached.filter_map(|attachment| network.ids.vpcs.get(attachment.vpc_id.as_deref()?)) {
            let edge = edges.get(id).and_then(|table| network.ids.tables.get(table)).copied();
            let vpc = network.vpcs.get_mut(*vpc);
            if !vpc.gateways.contains(&id) {
                vpc.gateways.push(id);
                vpc.edge = vpc.edge.or(edge);
            }
        }
    }
}

fn subnets<'a>(network: &mut Network<'a>, world: &World<'a>) {
    let (mut table_of, mut main): (FxHashMap<&str, _>, FxHashMap<&str, _>) = Default::default();
    for described in world.route_tables {
        let Some(&table) = network.ids.tables.get(described.data.route_table_id.as_str()) else { continue };
        for association in &described.data.associations {
            if let Some(subnet) = association.subnet_id.as_deref() {
                table_of.insert(subnet, table);
            } else if association.main {
                main.insert(described.data.vpc_id.as_str(), table);
            }
        }
    }
    let (mut acl_of, mut default): (FxHashMap<&str, _>, FxHashMap<&str, _>) = Default::default();
    let mut seen: FxHashMap<&str, (Ix<Acl<'a>>, &ec2::NetworkAcl)> = FxHashMap::default();
    for described in world.network_acls {
        let data = &described.data;
        let id = data.network_acl_id.as_str();
        if let Some((ix, before)) = seen.get(id) {
            if before.entries != data.entries {
                network.acls.get_mut(*ix).contradict();
            }
            continue;
        }
        let acl = network.acls.push(Acl::compile(data));
        seen.insert(id, (acl, data));
        acl_of.extend(data.associations.iter().filter_map(|association| Some((association.subnet_id.as_deref()?, acl))));
        if data.is_default {
            default.insert(data.vpc_id.as_str(), acl);
        }
    }
    let public_access = public_access(world);
    for described in world.subnets {
        let data = &described.data;
        let Some(&vpc_ix) = network.ids.vpcs.get(data.vpc_id.as_str()) else { continue };
        let id = data.subnet_id.as_str();
        if network.ids.subnets.contains_key(id) {
            continue;
        }
        let blocks6 = data.ipv6_cidr_block_association_set.iter().filter(|block| is_in_force(block.ipv6_cidr_block_state.as_ref()));
        let ranges = data
            .cidr_block
            .as_deref()
            .and_then(cidr_range)
            .into_iter()
            .chain(blocks6.filter_map(|block| cidr_range(block.ipv6_cidr_block.as_deref()?)));
        let vpc = network.vpcs.get(vpc_ix);
        let subnet = Subnet {
            id,
            vpc: vpc_ix,
            zone: data.availability_zone.as_deref().unwrap_or_default(),
            addresses: ranges.collect(),
            table: table_of.get(id).or_else(|| main.get(vpc.id)).copied(),
            acl: acl_of.get(id).or_else(|| default.get(vpc.id)).copied(),
            public_access: public_access(network, vpc, data),
        };
        network.ids.subnets.insert(id, network.subnets.push(subnet));
    }
}

/// What is left of internet traffic in a subnet, from the account's options and exclusions, else from what the subnet
/// itself says is in force.
fn public_access<'a>(world: &World<'a>) -> impl Fn(&Network<'a>, &Vpc<'a>, &'a ec2::Subnet) -> PublicAccess<'a> {
    let mut options: FxHashMap<(&str, &str), &ec2::VpcBlockPublicAccessOptions> = FxHashMap::default();
    let mut excluded: FxHashMap<&str, &str> = FxHashMap::default();
    for Located { account, region, data } in world.vpc_block_public_access_options {
        options.insert((account.as_str(), region.as_str()), data);
        for exclusion in data.exclusions.known().into_iter().flatten() {
            let in_force = exclusion
                .state
                .as_deref()
                .is_none_or(|state| matches!(state, "create-complete" | "update-complete" | "update-in-progress"));
            let (Some(arn), Some(mode), true) =
                (exclusion.resource_arn.as_deref(), exclusion.internet_gateway_exclusion_mode.as_deref(), in_force)
            else {
                continue;
            };
            let resource = arn.rsplit('/').next().unwrap_or(arn);
            let entry = excluded.entry(resource).or_insert(mode);
            if mode == "allow-bidirectional" {
                *entry = mode;
            }
        }
    }
    move |network, vpc, subnet| {
        let option = options.get(&(vpc.account, vpc.region));
        let stated = subnet.block_public_access_states.as_ref().and_then(|states| states.internet_gateway_block_mode.as_deref());
        let unread = network.unread(vpc.account, vpc.region, "ec2:DescribeVpcBlockPublicAccessOptions");
        let setting = option.and_then(|option| option.internet_gateway_block_mode.as_deref()).or(stated).unwrap_or("off");
        let exclusions = [subnet.subnet_id.as_str(), vpc.id].map(|id| excluded.get(id).copied());
        let base = block_mode(setting);
        let mode = match option {
            _ if exclusions.contains(&Some("allow-bidirectional")) => BlockMode::Off,
            Some(_) if base != BlockMode::Off && exclusions.contains(&Some("allow-egress")) => BlockMode::Ingress,
            _ => base,
        };
        let mut doubt = if option.is_none() && stated.is_none() { unread } else { None };
        if let Some(option) = option {
            if base != BlockMode::Off && option.exclusions.known().is_err() {
                doubt = Some("not-read:ec2:DescribeVpcBlockPublicAccessExclusions".into());
            }
            // The setting is spreading, or one of the two answers is old.
            if stated.is_some_and(|stated| block_mode(stated) != mode) {
                doubt = Some(format!("contradictory:{}:block-public-access", subnet.subnet_id).into());
            }
        }
        PublicAccess { mode, setting, doubt }
    }
}

fn block_mode(word: &str) -> BlockMode {
    match word {
        "block-bidirectional" => BlockMode::Both,
        "block-ingress" => BlockMode::Ingress,
        _ => BlockMode::Off,
    }
}

fn peerings<'a>(network: &mut Network<'a>, world: &World<'a>) {
    for described in world.vpc_peering_connections {
        let data = &described.data;
        let id = data.vpc_peering_connection_id.as_str();
        let side = |info: &'a Option<ec2::VpcPeeringConnectionVpcInfo>| {
            let info = info.as_ref();
            let vpc = info.and_then(|info| info.vpc_id.as_deref()).unwrap_or_default();
            let known = network.ids.vpcs.get(vpc).map(|ix| network.vpcs.get(*ix).region);
            (vpc, info.and_then(|info| info.region.as_deref()).or(known))
        };
        let (requester, accepter) = (side(&data.requester_vpc_info), side(&data.accepter_vpc_info));
        let peering = Peering {
            id,
            status: data.status.as_ref().and_then(|status| status.code.as_deref()).unwrap_or_default(),
            vpcs: [requester.0, accepter.0],
            same_region: requester.1 == accepter.1,
        };
        if peering.status == "active" {
            let [a, b] = peering.vpcs;
            network.joined.extend([(a, b), (b, a)]);
        }
        if !network.ids.peerings.contains_key(id) {
            network.ids.peerings.insert(id, network.peerings.push(peering));
        }
    }
}

fn nats<'a>(network: &mut Network<'a>, world: &World<'a>) {
    for described in world.nat_gateways {
        let data = &described.data;
        let id = data.nat_gateway_id.as_str();
        if let Some(ix) = network.ids.nats.get(id) {
            let before = network.nats.get_mut(*ix);
            before.contradictory |= before.data.state != data.state || before.data.subnet_id != data.subnet_id;
            continue;
        }
        let regional = data.availability_mode.as_deref() == Some("regional");
        let subnet = data.subnet_id.as_deref().filter(|_| !regional).and_then(|id| network.ids.subnets.get(id)).copied();
        let table = data.route_table_id.as_deref().and_then(|id| network.ids.tables.get(id)).copied();
        network.ids.nats.insert(id, network.nats.push(Nat { id, data, subnet, table, contradictory: false }));
    }
}

/// Kinds of interfaces whose traffic follows the rules that are modelled; whatever else AWS manages is opaque.
const EVALUATED: [&str; 12] = [
    "interface",
    "efa",
    "efa-only",
    "branch",
    "trunk",
    "lambda",
    "vpc_endpoint",
    "load_balancer",
    "network_load_balancer",
    "nat_gateway",
    "natGateway",
    "",
];

fn interfaces<'a>(network: &mut Network<'a>, world: &World<'a>) {
    let mut sets: FxHashMap<Box<[Ix<Group<'a>>]>, Ix<GroupSet<'a>>> = FxHashMap::default();
    let mut classes: FxHashMap<Class<'a>, Ix<Class<'a>>> = FxHashMap::default();
    network.ids.enis.reserve(world.network_interfaces.len());
    for Located { account, region, data } in world.network_interfaces {
        let id = data.network_interface_id.as_str();
        if let Some(ix) = network.ids.enis.get(id) {
            let before = network.enis.get_mut(*ix);
            let same = before.data.groups == data.groups
                && before.data.subnet_id == data.subnet_id
                && before.data.private_ip_addresses == data.private_ip_addresses;
            if !same {
                before.doubt = Some(format!("contradictory:{id}").into());
            }
            continue;
        }
        let subnet = data.subnet_id.as_deref().and_then(|id| network.ids.subnets.get(id)).copied();
        let groups = {
            let (arena, ids) = (&mut network.groups, &mut network.ids.groups);
            let mut groups: Vec<_> = data
                .groups
                .iter()
                .map(|group| *ids.entry(group.group_id.as_str()).or_insert_with(|| arena.push(Group::named(&group.group_id))))
                .collect();
            groups.sort_unstable();
            groups.dedup();
            let groups = groups.into_boxed_slice();
            if let Some(set) = sets.get(&groups) {
                *set
            } else {
                let set = network.group_sets.push(GroupSet { groups: groups.clone() });
                sets.insert(groups, set);
                set
            }
        };
        let kind = data.interface_type.as_deref().unwrap_or_default();
        let doubt = match (data.subnet_id.as_deref(), subnet) {
            (None, _) => Some(Doubt::from(format!("subnet-missing:{id}"))),
            (Some(id), None) => Some(format!("subnet-missing:{id}").into()),
            _ if !EVALUATED.contains(&kind) => Some(format!("opaque-interface:{id}:{kind}").into()),
            _ => None,
        };
        let start = network.addresses.len();
        let vpc = subnet.map(|subnet| network.subnets.get(subnet).vpc);
        read_addresses(&mut network.addresses, data, vpc.map(|vpc| &network.vpcs.get(vpc).private6));
        let addresses = network.addresses.get(start..).unwrap_or_default();
        let public = |family| addresses.iter().any(|address| address.public && Family::of(address.first) == family);
        let class = Class {
            subnet,
            groups,
            public4: public(Family::V4),
            public6: public(Family::V6),
            denies_gateway: data.deny_all_igw_traffic == Some(true),
            // What a gateway's own route table diverts, what is uncertain, and what AWS itself answers on may differ from
            // one interface to the next.
            own: (doubt.is_some()
                || is_gateway_or_node(data)
                || crate::doors::front_door(data).is_some()
                || data.groups.is_empty()
                || vpc.is_some_and(|vpc| network.vpcs.get(vpc).edge.is_some()))
            .then(|| u32::try_from(network.enis.len()).unwrap_or(u32::MAX)),
        };
        let class = *classes.entry(class).or_insert_with(|| network.classes.push(class));
        let range = (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(network.addresses.len()).unwrap_or(u32::MAX));
        let eni = Eni { id, data, account: account.as_str(), region: region.as_str(), subnet, groups, class, addresses: range, doubt };
        let ix = network.enis.push(eni);
        network.ids.enis.insert(id, ix);
        if let (Some(vpc), Some(_)) = (vpc, crate::doors::front_door(data)) {
            let doors = network.front_doors.entry(vpc).or_default();
            // What one of several alike reaches, all do.
            let alike = |door: &Ix<Eni<'_>>| {
                let door = network.enis.get(*door);
                (door.subnet, door.groups) == (subnet, groups)
            };
            if !doors.iter().any(alike) {
                doors.push(ix);
            }
        }
        let primary = data
            .attachment
            .as_ref()
            .filter(|attachment| attachment.device_index == Some(0) && attachment.network_card_index.unwrap_or(0) == 0);
        if let Some(instance) = primary.and_then(|attachment| attachment.instance_id.as_deref()) {
            network.ids.instances.entry(instance).or_insert(ix);
        }
    }
    index_members_and_addresses(network);
}

/// Whether AWS runs what is behind an interface, and answers on some ports only: a NAT gateway, a load balancer's node.
fn is_gateway_or_node(data: &ec2::NetworkInterface) -> bool {
    matches!(data.interface_type.as_deref(), Some("nat_gateway" | "natGateway"))
        || data.description.as_deref().is_some_and(|description| description.starts_with("ELB "))
}

fn read_addresses(out: &mut Vec<Address>, data: &ec2::NetworkInterface, private6: Option<&CidrSet>) {
    let start = out.len();
    for address in &data.private_ip_addresses {
        if let Some(number) = address.private_ip_address.as_deref().and_then(parse_address) {
            let public = address.association.as_ref().is_some_and(|association| association.public_ip.is_some());
            out.push(Address { first: number, last: number, public });
        }
    }
    if let Some(number) = data.private_ip_address.as_deref().and_then(parse_address) {
        let associated = data.association.as_ref().is_some_and(|association| association.public_ip.is_some());
        match out.iter_mut().skip(start).find(|address| address.first == number) {
            Some(address) => address.public |= associated,
            None => out.push(Address { first: number, last: number, public: associated }),
        }
    }
    let blocks4 = data.ipv4_prefixes.iter().filter_map(|prefix| cidr_range(prefix.ipv4_prefix.as_deref()?));
    out.extend(blocks4.map(|(first, last)| Address { first, last, public: false }));
    // Without the VPC nothing says that an address is private: better to be seen.
    let public6 = |first| Family::V6.internet().contains(first) && !private6.is_some_and(|private| private.contains(first));
    let single6 =
        data.ipv6_addresses.iter().filter_map(|address| parse_address(address.ipv6_address.as_deref()?)).map(|number| (number, number));
    let blocks6 = data.ipv6_prefixes.iter().filter_map(|prefix| cidr_range(prefix.ipv6_prefix.as_deref()?));
    for (first, last) in single6.chain(blocks6).filter(|(first, last)| first <= last) {
        out.push(Address { first, last, public: public6(first) });
    }
}

fn index_members_and_addresses(network: &mut Network<'_>) {
    for (ix, eni) in network.enis.iter() {
        for group in &network.group_sets.get(eni.groups).groups {
            network.members.entry(*group).or_default().push(ix);
        }
        let (start, end) = (eni.addresses.0 as usize, eni.addresses.1 as usize);
        let addresses = network.addresses.get(start..end).unwrap_or_default();
        network.by_address.extend(addresses.iter().map(|address| Owned { first: address.first, last: address.last, reaches: 0, eni: ix }));
    }
    network.by_address.sort_unstable_by_key(|entry| (entry.first, entry.last, entry.eni));
    let mut reaches = 0;
    for entry in &mut network.by_address {
        reaches = entry.last.max(reaches);
        entry.reaches = reaches;
    }
}

fn balancers<'a>(network: &mut Network<'a>, world: &World<'a>) {
    for Located { data, .. } in world.load_balancers {
        if !matches!(data.kind.as_str(), "application" | "network") || network.ids.balancers.contains_key(data.load_balancer_arn.as_str()) {
            continue;
        }
        let vpc = data.vpc_id.as_deref().and_then(|id| network.ids.vpcs.get(id)).copied();
        let listeners_unread = data.listeners.known().is_err().then(|| format!("listeners-missing:{}", data.load_balancer_name).into());
        let balancer = Balancer { name: &data.load_balancer_name, data, vpc, nodes: Vec::new(), listeners: Vec::new(), listeners_unread };
        network.ids.balancers.insert(&data.load_balancer_arn, network.balancers.push(balancer));
    }
    // `ELB app/shop/50dc6c495c0c9188` is the end of `…:loadbalancer/app/shop/50dc6c495c0c9188`.
    let by_suffix: FxHashMap<&str, Ix<Balancer<'a>>> =
        network.ids.balancers.iter().filter_map(|(arn, ix)| Some((arn.split_once(":loadbalancer/")?.1, *ix))).collect();
    for (ix, eni) in network.enis.iter() {
        let Some(suffix) = eni.data.description.as_deref().and_then(|description| description.strip_prefix("ELB ")) else { continue };
        if let Some(balancer) = by_suffix.get(suffix) {
            network.balancers.get_mut(*balancer).nodes.push(ix);
            network.node_of.insert(ix, *balancer);
        }
    }
    for listener in world.listeners {
        let Some(&ix) = network.ids.balancers.get(listener.data.load_balancer_arn.as_str()) else { continue };
        let listeners = &mut network.balancers.get_mut(ix).listeners;
        if !listeners.iter().any(|known| known.listener_arn == listener.data.listener_arn) {
            listeners.push(&listener.data);
        }
    }
    target_groups(network, world.target_groups);
}

fn target_groups<'a>(network: &mut Network<'a>, described: &'a [Located<elasticloadbalancing::TargetGroup>]) {
    for Located { data, .. } in described {
        if network.ids.target_groups.contains_key(data.target_group_arn.as_str()) {
            continue;
        }
        let group = targets(network, data);
        let enis: Vec<_> = group.targets.iter().map(|target| target.eni).collect();
        let ix = network.target_groups.push(group);
        network.ids.target_groups.insert(&data.target_group_arn, ix);
        for eni in enis {
            let groups = network.targeted.entry(eni).or_default();
            if groups.last() != Some(&ix) {
                groups.push(ix);
            }
        }
    }
    let mut forwarding: FxHashMap<_, Vec<_>> = FxHashMap::default();
    for (balancer_ix, balancer) in network.balancers.iter() {
        for (at, listener) in balancer.listeners.iter().enumerate() {
            for forward in forwards(listener).0 {
                if let Some(group) = network.ids.target_groups.get(forward.group) {
                    let entries: &mut Vec<_> = forwarding.entry(*group).or_default();
                    if entries.last() != Some(&(balancer_ix, at)) {
                        entries.push((balancer_ix, at));
                    }
                }
            }
        }
    }
    network.forwarding = forwarding;
    let mut chained_to: FxHashMap<_, Vec<_>> = FxHashMap::default();
    for (group_ix, group) in network.target_groups.iter() {
        for &(balancer, port, state) in &group.chained {
            let listeners = network.balancers.get(balancer).listeners.iter().enumerate();
            for (at, _) in listeners.filter(|(_, listener)| crate::balancing::port(listener) == Some(port)) {
                chained_to.entry((balancer, at)).or_default().push((group_ix, state));
            }
        }
    }
    // A group that no load balancer uses leads nowhere, whatever its targets are.
    let in_use =
        |data: &elasticloadbalancing::TargetGroup| !data.load_balancer_arns.is_empty() && data.target_type.as_deref() != Some("lambda");
    let mut unsure = FxHashMap::default();
    for (_, group) in network.target_groups.iter().filter(|(_, group)| in_use(group.data)) {
        let vpc = group.data.vpc_id.as_deref().and_then(|id| network.ids.vpcs.get(id));
        if let (Some(vpc), Some(doubt)) = (vpc, &group.unread) {
            unsure.entry(*vpc).or_insert_with(|| doubt.clone());
        }
    }
    network.unsure_balancing = unsure;
    network.has_chains = !chained_to.is_empty();
    network.chained_to = chained_to;
}
