//! The policy of a VPC endpoint flows in; whether it lets credentials of outsiders through flows out.

use plimsoll_iam::{Caller, DocumentKind, KeyState, Layer, Policies, Request, Vantage};
use plimsoll_model::aws::ec2::VpcEndpoint;
use plimsoll_model::{Resource, partition_of};

use super::{Admitted, Entrance, Guarded, NO_ORGANIZATION, Named, Outsider, better, callers, unnamed_account};
use crate::permission::parsed;
use crate::{Node, Unknown};

/// Whose resource somebody from outside asks for through an endpoint.
#[derive(Clone, Copy)]
enum Asked<'r> {
    /// Their own, by the part of the ARN after the account; none for the ARN of a bucket.
    Theirs { service: &'r str, resource: &'r str },
    /// One with this ARN.
    Ours(&'r str),
}

impl Node<'_, VpcEndpoint> {
    /// Whether somebody from outside may do this through it to a resource of their own, `repository/x` of `ecr` say, by
    /// its policy; what the resource itself and the identity allow is taken for granted.
    pub fn lets_outsiders_reach_theirs(self, action: &str, service: &str, resource: &str) -> Result<Option<Admitted>, Unknown> {
        Ok(self.strangers(action, Asked::Theirs { service, resource }, false)?.0)
    }

    /// Whether somebody from outside may do this through it to a resource with this ARN. Members of organizations that
    /// its policy names count too; what was not read of the own organization comes with the answer.
    pub fn lets_outsiders_reach(self, action: &str, resource: &str) -> Result<(Option<Admitted>, Option<Unknown>), Unknown> {
        self.strangers(action, Asked::Ours(resource), true)
    }

    fn strangers(self, action: &str, asked: Asked<'_>, of_foreign: bool) -> Result<(Option<Admitted>, Option<Unknown>), Unknown> {
        let Some(policy) = &self.data().policy_document else { return Ok((None, None)) };
        let arn = self.arn();
        let guarded = Guarded {
            account: self.account(),
            arn: &arn,
            policy,
            kind: DocumentKind::Endpoint,
            operation: VpcEndpoint::OPERATION,
            tags: Vec::new(),
        };
        let estate = self.estate;
        let statements = policy.statements().map_err(|error| guarded.malformed(&error.to_string()))?;
        let named = Named::of(&statements);
        let nobody = unnamed_account(policy);
        let (resource, owner) = match asked {
            Asked::Theirs { service: "s3", resource } => {
                (format!("arn:{}:s3:::{resource}", partition_of(self.region().as_str())), nobody.as_str())
            }
            Asked::Theirs { service, resource } => {
                let region = if service == "iam" { "" } else { self.region().as_str() };
                (format!("arn:{}:{service}:{region}:{nobody}:{resource}", partition_of(self.region().as_str())), nobody.as_str())
            }
            Asked::Ours(resource) => (resource.to_owned(), self.account().as_str()),
        };
        let policies = Policies {
            endpoint: Some(parsed(&arn, DocumentKind::Endpoint, Some(policy))),
            unread: vec![Layer::Identity, Layer::Resource],
            ..Policies::default()
        };
        let (foreign, unread) = if of_foreign { estate.foreign(self.account(), &named) } else { (Vec::new(), None) };
        let organizations = [None, Some(NO_ORGANIZATION)].into_iter().chain(foreign.into_iter().map(Some));
        let endpoint = (self.data().vpc_id.as_deref().unwrap_or_default().into(), self.data().vpc_endpoint_id.as_str().into());
        let vantage = Vantage::Inside { source_ip: None, endpoint: Some(endpoint), private_ip: None };
        let mut best: Option<Entrance> = None;
        for organization in organizations {
            for caller in callers(&arn, &nobody, &named) {
                let mut context = estate.context_of(&caller, &nobody, organization, &named).from_vantage(&vantage);
                context.set("aws:ResourceAccount", KeyState::known(owner));
                let of_owner = if owner == nobody {
                    organization.map_or(KeyState::Absent, KeyState::known)
                } else {
                    estate.controls(self.account()).organization.as_deref().map_or(KeyState::Unknown, KeyState::known)
                };
                context.set("aws:ResourceOrgID", of_owner);
                let Some(caller) = Caller::parse(&caller) else { continue };
                let request = Request { resource_account: Some(owner.into()), context, ..Request::new(caller, action, &resource) };
                let decision = plimsoll_iam::evaluate(&request, &policies).map_err(|error| guarded.malformed(&error.to_string()))?;
                better(&mut best, Entrance::by(&decision, Layer::Endpoint));
            }
        }
        let admitted = best.map(|entrance| Admitted {
            who: Outsider::Everyone,
            actions: Vec::new(),
            certain: entrance.certain,
            statements: entrance.statements,
            keys: entrance.keys,
        });
        Ok((admitted, unread))
    }
}
