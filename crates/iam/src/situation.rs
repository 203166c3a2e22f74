//! What is known of a request before it is made: facts about a principal, a resource and the way to AWS flow in, the
//! context of its requests flows out.

use compact_str::CompactString;

use crate::context::{Context, ContextValue, KeyState};
use crate::principal::Caller;

/// What is known of a principal.
#[derive(Clone, Debug, Default)]
pub struct PrincipalFacts {
    /// The ARN of the role or user, with its path.
    pub arn: CompactString,
    /// Its tags; `None` if they were not read.
    pub tags: Option<Vec<(CompactString, CompactString)>>,
    /// Its trust policy admits `sts:TagSession`, so that a session may carry other tags.
    pub session_tags: bool,
    /// The organisation, `Some(None)` if the account belongs to none; `None` if that is not known.
    pub organization: Option<Option<CompactString>>,
    /// The path of the account in its organisation, if known.
    pub organization_path: Option<CompactString>,
}

/// From where a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vantage {
    /// From a workload in a VPC.
    Inside {
        /// The public address that AWS sees, if the way is over the internet and the address is known.
        source_ip: Option<CompactString>,
        /// The VPC, and the endpoint in it that the request passes.
        endpoint: Option<(CompactString, CompactString)>,
        /// The private address, seen by AWS through an endpoint.
        private_ip: Option<CompactString>,
    },
    /// With credentials carried out of the workload, from an address of the attacker's.
    Outside,
}

/// An address of nobody in particular (RFC 5737), for requests from outside.
const OUTSIDE: &str = "198.51.100.77";

/// Keys of requests that AWS services make on somebody's behalf: a direct call carries none of them.
const FORWARDED: [&str; 9] = [
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:FederatedProvider",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
];

impl Context {
    /// The context of a direct call by a role that a workload holds, or by a user with its access keys. What depends on
    /// the resource and on the network is left open; see [`Context::on_account`] and [`Context::from_vantage`].
    pub fn of_principal(facts: &PrincipalFacts) -> Self {
        let mut context = Self::open();
        let known = |value: &str| KeyState::known(value);
        context.set("aws:PrincipalArn", known(&facts.arn));
        let caller = Caller::parse(&facts.arn);
        if let Some(account) = caller.as_ref().and_then(Caller::account) {
            context.set("aws:PrincipalAccount", known(account));
            context.set("kms:CallerAccount", known(account));
        }
        let is_user = facts.arn.contains(":user/");
        context.set("aws:PrincipalType", known(if is_user { "User" } else { "AssumedRole" }));
        let name = facts.arn.rsplit('/').next().filter(|_| is_user);
        context.set("aws:username", name.map_or(KeyState::Absent, known));
        match &facts.organization {
            Some(Some(organization)) => {
                context.set("aws:PrincipalOrgID", known(organization));
                if let Some(path) = &facts.organization_path {
                    context.set("aws:PrincipalOrgPaths", KeyState::Known(ContextValue::Many(vec![path.clone()])));
                }
            }
            Some(None) => {
                context.set("aws:PrincipalOrgID", KeyState::Absent);
                context.set("aws:PrincipalOrgPaths", KeyState::Absent);
            }
            None => {}
        }
        context.set("aws:PrincipalIsAWSService", known("false"));
        context.set("aws:ViaAWSService", known("false"));
        for key in FORWARDED {
            context.set(key, KeyState::Absent);
        }
        // Nobody presses a button in a container; long-term keys carry no word of it at all.
        context.set("aws:MultiFactorAuthPresent", if is_user { KeyState::Absent } else { known("false") });
        context.set("aws:MultiFactorAuthAge", KeyState::Absent);
        if let Some(tags) = &facts.tags {
            for (key, value) in tags {
                context.set(&format!("aws:PrincipalTag/{key}"), known(value));
            }
            context.set_family("aws:PrincipalTag/", if facts.session_tags { KeyState::Unknown } else { KeyState::Absent });
        }
        context
    }

    /// The same, asked on a resource of this account, with its tags if they were read.
    pub fn on_account(mut self, account: &str, organization: Option<&str>, tags: Option<&[(CompactString, CompactString)]>) -> Self {
        self.set("aws:ResourceAccount", KeyState::known(account));
        if let Some(organization) = organization {
            self.set("aws:ResourceOrgID", KeyState::known(organization));
        }
        if let Some(tags) = tags {
            for (key, value) in tags {
                self.set(&format!("aws:ResourceTag/{key}"), KeyState::known(value));
            }
            self.set_family("aws:ResourceTag/", KeyState::Absent);
        }
        self
    }

    /// The same, made from there.
    pub fn from_vantage(mut self, vantage: &Vantage) -> Self {
        let absent = |value: Option<&CompactString>| value.map_or(KeyState::Absent, |value| KeyState::known(value));
        match vantage {
            Vantage::Inside { source_ip, endpoint, private_ip } => {
                let through = endpoint.is_some();
                // Through an endpoint AWS sees no public address; without one, perhaps an unknown one.
                let public = source_ip.as_ref().map_or(KeyState::Unknown, |ip| KeyState::known(ip));
                self.set("aws:SourceIp", if through { KeyState::Absent } else { public });
                self.set("aws:SourceVpc", absent(endpoint.as_ref().map(|(vpc, _)| vpc)));
                self.set("aws:SourceVpce", absent(endpoint.as_ref().map(|(_, endpoint)| endpoint)));
                let private = private_ip.as_ref().map_or(KeyState::Unknown, |ip| KeyState::known(ip));
                self.set("aws:VpcSourceIp", if through { private } else { KeyState::Absent });
            }
            Vantage::Outside => {
                self.set("aws:SourceIp", KeyState::known(OUTSIDE));
                for key in ["aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp", "aws:SourceVpcArn"] {
                    self.set(key, KeyState::Absent);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(arn: &str) -> PrincipalFacts {
        PrincipalFacts { arn: arn.into(), tags: Some(vec![("Team".into(), "blue".into())]), ..PrincipalFacts::default() }
    }

    #[test]
    fn a_role_has_its_tags_and_no_user_name() {
        let context = Context::of_principal(&facts("arn:aws:iam::111122223333:role/app"));
        assert_eq!(context.get("aws:PrincipalTag/team"), KeyState::known("blue"));
        assert_eq!(context.get("aws:PrincipalTag/other"), KeyState::Absent);
        assert_eq!(context.get("aws:username"), KeyState::Absent);
        assert_eq!(context.get("aws:MultiFactorAuthPresent"), KeyState::known("false"));
        assert_eq!(context.get("sts:ExternalId"), KeyState::Unknown);
        assert_eq!(context.get("iam:PassedToService"), KeyState::Chosen);
    }

    #[test]
    fn carried_out_credentials_come_from_outside_every_vpc() {
        let context = Context::of_principal(&facts("arn:aws:iam::111122223333:role/app")).from_vantage(&Vantage::Outside);
        assert_eq!(context.get("aws:SourceVpce"), KeyState::Absent);
        assert!(matches!(context.get("aws:SourceIp"), KeyState::Known(_)));
    }
}
