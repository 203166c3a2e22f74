//! Reads the security groups of the mount targets of each file system that tasks mount, and the policy of the file system.
//! Yields one verdict per mount target; a failure names the ranges that may connect and what the policy lets pass.

use plimsoll_graph::{Node, Ranges, Source, Sources, Unknown, is_public_range};
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::elasticfilesystem::{FileSystem, MountTarget};
use plimsoll_model::policy::Statement;
use plimsoll_model::{PathStep, ResourceRef, Severity, partition_of};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::ingress::{sources_evidence, sources_listed};
use crate::reading::{each_mounted_file_system, statement_evidence, statement_name, undecided};

pub(crate) const CHECK: Check = Check {
    id: "efs-container-volume-open-to-subnet",
    title: "File system of tasks can be mounted by any host in the network",
    severity: Severity::High,
    resource: "AWS::EFS::MountTarget",
    area: Area::Network,
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
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeMountTargets",
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        "elasticfilesystem:DescribeFileSystemPolicy",
    ],
    // Prefix lists matter to the groups that name one: their verdicts alone are unknown without them.
    shades: &["ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"],
    compliance: &[nist("AC-3"), nist("SC-7")],
    fails_when: "A mount target of a file system used by tasks has a security group with TCP 2049 from a CIDR (VPC range: \
                 medium; 0.0.0.0/0: high) instead of the groups of its services, and the file system policy is absent or \
                 allows Principal \"*\" elasticfilesystem:ClientMount without elasticfilesystem:AccessedViaMountTarget \
                 plus an access point, role or aws:SecureTransport condition.",
    why: "Whoever controls one host in these ranges mounts the file system without credentials and reads and changes \
          what the containers keep there.",
    remediation: Remediation {
        text: "Allow 2049 only from the service security groups and require IAM and TLS in the file system policy.",
        cli: "aws efs put-file-system-policy --file-system-id FS --policy file://policy.json",
    },
    evaluate: |estate, verdicts| each_mounted_file_system(estate, verdicts, each_target),
};

/// The port of NFS.
const NFS: u16 = 2049;
/// What a client must be allowed to mount.
const MOUNT: &str = "elasticfilesystem:ClientMount";
/// The condition key that is true when a client comes through a mount target.
const VIA_MOUNT_TARGET: &str = "elasticfilesystem:AccessedViaMountTarget";
/// The condition key with the access point that a client uses.
const ACCESS_POINT: &str = "elasticfilesystem:AccessPointArn";
/// The condition key that is true when a client speaks TLS.
const SECURE_TRANSPORT: &str = "aws:SecureTransport";
/// Condition keys that only a client with credentials has.
const IDENTITY: &[&str] =
    &["aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:userid", "aws:PrincipalType"];
/// Services that evidence lists.
const SHOWN: usize = 10;

fn each_target<'e>(files: Node<'e, FileSystem>, verdicts: &mut Verdicts<'e>) {
    match files.data().mount_targets.known() {
        Ok(targets) => {
            let door = door(files);
            for target in targets {
                verdicts.judge_reference(reference(files, target), judge(files, target, &door));
            }
        }
        Err(gap) => verdicts.judge(files, Err(gap.into())),
    }
}

fn reference(files: Node<'_, FileSystem>, target: &MountTarget) -> ResourceRef {
    let (account, region, id) = (files.account(), files.region(), &target.mount_target_id);
    ResourceRef {
        arn: format!("arn:{}:elasticfilesystem:{region}:{account}:mount-target/{id}", partition_of(region.as_str())),
        kind: "AWS::EFS::MountTarget".into(),
        account: account.clone(),
        region: region.clone(),
        name: id.clone(),
        // A mount target has no tags of its own.
        tags: files.reference().tags,
    }
}

/// What the policy of a file system says to a client without credentials.
#[derive(Clone)]
enum Door {
    /// There is no policy: whoever connects may mount.
    NoPolicy,
    /// This statement lets everybody mount; by name and as evidence.
    Open(String, Value),
    /// Nobody mounts without credentials, access point or TLS.
    Shut,
}

fn door(files: Node<'_, FileSystem>) -> Result<Door, Unknown> {
    let Some(policy) = files.data().policy.known()? else { return Ok(Door::NoPolicy) };
    let statements = match policy.statements() {
        Ok(statements) => statements,
        Err(error) => {
            let operation = "elasticfilesystem:DescribeFileSystemPolicy";
            return Err(undecided(files, operation, "MalformedPolicyDocument", error.to_string()));
        }
    };
    if statements.iter().any(shuts) {
        return Ok(Door::Shut);
    }
    let guards = statements.iter().fold(Guards::default(), |guards, statement| guards.denied(statement));
    let open = statements.iter().find(|statement| {
        let everybody = statement.principals.as_ref().is_some_and(|principals| principals.everyone) || statement.not_principal;
        statement.allows && everybody && statement.covers_action(MOUNT) && !guards.required(statement).suffice()
    });
    Ok(open.map_or(Door::Shut, |statement| Door::Open(statement_name(statement), statement_evidence(statement))))
}

/// What a client must show beyond its address.
#[derive(Clone, Copy, Default)]
struct Guards {
    via_mount_target: bool,
    /// An access point, a role or TLS.
    proof: bool,
}

impl Guards {
    fn suffice(self) -> bool {
        self.via_mount_target && self.proof
    }

    /// Adds what an Allow asks for.
    fn required(mut self, statement: &Statement<'_>) -> Self {
        let all = |values: Vec<&str>, wanted: fn(&str) -> bool| !values.is_empty() && values.into_iter().all(wanted);
        let is_bool = |operator: &str| operator.eq_ignore_ascii_case("Bool");
        let is_true = |key| all(statement.condition_values(key, is_bool), |value| value == "true");
        let named = |key| all(statement.condition_values(key, asks), |value| value != "*");
        self.via_mount_target |= is_true(VIA_MOUNT_TARGET);
        self.proof |= is_true(SECURE_TRANSPORT) || named(ACCESS_POINT) || IDENTITY.iter().any(|key| named(key));
        self
    }

    /// Adds what a Deny refuses to everybody who lacks it.
    fn denied(mut self, statement: &Statement<'_>) -> Self {
        let to_all = statement.principals.as_ref().is_some_and(|principals| principals.everyone);
        // More conditions than one narrow a Deny.
        if statement.allows || !to_all || !statement.covers_action(MOUNT) || statement.conditions.len() != 1 {
            return self;
        }
        let is_false = |key| {
            let operator = |operator: &str| matches!(operator.to_ascii_lowercase().as_str(), "bool" | "boolifexists");
            statement.condition_values(key, operator).contains(&"false")
        };
        let lacks = |key| !statement.condition_values(key, refuses).is_empty();
        self.via_mount_target |= is_false(VIA_MOUNT_TARGET);
        self.proof |= is_false(SECURE_TRANSPORT) || lacks(ACCESS_POINT) || IDENTITY.iter().any(|key| lacks(key));
        self
    }
}

/// Whether a condition operator asks for a value: one that also holds without the key asks for nothing.
fn asks(operator: &str) -> bool {
    matches!(operator.to_ascii_lowercase().as_str(), "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike")
}

/// Whether a condition operator of a Deny holds for who has another value, or none.
fn refuses(operator: &str) -> bool {
    let plain = operator.to_ascii_lowercase();
    let plain = plain.strip_suffix("ifexists").unwrap_or(&plain);
    matches!(plain, "stringnotequals" | "stringnotequalsignorecase" | "stringnotlike" | "arnnotequals" | "arnnotlike")
}

/// Whether a statement keeps everybody from mounting.
fn shuts(statement: &Statement<'_>) -> bool {
    let to_all = statement.principals.as_ref().is_some_and(|principals| principals.everyone);
    !statement.allows && to_all && statement.conditions.is_empty() && statement.covers_action(MOUNT)
}

fn judge(files: Node<'_, FileSystem>, target: &MountTarget, door: &Result<Door, Unknown>) -> Judgement {
    if matches!(door, Ok(Door::Shut)) {
        return Ok(Verdict::Pass);
    }
    let (mut sources, mut groups) = (Sources::default(), Vec::new());
    for id in target.security_groups.known()? {
        match files.estate().security_group(files.account(), files.region(), id).exists() {
            Ok(Some(group)) => {
                let found = group.sources_of_tcp(NFS);
                if !found.addresses.is_empty() {
                    groups.push(id.as_str());
                }
                sources.extend(found);
            }
            Ok(None) => {}
            Err(unknown) => sources.unread = Some(unknown),
        }
    }
    if !sources.addresses.iter().any(is_network) {
        return sources.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let how = match door.clone()? {
        Door::Shut => return Ok(Verdict::Pass),
        Door::NoPolicy => ("without a file system policy".to_owned(), Value::Null),
        Door::Open(name, statement) => (format!("and statement {name} of the file system policy lets everybody mount"), statement),
    };
    failure(files, target, &sources, &groups, how)
}

/// Whether a source is more than one host.
fn is_network(source: &Source<'_>) -> bool {
    !(source.cidr.ends_with("/32") || source.cidr.ends_with("/128"))
}

fn failure(
    files: Node<'_, FileSystem>,
    target: &MountTarget,
    sources: &Sources<'_>,
    groups: &[&str],
    (policy, statement): (String, Value),
) -> Judgement {
    let own = target.vpc_id.as_deref().and_then(|id| files.estate().vpc(files.account(), files.region(), id).found());
    let own = own.map(Node::<'_, plimsoll_model::aws::ec2::Vpc>::ranges).unwrap_or_default();
    let is_inside = |cidr: &str| !is_public_range(cidr) || own.holds(&[cidr].into_iter().collect::<Ranges>());
    let severity = if sources.addresses.iter().all(|source| is_inside(source.cidr)) { Severity::Medium } else { Severity::High };
    let services: Vec<Node<'_, Service>> =
        files.mounted_by().next().into_iter().flat_map(|definition| definition.services_mounting(&files.data().file_system_id)).collect();
    let shown: Vec<&str> = services.iter().take(SHOWN).map(|service| service.data().service_arn.as_str()).collect();
    let evidence = json!({
        "MountTargetId": target.mount_target_id,
        "FileSystemId": target.file_system_id,
        "SubnetId": target.subnet_id,
        "SecurityGroups": groups,
        "sources": sources_evidence(&sources.addresses),
        "policyStatement": statement,
        "services": shown,
        "serviceCount": services.len(),
    });
    let message = format!(
        "mount target {} of {} takes connections from {}, {policy}",
        target.mount_target_id,
        target.file_system_id,
        sources_listed(&sources.addresses)
    );
    let mut path: Vec<PathStep> = files
        .mounted_by()
        .next()
        .map(|definition| PathStep { arn: definition.data().task_definition_arn.clone(), via: "mounts".to_owned() })
        .into_iter()
        .collect();
    path.push(PathStep { arn: files.arn().into_owned(), via: format!("mount target {}", target.mount_target_id) });
    fail(message, evidence).severity(severity).path(path).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, policy, rule};
    use plimsoll_model::aws::ec2::{IpPermission, SecurityGroup, UserIdGroupPair};
    use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, TaskDefinition, Volume};
    use plimsoll_model::aws::elasticfilesystem::{FileSystem, MountTarget};
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// The shop mounts `fs-1`, whose mount target has group `sg-files` with these rules.
    fn mounted(rules: Vec<IpPermission>) -> Fixture {
        let efs = EfsVolumeConfiguration { file_system_id: "fs-1".to_owned(), ..Default::default() };
        let volume = Volume { name: "files".to_owned(), efs_volume_configuration: Some(efs), ..Default::default() };
        let target = MountTarget {
            mount_target_id: "fsmt-1".to_owned(),
            file_system_id: "fs-1".to_owned(),
            subnet_id: "subnet-a".to_owned(),
            vpc_id: Some("vpc-main".to_owned()),
            security_groups: Seen::Known(vec!["sg-files".to_owned()]),
            ..Default::default()
        };
        fixture()
            .shop()
            .each(move |definition: &mut TaskDefinition| definition.volumes = vec![volume.clone()])
            .security_group("files", |group| group.ip_permissions = rules)
            .file_system("1", |files| files.mount_targets = Seen::Known(vec![target]))
    }

    fn nfs(range: &str) -> Vec<IpPermission> {
        vec![rule("tcp", 2049, range)]
    }

    fn by_policy(statements: Value) -> impl Fn(&mut FileSystem) {
        move |files| files.policy = Seen::Known(Some(policy(json!({"Statement": statements}))))
    }

    #[test]
    fn fails_when_a_range_may_connect_and_there_is_no_policy() {
        assert_eq!(outcome(&CHECK, mounted(nfs("10.0.0.0/16"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, mounted(nfs("10.0.0.0/24"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, mounted(nfs("0.0.0.0/0"))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, mounted(vec![rule("-1", 0, "::/0")])), Fail(Severity::High));
        let found = findings(&CHECK, mounted(nfs("10.0.0.0/16")));
        assert_eq!(found[0].resource.name, "fsmt-1");
        assert_eq!(found[0].message, "mount target fsmt-1 of fs-1 takes connections from 10.0.0.0/16, without a file system policy");
        assert_eq!(found[0].evidence["serviceCount"], 1);
    }

    #[test]
    fn passes_when_only_groups_or_single_hosts_may_connect() {
        let pair = UserIdGroupPair { group_id: Some("sg-web".to_owned()), ..Default::default() };
        let by_group = IpPermission { ip_ranges: Vec::new(), user_id_group_pairs: vec![pair], ..rule("tcp", 2049, "10.0.0.0/16") };
        assert_eq!(outcome(&CHECK, mounted(vec![by_group])), Pass);
        assert_eq!(outcome(&CHECK, mounted(nfs("10.0.0.7/32"))), Pass);
        assert_eq!(outcome(&CHECK, mounted(vec![rule("tcp", 443, "0.0.0.0/0")])), Pass);
    }

    #[test]
    fn a_policy_counts_when_it_asks_everybody_for_more_than_an_address() {
        let verdict = |statements: Value| outcome(&CHECK, mounted(nfs("10.0.0.0/16")).each(by_policy(statements)));
        let allow = |condition: Value| json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:Client*", "Condition": condition});
        let via = json!({"elasticfilesystem:AccessedViaMountTarget": "true"});
        let tls = json!({"elasticfilesystem:AccessedViaMountTarget": "true", "aws:SecureTransport": "true"});
        assert_eq!(verdict(json!([allow(json!({}))])), Fail(Severity::Medium));
        assert_eq!(verdict(json!([allow(json!({"Bool": via}))])), Fail(Severity::Medium));
        assert_eq!(verdict(json!([allow(json!({"Bool": {"aws:SecureTransport": "true"}}))])), Fail(Severity::Medium));
        assert_eq!(verdict(json!([allow(json!({"Bool": tls}))])), Pass);
        let point = json!({"Bool": via, "StringEquals": {"elasticfilesystem:AccessPointArn": "arn:aws:elasticfilesystem:us-east-1:111111111111:access-point/fsap-1"}});
        assert_eq!(verdict(json!([allow(point)])), Pass);
        let role = |operator: &str| json!({"Bool": via, operator: {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/web-task"}});
        assert_eq!(verdict(json!([allow(role("ArnEquals"))])), Pass);
        assert_eq!(verdict(json!([allow(role("ArnEqualsIfExists"))])), Fail(Severity::Medium));
        let deny = |condition: Value| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*", "Condition": condition});
        assert_eq!(verdict(json!([allow(json!({"Bool": via})), deny(json!({"Bool": {"aws:SecureTransport": "false"}}))])), Pass);
        let named = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/web-task"}, "Action": "*"}]);
        assert_eq!(verdict(named), Pass);
    }

    #[test]
    fn says_nothing_of_file_systems_that_no_task_mounts() {
        assert_eq!(outcome(&CHECK, fixture().shop().file_system("2", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_targets_or_policy_were_not_readable() {
        let unread = |operation| {
            mounted(nfs("10.0.0.0/16")).each(move |files: &mut FileSystem| match operation {
                "elasticfilesystem:DescribeFileSystemPolicy" => files.policy = gap(operation).into(),
                _ => files.mount_targets = gap(operation).into(),
            })
        };
        assert_eq!(outcome(&CHECK, unread("elasticfilesystem:DescribeFileSystemPolicy")), Unknown);
        assert_eq!(outcome(&CHECK, unread("elasticfilesystem:DescribeMountTargets")), Unknown);
        let malformed = |files: &mut FileSystem| files.policy = Seen::Known(Some(PolicyDocument::from_text("{oops")));
        assert_eq!(outcome(&CHECK, mounted(nfs("10.0.0.0/16")).each(malformed)), Unknown);
        assert_eq!(outcome(&CHECK, mounted(Vec::new()).each(malformed)), Pass);
        assert_eq!(outcome(&CHECK, mounted(Vec::new()).without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
    }
}
