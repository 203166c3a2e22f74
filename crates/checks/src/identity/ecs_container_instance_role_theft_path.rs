//! Reads, for each container instance with several tasks, which of them get out of their containers, to the role of the host
//! or to the host itself, and what the roles of their neighbours may do that theirs may not. Yields one verdict per container
//! instance; a failure tells the thief, its way out, and whom it robs.

use plimsoll_graph::{Advantage, Advantages, Certainty, Estate, Link, MetadataAccess, Node, Principal, Unknown};
use plimsoll_model::aws::ecs::{ContainerInstance, Task};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::{LaunchKind, PathStep, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::escape::{Escape, escapes};
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-role-theft-path",
    title: "Task on a shared host can steal the role of a more privileged neighbour",
    severity: Severity::High,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeContainerInstances",
        "ecs:ListContainerInstances",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeImages",
        "iam:GetAccountAuthorizationDetails",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
        "kms:GetKeyPolicy",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeVpcBlockPublicAccessOptions",
    ],
    // A host is unknown by itself where what was not read of it decides; the network only tells who is reached.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeImages",
        "secretsmanager:ListSecrets",
        "kms:GetKeyPolicy",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeVpcBlockPublicAccessOptions",
    ],
    compliance: &[nist("AC-6"), nist("SC-39?"), nist("SC-7")],
    fails_when: "On one container instance run task A that can reach the instance role (ecs-task-imds-reachable) or the \
                 host (escape condition), and task B whose task or execution role grants something A lacks: ADMIN, \
                 CAN-ESCALATE, secret read or kms:Decrypt. With the instance role (ecs:Poll, ecs:DiscoverPollEndpoint) A \
                 can pose as the agent and receive credentials of B (the ECScape technique). Critical when A is \
                 internet-exposed.",
    why: "The agent hands each task its credentials: whoever speaks for it, with the role of the host or as root there, is \
          handed those of every task beside its own, and one broken container opens all that its neighbours may.",
    remediation: Remediation {
        text: "Block IMDS for tasks, or place privileged services on their own capacity provider or on Fargate.",
        cli: "aws ecs put-cluster-capacity-providers --cluster CLUSTER --capacity-providers CP_SENSITIVE CP_GENERAL \
             --default-capacity-provider-strategy capacityProvider=CP_GENERAL,weight=1",
    },
    evaluate,
};

/// Neighbours and thieves that evidence names.
const SHOWN: usize = 10;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut advantages = Advantages::new(estate);
    for host in estate.all::<ContainerInstance>() {
        verdicts.judge(host, judge(host, &mut advantages));
    }
}

/// The roles of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Roles<'e> {
    task: Option<Node<'e, Role>>,
    execution: Option<Node<'e, Role>>,
}

impl<'e> Roles<'e> {
    fn of(task: Node<'e, Task>) -> Result<Self, Unknown> {
        let definition = task.task_definition().known()?;
        let taken = |role: Option<Link<'e, Role>>| role.map_or(Ok(None), Link::exists);
        let over = task.data().overrides.as_ref().and_then(|overrides| overrides.execution_role_arn.as_deref());
        let execution = over.map(|role| task.estate().role(task.account(), role));
        Ok(Self {
            task: taken(task.task_role_override().or_else(|| definition.task_role()))?,
            execution: taken(execution.or_else(|| definition.execution_role()))?,
        })
    }

    fn each(self) -> impl Iterator<Item = Principal<'e>> {
        [self.task, self.execution].into_iter().flatten().map(Principal::Role)
    }
}

/// How a task gets out.
enum WayOut<'e> {
    /// To the metadata service, and with the role of the host to the part of the agent.
    Metadata(MetadataAccess<'e>, Node<'e, Role>, Certainty),
    /// To the host.
    Escape(Escape<'e>),
}

impl WayOut<'_> {
    fn certainty(&self) -> Certainty {
        match self {
            Self::Metadata(_, _, certainty) => *certainty,
            Self::Escape(escape) if escape.is_certain => Certainty::Certain,
            Self::Escape(_) => Certainty::Conditional,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Metadata(_, role, _) => {
                format!("takes role {} of the host from its metadata service and speaks for its agent", role.name())
            }
            Self::Escape(escape) => format!("gets out to the host, as container {} {}", escape.container, escape.how),
        }
    }

    fn evidence(&self) -> Value {
        match self {
            Self::Metadata(access, role, _) => json!({"instanceRole": role.data().arn, "way": format!("{:?}", access.way)}),
            Self::Escape(escape) => json!({"container": escape.container, "escape": escape.how}),
        }
    }
}

/// The surest way out of a task.
fn way_out(task: Node<'_, Task>) -> Result<Option<WayOut<'_>>, Unknown> {
    let mut escapes = escapes(task.task_definition().known()?);
    escapes.sort_by_key(|escape| !escape.is_certain);
    match escapes.into_iter().next() {
        Some(escape) if escape.is_certain => Ok(Some(WayOut::Escape(escape))),
        other => Ok(as_agent(task)?.or(other.map(WayOut::Escape))),
    }
}

/// The way over the role of the host, if that may speak for the agent.
fn as_agent(task: Node<'_, Task>) -> Result<Option<WayOut<'_>>, Unknown> {
    let Some(access) = task.reaches_instance_metadata()? else { return Ok(None) };
    let Some(role) = access.instance.role() else { return Ok(None) };
    let Some(role) = role.exists()? else { return Ok(None) };
    let host = access.host.data();
    let speaks = Principal::Role(role).impersonates_agent(&host.container_instance_arn, &host.cluster_arn)?;
    Ok(speaks.map(|certainty| WayOut::Metadata(access, role, certainty)))
}

/// A neighbour whose role is worth stealing.
struct Victim<'e> {
    task: Node<'e, Task>,
    role: Principal<'e>,
    advantage: Advantage,
}

impl Victim<'_> {
    /// What the role is or may, after its name.
    fn told(&self) -> String {
        match &self.advantage {
            Advantage::Administrator(_) => "is an administrator".to_owned(),
            Advantage::Escalates(_) => "can become an administrator".to_owned(),
            Advantage::Request { action, resource, .. } => format!("may {action} on {resource}"),
        }
    }
}

fn judge<'e>(host: Node<'e, ContainerInstance>, advantages: &mut Advantages<'e>) -> Judgement {
    let counts = matches!(host.status.as_str(), "ACTIVE" | "DRAINING") && host.kind() == LaunchKind::Ec2;
    if !counts || !host.is_run_by_customer()? {
        return Ok(Verdict::NotApplicable);
    }
    let tasks: Vec<Node<'_, Task>> = host.tasks().filter(|task| task.is_running()).collect();
    if tasks.len() < 2 {
        return Ok(Verdict::NotApplicable);
    }
    let mut open: Option<Unknown> = None;
    let mut known: Vec<(Node<'_, Task>, Roles<'_>)> = Vec::new();
    for task in tasks.iter().copied() {
        match Roles::of(task) {
            Ok(roles) => known.push((task, roles)),
            Err(unknown) => open = open.or(Some(unknown)),
        }
    }
    if open.is_none() && known.windows(2).all(|pair| matches!(pair, [(_, one), (_, other)] if one == other)) {
        return Ok(Verdict::NotApplicable);
    }
    let mut thieves: Vec<(Severity, Node<'_, Task>, Roles<'_>, WayOut<'_>)> = Vec::new();
    for (task, roles) in known.iter().copied() {
        match way_out(task) {
            Ok(Some(way)) => thieves.push((severity_by(task), task, roles, way)),
            Ok(None) => {}
            Err(unknown) => open = open.or(Some(unknown)),
        }
    }
    thieves.sort_by_key(|(severity, _, _, way)| (std::cmp::Reverse(*severity), way.certainty()));
    for (severity, thief, own, way) in &thieves {
        let own_roles: Vec<Principal<'_>> = own.each().collect();
        let mut victims: Vec<Victim<'_>> = Vec::new();
        for (task, roles) in known.iter().filter(|(task, _)| task != thief) {
            for role in roles.each().filter(|role| !own_roles.contains(role)) {
                match advantages.of(role, &own_roles) {
                    Ok(Some(advantage)) => victims.push(Victim { task: *task, role, advantage }),
                    Ok(None) => {}
                    Err(unknown) => open = open.or(Some(unknown)),
                }
            }
        }
        victims.sort_by_key(|victim| (victim.advantage.certainty(), !matches!(victim.advantage, Advantage::Administrator(_))));
        if let Some(first) = victims.first() {
            let others: Vec<Node<'_, Task>> = thieves.iter().map(|(_, task, ..)| *task).filter(|task| task != thief).collect();
            return failed(host, *thief, way, first, &victims, &others, *severity);
        }
    }
    open.map_or(Ok(Verdict::Pass), Err)
}

/// The severity of a theft by this task: critical where the internet reaches it.
fn severity_by(thief: Node<'_, Task>) -> Severity {
    if thief.is_internet_reachable() == Some(true) { Severity::Critical } else { CHECK.severity }
}

fn failed(
    host: Node<'_, ContainerInstance>,
    thief: Node<'_, Task>,
    way: &WayOut<'_>,
    first: &Victim<'_>,
    victims: &[Victim<'_>],
    others: &[Node<'_, Task>],
    severity: Severity,
) -> Judgement {
    let mut robbed: Vec<&str> = victims.iter().map(|victim| victim.role.name()).collect();
    robbed.sort_unstable();
    robbed.dedup();
    let unsure = way.certainty().max(first.advantage.certainty()) == Certainty::Conditional;
    let doubt = if unsure { "; conditions on the way were not verified" } else { "" };
    let message = format!(
        "on {} task {} {} and is handed the credentials of {}; {} {}{doubt}",
        host.data().ec2_instance_id.as_deref().unwrap_or_default(),
        thief.name(),
        way.told(),
        listed(&robbed),
        first.role.name(),
        first.told(),
    );
    let neighbours: Vec<Value> = victims
        .iter()
        .take(SHOWN)
        .map(|victim| {
            let mut told = json!({"taskArn": victim.task.data().task_arn, "roleArn": victim.role.arn(), "right": victim.told()});
            if let (Value::Object(told), Advantage::Request { action, resource, .. }) = (&mut told, &victim.advantage) {
                told.insert("permission".to_owned(), json!({"action": action, "resource": resource}));
            }
            told
        })
        .collect();
    let evidence = json!({
        "containerInstanceArn": host.data().container_instance_arn,
        "ec2InstanceId": host.data().ec2_instance_id,
        "thief": {"taskArn": thief.data().task_arn, "taskDefinitionArn": thief.data().task_definition_arn, "way": way.evidence()},
        "neighbours": neighbours,
        "neighbourCount": victims.len(),
        "otherThieves": others.iter().take(SHOWN).map(|task| task.data().task_arn.as_str()).collect::<Vec<_>>(),
    });
    let step = |arn: &str, via: &str| PathStep { arn: arn.to_owned(), via: via.to_owned() };
    let path = vec![
        step(&thief.data().task_arn, "gets out to"),
        step(&host.data().container_instance_arn, "runs"),
        step(&first.task.data().task_arn, "runs as"),
        step(first.role.arn(), "is taken"),
    ];
    let failure = fail(message, evidence).severity(severity).path(path);
    if unsure { failure.possible().verdict() } else { failure.verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, arn, fixture, key_arn, policy, role_arn};
    use plimsoll_model::aws::ec2::{IamInstanceProfile, Instance, InstanceNetworkInterface, NetworkInterfaceAttachment};
    use plimsoll_model::aws::ecs::{ContainerInstance, Task, TaskDefinition};
    use plimsoll_model::aws::iam::{InstanceProfile, InstanceProfileRole, PolicyDetail, Role};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Finding, Region, Seen, Severity, Status};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn inline(statement: &Value) -> Vec<PolicyDetail> {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statement}));
        vec![PolicyDetail { policy_name: "own".to_owned(), policy_document: Some(document) }]
    }

    fn allow(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn placed(task: &mut Task) {
        task.launch_type = Some("EC2".to_owned());
        task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
        task.attachments.clear();
    }

    /// On host `h1`, whose role speaks for the agent: task `t1` of `web` in a network mode, and task `t2` of `bank`, which may do
    /// this.
    fn host(mode: &'static str, bank: &Value) -> Fixture {
        let profile = InstanceProfile {
            arn: arn("iam", "instance-profile/hosts"),
            roles: vec![InstanceProfileRole { arn: role_arn("hosts"), role_name: "hosts".to_owned() }],
            ..Default::default()
        };
        let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(None), ..Default::default() };
        let definition = |mode: &'static str, role: &'static str| {
            move |definition: &mut TaskDefinition| {
                definition.network_mode = Some(mode.to_owned());
                definition.task_role_arn = Some(role_arn(role));
                definition.execution_role_arn = Some(role_arn("execution"));
            }
        };
        fixture()
            .global_resource(account)
            .cluster("shop", |_| {})
            .role("execution", |_| {})
            .role("web", |_| {})
            .role("bank", |role| role.role_policy_list = inline(bank))
            .role("hosts", |role| {
                role.role_policy_list =
                    inline(&json!({"Effect": "Allow", "Action": ["ecs:Poll", "ecs:DiscoverPollEndpoint"], "Resource": "*"}));
            })
            .with(|inventory| {
                let account = inventory.roles[0].account.clone();
                inventory.push(&account, &Region::global(), profile);
            })
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| {
                instance.iam_instance_profile = Some(IamInstanceProfile { arn: Some(arn("iam", "instance-profile/hosts")), id: None });
            })
            .ec2_task_definition("web", definition(mode, "web"))
            .ec2_task_definition("bank", definition("awsvpc", "bank"))
            .task("shop", "web", "t1", placed)
            .task("shop", "bank", "t2", placed)
    }

    fn secrets() -> Value {
        allow("secretsmanager:GetSecretValue", "*")
    }

    fn failed(account: Fixture) -> Vec<Finding> {
        findings(&CHECK, account).into_iter().filter(|finding| finding.status == Status::Fail).collect()
    }

    fn definition(family: &'static str, change: fn(&mut TaskDefinition)) -> impl Fn(&mut TaskDefinition) {
        move |definition| {
            if definition.family == family {
                change(definition);
            }
        }
    }

    #[test]
    fn fails_when_a_neighbour_reads_secrets_and_the_host_gives_its_role_away() {
        let found = failed(host("host", &secrets()));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(
            found[0].message,
            "on i-h1 task t1 takes role hosts of the host from its metadata service and speaks for its agent and is handed the \
             credentials of bank; bank may secretsmanager:GetSecretValue on *"
        );
        assert_eq!(found[0].evidence["neighbours"][0]["roleArn"], role_arn("bank"));
        assert_eq!(found[0].evidence["thief"]["taskArn"], arn("ecs", "task/shop/t1"));
        assert_eq!(found[0].path.len(), 4);
    }

    #[test]
    fn fails_for_each_right_that_matters() {
        for right in [allow("*", "*"), allow("iam:PutRolePolicy", &role_arn("bank")), allow("kms:Decrypt", "*")] {
            assert_eq!(outcome(&CHECK, host("host", &right)), Fail(Severity::High), "{right}");
        }
        assert_eq!(outcome(&CHECK, host("host", &allow("s3:GetObject", "*"))), Pass);
        assert_eq!(outcome(&CHECK, host("host", &allow("ssm:GetParameters", "*"))), Pass, "of no parameter is known that it is secret");
        let parameter =
            host("host", &allow("ssm:GetParameters", "*")).parameter("db", |parameter| parameter.kind = "SecureString".to_owned());
        assert_eq!(outcome(&CHECK, parameter), Fail(Severity::High));
    }

    #[test]
    fn a_key_decides_who_decrypts() {
        let locked = |principal: Value| {
            let document = policy(
                json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}]}),
            );
            host("host", &allow("kms:Decrypt", &key_arn("k1"))).key("k1", move |key| key.policy = Seen::Known(Some(document)))
        };
        assert_eq!(outcome(&CHECK, locked(json!({"AWS": ACCOUNT}))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, locked(json!({"AWS": role_arn("other")}))), Pass);
        let named = policy(
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": role_arn("bank")}, "Action": "kms:Decrypt", "Resource": "*"}]}),
        );
        let named = host("host", &allow("s3:GetObject", "*")).key("k1", move |key| key.policy = Seen::Known(Some(named)));
        assert_eq!(outcome(&CHECK, named), Fail(Severity::High));
    }

    #[test]
    fn an_escape_does_it_too() {
        let privileged = definition("web", |definition| definition.container_definitions[0].privileged = Some(true));
        let found = failed(host("awsvpc", &secrets()).each(privileged));
        assert!(found[0].message.contains("gets out to the host, as container app is privileged"), "{}", found[0].message);
        for change in [
            |definition: &mut TaskDefinition| plimsoll_fixture::mounts("/var/run/docker.sock", true)(definition),
            |definition: &mut TaskDefinition| plimsoll_fixture::mounts("/etc", false)(definition),
            |definition: &mut TaskDefinition| {
                definition.pid_mode = Some("host".to_owned());
                definition.container_definitions[0].user = Some("0".to_owned());
            },
        ] {
            assert_eq!(outcome(&CHECK, host("awsvpc", &secrets()).each(definition("web", change))), Fail(Severity::High));
        }
        let read_only = definition("web", |definition| plimsoll_fixture::mounts("/etc", true)(definition));
        assert_eq!(outcome(&CHECK, host("awsvpc", &secrets()).each(read_only)), Pass);
        let user = definition("web", |definition| {
            definition.pid_mode = Some("host".to_owned());
            definition.container_definitions[0].user = Some("1000".to_owned());
        });
        assert_eq!(outcome(&CHECK, host("awsvpc", &secrets()).each(user)), Pass);
    }

    #[test]
    fn what_the_internet_reaches_is_critical() {
        let account = host("host", &secrets())
            .network()
            .each(|instance: &mut Instance| {
                let attached = InstanceNetworkInterface { network_interface_id: Some("eni-h1".to_owned()), ..Default::default() };
                instance.network_interfaces = vec![attached];
            })
            .security_group("app", |_| {})
            .interface("h1", |interface| {
                interface.attachment = Some(NetworkInterfaceAttachment { instance_id: Some("i-h1".to_owned()), ..Default::default() });
            })
            .facing_internet(8080);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Critical));
    }

    #[test]
    fn passes_when_nobody_gets_out_or_nothing_is_gained() {
        assert_eq!(outcome(&CHECK, host("awsvpc", &secrets())), Pass);
        let same = |role: &mut Role| {
            if role.role_name == "web" {
                role.role_policy_list = inline(&secrets());
            }
        };
        assert_eq!(outcome(&CHECK, host("host", &secrets()).each(same)), Pass);
        let silent = |role: &mut Role| {
            if role.role_name == "hosts" {
                role.role_policy_list.clear();
            }
        };
        assert_eq!(outcome(&CHECK, host("host", &secrets()).each(silent)), Pass, "the role cannot speak for the agent");
    }

    #[test]
    fn does_not_apply_to_one_task_or_one_set_of_roles_or_hosts_of_aws() {
        assert_eq!(
            outcome(
                &CHECK,
                host("host", &secrets()).each(|task: &mut Task| {
                    if task.task_arn.ends_with("t2") {
                        task.last_status = "STOPPED".to_owned();
                    }
                })
            ),
            NotApplicable
        );
        let same = definition("bank", |definition| definition.task_role_arn = Some(role_arn("web")));
        assert_eq!(outcome(&CHECK, host("host", &secrets()).each(same)), NotApplicable);
        let anywhere = |host: &mut ContainerInstance| host.ec2_instance_id = Some("mi-1".to_owned());
        assert_eq!(outcome(&CHECK, host("host", &secrets()).each(anywhere)), NotApplicable);
    }

    #[test]
    fn what_cannot_be_decided_makes_it_possible() {
        let statement = json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}});
        let found = failed(host("host", &statement));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
    }

    #[test]
    fn is_unknown_without_the_host_the_definition_or_the_roles() {
        assert_eq!(outcome(&CHECK, host("host", &secrets()).without::<Instance>().denied("ec2:DescribeInstances")), Unknown);
        assert_eq!(outcome(&CHECK, host("host", &secrets()).without::<TaskDefinition>().denied("ecs:DescribeTaskDefinition")), Unknown);
        assert_eq!(outcome(&CHECK, host("host", &secrets()).without::<Role>().denied("iam:GetAccountAuthorizationDetails")), Unknown);
        assert_eq!(outcome(&CHECK, host("awsvpc", &secrets()).denied("ecs:ListTasks")), Unknown);
    }
}
