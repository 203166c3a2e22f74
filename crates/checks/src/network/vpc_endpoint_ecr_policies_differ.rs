//! Reads the policies of the two interface endpoints of Amazon ECR in each VPC with container workload. Yields one verdict per
//! endpoint for Docker's calls that has a fellow for the API; a failure shows what only one of the policies says.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{Vpc, VpcEndpoint};
use plimsoll_model::policy::PolicyDocument;
use serde_json::{Map, Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;

pub(crate) const CHECK: Check = Check {
    id: "vpc-endpoint-ecr-policies-differ",
    title: "ECR API and Docker endpoints have different policies",
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
    ],
    shades: &[],
    compliance: &[nist("CM-6")],
    fails_when: "In one VPC the normalised PolicyDocument (sorted keys, Sid and Version ignored) of the ecr.api endpoint \
                 differs from that of ecr.dkr.",
    why: "A pull goes through both: the wider of the two policies leaves the way open that the other one was meant to close, and \
          the narrower one breaks deployments.",
    remediation: Remediation {
        text: "Attach the same policy to both endpoints.",
        cli: "aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPCE_DKR --policy-document file://policy.json",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut by_vpc: BTreeMap<&str, [Vec<Node<'e, VpcEndpoint>>; 2]> = BTreeMap::new();
    for endpoint in estate.all::<VpcEndpoint>() {
        let data = endpoint.data();
        let (Some(vpc), Some(service)) = (data.vpc_id.as_deref(), data.service_name.as_deref()) else { continue };
        if data.state.as_deref().is_some_and(|state| !state.eq_ignore_ascii_case("available")) {
            continue;
        }
        let [api, docker] = by_vpc.entry(vpc).or_default();
        if service.ends_with(".ecr.api") {
            api.push(endpoint);
        } else if service.ends_with(".ecr.dkr") {
            docker.push(endpoint);
        }
    }
    for vpc in estate.all::<Vpc>().filter(|vpc| vpc.workload().is_some()) {
        let Some([api, docker]) = by_vpc.get(vpc.data().vpc_id.as_str()) else { continue };
        for endpoint in docker.iter().filter(|endpoint| endpoint.account() == vpc.account()) {
            verdicts.judge(*endpoint, judge(*endpoint, api));
        }
    }
}

fn judge(docker: Node<'_, VpcEndpoint>, api: &[Node<'_, VpcEndpoint>]) -> Judgement {
    if api.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let of_docker = statements(docker.data().policy_document.as_ref());
    let differing = api.iter().find_map(|api| {
        let of_api = statements(api.data().policy_document.as_ref());
        (of_api != of_docker).then_some((api, of_api))
    });
    let Some((api, of_api)) = differing else {
        return Ok(Verdict::Pass);
    };
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<Value> {
        one.difference(other).take(20).filter_map(|statement| serde_json::from_str(statement).ok()).collect()
    };
    let evidence = json!({
        "VpcId": docker.vpc_id,
        "VpcEndpointIds": [api.vpc_endpoint_id, docker.vpc_endpoint_id],
        "onlyInApi": only(&of_api, &of_docker),
        "onlyInDkr": only(&of_docker, &of_api),
    });
    let vpc = docker.data().vpc_id.as_deref().unwrap_or_default();
    let message = format!("in {vpc} the policies of {} for ecr.api and {} for ecr.dkr differ", api.vpc_endpoint_id, docker.vpc_endpoint_id);
    fail(message, evidence).verdict()
}

/// The statements of a policy, each in one spelling; without a policy everything is allowed.
fn statements(policy: Option<&PolicyDocument>) -> BTreeSet<String> {
    let everything = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
    let Some(PolicyDocument(document)) = policy else { return BTreeSet::from([normal(&everything, "").to_string()]) };
    let list = match document.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        // What is no policy is compared as it is.
        None => std::slice::from_ref(document),
    };
    list.iter().map(|statement| normal(statement, "").to_string()).collect()
}

/// A value in one spelling: keys in order, `Sid` left out, a list of one as that one, other lists in order.
fn normal(value: &Value, under: &str) -> Value {
    match value {
        Value::Object(object) => {
            let members: BTreeMap<&String, Value> = object
                .iter()
                .filter(|(key, _)| !(under.is_empty() && *key == "Sid"))
                .map(|(key, value)| (key, normal(value, key)))
                .collect();
            let everyone = under == "Principal" && members.len() == 1 && members.iter().all(|(key, value)| *key == "AWS" && value == "*");
            if everyone {
                json!("*")
            } else {
                Value::Object(members.into_iter().map(|(key, value)| (key.clone(), value)).collect::<Map<_, _>>())
            }
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(|one| normal(one, under)).collect();
            list.sort_by_key(Value::to_string);
            list.dedup();
            if list.len() == 1 { list.pop().unwrap_or_default() } else { Value::Array(list) }
        }
        // Names of actions have no case.
        Value::String(text) if matches!(under, "Action" | "NotAction") => Value::String(text.to_ascii_lowercase()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::VpcEndpoint;
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn endpoint(service: &str, document: Option<Value>) -> VpcEndpoint {
        VpcEndpoint {
            vpc_endpoint_id: format!("vpce-{service}"),
            vpc_endpoint_type: Some("Interface".to_owned()),
            vpc_id: Some("vpc-main".to_owned()),
            service_name: Some(format!("com.amazonaws.us-east-1.ecr.{service}")),
            state: Some("available".to_owned()),
            policy_document: document.map(policy),
            ..Default::default()
        }
    }

    fn shop(api: Option<Value>, docker: Option<Value>) -> Fixture {
        fixture().shop().resource(endpoint("api", api)).resource(endpoint("dkr", docker))
    }

    fn pull(extra: &Value) -> Value {
        let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["ecr:BatchGetImage", "ecr:GetAuthorizationToken"], "Resource": "*"});
        statement.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    #[test]
    fn fails_when_one_endpoint_allows_more_than_the_other() {
        assert_eq!(outcome(&CHECK, shop(Some(pull(&json!({}))), None)), Fail(Severity::Low));
        let found = findings(
            &CHECK,
            shop(Some(pull(&json!({}))), Some(pull(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}})))),
        );
        assert_eq!(found[0].resource.name, "vpce-dkr");
        assert_eq!(found[0].evidence["onlyInDkr"][0]["Condition"]["StringEquals"]["aws:PrincipalOrgID"], "o-1");
    }

    #[test]
    fn passes_when_policies_say_the_same_in_other_words() {
        assert_eq!(outcome(&CHECK, shop(None, None)), Pass);
        let everything = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["*"], "Resource": "*"}});
        assert_eq!(outcome(&CHECK, shop(None, Some(everything))), Pass);
        let other =
            json!({"Sid": "pull", "Principal": "*", "Action": ["ecr:getauthorizationtoken", "ecr:BatchGetImage"], "Resource": ["*"]});
        assert_eq!(outcome(&CHECK, shop(Some(pull(&json!({}))), Some(pull(&other)))), Pass);
    }

    #[test]
    fn does_not_apply_to_one_endpoint_alone_or_to_a_vpc_without_containers() {
        assert_eq!(outcome(&CHECK, fixture().shop().resource(endpoint("dkr", None))), NotApplicable);
        let idle = fixture().network().resource(endpoint("api", Some(pull(&json!({}))))).resource(endpoint("dkr", None));
        assert_eq!(outcome(&CHECK, idle), NotApplicable);
    }

    #[test]
    fn is_unknown_when_endpoints_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ec2:DescribeVpcEndpoints")), Unknown);
    }
}
