//! Reads whether a role that containers, their hosts or their nodes run with may overwrite or delete an image in a
//! repository that services and tasks run from. Yields one verdict per role; roles of pipelines pass.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node, Principal, Unknown};
use plimsoll_iam::Question;
use plimsoll_model::aws::ecr::Repository;
use plimsoll_model::aws::iam::Role;
use plimsoll_model::{AccountId, PathStep, Resource, Severity};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::engine::Verdicts;
use crate::grants::{Doubt, Grant, Holdings};
use crate::reading::listed;
use crate::roles::Runtime;

pub(crate) const CHECK: Check = Check {
    id: "iam-runtime-role-can-push-images",
    title: "A running workload may overwrite container images",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ec2:DescribeInstances",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "ecr:DescribeRepositories",
        "ecr:GetRepositoryPolicy",
        "iam:GetAccountAuthorizationDetails",
    ],
    // That of a repository that was not read makes the roles of its account unknown.
    shades: &["ecr:GetRepositoryPolicy"],
    compliance: &[cis_eks("5.1.2"), cis_eks("5.1.3"), nist("AC-6"), nist("SI-7")],
    fails_when: "A task, execution, instance, node or service-account role is allowed ecr:PutImage with \
                 ecr:InitiateLayerUpload and CompleteLayerUpload, or ecr:BatchDeleteImage, on a repository whose image \
                 some service or pod runs. Medium when every such repository is IMMUTABLE. CI roles (tag or name \
                 allow-list) pass.",
    why: "Whoever breaks into the container puts an image of their own in the place of one that services pull, and so runs \
          in all of them from the next start on.",
    remediation: Remediation {
        text: "Give runtime roles pull rights only (AmazonEC2ContainerRegistryPullOnly).",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// A push takes all of these.
const PUSH: [&str; 3] = ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"];
const DELETE: &str = "ecr:BatchDeleteImage";
const ACTIONS: [&str; 4] = [PUSH[0], PUSH[1], PUSH[2], DELETE];
/// Repositories and workloads that are named in evidence.
const SHOWN: usize = 10;

/// A repository that workloads run from.
struct Used<'e> {
    repository: Node<'e, Repository>,
    workloads: BTreeSet<&'e str>,
    is_immutable: bool,
}

/// The repositories in use: first those whose tags can move.
struct InUse<'e> {
    repositories: Vec<Used<'e>>,
    by_arn: FxHashMap<&'e str, usize>,
    /// Whom the policy of a repository lets push or delete.
    named: FxHashMap<&'e str, BTreeSet<usize>>,
    /// Repositories whose policy names everybody.
    open: BTreeSet<usize>,
    /// Accounts with one whose policy was not read.
    unread: BTreeMap<&'e AccountId, Unknown>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let runtime = Runtime::of(estate);
    let in_use = InUse::find(estate);
    let mut questions: BTreeMap<&AccountId, Vec<Question>> = BTreeMap::new();
    for one in &in_use.repositories {
        let arn = one.repository.data().repository_arn.as_str();
        // What another account's repository allows is asked of those that may by their own policies.
        questions.entry(one.repository.account()).or_default().extend(ACTIONS.map(|action| Question::new(action, arn)));
    }
    let questions = |_: &AccountId| questions.values().flatten().cloned().collect();
    let asked = runtime.roles().map(|(role, _)| Principal::Role(role)).filter(|principal| !is_of_pipeline(*principal, estate));
    let holdings = Holdings::of_questions(estate, asked, &ACTIONS, questions, Vec::new());
    for (role, uses) in runtime.roles() {
        let pipeline = is_of_pipeline(Principal::Role(role), estate);
        verdicts.judge(role, if pipeline { Ok(Verdict::Pass) } else { judge(role, uses, &in_use, &holdings) });
    }
}

fn is_of_pipeline(principal: Principal<'_>, estate: &Estate<'_>) -> bool {
    let Principal::Role(role) = principal else { return false };
    estate.thresholds().is_pipeline_role(principal.arn(), role.data().tags())
}

impl<'e> InUse<'e> {
    fn find(estate: &'e Estate<'e>) -> Self {
        let mut used: BTreeMap<u32, Used<'e>> = BTreeMap::new();
        let mut add = |repository: Node<'e, Repository>, workload: &'e str| {
            let is_immutable = repository.data().image_tag_mutability.as_deref() == Some("IMMUTABLE");
            let one = used.entry(repository.index()).or_insert_with(|| Used { repository, workloads: BTreeSet::new(), is_immutable });
            one.workloads.insert(workload);
        };
        for image in estate.running_images() {
            let Some(repository) = image.repository().found() else { continue };
            for service in image.running_services() {
                add(repository, service.data().service_arn.as_str());
            }
            for task in image.running_tasks().filter(|task| task.service().is_none()) {
                add(repository, task.data().task_arn.as_str());
            }
        }
        let mut known: FxHashMap<(&AccountId, &str, &str), Option<Node<'e, Repository>>> = FxHashMap::default();
        for service in estate.active_services() {
            for definition in service.task_definitions().into_iter().filter_map(plimsoll_graph::Link::found) {
                for container in &definition.data().container_definitions {
                    let place = (definition.account(), definition.region().as_str(), container.image.as_str());
                    let named = known
                        .entry(place)
                        .or_insert_with(|| estate.repository(definition.account(), definition.region(), &container.image)?.found());
                    if let Some(repository) = *named {
                        add(repository, service.data().service_arn.as_str());
                    }
                }
            }
        }
        let mut repositories: Vec<Used<'e>> = used.into_values().collect();
        repositories.sort_by_key(|one| one.is_immutable);
        let mut in_use = Self {
            by_arn: repositories.iter().enumerate().map(|(at, one)| (one.repository.data().repository_arn.as_str(), at)).collect(),
            repositories,
            named: FxHashMap::default(),
            open: BTreeSet::new(),
            unread: BTreeMap::new(),
        };
        in_use.read_policies();
        in_use
    }

    fn read_policies(&mut self) {
        for (at, one) in self.repositories.iter().enumerate() {
            let policy = match one.repository.data().policy.known() {
                Ok(Some(policy)) => policy,
                Ok(None) => continue,
                Err(gap) => {
                    self.unread.entry(one.repository.account()).or_insert_with(|| gap.into());
                    continue;
                }
            };
            for statement in policy.statements().unwrap_or_default() {
                if !statement.allows || !ACTIONS.iter().any(|action| statement.covers_action(action)) {
                    continue;
                }
                let everyone = statement.principals.as_ref().is_none_or(|principals| principals.everyone);
                if everyone {
                    self.open.insert(at);
                }
            }
            let Some(statements) = policy.0.get("Statement") else { continue };
            for name in arns_in(statements) {
                self.named.entry(name).or_default().insert(at);
            }
        }
    }
}

/// Every ARN of a role that statements name as principal.
fn arns_in(statements: &Value) -> Vec<&str> {
    let list = statements.as_array().map_or_else(|| std::slice::from_ref(statements), Vec::as_slice);
    let named = list.iter().filter_map(|statement| statement.get("Principal")?.get("AWS"));
    named
        .flat_map(|names| names.as_array().map_or_else(|| std::slice::from_ref(names), Vec::as_slice))
        .filter_map(Value::as_str)
        .filter(|name| name.contains(":role/"))
        .collect()
}

fn judge(role: Node<'_, Role>, uses: &[&str], in_use: &InUse<'_>, holdings: &Holdings) -> Judgement {
    let principal = Principal::Role(role);
    let asked = holdings.of(principal).iter().filter_map(|question| in_use.by_arn.get(question.resource.as_str()).copied());
    let mut candidates: BTreeSet<usize> = asked.collect();
    candidates.extend(in_use.named.get(principal.arn()).into_iter().flatten().copied());
    candidates.extend(&in_use.open);
    let mut found: Vec<(&Used<'_>, Vec<Grant>)> = Vec::new();
    let mut more = 0;
    let mut open: Option<Unknown> = None;
    for at in candidates {
        let Some(one) = in_use.repositories.get(at) else { continue };
        // Those whose tags can move come first: the rest changes nothing.
        if found.len() >= SHOWN {
            more += 1;
            continue;
        }
        match power(principal, one.repository) {
            Ok(grants) if grants.is_empty() => {}
            Ok(grants) => found.push((one, grants)),
            Err(unknown) => open = Some(unknown),
        }
    }
    let Some((first, grants)) = found.first() else {
        let open = open.or_else(|| principal.unread()).or_else(|| in_use.unread.get(role.account()).cloned());
        return open.map_or(Ok(Verdict::Pass), Err);
    };
    let names: Vec<&str> = found.iter().map(|(one, _)| one.repository.name()).collect();
    let does = if grants.iter().any(|grant| grant.action == DELETE) && grants.len() == 1 { "delete images of" } else { "push images to" };
    let by = grants.first().map(Grant::by).unwrap_or_default();
    let more = if more == 0 { String::new() } else { format!(" and perhaps {more} more") };
    let message = format!("{} {} may {does} {}{more}, which services run, by {by}", listed(uses), role.name(), listed(&names));
    let path = vec![
        PathStep { arn: role.data().arn.clone(), via: grants.iter().map(|grant| grant.action.as_str()).collect::<Vec<_>>().join(", ") },
        PathStep { arn: first.repository.data().repository_arn.clone(), via: "is pulled by".to_owned() },
        PathStep { arn: first.workloads.first().copied().unwrap_or_default().to_owned(), via: "runs it".to_owned() },
    ];
    let failure = fail(message, evidence(uses, &found)).path(path);
    let failure = if first.is_immutable { failure.severity(Severity::Medium) } else { failure };
    doubt(&found).mark(failure).verdict()
}

/// What lets a role push to or delete from a repository; nothing when it may do neither.
fn power(principal: Principal<'_>, repository: Node<'_, Repository>) -> Result<Vec<Grant>, Unknown> {
    let arn = repository.data().repository_arn.as_str();
    let grant = |action: &str| -> Result<Option<Grant>, Unknown> {
        let (_, decision) = principal.decide(action, arn, &[])?;
        Ok(Grant::from_decision(action, arn, &decision))
    };
    let mut grants = Vec::new();
    for action in PUSH {
        grants.extend(grant(action)?);
    }
    if grants.len() < PUSH.len() {
        grants.clear();
    }
    grants.extend(grant(DELETE)?);
    Ok(grants)
}

/// A push is as doubtful as the most doubtful of what it takes.
fn doubt(found: &[(&Used<'_>, Vec<Grant>)]) -> Doubt {
    let weight = |doubt: &Doubt| (doubt.depends_on.len(), doubt.unread.len());
    let of_one = |grants: &Vec<Grant>| {
        let delete = grants.iter().find(|grant| grant.action == DELETE).map(|grant| grant.doubt().clone());
        let push = grants.iter().filter(|grant| grant.action != DELETE).map(|grant| grant.doubt().clone()).max_by_key(weight);
        [delete, push].into_iter().flatten().min_by_key(weight)
    };
    found.iter().filter_map(|(_, grants)| of_one(grants)).min_by_key(weight).unwrap_or_default()
}

fn evidence(uses: &[&str], found: &[(&Used<'_>, Vec<Grant>)]) -> Value {
    let repositories: Vec<Value> = found
        .iter()
        .map(|(used, grants)| {
            json!({
                "repositoryArn": used.repository.data().repository_arn,
                "imageTagMutability": used.repository.data().image_tag_mutability,
                "statements": grants.iter().map(Grant::evidence).collect::<Vec<_>>(),
                "workloads": used.workloads.iter().take(SHOWN).collect::<Vec<_>>(),
                "workloadCount": used.workloads.len(),
            })
        })
        .collect();
    json!({"usedAs": uses, "repositories": repositories})
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, gap, policy, role_arn};
    use plimsoll_model::aws::ecr::Repository;
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn mutable(repository: &mut Repository) {
        repository.image_tag_mutability = Some("MUTABLE".to_owned());
    }

    fn shop(statement: Value) -> Fixture {
        alone(fixture().shop()).each(mutable).each(grants("web-task", statement))
    }

    fn push(resource: &str) -> Value {
        json!({"Effect": "Allow", "Resource": resource,
            "Action": ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]})
    }

    #[test]
    fn fails_when_a_role_may_push_to_what_runs() {
        let found = findings(&CHECK, shop(push(&arn("ecr", "repository/app"))));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "task role web-task may push images to app, which services run, by statement #0 of access");
        assert_eq!(found[0].path.len(), 3);
        assert_eq!(found[0].evidence["repositories"][0]["workloadCount"], 1);
        let delete = json!({"Effect": "Allow", "Action": "ecr:BatchDeleteImage", "Resource": "*"});
        assert!(findings(&CHECK, shop(delete))[0].message.contains("may delete images of app"));
        let started = alone(fixture().shop()).each(mutable).each(grants("execution", push("*")));
        assert!(findings(&CHECK, started)[0].message.starts_with("execution role execution"));
    }

    #[test]
    fn passes_with_less_and_elsewhere() {
        assert_eq!(outcome(&CHECK, shop(push(&arn("ecr", "repository/other")))), Pass);
        assert_eq!(outcome(&CHECK, shop(push("*")).repository("other", |_| {})), Fail(Severity::High));
        for action in ["ecr:PutImage", "ecr:BatchGetImage"] {
            assert_eq!(outcome(&CHECK, shop(json!({"Effect": "Allow", "Action": action, "Resource": "*"}))), Pass, "{action}");
        }
    }

    #[test]
    fn is_medium_when_no_tag_can_move() {
        let account = alone(fixture().shop()).each(grants("web-task", push("*")));
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn roles_of_pipelines_pass() {
        let account = shop(push("*")).thresholds(|thresholds| thresholds.pipeline_roles = vec!["*:role/web-*".to_owned()]);
        assert_eq!(outcome(&CHECK, account), Pass);
        let tagged = shop(push("*")).thresholds(|thresholds| thresholds.pipeline_role_tags = vec!["ci=true".parse().unwrap()]);
        let tagged = tagged.each(|role: &mut Role| {
            role.tags = vec![plimsoll_model::aws::Tag { key: "ci".to_owned(), value: "true".to_owned() }];
        });
        assert_eq!(outcome(&CHECK, tagged), Pass);
    }

    #[test]
    fn the_policy_of_the_repository_may_grant_and_deny() {
        let policy_of = |effect: &str, principal: Value| {
            let document =
                policy(json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Principal": principal, "Action": "ecr:*"}]}));
            move |repository: &mut Repository| repository.policy = Seen::Known(Some(document.clone()))
        };
        let pulls = || alone(fixture().shop()).each(mutable);
        assert_eq!(outcome(&CHECK, pulls().each(policy_of("Allow", json!({"AWS": role_arn("web-task")})))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, pulls().each(policy_of("Allow", json!("*")))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, pulls().each(policy_of("Allow", json!({"AWS": role_arn("build")})))), Pass);
        assert_eq!(outcome(&CHECK, shop(push("*")).each(policy_of("Deny", json!("*")))), Pass);
    }

    #[test]
    fn is_unknown_when_a_policy_or_a_listing_was_not_readable() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        let hidden = |repository: &mut Repository| repository.policy = gap("ecr:GetRepositoryPolicy").into();
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(hidden)), Unknown);
        assert_eq!(outcome(&CHECK, shop(push("*")).each(hidden)), Fail(Severity::High));
        for operation in ["iam:GetAccountAuthorizationDetails", "ecr:DescribeRepositories", "eks:ListClusters", "ecs:DescribeTasks"] {
            assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied(operation)), Unknown, "{operation}");
        }
    }
}
