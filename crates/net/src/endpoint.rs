//! Which endpoint of an AWS service an interface can in fact use: whether one is there, whether its name leads to it, and
//! whether groups, ACLs and routes let TLS through.

use plimsoll_model::aws::ec2::VpcEndpoint;
use serde::Serialize;

use crate::address::Family;
use crate::arena::Ix;
use crate::describe::block_word;
use crate::network::{Eni, Network, Subnet, Vpc};
use crate::protocol::Protocol;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Walk, client_ports};

/// Whether an interface reaches an endpoint of a service on port 443.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum EndpointAccess {
    /// It does.
    Reachable {
        /// The id of the endpoint.
        endpoint: String,
        /// `Interface` or `Gateway`.
        kind: String,
    },
    /// The VPC has no endpoint for the service.
    Absent,
    /// There is one, and something stands in the way.
    Blocked {
        /// The id of the endpoint.
        endpoint: String,
        /// The first hop that blocks, `code:object[:detail]`.
        blocked_by: String,
    },
    /// It is not known.
    Unknown {
        /// What is missing.
        missing: String,
    },
}

impl<'a> Network<'a> {
    /// Which endpoint an interface uses for a service, such as `ecr.api`, `ecr.dkr`, `s3`, `logs`, `secretsmanager`,
    /// `kms` or `ecs-agent`, or the full service name. The endpoint's own policy is not asked: that is IAM's.
    pub fn endpoint_access(&self, interface: &str, service: &str) -> EndpointAccess {
        let Some(&ix) = self.ids.enis.get(interface) else {
            return EndpointAccess::Unknown { missing: format!("network-interface-missing:{interface}") };
        };
        let eni = self.enis.get(ix);
        let Some(vpc) = self.vpc_of(eni) else {
            return EndpointAccess::Unknown { missing: format!("subnet-missing:{interface}") };
        };
        self.best_endpoint(vpc, service, |endpoint| self.through_endpoint(ix, eni, endpoint))
    }

    /// The best that a VPC's endpoints of a service give.
    pub(crate) fn best_endpoint(
        &self,
        vpc: &Vpc<'a>,
        service: &str,
        through: impl Fn(&'a VpcEndpoint) -> EndpointAccess,
    ) -> EndpointAccess {
        let mut candidates: Vec<&'a VpcEndpoint> = self
            .endpoints
            .iter()
            .copied()
            .filter(|endpoint| endpoint.vpc_id.as_deref() == Some(vpc.id) && serves(endpoint, service))
            .collect();
        candidates.sort_by(|a, b| a.vpc_endpoint_id.cmp(&b.vpc_endpoint_id));
        let answers = candidates.into_iter().map(|endpoint| refused(endpoint).unwrap_or_else(|| through(endpoint)));
        let rank = |answer: &EndpointAccess| match answer {
            EndpointAccess::Reachable { .. } => 0,
            EndpointAccess::Unknown { .. } => 1,
            EndpointAccess::Blocked { .. } => 2,
            EndpointAccess::Absent => 3,
        };
        let best = answers.min_by_key(rank).unwrap_or(EndpointAccess::Absent);
        match self.unread(vpc.account, vpc.region, "ec2:DescribeVpcEndpoints") {
            Some(doubt) if rank(&best) > 1 => EndpointAccess::Unknown { missing: doubt.to_string() },
            _ => best,
        }
    }

    fn through_endpoint(&self, ix: Ix<Eni<'a>>, eni: &Eni<'a>, endpoint: &VpcEndpoint) -> EndpointAccess {
        let id = endpoint.vpc_endpoint_id.clone();
        let kind = endpoint.vpc_endpoint_type.clone().unwrap_or_default();
        if kind == "Gateway" {
            return self.through_gateway_endpoint(ix, eni, endpoint);
        }
        let mut first_block = None;
        let mut missing = None;
        for target in &endpoint.network_interface_ids {
            let Some(&target_ix) = self.ids.enis.get(target.as_str()) else {
                missing.get_or_insert_with(|| format!("network-interface-missing:{target}"));
                continue;
            };
            match self.opens(ix, target_ix) {
                Some(true) => return EndpointAccess::Reachable { endpoint: id, kind },
                None => {
                    let walks = Family::BOTH
                        .into_iter()
                        .flat_map(|family| self.between(ix, target_ix, Protocol::TCP, family, &PortSet::one(443), false));
                    let doubt = walks.flat_map(Walk::into_arrived).find_map(|piece| piece.doubt);
                    missing = missing.or_else(|| doubt.map(|doubt| doubt.to_string()));
                }
                Some(false) if first_block.is_none() => {
                    let walks = self.between(ix, target_ix, Protocol::TCP, Family::V4, &PortSet::one(443), false);
                    first_block =
                        walks.iter().find_map(|walk| walk.steps.iter().find(|step| step.blocked).map(|step| block_word(self, walk, step)));
                }
                Some(false) => {}
            }
        }
        match (missing, first_block) {
            (Some(missing), _) => EndpointAccess::Unknown { missing },
            (None, Some(blocked_by)) => EndpointAccess::Blocked { endpoint: id, blocked_by },
            (None, None) => EndpointAccess::Blocked { blocked_by: format!("no-endpoint-interface:{id}"), endpoint: id },
        }
    }

    fn through_gateway_endpoint(&self, ix: Ix<Eni<'a>>, eni: &Eni<'a>, endpoint: &VpcEndpoint) -> EndpointAccess {
        let id = endpoint.vpc_endpoint_id.clone();
        let subnet = eni.subnet.map_or("", |subnet| self.subnets.get(subnet).id);
        let behind = match eni.subnet.map(|subnet| self.routed_to(self.subnets.get(subnet), &id)) {
            Some(Ok(behind)) => behind,
            Some(Err(stopped)) => return stopped,
            None => return EndpointAccess::Blocked { blocked_by: format!("route:{subnet}:none"), endpoint: id },
        };
        let walk = Walk::new(self, Protocol::TCP, Family::V4, behind, PortSet::one(443), client_ports(false));
        let walks = self.to_internet(walk, ix, false);
        let arrived = || walks.iter().flat_map(|(_, walk)| walk.arrived());
        if arrived().any(|piece| piece.doubt.is_none()) {
            return EndpointAccess::Reachable { endpoint: id, kind: "Gateway".to_owned() };
        }
        if let Some(doubt) = arrived().find_map(|piece| piece.doubt.as_deref()) {
            return EndpointAccess::Unknown { missing: doubt.to_owned() };
        }
        let block = walks.iter().find_map(|(_, walk)| walk.steps.iter().find(|step| step.blocked).map(|step| block_word(self, walk, step)));
        EndpointAccess::Blocked { endpoint: id, blocked_by: block.unwrap_or_else(|| format!("route:{subnet}:none")) }
    }

    /// The IPv4 addresses that a subnet's routes send to a gateway endpoint; without any, what that makes of it.
    pub(crate) fn routed_to(&self, subnet: &Subnet<'a>, endpoint: &str) -> Result<CidrSet, EndpointAccess> {
        let behind = self.behind_endpoint(subnet, endpoint).of_family(Family::V4);
        if !behind.is_empty() {
            return Ok(behind);
        }
        let table = subnet.table.map(|table| self.tables.get(table));
        // The route may be there on a prefix list whose entries were not read.
        Err(match table.and_then(|table| table.unsure_of_none.as_ref().or(table.unsure.as_ref())) {
            Some(doubt) => EndpointAccess::Unknown { missing: doubt.to_string() },
            None => EndpointAccess::Blocked { blocked_by: format!("route:{}:none", subnet.id), endpoint: endpoint.to_owned() },
        })
    }
}

/// What keeps everybody out of an endpoint.
fn refused(endpoint: &VpcEndpoint) -> Option<EndpointAccess> {
    let id = &endpoint.vpc_endpoint_id;
    let state = endpoint.state.as_deref().unwrap_or("available");
    if !state.eq_ignore_ascii_case("available") {
        return Some(EndpointAccess::Blocked { blocked_by: format!("endpoint-state:{id}:{state}"), endpoint: id.clone() });
    }
    // Without private DNS the service's usual name leads elsewhere.
    let is_named = endpoint.private_dns_enabled || endpoint.vpc_endpoint_type.as_deref() == Some("Gateway");
    (!is_named).then(|| EndpointAccess::Blocked { blocked_by: format!("private-dns:{id}"), endpoint: id.clone() })
}

/// Whether an endpoint is for a service: `com.amazonaws.eu-west-1.ecr.api` is for `ecr.api`.
fn serves(endpoint: &VpcEndpoint, service: &str) -> bool {
    let Some(name) = endpoint.service_name.as_deref() else { return false };
    if name == service {
        return true;
    }
    let rest = name.split_once("com.amazonaws.").and_then(|(_, rest)| rest.split_once('.'));
    rest.is_some_and(|(_, short)| short == service)
}
