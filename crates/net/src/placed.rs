//! Endpoints as a client would find them that need not run yet: a subnet and the groups that it is to have flow in; which
//! endpoint of an AWS service it can use, wherever in the subnet it gets its addresses, flows out.

use plimsoll_model::aws::ec2::VpcEndpoint;

use crate::address::Family;
use crate::arena::Ix;
use crate::describe::block_word;
use crate::endpoint::EndpointAccess;
use crate::groups::{Group, Reference};
use crate::network::{Eni, Network, Subnet};
use crate::protocol::Protocol;
use crate::routes::Doubt;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Hop, Piece, Walk, client_ports};

/// A client anywhere in a subnet.
struct Client<'n, 'a> {
    ix: Ix<Subnet<'a>>,
    subnet: &'n Subnet<'a>,
    /// In order, without repetition.
    groups: Vec<Ix<Group<'a>>>,
    /// Its possible addresses of one family.
    addresses: CidrSet,
    family: Family,
}

impl<'a> Network<'a> {
    /// Which endpoint a client uses for a service, such as `ecr.api`, that gets its addresses from a subnet and carries
    /// these groups. An endpoint counts only when it is in reach from the whole subnet.
    pub fn endpoint_access_from(&self, subnet: &str, groups: &[&str], service: &str) -> EndpointAccess {
        let unknown = |missing: String| EndpointAccess::Unknown { missing };
        let Some(&ix) = self.ids.subnets.get(subnet) else { return unknown(format!("subnet-missing:{subnet}")) };
        let mut known = Vec::with_capacity(groups.len());
        for id in groups {
            match self.ids.groups.get(id) {
                Some(group) => known.push(*group),
                None => return unknown(format!("security-group-missing:{id}")),
            }
        }
        if known.is_empty() {
            return unknown(format!("security-groups-missing:{subnet}"));
        }
        known.sort_unstable();
        known.dedup();
        let subnet = self.subnets.get(ix);
        let vpc = self.vpcs.get(subnet.vpc);
        let four = subnet.addresses.of_family(Family::V4);
        // Clients go by IPv6 where there is nothing else.
        let family = if four.is_empty() { Family::V6 } else { Family::V4 };
        let addresses = if four.is_empty() { subnet.addresses.of_family(family) } else { four };
        if addresses.is_empty() {
            return unknown(format!("addresses-missing:{}", subnet.id));
        }
        let client = Client { ix, subnet, groups: known, addresses, family };
        self.best_endpoint(vpc, service, |endpoint| match endpoint.vpc_endpoint_type.as_deref() {
            Some("Gateway") => self.placed_gateway(&client, endpoint),
            _ => self.placed_interface(&client, endpoint),
        })
    }

    fn placed_interface(&self, client: &Client<'_, 'a>, endpoint: &VpcEndpoint) -> EndpointAccess {
        let id = endpoint.vpc_endpoint_id.clone();
        let (mut missing, mut first_block): (Option<String>, Option<String>) = (None, None);
        for target in &endpoint.network_interface_ids {
            let Some(&target_ix) = self.ids.enis.get(target.as_str()) else {
                missing.get_or_insert_with(|| format!("network-interface-missing:{target}"));
                continue;
            };
            for address in self.addresses_in(target_ix, client.family).ranges() {
                let walk = self.placed_walk(client, target_ix, &CidrSet::range(address.0, address.1));
                let covers = |pieces: &mut dyn Iterator<Item = &Piece>| {
                    client.addresses.minus(&CidrSet::union_of(pieces.map(|piece| &piece.peers))).is_empty()
                };
                if covers(&mut walk.arrived().filter(|piece| piece.doubt.is_none())) {
                    return EndpointAccess::Reachable { endpoint: id, kind: endpoint.vpc_endpoint_type.clone().unwrap_or_default() };
                }
                if covers(&mut walk.arrived()) {
                    let doubt = walk.arrived().find_map(|piece| piece.doubt.as_ref());
                    missing = missing.or_else(|| doubt.map(Doubt::to_string));
                } else {
                    let block = walk.steps.iter().find(|step| step.blocked).map(|step| block_word(self, &walk, step));
                    // Some of the addresses arrive and others do not.
                    first_block = first_block.or_else(|| Some(block.unwrap_or_else(|| format!("sg-in:{target}:part"))));
                }
            }
        }
        match (missing, first_block) {
            (Some(missing), _) => EndpointAccess::Unknown { missing },
            (None, Some(blocked_by)) => EndpointAccess::Blocked { endpoint: id, blocked_by },
            (None, None) => EndpointAccess::Blocked { blocked_by: format!("no-endpoint-interface:{id}"), endpoint: id },
        }
    }

    /// From the client to one interface of an endpoint and back; the walk's far side is the client's addresses.
    fn placed_walk<'n>(&'n self, client: &Client<'_, 'a>, target_ix: Ix<Eni<'a>>, at: &CidrSet) -> Walk<'n, 'a> {
        let target = self.enis.get(target_ix);
        let mut walk = Walk::new(self, Protocol::TCP, client.family, client.addresses.clone(), PortSet::one(443), client_ports(false));
        if let Some(doubt) = &target.doubt {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
        let theirs = &self.group_sets.get(target.groups).groups;
        self.placed_groups(&mut walk, client, |reference| theirs.binary_search(&reference.group).is_ok(), Some(at));
        let home = target.subnet.map(|subnet| self.subnets.get(subnet));
        let elsewhere = home.filter(|_| target.subnet != Some(client.ix));
        if let Some(home) = elsewhere {
            self.acl_hop(&mut walk, client.subnet, true, false, Some(at));
            self.route_hop(&mut walk, client.subnet, home, at);
            self.acl_hop(&mut walk, home, false, false, None);
        }
        if !theirs.is_empty() {
            let far = crate::direct::Far::Addresses;
            let mut gates = Vec::new();
            let mine = |reference: &Reference<'a>| client.groups.binary_search(&reference.group).is_ok();
            self.gates_of(theirs, false, Protocol::TCP, mine, &mut gates);
            walk.filter(Hop::Groups { eni: target_ix, egress: false, far }, &gates, None);
        }
        walk.turn();
        if let Some(home) = elsewhere {
            self.acl_hop(&mut walk, home, true, true, None);
            self.acl_hop(&mut walk, client.subnet, false, true, Some(at));
            self.return_route(&mut walk, home, client.subnet);
        }
        walk
    }

    fn placed_gateway(&self, client: &Client<'_, 'a>, endpoint: &VpcEndpoint) -> EndpointAccess {
        let id = endpoint.vpc_endpoint_id.as_str();
        let behind = match self.routed_to(client.subnet, id) {
            Ok(behind) => behind,
            Err(stopped) => return stopped,
        };
        let mut walk = Walk::new(self, Protocol::TCP, Family::V4, behind, PortSet::one(443), client_ports(false));
        self.placed_groups(&mut walk, client, |_| false, None);
        self.acl_hop(&mut walk, client.subnet, true, false, None);
        if let Some(doubt) = client.subnet.table.and_then(|table| self.tables.get(table).unsure.as_ref()) {
            walk.doubt(doubt);
        }
        walk.turn();
        self.acl_hop(&mut walk, client.subnet, false, true, None);
        if walk.arrived().any(|piece| piece.doubt.is_none()) {
            return EndpointAccess::Reachable { endpoint: id.to_owned(), kind: "Gateway".to_owned() };
        }
        if let Some(doubt) = walk.arrived().find_map(|piece| piece.doubt.as_deref()) {
            return EndpointAccess::Unknown { missing: doubt.to_owned() };
        }
        let block = walk.steps.iter().find(|step| step.blocked).map(|step| block_word(self, &walk, step));
        let blocked_by = block.unwrap_or_else(|| format!("route:{}:none", client.subnet.id));
        EndpointAccess::Blocked { endpoint: id.to_owned(), blocked_by }
    }

    /// What the client's own groups let out.
    fn placed_groups(
        &self,
        walk: &mut Walk<'_, 'a>,
        client: &Client<'_, 'a>,
        matches: impl Fn(&Reference<'a>) -> bool,
        fixed: Option<&CidrSet>,
    ) {
        let mut gates = Vec::new();
        self.gates_of(&client.groups, true, Protocol::TCP, matches, &mut gates);
        walk.filter(Hop::Balancing { code: "sg-out", object: client.subnet.id }, &gates, fixed);
    }
}

#[cfg(test)]
mod tests {
    use crate::{EndpointAccess, Network, WorldFile};

    /// An endpoint for `logs` in subnet `b` that lets group `sg-task` in, and the addresses that `admitted` says; one of S3.
    fn world(admitted: &str, egress: &str) -> String {
        format!(
            r#"{{"vpcs": [{{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}}],
            "subnets": [{{"SubnetId": "subnet-a", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}},
                        {{"SubnetId": "subnet-b", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}}],
            "route_tables": [{{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{{"Main": true}}], "Routes": [
                {{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}},
                {{"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-s3", "State": "active"}}]}}],
            "network_acls": [{{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": [
                {{"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": true, "CidrBlock": "0.0.0.0/0"}},
                {{"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": false, "CidrBlock": "0.0.0.0/0"}}]}}],
            "prefix_lists": [{{"PrefixListId": "pl-s3", "Cidrs": ["52.216.0.0/15"]}}],
            "security_groups": [
                {{"GroupId": "sg-task", "VpcId": "vpc-1", "IpPermissionsEgress": [{egress}]}},
                {{"GroupId": "sg-other", "VpcId": "vpc-1", "IpPermissionsEgress": [{egress}]}},
                {{"GroupId": "sg-endpoint", "VpcId": "vpc-1", "IpPermissions": [
                    {{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, {admitted}}}]}}],
            "network_interfaces": [{{"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-b", "VpcId": "vpc-1", "InterfaceType": "vpc_endpoint",
                "PrivateIpAddress": "10.0.1.7", "PrivateIpAddresses": [{{"PrivateIpAddress": "10.0.1.7", "Primary": true}}],
                "Groups": [{{"GroupId": "sg-endpoint"}}]}}],
            "vpc_endpoints": [
                {{"VpcEndpointId": "vpce-logs", "VpcEndpointType": "Interface", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.logs",
                  "State": "available", "PrivateDnsEnabled": true, "NetworkInterfaceIds": ["eni-1"]}},
                {{"VpcEndpointId": "vpce-s3", "VpcEndpointType": "Gateway", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.s3",
                  "State": "available", "RouteTableIds": ["rtb-1"]}}]}}"#
        )
    }

    const ALL: &str = r#"{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}"#;
    const INSIDE: &str = r#"{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}"#;

    fn ask(world: &str, groups: &[&str], service: &str) -> String {
        let file = WorldFile::parse(world).unwrap();
        let network = Network::compile(&file.world());
        match network.endpoint_access_from("subnet-a", groups, service) {
            EndpointAccess::Reachable { endpoint, .. } => endpoint,
            EndpointAccess::Absent => "absent".to_owned(),
            EndpointAccess::Blocked { blocked_by, .. } => blocked_by,
            EndpointAccess::Unknown { missing } => format!("? {missing}"),
        }
    }

    #[test]
    fn an_endpoint_counts_when_it_admits_the_group_or_the_whole_subnet() {
        let by_group = world(r#""UserIdGroupPairs": [{"GroupId": "sg-task"}]"#, ALL);
        assert_eq!(ask(&by_group, &["sg-task"], "logs"), "vpce-logs");
        assert_eq!(ask(&by_group, &["sg-other", "sg-task"], "logs"), "vpce-logs");
        assert_eq!(ask(&by_group, &["sg-other"], "logs"), "sg-in:eni-1");
        let whole = r#""IpRanges": [{"CidrIp": "10.0.0.0/25"}, {"CidrIp": "10.0.0.128/25"}]"#;
        assert_eq!(ask(&world(whole, INSIDE), &["sg-other"], "logs"), "vpce-logs");
        let half = r#""IpRanges": [{"CidrIp": "10.0.0.0/25"}]"#;
        assert_eq!(ask(&world(half, ALL), &["sg-other"], "logs"), "sg-in:eni-1:part");
    }

    #[test]
    fn the_clients_own_groups_must_let_it_out() {
        let open = r#""IpRanges": [{"CidrIp": "10.0.0.0/16"}]"#;
        assert_eq!(ask(&world(open, ""), &["sg-task"], "logs"), "sg-out:subnet-a");
        assert_eq!(ask(&world(open, INSIDE), &["sg-task"], "s3"), "sg-out:subnet-a");
        assert_eq!(ask(&world(open, ALL), &["sg-task"], "s3"), "vpce-s3");
    }

    #[test]
    fn what_is_not_there_and_what_was_not_read_differ() {
        let open = world(r#""IpRanges": [{"CidrIp": "10.0.0.0/16"}]"#, ALL);
        assert_eq!(ask(&open, &["sg-task"], "kms"), "absent");
        assert_eq!(ask(&open, &["sg-gone"], "logs"), "? security-group-missing:sg-gone");
        assert_eq!(ask(&open, &[], "logs"), "? security-groups-missing:subnet-a");
        let no_acl = open.replace("\"network_acls\"", "\"ignored\"");
        assert_eq!(ask(&no_acl, &["sg-task"], "logs"), "? network-acl-missing:subnet-a");
    }

    #[test]
    fn a_client_that_is_placed_fares_as_one_that_runs() {
        let admitted = r#""UserIdGroupPairs": [{"GroupId": "sg-task"}]"#;
        for egress in [ALL, INSIDE, ""] {
            let running = world(admitted, egress).replace(
                "\"network_interfaces\": [",
                r#""network_interfaces": [{"NetworkInterfaceId": "eni-t", "SubnetId": "subnet-a", "VpcId": "vpc-1", "InterfaceType": "interface",
                    "PrivateIpAddress": "10.0.0.9", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.9", "Primary": true}],
                    "Groups": [{"GroupId": "sg-task"}]},"#,
            );
            let file = WorldFile::parse(&running).unwrap();
            let network = Network::compile(&file.world());
            for service in ["logs", "s3", "kms"] {
                let placed = network.endpoint_access_from("subnet-a", &["sg-task"], service);
                let runs = network.endpoint_access("eni-t", service);
                assert_eq!(std::mem::discriminant(&placed), std::mem::discriminant(&runs), "{service} {egress}: {placed:?} {runs:?}");
            }
        }
    }
}
