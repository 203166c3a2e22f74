//! Relations of IAM: who uses which role, and who administers the account.

use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::iam::{AttachedPermissionsBoundary, InstanceProfile, Role, User};
use plimsoll_model::{AccountId, Region};
use rustc_hash::FxHashMap;

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
        let position = self.relations.role_names.get(account).and_then(|names| names.get(name));
        match position.and_then(|&position| self.at(position)) {
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
    let mut names: FxHashMap<AccountId, FxHashMap<String, u32>> = FxHashMap::default();
    for role in estate.all::<Role>() {
        names.entry(role.account().clone()).or_default().entry(role.data().role_name.clone()).or_insert(role.index);
    }
    estate.relations.role_names = names;
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
    /// Whether it administers the account, certainly or on conditions (ADMIN of the catalogue). A permissions boundary that
    /// was not read may leave nothing of that.
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        let boundary = self.data().permissions_boundary.as_ref();
        administers(Principal::Role(self), boundary)
    }
}

impl Node<'_, User> {
    /// Whether it administers the account, by its own policies or those of its groups.
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        let boundary = self.data().permissions_boundary.as_ref();
        administers(Principal::User(self), boundary)
    }
}

fn administers(principal: Principal<'_>, boundary: Option<&AttachedPermissionsBoundary>) -> Result<bool, Unknown> {
    let administers = principal.administers()?.is_some();
    match boundary.and_then(|boundary| boundary.permissions_boundary_arn.as_deref()) {
        Some(arn) if administers => principal.estate().managed_policy(principal.account(), arn).map(|_| true),
        _ => Ok(administers),
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
