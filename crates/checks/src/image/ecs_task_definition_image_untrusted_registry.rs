//! Reads from which registry each container takes its image. Yields one verdict per task definition in scope; a
//! failure names every image whose registry nobody approved.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::policy::wildcard_match;
use plimsoll_model::{ImageReference, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::reading::{distinct, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-image-untrusted-registry",
    title: "Container image comes from a registry that is not on the allow-list",
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
        "ecr:DescribePullThroughCacheRules",
    ],
    shades: &["ecr:DescribePullThroughCacheRules"],
    compliance: &[cis_eks("5.1.4"), nist("CM-7"), nist("SR-3?")],
    fails_when: "The registry host and namespace of containerDefinitions[].image is not in the allow-list. Default \
                 allow-list: private ECR of the scanned accounts and organization, AWS-owned ECR accounts, \
                 public.ecr.aws/docker/library, public.ecr.aws/amazonlinux, public.ecr.aws/aws-*, docker.io/library. \
                 Everything else on Docker Hub, ghcr.io, quay.io and private ECR of unknown accounts fails.",
    why: "Whoever owns the registry decides what runs, and may change it, withdraw it or fill it with something \
          else.",
    remediation: Remediation {
        text: "Mirror the image through an ECR pull-through cache or a scanned private repository.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             image=ACCOUNT.dkr.ecr.REGION.amazonaws.com/...; then: aws ecs update-service --cluster CLUSTER --service \
             SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Accounts of AWS that hold images for everyone, by what holds them; AWS documents each with its service.
const AWS_ACCOUNTS: &[&str] = &[
    // Amazon EKS, by Region.
    "013241004608",
    "066635153087",
    "121268973566",
    "151610086707",
    "151742754352",
    "296578399912",
    "333609536671",
    "455263428931",
    "491585149902",
    "533267051163",
    "558608220178",
    "590381155156",
    "602401143452",
    "730335286997",
    "759879836304",
    "761377655185",
    "800184023465",
    "877085696533",
    "900612956339",
    "900889452093",
    "918309763551",
    "961992271922",
    // AWS App Mesh.
    "422531588944",
    "772975370895",
    "840364872350",
    "856666278305",
    "909464085924",
    "919366029133",
    "924023996002",
    // AWS Deep Learning Containers.
    "204538143572",
    "217643126080",
    "364406365360",
    "380420809688",
    "442386744353",
    "446045086412",
    "457447274322",
    "503227376785",
    "550225433462",
    "590183813437",
    "626614931356",
    "692866216735",
    "727897471807",
    "763104351884",
    "772153158452",
    "780543022126",
    "871362719292",
    "907027046896",
    "914824155844",
    "975050140332",
    // AWS for Fluent Bit.
    "128054284489",
    "161423150738",
    "449074385750",
    "741863432321",
    "906394416424",
    "928143927439",
    "960320637946",
];

/// How far the registry of an image is trusted.
enum Trust {
    Approved,
    /// The private registry of an account that is not scanned; whether it is one of the organization was not read.
    UnknownAccount,
    None,
}

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let mut certain = false;
    let mut failing = Vec::new();
    for container in &definition.data().container_definitions {
        let Some(reference) = ImageReference::parse(&container.image) else { continue };
        match trust(definition.estate(), &reference) {
            Trust::Approved => continue,
            Trust::UnknownAccount => {}
            Trust::None => certain = true,
        }
        failing.push((container, reference));
    }
    if failing.is_empty() {
        return Ok(Verdict::Pass);
    }
    let parts: Vec<_> = failing
        .iter()
        .map(|(container, reference)| {
            let account = reference.private_registry().map(|registry| registry.account);
            json!({"name": container.name, "image": container.image, "registry": reference.registry, "account": account})
        })
        .collect();
    let names = distinct(failing.iter().map(|(container, _)| container.image.as_str()));
    let evidence = json!({"containerDefinitions": parts, "usedBy": users(definition)});
    let message = format!("{} takes {} from where nobody approved", definition.name(), listed(&names));
    if certain {
        fail(message, evidence).verdict()
    } else {
        fail(format!("{message}, unless the account is one of the organization, which was not read"), evidence).possible().verdict()
    }
}

fn trust(estate: &Estate<'_>, reference: &ImageReference<'_>) -> Trust {
    let thresholds = estate.thresholds();
    let registry = reference.private_registry();
    let trusted = |account: &str| {
        estate.inventory().header.scope.accounts.contains(account) || AWS_ACCOUNTS.contains(&account) || thresholds.trusts_account(account)
    };
    if registry.is_some_and(|registry| trusted(registry.account)) {
        return Trust::Approved;
    }
    let name = reference.full_name();
    let approved = |pattern: &String| {
        let pattern = pattern.trim_end_matches('/');
        wildcard_match(pattern, &name) || wildcard_match(&format!("{pattern}/*"), &name)
    };
    if thresholds.approved_registries.iter().any(approved) {
        Trust::Approved
    } else if registry.is_some() {
        Trust::UnknownAccount
    } else {
        Trust::None
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::ecs::TaskDefinition;
    use plimsoll_model::{Confidence, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    const FOREIGN: &str = "222222222222.dkr.ecr.us-east-1.amazonaws.com/web:1";

    fn from(image: &str) -> Fixture {
        let image = image.to_owned();
        fixture().shop().each::<TaskDefinition>(move |definition| definition.container_definitions[0].image.clone_from(&image))
    }

    #[test]
    fn fails_for_registries_that_nobody_approved() {
        for image in ["bitnami/redis:7", "ghcr.io/a/b", "quay.io/a/b:1", "public.ecr.aws/x1y2z3/app", "docker.io/library-of/x"] {
            let found = findings(&CHECK, from(image));
            assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Certain), "{image}");
        }
    }

    #[test]
    fn of_an_account_that_was_not_scanned_it_is_not_certain() {
        assert_eq!(findings(&CHECK, from(FOREIGN))[0].confidence, Confidence::Possible);
        let trusted = from(FOREIGN).thresholds(|thresholds| thresholds.trusted_accounts = vec!["222222222222".to_owned()]);
        assert_eq!(outcome(&CHECK, trusted), Pass);
    }

    #[test]
    fn passes_for_approved_ones() {
        for image in [
            "nginx:1.27",
            "public.ecr.aws/docker/library/nginx",
            "public.ecr.aws/amazonlinux/amazonlinux:2023",
            "public.ecr.aws/aws-observability/aws-otel-collector",
            "840364872350.dkr.ecr.us-west-2.amazonaws.com/aws-appmesh-envoy:v1",
        ] {
            assert_eq!(outcome(&CHECK, from(image)), Pass, "{image}");
        }
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        let own = from("ghcr.io/shop/web").thresholds(|thresholds| thresholds.approved_registries = vec!["ghcr.io/shop".to_owned()]);
        assert_eq!(outcome(&CHECK, own), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        let account = fixture().task_definition("web", |definition| definition.container_definitions[0].image = "a/b".to_owned());
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
