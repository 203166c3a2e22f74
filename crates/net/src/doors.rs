//! Front doors: interfaces by which another service of AWS enters a VPC, whatever routes and public addresses say. That
//! service was not read, so that what such an interface reaches may be reached from the internet.

use plimsoll_model::aws::ec2;

use crate::address::Family;
use crate::arena::Ix;
use crate::balanced::{Client, Packets};
use crate::network::{Eni, Network, Vpc};
use crate::question::Via;
use crate::reach::Outcome;
use crate::routes::Doubt;
use crate::set::CidrSet;

/// What kind of front door an interface is: Global Accelerator, an API Gateway VPC link, or a CloudFront VPC origin, whose
/// interfaces carry the tag that `AWSCloudFrontVPCOriginServiceRolePolicy` asks for.
pub(crate) fn front_door(data: &ec2::NetworkInterface) -> Option<&str> {
    const BY_TYPE: [&str; 2] = ["global_accelerator_managed", "api_gateway_managed"];
    const CLOUDFRONT: &str = "aws.cloudfront.vpcorigin";
    let by_type = data.interface_type.as_deref().filter(|kind| BY_TYPE.contains(kind));
    by_type.or_else(|| data.tag_set.iter().any(|tag| tag.key == CLOUDFRONT).then_some("cloudfront_vpc_origin"))
}

impl<'a> Network<'a> {
    /// The doubt that the first front door of a VPC casts.
    pub(crate) fn front_door(&self, vpc: Ix<Vpc<'a>>) -> Option<Doubt> {
        Some(self.door_doubt(*self.front_doors.get(&vpc)?.first()?))
    }

    fn door_doubt(&self, door: Ix<Eni<'a>>) -> Doubt {
        let door = self.enis.get(door);
        format!("front-door:{}:{}", front_door(door.data).unwrap_or_default(), door.id).into()
    }

    /// The front doors into the VPC of an interface.
    pub(crate) fn doors_to(&self, target: Ix<Eni<'a>>) -> impl Iterator<Item = Ix<Eni<'a>>> {
        let vpc = self.enis.get(target).subnet.map(|subnet| self.subnets.get(subnet).vpc);
        let doors = vpc.and_then(|vpc| self.front_doors.get(&vpc)).map(Vec::as_slice).unwrap_or_default();
        doors.iter().copied().filter(move |door| *door != target)
    }

    /// The paths from front doors that are open: each of them as doubtful, for any of the peers that were asked about. Behind
    /// a door the family may be another than that of whoever knocks, so that both are walked; none lets a ping in.
    pub(crate) fn through_doors(
        &self,
        peers: &CidrSet,
        target: Ix<Eni<'a>>,
        via: Option<Via>,
        packets: Packets<'_>,
    ) -> Vec<Outcome<'_, 'a>> {
        let outside = peers.intersect(&CidrSet::internet());
        if outside.is_empty() || !packets.protocol.has_ports() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for door in self.doors_to(target) {
            let start = out.len();
            for family in Family::BOTH {
                let packets = Packets { family, ..packets };
                if via != Some(Via::Lb) {
                    let direct = self.between(door, target, packets.protocol, family, packets.ports, packets.traced);
                    out.extend(direct.into_iter().map(|walk| Outcome { walk, balanced: None }));
                }
                if via != Some(Via::Direct) && self.is_listened_for(target, Some(packets.protocol), None) {
                    out.extend(self.balanced(Client::Interface(door), target, packets));
                }
            }
            let doubt = self.door_doubt(door);
            for outcome in out.iter_mut().skip(start) {
                outcome.walk.come_by(&doubt, &outside);
            }
        }
        out.retain(|outcome| outcome.walk.arrived().next().is_some());
        out
    }
}
