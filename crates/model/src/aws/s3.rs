//! Amazon S3 (API version 2006-03-01) and S3 Control: buckets that something collected names.

use crate::{Arn, Region, Seen};

aws! {
    "PascalCase"

    /// A bucket, and whether it is one of the account that was asked.
    Bucket {
        pub name: String,
        /// Where `ListBuckets` says it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bucket_region: Option<String>,
        /// Whether `ListBuckets` has it: a bucket that it has not belongs to another account, or does not exist.
        pub owned: Seen<bool>,
        pub policy_status: Seen<Option<PolicyStatus>>,
        pub public_access_block: Seen<Option<PublicAccessBlock>>,
        pub encryption: Seen<Option<Encryption>>,
        pub acl: Seen<Acl>,
    }

    /// The block of public access that holds for all buckets of an account.
    AccountPublicAccessBlock {
        pub configuration: Seen<Option<PublicAccessBlock>>,
    }

    /// `PolicyStatus`.
    PolicyStatus {
        pub is_public: bool,
    }

    /// `PublicAccessBlockConfiguration`.
    PublicAccessBlock {
        pub block_public_acls: bool,
        pub ignore_public_acls: bool,
        pub block_public_policy: bool,
        pub restrict_public_buckets: bool,
    }

    /// `ServerSideEncryptionConfiguration`.
    Encryption {
        #[serde(rename = "Rule", skip_serializing_if = "Vec::is_empty")]
        pub rules: Vec<EncryptionRule>,
    }

    /// `ServerSideEncryptionRule`.
    EncryptionRule {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub apply_server_side_encryption_by_default: Option<EncryptionByDefault>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bucket_key_enabled: Option<bool>,
    }

    /// `ServerSideEncryptionByDefault`.
    EncryptionByDefault {
        #[serde(rename = "SSEAlgorithm", skip_serializing_if = "Option::is_none")]
        pub sse_algorithm: Option<String>,
        #[serde(rename = "KMSMasterKeyID", skip_serializing_if = "Option::is_none")]
        pub kms_master_key_id: Option<String>,
    }

    /// What `GetBucketAcl` answers.
    Acl {
        #[serde(rename = "AccessControlList", skip_serializing_if = "Vec::is_empty")]
        pub grants: Vec<Grant>,
    }

    /// `Grant`.
    Grant {
        pub grantee: Grantee,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub permission: Option<String>,
    }

    /// `Grantee`, when it is one of the groups that AWS defines.
    Grantee {
        #[serde(rename = "URI", skip_serializing_if = "Option::is_none")]
        pub uri: Option<String>,
    }
}

impl Bucket {
    /// The reference to the KMS key that encrypts its objects by default, as it is understood in a Region: an id or alias
    /// means a key of the bucket's own.
    pub fn key_reference(&self, region: &Region) -> Option<&String> {
        let rules = self.encryption.known().ok()?.as_ref()?;
        let defaults = rules.rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref())?;
        let key = defaults.kms_master_key_id.as_ref().filter(|key| !key.is_empty())?;
        let here = self.bucket_region.as_deref() == Some(region.as_str());
        (here || Arn::parse(key).is_some()).then_some(key)
    }
}
