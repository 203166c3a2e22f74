//! The options and the table `accounts` of the configuration flow in; the choice of accounts flows out, or which of the
//! options do not go together.

use anyhow::anyhow;
use plimsoll_collect::{AccountChoice, AccountFilter, AccountMatch, AccountRole};
use plimsoll_config::{Accounts, OrgFilter};

use crate::arguments::Target;
use crate::failure::Failure;

/// Whose resources to read. One option that names accounts replaces the whole table of the configuration.
pub(crate) fn choice(target: &Target, configured: &Accounts) -> Result<AccountChoice, Failure> {
    let options = Accounts {
        role_arns: target.role_arn.clone(),
        ids: target.accounts.clone(),
        role_name: target.role_name.clone(),
        external_id: target.external_id.clone(),
        org: target.org,
        include: OrgFilter { ids: target.include_account.clone(), ous: target.include_ou.clone(), tags: target.include_tag.clone() },
        exclude: OrgFilter { ids: target.exclude_account.clone(), ous: target.exclude_ou.clone(), tags: target.exclude_tag.clone() },
    };
    chosen(if options.is_empty() { configured } else { &options })
}

fn chosen(accounts: &Accounts) -> Result<AccountChoice, Failure> {
    let Accounts { role_arns, ids, role_name, external_id, org, include, exclude } = accounts;
    let named = !ids.is_empty();
    if *org && named {
        return Err(apart("--org", "--accounts", "--include-account reads only some accounts of the organization"));
    }
    if !role_arns.is_empty() && (*org || named) {
        let other = if *org { "--org" } else { "--accounts" };
        return Err(apart("--role-arn", other, "--role-name names the role that every account has"));
    }
    let filters = !include.is_empty() || !exclude.is_empty();
    if filters && !*org {
        return Err(lacking("what includes or excludes accounts", "--org", "to read some accounts only, name them with --accounts"));
    }
    let Some(name) = role_name.clone() else {
        return match (*org, named) {
            (true, _) => Err(lacking("--org", "--role-name", "the role must be in every account")),
            (_, true) => Err(lacking("--accounts", "--role-name", "the role must be in every account")),
            _ if role_arns.is_empty() && external_id.is_some() => {
                Err(lacking("--external-id", "--role-arn or --role-name", "without a role there is nothing that asks for it"))
            }
            _ if role_arns.is_empty() => Ok(AccountChoice::Caller),
            _ => Ok(AccountChoice::Roles { arns: role_arns.clone(), external_id: external_id.clone() }),
        };
    };
    let role = AccountRole { name, external_id: external_id.clone() };
    let filter = || AccountFilter { include: matching(include), exclude: matching(exclude) };
    match (*org, named) {
        (true, _) => Ok(AccountChoice::Organization { role, filter: filter() }),
        (_, true) => Ok(AccountChoice::Named { accounts: ids.clone(), role }),
        _ => Err(lacking("--role-name", "--accounts or --org", "one role is named whole, with --role-arn")),
    }
}

fn matching(OrgFilter { ids, ous, tags }: &OrgFilter) -> AccountMatch {
    AccountMatch { accounts: ids.clone(), units: ous.clone(), tags: tags.clone() }
}

fn apart(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} and {other} exclude each other"), hint)
}

fn lacking(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} needs {other}"), hint)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use plimsoll_collect::AccountChoice;
    use plimsoll_config::{Accounts, OrgFilter};

    use super::choice;
    use crate::arguments::{Arguments, Command};

    fn chosen(options: &[&str], configured: &Accounts) -> AccountChoice {
        match Arguments::parse_from(["plimsoll", "scan"].iter().chain(options)).command {
            Command::Scan(options) => choice(&options.target, configured).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_replace_what_the_file_says_of_accounts() {
        let tags = vec!["stage=prod*".parse().unwrap()];
        let configured = Accounts {
            org: true,
            role_name: Some("audit".to_owned()),
            include: OrgFilter { tags: tags.clone(), ..OrgFilter::default() },
            ..Accounts::default()
        };
        let AccountChoice::Organization { role, filter } = chosen(&[], &configured) else { panic!("not the organization") };
        assert_eq!((role.name.as_str(), filter.include.tags), ("audit", tags));
        let role = "arn:aws:iam::111111111111:role/audit";
        let roles = AccountChoice::Roles { arns: vec![role.to_owned()], external_id: None };
        assert_eq!(chosen(&["--role-arn", role], &configured), roles);
        assert_eq!(chosen(&[], &Accounts::default()), AccountChoice::Caller);
        let configured = Accounts { role_arns: vec![role.to_owned()], ..Accounts::default() };
        assert_eq!(chosen(&[], &configured), roles);
    }
}
