//! Reads the TLS policy of each listener in front of containers, as AWS describes it. Yields one verdict per HTTPS or TLS
//! listener; a failure names the old protocols and the weak ciphers.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::elasticloadbalancing::{Listener, LoadBalancer};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::fronts::{each_container_listener, services_evidence};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "elb-listener-weak-tls-policy",
    title: "Listener in front of containers allows old TLS versions or weak ciphers",
    severity: Severity::Medium,
    resource: "AWS::ElasticLoadBalancingV2::Listener",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeServices",
        "ecs:ListServices",
        "ecs:ListClusters",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeSSLPolicies",
    ],
    shades: &[],
    compliance: &[fsbp("ELB.17"), nist("SC-8"), nist("SC-13"), pci("4.2.1")],
    fails_when: "Protocol HTTPS or TLS and the SslProtocols of SslPolicy include TLSv1 or TLSv1.1, or the cipher list \
                 holds CBC-only SHA1, 3DES or RC4 suites. Decide from DescribeSSLPolicies, not from names.",
    why: "A client that can be talked down to an old version or cipher gets encryption with known breaks, and so does \
          whoever listens to it.",
    remediation: Remediation {
        text: "Use ELBSecurityPolicy-TLS13-1-2-Res-2021-06 or newer.",
        cli: "aws elbv2 modify-listener --listener-arn ARN --ssl-policy ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    },
    evaluate: |estate, verdicts| each_container_listener(estate, verdicts, judge),
};

/// Versions that RFC 7568 and RFC 8996 retired.
const OLD_PROTOCOLS: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

fn judge(listener: Node<'_, Listener>, balancer: Node<'_, LoadBalancer>) -> Judgement {
    if !listener.data().ends_tls() {
        return Ok(Verdict::NotApplicable);
    }
    if !listener.forwards_to_containers()? {
        return Ok(Verdict::NotApplicable);
    }
    let Some(policy) = listener.ssl_policy() else {
        return Err(undecided(listener, "elasticloadbalancing:DescribeListeners", "NoSslPolicy", "the listener tells no TLS policy"));
    };
    let policy = policy.known()?;
    let named = |protocol: &&str| policy.data().ssl_protocols.iter().any(|one| one == protocol);
    let old: Vec<&str> = OLD_PROTOCOLS.into_iter().filter(named).collect();
    let weak: Vec<&str> = policy.data().ciphers.iter().map(|cipher| cipher.name.as_str()).filter(|name| is_weak(name)).collect();
    let allows = match (old.as_slice(), weak.as_slice()) {
        ([], []) => return Ok(Verdict::Pass),
        (old, []) => listed(old),
        ([], weak) => format!("weak ciphers ({})", listed(weak)),
        (old, weak) => format!("{} and {} weak cipher{}", listed(old), weak.len(), if weak.len() == 1 { "" } else { "s" }),
    };
    let message = format!("policy {} of listener {} of load balancer {} allows {allows}", policy.name(), listener.place(), balancer.name());
    let evidence = json!({
        "ListenerArn": listener.data().listener_arn,
        "Protocol": listener.data().protocol,
        "Port": listener.data().port,
        "SslPolicy": policy.name(),
        "SslProtocols": policy.data().ssl_protocols,
        "weakCiphers": weak,
        "behind": services_evidence(&listener.services()),
    });
    fail(message, evidence).verdict()
}

/// Whether a suite, in OpenSSL's or IANA's spelling, uses RC4 or 3DES, or authenticates blocks with SHA-1.
fn is_weak(cipher: &str) -> bool {
    cipher.contains("RC4")
        || cipher.contains("3DES")
        || cipher.contains("DES-CBC3")
        || cipher.ends_with("-SHA")
        || cipher.ends_with("_CBC_SHA")
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, redirect};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::elasticloadbalancing::{Cipher, Listener, SslPolicy};

    use super::{CHECK, is_weak};
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().behind_load_balancer()
    }

    fn cipher(name: &str) -> impl Fn(&mut SslPolicy) {
        move |policy| policy.ciphers.push(Cipher { name: name.to_owned(), priority: None })
    }

    #[test]
    fn fails_when_the_policy_allows_an_old_version_or_a_weak_cipher() {
        let old = |policy: &mut SslPolicy| policy.ssl_protocols.push("TLSv1.1".to_owned());
        assert_eq!(outcome(&CHECK, shop().each(old)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, shop().each(cipher("AES128-SHA"))), Fail(Severity::Medium));
        let found = findings(&CHECK, shop().each(old).each(cipher("DES-CBC3-SHA")));
        assert_eq!(
            found[0].message,
            "policy ELBSecurityPolicy-TLS13-1-2-Res-2021-06 of listener HTTPS:443 of load balancer front allows TLSv1.1 and 1 weak cipher"
        );
    }

    #[test]
    fn tells_weak_ciphers_from_others() {
        for weak in [
            "ECDHE-RSA-AES256-SHA",
            "AES128-SHA",
            "DES-CBC3-SHA",
            "RC4-MD5",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        for strong in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        {
            assert!(!is_weak(strong), "{strong}");
        }
    }

    #[test]
    fn passes_with_a_strong_policy() {
        assert_eq!(outcome(&CHECK, shop()), Pass);
    }

    #[test]
    fn does_not_apply_to_plain_listeners_and_to_those_that_lead_to_no_container() {
        let plain = |listener: &mut Listener| listener.protocol = Some("HTTP".to_owned());
        assert_eq!(outcome(&CHECK, shop().each(plain)), NotApplicable);
        let redirecting = |listener: &mut Listener| listener.default_actions = vec![redirect("HTTPS")];
        assert_eq!(outcome(&CHECK, shop().each(redirecting)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_policy_was_not_readable_or_is_not_among_those_that_aws_lists() {
        let unread = shop().without::<SslPolicy>();
        assert_eq!(outcome(&CHECK, unread.clone()), Unknown);
        assert_eq!(outcome(&CHECK, unread.denied("elasticloadbalancing:DescribeSSLPolicies")), Unknown);
        assert_eq!(outcome(&CHECK, shop().each(|listener: &mut Listener| listener.ssl_policy = None)), Unknown);
        let rules = |listener: &mut Listener| {
            listener.default_actions.clear();
            listener.rules = gap("elasticloadbalancing:DescribeRules").into();
        };
        assert_eq!(outcome(&CHECK, shop().each(rules)), Unknown);
    }
}
