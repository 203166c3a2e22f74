//! Reads the policies of the endpoints for the services of containers in each VPC with container workload, and the
//! organization of the account. Yields one verdict per endpoint; a failure shows the statements that let credentials from
//! outside the organization through.

use std::borrow::Cow;

use plimsoll_graph::{Admitted, Estate, Node, UNNAMED_RESOURCE, Unknown};
use plimsoll_model::aws::ec2::VpcEndpoint;
use plimsoll_model::policy::Statement;
use plimsoll_model::{Severity, partition_of};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::policies::{letting_in, named_statements, names_everyone};
use crate::reading::{endpoint_service, listed, undecided, workload_endpoints};

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-policy-without-org-condition",
    title: "Endpoint policy does not check the organization of the caller",
    severity: Severity::Low,
    resource: "AWS::EC2::VPCEndpoint",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:ListClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeInstances",
        "ec2:DescribeVpcEndpoints",
        "organizations:DescribeOrganization",
    ],
    // Without it an endpoint that lets outsiders through is unknown by itself, unless the configuration names the organization.
    shades: &["organizations:DescribeOrganization"],
    compliance: &[nist("AC-4")],
    fails_when: "The account is in an organization and an Allow statement with Principal \"*\" in the policy of an \
                 ecr.api or ecr.dkr endpoint (then of the other workload endpoints, as informational) has no \
                 aws:PrincipalOrgID (or aws:PrincipalOrgPaths) equal to the organization id and no aws:PrincipalAccount \
                 condition, and no Deny stands in for it.",
    why: "Credentials of somebody else's account, brought into a container, work through the endpoint: with them images and data \
          come in and go out.",
    remediation: Remediation {
        text: "Add StringEquals aws:PrincipalOrgID to the statement.",
        cli: "aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPCE --policy-document file://policy.json",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(workload_endpoints(estate), judge),
};

/// The other endpoints of container workload, by service of their actions.
const OTHERS: [(&str, &str); 9] = [
    ("s3", "s3"),
    ("ecs", "ecs"),
    ("ecs-agent", "ecs"),
    ("ecs-telemetry", "ecs"),
    ("logs", "logs"),
    ("secretsmanager", "secretsmanager"),
    ("ssm", "ssm"),
    ("kms", "kms"),
    ("sts", "sts"),
];
/// The most actions and resources of a statement that are asked for.
const ASKED: usize = 20;

fn judge(endpoint: Node<'_, VpcEndpoint>) -> Judgement {
    let name = endpoint_service(endpoint).unwrap_or_default();
    let (service, severity) = if matches!(name, "ecr.api" | "ecr.dkr") {
        ("ecr", Severity::Low)
    } else {
        match OTHERS.iter().find(|(other, _)| *other == name) {
            Some((_, service)) => (*service, Severity::Informational),
            None => return Ok(Verdict::NotApplicable),
        }
    };
    let Some(policy) = &endpoint.data().policy_document else {
        return Ok(Verdict::NotApplicable);
    };
    let statements = policy
        .statements()
        .map_err(|error| undecided(endpoint, "ec2:DescribeVpcEndpoints", "MalformedPolicyDocument", error.to_string()))?;
    let (mut admitted, mut unread): (Vec<Admitted>, Option<Unknown>) = (Vec::new(), None);
    for statement in statements.iter().filter(|statement| statement.allows && names_everyone(statement)) {
        let (found, unknown) = outsiders(endpoint, service, statement)?;
        admitted.extend(found);
        unread = unread.or(unknown);
    }
    let estate = endpoint.estate();
    let configured = estate.thresholds().organizations.as_slice();
    let organization = match estate.organization(endpoint.account()) {
        Ok(Some(organization)) => Some(organization.id.as_str()),
        Ok(None) if configured.is_empty() => return Ok(Verdict::NotApplicable),
        Err(unknown) if configured.is_empty() => {
            return if admitted.is_empty() && unread.is_none() { Ok(Verdict::Pass) } else { Err(unknown) };
        }
        Ok(None) | Err(_) => configured.first().map(String::as_str),
    };
    let certain = admitted.iter().any(|admitted| admitted.certain);
    admitted.retain(|admitted| admitted.certain == certain);
    let Some(first) = admitted.first() else {
        return unread.map_or(Ok(Verdict::Pass), Err);
    };
    let id = &endpoint.data().vpc_endpoint_id;
    let mut message = format!("{id} for {name} lets principals from outside organization {} through", organization.unwrap_or_default());
    if !first.keys.is_empty() {
        message = format!("{message}, as far as {} does not keep them out", listed(&first.keys));
    }
    let evidence = json!({
        "VpcEndpointId": id,
        "ServiceName": endpoint.data().service_name,
        "Statement": named_statements(Some(policy), &letting_in(admitted.iter())),
        "OrganizationId": organization,
    });
    let failure = fail(message, evidence).severity(severity);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

/// How far a statement lets outsiders through to something that it means, whatever the other statements deny.
fn outsiders(
    endpoint: Node<'_, VpcEndpoint>,
    service: &str,
    statement: &Statement<'_>,
) -> Result<(Option<Admitted>, Option<Unknown>), Unknown> {
    let unnamed = format!("{service}:PlimsollUnnamed");
    let anything = || {
        let region = endpoint.region().as_str();
        format!("arn:{}:{service}:{region}:{}:{UNNAMED_RESOURCE}", partition_of(region), endpoint.account())
    };
    let actions: Vec<Cow<'_, str>> = if statement.not_actions.is_empty() {
        statement.actions.iter().take(ASKED).filter_map(|pattern| action(pattern, service)).collect()
    } else {
        vec![Cow::Borrowed(unnamed.as_str())]
    };
    let resources: Vec<String> = match statement.resources.as_slice() {
        [] => vec![anything()],
        patterns => {
            let instance = |pattern: &&str| if *pattern == "*" { anything() } else { pattern.replace(['*', '?'], "x") };
            patterns.iter().take(ASKED).map(instance).collect()
        }
    };
    let (mut best, mut unread): (Option<Admitted>, Option<Unknown>) = (None, None);
    for action in &actions {
        for resource in &resources {
            let (admitted, unknown) = endpoint.lets_outsiders_reach(action, resource)?;
            unread = unread.or(unknown);
            if let Some(admitted) = admitted.filter(|admitted| admitted.certain || best.is_none()) {
                let certain = admitted.certain;
                best = Some(admitted);
                if certain {
                    return Ok((best, unread));
                }
            }
        }
    }
    Ok((best, unread))
}

/// An action of a service that a pattern covers.
fn action<'p>(pattern: &'p str, service: &str) -> Option<Cow<'p, str>> {
    let Some((of, name)) = pattern.split_once(':') else {
        return (pattern == "*").then(|| Cow::Owned(format!("{service}:PlimsollUnnamed")));
    };
    let name = if name == "*" { Cow::Borrowed("PlimsollUnnamed") } else { Cow::Owned(name.replace(['*', '?'], "x")) };
    let is_of = plimsoll_model::policy::wildcard_match(&of.to_ascii_lowercase(), service);
    is_of.then(|| Cow::Owned(format!("{service}:{name}")))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy};
    use plimsoll_model::aws::ec2::VpcEndpoint;
    use plimsoll_model::aws::organizations::{Account, Organization};
    use plimsoll_model::{Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn shop(service: &str, statements: &[Value]) -> Fixture {
        let organization = Organization { id: "o-shop".to_owned(), ..Organization::default() };
        let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(Some(organization)), ..Account::default() };
        fixture().shop().resource(account).resource(VpcEndpoint {
            vpc_endpoint_id: "vpce-1".to_owned(),
            vpc_id: Some("vpc-main".to_owned()),
            service_name: Some(format!("com.amazonaws.us-east-1.{service}")),
            state: Some("available".to_owned()),
            policy_document: Some(policy(json!({"Version": "2012-10-17", "Statement": statements}))),
            ..Default::default()
        })
    }

    fn everyone(condition: &Value) -> Value {
        json!({"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGet*", "ecr:GetDownloadUrlForLayer"],
            "Resource": format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*"), "Condition": condition})
    }

    fn under(condition: &Value) -> Outcome {
        outcome(&CHECK, shop("ecr.dkr", &[everyone(condition)]))
    }

    #[test]
    fn fails_when_the_organization_of_the_caller_is_not_checked() {
        for condition in [
            json!({}),
            json!({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-main"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-else"}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-shop"}}),
        ] {
            assert_eq!(under(&condition), Fail(Severity::Low), "{condition}");
        }
        let found = findings(&CHECK, shop("ecr.api", &[everyone(&json!({}))]));
        assert_eq!((&found[0].evidence["OrganizationId"], &found[0].evidence["Statement"][0]["Sid"]), (&json!("o-shop"), &json!("pull")));
    }

    #[test]
    fn other_endpoints_are_for_information() {
        let all = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        for service in ["s3", "kms", "ecs-agent", "sts"] {
            assert_eq!(outcome(&CHECK, shop(service, std::slice::from_ref(&all))), Fail(Severity::Informational), "{service}");
        }
        assert_eq!(outcome(&CHECK, shop("sqs", &[all])), NotApplicable);
    }

    #[test]
    fn passes_when_organization_or_account_is_checked() {
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-shop"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-shop/*"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        ] {
            assert_eq!(under(&condition), Pass, "{condition}");
        }
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-shop"}}});
        assert_eq!(outcome(&CHECK, shop("ecr.api", &[everyone(&json!({})), deny])), Pass);
        let named = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": "*"});
        assert_eq!(outcome(&CHECK, shop("ecr.api", &[named])), Pass);
    }

    #[test]
    fn does_not_apply_to_an_account_in_no_organization() {
        let alone = |account: &mut Account| account.organization = Seen::Known(None);
        assert_eq!(outcome(&CHECK, shop("ecr.api", &[everyone(&json!({}))]).each(alone)), NotApplicable);
    }

    #[test]
    fn without_the_organization_it_is_unknown_unless_the_configuration_names_it() {
        let refused = |account: &mut Account| account.organization = gap("organizations:DescribeOrganization").into();
        let open = || shop("ecr.api", &[everyone(&json!({}))]).each(refused);
        assert_eq!(outcome(&CHECK, open()), Unknown);
        assert_eq!(
            outcome(&CHECK, open().thresholds(|thresholds| thresholds.organizations = vec!["o-shop".to_owned()])),
            Fail(Severity::Low)
        );
        let closed = shop("ecr.api", &[everyone(&json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}))]);
        assert_eq!(outcome(&CHECK, closed.each(refused)), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ec2:DescribeVpcEndpoints")), Unknown);
    }
}
