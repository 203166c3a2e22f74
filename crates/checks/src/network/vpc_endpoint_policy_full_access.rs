//! Reads the policies of the endpoints for the services of containers in each VPC with container workload. Yields one verdict
//! per endpoint; a failure shows the statements by which somebody else's credentials reach somebody else's data through it.

use plimsoll_graph::{Admitted, Estate, Node, UNNAMED_RESOURCE, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::VpcEndpoint;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::policies::{letting_in, named_statements};
use crate::reading::{endpoint_service, listed, workload_endpoints};

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-policy-full-access",
    title: "Endpoint policy lets anyone move data through the endpoint",
    severity: Severity::Medium,
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
    ],
    shades: &[],
    compliance: &[nist("AC-4"), nist("SC-7")],
    fails_when: "PolicyDocument of an ecr.api, ecr.dkr, s3, ecs, ecs-agent, ecs-telemetry, logs, secretsmanager, ssm, kms \
                 or sts endpoint in a workload VPC lets principals of any account do anything to resources of any account, as \
                 the default policy does (Principal \"*\", Action \"*\", Resource \"*\", no Condition). For ecr.* it is enough \
                 that they may push or pull: the policy must limit Resource to repository ARNs of named accounts or hold an \
                 account or organization condition.",
    why: "Whoever controls a container can send data through the endpoint into an account of their own, past every rule that \
          keeps the VPC from the internet.",
    remediation: Remediation {
        text: "Limit the policy to the registries and principals of your accounts; on S3 leave \
               arn:aws:s3:::prod-REGION-starport-layer-bucket/* open, where ECR keeps its layers.",
        cli: "aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPCE --policy-document file://policy.json",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(workload_endpoints(estate), judge),
};

/// For each service what to ask through its endpoint: actions, and the service and kind of the resource. The action that
/// nobody named is one that only a pattern allows.
const QUESTIONS: [(&str, &[&str], &str, &str); 11] = [
    ("ecr.api", &["ecr:PutImage", "ecr:BatchGetImage"], "ecr", "repository/"),
    ("ecr.dkr", &["ecr:PutImage", "ecr:BatchGetImage"], "ecr", "repository/"),
    ("s3", &["s3:PlimsollUnnamed"], "s3", ""),
    ("ecs", &["ecs:PlimsollUnnamed"], "ecs", "cluster/"),
    ("ecs-agent", &["ecs:PlimsollUnnamed"], "ecs", "cluster/"),
    ("ecs-telemetry", &["ecs:PlimsollUnnamed"], "ecs", "cluster/"),
    ("logs", &["logs:PlimsollUnnamed"], "logs", "log-group:"),
    ("secretsmanager", &["secretsmanager:PlimsollUnnamed"], "secretsmanager", "secret:"),
    ("ssm", &["ssm:PlimsollUnnamed"], "ssm", "parameter/"),
    ("kms", &["kms:PlimsollUnnamed"], "kms", "key/"),
    ("sts", &["sts:PlimsollUnnamed"], "iam", "role/"),
];

fn judge(endpoint: Node<'_, VpcEndpoint>) -> Judgement {
    let service = endpoint_service(endpoint).unwrap_or_default();
    let question = QUESTIONS.iter().find(|(name, ..)| *name == service);
    // AWS gives every endpoint of a service that supports policies one; where it shows none, the service does not.
    let (Some((_, actions, of, kind)), Some(policy)) = (question, &endpoint.data().policy_document) else {
        return Ok(Verdict::NotApplicable);
    };
    let resource = format!("{kind}{UNNAMED_RESOURCE}");
    let admitted: Result<Vec<Option<Admitted>>, Unknown> =
        actions.iter().map(|action| endpoint.lets_outsiders_reach_theirs(action, of, &resource)).collect();
    let admitted: Vec<Admitted> = admitted?.into_iter().flatten().collect();
    let certain = admitted.iter().any(|admitted| admitted.certain);
    let shown: Vec<&Admitted> = admitted.iter().filter(|admitted| admitted.certain == certain).collect();
    let Some(first) = shown.first() else {
        return Ok(Verdict::Pass);
    };
    let what = if *of == "ecr" {
        "push to or pull from repositories of any account".to_owned()
    } else {
        format!("do anything that {service} offers to resources of any account")
    };
    let mut message = format!("through {} principals of any account may {what}", endpoint.data().vpc_endpoint_id);
    if !first.keys.is_empty() {
        message = format!("{message}, as far as {} does not keep them out", listed(&first.keys));
    }
    let evidence = json!({
        "VpcEndpointId": endpoint.data().vpc_endpoint_id,
        "ServiceName": endpoint.data().service_name,
        "VpcId": endpoint.data().vpc_id,
        "Statement": named_statements(Some(policy), &letting_in(shown.iter().copied())),
    });
    let failure = fail(message, evidence);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, policy};
    use plimsoll_model::aws::ec2::VpcEndpoint;
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::{CHECK, QUESTIONS};
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn endpoint(service: &str, statements: Option<&Value>) -> VpcEndpoint {
        VpcEndpoint {
            vpc_endpoint_id: "vpce-1".to_owned(),
            vpc_id: Some("vpc-main".to_owned()),
            service_name: Some(format!("com.amazonaws.us-east-1.{service}")),
            state: Some("available".to_owned()),
            policy_document: statements.map(|statements| policy(json!({"Version": "2012-10-17", "Statement": statements}))),
            ..Default::default()
        }
    }

    fn shop(service: &str, statements: &Value) -> Fixture {
        fixture().shop().resource(endpoint(service, Some(statements)))
    }

    fn everyone(change: &Value) -> Value {
        let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        statement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        statement
    }

    fn of(service: &str, change: &Value) -> Outcome {
        outcome(&CHECK, shop(service, &json!([everyone(change)])))
    }

    #[test]
    fn the_default_policy_fails_for_every_service() {
        for (service, ..) in QUESTIONS {
            assert_eq!(of(service, &json!({})), Fail(Severity::Medium), "{service}");
        }
        let found = findings(&CHECK, shop("kms", &json!([everyone(&json!({"Sid": "all"}))])));
        assert_eq!((found[0].confidence, &found[0].evidence["Statement"][0]["Sid"]), (Confidence::Certain, &json!("all")));
    }

    #[test]
    fn passes_when_accounts_of_principals_or_resources_are_limited() {
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
            json!({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}),
            json!({"StringEquals": {"aws:ResourceOrgID": "o-1"}}),
        ] {
            for service in ["ecr.api", "s3", "secretsmanager", "sts"] {
                assert_eq!(of(service, &json!({"Condition": condition})), Pass, "{service} {condition}");
            }
        }
        assert_eq!(of("ecr.dkr", &json!({"Resource": format!("arn:aws:ecr:*:{ACCOUNT}:repository/*")})), Pass);
        assert_eq!(of("s3", &json!({"Resource": ["arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*", "arn:aws:s3:::mine/*"]})), Pass);
        assert_eq!(of("logs", &json!({"Action": ["logs:PutLogEvents", "logs:CreateLogStream"]})), Pass);
    }

    #[test]
    fn an_endpoint_of_ecr_that_only_limits_actions_fails() {
        assert_eq!(of("ecr.dkr", &json!({"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]})), Fail(Severity::Medium));
        assert_eq!(of("ecr.api", &json!({"Action": "ecr:GetAuthorizationToken"})), Pass);
    }

    #[test]
    fn a_deny_counts() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}});
        assert_eq!(outcome(&CHECK, shop("ecr.api", &json!([everyone(&json!({})), deny]))), Pass);
        let some = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"});
        assert_eq!(outcome(&CHECK, shop("kms", &json!([everyone(&json!({})), some]))), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_other_services_or_to_a_vpc_without_containers() {
        assert_eq!(of("sqs", &json!({})), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().shop().resource(endpoint("kms", None))), NotApplicable);
        let idle = fixture().network().resource(endpoint("kms", Some(&json!([everyone(&json!({}))]))));
        assert_eq!(outcome(&CHECK, idle), NotApplicable);
    }

    #[test]
    fn is_unknown_when_endpoints_were_not_readable_or_the_policy_does_not_parse() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ec2:DescribeVpcEndpoints")), Unknown);
        assert_eq!(outcome(&CHECK, shop("kms", &json!("none"))), Unknown);
    }
}
