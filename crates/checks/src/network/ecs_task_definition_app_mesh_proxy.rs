//! Reads the proxy configuration and the images of containers. Yields one verdict per task definition in scope; a
//! failure weighs more once AWS has ended App Mesh.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-app-mesh-proxy",
    title: "Task still relies on App Mesh, which AWS has ended",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[nist("SA-22"), nist("SC-8")],
    fails_when: "proxyConfiguration.type == APPMESH, or a container image contains aws-appmesh-envoy. AWS ends App Mesh \
                 on 2026-09-30: before that date report low, after it medium, because the mesh no longer issues mTLS \
                 configuration.",
    why: "The control plane that configures the proxy ends: after that certificates and routes no longer follow, and the \
          proxy gets no more fixes.",
    remediation: Remediation {
        text: "Move the service to ECS Service Connect with TLS (or VPC Lattice with IAM auth).",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --service-connect-configuration \
             file://service-connect-tls.json",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// The day on which AWS ends App Mesh.
const END_OF_APP_MESH: Date = date(2026, 9, 30);

/// The repository of its proxy.
const PROXY_IMAGE: &str = "aws-appmesh-envoy";

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let configuration = definition.data().proxy_configuration.as_ref().filter(|proxy| proxy.kind.as_deref() == Some("APPMESH"));
    let proxies = containers_where(definition, is_proxy);
    let fact = match (configuration, proxies.as_slice()) {
        (None, []) => return Ok(Verdict::Pass),
        (Some(proxy), []) => format!("sends its traffic through App Mesh proxy {}", proxy.container_name),
        (_, proxies) => format!("runs the App Mesh proxy in {}", containers(proxies)),
    };
    let images: Vec<_> =
        definition.container_definitions.iter().filter(|c| is_proxy(c)).map(|c| json!({"name": c.name, "image": c.image})).collect();
    let evidence =
        json!({"proxyConfiguration": definition.proxy_configuration, "containerDefinitions": images, "usedBy": users(definition)});
    let today = definition.estate().inventory().header.finished_at.to_zoned(TimeZone::UTC).date();
    let severity = if today < END_OF_APP_MESH { Severity::Low } else { Severity::Medium };
    fail(format!("{} {fact}; the service ends on {END_OF_APP_MESH}", definition.name()), evidence).severity(severity).verdict()
}

fn is_proxy(container: &ContainerDefinition) -> bool {
    container.image.contains(PROXY_IMAGE)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ProxyConfiguration, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn meshed(definition: &mut TaskDefinition) {
        definition.proxy_configuration = Some(ProxyConfiguration { kind: Some("APPMESH".to_owned()), container_name: "envoy".to_owned() });
    }

    fn on(day: &str, account: Fixture) -> Fixture {
        let now = at(day);
        account.with(|inventory| inventory.header.finished_at = now)
    }

    #[test]
    fn is_low_before_the_end_of_app_mesh() {
        let account = on("2026-09-29T23:59:59Z", fixture().shop().each(meshed));
        assert_eq!(
            findings(&CHECK, account.clone())[0].message,
            "web:1 sends its traffic through App Mesh proxy envoy; the service ends on 2026-09-30"
        );
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn is_medium_from_that_day_on() {
        assert_eq!(outcome(&CHECK, on("2026-09-30T00:00:00Z", fixture().shop().each(meshed))), Fail(Severity::Medium));
    }

    #[test]
    fn the_image_of_the_proxy_is_enough() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29".clone_into(&mut definition.container_definitions[0].image);
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
    }

    #[test]
    fn passes_with_another_envoy() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            "envoyproxy/envoy:v1.34".clone_into(&mut definition.container_definitions[0].image);
        });
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
