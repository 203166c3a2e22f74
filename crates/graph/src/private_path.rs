//! Whether what is in a subnet reaches services of AWS through endpoints of its VPC. Needs of a subnet flow in; the endpoint
//! that serves each, or what is wrong with it, flows out, and the way to the internet that is left without one.

use plimsoll_model::aws::ec2::{NetworkInterface, VpcEndpoint};
use plimsoll_model::policy::{Statement, wildcard_match};
use plimsoll_model::{AccountId, Gap, Resource};
use plimsoll_net::EndpointAccess;

use crate::demand::Placed;
use crate::{Estate, Link, Need, Node, SubnetDemand, Unknown};

/// How a subnet gets to a service of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivatePath {
    /// Through this endpoint.
    Through(String),
    /// Its VPC has no endpoint for the service.
    Absent,
    /// Its VPC has an endpoint that does not serve it.
    Refused {
        /// The id of the endpoint.
        endpoint: String,
        /// Why, `code:object[:detail]`.
        reason: String,
    },
}

impl<'e> SubnetDemand<'e> {
    /// How everything in the subnet with a need gets to one of the services that it takes: the worst of the answers.
    /// `None` when nothing has the need.
    pub fn path_to(self, need: Need, service: &str) -> Result<Option<PrivatePath>, Unknown> {
        let (mut through, mut unknown) = (None, None);
        for placed in self.demand.placed.iter().filter(|placed| placed.needs.contains_key(&need)) {
            match self.path_of(placed, service) {
                Ok(PrivatePath::Through(endpoint)) => through = through.or(Some(PrivatePath::Through(endpoint))),
                Ok(failed) => return Ok(Some(failed)),
                Err(missing) => unknown = unknown.or(Some(missing)),
            }
        }
        unknown.map_or(Ok(through), Err)
    }

    fn path_of(self, placed: &Placed, service: &str) -> Result<PrivatePath, Unknown> {
        let estate = self.subnet.estate;
        let subnet = self.subnet.data().subnet_id.as_str();
        let interface: Option<Node<'e, NetworkInterface>> = placed.interface.and_then(|position| estate.at(position));
        let access = if let Some(interface) = interface {
            estate.network().endpoint_access(&interface.data().network_interface_id, service)
        } else {
            let groups: Vec<&str> = placed.groups.iter().map(String::as_str).collect();
            estate.network().endpoint_access_from(subnet, &groups, service)
        };
        match access {
            EndpointAccess::Reachable { endpoint, .. } => self.admitted(endpoint, service),
            EndpointAccess::Blocked { endpoint, .. } if self.is_listed_by(&endpoint) => self.admitted(endpoint, service),
            EndpointAccess::Blocked { endpoint, blocked_by } => {
                self.owner_was_asked()?;
                Ok(PrivatePath::Refused { endpoint, reason: blocked_by })
            }
            EndpointAccess::Absent => {
                self.owner_was_asked()?;
                Ok(PrivatePath::Absent)
            }
            EndpointAccess::Unknown { missing } => Err(self.undecided(service, &missing)),
        }
    }

    /// Whether an endpoint has the route table of the subnet on its list and the table shows no route to it, as when one was
    /// read before the other was changed: then the list counts.
    fn is_listed_by(self, endpoint: &str) -> bool {
        let Some(endpoint) = self.endpoint(endpoint) else { return false };
        let Ok(table) = self.subnet.route_table() else { return false };
        let is_routed = || table.data().routes.iter().any(|route| route.gateway_id.as_deref() == Some(endpoint.vpc_endpoint_id.as_str()));
        endpoint.vpc_endpoint_type.as_deref() == Some("Gateway")
            && endpoint.state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("available"))
            && endpoint.route_table_ids.contains(&table.data().route_table_id)
            && !is_routed()
    }

    /// What the policy of an endpoint in reach makes of it.
    fn admitted(self, endpoint: String, service: &str) -> Result<PrivatePath, Unknown> {
        let Some(policy) = self.endpoint(&endpoint).and_then(|endpoint| endpoint.data().policy_document.as_ref()) else {
            return Ok(PrivatePath::Through(endpoint));
        };
        let Ok(statements) = policy.statements() else {
            return Err(self.undecided(service, &format!("policy-unreadable:{endpoint}")));
        };
        if is_shut(&statements, prefix_of(service)) {
            let reason = format!("policy:{endpoint}");
            return Ok(PrivatePath::Refused { endpoint, reason });
        }
        Ok(PrivatePath::Through(endpoint))
    }

    fn endpoint(self, id: &str) -> Option<Node<'e, VpcEndpoint>> {
        let link: Link<'e, VpcEndpoint> = self.subnet.estate.link(self.subnet.account(), self.subnet.region(), id);
        link.found()
    }

    /// Endpoints of a shared VPC are shown to its owner alone.
    fn owner_was_asked(self) -> Result<(), Unknown> {
        let (subnet, estate): (_, &Estate<'_>) = (self.subnet, self.subnet.estate);
        let Some(owner) = subnet.data().owner_id.as_deref().map(AccountId::new) else { return Ok(()) };
        if estate.is_scanned(&owner, subnet.region()) {
            return Ok(estate.coverage().check(&owner, subnet.region(), VpcEndpoint::OPERATION)?);
        }
        let message = format!("{} belongs to account {owner}, which was not scanned", subnet.subnet_id);
        let (operation, code) = (VpcEndpoint::OPERATION.to_owned(), Gap::OUT_OF_SCOPE.to_owned());
        let resource = Some(subnet.data().subnet_id.clone());
        Err(Gap { account: owner, region: subnet.region().clone(), operation, code, message, resource }.into())
    }

    /// What the default routes of the subnet lead to, where that is or may be the internet.
    pub fn way_out(self) -> Result<Option<&'e str>, Unknown> {
        let table = self.subnet.route_table()?;
        // Behind a peering connection there is the other VPC and nothing more.
        let targets = [false, true].into_iter().filter_map(|ipv6| table.default_target(ipv6));
        Ok(targets.into_iter().find(|target| !target.starts_with("pcx-")))
    }

    fn undecided(self, service: &str, missing: &str) -> Unknown {
        let (code, object) = missing.split_once(':').unwrap_or((missing, ""));
        let operation = match code {
            "not-read" => object,
            "network-acl-missing" => "ec2:DescribeNetworkAcls",
            "route-table-missing" => "ec2:DescribeRouteTables",
            "prefix-list-missing" => "ec2:DescribeManagedPrefixLists",
            "security-group-missing" | "security-groups-missing" | "rule-unreadable" => "ec2:DescribeSecurityGroups",
            "network-interface-missing" => "ec2:DescribeNetworkInterfaces",
            "subnet-missing" | "addresses-missing" => "ec2:DescribeSubnets",
            _ => VpcEndpoint::OPERATION,
        };
        let subnet = self.subnet;
        let gap = Gap {
            account: subnet.account().clone(),
            region: subnet.region().clone(),
            operation: operation.to_owned(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: format!("whether {} reaches an endpoint for {service} is not known ({missing})", subnet.subnet_id),
            resource: Some(subnet.data().subnet_id.clone()),
        };
        gap.into()
    }
}

/// The prefix of the actions of a service.
fn prefix_of(service: &str) -> &str {
    match service.split(['.', '-']).next() {
        Some(prefix @ ("ecr" | "ecs")) => prefix,
        _ => service,
    }
}

/// Whether a policy plainly lets nobody call anything of a service: nothing of it is allowed, or all of it is denied to
/// everybody. What it allows to whom is not looked at.
fn is_shut(statements: &[Statement<'_>], prefix: &str) -> bool {
    let touches = |pattern: &str| {
        let pattern = pattern.to_ascii_lowercase();
        pattern.split_once(':').map_or(pattern == "*", |(service, _)| wildcard_match(service, prefix))
    };
    let holds = |pattern: &str| matches!(pattern.to_ascii_lowercase().strip_prefix(prefix), Some(":*")) || matches!(pattern, "*" | "*:*");
    let allows_some = |statement: &Statement<'_>| {
        if statement.not_actions.is_empty() {
            statement.actions.iter().any(|pattern| touches(pattern))
        } else {
            !statement.not_actions.iter().any(|pattern| holds(pattern))
        }
    };
    let denies_all = |statement: &Statement<'_>| {
        statement.conditions.is_empty()
            && statement.not_actions.is_empty()
            && statement.actions.iter().any(|pattern| holds(pattern))
            && statement.resources.contains(&"*")
            && statement.principals.as_ref().is_some_and(|principals| principals.everyone)
    };
    !statements.iter().any(|statement| statement.allows && allows_some(statement))
        || statements.iter().any(|statement| !statement.allows && denies_all(statement))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::policy;
    use serde_json::{Value, json};

    use super::{is_shut, prefix_of};

    fn shut(statement: &Value, service: &str) -> bool {
        let document = policy(json!({"Statement": statement}));
        is_shut(&document.statements().unwrap(), prefix_of(service))
    }

    #[test]
    fn a_policy_that_allows_nothing_of_the_service_shuts_everybody_out() {
        let allow = |action: &str| json!([{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}]);
        for open in ["*", "ecr:*", "ECR:BatchGetImage", "ec?:Get*", "*:*"] {
            assert!(!shut(&allow(open), "ecr.dkr"), "{open}");
        }
        for closed in ["s3:GetObject", "ecr-public:*", "logs:*"] {
            assert!(shut(&allow(closed), "ecr.api"), "{closed}");
        }
        assert!(!shut(&allow("ecs:Poll"), "ecs-agent"));
        assert!(shut(&json!([]), "logs"));
        assert!(shut(&json!({"Effect": "Allow", "Principal": "*", "NotAction": "logs:*", "Resource": "*"}), "logs"));
        assert!(!shut(&json!({"Effect": "Allow", "Principal": "*", "NotAction": "logs:Delete*", "Resource": "*"}), "logs"));
    }

    #[test]
    fn a_denial_counts_when_it_is_of_everything_to_everybody() {
        let deny = |more: Value| {
            let mut denial = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"});
            denial.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            shut(&json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}, denial]), "kms")
        };
        assert!(deny(json!({})));
        assert!(!deny(json!({"Action": "kms:Delete*"})));
        assert!(!deny(json!({"Principal": {"AWS": "arn:aws:iam::111111111111:role/x"}})));
        assert!(!deny(json!({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}})));
    }
}
