//! What keeps a collection from beginning flows in; a message and a hint flow out.

use crate::accounts::AccountChoiceError;
use crate::failure::Failure;

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// No credentials were found anywhere.
    #[error("no AWS credentials found")]
    NoCredentials {
        /// Where they were looked for.
        source: Failure,
    },
    /// The profile is not in the configuration files.
    #[error("profile {profile} cannot be used")]
    Profile {
        /// The profile that was asked for.
        profile: String,
        /// What is wrong with it.
        source: Failure,
    },
    /// Credentials were found, but their provider failed.
    #[error("AWS credentials cannot be loaded")]
    Credentials {
        /// What the provider said.
        source: Failure,
    },
    /// The role cannot be assumed.
    #[error("cannot assume {role}")]
    AssumeRole {
        /// The role that was asked for.
        role: String,
        /// What AWS said.
        source: Failure,
    },
    /// The credentials were valid once.
    #[error("the AWS credentials have expired")]
    Expired {
        /// What AWS said.
        source: Failure,
    },
    /// AWS does not take the credentials.
    #[error("AWS refuses the credentials")]
    Refused {
        /// What AWS said.
        source: Failure,
    },
    /// This machine's clock is wrong.
    #[error("AWS refuses the request's time: this machine's clock is wrong")]
    ClockSkew {
        /// What AWS said.
        source: Failure,
    },
    /// Nobody answers.
    #[error("cannot reach {endpoint}")]
    Unreachable {
        /// Where AWS was expected.
        endpoint: String,
        /// What the network said.
        source: Failure,
    },
    /// Somebody answers, but not as AWS does.
    #[error("{endpoint} does not answer like AWS")]
    NotAws {
        /// Where AWS was expected.
        endpoint: String,
        /// What came instead.
        source: Failure,
    },
    /// There is no such Region.
    #[error("there is no AWS Region {name}{}", nearest.as_deref().map_or(String::new(), |nearest| format!(", did you mean {nearest}?")))]
    UnknownRegion {
        /// The Region that was asked for.
        name: String,
        /// The one that may be meant.
        nearest: Option<String>,
    },
    /// The Regions cannot be listed and none is configured.
    #[error("the Regions cannot be listed, and none is configured")]
    NoRegion {
        /// Why they cannot be listed.
        source: Failure,
    },
    /// The choice of accounts cannot be meant.
    #[error(transparent)]
    Accounts(#[from] AccountChoiceError),
    /// The accounts of the organization cannot be told.
    #[error("the accounts of the organization cannot be told: {operation}{on}")]
    Organization {
        /// The operation that failed.
        operation: String,
        /// ` of` what, if it was about one thing.
        on: String,
        /// What AWS said.
        source: Failure,
    },
    /// Not one of several accounts could be entered.
    #[error("none of {accounts} accounts can be entered; the first is {first}")]
    NoAccount {
        /// How many were asked for.
        accounts: usize,
        /// The first of them.
        first: String,
        /// What was said of it.
        source: Failure,
    },
    /// It was stopped before it was known which account this is.
    #[error("interrupted before anything was collected")]
    Interrupted,
}

impl CollectError {
    /// What the reader of the message can do.
    pub fn hint(&self) -> String {
        match self {
            Self::NoCredentials { .. } => {
                "set AWS_PROFILE or pass --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `plimsoll demo` needs none".to_owned()
            }
            Self::Profile { profile, source } if is_sso(source) => sign_in(Some(profile)),
            Self::Profile { profile, .. } => {
                format!("`aws configure list-profiles` shows the profiles there are; `aws configure --profile {profile}` makes this one")
            }
            Self::Credentials { source } | Self::Expired { source } if is_sso(source) => sign_in(None),
            Self::Credentials { .. } => "`aws sts get-caller-identity` should fail the same way; mend it there first".to_owned(),
            Self::AssumeRole { role, .. } => {
                format!("allow sts:AssumeRole on {role} and let its trust policy name you, with --external-id if it asks for one")
            }
            Self::Expired { .. } => "get new credentials, for example with `aws sso login` or by assuming the role again".to_owned(),
            Self::Refused { .. } => {
                "check that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN belong together, and that the Region is of their partition".to_owned()
            }
            Self::ClockSkew { .. } => "set the clock, for example by turning on time synchronisation (NTP)".to_owned(),
            Self::Unreachable { .. } => {
                "check the network, HTTPS_PROXY and, if set, AWS_ENDPOINT_URL".to_owned()
            }
            Self::NotAws { .. } => "check HTTPS_PROXY and, if set, AWS_ENDPOINT_URL: a proxy or a sign-in page may answer in its place".to_owned(),
            Self::UnknownRegion { .. } => "name Regions by their code, such as eu-west-3, or leave --region out to scan every enabled one".to_owned(),
            Self::NoRegion { .. } => "allow ec2:DescribeRegions, or name the Regions with --region".to_owned(),
            Self::Accounts(wrong) => wrong.hint().to_owned(),
            Self::Organization { source, .. } if source.code == "AWSOrganizationsNotInUseException" => {
                "this account is in no organization: name accounts with --accounts or roles with --role-arn".to_owned()
            }
            Self::Organization { source, .. } if source.code == "ParentNotFoundException" => {
                "the organization has no such unit or root; `aws organizations list-roots` and what is below tell their ids".to_owned()
            }
            Self::Organization { operation, .. } => {
                format!("call from the management account or a delegated administrator, with {operation} allowed")
            }
            Self::NoAccount { .. } => {
                "allow sts:AssumeRole on the roles and let their trust policies name you, with --external-id if they ask for one".to_owned()
            }
            Self::Interrupted => "start again".to_owned(),
        }
    }

    /// Whether the command line or the configuration is wrong, rather than the world.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Profile { .. } | Self::UnknownRegion { .. } | Self::NoRegion { .. } | Self::Accounts(_))
    }
}

fn is_sso(source: &Failure) -> bool {
    source.message.to_lowercase().contains("sso")
}

fn sign_in(profile: Option<&str>) -> String {
    profile.map_or_else(|| "sign in with `aws sso login`".to_owned(), |profile| format!("sign in with `aws sso login --profile {profile}`"))
}
