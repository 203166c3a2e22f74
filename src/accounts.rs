//! The options that name accounts flow in; the choice of accounts flows out, or which of them do not go together.

use anyhow::anyhow;
use plimsoll_collect::{AccountChoice, AccountFilter, AccountMatch, AccountRole};

use crate::arguments::Target;
use crate::failure::Failure;

/// Whose resources to read.
pub(crate) fn choice(target: &Target) -> Result<AccountChoice, Failure> {
    let Target { role_arn, accounts, org, role_name, external_id, .. } = target;
    let (include, exclude) = (
        matching(&target.include_account, &target.include_ou, &target.include_tag)?,
        matching(&target.exclude_account, &target.exclude_ou, &target.exclude_tag)?,
    );
    let named = !accounts.is_empty();
    if *org && named {
        return Err(apart("--org", "--accounts", "--include-account reads only some accounts of the organization"));
    }
    if !role_arn.is_empty() && (*org || named) {
        let other = if *org { "--org" } else { "--accounts" };
        return Err(apart("--role-arn", other, "--role-name names the role that every account has"));
    }
    if !*org && !(include.is_empty() && exclude.is_empty()) {
        return Err(lacking("what includes or excludes accounts", "--org", "to read some accounts only, name them with --accounts"));
    }
    let Some(name) = role_name.clone() else {
        return match (*org, named) {
            (true, _) => Err(lacking("--org", "--role-name", "the role must be in every account")),
            (_, true) => Err(lacking("--accounts", "--role-name", "the role must be in every account")),
            _ if role_arn.is_empty() && external_id.is_some() => {
                Err(lacking("--external-id", "--role-arn or --role-name", "without a role there is nothing that asks for it"))
            }
            _ if role_arn.is_empty() => Ok(AccountChoice::Caller),
            _ => Ok(AccountChoice::Roles { arns: role_arn.clone(), external_id: external_id.clone() }),
        };
    };
    let role = AccountRole { name, external_id: external_id.clone() };
    match (*org, named) {
        (true, _) => Ok(AccountChoice::Organization { role, filter: AccountFilter { include, exclude } }),
        (_, true) => Ok(AccountChoice::Named { accounts: accounts.clone(), role }),
        _ => Err(lacking("--role-name", "--accounts or --org", "one role is named whole, with --role-arn")),
    }
}

fn matching(accounts: &[String], units: &[String], tags: &[String]) -> Result<AccountMatch, Failure> {
    let tags = tags.iter().map(|text| {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or_else(|| Failure::usage(anyhow!("{text} is not a tag"), "write it as KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    Ok(AccountMatch { accounts: accounts.to_vec(), units: units.to_vec(), tags: tags.collect::<Result<_, Failure>>()? })
}

fn apart(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} and {other} exclude each other"), hint)
}

fn lacking(one: &str, other: &str, hint: &str) -> Failure {
    Failure::usage(anyhow!("{one} needs {other}"), hint)
}
