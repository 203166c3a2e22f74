//! Reads the buckets that hold the environment files of containers: whose they are, who may read them, and how they are
//! encrypted. Yields one verdict per task definition in scope; a failure names each bucket with what is wrong.

use plimsoll_graph::{Node, Unknown, bucket_of};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::s3::Bucket;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::{distinct, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-environment-file-bucket-exposed",
    title: "Environment file sits in a bucket that is public or unencrypted with a CMK",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "s3:ListBuckets",
        "s3:GetBucketPolicyStatus",
        "s3:GetPublicAccessBlock",
        "s3:GetBucketEncryption",
        "s3:GetBucketAcl",
        "s3:GetAccountPublicAccessBlock",
    ],
    shades: &[
        "s3:ListBuckets",
        "s3:GetBucketPolicyStatus",
        "s3:GetPublicAccessBlock",
        "s3:GetBucketEncryption",
        "s3:GetBucketAcl",
        "s3:GetAccountPublicAccessBlock",
    ],
    compliance: &[fsbp("S3.8"), nist("AC-3"), nist("SC-28")],
    fails_when: "environmentFiles[].value names a bucket where PolicyStatus.IsPublic is true, or the public access block \
                 (bucket and account) is not fully on and an ACL grants AllUsers/AuthenticatedUsers (both critical), or \
                 whose owner is another account, or whose default encryption SSEAlgorithm is not aws:kms (low).",
    why: "Environment files hold the configuration of a task and often its secrets: whoever reads the bucket has them, and whoever \
          writes it decides what the task does.",
    remediation: Remediation {
        text: "Keep secrets out of environment files; block public access and encrypt the bucket with a CMK.",
        cli: "aws s3api put-public-access-block --bucket BUCKET --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// What is wrong with a bucket.
struct Exposure<'e> {
    name: &'e str,
    severity: Severity,
    told: String,
    algorithm: Option<&'e str>,
    owned: bool,
}

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let files = || definition.data().container_definitions.iter().flat_map(|container| &container.environment_files);
    let (mut exposed, mut gap) = (Vec::new(), None);
    for name in distinct(files().filter_map(|file| bucket_of(&file.value))) {
        let (found, unknown) = exposure(definition, name);
        exposed.extend(found);
        gap = gap.or(unknown);
    }
    let Some(severity) = exposed.iter().map(|one| one.severity).max() else {
        return gap.map_or(Ok(Verdict::Pass), Err);
    };
    let told: Vec<&str> = exposed.iter().map(|one| one.told.as_str()).collect();
    let of_containers: Vec<Value> = definition
        .data()
        .container_definitions
        .iter()
        .filter(|container| !container.environment_files.is_empty())
        .map(|container| json!({"name": container.name, "environmentFiles": container.environment_files}))
        .collect();
    let buckets: Vec<Value> = exposed
        .iter()
        .map(|one| {
            let is_public = one.severity == Severity::Critical;
            json!({"bucket": one.name, "isPublic": is_public, "SSEAlgorithm": one.algorithm, "ownBucket": one.owned})
        })
        .collect();
    let evidence = json!({"containerDefinitions": of_containers, "buckets": buckets, "usedBy": users(definition)});
    let message = format!("environment files of {} are in {}", definition.name(), listed(&told));
    fail(message, evidence).severity(severity).verdict()
}

/// What is wrong with a bucket, and what of it was not read.
fn exposure<'e>(definition: Node<'e, TaskDefinition>, name: &'e str) -> (Option<Exposure<'e>>, Option<Unknown>) {
    let estate = definition.estate();
    let named = match estate.bucket(definition.account(), definition.region(), name).known() {
        Ok(bucket) => bucket,
        Err(unknown) => return (None, Some(unknown)),
    };
    let owned = match named.data().owned.known() {
        Ok(owned) => *owned,
        Err(gap) => return (None, Some(gap.into())),
    };
    // Another account tells of its own bucket, when it was scanned.
    let bucket: Node<'_, Bucket> = estate.owned_bucket(name).unwrap_or(named);
    let (is_public, algorithm) = (bucket.is_public(), bucket.algorithm());
    let exposure = |severity, told| Exposure { name, severity, told, algorithm: algorithm.clone().ok().flatten(), owned };
    if is_public == Ok(true) {
        return (Some(exposure(Severity::Critical, format!("the public bucket {name}"))), None);
    }
    if !owned {
        return (Some(exposure(Severity::Medium, format!("bucket {name}, which is not one of this account"))), None);
    }
    match (is_public, &algorithm) {
        (_, Ok(algorithm)) if !algorithm.is_some_and(|name| name.starts_with("aws:kms")) => {
            let told = format!("bucket {name}, encrypted with {} and no KMS key", algorithm.unwrap_or("nothing"));
            (Some(exposure(Severity::Low, told)), None)
        }
        (Err(unknown), _) => (None, Some(unknown)),
        (Ok(_), Err(unknown)) => (None, Some(unknown.clone())),
        (Ok(_), Ok(_)) => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecs::{EnvironmentFile, TaskDefinition};
    use plimsoll_model::aws::s3::{Acl, Bucket, Encryption, EncryptionByDefault, EncryptionRule, Grant, Grantee, PolicyStatus};
    use plimsoll_model::{AccountId, Region, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, outcome};

    fn shop() -> Fixture {
        let file = EnvironmentFile { value: "arn:aws:s3:::config/web.env".to_owned(), kind: "s3".to_owned() };
        fixture().shop().each(move |definition: &mut TaskDefinition| {
            definition.container_definitions[0].environment_files = vec![file.clone()];
        })
    }

    fn with(change: impl FnOnce(&mut Bucket)) -> Fixture {
        shop().bucket("config", change)
    }

    fn public(bucket: &mut Bucket) {
        bucket.policy_status = Seen::Known(Some(PolicyStatus { is_public: true }));
    }

    fn foreign(bucket: &mut Bucket) {
        bucket.owned = Seen::Known(false);
        bucket.policy_status = gap("s3:GetBucketPolicyStatus").into();
        bucket.encryption = gap("s3:GetBucketEncryption").into();
    }

    fn aes(bucket: &mut Bucket) {
        let defaults = EncryptionByDefault { sse_algorithm: Some("AES256".to_owned()), kms_master_key_id: None };
        let rule = EncryptionRule { apply_server_side_encryption_by_default: Some(defaults), bucket_key_enabled: None };
        bucket.encryption = Seen::Known(Some(Encryption { rules: vec![rule] }));
    }

    #[test]
    fn a_public_bucket_is_critical() {
        assert_eq!(outcome(&CHECK, with(public)), Fail(Severity::Critical));
        let listed = |bucket: &mut Bucket| {
            let uri = Some("http://acs.amazonaws.com/groups/global/AuthenticatedUsers".to_owned());
            bucket.acl = Seen::Known(Acl { grants: vec![Grant { grantee: Grantee { uri }, permission: Some("READ".to_owned()) }] });
            bucket.public_access_block = Seen::Known(None);
        };
        assert_eq!(outcome(&CHECK, with(listed)), Pass, "the account blocks public access");
        let open = with(listed).each::<plimsoll_model::aws::s3::AccountPublicAccessBlock>(|block| block.configuration = Seen::Known(None));
        assert_eq!(outcome(&CHECK, open), Fail(Severity::Critical));
    }

    #[test]
    fn a_bucket_of_somebody_else_fails_and_one_without_a_kms_key_weighs_little() {
        assert_eq!(outcome(&CHECK, with(foreign)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, with(aes)), Fail(Severity::Low));
    }

    #[test]
    fn another_scanned_account_tells_of_its_bucket() {
        let account = with(foreign).bucket("theirs", |bucket| {
            bucket.name = "config".to_owned();
            public(bucket);
        });
        let account = account.with(|inventory| {
            let other = AccountId::new("222222222222");
            inventory.header.scope.accounts.insert(other.clone());
            let theirs = inventory.buckets.pop().unwrap().data;
            inventory.push(&other, &Region::new("us-east-1"), theirs);
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Critical));
    }

    #[test]
    fn passes_when_closed_and_encrypted_or_without_files() {
        assert_eq!(outcome(&CHECK, with(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop().denied("s3:ListBuckets")), Pass);
    }

    #[test]
    fn is_unknown_when_the_bucket_was_not_readable() {
        assert_eq!(outcome(&CHECK, shop().denied("s3:ListBuckets")), Unknown);
        assert_eq!(outcome(&CHECK, with(|bucket| bucket.policy_status = gap("s3:GetBucketPolicyStatus").into())), Unknown);
        assert_eq!(outcome(&CHECK, with(|bucket| bucket.encryption = gap("s3:GetBucketEncryption").into())), Unknown);
        let listed = |bucket: &mut Bucket| {
            bucket.public_access_block = gap("s3:GetPublicAccessBlock").into();
            bucket.acl = gap("s3:GetBucketAcl").into();
        };
        assert_eq!(outcome(&CHECK, with(listed)), Unknown);
    }
}
