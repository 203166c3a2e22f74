//! Reads the signatures of each image that a task runs: what ECR signed, artifacts that refer to the digest, and the
//! tags of Cosign. Yields one verdict per running digest; where an account signs nothing at all, one for the registry
//! instead.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecr::{Image, Registry};
use plimsoll_model::aws::signer::SigningProfile;
use plimsoll_model::{AccountId, Region, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, cis_eks, fail, nist};
use crate::engine::Verdicts;
use crate::images::{each_running, gone, run_by, runners, told};

pub(crate) const CHECK: Check = Check {
    id: "ecr-running-image-unsigned",
    title: "Running image has no verified signature",
    severity: Severity::Medium,
    resource: "AWS::ECR::Image",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ecr:DescribeImageSigningStatus",
        "ecr:GetSigningConfiguration",
        "ecr:ListImageReferrers",
        "signer:ListSigningProfiles",
    ],
    shades: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeImages",
        "ecr:DescribeImageSigningStatus",
        "ecr:GetSigningConfiguration",
        "ecr:ListImageReferrers",
        "signer:ListSigningProfiles",
    ],
    compliance: &[cis_docker("4.5"), nist("SI-7(15)?"), nist("CM-14"), cis_eks("5.1.4?")],
    fails_when: "For a running digest no signature exists: DescribeImageSigningStatus shows no status COMPLETE, no \
                 referrer with artifactType of Notation or Cosign, and no tag sha256-DIGEST.sig. Low and once per \
                 registry when the account uses no signing at all (no signing configuration, no signing profile): then \
                 recommend the practice instead of one finding per image. Presence is checked, not the cryptography.",
    why: "Without a signature nothing ties what runs to the pipeline that should have built it: whoever may push \
          decides what runs.",
    remediation: Remediation {
        text: "Turn on managed signing for the repository and verify signatures before deployment.",
        cli: "aws ecr put-signing-configuration --signing-configuration file://signing.json",
    },
    evaluate,
};

/// Types of artifacts by which Notation, Cosign and Sigstore attach signatures.
const SIGNATURES: [&str; 3] =
    ["application/vnd.cncf.notary.signature", "application/vnd.dev.cosign.", "application/vnd.dev.sigstore.bundle"];
/// The platform of AWS Signer for container images.
const SIGNER_PLATFORM: &str = "Notation-OCI-SHA384-ECDSA";

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut signing: BTreeSet<(&AccountId, &Region)> = BTreeSet::new();
    for image in estate.running_images() {
        if !matches!(is_signed(image), Ok(false)) {
            signing.insert((image.account(), image.region()));
        }
    }
    let unsigned = |registry: Node<'_, Registry>| !signing.contains(&(registry.account(), registry.region())) && signs_nothing(registry);
    let silent: BTreeSet<(&AccountId, &Region)> =
        estate.all::<Registry>().filter(|registry| unsigned(*registry)).map(|registry| (registry.account(), registry.region())).collect();
    each_running(estate, verdicts, |image| {
        // Said once, of the registry.
        if silent.contains(&(image.account(), image.region())) { Ok(Verdict::NotApplicable) } else { judge(image) }
    });
    for registry in estate.all::<Registry>() {
        let place = (registry.account(), registry.region());
        let count = estate.running_images().filter(|image| (image.account(), image.region()) == place).count();
        if count > 0 && silent.contains(&place) {
            let evidence = json!({"signingConfiguration": null, "signingProfiles": [], "runningImages": count});
            let images = if count == 1 { "1 running image".to_owned() } else { format!("{count} running images") };
            let message = format!("nothing is signed in the registry of {} in {}: {images} without signature", place.0, place.1);
            verdicts.judge(registry, fail(message, evidence).severity(Severity::Low).verdict());
        }
    }
}

fn judge(image: Node<'_, Image>) -> Judgement {
    if image.detail()?.is_none() {
        return Err(gone(image));
    }
    if is_signed(image)? {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({
        "imageDigest": image.data().image_digest,
        "signingStatuses": image.data().signing_statuses.known().ok(),
        "referrers": image.data().referrers.known().ok(),
        "usedBy": runners(image),
    });
    fail(format!("image {}, {}, has no signature", told(image), run_by(image)), evidence).verdict()
}

/// Whether there is a signature; its cryptography is not checked.
fn is_signed(image: Node<'_, Image>) -> Result<bool, Unknown> {
    let image = image.data();
    let (statuses, referrers, tags) = (image.signing_statuses.known(), image.referrers.known(), image.signature_tags.known());
    let signed =
        |statuses: &Vec<plimsoll_model::aws::ecr::ImageSigningStatus>| statuses.iter().any(|one| one.status.as_deref() == Some("COMPLETE"));
    let attached = |referrers: &Vec<plimsoll_model::aws::ecr::ImageReferrer>| {
        let kinds = referrers.iter().filter_map(|referrer| referrer.artifact_type.as_deref());
        kinds.into_iter().any(|kind| SIGNATURES.iter().any(|signature| kind.starts_with(signature)))
    };
    if statuses.is_ok_and(signed) || referrers.is_ok_and(attached) || tags.is_ok_and(|tags| !tags.is_empty()) {
        return Ok(true);
    }
    // One that was not read may be the one that shows a signature.
    statuses?;
    referrers?;
    tags?;
    Ok(false)
}

/// Whether the account is known to sign nothing with AWS in this Region.
fn signs_nothing(registry: Node<'_, Registry>) -> bool {
    let configured = registry.data().signing_configuration.known();
    let none = configured.is_ok_and(|configuration| configuration.as_ref().is_none_or(|configuration| configuration.rules.is_empty()));
    let estate = registry.estate();
    let profiles = estate.all::<SigningProfile>().any(|profile| {
        profile.account() == registry.account()
            && profile.region() == registry.region()
            && profile.data().platform_id.as_deref().is_none_or(|platform| platform == SIGNER_PLATFORM)
    });
    none && !profiles && estate.coverage().check(registry.account(), registry.region(), "signer:ListSigningProfiles").is_ok()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::{Image, ImageSigningStatus, Registry};
    use plimsoll_model::aws::signer::SigningProfile;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn unsigned() -> Fixture {
        fixture().shop().each::<Image>(|image| image.referrers = Seen::Known(Vec::new()))
    }

    fn nothing_signed() -> Fixture {
        unsigned().each::<Registry>(|registry| registry.signing_configuration = Seen::Known(None))
    }

    #[test]
    fn fails_when_a_running_image_has_no_signature() {
        assert_eq!(outcome(&CHECK, unsigned()), Fail(Severity::Medium));
        let profile =
            SigningProfile { arn: "p".to_owned(), platform_id: Some("Notation-OCI-SHA384-ECDSA".to_owned()), ..Default::default() };
        assert_eq!(outcome(&CHECK, nothing_signed().resource(profile)), Fail(Severity::Medium));
    }

    #[test]
    fn is_said_once_and_low_where_nothing_is_signed_at_all() {
        let lambda = SigningProfile { arn: "p".to_owned(), platform_id: Some("AWSLambda-SHA384-ECDSA".to_owned()), ..Default::default() };
        let found = findings(&CHECK, nothing_signed().resource(lambda));
        assert_eq!((found.len(), found[0].severity, found[0].resource.kind.as_ref()), (1, Severity::Low, "AWS::ECR::Registry"));
        // That profiles could not be listed does not show that there are none.
        assert_eq!(outcome(&CHECK, nothing_signed().denied("signer:ListSigningProfiles")), Fail(Severity::Medium));
    }

    #[test]
    fn passes_with_any_kind_of_signature() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        let tagged = unsigned().each::<Image>(|image| image.signature_tags = Seen::Known(vec!["sha256-0.sig".to_owned()]));
        assert_eq!(outcome(&CHECK, tagged), Pass);
        let managed = ImageSigningStatus { status: Some("COMPLETE".to_owned()), ..Default::default() };
        assert_eq!(
            outcome(&CHECK, unsigned().each::<Image>(move |image| image.signing_statuses = Seen::Known(vec![managed.clone()]))),
            Pass
        );
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_what_may_show_one_was_not_readable() {
        assert_eq!(outcome(&CHECK, unsigned().each::<Image>(|image| image.referrers = gap("ecr:ListImageReferrers").into())), Unknown);
        let account = nothing_signed().each::<Image>(|image| image.signing_statuses = gap("ecr:DescribeImageSigningStatus").into());
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
