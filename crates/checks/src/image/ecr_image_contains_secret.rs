//! Reads what the secret detector said of each image's configuration: environment, labels, history and commands.
//! Yields one verdict per image that a task runs and per newest image of each other repository; a failure names every
//! place. Layers are not read.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::ecr::Image;
use plimsoll_model::aws::ecs::Screened;
use plimsoll_model::{Gap, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist, pci};
use crate::images::{each_running_and_newest, gone, run_by, runners, told};
use crate::reading::{masked, secrets, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecr-image-contains-secret",
    title: "Image configuration or layers hold a secret",
    severity: Severity::High,
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
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ],
    shades: &["eks:ListClusters", "eks:DescribeCluster", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    compliance: &[cis_docker("4.10"), nist("IA-5(7)"), pci("8.6.2")],
    fails_when: "The secret detectors match config.Env, config.Labels or history[].created_by of the image config blob; \
                 with the deep option also files in the layers up to a size limit. Scope: running digests first, then the \
                 newest image per repository. One platform per index.",
    why: "Whoever can pull an image can read its configuration and history: a secret there is one that every reader \
          of the repository has.",
    remediation: Remediation {
        text: "Rotate the secret, rebuild with build secrets, and delete the image.",
        cli: "aws ecr batch-delete-image --repository-name REPO --image-ids imageDigest=DIGEST",
    },
    evaluate: |estate, verdicts| each_running_and_newest(estate, verdicts, judge),
};

fn judge(image: Node<'_, Image>) -> Judgement {
    if image.detail()?.is_none() {
        return Err(gone(image));
    }
    let mut found: Vec<&Screened> = Vec::new();
    let mut digests = Vec::new();
    let mut unread: Option<Unknown> = None;
    let mut any = false;
    for part in image.platform_images()? {
        match part.config() {
            Ok(Some(config)) => {
                any = true;
                let before = found.len();
                found.extend(secrets(&config.env).chain(secrets(&config.secrets_in_text)));
                if found.len() > before {
                    digests.push(part.data().image_digest.as_str());
                }
                if config.truncated {
                    let why = "the configuration holds more texts than are judged";
                    unread = Some(undecided(part, "ecr:GetDownloadUrlForLayer", Gap::INCONCLUSIVE, why));
                }
            }
            Ok(None) => {}
            Err(unknown) => unread = Some(unknown),
        }
    }
    if found.is_empty() {
        return match unread {
            Some(unknown) => Err(unknown),
            None if any => Ok(Verdict::Pass),
            None => Ok(Verdict::NotApplicable),
        };
    }
    found.sort_by(|a, b| (&a.name, &a.fingerprint).cmp(&(&b.name, &b.fingerprint)));
    found.dedup();
    let evidence = json!({
        "imageDigest": image.data().image_digest,
        "configurationsOf": digests,
        "secrets": masked(found.iter().copied()),
        "layers": "not read",
        "usedBy": runners(image),
    });
    let places = crate::reading::told(found.into_iter());
    fail(format!("image {}, {}, tells secrets in its configuration: {places}", told(image), run_by(image)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, screened};
    use plimsoll_model::aws::ecr::{Image, ImageConfig};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with(account: Fixture, change: impl Fn(&mut ImageConfig)) -> Fixture {
        account.each::<Image>(move |image| {
            if let Seen::Known(contents) = &mut image.contents
                && let Seen::Known(Some(config)) = &mut contents.config
            {
                change(config);
            }
        })
    }

    #[test]
    fn fails_when_environment_or_history_holds_a_secret() {
        let in_env = with(fixture().shop(), |config| config.env.push(screened("DB_PASSWORD", Some("named-secret"))));
        assert_eq!(outcome(&CHECK, in_env), Fail(Severity::High));
        let in_history =
            with(fixture().shop(), |config| config.secrets_in_text.push(screened("history[3].created_by", Some("github-token"))));
        let found = findings(&CHECK, in_history);
        assert_eq!(found[0].evidence["secrets"][0]["detector"], "github-token");
        assert!(found[0].message.contains("history[3].created_by (github-token)"), "{}", found[0].message);
    }

    #[test]
    fn the_newest_image_of_a_repository_counts_though_nothing_runs_it() {
        let account = fixture().repository("app", |_| {}).image("app", |_| {});
        assert_eq!(outcome(&CHECK, account.clone()), Pass);
        assert_eq!(outcome(&CHECK, with(account, |config| config.env.push(screened("A", Some("x"))))), Fail(Severity::High));
    }

    #[test]
    fn passes_without_secrets_and_with_the_mere_id_of_a_key() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, with(fixture().shop(), |config| config.env.push(screened("K", Some("aws-access-key-id"))))), Pass);
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_configuration_was_not_readable_or_too_full() {
        let account = fixture().shop().each::<Image>(|image| {
            if let Seen::Known(contents) = &mut image.contents {
                contents.config = gap("ecr:GetDownloadUrlForLayer").into();
            }
        });
        assert_eq!(outcome(&CHECK, account), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each::<Image>(|image| image.contents = gap("ecr:BatchGetImage").into())), Unknown);
        assert_eq!(outcome(&CHECK, with(fixture().shop(), |config| config.truncated = true)), Unknown);
    }
}
