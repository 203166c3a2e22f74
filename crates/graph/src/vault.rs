//! Relations of Secrets Manager and Parameter Store: which secret or parameter a task definition means, and which task
//! definitions in scope use it.

use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::aws::ssm::Parameter;
use plimsoll_model::{AccountId, Arn, Region};
use rustc_hash::FxHashMap;

use crate::relation::Relation;
use crate::{Estate, Link, Missing, Node};

/// Positions by place and name.
type Named = FxHashMap<(AccountId, Region, String), u32>;

/// Names by which task definitions refer to secrets and parameters, and the uses.
#[derive(Default)]
pub(crate) struct Index {
    secrets: Named,
    // ARNs without the six characters that Secrets Manager adds to the name.
    partial_arns: FxHashMap<String, u32>,
    parameters: Named,
    secret_definitions: Relation,
    parameter_definitions: Relation,
}

/// The dash and the six characters at the end of a secret's ARN.
const SUFFIX: usize = 7;

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let mut index = Index::default();
    for secret in estate.all::<Secret>() {
        let arn = secret.data().arn.as_str();
        index.secrets.insert((secret.account().clone(), secret.region().clone(), secret.data().name.clone()), secret.index);
        if let Some(partial) = arn.len().checked_sub(SUFFIX).and_then(|end| arn.get(..end)) {
            index.partial_arns.insert(partial.to_owned(), secret.index);
        }
    }
    for parameter in estate.all::<Parameter>() {
        index.parameters.insert((parameter.account().clone(), parameter.region().clone(), parameter.data().name.clone()), parameter.index);
    }
    estate.relations.vault = index;
    let (mut secrets, mut parameters) = (Vec::new(), Vec::new());
    for definition in estate.definitions_in_scope() {
        for one in definition.data().secret_uses() {
            if let Some(Link::Found(secret)) = one.secret().map(|reference| definition.secret(reference)) {
                secrets.push((secret.index, definition.index));
            }
            if let Some(Link::Found(parameter)) = one.parameter().map(|reference| definition.parameter(reference)) {
                parameters.push((parameter.index, definition.index));
            }
        }
    }
    let inventory = estate.inventory();
    estate.relations.vault.secret_definitions = Relation::new(inventory.secrets.len(), secrets);
    estate.relations.vault.parameter_definitions = Relation::new(inventory.parameters.len(), parameters);
}

impl Estate<'_> {
    /// The secret that a reference means where it is written: an ARN, whole or without the characters that Secrets
    /// Manager adds, or a name.
    pub fn secret(&self, account: &AccountId, region: &Region, reference: &str) -> Link<'_, Secret> {
        let link = self.link::<Secret>(account, region, reference);
        let Link::Missing(missing) = link else { return link };
        let vault = &self.relations.vault;
        let by_arn = vault.partial_arns.get(reference);
        let place = || (account.clone(), region.clone(), reference.to_owned());
        match by_arn.or_else(|| vault.secrets.get(&place())).and_then(|&position| self.at(position)) {
            Some(secret) => Link::Found(secret),
            None => Link::Missing(elsewhere(missing, account, region, reference)),
        }
    }

    /// The parameter that a reference means where it is written: an ARN or a name, with or without version or label.
    pub fn parameter(&self, account: &AccountId, region: &Region, reference: &str) -> Link<'_, Parameter> {
        let (base, name) = if let Some(arn) = Arn::parse(reference) {
            let name = arn.resource.split(':').next().unwrap_or(arn.resource);
            let end = reference.len() - (arn.resource.len() - name.len());
            (reference.get(..end).unwrap_or(reference), None)
        } else {
            let name = reference.split(':').next().unwrap_or(reference);
            (name, Some(name))
        };
        let link = self.link::<Parameter>(account, region, base);
        let Link::Missing(missing) = link else { return link };
        let by_name = name.and_then(|name| self.relations.vault.parameters.get(&(account.clone(), region.clone(), name.to_owned())));
        match by_name.and_then(|&position| self.at(position)) {
            Some(parameter) => Link::Found(parameter),
            None => Link::Missing(elsewhere(missing, account, region, reference)),
        }
    }
}

/// What another account or Region has is not asked for from here: that it was not read says nothing.
fn elsewhere(missing: Missing, account: &AccountId, region: &Region, reference: &str) -> Missing {
    let here = Arn::parse(reference).is_none_or(|arn| arn.account == account.as_str() && arn.region == region.as_str());
    match missing {
        Missing::NotFound { reference } if !here => Missing::OutOfScope { reference },
        missing => missing,
    }
}

impl<'e> Node<'e, TaskDefinition> {
    /// The secret that one of its references means.
    pub fn secret(self, reference: &str) -> Link<'e, Secret> {
        self.estate.secret(self.account(), self.region(), reference)
    }

    /// The parameter that one of its references means.
    pub fn parameter(self, reference: &str) -> Link<'e, Parameter> {
        self.estate.parameter(self.account(), self.region(), reference)
    }
}

impl<'e> Node<'e, Secret> {
    /// The task definitions in scope that use it.
    pub fn definitions(self) -> impl Iterator<Item = Node<'e, TaskDefinition>> {
        self.estate.many(self.estate.relations.vault.secret_definitions.of(self.index))
    }
}

impl<'e> Node<'e, Parameter> {
    /// The task definitions in scope that use it.
    pub fn definitions(self) -> impl Iterator<Item = Node<'e, TaskDefinition>> {
        self.estate.many(self.estate.relations.vault.parameter_definitions.of(self.index))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{arn, fixture};
    use plimsoll_model::aws::secretsmanager::Secret;
    use plimsoll_model::aws::ssm::Parameter;
    use plimsoll_model::{AccountId, Region};

    use crate::{Estate, Missing};

    #[test]
    fn a_secret_answers_to_its_arns_and_its_name() {
        let secret = arn("secretsmanager", "secret:app/db-AbCdEf");
        let inventory = fixture().resource(Secret { arn: secret.clone(), name: "app/db".to_owned(), ..Secret::default() }).build();
        let estate = Estate::new(&inventory);
        let (account, region) = (AccountId::new("111111111111"), Region::new("us-east-1"));
        for reference in [secret.as_str(), &arn("secretsmanager", "secret:app/db"), "app/db"] {
            assert!(estate.secret(&account, &region, reference).found().is_some(), "{reference}");
        }
        for reference in ["db", &arn("secretsmanager", "secret:app/d")] {
            assert!(estate.secret(&account, &region, reference).exists().unwrap().is_none(), "{reference}");
        }
    }

    #[test]
    fn a_parameter_answers_to_its_arn_and_its_name_with_any_version() {
        let parameter = Parameter { arn: arn("ssm", "parameter/app/db"), name: "/app/db".to_owned(), ..Parameter::default() };
        let inventory = fixture().resource(parameter).build();
        let estate = Estate::new(&inventory);
        let (account, region) = (AccountId::new("111111111111"), Region::new("us-east-1"));
        for reference in ["/app/db", "/app/db:3", &arn("ssm", "parameter/app/db"), &arn("ssm", "parameter/app/db:label")] {
            assert!(estate.parameter(&account, &region, reference).found().is_some(), "{reference}");
        }
        assert!(estate.parameter(&account, &region, "/app").exists().unwrap().is_none());
    }

    #[test]
    fn what_another_account_or_region_has_is_not_missing() {
        let inventory = fixture().build();
        let estate = Estate::new(&inventory);
        let (account, region) = (AccountId::new("111111111111"), Region::new("us-east-1"));
        for reference in ["arn:aws:ssm:us-east-1:222222222222:parameter/x", "arn:aws:ssm:eu-west-3:111111111111:parameter/x"] {
            let link = estate.parameter(&account, &region, reference);
            assert!(matches!(link, crate::Link::Missing(Missing::OutOfScope { .. })), "{reference}");
        }
    }
}
