//! Reads the protocol of each target group with containers in it and of the listeners that forward to it. Yields one
//! verdict per target group; a failure names the listeners whose encryption ends at the load balancer.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::elasticloadbalancing::TargetGroup;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::fronts::{behind, regulated, services_evidence};
use crate::reading::counted;

pub(crate) const CHECK: Check = Check {
    id: "elb-target-traffic-plaintext",
    title: "Traffic from the load balancer to the task is not encrypted",
    severity: Severity::Low,
    resource: "AWS::ElasticLoadBalancingV2::TargetGroup",
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
    ],
    shades: &[],
    compliance: &[fsbp("ELB.22?"), nist("SC-8"), pci("4.2.1?")],
    fails_when: "Target group Protocol HTTP or TCP behind an HTTPS or TLS listener, with ECS or EKS targets. Medium when \
                 the service is tagged with a regulated data class.",
    why: "What the client sent encrypted crosses the VPC in clear: a mirrored port, another host in the subnet or a \
          compromised appliance reads it.",
    remediation: Remediation {
        text: "Serve TLS in the container or an Envoy sidecar and use an HTTPS target group.",
        cli: "aws elbv2 create-target-group --name TG --protocol HTTPS --port 8443 --vpc-id VPC --target-type ip",
    },
    evaluate: |estate, verdicts| {
        let groups = estate.all::<TargetGroup>().filter(|group| group.leads_to_containers() && !group.data().load_balancer_arns.is_empty());
        verdicts.each(groups, judge);
    },
};

fn judge(group: Node<'_, TargetGroup>) -> Judgement {
    if !matches!(group.data().protocol.as_deref(), Some("HTTP" | "TCP")) {
        return Ok(Verdict::Pass);
    }
    let encrypted: Vec<_> = group.listeners().filter(|listener| listener.data().ends_tls()).collect();
    if encrypted.is_empty() {
        all_listeners_read(group)?;
        return Ok(Verdict::Pass);
    }
    let services: Vec<Node<'_, Service>> = group.services().collect();
    let mut places: Vec<String> = encrypted.iter().map(|listener| listener.place()).collect();
    places.sort();
    places.dedup();
    let protocol = group.data().protocol.as_deref().unwrap_or_default();
    let class = regulated(&services);
    let data = class.map_or(String::new(), |(service, class)| format!("; the data of {} is {class}", service.name()));
    let message = format!(
        "target group {} takes to {} in plain {protocol} what reached {} encrypted{data}",
        group.name(),
        behind(&services),
        counted("listener", &places)
    );
    let listeners: Vec<Value> = encrypted
        .iter()
        .map(|listener| json!({"ListenerArn": listener.data().listener_arn, "Protocol": listener.data().protocol}))
        .collect();
    let evidence = json!({
        "TargetGroupArn": group.data().target_group_arn,
        "Protocol": protocol,
        "Port": group.data().port,
        "listeners": listeners,
        "behind": services_evidence(&services),
    });
    let severity = if class.is_some() { Severity::Medium } else { Severity::Low };
    fail(message, evidence).severity(severity).verdict()
}

/// Whether no listener with TLS may forward here unseen.
fn all_listeners_read(group: Node<'_, TargetGroup>) -> Result<(), plimsoll_graph::Unknown> {
    for balancer in group.load_balancers() {
        let Some(balancer) = balancer.exists()? else { continue };
        for listener in balancer.listeners()?.filter(|listener| listener.data().ends_tls()) {
            listener.data().rules.known()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, redirect};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Service, Tag};
    use plimsoll_model::aws::elasticloadbalancing::{Listener, LoadBalancer, TargetGroup};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().behind_load_balancer()
    }

    fn plain(group: &mut TargetGroup) {
        group.protocol = Some("HTTP".to_owned());
    }

    #[test]
    fn fails_when_tls_ends_at_the_load_balancer() {
        assert_eq!(outcome(&CHECK, shop().each(plain)), Fail(Severity::Low));
        let found = findings(&CHECK, shop().each(plain));
        assert_eq!(found[0].message, "target group web takes to service web in plain HTTP what reached listener HTTPS:443 encrypted");
    }

    #[test]
    fn weighs_more_for_regulated_data() {
        let regulated = |service: &mut Service| service.tags = vec![Tag { key: "data-class".to_owned(), value: "phi".to_owned() }];
        assert_eq!(outcome(&CHECK, shop().each(plain).each(regulated)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_container_speaks_tls_or_the_listener_does_not() {
        assert_eq!(outcome(&CHECK, shop()), Pass);
        let all_plain = |listener: &mut Listener| listener.protocol = Some("HTTP".to_owned());
        assert_eq!(outcome(&CHECK, shop().each(plain).each(all_plain)), Pass);
    }

    #[test]
    fn does_not_apply_to_target_groups_without_containers_or_load_balancer() {
        assert_eq!(outcome(&CHECK, shop().each(plain).without::<Service>()), NotApplicable);
        let detached = |group: &mut TargetGroup| group.load_balancer_arns.clear();
        assert_eq!(outcome(&CHECK, shop().each(plain).each(detached)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_a_listener_or_its_rules_were_not_readable() {
        let rules = |listener: &mut Listener| {
            listener.default_actions = vec![redirect("HTTPS")];
            listener.rules = gap("elasticloadbalancing:DescribeRules").into();
        };
        assert_eq!(outcome(&CHECK, shop().each(plain).each(rules)), Unknown);
        let listeners = |balancer: &mut LoadBalancer| balancer.listeners = gap("elasticloadbalancing:DescribeListeners").into();
        assert_eq!(outcome(&CHECK, shop().each(plain).each(listeners).without::<Listener>()), Unknown);
    }
}
