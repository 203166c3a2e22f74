//! Relations of IAM: who uses which role, and who administers the account.

use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::iam::{AttachedPolicy, Group, InstanceProfile, Policy, PolicyDetail, Role, User};
use plimsoll_model::policy::{PolicyDocument, Statement};
use plimsoll_model::{AccountId, Gap, Region, Resource};

use crate::relation::Relation;
use crate::{Estate, Link, Missing, Node, Unknown};

impl Estate<'_> {
    /// A role by ARN, or by the short name that task definitions may carry.
    pub fn role(&self, account: &AccountId, reference: &str) -> Link<'_, Role> {
        let region = Region::global();
        if reference.starts_with("arn:") {
            return self.link(account, &region, reference);
        }
        let name = reference.rsplit('/').next().unwrap_or(reference);
        match self.all::<Role>().find(|role| role.account() == account && role.role_name == name) {
            Some(role) => Link::Found(role),
            None => Link::Missing(self.missing::<Role>(account, &region, reference)),
        }
    }

    /// An instance profile by ARN.
    pub fn instance_profile(&self, account: &AccountId, arn: &str) -> Link<'_, InstanceProfile> {
        self.link(account, &Region::global(), arn)
    }
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let mut pairs = Vec::new();
    for definition in estate.all::<TaskDefinition>() {
        if let Some(Link::Found(role)) = definition.task_role() {
            pairs.push((role.index, definition.index));
        }
    }
    estate.relations.role_definitions = Relation::new(estate.inventory().roles.len(), pairs);
}

impl<'e> Node<'e, Role> {
    /// Task definitions that name it as their task role.
    pub fn definitions_as_task_role(self) -> impl Iterator<Item = Node<'e, TaskDefinition>> {
        self.estate.many(self.estate.relations.role_definitions.of(self.index))
    }
}

impl Node<'_, Role> {
    /// Whether it administers the account (ADMIN of the catalogue): its policies, cut by its permissions boundary,
    /// allow everything or all of IAM on every resource. A condition of an Allow counts as met and one of a Deny as
    /// not met; policies of the organization are not read.
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        let role = self.data();
        let mut reach = Reach::default();
        reach.add(self.estate, self.account(), &role.arn, &role.role_policy_list, &role.attached_managed_policies);
        let boundary = role.permissions_boundary.as_ref().and_then(|boundary| boundary.permissions_boundary_arn.as_deref());
        reach.within(self.estate, self.account(), boundary)
    }
}

impl Node<'_, User> {
    /// Whether it administers the account, by its own policies or those of its groups.
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        let user = self.data();
        let mut reach = Reach::default();
        reach.add(self.estate, self.account(), &user.arn, &user.user_policy_list, &user.attached_managed_policies);
        for name in &user.group_list {
            match self.estate.all::<Group>().find(|group| group.account() == self.account() && group.group_name == *name) {
                Some(group) => {
                    let group = group.data();
                    reach.add(self.estate, self.account(), &group.arn, &group.group_policy_list, &group.attached_managed_policies);
                }
                None => reach.gap = Some(self.estate.missing::<Group>(self.account(), &Region::global(), name).into_unknown::<Group>()),
            }
        }
        let boundary = user.permissions_boundary.as_ref().and_then(|boundary| boundary.permissions_boundary_arn.as_deref());
        reach.within(self.estate, self.account(), boundary)
    }
}

/// The managed policy of AWS that allows everything; its document need not be read.
const ADMINISTRATOR_ACCESS: &str = ":iam::aws:policy/AdministratorAccess";

/// What a set of policies says of everything or all of IAM, on every resource.
#[derive(Default)]
struct Reach {
    allows: bool,
    denies: bool,
    gap: Option<Unknown>,
}

impl Reach {
    fn add(&mut self, estate: &Estate<'_>, account: &AccountId, owner: &str, inline: &[PolicyDetail], attached: &[AttachedPolicy]) {
        for policy in inline {
            self.read(policy.policy_document.as_ref(), owner);
        }
        for policy in attached {
            self.add_managed(estate, account, &policy.policy_arn);
        }
    }

    fn add_managed(&mut self, estate: &Estate<'_>, account: &AccountId, arn: &str) {
        match estate.link::<Policy>(account, &Region::global(), arn) {
            Link::Found(policy) => {
                let version = policy.data().policy_version_list.iter().find(|version| version.is_default_version);
                self.read(version.and_then(|version| version.document.as_ref()), arn);
            }
            Link::Missing(_) if arn.ends_with(ADMINISTRATOR_ACCESS) => self.allows = true,
            Link::Missing(missing) => self.gap = Some(missing.into_unknown::<Policy>()),
        }
    }

    fn read(&mut self, document: Option<&PolicyDocument>, owner: &str) {
        match document.map(PolicyDocument::statements) {
            Some(Ok(statements)) => {
                let reaching = |allow: bool| move |s: &Statement<'_>| s.allows == allow && is_all_of_iam(s);
                self.allows |= statements.iter().any(reaching(true));
                self.denies |= statements.iter().filter(|s| s.conditions.is_empty()).any(reaching(false));
            }
            Some(Err(error)) => self.gap = Some(malformed(owner, &error.to_string())),
            None => self.gap = Some(malformed(owner, "the policy has no document")),
        }
    }

    fn within(self, estate: &Estate<'_>, account: &AccountId, boundary: Option<&str>) -> Result<bool, Unknown> {
        if self.denies {
            return Ok(false);
        }
        if let Some(unknown) = self.gap {
            return Err(unknown);
        }
        match boundary {
            Some(arn) if self.allows => {
                let mut limit = Self::default();
                limit.add_managed(estate, account, arn);
                limit.within(estate, account, None)
            }
            _ => Ok(self.allows),
        }
    }
}

fn is_all_of_iam(statement: &Statement<'_>) -> bool {
    let all = |pattern: &str| matches!(pattern.to_ascii_lowercase().as_str(), "*" | "*:*" | "iam:*");
    let of_iam = |pattern: &str| pattern.starts_with('*') || pattern.get(..3).is_some_and(|service| service.eq_ignore_ascii_case("iam"));
    let actions = if statement.not_actions.is_empty() {
        statement.actions.iter().any(|pattern| all(pattern))
    } else {
        !statement.not_actions.iter().any(|pattern| of_iam(pattern))
    };
    actions && statement.resources.contains(&"*")
}

/// The unknown of a policy that does not read as one.
fn malformed(owner: &str, message: &str) -> Unknown {
    let gap = Gap {
        operation: Role::OPERATION.to_owned(),
        code: "MalformedPolicyDocument".to_owned(),
        message: message.to_owned(),
        resource: Some(owner.to_owned()),
        ..Gap::default()
    };
    Unknown { gap }
}

impl<'e> Node<'e, Instance> {
    /// The role of its instance profile; `None` when it has no profile or the profile is empty.
    pub fn role(self) -> Option<Link<'e, Role>> {
        let arn = self.data().iam_instance_profile.as_ref()?.arn.as_deref()?;
        match self.estate.instance_profile(self.account(), arn) {
            Link::Found(profile) => {
                let role = profile.data().roles.first()?;
                Some(self.estate.role(self.account(), &role.arn))
            }
            Link::Missing(missing) => Some(Link::Missing(match missing {
                // A profile without role does not show in GetAccountAuthorizationDetails.
                Missing::NotFound { .. } => return None,
                other => other,
            })),
        }
    }
}
