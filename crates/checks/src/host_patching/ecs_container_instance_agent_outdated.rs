//! Reads the version of the ECS agent on each container instance, and the one that comes with the image that AWS recommends
//! for the family of its image. Yields one verdict per container instance.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::ec2::{Instance, VpcEndpoint};
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::aws::ssm::RecommendedImage;
use plimsoll_model::{DEFAULT_HOST_IMAGE, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::hosts::{each_host, image_of, instant, is_bottlerocket, recommended_for};
use crate::reading::{days_between, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-agent-outdated",
    title: "ECS agent is behind the current release",
    severity: Severity::Medium,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeInstances",
        "ec2:DescribeImages",
        "ec2:DescribeVpcEndpoints",
        "ssm:GetParameters",
    ],
    // What was not read of one host leaves the verdict on that host unknown.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeImages", "ec2:DescribeVpcEndpoints"],
    compliance: &[nist("SI-2"), pci("6.3.3")],
    fails_when: "versionInfo.agentVersion is more than 3 minor releases or 90 days behind the agent version in the \
                 ECS-optimized AMI parameter (/aws/service/ecs/optimized-ami/.../recommended → ecs_agent_version), or \
                 below 1.25.1 where interface endpoints are used.",
    why: "An old agent lacks fixes for the credentials and the isolation of tasks, and one day ECS stops speaking with it.",
    remediation: Remediation {
        text: "Replace the instance with the current AMI or update the agent.",
        cli: "aws ecs update-container-agent --cluster CLUSTER --container-instance ARN",
    },
    evaluate: |estate, verdicts| each_host(estate, verdicts, judge),
};

/// The first release that works with interface endpoints of ECS.
const ENDPOINTS: Version = (1, 25, 1);

/// Major, minor, patch.
type Version = (u32, u32, u32);

fn judge(host: Node<'_, ContainerInstance>, instance: Node<'_, Instance>) -> Judgement {
    let info = host.data().version_info.as_ref();
    let written = info.and_then(|info| info.agent_version.as_deref()).unwrap_or_default();
    let Some(version) = parsed(written) else {
        return Err(undecided(host, "ecs:DescribeContainerInstances", "NotAnswered", "the agent tells no version"));
    };
    let evidence = |recommended: Option<&str>| {
        let docker = info.and_then(|info| info.docker_version.as_deref());
        json!({"versionInfo": {"agentVersion": written, "dockerVersion": docker}, "recommendedAgentVersion": recommended})
    };
    if is_bottlerocket(host, instance)? {
        return Ok(Verdict::NotApplicable);
    }
    if version < ENDPOINTS && uses_endpoints(instance)? {
        let message = format!("ECS agent {written} on {} is too old for the interface endpoints of its VPC", host.name());
        return fail(message, evidence(None)).verdict();
    }
    let (recommended, newest) = recommendation(instance)?;
    let limits = host.estate().thresholds();
    let behind = newest.1.saturating_sub(version.1);
    if newest.0 > version.0 || (newest.0 == version.0 && behind > limits.agent_behind_releases) {
        let told = recommended.ecs_agent_version.as_deref().unwrap_or_default();
        let by = if newest.0 > version.0 { "a major release".to_owned() } else { format!("{behind} releases") };
        let message = format!("ECS agent {written} on {} is {by} behind {told}, which AWS recommends", host.name());
        return fail(message, evidence(recommended.ecs_agent_version.as_deref())).verdict();
    }
    // No call tells the day of a release; the agent of an image is as old as the image, unless it was updated in place.
    if newest > version
        && let Some(days) = image_days_behind(instance, &recommended)?.filter(|days| *days > i64::from(limits.agent_behind_days))
    {
        let told = recommended.ecs_agent_version.as_deref().unwrap_or_default();
        let message = format!(
            "ECS agent {written} on {} came with an image {days} days older than the one with {told}, unless it was updated since",
            host.name()
        );
        return fail(message, evidence(recommended.ecs_agent_version.as_deref())).possible().verdict();
    }
    Ok(Verdict::Pass)
}

/// What AWS recommends for the family of the host's image, and for all others the current image of Amazon Linux.
fn recommendation(instance: Node<'_, Instance>) -> Result<(RecommendedImage, Version), Unknown> {
    let of_family = match image_of(instance)? {
        Some(image) => recommended_for(image)?,
        None => None,
    };
    let of_family = of_family.filter(|image| image.ecs_agent_version.is_some());
    let recommended = if of_family.is_some() {
        of_family
    } else {
        let parameter = instance.estate().public_parameter(instance.account(), instance.region(), DEFAULT_HOST_IMAGE).known()?;
        parameter.data().recommended_image()
    };
    let version = recommended.and_then(|image| Some((parsed(image.ecs_agent_version.as_deref()?)?, image)));
    version
        .map(|(version, image)| (image, version))
        .ok_or_else(|| undecided(instance, "ssm:GetParameters", "NotAnswered", "AWS tells no version of the agent that it recommends"))
}

/// Days by which the host's image is older than the recommended one; `None` where AWS does not make both.
fn image_days_behind(instance: Node<'_, Instance>, recommended: &RecommendedImage) -> Result<Option<i64>, Unknown> {
    let Some(image) = image_of(instance)?.filter(|image| crate::hosts::is_of_aws(image.data())) else { return Ok(None) };
    let newest = instance.estate().image(instance.account(), instance.region(), &recommended.image_id).exists()?;
    let own = instant(image.data().creation_date.as_deref());
    let newest = newest.and_then(|newest| instant(newest.data().creation_date.as_deref()));
    Ok(own.zip(newest).map(|(own, newest)| days_between(own, newest)))
}

fn parsed(version: &str) -> Option<Version> {
    let mut parts = version.trim_start_matches('v').split(['.', '-']).map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or_default()))
}

/// Whether the host's VPC has an interface endpoint of the ECS agent.
fn uses_endpoints(instance: Node<'_, Instance>) -> Result<bool, Unknown> {
    let vpc_id = instance.data().vpc_id.as_deref();
    let of_agent = |endpoint: &VpcEndpoint| endpoint.service_name.as_deref().is_some_and(|name| name.contains(".ecs"));
    let mut endpoints = instance.estate().all::<VpcEndpoint>();
    if endpoints.any(|endpoint| endpoint.data().vpc_id.as_deref() == vpc_id && of_agent(endpoint.data())) {
        return Ok(true);
    }
    instance.estate().coverage().check(instance.account(), instance.region(), "ec2:DescribeVpcEndpoints")?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs, ssm};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// A host whose agent has this version, where AWS recommends 1.90.0.
    fn host(version: &str) -> Fixture {
        let version = version.to_owned();
        fixture()
            .cluster("shop", |_| {})
            .container_instance("shop", "h1", |host| host.version_info.as_mut().unwrap().agent_version = Some(version))
            .instance("h1", |_| {})
            .recommended_image("1.90.0")
    }

    #[test]
    fn fails_when_more_releases_behind_than_the_configuration_allows() {
        assert_eq!(outcome(&CHECK, host("1.86.9")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host("0.99.0")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host("1.89.0").thresholds(|limits| limits.agent_behind_releases = 0)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_few_releases_behind_or_ahead() {
        for version in ["1.87.0", "1.90.0", "1.91.2", "v1.90.0"] {
            assert_eq!(outcome(&CHECK, host(version)), Pass, "{version}");
        }
    }

    #[test]
    fn fails_as_possible_when_the_image_is_old_and_the_agent_not_the_newest() {
        let old = |image: &mut ec2::Image| {
            if image.image_id == "ami-ecs" {
                image.creation_date = Some("2026-02-01T00:00:00.000Z".to_owned());
            }
        };
        let found = findings(&CHECK, host("1.89.0").each(old));
        assert_eq!(found[0].confidence, plimsoll_model::Confidence::Possible);
        assert_eq!(outcome(&CHECK, host("1.90.0").each(old)), Pass);
    }

    #[test]
    fn fails_when_too_old_for_interface_endpoints() {
        let endpoint = ec2::VpcEndpoint {
            vpc_endpoint_id: "vpce-1".to_owned(),
            vpc_id: Some("vpc-main".to_owned()),
            service_name: Some("com.amazonaws.us-east-1.ecs-agent".to_owned()),
            ..Default::default()
        };
        let found = findings(&CHECK, host("1.25.0").resource(endpoint));
        assert!(found[0].message.contains("interface endpoints"), "{}", found[0].message);
    }

    #[test]
    fn does_not_apply_to_bottlerocket() {
        let bottlerocket = |image: &mut ec2::Image| image.name = Some("bottlerocket-aws-ecs-2-x86_64-v1.19.0-0a1b2c3d".to_owned());
        assert_eq!(outcome(&CHECK, host("1.1.1").each(bottlerocket)), NotApplicable);
        let variant = |host: &mut ecs::ContainerInstance| {
            host.attributes.push(ecs::Attribute { name: "bottlerocket.variant".to_owned(), value: Some("aws-ecs-2".to_owned()) });
        };
        assert_eq!(outcome(&CHECK, host("1.1.1").each(variant)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_image_or_recommendation_were_not_readable() {
        assert_eq!(outcome(&CHECK, host("1.80.0").without::<ssm::PublicParameter>().denied("ssm:GetParameters")), Unknown);
        assert_eq!(outcome(&CHECK, host("1.80.0").without::<ec2::Image>().denied("ec2:DescribeImages")), Unknown);
        assert_eq!(outcome(&CHECK, host("")), Unknown);
    }
}
