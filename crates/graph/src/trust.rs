//! The trust policy of a role flows in; its statements flow out, or why they cannot be read.

use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::Statement;
use plimsoll_model::{Gap, Resource};

use crate::{Node, Unknown};

/// The actions by which a role is taken.
const ASSUME: [&str; 3] = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];

impl<'e> Node<'e, Role> {
    /// The statements of its trust policy; a policy that does not read as one is unknown.
    pub fn trust_statements(self) -> Result<Vec<Statement<'e>>, Unknown> {
        let statements = match &self.data().assume_role_policy_document {
            Some(document) => document.statements().map_err(|error| error.to_string()),
            None => Err("the role has no trust policy".to_owned()),
        };
        statements.map_err(|message| {
            let gap = Gap {
                account: self.account().clone(),
                region: self.region().clone(),
                operation: Role::OPERATION.to_owned(),
                code: "MalformedPolicyDocument".to_owned(),
                message,
                resource: Some(self.data().arn.clone()),
            };
            gap.into()
        })
    }

    /// Those of them that are about taking the role, in whatever way, and allow or deny it.
    pub fn assume_statements(self) -> Result<Vec<Statement<'e>>, Unknown> {
        let mut statements = self.trust_statements()?;
        statements.retain(|statement| ASSUME.iter().any(|action| statement.covers_action(action)));
        Ok(statements)
    }
}
