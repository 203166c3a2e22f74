//! Reads the image of each container instance's EC2 instance, and the one that AWS recommends for its family. Yields one
//! verdict per container instance; a failure tells how old the image is, or when its operating system ended.

use jiff::Timestamp;
use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::ec2::{Image, Instance};
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::aws::ssm::RecommendedImage;
use plimsoll_model::{Gap, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::hosts::{each_host, image_of, instant, recommended_for};
use crate::reading::{days_between, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-ami-outdated",
    title: "Container host runs an old AMI or an ended operating system",
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
        "ssm:GetParameters",
        "ssm:DescribeInstanceInformation",
    ],
    // The name that Systems Manager gives a system only adds to what the image says.
    shades: &["ecs:DescribeCapacityProviders", "ssm:DescribeInstanceInformation"],
    compliance: &[nist("SI-2"), nist("CM-2"), nist("SA-22"), pci("6.3.3"), pci("12.3.4?")],
    fails_when: "ImageId differs from the recommended AMI of its family and the CreationDate of the image is more than 60 \
                 days (configurable) before that of the recommended one; custom AMIs are compared by CreationDate older \
                 than 90 days. Fails too when DeprecationTime has passed or the image no longer exists. High when the AMI \
                 family (Name, PlatformDetails, attribute ecs.os-family) is past its end-of-support date in the product \
                 table: Amazon Linux AMI, Amazon Linux 2 (2026-06-30), Windows Server before 2016, or any distribution \
                 listed as ended.",
    why: "Every flaw that was mended since the image was made is open on the host, and after the end of support none is mended any more.",
    remediation: Remediation {
        text: "Publish a launch template with the current AMI and start an instance refresh.",
        cli: "aws autoscaling start-instance-refresh --auto-scaling-group-name ASG --preferences \
             MinHealthyPercentage=90",
    },
    evaluate: |estate, verdicts| each_host(estate, verdicts, judge),
};

/// Products whose vendors make no more security updates, or will not after a day: what image names contain, what Systems
/// Manager calls the system with the beginning of its version, and the day.
const ENDS: &[(&str, &str, &str, &str)] = &[
    ("amzn-ami-", "Amazon Linux AMI", "", "2023-12-31"),
    ("amzn2-ami-", "Amazon Linux", "2", "2026-06-30"),
    ("Windows_Server-2008", "Microsoft Windows Server 2008", "", "2020-01-14"),
    ("Windows_Server-2012", "Microsoft Windows Server 2012", "", "2023-10-10"),
    ("Windows_Server-1709", "Microsoft Windows Server 1709", "", "2019-04-09"),
    ("Windows_Server-2004", "Microsoft Windows Server 2004", "", "2021-12-14"),
    ("Windows_Server-20H2", "Microsoft Windows Server 20H2", "", "2022-08-09"),
    ("ubuntu-trusty-14.04", "Ubuntu", "14.04", "2019-04-25"),
    ("ubuntu-xenial-16.04", "Ubuntu", "16.04", "2021-04-30"),
    ("ubuntu-bionic-18.04", "Ubuntu", "18.04", "2023-05-31"),
    ("ubuntu-focal-20.04", "Ubuntu", "20.04", "2025-05-31"),
    ("debian-9-", "Debian GNU/Linux", "9", "2022-06-30"),
    ("debian-10-", "Debian GNU/Linux", "10", "2024-06-30"),
    ("CentOS-7", "CentOS Linux", "7", "2024-06-30"),
    ("CentOS-8", "CentOS Linux", "8", "2021-12-31"),
    ("RHEL-7", "Red Hat Enterprise Linux Server", "7", "2024-06-30"),
];

fn judge(host: Node<'_, ContainerInstance>, instance: Node<'_, Instance>) -> Judgement {
    let now = host.estate().inventory().header.finished_at;
    let image = image_of(instance)?;
    let ended = ended(instance, image.map(|one| one.data()), now);
    let Some(image) = image else {
        if ended.is_none() {
            let launched = instance.data().launch_time.map_or(String::new(), |at| format!("; the host was launched at {at}"));
            let message = format!("DescribeImages does not show the image: it is gone, or private to another account{launched}");
            return Err(undecided(instance, "ec2:DescribeImages", Gap::NOT_FOUND, message));
        }
        return verdict(host, instance, None, None, &[], ended);
    };
    let mut reasons = Vec::new();
    let data = image.data();
    if instant(data.deprecation_time.as_deref()).is_some_and(|deprecated| deprecated <= now) {
        reasons.push(format!("was deprecated on {}", day(data.deprecation_time.as_deref())));
    }
    if let Some(state @ ("deregistered" | "disabled" | "invalid")) = data.state.as_deref() {
        reasons.push(format!("is {state}"));
    }
    let recommended = match recommended_for(image) {
        Ok(recommended) => recommended,
        // What is wrong with the image itself is wrong whatever AWS recommends.
        Err(_) if !reasons.is_empty() || ended.is_some() => None,
        Err(unknown) => return Err(unknown),
    };
    match age(image, recommended.as_ref(), now) {
        Ok(too_old) => reasons.extend(too_old),
        Err(unknown) if reasons.is_empty() && ended.is_none() => return Err(unknown),
        Err(_) => {}
    }
    verdict(host, instance, Some(data), recommended.as_ref(), &reasons, ended)
}

/// How an image is too old: against the recommended one of its family, or by itself.
fn age(image: Node<'_, Image>, recommended: Option<&RecommendedImage>, now: Timestamp) -> Result<Option<String>, Unknown> {
    let limits = image.estate().thresholds();
    let undated = |image: Node<'_, Image>| undecided(image, "ec2:DescribeImages", "NotAnswered", "the image tells no CreationDate");
    let created = instant(image.data().creation_date.as_deref());
    let Some(recommended) = recommended else {
        let days = days_between(created.ok_or_else(|| undated(image))?, now);
        return Ok((days > i64::from(limits.custom_ami_days)).then(|| format!("is {days} days old")));
    };
    if recommended.image_id == image.data().image_id {
        return Ok(None);
    }
    let newest = image.estate().image(image.account(), image.region(), &recommended.image_id).known()?;
    let (Some(created), Some(current)) = (created, instant(newest.data().creation_date.as_deref())) else {
        return Err(undated(image));
    };
    let days = days_between(created, current);
    let told = || format!("is {days} days older than {}, which AWS recommends", recommended.image_id);
    Ok((days > i64::from(limits.ami_behind_days)).then(told))
}

/// The product on a host that is past its end, and the day.
fn ended(instance: Node<'_, Instance>, image: Option<&Image>, now: Timestamp) -> Option<(&'static str, &'static str)> {
    let name = image.and_then(|image| image.name.as_deref()).unwrap_or_default();
    let system = instance.management().found().map(|one| one.data());
    let is = |(in_name, product, version, _): &(&str, &str, &str, &str)| {
        let reported = system.is_some_and(|system| {
            let reported = system.platform_name.as_deref().unwrap_or_default();
            // Versions are `2`, `20.04`, `7.9`: the beginning must end where a part does.
            let rest = system.platform_version.as_deref().unwrap_or_default().strip_prefix(version);
            let same_version = version.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let same_product = if version.is_empty() { reported.starts_with(product) } else { reported == *product };
            same_product && same_version
        });
        name.contains(in_name) || reported
    };
    let (_, product, version, end) = ENDS.iter().find(|product| is(product))?;
    let last: Timestamp = format!("{end}T23:59:59Z").parse().ok()?;
    let product = if *version == "2" { "Amazon Linux 2" } else { product };
    (last < now).then_some((product, end))
}

fn day(instant: Option<&str>) -> &str {
    instant.and_then(|instant| instant.get(..10)).unwrap_or_default()
}

fn verdict(
    host: Node<'_, ContainerInstance>,
    instance: Node<'_, Instance>,
    image: Option<&Image>,
    recommended: Option<&RecommendedImage>,
    reasons: &[String],
    ended: Option<(&str, &str)>,
) -> Judgement {
    let mut reasons = reasons.to_vec();
    if let Some((product, end)) = ended {
        reasons.insert(0, format!("is {product}, whose support ended on {end}"));
    }
    if reasons.is_empty() {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({
        "ImageId": instance.data().image_id,
        "Name": image.and_then(|image| image.name.as_deref()),
        "CreationDate": image.and_then(|image| image.creation_date.as_deref()),
        "DeprecationTime": image.and_then(|image| image.deprecation_time.as_deref()),
        "PlatformDetails": image.and_then(|image| image.platform_details.as_deref()),
        "State": image.and_then(|image| image.state.as_deref()),
        "recommendedImageId": recommended.map(|recommended| recommended.image_id.as_str()),
        "LaunchTime": instance.data().launch_time,
        "endOfSupport": ended.map(|(product, end)| json!({"product": product, "date": end})),
    });
    let image = instance.data().image_id.as_deref().unwrap_or_default();
    let message = format!("image {image} of container host {} {}", host.name(), listed(&reasons));
    let severity = if ended.is_some() { Severity::High } else { Severity::Medium };
    fail(message, evidence).severity(severity).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ssm};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn host(image: impl Fn(&mut ec2::Image)) -> Fixture {
        let host = fixture().cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {});
        host.each(image).recommended_image("1.90.0")
    }

    fn made(on: &'static str) -> impl Fn(&mut ec2::Image) {
        move |image| image.creation_date = Some(format!("{on}T00:00:00.000Z"))
    }

    fn custom(on: &'static str) -> impl Fn(&mut ec2::Image) {
        move |image| {
            made(on)(image);
            image.name = Some("our-hosts".to_owned());
            image.image_owner_alias = None;
        }
    }

    #[test]
    fn fails_when_far_behind_the_recommended_image() {
        let found = findings(&CHECK, host(made("2026-04-01")));
        assert_eq!(found[0].severity, Severity::Medium);
        assert!(found[0].message.contains("61 days older than ami-new"), "{}", found[0].message);
        assert_eq!(outcome(&CHECK, host(made("2026-04-03"))), Pass);
        assert_eq!(outcome(&CHECK, host(made("2026-04-03")).thresholds(|limits| limits.ami_behind_days = 30)), Fail(Severity::Medium));
    }

    #[test]
    fn custom_images_are_judged_by_their_own_age() {
        assert_eq!(outcome(&CHECK, host(custom("2026-03-01"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host(custom("2026-04-01"))), Pass);
    }

    #[test]
    fn fails_when_deprecated_or_disabled() {
        assert_eq!(
            outcome(&CHECK, host(|image| image.deprecation_time = Some("2026-06-01T00:00:00.000Z".to_owned()))),
            Fail(Severity::Medium)
        );
        assert_eq!(outcome(&CHECK, host(|image| image.deprecation_time = Some("2028-06-01T00:00:00.000Z".to_owned()))), Pass);
        assert_eq!(outcome(&CHECK, host(|image| image.state = Some("disabled".to_owned()))), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_more_when_the_operating_system_has_ended() {
        let first = |image: &mut ec2::Image| image.name = Some("amzn-ami-2018.03.20230705-amazon-ecs-optimized".to_owned());
        assert_eq!(outcome(&CHECK, host(first)), Fail(Severity::High));
        let reports = |version: &'static str| {
            let custom = host(custom("2026-06-01"));
            custom.managed("h1", move |system| {
                system.platform_name = Some("Ubuntu".to_owned());
                system.platform_version = Some(version.to_owned());
            })
        };
        assert_eq!(outcome(&CHECK, reports("18.04")), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, reports("24.04")), Pass);
        // Amazon Linux 2 ends two weeks after this account was read.
        let second = |image: &mut ec2::Image| image.name = Some("amzn2-ami-ecs-hvm-2.0.20260601-x86_64-ebs".to_owned());
        assert_eq!(outcome(&CHECK, host(second)), Pass);
        let later = host(second).with(|inventory| inventory.header.finished_at = plimsoll_fixture::at("2026-07-01T12:00:00Z"));
        assert_eq!(outcome(&CHECK, later), Fail(Severity::High));
    }

    #[test]
    fn is_unknown_when_the_image_is_not_shown_or_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ec2::Image>()), Unknown);
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ec2::Image>().denied("ec2:DescribeImages")), Unknown);
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ssm::PublicParameter>().denied("ssm:GetParameters")), Unknown);
        assert_eq!(outcome(&CHECK, host(|image| image.creation_date = None)), Unknown);
    }
}
