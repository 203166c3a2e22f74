//! What was typed about a role flows in; names that IAM takes flow out, harmless in every format that they are put into.

use std::fmt;
use std::str::FromStr;

/// Who may assume the role, and how it is called.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Who may assume it; asked for on deployment where `None`.
    pub principal: Option<Principal>,
    /// What the one who assumes it has to name.
    pub external_id: Option<ExternalId>,
    /// How it is called.
    pub role_name: RoleName,
    /// The partition of an account that is trusted.
    pub partition: Partition,
}

/// Which AWS: the second part of every ARN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    /// The Regions open to all.
    #[default]
    Aws,
    /// China.
    AwsCn,
    /// AWS GovCloud (US).
    AwsUsGov,
}

impl Partition {
    /// As ARNs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }
}

/// A role, a user or a whole account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Who);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Account(String),
    Arn(String),
}

/// What tells apart for whom a third party assumes a role; not a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

/// The name of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(String);

/// What IAM would not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError(&'static str);

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TrustError {}

/// The same for Terraform (with anchors) and CloudFormation (which anchors by itself).
pub(super) const PRINCIPAL_PATTERN: &str = "arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]+)";
/// Terraform's regular expressions repeat 1,000 times at most, so that the longest length of 1,224 stands elsewhere.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names>
pub(super) const EXTERNAL_ID_PATTERN: &str = "[A-Za-z0-9+=,.@:/_-]{2,}";
pub(super) const ROLE_NAME_PATTERN: &str = "[A-Za-z0-9+=,.@_-]{1,64}";

/// Whether a text has one of these lengths and consists of letters, digits and these marks.
fn consists(text: &str, lengths: std::ops::RangeInclusive<usize>, marks: &str) -> bool {
    lengths.contains(&text.len()) && text.chars().all(|char| char.is_ascii_alphanumeric() || marks.contains(char))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return false };
    let named = resource.strip_prefix("role/").or_else(|| resource.strip_prefix("user/"));
    partition.starts_with("aws")
        && partition.chars().all(|char| char.is_ascii_lowercase() || char == '-')
        && is_account(account)
        && named.map_or(*resource == "root", |name| consists(name, 1..=576, "+=,.@_/-"))
}

impl FromStr for Principal {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        if is_account(text) {
            Ok(Self(Who::Account(text.to_owned())))
        } else if is_principal(text) {
            Ok(Self(Who::Arn(text.to_owned())))
        } else {
            Err(TrustError("name a 12-digit account, or the ARN of a role, a user or an account's root, without wildcards"))
        }
    }
}

impl FromStr for ExternalId {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let right = consists(text, 2..=1224, "+=,.@:/_-");
        right.then(|| Self(text.to_owned())).ok_or(TrustError("use 2 to 1224 letters, digits and characters of + = , . @ : / _ -"))
    }
}

impl FromStr for RoleName {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let right = consists(text, 1..=64, "+=,.@_-");
        right.then(|| Self(text.to_owned())).ok_or(TrustError("use 1 to 64 letters, digits and characters of + = , . @ _ -"))
    }
}

impl Principal {
    /// Its ARN; an account stands for whomever its own policies let assume the role.
    pub(super) fn arn(&self, partition: Partition) -> String {
        match &self.0 {
            Who::Account(account) => format!("arn:{}:iam::{account}:root", partition.as_str()),
            Who::Arn(arn) => arn.clone(),
        }
    }
}

impl ExternalId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoleName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RoleName {
    fn default() -> Self {
        Self("PlimsollReadOnly".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{EXTERNAL_ID_PATTERN, ExternalId, PRINCIPAL_PATTERN, Partition, Principal, ROLE_NAME_PATTERN, RoleName};

    #[test]
    fn an_account_is_trusted_through_its_root() {
        let account: Principal = "111122223333".parse().unwrap();
        assert_eq!(account.arn(Partition::AwsCn), "arn:aws-cn:iam::111122223333:root");
        let role = "arn:aws:iam::111122223333:role/ci/scanner";
        assert_eq!(role.parse::<Principal>().unwrap().arn(Partition::AwsCn), role);
    }

    #[test]
    fn a_principal_names_somebody() {
        for wrong in [
            "*",
            "",
            "1111",
            "arn:aws:iam::*:root",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:group/all",
            "arn:aws:sts::111122223333:assumed-role/a/b",
            "arn:aws:iam::111122223333:role/a'b",
            "arn:aws:iam::111122223333:role/${a}",
        ] {
            assert!(wrong.parse::<Principal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn external_ids_and_role_names_are_what_iam_takes() {
        for wrong in ["", "a", "a b", "a'b", "a\"b", "${a}", "ä1", &"x".repeat(1225)] {
            assert!(wrong.parse::<ExternalId>().is_err(), "{wrong}");
        }
        for wrong in ["", "a/b", "a:b", "a b", &"x".repeat(65)] {
            assert!(wrong.parse::<RoleName>().is_err(), "{wrong}");
        }
        assert!("a-b_c+d=e,f.g@h:i/j".parse::<ExternalId>().is_ok() && "a-b_c+d=e,f.g@h".parse::<RoleName>().is_ok());
    }

    #[test]
    fn no_pattern_needs_quoting_in_a_template() {
        for pattern in [PRINCIPAL_PATTERN, EXTERNAL_ID_PATTERN, ROLE_NAME_PATTERN] {
            assert!(!pattern.contains(['\'', '"', '\\', '$', '%']), "{pattern}");
        }
    }
}
