//! Reads the protocol and the actions of each listener in front of containers, and the scheme of its load balancer. Yields
//! one verdict per listener; a failure names the services that are asked in plain text.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::elasticloadbalancing::{Action, Listener, LoadBalancer};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};
use crate::fronts::{behind, each_container_listener, exposure, regulated, services_evidence};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "elb-listener-plaintext",
    title: "Internet-facing listener in front of containers accepts plain text",
    severity: Severity::High,
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
    ],
    shades: &[],
    compliance: &[fsbp("ELB.1"), fsbp("ELB.18"), cis_eks("5.4.5"), nist("SC-8"), nist("SC-23"), pci("4.2.1")],
    fails_when: "Scheme internet-facing and Protocol HTTP (unless every default and rule action is a redirect to HTTPS) \
                 or TCP/UDP on an NLB with a well-known HTTP port and no TLS listener, with a target group of an ECS \
                 service or EKS. Internal HTTP listeners are medium when the service is tagged with a regulated data \
                 class, else not reported.",
    why: "Whoever sits between client and load balancer reads and changes every request, sessions and passwords included, \
          and can answer in the service's name.",
    remediation: Remediation {
        text: "Add an HTTPS listener with an ACM certificate and redirect HTTP to it.",
        cli: "aws elbv2 modify-listener --listener-arn ARN --default-actions \
             Type=redirect,RedirectConfig={Protocol=HTTPS,Port=443,StatusCode=HTTP_301}",
    },
    evaluate: |estate, verdicts| each_container_listener(estate, verdicts, judge),
};

/// Ports on which HTTP is commonly spoken without TLS.
const HTTP_PORTS: [i32; 6] = [80, 591, 8000, 8008, 8080, 8888];

fn judge(listener: Node<'_, Listener>, balancer: Node<'_, LoadBalancer>) -> Judgement {
    match (balancer.data().kind.as_str(), listener.data().protocol.as_deref()) {
        ("application", Some("HTTP")) => of_application(listener, balancer),
        ("network", Some("TCP" | "UDP" | "TCP_UDP")) => of_network(listener, balancer),
        ("application" | "network", Some(_)) => Ok(Verdict::Pass),
        _ => Ok(Verdict::NotApplicable),
    }
}

fn of_application(listener: Node<'_, Listener>, balancer: Node<'_, LoadBalancer>) -> Judgement {
    if !listener.forwards_to_containers()? {
        return if listener.data().actions()?.all(redirects_to_https) { Ok(Verdict::Pass) } else { Ok(Verdict::NotApplicable) };
    }
    let services = listener.services();
    let behind = behind(&services);
    let told = |how: String| {
        fail(format!("listener {} of load balancer {} {how}", listener.place(), balancer.name()), evidence(listener, balancer))
    };
    match balancer.data().scheme.as_deref() {
        Some("internet-facing") => told(format!("takes plain HTTP from the internet to {behind}")).verdict(),
        Some("internal") => {
            let Some((service, class)) = regulated(&services) else {
                // Rules that were not read may lead to another service.
                listener.data().rules.known()?;
                return Ok(Verdict::Pass);
            };
            let how = format!("takes plain HTTP inside the network to service {}, whose data is {class}", service.name());
            told(how).severity(Severity::Medium).verdict()
        }
        _ => Err(undecided(listener, "elasticloadbalancing:DescribeLoadBalancers", "NoScheme", "its load balancer tells no scheme")),
    }
}

fn of_network(listener: Node<'_, Listener>, balancer: Node<'_, LoadBalancer>) -> Judgement {
    let is_http_port = listener.data().port.is_some_and(|port| HTTP_PORTS.contains(&port));
    if !is_http_port || !balancer.data().is_internet_facing() || balancer.listeners()?.any(|other| other.data().ends_tls()) {
        return Ok(Verdict::Pass);
    }
    if !listener.forwards_to_containers()? {
        return Ok(Verdict::NotApplicable);
    }
    let message = format!(
        "listener {} of load balancer {} takes a port of plain HTTP from the internet to {}; what is spoken there only the container knows",
        listener.place(),
        balancer.name(),
        behind(&listener.services())
    );
    fail(message, evidence(listener, balancer)).possible().verdict()
}

fn redirects_to_https(action: &Action) -> bool {
    action.redirect_config.as_ref().is_some_and(|redirect| redirect.protocol.as_deref() == Some("HTTPS"))
}

fn evidence(listener: Node<'_, Listener>, balancer: Node<'_, LoadBalancer>) -> Value {
    let listener_data = listener.data();
    json!({
        "ListenerArn": listener_data.listener_arn,
        "Protocol": listener_data.protocol,
        "Port": listener_data.port,
        "DefaultActions": listener_data.default_actions,
        "ruleCount": listener_data.rules.known().ok().map(Vec::len),
        "exposure": exposure(balancer),
        "behind": services_evidence(&listener.services()),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, forward, gap, redirect};
    use plimsoll_model::aws::ecs::{Service, Tag};
    use plimsoll_model::aws::elasticloadbalancing::{Listener, LoadBalancer, Rule};
    use plimsoll_model::{Confidence, Gap, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().behind_load_balancer()
    }

    fn plain(listener: &mut Listener) {
        listener.protocol = Some("HTTP".to_owned());
        listener.ssl_policy = None;
    }

    fn internal(balancer: &mut LoadBalancer) {
        balancer.scheme = Some("internal".to_owned());
    }

    fn regulated(service: &mut Service) {
        service.tags = vec![Tag { key: "data-class".to_owned(), value: "pci".to_owned() }];
    }

    /// A public network load balancer that passes one port on.
    fn network(port: i32) -> Fixture {
        fixture()
            .shop()
            .load_balancer("front", |balancer| balancer.kind = "network".to_owned())
            .target_group("web", "front", |_| {})
            .listener("front", port, "web", |listener| listener.protocol = Some("TCP".to_owned()))
    }

    #[test]
    fn fails_when_a_public_listener_forwards_plain_http() {
        let account = shop().listener("front", 8080, "web", plain);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::High));
        let found = findings(&CHECK, account);
        assert_eq!(found[0].message, "listener HTTP:8080 of load balancer front takes plain HTTP from the internet to service web");
        assert!(found[0].evidence["exposure"]["reachableFromInternet"].is_null(), "its nodes were not read");
    }

    #[test]
    fn fails_when_only_a_rule_forwards() {
        let account = shop().each::<Listener>(|listener| {
            listener.rules = Seen::Known(vec![Rule { actions: vec![forward("web")], ..Rule::default() }]);
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn passes_when_everything_is_redirected_to_https() {
        assert_eq!(outcome(&CHECK, shop()), Pass);
    }

    #[test]
    fn does_not_apply_to_a_listener_that_leads_to_no_container() {
        let account = fixture().shop().load_balancer("front", |_| {}).target_group("web", "front", |_| {});
        let elsewhere = account.listener("front", 80, "other", plain);
        assert_eq!(outcome(&CHECK, elsewhere.clone()), NotApplicable);
        let told_by_tag = elsewhere.each::<LoadBalancer>(|balancer| balancer.tags = Gap::not_collected("").into());
        assert_eq!(outcome(&CHECK, told_by_tag), NotApplicable);
        let to_http = shop().listener("front", 8080, "web", |listener| {
            plain(listener);
            listener.default_actions = vec![redirect("HTTP")];
        });
        assert_eq!(outcome(&CHECK, to_http.without::<Service>()), NotApplicable);
    }

    #[test]
    fn weighs_less_inside_the_network_and_counts_only_for_regulated_data() {
        let account = shop().listener("front", 8080, "web", plain).each(internal);
        assert_eq!(outcome(&CHECK, account.clone()), Pass);
        assert_eq!(outcome(&CHECK, account.each(regulated)), Fail(Severity::Medium));
    }

    #[test]
    fn a_network_load_balancer_possibly_fails_on_ports_of_http_unless_it_has_a_tls_listener() {
        assert_eq!(outcome(&CHECK, network(80).each(attach)), Fail(Severity::High));
        assert_eq!(findings(&CHECK, network(80).each(attach))[0].confidence, Confidence::Possible);
        assert_eq!(outcome(&CHECK, network(5432).each(attach)), Pass);
        let with_tls = network(80).listener("front", 443, "web", |listener| listener.protocol = Some("TLS".to_owned()));
        assert_eq!(outcome(&CHECK, with_tls.each(attach)), Pass);
    }

    fn attach(service: &mut Service) {
        let target_group_arn = Some(plimsoll_fixture::target_group_arn("web"));
        service.load_balancers = vec![plimsoll_model::aws::ecs::LoadBalancer { target_group_arn, ..Default::default() }];
    }

    #[test]
    fn is_unknown_when_rules_or_listeners_were_not_readable() {
        let rules = |listener: &mut Listener| listener.rules = gap("elasticloadbalancing:DescribeRules").into();
        assert_eq!(outcome(&CHECK, shop().each(rules)), Unknown);
        let listeners = |balancer: &mut LoadBalancer| balancer.listeners = gap("elasticloadbalancing:DescribeListeners").into();
        assert_eq!(outcome(&CHECK, shop().each(listeners)), Unknown);
    }

    #[test]
    fn a_default_action_that_forwards_fails_whatever_the_unread_rules_say() {
        let account = shop().listener("front", 8080, "web", |listener| {
            plain(listener);
            listener.rules = gap("elasticloadbalancing:DescribeRules").into();
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn counts_load_balancers_of_kubernetes_by_their_tag() {
        let account = fixture().load_balancer("front", |balancer| {
            let tag = plimsoll_model::aws::elasticloadbalancing::Tag { key: "elbv2.k8s.aws/cluster".to_owned(), value: "pods".to_owned() };
            balancer.tags = Seen::Known(vec![tag]);
        });
        let account = account.target_group("pods", "front", |_| {}).listener("front", 80, "pods", plain);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::High));
        assert!(findings(&CHECK, account)[0].message.ends_with("to containers"));
    }
}
