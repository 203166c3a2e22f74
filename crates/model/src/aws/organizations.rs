//! AWS Organizations (API version 2016-11-28): where an account stands, and the policies over it.

use crate::Seen;
use crate::policy::PolicyDocument;

aws! {
    "PascalCase"

    /// An account, its organization, and what stands between the two.
    Account {
        pub id: String,
        /// None: the account is in no organization.
        pub organization: Seen<Option<Organization>>,
        /// The units above it, the nearest first, and the root.
        pub parents: Seen<Vec<Parent>>,
        /// The policies attached to it, to the units above it and to the root.
        pub policies: Seen<Vec<Attachment>>,
    }

    /// `Organization`.
    Organization {
        pub id: String,
        pub arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub feature_set: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub master_account_id: Option<String>,
    }

    /// `Parent`.
    Parent {
        pub id: String,
        #[serde(rename = "Type")]
        pub kind: String,
    }

    /// A policy and what it is attached to.
    Attachment {
        pub target_id: String,
        pub policy_id: String,
        /// `SERVICE_CONTROL_POLICY` or `RESOURCE_CONTROL_POLICY`.
        #[serde(rename = "Type")]
        pub kind: String,
    }

    /// `PolicySummary`, with the content.
    Policy {
        pub id: String,
        pub arn: String,
        pub name: String,
        #[serde(rename = "Type")]
        pub kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub aws_managed: Option<bool>,
        pub content: Seen<PolicyDocument>,
    }
}
