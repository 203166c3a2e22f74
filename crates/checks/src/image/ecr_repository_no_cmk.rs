//! Reads the encryption of each repository and the key that it names. Yields one verdict per private repository; a
//! failure tells whose key it is.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecr::Repository;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-no-cmk",
    title: "Repository is not encrypted with a customer managed key",
    severity: Severity::Low,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["ecr:DescribeRepositories", "kms:DescribeKey"],
    shades: &["kms:DescribeKey"],
    compliance: &[fsbp("ECR.5"), nist("SC-12"), nist("SC-28")],
    fails_when: "encryptionConfiguration.encryptionType is AES256, or KMS with a kmsKey whose KeyManager is AWS. Images \
                 are always encrypted; the finding matters where a policy demands a CMK.",
    why: "Without a key of one's own nobody can see who decrypts the images, narrow that down or end it; the choice \
          is made once, when the repository is created.",
    remediation: Remediation {
        text: "Create a new repository (or a creation template) with a CMK and copy the images; the setting cannot be \
              changed.",
        cli: "aws ecr create-repository --repository-name REPO --encryption-configuration \
             encryptionType=KMS,kmsKey=KEY_ARN",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Repository>(), judge),
};

fn judge(repository: Node<'_, Repository>) -> Judgement {
    let Some(encryption) = &repository.data().encryption_configuration else {
        return Err(undecided(repository, "ecr:DescribeRepositories", "NotAnswered", "the repository tells no encryptionConfiguration"));
    };
    let (kind, key) = (encryption.encryption_type.as_str(), encryption.kms_key.as_deref());
    let mut manager = None;
    if kind != "AES256"
        && let Some(reference) = key
    {
        let key = repository.estate().key(repository.account(), repository.region(), reference).known()?;
        let Some(metadata) = key.metadata()? else {
            return Err(undecided(repository, "kms:DescribeKey", "NotFoundException", format!("KMS knows no key {reference}")));
        };
        manager = metadata.key_manager.as_deref();
        if manager == Some("CUSTOMER") {
            return Ok(Verdict::Pass);
        }
    }
    let whose = if kind == "AES256" { "a key of Amazon ECR" } else { "the key that AWS manages" };
    let evidence = json!({"encryptionType": kind, "kmsKey": key, "KeyManager": manager});
    fail(format!("repository {} is encrypted with {whose}", repository.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, key_arn};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecr::EncryptionConfiguration;
    use plimsoll_model::aws::kms::Key;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, outcome};

    fn with_key(manager: &str) -> Fixture {
        let manager = manager.to_owned();
        let encryption = EncryptionConfiguration { encryption_type: "KMS".to_owned(), kms_key: Some(key_arn("k1")) };
        fixture().repository("web", |repository| repository.encryption_configuration = Some(encryption)).key("k1", |key| {
            if let plimsoll_model::Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_manager = Some(manager);
            }
        })
    }

    #[test]
    fn fails_when_the_key_is_one_of_aws() {
        assert_eq!(outcome(&CHECK, fixture().repository("web", |_| {})), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, with_key("AWS")), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_the_key_is_the_customers() {
        assert_eq!(outcome(&CHECK, with_key("CUSTOMER")), Pass);
    }

    #[test]
    fn is_unknown_when_encryption_or_key_was_not_told() {
        assert_eq!(outcome(&CHECK, with_key("CUSTOMER").each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into())), Unknown);
        assert_eq!(outcome(&CHECK, with_key("CUSTOMER").without::<Key>()), Unknown);
        assert_eq!(outcome(&CHECK, fixture().repository("web", |repository| repository.encryption_configuration = None)), Unknown);
    }
}
