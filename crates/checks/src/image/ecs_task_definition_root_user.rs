//! Reads the user of each container, and where the definition names none that of its image. Yields one verdict per
//! task definition in scope; a failure names every container that runs as root or as the Windows administrator.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist, pci};
use crate::images::{ImageUser, image_user, is_root};
use crate::reading::{containers, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-root-user",
    title: "Container runs as root or as the Windows administrator",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Image,
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
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
    ],
    shades: &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:DescribeImages", "ecr:DescribeRepositories"],
    compliance: &[fsbp("ECS.20"), fsbp("ECS.21"), cis_docker("4.1"), nist("AC-6"), pci("7.2.1?")],
    fails_when: "Linux (operatingSystemFamily LINUX or absent): containerDefinitions[].user is absent, \"root\", \"0\", \
                 \"root:*\" or \"0:*\". When user is absent and the image is in a readable private ECR repository, read \
                 config.User of the image config blob: a non-root numeric or named user there makes the container pass. \
                 Windows (operatingSystemFamily starts with WINDOWS_SERVER): user is absent or equals \
                 containeradministrator, case-insensitive.",
    why: "A flaw in the program hands out the rights of its user: as root that is every file of the container, and \
          one bug of the kernel away from the host.",
    remediation: Remediation {
        text: "Set USER in the Dockerfile and user in the container definition to a non-zero uid:gid.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # user=1000:1000; then: aws ecs \
             update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let windows = !definition.is_linux();
    let mut failing: Vec<&str> = Vec::new();
    let mut evidence = Vec::new();
    let mut certain = false;
    for container in &definition.data().container_definitions {
        let user = container.user.as_deref().filter(|user| !user.is_empty());
        let image_user = match user {
            Some(user) if windows && !user.eq_ignore_ascii_case("containeradministrator") => continue,
            Some(user) if !windows && !is_root(user) => continue,
            None if !windows => Some(image_user(definition, container)),
            _ => None,
        };
        let told = match image_user {
            Some(ImageUser::Other) => continue,
            Some(ImageUser::Unknown) => json!("unknown"),
            Some(ImageUser::Root(user)) => {
                certain = true;
                json!(user)
            }
            None => {
                certain = true;
                json!(null)
            }
        };
        failing.push(&container.name);
        evidence.push(json!({"name": container.name, "user": container.user, "image": container.image, "imageUser": told}));
    }
    if failing.is_empty() {
        return Ok(Verdict::Pass);
    }
    let platform = definition.runtime_platform.as_ref();
    let evidence = json!({
        "containerDefinitions": evidence,
        "operatingSystemFamily": platform.and_then(|platform| platform.operating_system_family.as_deref()),
        "usedBy": users(definition),
    });
    let whom = if windows { "the administrator" } else { "root" };
    let verb = if failing.len() == 1 { "runs" } else { "run" };
    let message = format!("{} of {} {verb} as {whom}", containers(&failing), definition.name());
    if certain {
        fail(message, evidence).verdict()
    } else {
        fail(format!("{message} unless the image sets another user, which was not read"), evidence).possible().verdict()
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::Image;
    use plimsoll_model::aws::ecs::{RuntimePlatform, TaskDefinition};
    use plimsoll_model::{Confidence, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn as_user(user: Option<&str>) -> Fixture {
        let user = user.map(str::to_owned);
        fixture().shop().each::<TaskDefinition>(move |definition| definition.container_definitions[0].user.clone_from(&user))
    }

    fn image_user(account: Fixture, user: Option<&str>) -> Fixture {
        let user = user.map(str::to_owned);
        account.each::<Image>(move |image| {
            if let Seen::Known(contents) = &mut image.contents
                && let Seen::Known(Some(config)) = &mut contents.config
            {
                config.user.clone_from(&user);
            }
        })
    }

    #[test]
    fn fails_when_the_definition_names_root() {
        for user in ["root", "0", "root:wheel", "0:0", "00"] {
            assert_eq!(outcome(&CHECK, as_user(Some(user))), Fail(Severity::Medium), "{user}");
        }
    }

    #[test]
    fn fails_when_neither_definition_nor_image_names_another() {
        for user in [None, Some("root"), Some("0:1000")] {
            let found = findings(&CHECK, image_user(as_user(None), user));
            assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Certain), "{user:?}");
        }
    }

    #[test]
    fn passes_when_the_definition_or_the_image_names_another() {
        for user in [Some("1000"), Some("app"), Some("rooter")] {
            assert_eq!(outcome(&CHECK, as_user(user)), Pass);
            assert_eq!(outcome(&CHECK, image_user(as_user(None), user)), Pass);
        }
    }

    #[test]
    fn an_image_that_was_not_read_leaves_a_possible_failure() {
        let account = as_user(None).each::<Image>(|image| image.contents = gap("ecr:BatchGetImage").into());
        let found = findings(&CHECK, account);
        assert_eq!(
            (found[0].confidence, found[0].evidence["containerDefinitions"][0]["imageUser"].as_str()),
            (Confidence::Possible, Some("unknown"))
        );
        let elsewhere = as_user(None).each::<TaskDefinition>(|definition| definition.container_definitions[0].image = "nginx".to_owned());
        assert_eq!(findings(&CHECK, elsewhere)[0].confidence, Confidence::Possible);
    }

    #[test]
    fn on_windows_the_administrator_fails() {
        let windows = |account: Fixture| {
            account.each::<TaskDefinition>(|definition| {
                let family = Some("WINDOWS_SERVER_2022_CORE".to_owned());
                definition.runtime_platform = Some(RuntimePlatform { operating_system_family: family, cpu_architecture: None });
            })
        };
        assert_eq!(outcome(&CHECK, windows(as_user(Some("ContainerAdministrator")))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, windows(as_user(None))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, windows(as_user(Some("ContainerUser")))), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        let account = fixture().task_definition("web", |definition| definition.container_definitions[0].user = Some("0".to_owned()));
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
