//! Reads the clusters of each account, the service control policies over it and the policies of its principals. Yields one
//! verdict per account in which a cluster has a customer managed storage key; a failure names who may make clusters
//! without one.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Leave, Member, Node, UNNAMED_RESOURCE, Unknown};
use plimsoll_iam::KeyState;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::organizations::Policy;
use plimsoll_model::{AccountId, Gap, Region, Resource, ResourceRef, Severity, partition_of};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "iam-fargate-cmk-not-enforced",
    title: "No policy forces clusters to use a customer managed storage key",
    severity: Severity::Low,
    resource: "AWS::Organizations::Policy",
    area: Area::TaggingGovernance,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "iam:GetAccountAuthorizationDetails",
        "organizations:ListPoliciesForTarget",
        "organizations:DescribePolicy",
        "organizations:ListParents",
        "organizations:DescribeOrganization",
    ],
    // Where IAM alone does not enforce the key, an account is unknown by itself.
    shades: &[
        "organizations:ListPoliciesForTarget",
        "organizations:DescribePolicy",
        "organizations:ListParents",
        "organizations:DescribeOrganization",
    ],
    compliance: &[nist("CM-6"), nist("SC-12")],
    fails_when: "At least one cluster uses fargateEphemeralStorageKmsKeyId (or the configuration demands it) and there is \
                 neither an SCP on the account path with Deny on ecs:CreateCluster and ecs:UpdateCluster conditioned on \
                 ecs:fargate-ephemeral-storage-kms-key (Null true or StringNotEquals), nor the same condition on the \
                 Allow statements of every non-admin principal that may call them.",
    why: "The next cluster that somebody makes without the key keeps its tasks' data under one that the owner of the data cannot \
          disable.",
    remediation: Remediation {
        text: "Attach an SCP that denies cluster creation without the approved key.",
        cli: "aws organizations create-policy --type SERVICE_CONTROL_POLICY --name ecs-fargate-cmk --description \
             \"require CMK\" --content file://scp.json",
    },
    evaluate,
};

const KEY: &str = "ecs:fargate-ephemeral-storage-kms-key";
const ACTIONS: [&str; 2] = ["ecs:CreateCluster", "ecs:UpdateCluster"];
/// A request that names no key.
const WITHOUT: [(&str, KeyState); 1] = [(KEY, KeyState::Absent)];
/// Of evidence.
const SHOWN: usize = 20;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut accounts: BTreeMap<&AccountId, Vec<Node<'e, Cluster>>> = BTreeMap::new();
    for cluster in estate.active_clusters() {
        accounts.entry(cluster.account()).or_default().push(cluster);
    }
    let demanded = estate.thresholds().require_customer_managed_keys;
    for (account, clusters) in accounts {
        let with_key: Vec<Node<'e, Cluster>> =
            clusters.iter().copied().filter(|cluster| cluster.ephemeral_storage_key_reference().is_some()).collect();
        let Some(first) = with_key.first().or_else(|| clusters.first().filter(|_| demanded)) else { continue };
        verdicts.judge_reference(policies_of(account), judge(estate, account, *first, &with_key));
    }
}

/// The service control policies over an account, as one resource.
fn policies_of(account: &AccountId) -> ResourceRef {
    ResourceRef {
        arn: format!("arn:aws:organizations::{account}:policy/service_control_policy"),
        kind: Policy::TYPE.into(),
        account: account.clone(),
        region: Region::global(),
        name: format!("service control policies of {account}"),
        tags: BTreeMap::new(),
    }
}

fn judge(estate: &Estate<'_>, account: &AccountId, cluster: Node<'_, Cluster>, with_key: &[Node<'_, Cluster>]) -> Judgement {
    let region = cluster.region().as_str();
    let resource = format!("arn:{}:ecs:{region}:{account}:cluster/{UNNAMED_RESOURCE}", partition_of(region));
    let by_organization: Option<Vec<Leave>> =
        ACTIONS.iter().map(|action| estate.organization_leaves(account, action, &resource, &WITHOUT)).collect();
    if by_organization.as_ref().is_some_and(|leaves| leaves.iter().all(|leave| *leave == Leave::None)) {
        return Ok(Verdict::Pass);
    }
    let (mut free, mut unread): (Vec<(Member<'_>, bool)>, Option<Unknown>) = (Vec::new(), None);
    for member in estate.members().filter(|member| member.principal().account() == account) {
        match member.is_administrator() {
            Ok(true) => continue,
            Ok(false) => {}
            Err(unknown) => {
                unread = Some(unknown);
                continue;
            }
        }
        let mut may = Leave::None;
        for action in ACTIONS.iter().filter(|action| member.is_granted(action)) {
            match member.may(action, &resource, &WITHOUT)? {
                Leave::Certain => may = Leave::Certain,
                conditional @ Leave::On(_) if may == Leave::None => may = conditional,
                _ => {}
            }
        }
        if may.is_some() {
            free.push((member, may == Leave::Certain));
        }
    }
    if free.is_empty() {
        return unread.map_or(Ok(Verdict::Pass), Err);
    }
    // What was not read of the organization may yet forbid it.
    if by_organization.is_none() {
        let gap = Gap {
            account: account.clone(),
            region: Region::global(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: format!(
                "IAM policies of account {account} do not enforce {KEY}, and its service control policies were not read \
                 ({})",
                Policy::OPERATION
            ),
            ..Gap::not_collected(Policy::OPERATION)
        };
        return Err(gap.into());
    }
    let certain = free.iter().any(|(_, certain)| *certain);
    let names: Vec<&str> = free.iter().map(|(member, _)| member.principal().name()).collect();
    let clusters: Vec<&str> = with_key.iter().take(SHOWN).map(|cluster| cluster.data().cluster_arn.as_str()).collect();
    let principals: Vec<&str> = free.iter().take(SHOWN).map(|(member, _)| member.principal().arn()).collect();
    let evidence = json!({
        "clusters": clusters,
        "conditionKey": KEY,
        "actions": ACTIONS,
        "principals": principals,
        "principalCount": free.len(),
        "serviceControlPoliciesDeny": false,
    });
    let mut message = format!("in account {account} {} may make or change clusters without {KEY}", listed(&names));
    if !certain {
        message.push_str(", as far as other conditions of their policies allow");
    }
    let failure = fail(message, evidence);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, key_arn, policy};
    use plimsoll_model::aws::ecs::{Cluster, ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::aws::iam::{PolicyDetail, Role};
    use plimsoll_model::aws::organizations::{Account, Attachment, Organization, Parent, Policy};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn with_key(cluster: &mut Cluster) {
        let storage = ManagedStorageConfiguration {
            fargate_ephemeral_storage_kms_key_id: Some(key_arn("k1")),
            ..ManagedStorageConfiguration::default()
        };
        cluster.configuration =
            Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..ClusterConfiguration::default() });
    }

    fn document(statements: &[Value]) -> plimsoll_model::policy::PolicyDocument {
        policy(json!({"Version": "2012-10-17", "Statement": statements}))
    }

    /// An account of no organization with a cluster under a key, and a role that may do this.
    fn role(statements: &[Value]) -> Fixture {
        let detail = PolicyDetail { policy_name: "deploy".to_owned(), policy_document: Some(document(statements)) };
        let account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        fixture().resource(account).cluster("shop", with_key).role("deploy", move |role: &mut Role| role.role_policy_list = vec![detail])
    }

    fn create(condition: &Value) -> Value {
        json!({"Effect": "Allow", "Action": ["ecs:CreateCluster", "ecs:UpdateCluster"], "Resource": "*", "Condition": condition})
    }

    #[test]
    fn fails_when_somebody_may_make_clusters_without_the_key() {
        let found = findings(&CHECK, role(&[create(&json!({}))]));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::Low, Confidence::Certain));
        assert!(found[0].message.contains("deploy may make or change clusters"), "{}", found[0].message);
    }

    #[test]
    fn passes_when_iam_demands_the_key_of_everyone() {
        for condition in [
            json!({"Null": {"ecs:fargate-ephemeral-storage-kms-key": "false"}}),
            json!({"StringEquals": {"ecs:fargate-ephemeral-storage-kms-key": key_arn("k1")}}),
        ] {
            assert_eq!(outcome(&CHECK, role(&[create(&condition)])), Pass, "{condition}");
        }
        let deny = json!({"Effect": "Deny", "Action": "ecs:*Cluster", "Resource": "*",
            "Condition": {"StringNotEquals": {"ecs:fargate-ephemeral-storage-kms-key": key_arn("k1")}}});
        assert_eq!(outcome(&CHECK, role(&[create(&json!({})), deny])), Pass);
        assert_eq!(outcome(&CHECK, role(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})])), Pass);
        assert_eq!(outcome(&CHECK, role(&[])), Pass);
    }

    /// The same in an organization with a policy over the account.
    fn member(content: Seen<plimsoll_model::policy::PolicyDocument>) -> Fixture {
        let attachment = |target: &str, policy: &str| Attachment {
            target_id: target.to_owned(),
            policy_id: policy.to_owned(),
            kind: "SERVICE_CONTROL_POLICY".to_owned(),
        };
        let control =
            |id: &str, content| Policy { id: id.to_owned(), arn: id.to_owned(), name: id.to_owned(), content, ..Policy::default() };
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let account = role(&[create(&json!({}))]).each(move |account: &mut Account| {
            account.organization = Seen::Known(Some(Organization { id: "o-1".to_owned(), ..Organization::default() }));
            account.parents = Seen::Known(vec![Parent { id: "r-1".to_owned(), kind: "ROOT".to_owned() }]);
            account.policies = Seen::Known(vec![attachment("r-1", "all"), attachment(ACCOUNT, "all"), attachment(ACCOUNT, "cmk")]);
        });
        account.global_resource(control("all", Seen::Known(document(&[all])))).global_resource(control("cmk", content))
    }

    #[test]
    fn passes_when_the_organization_demands_the_key() {
        let deny = |actions: Value| json!({"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": {"Null": {"ecs:fargate-ephemeral-storage-kms-key": "true"}}});
        assert_eq!(outcome(&CHECK, member(Seen::Known(document(&[deny(json!(["ecs:CreateCluster", "ecs:UpdateCluster"]))])))), Pass);
        assert_eq!(outcome(&CHECK, member(Seen::Known(document(&[deny(json!("ecs:CreateCluster"))])))), Fail(Severity::Low));
    }

    #[test]
    fn policies_of_the_organization_that_were_not_read_leave_open_what_iam_does_not_enforce() {
        let unread = || member(gap("organizations:DescribePolicy").into());
        assert_eq!(outcome(&CHECK, unread()), Unknown);
        assert_eq!(outcome(&CHECK, unread().without::<Role>()), Pass);
    }

    #[test]
    fn applies_where_a_cluster_has_a_key_or_the_configuration_demands_one() {
        let without = || role(&[create(&json!({}))]).each(|cluster: &mut Cluster| cluster.configuration = None);
        assert_eq!(outcome(&CHECK, without()), NotApplicable);
        assert_eq!(
            outcome(&CHECK, without().thresholds(|thresholds| thresholds.require_customer_managed_keys = true)),
            Fail(Severity::Low)
        );
    }

    #[test]
    fn is_unknown_when_clusters_or_principals_were_not_readable() {
        assert_eq!(outcome(&CHECK, role(&[]).denied("iam:GetAccountAuthorizationDetails")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:ListClusters")), Unknown);
        let torn = |role: &mut Role| role.role_policy_list = vec![PolicyDetail { policy_name: "torn".to_owned(), policy_document: None }];
        assert_eq!(outcome(&CHECK, role(&[]).each(torn)), Unknown);
    }
}
