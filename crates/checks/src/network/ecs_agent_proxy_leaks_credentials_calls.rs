//! Reads the proxy that the user data of a container host sets, and the addresses that it exempts. Yields one verdict
//! per container instance; a failure names the proxy's host and what is not exempt.

use std::net::Ipv4Addr;

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{Instance, UserData};
use plimsoll_model::aws::ecs::ContainerInstance;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{instance_of, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-agent-proxy-leaks-credentials-calls",
    title: "ECS agent proxy configuration sends metadata or Docker calls to the proxy",
    severity: Severity::Medium,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
    ],
    // A template that was not read costs nothing: the instance is asked. Providers matter to the hosts that have one.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeLaunchTemplateVersions"],
    compliance: &[nist("SC-7(8)"), nist("CM-6")],
    fails_when: "User data or agent configuration sets HTTP_PROXY (or http_proxy in Docker and ecs-init drop-ins) but \
                 NO_PROXY lacks 169.254.169.254, 169.254.170.2 or /var/run/docker.sock; or the proxy URL holds a user and \
                 password. Low when the organization requires a proxy (configuration) and none is set.",
    why: "Requests for the credentials of the instance and its tasks, or commands to Docker, then pass through the proxy, \
          where whoever runs it or reads its logs can take them.",
    remediation: Remediation {
        text: "Add the three addresses to NO_PROXY and keep credentials out of the URL.",
        cli: "aws ec2 create-launch-template-version --launch-template-id LT --source-version 1 --launch-template-data \
             UserData=BASE64",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.hosts(), judge),
};

/// Where hosts and tasks fetch their credentials.
const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(169, 254, 170, 2)];
/// Where Docker listens on Linux.
const DOCKER: &str = "/var/run/docker.sock";

fn judge(host: Node<'_, ContainerInstance>) -> Judgement {
    let Some(instance) = instance_of(host)? else {
        return Ok(Verdict::NotApplicable);
    };
    let Some(data) = instance.data().user_data.known()? else {
        return without_proxy(host);
    };
    let unsettled = |code, message: &str| Err(undecided(instance, "ec2:DescribeInstanceAttribute", code, message));
    if let Some(reason) = &data.unreadable {
        return unsettled("UnreadableUserData", reason);
    }
    let computed = |name: &str| data.unresolved.contains(name);
    let Some(proxy) = &data.http_proxy else {
        return match data.configured_elsewhere {
            _ if computed("HTTP_PROXY") || computed("HTTPS_PROXY") => unsettled("ComputedUserData", "the script computes the value"),
            true => unsettled("ConfiguredElsewhere", "the script fetches or edits the agent's file"),
            false => without_proxy(host),
        };
    };
    let missing = missing(data, instance.data());
    if missing.is_empty() && !proxy.credentials {
        return Ok(Verdict::Pass);
    }
    if !proxy.credentials && computed("NO_PROXY") {
        return unsettled("ComputedUserData", "the script computes the value");
    }
    if !proxy.credentials && data.configured_elsewhere {
        return unsettled("ConfiguredElsewhere", "the script fetches or edits the agent's file");
    }
    let evidence = json!({
        "source": data.source,
        "HTTP_PROXY": {"host": proxy.host, "credentials": proxy.credentials},
        "NO_PROXY": data.no_proxy,
        "missing": missing,
    });
    let mut faults = Vec::new();
    if proxy.credentials {
        faults.push("with a user or password in its URL".to_owned());
    }
    if !missing.is_empty() {
        faults.push(format!("without exempting {}", listed(&missing)));
    }
    fail(format!("user data of {} sets proxy {} {}", host.name(), proxy.host, faults.join(" and ")), evidence).verdict()
}

/// Nothing leaks without a proxy, but an organization may ask for one.
fn without_proxy(host: Node<'_, ContainerInstance>) -> Judgement {
    if !host.estate().thresholds().require_proxy {
        return Ok(Verdict::Pass);
    }
    let message = format!("user data of {} sets no proxy, which the organization asks for; the image may", host.name());
    fail(message, json!({"HTTP_PROXY": null})).severity(Severity::Low).possible().verdict()
}

/// What should not go through the proxy, and does.
fn missing(data: &UserData, instance: &Instance) -> Vec<String> {
    // Bottlerocket's setting is a proxy for HTTPS: the metadata services answer plain HTTP.
    if data.bottlerocket {
        return Vec::new();
    }
    let exempts = |address: &&Ipv4Addr| data.no_proxy.iter().any(|entry| covers(entry, **address));
    let mut missing: Vec<String> = METADATA.iter().filter(|address| !exempts(address)).map(Ipv4Addr::to_string).collect();
    let is_windows = instance.platform.as_deref().is_some_and(|platform| platform.eq_ignore_ascii_case("windows"));
    if !is_windows && !data.no_proxy.iter().any(|entry| entry == DOCKER || entry == "*") {
        missing.push(DOCKER.to_owned());
    }
    missing
}

/// Whether an entry of `NO_PROXY` exempts an address, as Go programs read it: an address, a range, or everything.
fn covers(entry: &str, address: Ipv4Addr) -> bool {
    if entry == "*" {
        return true;
    }
    let (host, length) = entry.split_once('/').unwrap_or((entry.strip_suffix(":80").unwrap_or(entry), "32"));
    match (host.parse::<Ipv4Addr>(), length.parse::<u32>()) {
        (Ok(range), Ok(length @ 1..=32)) => (range.to_bits() ^ address.to_bits()) >> (32 - length) == 0,
        (Ok(_), Ok(0)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::ec2;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host(change: impl FnOnce(&mut ec2::UserData)) -> Fixture {
        fixture().host_with_user_data(change)
    }

    fn proxy(data: &mut ec2::UserData, exempt: &[&str]) {
        data.http_proxy = Some(ec2::Proxy { host: "proxy.internal:3128".to_owned(), credentials: false });
        data.no_proxy = exempt.iter().map(|&entry| entry.to_owned()).collect();
    }

    const EXEMPT: [&str; 3] = ["169.254.169.254", "169.254.170.2", "/var/run/docker.sock"];

    #[test]
    fn fails_when_the_metadata_service_is_not_exempt() {
        let account = host(|data| proxy(data, &EXEMPT[1..]));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account)[0].evidence["missing"], serde_json::json!(["169.254.169.254"]));
    }

    #[test]
    fn fails_when_the_url_holds_credentials() {
        let account = host(|data| {
            proxy(data, &EXEMPT);
            data.http_proxy.as_mut().unwrap().credentials = true;
            data.configured_elsewhere = true;
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_all_three_are_exempt() {
        assert_eq!(outcome(&CHECK, host(|data| proxy(data, &EXEMPT))), Pass);
        assert_eq!(outcome(&CHECK, host(|data| proxy(data, &["169.254.0.0/16", "/var/run/docker.sock"]))), Pass);
    }

    #[test]
    fn passes_without_a_proxy() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        let silent = host(|_| {}).each(|instance: &mut ec2::Instance| instance.user_data = Seen::Known(None));
        assert_eq!(outcome(&CHECK, silent), Pass);
    }

    #[test]
    fn windows_has_no_docker_socket_and_bottlerocket_no_proxy_for_plain_http() {
        let windows =
            host(|data| proxy(data, &EXEMPT[..2])).each(|instance: &mut ec2::Instance| instance.platform = Some("windows".into()));
        assert_eq!(outcome(&CHECK, windows), Pass);
        let bottlerocket = host(|data| {
            proxy(data, &[]);
            data.bottlerocket = true;
        });
        assert_eq!(outcome(&CHECK, bottlerocket), Pass);
    }

    #[test]
    fn is_unknown_when_the_setting_is_computed_or_comes_from_elsewhere() {
        let computed = host(|data| {
            proxy(data, &[]);
            data.unresolved.insert("NO_PROXY".to_owned());
        });
        assert_eq!(outcome(&CHECK, computed), Unknown);
        let unresolved = |data: &mut ec2::UserData| {
            data.unresolved.insert("HTTP_PROXY".to_owned());
        };
        assert_eq!(outcome(&CHECK, host(unresolved)), Unknown);
        assert_eq!(outcome(&CHECK, host(|data| data.configured_elsewhere = true)), Unknown);
        assert_eq!(outcome(&CHECK, host(|data| data.unreadable = Some("user data is not base64".to_owned()))), Unknown);
    }

    #[test]
    fn is_unknown_when_user_data_was_not_readable() {
        let gap = plimsoll_fixture::gap("ec2:DescribeInstanceAttribute");
        let account = host(|_| {}).each(|instance: &mut ec2::Instance| instance.user_data = gap.clone().into());
        assert_eq!(outcome(&CHECK, account), Unknown);
    }

    #[test]
    fn does_not_apply_when_the_instance_has_ended() {
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ec2::Instance>()), NotApplicable);
    }

    #[test]
    fn fails_as_low_without_a_proxy_only_where_the_configuration_asks_for_one() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        let required = |account: Fixture| account.thresholds(|thresholds| thresholds.require_proxy = true);
        assert_eq!(outcome(&CHECK, required(host(|_| {}))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, required(host(|data| proxy(data, &EXEMPT)))), Pass);
    }
}
