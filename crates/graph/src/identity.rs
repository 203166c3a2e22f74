//! Relations of IAM: who uses which role, and who administers the account.

use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::iam::{InstanceProfile, Role, User};
use plimsoll_model::{AccountId, Region};

use crate::permission::Principal;
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
    /// Whether it administers the account, certainly or on conditions (ADMIN of the catalogue).
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        Ok(Principal::Role(self).administers()?.is_some())
    }
}

impl Node<'_, User> {
    /// Whether it administers the account, by its own policies or those of its groups.
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        Ok(Principal::User(self).administers()?.is_some())
    }
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
