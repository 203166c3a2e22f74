//! Whose an account is, as seen from another: what AWS Organizations and the configuration say flows in; inside, outside or
//! not told flows out.

use plimsoll_model::aws::organizations::{Account, Organization};
use plimsoll_model::{AccountId, Gap, Region, Resource};

use crate::{Estate, Node, Unknown};

/// Where an account stands for whoever owns another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account itself, one that was scanned or belongs to the organization, or one that the configuration trusts.
    Inside,
    /// Somebody else's.
    Outside,
    /// Somebody else's, unless it is a member of the organization; AWS tells members to the management account only.
    PerhapsMember,
    /// Whether the account is in an organization was not read.
    Unread(Unknown),
}

impl Estate<'_> {
    /// The organization of an account; `None` when it is in none.
    pub fn organization(&self, account: &AccountId) -> Result<Option<&Organization>, Unknown> {
        let found: Option<Node<'_, Account>> = self.ids.organization_accounts.get(account.as_str()).and_then(|&index| self.at(index));
        if let Some(found) = found {
            return Ok(found.data().organization.known()?.as_ref());
        }
        self.coverage().check(account, &Region::global(), Account::OPERATION)?;
        // The collector asks in the account of the caller, and for others where that speaks for them.
        let gap = Gap {
            account: account.clone(),
            region: Region::global(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: format!("AWS Organizations was not asked about account {account} ({})", Account::OPERATION),
            ..Gap::not_collected(Account::OPERATION)
        };
        Err(gap.into())
    }

    /// Whether an id is that of the organization of an account, or of one that the configuration names.
    pub fn is_own_organization(&self, account: &AccountId, id: &str) -> Result<bool, Unknown> {
        if self.thresholds().organizations.iter().any(|own| own == id) {
            return Ok(true);
        }
        match self.organization(account) {
            Ok(organization) => Ok(organization.is_some_and(|organization| organization.id == id)),
            // The configuration speaks where AWS Organizations may not be asked.
            Err(_) if !self.thresholds().organizations.is_empty() => Ok(false),
            Err(unknown) => Err(unknown),
        }
    }

    /// Where an account, by its number, stands for another.
    pub fn standing(&self, account: &AccountId, other: &str) -> Standing {
        let scope = &self.inventory().header.scope;
        if other == account.as_str()
            || scope.accounts.contains(other)
            || scope.inactive_accounts.contains(other)
            || self.thresholds().trusts_account(other)
        {
            return Standing::Inside;
        }
        match self.organization(account) {
            Ok(Some(organization)) if organization.master_account_id.as_deref() == Some(other) => Standing::Inside,
            Ok(Some(_)) => Standing::PerhapsMember,
            Err(_) if !self.thresholds().organizations.is_empty() => Standing::PerhapsMember,
            Ok(None) => Standing::Outside,
            Err(unknown) => Standing::Unread(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap};
    use plimsoll_model::aws::organizations::{Account, Organization};
    use plimsoll_model::{AccountId, Seen, Thresholds};

    use super::Standing;
    use crate::Estate;

    const OTHER: &str = "222222222222";

    fn within(organization: Seen<Option<Organization>>) -> Fixture {
        fixture().resource(Account { id: ACCOUNT.to_owned(), organization, ..Account::default() })
    }

    fn shop() -> Organization {
        Organization { id: "o-shop".to_owned(), master_account_id: Some("333333333333".to_owned()), ..Organization::default() }
    }

    fn standing(account: Fixture, thresholds: Thresholds, other: &str) -> Standing {
        let inventory = account.build();
        Estate::with_thresholds(&inventory, thresholds).standing(&AccountId::new(ACCOUNT), other)
    }

    #[test]
    fn scanned_and_trusted_accounts_are_inside() {
        let alone = || within(Seen::Known(None));
        assert_eq!(standing(alone(), Thresholds::default(), ACCOUNT), Standing::Inside);
        assert_eq!(standing(alone().account(OTHER), Thresholds::default(), OTHER), Standing::Inside);
        let trusting = Thresholds { trusted_accounts: vec![OTHER.to_owned()], ..Thresholds::default() };
        assert_eq!(standing(alone(), trusting, OTHER), Standing::Inside);
        assert_eq!(standing(alone(), Thresholds::default(), OTHER), Standing::Outside);
    }

    #[test]
    fn an_account_that_was_not_scanned_may_be_a_member() {
        let member = || within(Seen::Known(Some(shop())));
        assert_eq!(standing(member(), Thresholds::default(), OTHER), Standing::PerhapsMember);
        assert_eq!(standing(member(), Thresholds::default(), "333333333333"), Standing::Inside);
    }

    #[test]
    fn what_was_not_read_is_not_told_unless_the_configuration_does() {
        let refused = || within(gap("organizations:DescribeOrganization").into());
        assert!(matches!(standing(refused(), Thresholds::default(), OTHER), Standing::Unread(_)));
        assert!(matches!(standing(fixture(), Thresholds::default(), OTHER), Standing::Unread(_)));
        let named = Thresholds { organizations: vec!["o-shop".to_owned()], ..Thresholds::default() };
        assert_eq!(standing(refused(), named.clone(), OTHER), Standing::PerhapsMember);
        let inventory = refused().build();
        let estate = Estate::with_thresholds(&inventory, named);
        assert_eq!(estate.is_own_organization(&AccountId::new(ACCOUNT), "o-shop"), Ok(true));
        assert_eq!(estate.is_own_organization(&AccountId::new(ACCOUNT), "o-else"), Ok(false));
    }
}
