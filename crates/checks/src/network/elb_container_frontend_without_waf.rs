//! Reads the web ACL of each public application load balancer in front of containers, and the subscription to Shield
//! Advanced. Yields one verdict per load balancer in front of containers; a failure says whether the web ACL or only the
//! limit is missing.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::aws::wafv2::WebAcl;
use plimsoll_model::{Gap, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::fronts::{behind, exposure, services_evidence};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "elb-container-frontend-without-waf",
    title: "Internet-facing ALB in front of containers has no WAF or no rate limit",
    severity: Severity::Medium,
    resource: "AWS::ElasticLoadBalancingV2::LoadBalancer",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeServices",
        "ecs:ListServices",
        "ecs:ListClusters",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "wafv2:GetWebACLForResource",
        "shield:DescribeSubscription",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
    ],
    shades: &["shield:DescribeSubscription", "ec2:DescribeSecurityGroups", "ec2:DescribeManagedPrefixLists"],
    compliance: &[fsbp("ELB.16"), nist("SC-5"), nist("SC-7"), pci("6.4.2")],
    fails_when: "Type application and Scheme internet-facing and GetWebACLForResource returns no web ACL (medium), or the \
                 web ACL has no RateBasedStatement and Shield Advanced is not active (low). An ALB that only accepts \
                 CloudFront (prefix list com.amazonaws.global.cloudfront.origin-facing on its security group) passes when \
                 the distribution has a web ACL, else is unknown.",
    why: "Every scanner and every flood of requests reaches the containers themselves, which then have to tell attacks from \
          customers and pay for both.",
    remediation: Remediation {
        text: "Associate a web ACL with managed rules and a rate-based rule.",
        cli: "aws wafv2 associate-web-acl --web-acl-arn ACL --resource-arn ALB",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.container_load_balancers(), judge),
};

fn judge(balancer: Node<'_, LoadBalancer>) -> Judgement {
    if !balancer.data().is_application() || !balancer.data().is_internet_facing() {
        return Ok(Verdict::NotApplicable);
    }
    let web_acl = balancer.data().web_acl.known()?.as_ref();
    if let Some(web_acl) = web_acl
        && (web_acl.rate_based_rules().next().is_some() || has_shield(balancer)? || may_limit(balancer, web_acl)?)
    {
        return Ok(Verdict::Pass);
    }
    if balancer.admits_only_cloudfront()? {
        // What guards the distribution guards the load balancer, and distributions are not read.
        return Err(Gap::not_collected("cloudfront:ListDistributions").into());
    }
    let (problem, severity) = match web_acl {
        None => ("has no web ACL".to_owned(), Severity::Medium),
        Some(acl) => (format!("has web ACL {} without a rate-based rule, and no Shield Advanced", acl.name), Severity::Low),
    };
    let message = format!("internet-facing load balancer {} in front of {} {problem}", balancer.name(), behind(&balancer.services()));
    let rules: Vec<Value> =
        web_acl.iter().flat_map(|acl| &acl.rules).map(|rule| json!({"Name": rule.name, "Priority": rule.priority})).collect();
    let evidence = json!({
        "LoadBalancerArn": balancer.data().load_balancer_arn,
        "Type": balancer.data().kind,
        "exposure": exposure(balancer),
        "WebACL": web_acl.map(|acl| json!({"Name": acl.name, "ARN": acl.arn, "Rules": rules})),
        "rateBasedRules": [],
        "behind": services_evidence(&balancer.services()),
    });
    fail(message, evidence).severity(severity).verdict()
}

/// Whether the account is subscribed to Shield Advanced, which answers floods by itself.
fn has_shield(balancer: Node<'_, LoadBalancer>) -> Result<bool, Unknown> {
    let now = balancer.estate().inventory().header.finished_at;
    let subscription = balancer.estate().shield_subscription(balancer.account())?;
    Ok(subscription.is_some_and(|subscription| subscription.data().end_time.is_none_or(|end| end > now)))
}

/// The rules of the customer's rule groups are not shown: one of them may be the limit.
fn may_limit(balancer: Node<'_, LoadBalancer>, web_acl: &WebAcl) -> Result<bool, Unknown> {
    match web_acl.rule_groups().next() {
        None => Ok(false),
        Some(group) => Err(undecided(balancer, "wafv2:GetRuleGroup", Gap::NOT_COLLECTED, format!("rules of {group} are not read"))),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap, web_acl};
    use plimsoll_model::aws::ec2::{ManagedPrefixList, PrefixListId, SecurityGroup};
    use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
    use plimsoll_model::aws::shield::Subscription;
    use plimsoll_model::aws::wafv2::{Rule, RuleGroupReferenceStatement, WebAcl};
    use plimsoll_model::{AccountId, Region, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().behind_load_balancer()
    }

    fn unguarded(balancer: &mut LoadBalancer) {
        balancer.web_acl = Seen::Known(None);
    }

    fn unlimited(balancer: &mut LoadBalancer) {
        balancer.web_acl = Seen::Known(Some(WebAcl { rules: Vec::new(), ..web_acl("edge") }));
    }

    fn shield(end: &str) -> impl FnOnce(Fixture) -> Fixture {
        let end_time = Some(at(end));
        move |account| {
            account.with(|inventory| {
                let subscription = Subscription { end_time, ..Subscription::default() };
                inventory.push(&AccountId::new("111111111111"), &Region::global(), subscription);
            })
        }
    }

    #[test]
    fn fails_without_a_web_acl() {
        assert_eq!(outcome(&CHECK, shop().each(unguarded)), Fail(Severity::Medium));
        let found = findings(&CHECK, shop().each(unguarded));
        assert_eq!(found[0].message, "internet-facing load balancer front in front of service web has no web ACL");
    }

    #[test]
    fn weighs_less_when_only_the_limit_is_missing() {
        assert_eq!(outcome(&CHECK, shop().each(unlimited)), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, shield("2026-06-01T00:00:00Z")(shop().each(unlimited))), Fail(Severity::Low));
    }

    #[test]
    fn passes_with_a_limit_or_with_shield_advanced() {
        assert_eq!(outcome(&CHECK, shop()), Pass);
        assert_eq!(outcome(&CHECK, shield("2027-06-01T00:00:00Z")(shop().each(unlimited))), Pass);
        assert_eq!(outcome(&CHECK, shield("2027-06-01T00:00:00Z")(shop().each(unguarded))), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_internal_and_network_load_balancers() {
        let internal = |balancer: &mut LoadBalancer| balancer.scheme = Some("internal".to_owned());
        assert_eq!(outcome(&CHECK, shop().each(unguarded).each(internal)), NotApplicable);
        let network = |balancer: &mut LoadBalancer| balancer.kind = "network".to_owned();
        assert_eq!(outcome(&CHECK, shop().each(unguarded).each(network)), NotApplicable);
    }

    #[test]
    fn is_unknown_behind_cloudfront_alone() {
        let list = ManagedPrefixList {
            prefix_list_id: "pl-1".to_owned(),
            prefix_list_name: Some("com.amazonaws.global.cloudfront.origin-facing".to_owned()),
            owner_id: Some("AWS".to_owned()),
            ..ManagedPrefixList::default()
        };
        let account = shop().each(unguarded).resource(list).each(|group: &mut SecurityGroup| {
            let reference = PrefixListId { prefix_list_id: "pl-1".to_owned(), ..PrefixListId::default() };
            group.ip_permissions.iter_mut().for_each(|rule| rule.prefix_list_ids = vec![reference.clone()]);
        });
        assert_eq!(outcome(&CHECK, account.clone()), Unknown);
        assert_eq!(outcome(&CHECK, account.clone().without::<ManagedPrefixList>().denied("ec2:DescribeManagedPrefixLists")), Unknown);
        let open = |group: &mut SecurityGroup| group.ip_permissions.push(plimsoll_fixture::rule("tcp", 443, "0.0.0.0/0"));
        assert_eq!(outcome(&CHECK, account.each(open)), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_rule_groups_web_acl_or_subscription_were_not_read() {
        let grouped = |balancer: &mut LoadBalancer| {
            let mut rule = Rule::default();
            rule.statement.rule_group_reference_statement = Some(RuleGroupReferenceStatement { arn: Some("arn:group".to_owned()) });
            balancer.web_acl = Seen::Known(Some(WebAcl { rules: vec![rule], ..web_acl("edge") }));
        };
        assert_eq!(outcome(&CHECK, shop().each(grouped)), Unknown);
        let unread = |balancer: &mut LoadBalancer| balancer.web_acl = gap("wafv2:GetWebACLForResource").into();
        assert_eq!(outcome(&CHECK, shop().each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, shop().each(unlimited).denied("shield:DescribeSubscription")), Unknown);
        assert_eq!(outcome(&CHECK, shop().denied("shield:DescribeSubscription")), Pass);
    }
}
