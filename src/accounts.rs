//! The options that name accounts flow in; the choice of accounts flows out, or which of them do not go together.

use anyhow::anyhow;
use plimsoll_collect::{AccountChoice, AccountFilter, AccountMatch, AccountRole};

use plimsoll_config::{Config, OrgFilter};
use plimsoll_model::TagPattern;

use crate::arguments::Target;
use crate::failure::Failure;

/// What the options say of accounts; where they say nothing, what the configuration says.
struct Wanted<'w> {
    role_arn: &'w [String],
    accounts: &'w [String],
    org: bool,
    role_name: &'w Option<String>,
    external_id: &'w Option<String>,
    include: AccountMatch,
    exclude: AccountMatch,
}

impl<'w> Wanted<'w> {
    fn of(target: &'w Target, config: &'w Config) -> Result<Self, Failure> {
        let Target { role_arn, accounts, org, role_name, external_id, .. } = target;
        let include = matching(&target.include_account, &target.include_ou, &target.include_tag)?;
        let exclude = matching(&target.exclude_account, &target.exclude_ou, &target.exclude_tag)?;
        let filters = !(include.is_empty() && exclude.is_empty());
        let says = !role_arn.is_empty() || !accounts.is_empty() || *org || role_name.is_some() || external_id.is_some() || filters;
        if says {
            return Ok(Self { role_arn, accounts, org: *org, role_name, external_id, include, exclude });
        }
        let file = &config.accounts;
        Ok(Self {
            role_arn: &file.role_arns,
            accounts: &file.ids,
            org: file.org,
            role_name: &file.role_name,
            external_id: &file.external_id,
            include: of_file(&file.include),
            exclude: of_file(&file.exclude),
        })
    }
}

fn of_file(filter: &OrgFilter) -> AccountMatch {
    AccountMatch { accounts: filter.ids.clone(), units: filter.ous.clone(), tags: filter.tags.clone() }
}

/// Whose resources to read.
pub(crate) fn choice(target: &Target, config: &Config) -> Result<AccountChoice, Failure> {
    let Wanted { role_arn, accounts, org, role_name, external_id, include, exclude } = Wanted::of(target, config)?;
    let named = !accounts.is_empty();
    if org && named {
        return Err(apart("--org", "--accounts", "--include-account reads only some accounts of the organization"));
    }
    if !role_arn.is_empty() && (org || named) {
        let other = if org { "--org" } else { "--accounts" };
        return Err(apart("--role-arn", other, "--role-name names the role that every account has"));
    }
    if !org && !(include.is_empty() && exclude.is_empty()) {
        return Err(lacking("what includes or excludes accounts", "--org", "to read some accounts only, name them with --accounts"));
    }
    let Some(name) = role_name.clone() else {
        return match (org, named) {
            (true, _) => Err(lacking("--org", "--role-name", "the role must be in every account")),
            (_, true) => Err(lacking("--accounts", "--role-name", "the role must be in every account")),
            _ if role_arn.is_empty() && external_id.is_some() => {
                Err(lacking("--external-id", "--role-arn or --role-name", "without a role there is nothing that asks for it"))
            }
            _ if role_arn.is_empty() => Ok(AccountChoice::Caller),
            _ => Ok(AccountChoice::Roles { arns: role_arn.to_vec(), external_id: external_id.clone() }),
        };
    };
    let role = AccountRole { name, external_id: external_id.clone() };
    match (org, named) {
        (true, _) => Ok(AccountChoice::Organization { role, filter: AccountFilter { include, exclude } }),
        (_, true) => Ok(AccountChoice::Named { accounts: accounts.to_vec(), role }),
        _ => Err(lacking("--role-name", "--accounts or --org", "one role is named whole, with --role-arn")),
    }
}

fn matching(accounts: &[String], units: &[String], tags: &[String]) -> Result<AccountMatch, Failure> {
    let tags = tags.iter().map(|text| {
        text.parse::<TagPattern>()
            .map_err(|_| Failure::usage(anyhow!("{text} is not a tag"), "write it as KEY=VALUE, or as KEY for any value"))
    });
    Ok(AccountMatch { accounts: accounts.to_vec(), units: units.to_vec(), tags: tags.collect::<Result<_, Failure>>()? })
}

fn apart(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} and {other} exclude each other"), hint)
}

fn lacking(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} needs {other}"), hint)
}
