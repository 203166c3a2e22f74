//! Paths that must be found, and near misses that must not.

use serde_json::{Value, json};

use super::*;
use crate::document::DocumentKind;
use crate::policies::Attached;
use crate::tri::Tri;

const ACCOUNT: &str = "111122223333";

pub(super) fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn document(statement: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn inline(statement: &Value) -> Attached {
    Attached::parse("inline", DocumentKind::Identity, &document(statement))
}

pub(super) fn managed(name: &str, statement: &Value) -> ManagedPolicy {
    let policy = Attached::parse(name, DocumentKind::Identity, &document(statement));
    ManagedPolicy { arn: format!("arn:aws:iam::{ACCOUNT}:policy/{name}").into(), policy, older: Vec::new() }
}

pub(super) fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

pub(super) fn trusting(name: &str, principal: &Value, statement: &Value) -> Principal {
    let mut principal_of = Principal::new(PrincipalKind::Role, &role(name));
    let trust = document(&json!({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}));
    principal_of.trust = Some(Attached::parse("trust", DocumentKind::Trust, &trust));
    principal_of.inline.push(inline(statement));
    principal_of.facts.tags = Some(Vec::new());
    principal_of
}

pub(super) fn task_role(name: &str, statement: &Value) -> Principal {
    trusting(name, &json!({"Service": "ecs-tasks.amazonaws.com"}), statement)
}

pub(super) fn user(name: &str, statement: &Value) -> Principal {
    let mut user = Principal::new(PrincipalKind::User, &format!("arn:aws:iam::{ACCOUNT}:user/{name}"));
    user.inline.push(inline(statement));
    user.access_keys = Some(1);
    user.login_profile = Some(false);
    user.mfa = Some(false);
    user
}

pub(super) fn everything() -> Value {
    allow(&["*"], "*")
}

pub(super) fn with_cluster(principals: Vec<Principal>) -> Landscape {
    let cluster = Cluster {
        arn: format!("arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/prod").into(),
        places_on_instances: Tri::False,
        tags: Some(Vec::new()),
    };
    Landscape { principals, clusters: vec![cluster], ..Landscape::default() }
}

fn path(landscape: &Landscape, name: &str) -> Option<Path> {
    escalate(landscape).path_of(landscape, &role(name)).cloned()
}

fn method_of(landscape: &Landscape, name: &str) -> Option<&'static str> {
    path(landscape, name).map(|path| path.edges[0].method.id.as_str())
}

pub(super) const RUN: [&str; 3] = ["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"];

#[test]
fn passing_an_administrator_to_a_task_is_a_path() {
    let landscape = with_cluster(vec![task_role("app", &allow(&RUN, "*")), task_role("admin", &everything())]);
    let path = path(&landscape, "app").unwrap();
    assert_eq!((path.edges[0].method.id.as_str(), path.certainty()), ("ecs-004", Certainty::Certain));
    assert_eq!(path.edges[0].to, role("admin").as_str());
    let cut = &path.cut;
    assert_eq!((cut.permission.as_ref().unwrap().action.as_str(), cut.ends_all), ("iam:PassRole", true));
    assert_eq!(
        path.to_string(),
        "1. arn:aws:iam::111122223333:role/app acts as arn:aws:iam::111122223333:role/admin: register and run a task \
         (iam:PassRole, ecs:RegisterTaskDefinition, ecs:RunTask)\n\
         to end it: take iam:PassRole on arn:aws:iam::111122223333:role/admin from arn:aws:iam::111122223333:role/app \
         (Allow in identity policy inline, statement #0)"
            .replace("register and run a task", &path.edges[0].method.name)
    );
}

#[test]
fn without_what_the_path_needs_there_is_none() {
    let deny = json!([allow(&RUN, "*"), {"Effect": "Deny", "Action": "iam:Pass*", "Resource": "*"}]);
    let denied = with_cluster(vec![task_role("app", &deny), task_role("admin", &everything())]);
    assert!(path(&denied, "app").is_none());

    let mut bounded = task_role("app", &allow(&RUN, "*"));
    bounded.boundary = Some(Attached::parse("edge", DocumentKind::Boundary, &document(&allow(&["ecs:*", "s3:*"], "*"))));
    assert!(path(&with_cluster(vec![bounded, task_role("admin", &everything())]), "app").is_none());

    let elsewhere = trusting("admin", &json!({"Service": "lambda.amazonaws.com"}), &everything());
    assert!(path(&with_cluster(vec![task_role("app", &allow(&RUN, "*")), elsewhere]), "app").is_none());

    let harmless = task_role("harmless", &allow(&["logs:PutLogEvents"], "*"));
    assert!(path(&with_cluster(vec![task_role("app", &allow(&RUN, "*")), harmless]), "app").is_none());

    let no_cluster =
        Landscape { clusters: Vec::new(), ..with_cluster(vec![task_role("app", &allow(&RUN, "*")), task_role("admin", &everything())]) };
    assert!(path(&no_cluster, "app").is_none());

    let only_pass = with_cluster(vec![task_role("app", &allow(&["iam:PassRole"], "*")), task_role("admin", &everything())]);
    assert!(path(&only_pass, "app").is_none());
}

#[test]
fn a_scp_over_the_caller_ends_the_path() {
    let mut app = task_role("app", &allow(&RUN, "*"));
    let full = Attached::parse("full", DocumentKind::ServiceControl, &document(&everything()));
    let deny = json!({"Effect": "Deny", "Action": "ecs:RunTask", "Resource": "*"});
    app.scps = vec![vec![full.clone()], vec![full, Attached::parse("deny", DocumentKind::ServiceControl, &document(&deny))]];
    assert!(path(&with_cluster(vec![app, task_role("admin", &everything())]), "app").is_none());
}

#[test]
fn grants_by_exclusion_and_by_wildcard_are_understood() {
    let not_action = json!({"Effect": "Allow", "NotAction": ["s3:*", "organizations:*"], "Resource": "*"});
    let landscape = with_cluster(vec![task_role("app", &not_action)]);
    // It may write itself a policy, although iam is nowhere in its own.
    assert_eq!(method_of(&landscape, "app"), Some("iam-005"));

    let wildcard = json!([allow(&["ec?:Re*", "iam:P?ssR*"], "*"), allow(&["ecs:R*"], "*")]);
    let malformed = with_cluster(vec![task_role("app", &wildcard), task_role("admin", &everything())]);
    assert!(path(&malformed, "app").is_none());
    assert_eq!(escalate(&malformed).unassessed.len(), 1);

    let wildcard = allow(&["iam:P?ssR*", "ecs:R*"], "*");
    assert_eq!(method_of(&with_cluster(vec![task_role("app", &wildcard), task_role("admin", &everything())]), "app"), Some("ecs-004"));

    let power = json!({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"});
    let powerful = with_cluster(vec![task_role("app", &power)]);
    assert!(escalate(&powerful).administrators.is_empty() && path(&powerful, "app").is_none());
}

#[test]
fn conditions_on_a_passed_role_are_understood() {
    let passing = |service: &str| {
        json!([
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": service}}},
            allow(&["ecs:*"], "*"),
        ])
    };
    let landscape = |service: &str| with_cluster(vec![task_role("app", &passing(service)), task_role("admin", &everything())]);
    assert!(path(&landscape("ecs-tasks.amazonaws.com"), "app").is_some());
    assert!(path(&landscape("lambda.amazonaws.com"), "app").is_none());

    let unknown = json!([
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}},
        allow(&["ecs:*"], "*"),
    ]);
    let found = path(&with_cluster(vec![task_role("app", &unknown), task_role("admin", &everything())]), "app").unwrap();
    assert_eq!((found.certainty(), found.edges[0].depends_on.as_slice()), (Certainty::Conditional, &["aws:SourceIp".into()][..]));

    let mfa = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
    let guarded = with_cluster(vec![task_role("app", &mfa)]);
    assert!(escalate(&guarded).administrators.is_empty());
}

#[test]
fn a_condition_on_the_cluster_ties_the_permissions() {
    let tied = |cluster: &str| {
        json!([
            allow(&["iam:PassRole", "ecs:RegisterTaskDefinition"], "*"),
            {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": format!("arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/{cluster}")}}},
        ])
    };
    let landscape = |cluster: &str| with_cluster(vec![task_role("app", &tied(cluster)), task_role("admin", &everything())]);
    assert!(path(&landscape("prod"), "app").is_some());
    assert!(path(&landscape("gone"), "app").is_none());
}

#[test]
fn a_path_goes_over_several_principals() {
    let to_lambda = json!([allow(&["iam:PassRole"], &role("builder")), allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*")]);
    let builder = trusting("builder", &json!({"Service": "lambda.amazonaws.com"}), &allow(&["sts:AssumeRole"], "*"));
    let deploy = trusting("deploy", &json!({"AWS": ACCOUNT}), &allow(&["iam:AttachRolePolicy"], &role("deploy")));
    let landscape = with_cluster(vec![task_role("app", &to_lambda), builder, deploy]);
    let path = path(&landscape, "app").unwrap();
    let ids: Vec<&str> = path.edges.iter().map(|edge| edge.method.id.as_str()).collect();
    assert_eq!(ids, ["lambda-001", "sts-001", "iam-009"]);
    assert_eq!(path.edges[2].gained, Gained::Administrator);
}

#[test]
fn a_role_that_names_the_caller_is_assumed_without_a_grant() {
    let admin = trusting("admin", &json!({"AWS": role("app")}), &everything());
    assert_eq!(method_of(&with_cluster(vec![task_role("app", &allow(&["s3:GetObject"], "*")), admin]), "app"), Some("sts-001"));
    let of_account = trusting("admin", &json!({"AWS": ACCOUNT}), &everything());
    assert!(path(&with_cluster(vec![task_role("app", &allow(&["s3:GetObject"], "*")), of_account]), "app").is_none());
}

#[test]
fn a_boundary_limits_what_a_self_made_policy_gives() {
    let mut app = task_role("app", &allow(&["iam:PutRolePolicy"], &role("app")));
    assert_eq!(method_of(&with_cluster(vec![app.clone()]), "app"), Some("iam-005"));
    let boundary = document(&json!({"Effect": "Allow", "NotAction": "organizations:*", "Resource": "arn:aws:s3:::*"}));
    app.boundary = Some(Attached::parse("edge", DocumentKind::Boundary, &boundary));
    assert!(path(&with_cluster(vec![app]), "app").is_none());
}

#[test]
fn a_boundary_that_can_be_dropped_is_no_limit() {
    let mut app = task_role("app", &everything());
    let boundary = document(&allow(&["s3:*", "iam:DeleteRolePermissionsBoundary"], "*"));
    app.boundary = Some(Attached::parse("edge", DocumentKind::Boundary, &boundary));
    let found = path(&with_cluster(vec![app]), "app").unwrap();
    assert_eq!(
        (found.edges[0].method.id.as_str(), &found.edges[0].gained),
        ("x-iam-drop-role-boundary", &Gained::Changed("drops its boundary"))
    );
}

#[test]
fn attaching_a_policy_counts_only_where_a_wide_one_may_be_attached() {
    let attach = |policy: &str| json!({"Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": role("app"), "Condition": {"ArnEquals": {"iam:PolicyARN": policy}}});
    assert!(path(&with_cluster(vec![task_role("app", &attach("arn:aws:iam::aws:policy/ReadOnlyAccess"))]), "app").is_none());
    assert_eq!(
        method_of(&with_cluster(vec![task_role("app", &attach("arn:aws:iam::aws:policy/AdministratorAccess"))]), "app"),
        Some("iam-009")
    );
    let mut own = with_cluster(vec![task_role("app", &attach(&format!("arn:aws:iam::{ACCOUNT}:policy/wide")))]);
    own.policies.push(managed("wide", &everything()));
    assert_eq!(method_of(&own, "app"), Some("iam-009"));
}

#[test]
fn only_customer_managed_policies_get_new_versions() {
    let mut app = task_role("app", &allow(&["iam:CreatePolicyVersion"], "*"));
    app.attached.push(ManagedPolicy {
        arn: "arn:aws:iam::aws:policy/ReadOnlyAccess".into(),
        ..managed("ReadOnlyAccess", &allow(&["s3:GetObject"], "*"))
    });
    assert!(path(&with_cluster(vec![app.clone()]), "app").is_none());
    app.attached.push(managed("own", &allow(&["s3:GetObject"], "*")));
    assert_eq!(method_of(&with_cluster(vec![app]), "app"), Some("iam-001"));
}

#[test]
fn a_user_is_taken_over_as_its_state_allows() {
    let landscape = |action: &[&str], change: fn(&mut Principal)| {
        let mut root = user("root-like", &everything());
        change(&mut root);
        with_cluster(vec![task_role("app", &allow(action, "*")), root])
    };
    assert_eq!(method_of(&landscape(&["iam:CreateAccessKey"], |_| {}), "app"), Some("iam-002"));
    assert_eq!(method_of(&landscape(&["iam:CreateAccessKey"], |user| user.access_keys = Some(2)), "app"), None);
    assert_eq!(
        method_of(&landscape(&["iam:CreateAccessKey", "iam:DeleteAccessKey"], |user| user.access_keys = Some(2)), "app"),
        Some("iam-003")
    );
    assert_eq!(method_of(&landscape(&["iam:CreateLoginProfile"], |_| {}), "app"), Some("iam-004"));
    assert_eq!(method_of(&landscape(&["iam:CreateLoginProfile"], |user| user.login_profile = Some(true)), "app"), None);
    let unread = path(&landscape(&["iam:CreateAccessKey"], |user| user.access_keys = None), "app").unwrap();
    assert_eq!(unread.certainty(), Certainty::Conditional);
}

#[test]
fn rewriting_a_trust_policy_takes_the_role() {
    let admin = trusting("admin", &json!({"Service": "ec2.amazonaws.com"}), &everything());
    let app = task_role("app", &allow(&["iam:UpdateAssumeRolePolicy"], &role("admin")));
    assert_eq!(method_of(&with_cluster(vec![app, admin]), "app"), Some("iam-012"));
    let mut reserved = Principal::new(PrincipalKind::Role, &role("aws-service-role/x.amazonaws.com/AWSServiceRoleForX"));
    reserved.inline.push(inline(&everything()));
    let app = task_role("app", &allow(&["iam:UpdateAssumeRolePolicy"], "*"));
    assert!(path(&with_cluster(vec![app, reserved]), "app").is_none_or(|path| path.edges[0].method.id != "iam-012"));
}

#[test]
fn an_instance_profile_must_hold_the_passed_role() {
    let app = task_role("app", &allow(&["iam:PassRole", "ec2:RunInstances"], "*"));
    let admin = trusting("admin", &json!({"Service": "ec2.amazonaws.com"}), &everything());
    let mut landscape = with_cluster(vec![app, admin]);
    assert_eq!(path(&landscape, "app").unwrap().certainty(), Certainty::Conditional);
    landscape.instance_profiles = Some(Vec::new());
    assert!(path(&landscape, "app").is_none());
    landscape.instance_profiles =
        Some(vec![InstanceProfile { arn: "arn:aws:iam::111122223333:instance-profile/x".into(), role: Some(role("admin").into()) }]);
    assert_eq!(path(&landscape, "app").unwrap().certainty(), Certainty::Certain);
}

pub(super) fn task(role_name: &str, exec: Tri, instance: Option<usize>) -> Task {
    Task {
        arn: format!("arn:aws:ecs:us-east-1:{ACCOUNT}:task/prod/{role_name}").into(),
        cluster: format!("arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/prod").into(),
        task_role: Some(role(role_name).into()),
        execution_role: None,
        exec_enabled: exec,
        instance,
        tags: Some(Vec::new()),
    }
}

#[test]
fn a_shell_in_a_stronger_task_needs_execute_command_on_it() {
    let app = task_role("app", &allow(&["ecs:ExecuteCommand"], "*"));
    let mut landscape = with_cluster(vec![app, task_role("admin", &everything())]);
    landscape.tasks = vec![task("admin", Tri::True, None)];
    assert_eq!(method_of(&landscape, "app"), Some("x-ecs-exec"));
    landscape.tasks = vec![task("admin", Tri::False, None)];
    assert!(path(&landscape, "app").is_none());
}

#[test]
fn the_role_of_the_host_is_reached_over_imds_by_those_on_it_alone() {
    let app = task_role("app", &allow(&["s3:GetObject"], "*"));
    let other = task_role("other", &allow(&["s3:GetObject"], "*"));
    let node = trusting("node", &json!({"Service": "ec2.amazonaws.com"}), &everything());
    let mut landscape = with_cluster(vec![app, other, node]);
    let instance = Instance {
        arn: format!("arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1").into(),
        container_instance: Some(format!("arn:aws:ecs:us-east-1:{ACCOUNT}:container-instance/prod/c1").into()),
        cluster: Some(format!("arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/prod").into()),
        role: Some(role("node").into()),
        imds_from_containers: Tri::True,
        ssm_agent: Tri::Unknown,
        pod_roles: Vec::new(),
    };
    landscape.instances = vec![instance];
    landscape.tasks = vec![task("app", Tri::False, Some(0))];
    assert_eq!(method_of(&landscape, "app"), Some("x-imds-instance-role"));
    assert!(path(&landscape, "other").is_none());
    let text = path(&landscape, "app").unwrap().to_string();
    assert!(text.ends_with("to end it: keep arn:aws:iam::111122223333:role/app from the metadata service of its host"), "{text}");
    landscape.instances[0].imds_from_containers = Tri::False;
    assert!(path(&landscape, "app").is_none());
}

#[test]
fn pushing_an_image_takes_whoever_follows_its_tag() {
    let push = ["ecr:GetAuthorizationToken", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];
    let mut landscape = with_cluster(vec![task_role("ci", &allow(&push, "*")), task_role("admin", &everything())]);
    let deployment = |follows_tag| vec![Deployment { role: role("admin").into(), follows_tag }];
    let repository = Repository {
        arn: format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app").into(),
        policy: None,
        deployments: deployment(Tri::True),
    };
    landscape.repositories = vec![repository];
    assert_eq!(method_of(&landscape, "ci"), Some("x-ecr-push"));
    landscape.repositories[0].deployments = deployment(Tri::False);
    assert!(path(&landscape, "ci").is_none());
}

#[test]
fn ruling_a_cluster_gives_the_roles_of_its_pods() {
    let app = task_role("app", &allow(&["eks:CreateAccessEntry", "eks:AssociateAccessPolicy"], "*"));
    let mut landscape = with_cluster(vec![app, trusting("pod", &json!({"Service": "pods.eks.amazonaws.com"}), &everything())]);
    let cluster = EksCluster {
        arn: format!("arn:aws:eks:us-east-1:{ACCOUNT}:cluster/k8s").into(),
        authentication_mode: Some(AuthenticationMode::Api),
        access_entries: Some(Vec::new()),
        associations: vec![PodIdentityAssociation {
            arn: format!("arn:aws:eks:us-east-1:{ACCOUNT}:podidentityassociation/k8s/a-1").into(),
            role: role("pod").into(),
        }],
        irsa_roles: Vec::new(),
        node_roles: Vec::new(),
        pod_identity_agent: Tri::True,
    };
    landscape.eks_clusters = vec![cluster];
    assert_eq!(method_of(&landscape, "app"), Some("x-eks-access-entry"));
    landscape.eks_clusters[0].authentication_mode = Some(AuthenticationMode::ConfigMap);
    assert!(path(&landscape, "app").is_none());
}

#[test]
fn an_edge_leads_only_to_somebody_who_holds_more() {
    let app = task_role("app", &json!([allow(&RUN, "*"), allow(&["s3:*"], "*")]));
    let weaker = task_role("weaker", &allow(&["s3:GetObject"], "*"));
    let other = task_role("other", &allow(&["dynamodb:GetItem"], "*"));
    let landscape = with_cluster(vec![app, weaker, other]);
    let to: Vec<String> = Search::new(&landscape).edges(0).iter().map(|edge| edge.to.to_string()).collect();
    assert!(to.contains(&role("other")) && !to.contains(&role("weaker")), "{to:?}");
}

#[test]
fn a_group_or_a_deny_in_the_way_is_no_obstacle_to_whoever_may_change_it() {
    let mut landscape = with_cluster(vec![user("dev", &allow(&["iam:AddUserToGroup"], "*"))]);
    landscape.groups.push(Group {
        arn: format!("arn:aws:iam::{ACCOUNT}:group/admins").into(),
        attached: Vec::new(),
        inline: vec![inline(&everything())],
    });
    let found = escalate(&landscape);
    assert_eq!(found.paths[0].edges[0].method.id, "iam-013");

    let mut app = task_role("app", &everything());
    app.attached.push(managed("no-iam", &json!({"Effect": "Deny", "NotAction": "iam:DetachRolePolicy", "Resource": "*"})));
    assert_eq!(method_of(&with_cluster(vec![app]), "app"), Some("x-iam-detach-deny"));
}

#[test]
fn a_certain_path_is_preferred_to_a_shorter_uncertain_one() {
    let app = json!([
        {"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*", "Condition": {"StringEquals": {"sts:ExternalId": "x"}}},
        allow(&RUN, "*"),
    ]);
    let found = path(&with_cluster(vec![task_role("app", &app), task_role("admin", &everything())]), "app").unwrap();
    assert_eq!((found.edges[0].method.id.as_str(), found.certainty(), found.cut.ends_all), ("ecs-004", Certainty::Certain, false));
}

#[test]
fn a_malformed_policy_keeps_its_principal_from_being_assessed() {
    let mut app = task_role("app", &everything());
    app.inline.push(Attached::parse("broken", DocumentKind::Identity, &json!({"Statement": [{"Effect": "Allow"}]})));
    let found = escalate(&with_cluster(vec![app]));
    assert_eq!((found.administrators.len(), found.unassessed.len()), (0, 1));
}

mod at_random {
    //! The search backwards finds whom a search forwards finds.

    use proptest::prelude::*;

    use super::*;

    fn statement() -> impl Strategy<Value = Value> {
        let actions = prop::sample::select(vec![
            "*",
            "iam:PassRole",
            "iam:*",
            "ecs:*",
            "ecs:RunTask",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "sts:AssumeRole",
            "lambda:*",
            "iam:AttachRolePolicy",
            "iam:CreatePolicyVersion",
            "s3:GetObject",
        ]);
        let resources = prop::sample::select(vec!["*".to_owned(), role("r0"), role("r1"), role("r?"), role("r2")]);
        let effect = prop_oneof![5 => Just("Allow"), 1 => Just("Deny")];
        (effect, prop::collection::vec(actions, 1..3), resources)
            .prop_map(|(effect, actions, resource)| json!({"Effect": effect, "Action": actions, "Resource": resource}))
    }

    fn principal(index: usize) -> impl Strategy<Value = Principal> {
        let trusts = prop::sample::select(vec![
            json!({"Service": "ecs-tasks.amazonaws.com"}),
            json!({"Service": "lambda.amazonaws.com"}),
            json!({"AWS": ACCOUNT}),
            json!({"AWS": role("r1")}),
        ]);
        (prop::collection::vec(statement(), 0..3), trusts, prop::option::weighted(0.2, statement())).prop_map(
            move |(statements, trust, boundary)| {
                let mut principal = trusting(&format!("r{index}"), &trust, &json!(statements));
                principal.attached.push(managed(&format!("p{index}"), &allow(&["s3:ListBucket"], "*")));
                principal.boundary = boundary.map(|statement| Attached::parse("edge", DocumentKind::Boundary, &document(&statement)));
                principal
            },
        )
    }

    /// Who can get on to an administrator, by following every step that there is.
    fn forwards(landscape: &Landscape) -> Vec<usize> {
        let search = Search::new(landscape);
        let found = search.run();
        let mut reaching: Vec<usize> = found.administrators.iter().map(|administrator| administrator.principal).collect();
        let edges: Vec<Vec<Edge>> = (0..landscape.principals.len()).map(|at| search.edges(at)).collect();
        loop {
            let next = (0..edges.len()).find(|at| {
                let leads = |edge: &Edge| {
                    edge.gained == Gained::Administrator
                        || (edge.gained == Gained::Principal && reaching.iter().any(|to| landscape.principals[*to].arn() == edge.to))
                };
                !reaching.contains(at) && edges[*at].iter().any(leads)
            });
            match next {
                Some(at) => reaching.push(at),
                None => break,
            }
        }
        reaching.sort_unstable();
        reaching
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn backwards_and_forwards_find_the_same(r0 in principal(0), r1 in principal(1), r2 in principal(2), r3 in principal(3)) {
            let landscape = with_cluster(vec![r0, r1, r2, r3]);
            let found = escalate(&landscape);
            let mut reaching: Vec<usize> = found.administrators.iter().map(|administrator| administrator.principal).collect();
            // A principal that changes its own policies first is found backwards alone.
            let changes = |path: &&Path| path.edges.iter().any(|edge| matches!(edge.gained, Gained::Changed(_)));
            let changed: Vec<usize> = found.paths.iter().filter(changes).map(|path| path.start).collect();
            reaching.extend(found.paths.iter().map(|path| path.start));
            reaching.sort_unstable();
            let expected = forwards(&landscape);
            for at in &reaching {
                prop_assert!(expected.contains(at) || changed.contains(at), "{at} has a path that no steps make: {}", found.paths.iter().map(Path::to_string).collect::<Vec<_>>().join("\n"));
            }
            for at in &expected {
                prop_assert!(reaching.contains(at), "{at} has steps that make no path");
            }
        }
    }
}
