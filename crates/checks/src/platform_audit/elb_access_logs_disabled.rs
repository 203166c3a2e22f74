//! Reads the attributes of each load balancer in front of containers, and of network load balancers the listeners. Yields
//! one verdict per load balancer that can keep access logs.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::elasticloadbalancing::{Attribute, LoadBalancer};
use serde_json::{Map, Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::fronts::{behind, services_evidence};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "elb-access-logs-disabled",
    title: "Load balancer in front of containers keeps no access logs",
    severity: Severity::Low,
    resource: "AWS::ElasticLoadBalancingV2::LoadBalancer",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeServices",
        "ecs:ListServices",
        "ecs:ListClusters",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
    ],
    shades: &["elasticloadbalancing:DescribeListeners"],
    compliance: &[fsbp("ELB.5"), nist("AU-12"), pci("10.2.1?")],
    fails_when: "Attribute access_logs.s3.enabled is false on an ALB or NLB (NLB: only when it has a TLS listener, as \
                 others produce none).",
    why: "After an incident nobody can tell who asked the service for what, from where, and what it answered.",
    remediation: Remediation {
        text: "Turn on access logs to an encrypted bucket.",
        cli: "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes \
             Key=access_logs.s3.enabled,Value=true Key=access_logs.s3.bucket,Value=BUCKET",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.container_load_balancers(), judge),
};

const ENABLED: &str = "access_logs.s3.enabled";

fn judge(balancer: Node<'_, LoadBalancer>) -> Judgement {
    match balancer.data().kind.as_str() {
        "application" => {}
        // Only what a TLS listener takes is logged.
        "network" if balancer.listeners()?.any(|listener| listener.data().protocol.as_deref() == Some("TLS")) => {}
        _ => return Ok(Verdict::NotApplicable),
    }
    match balancer.data().attribute(ENABLED)? {
        Some("true") => Ok(Verdict::Pass),
        Some(_) => {
            let services = balancer.services();
            let message = format!("load balancer {} in front of {} keeps no access logs", balancer.name(), behind(&services));
            let evidence = json!({"Type": balancer.data().kind, "Attributes": logging(balancer), "behind": services_evidence(&services)});
            fail(message, evidence).verdict()
        }
        None => {
            let message = format!("AWS tells no attribute {ENABLED}");
            Err(undecided(balancer, "elasticloadbalancing:DescribeLoadBalancerAttributes", "NoAttribute", message))
        }
    }
}

/// The attributes that say what is logged and where to.
fn logging(balancer: Node<'_, LoadBalancer>) -> Value {
    let attributes = balancer.data().attributes.known().into_iter().flatten();
    let of_logs = attributes.filter(|Attribute { key, .. }| key.starts_with("access_logs.") || key.starts_with("connection_logs."));
    Value::Object(of_logs.map(|attribute| (attribute.key.clone(), json!(attribute.value))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecs::Service;
    use plimsoll_model::aws::elasticloadbalancing::{Attribute, Listener, LoadBalancer};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().behind_load_balancer()
    }

    fn off(balancer: &mut LoadBalancer) {
        let attribute = |key: &str, value: &str| Attribute { key: key.to_owned(), value: value.to_owned() };
        balancer.attributes =
            Seen::Known(vec![attribute("access_logs.s3.enabled", "false"), attribute("idle_timeout.timeout_seconds", "60")]);
    }

    fn network(balancer: &mut LoadBalancer) {
        balancer.kind = "network".to_owned();
    }

    #[test]
    fn fails_when_nothing_is_logged() {
        assert_eq!(outcome(&CHECK, shop().each(off)), Fail(Severity::Low));
        let found = findings(&CHECK, shop().each(off));
        assert_eq!(found[0].evidence["Attributes"], serde_json::json!({"access_logs.s3.enabled": "false"}));
    }

    #[test]
    fn passes_with_logs() {
        assert_eq!(outcome(&CHECK, shop()), Pass);
    }

    #[test]
    fn a_network_load_balancer_counts_only_with_a_tls_listener() {
        let account = shop().each(off).each(network);
        assert_eq!(outcome(&CHECK, account.clone()), NotApplicable);
        let with_tls = |listener: &mut Listener| listener.protocol = Some("TLS".to_owned());
        assert_eq!(outcome(&CHECK, account.each(with_tls)), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_without_containers_behind() {
        assert_eq!(outcome(&CHECK, shop().each(off).without::<Service>()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_attributes_or_listeners_were_not_readable() {
        let unread = |balancer: &mut LoadBalancer| balancer.attributes = gap("elasticloadbalancing:DescribeLoadBalancerAttributes").into();
        assert_eq!(outcome(&CHECK, shop().each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, shop().each(|balancer: &mut LoadBalancer| balancer.attributes = Seen::Known(Vec::new()))), Unknown);
        let listeners = |balancer: &mut LoadBalancer| balancer.listeners = gap("elasticloadbalancing:DescribeListeners").into();
        assert_eq!(outcome(&CHECK, shop().each(network).each(listeners)), Unknown);
    }
}
