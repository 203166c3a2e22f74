//! Whom from outside a policy lets in. The policy of a resource or of a VPC endpoint flows in; it is evaluated for
//! principals that somebody else makes up in accounts of their own, and for those of other accounts that it names. Who gets
//! in flows out, with what they may do and the statements that let them.
//!
//! What outsiders are allowed at home is taken for granted, and whatever they decide (the names and tags of their roles,
//! what they put into a request) is as the policy wants it. Services that admit callers without credentials are left out:
//! ECR, KMS and Secrets Manager have none.

mod endpoint;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_iam::{
    Attached, Caller, Context, ContextValue, Decision, DocumentKind, Effect, KeyState, Layer, Policies, Request, Vantage, Verdict,
};
use plimsoll_model::aws::ecr::{Registry, Repository};
use plimsoll_model::aws::kms::Key;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::policy::{PolicyDocument, Statement, wildcard_match};
use plimsoll_model::{AccountId, Arn, Gap, Region, Resource};

use crate::permission::parsed;
use crate::{Estate, Node, Standing, Unknown};

/// Somebody from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outsider {
    /// Whoever has an AWS account.
    Everyone,
    /// Whoever belongs to an organization, which is not the own one.
    Organization(String),
    /// An account.
    Account {
        /// Its number.
        number: String,
        /// It was not scanned and may yet be a member of the organization.
        perhaps_member: bool,
    },
}

/// Somebody from outside who gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who.
    pub who: Outsider,
    /// What they may do, of several actions asked for.
    pub actions: Vec<&'static str>,
    /// Whether nothing undecided stands in the way of any of it.
    pub certain: bool,
    /// Names of the statements that let them in.
    pub statements: Vec<String>,
    /// Condition keys that nobody here knows and on which it hangs.
    pub keys: Vec<String>,
}

/// Who gets in from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Those who do, the widest first.
    pub admitted: Vec<Admitted>,
    /// What was not read and would tell of more.
    pub unread: Option<Unknown>,
}

/// Part of a name that nobody gave a resource.
pub const UNNAMED_RESOURCE: &str = "plimsoll-unnamed";
/// The name of a role that an outsider made up.
const STRANGER: &str = "plimsoll-outsider";
/// An organization that is nobody's.
const NO_ORGANIZATION: &str = "o-plimsolloutsider";
/// The most principals of one account that are tried.
const MOST_CALLERS: usize = 64;

/// Keys that say that an AWS service asks by itself, or whom it asks for: not those of an outsider.
const OF_SERVICES: [&str; 6] = [
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
];

/// What outsiders decide in their own accounts, or by the way that they ask.
const DECIDED: [&str; 18] = [
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalType",
    "aws:TokenIssueTime",
    "aws:ViaAWSService",
    "aws:username",
    "kms:EncryptionAlgorithm",
    "kms:EncryptionContextKeys",
    "kms:GrantConstraintType",
    "kms:RetiringPrincipal",
    "kms:ReEncryptOnSameKey",
    "kms:ViaService",
    "secretsmanager:VersionId",
    "secretsmanager:VersionStage",
];

/// A resource with the policy on it.
struct Guarded<'p> {
    account: &'p AccountId,
    arn: &'p str,
    policy: &'p PolicyDocument,
    kind: DocumentKind,
    /// The operation that read the policy.
    operation: &'static str,
    tags: Vec<(&'p str, &'p str)>,
}

/// Whom and what the statements of a policy name.
#[derive(Default)]
struct Named<'p> {
    everyone: bool,
    /// Principals by account.
    principals: BTreeMap<&'p str, BTreeSet<&'p str>>,
    organizations: BTreeSet<&'p str>,
    paths: BTreeSet<&'p str>,
    /// Patterns of `aws:PrincipalArn`.
    patterns: BTreeSet<&'p str>,
}

impl<'p> Named<'p> {
    fn of(statements: &'p [Statement<'_>]) -> Self {
        let mut named = Self::default();
        for statement in statements {
            let values = |wanted: &[&str]| -> Vec<&'p str> {
                let among = |key: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(key));
                let conditions = statement.conditions.iter().filter(|(_, key, _)| among(key));
                conditions.flat_map(|(.., values)| values.iter().map(String::as_str)).collect()
            };
            named.patterns.extend(values(&["aws:PrincipalArn"]));
            named.organizations.extend(values(&["aws:PrincipalOrgID"]));
            named.paths.extend(values(&["aws:PrincipalOrgPaths"]));
            if !statement.allows {
                continue;
            }
            let by_name = statement.principals.iter().flat_map(|principals| principals.aws.iter().map(String::as_str));
            let everyone = statement.principals.as_ref().map_or(statement.not_principal, |principals| principals.everyone);
            let by_key = if everyone { values(&["aws:PrincipalAccount", "kms:CallerAccount", "aws:PrincipalArn"]) } else { Vec::new() };
            named.everyone |= everyone;
            for principal in by_name.chain(by_key) {
                let account = Arn::parse(principal).map_or(principal, |arn| arn.account);
                if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
                    named.principals.entry(account).or_default().insert(principal);
                }
            }
        }
        let of_paths = named.paths.iter().filter_map(|path| path.split('/').next());
        named.organizations.extend(of_paths.filter(|id| !id.is_empty()));
        // What a pattern leaves open is nobody's in particular: everyone's organization will do.
        named.organizations.retain(|id| !id.contains(['*', '?', '$']));
        named
    }
}

/// Ways to ask, of which one suffices.
struct Stranger<'p> {
    account: &'p str,
    callers: Vec<String>,
    organizations: Vec<Option<&'p str>>,
}

/// What the best way led to.
struct Entrance {
    certain: bool,
    statements: Vec<String>,
    keys: Vec<String>,
}

impl Entrance {
    /// How far a decision lets somebody in, by statements of a layer.
    fn by(decision: &Decision, layer: Layer) -> Option<Self> {
        if !decision.verdict.is_possible() {
            return None;
        }
        let allows = decision.statements.iter().filter(|cited| cited.layer == layer && cited.effect == Effect::Allow);
        let keys: BTreeSet<String> = decision.residual.iter().map(|atom| atom.key.to_string()).filter(|key| !key.is_empty()).collect();
        Some(Self {
            certain: decision.verdict == Verdict::Allowed,
            statements: allows.map(|cited| cited.statement.to_string()).collect(),
            keys: keys.into_iter().collect(),
        })
    }
}

impl Estate<'_> {
    /// Who from outside may do any of this to a resource, by its policy.
    fn outsiders(&self, guarded: &Guarded<'_>, actions: &[&'static str]) -> Result<Outside, Unknown> {
        let statements = guarded.policy.statements().map_err(|error| guarded.malformed(&error.to_string()))?;
        let covered = |action: &&&'static str| statements.iter().any(|statement| statement.allows && statement.covers_action(action));
        let actions: Vec<&'static str> = actions.iter().filter(covered).copied().collect();
        let mut outside = Outside::default();
        if actions.is_empty() {
            return Ok(outside);
        }
        let named = Named::of(&statements);
        let attached = parsed(guarded.arn, guarded.kind, Some(guarded.policy));
        let (foreign, unread) = self.foreign(guarded.account, &named);
        outside.unread = unread;
        let nobody = unnamed_account(guarded.policy);
        let open = [None, Some(NO_ORGANIZATION)];
        let mut settled: BTreeSet<&str> = BTreeSet::new();
        if named.everyone {
            let callers = callers(guarded.arn, &nobody, &named);
            let everyone = Stranger { account: &nobody, callers: callers.clone(), organizations: open.to_vec() };
            let asked = |stranger: &Stranger<'_>, who: Outsider, settled: &BTreeSet<&str>| {
                let actions = actions.iter().copied().filter(|action| !settled.contains(action));
                self.admitted(guarded, &attached, &named, stranger, &who, actions)
            };
            if let Some(admitted) = asked(&everyone, Outsider::Everyone, &settled)? {
                // Whoever else is named adds nothing to what certainly everyone may.
                if admitted.certain {
                    settled.extend(&admitted.actions);
                }
                outside.admitted.push(admitted);
            }
            for id in &foreign {
                let members = Stranger { account: &nobody, callers: callers.clone(), organizations: vec![Some(*id)] };
                outside.admitted.extend(asked(&members, Outsider::Organization((*id).to_owned()), &settled)?);
            }
        }
        for (account, principals) in &named.principals {
            let perhaps_member = match self.standing(guarded.account, account) {
                Standing::Inside => continue,
                Standing::Outside => false,
                Standing::PerhapsMember => true,
                Standing::Unread(unknown) => {
                    outside.unread = Some(unknown);
                    continue;
                }
            };
            let mut callers = callers(guarded.arn, account, &named);
            callers.extend(principals.iter().filter(|principal| principal.starts_with("arn:")).map(|principal| (*principal).to_owned()));
            callers.truncate(MOST_CALLERS);
            let organizations = open.into_iter().chain(foreign.iter().map(|id| Some(*id))).collect();
            let stranger = Stranger { account, callers, organizations };
            let who = Outsider::Account { number: (*account).to_owned(), perhaps_member };
            let actions = actions.iter().copied().filter(|action| !settled.contains(action));
            let admitted = self.admitted(guarded, &attached, &named, &stranger, &who, actions)?;
            outside.admitted.extend(admitted.map(|admitted| Admitted { certain: admitted.certain && !perhaps_member, ..admitted }));
        }
        Ok(outside)
    }

    /// The organizations that a policy names and that are not the own one.
    fn foreign<'p>(&self, account: &AccountId, named: &Named<'p>) -> (Vec<&'p str>, Option<Unknown>) {
        let (mut foreign, mut unread) = (Vec::new(), None);
        for id in &named.organizations {
            match self.is_own_organization(account, id) {
                Ok(true) => {}
                Ok(false) => foreign.push(*id),
                Err(unknown) => unread = Some(unknown),
            }
        }
        (foreign, unread)
    }

    fn admitted(
        &self,
        guarded: &Guarded<'_>,
        attached: &Attached,
        named: &Named<'_>,
        stranger: &Stranger<'_>,
        who: &Outsider,
        actions: impl Iterator<Item = &'static str>,
    ) -> Result<Option<Admitted>, Unknown> {
        let controls = self.controls(guarded.account);
        let policies = Policies {
            resource: Some(attached.clone()),
            rcps: controls.rcps.clone(),
            resource_manages: controls.manages,
            unread: vec![Layer::Identity],
            ..Policies::default()
        };
        let mut contexts = Vec::new();
        for caller in &stranger.callers {
            for organization in &stranger.organizations {
                let mut context = self.context_of(caller, stranger.account, *organization, named);
                context.set("aws:ResourceAccount", KeyState::known(guarded.account.as_str()));
                context.set("secretsmanager:SecretId", KeyState::known(guarded.arn));
                if let Some(own) = &controls.organization {
                    context.set("aws:ResourceOrgID", KeyState::known(own));
                }
                for (key, value) in &guarded.tags {
                    context.set(&format!("aws:ResourceTag/{key}"), KeyState::known(value));
                    context.set(&format!("secretsmanager:ResourceTag/{key}"), KeyState::known(value));
                }
                contexts.extend(from_everywhere(context, stranger.account, *organization).into_iter().map(|context| (caller, context)));
            }
        }
        let mut found: Option<Admitted> = None;
        for action in actions {
            let mut best: Option<Entrance> = None;
            for (caller, context) in &contexts {
                let Some(caller) = Caller::parse(caller) else { continue };
                let request = Request {
                    resource_account: Some(guarded.account.as_str().into()),
                    context: context.clone(),
                    ..Request::new(caller, action, guarded.arn)
                };
                let decision = plimsoll_iam::evaluate(&request, &policies).map_err(|error| guarded.malformed(&error.to_string()))?;
                better(&mut best, Entrance::by(&decision, Layer::Resource));
                if best.as_ref().is_some_and(|best| best.certain) {
                    break;
                }
            }
            let Some(entrance) = best else { continue };
            let admitted = found.get_or_insert_with(|| Admitted {
                who: who.clone(),
                actions: Vec::new(),
                certain: false,
                statements: Vec::new(),
                keys: Vec::new(),
            });
            // What is certain is told, and what is not only where nothing is.
            if entrance.certain && !admitted.certain {
                *admitted = Admitted { who: who.clone(), actions: Vec::new(), certain: true, statements: Vec::new(), keys: Vec::new() };
            }
            if entrance.certain == admitted.certain {
                admitted.actions.push(action);
                merge(&mut admitted.statements, entrance.statements);
                merge(&mut admitted.keys, entrance.keys);
            }
        }
        Ok(found)
    }

    /// What is known of a request by somebody from outside, wherever it comes from.
    fn context_of(&self, caller: &str, account: &str, organization: Option<&str>, named: &Named<'_>) -> Context {
        let now = self.inventory().header.finished_at;
        let mut context = Context::open()
            .with("aws:PrincipalArn", KeyState::known(caller))
            .with("aws:PrincipalAccount", KeyState::known(account))
            .with("kms:CallerAccount", KeyState::known(account))
            .with("aws:userid", KeyState::known("AROAPLIMSOLLOUTSIDER:outsider"))
            .with("aws:PrincipalIsAWSService", KeyState::known("false"))
            .with("aws:CurrentTime", KeyState::known(&now.to_string()))
            .with("aws:EpochTime", KeyState::known(&now.as_second().to_string()));
        for key in OF_SERVICES {
            context.set(key, KeyState::Absent);
        }
        for key in DECIDED {
            context.set(key, KeyState::Chosen);
        }
        context.set_family("aws:PrincipalTag/", KeyState::Chosen);
        context.set_family("kms:EncryptionContext:", KeyState::Chosen);
        context.set("aws:PrincipalOrgID", organization.map_or(KeyState::Absent, KeyState::known));
        let paths = organization.map(|id| {
            let below = |path: &&&str| path.split('/').next() == Some(id);
            let named = named.paths.iter().filter(below).map(|path| path.replace(['*', '?'], "x").into());
            KeyState::Known(ContextValue::Many(std::iter::once(format!("{id}/r-x/ou-x-{STRANGER}/").into()).chain(named).collect()))
        });
        context.set("aws:PrincipalOrgPaths", paths.unwrap_or(KeyState::Absent));
        context
    }
}

/// The same request over the internet from an address that no policy means, from a VPC of the outsider's own, and from an
/// address that nobody knows.
fn from_everywhere(context: Context, account: &str, organization: Option<&str>) -> [Context; 3] {
    let endpoint = Some((format!("vpc-{STRANGER}").into(), format!("vpce-{STRANGER}").into()));
    let mut inside = context.clone().from_vantage(&Vantage::Inside { source_ip: None, endpoint, private_ip: None });
    inside.set("aws:VpcSourceIp", KeyState::Chosen);
    inside.set("aws:SourceVpcArn", KeyState::known(&format!("arn:aws:ec2:us-east-1:{account}:vpc/vpc-{STRANGER}")));
    inside.set("aws:VpceAccount", KeyState::known(account));
    inside.set("aws:VpceOrgID", organization.map_or(KeyState::Absent, KeyState::known));
    inside.set("aws:VpceOrgPaths", KeyState::Absent);
    let mut outside = context.from_vantage(&Vantage::Outside);
    for key in ["aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths"] {
        outside.set(key, KeyState::Absent);
    }
    let anywhere = outside.clone().with("aws:SourceIp", KeyState::Unknown);
    [outside, inside, anywhere]
}

/// Principals that the owner of an account might make up to be let in.
fn callers(resource: &str, account: &str, named: &Named<'_>) -> Vec<String> {
    let partition = Arn::parse(resource).map_or("aws", |arn| arn.partition);
    let mut callers = vec![format!("arn:{partition}:iam::{account}:role/{STRANGER}")];
    for pattern in &named.patterns {
        for kind in ["role/", "user/"] {
            let Some((_, name)) = pattern.split_once(kind) else { continue };
            let caller = format!("arn:{partition}:iam::{account}:{kind}{}", name.replace(['*', '?'], "x"));
            if wildcard_match(pattern, &caller) && !callers.contains(&caller) {
                callers.push(caller);
            }
        }
        if callers.len() >= MOST_CALLERS {
            break;
        }
    }
    callers
}

fn better(best: &mut Option<Entrance>, found: Option<Entrance>) {
    let rank =
        |entrance: &Option<Entrance>| entrance.as_ref().map_or((0, 0), |one| (1 + u8::from(one.certain), usize::MAX - one.keys.len()));
    if rank(&found) > rank(best) {
        *best = found;
    }
}

fn merge(into: &mut Vec<String>, from: Vec<String>) {
    for one in from {
        if !into.contains(&one) {
            into.push(one);
        }
    }
}

/// A number that no account named in a policy has.
fn unnamed_account(policy: &PolicyDocument) -> String {
    let text = policy.0.to_string();
    // There are fewer numbers in a text than it is long.
    let free = (0..=text.len()).map(|number| format!("{number:012}")).find(|number| !text.contains(number.as_str()));
    free.unwrap_or_default()
}

impl Guarded<'_> {
    fn malformed(&self, message: &str) -> Unknown {
        let region = Arn::parse(self.arn).map_or("", |arn| arn.region);
        let gap = Gap {
            account: self.account.clone(),
            region: if region.is_empty() { Region::global() } else { Region::new(region) },
            operation: self.operation.to_owned(),
            code: "MalformedPolicyDocument".to_owned(),
            message: message.to_owned(),
            resource: Some(self.arn.to_owned()),
        };
        gap.into()
    }
}

impl Node<'_, Repository> {
    /// Who from outside may do any of this to it, by its policy.
    pub fn outsiders(self, actions: &[&'static str]) -> Result<Outside, Unknown> {
        let Some(policy) = self.data().policy.known()? else { return Ok(Outside::default()) };
        let guarded = Guarded {
            account: self.account(),
            arn: &self.data().repository_arn,
            policy,
            kind: DocumentKind::Unaddressed,
            operation: "ecr:GetRepositoryPolicy",
            tags: Vec::new(),
        };
        self.estate.outsiders(&guarded, actions)
    }
}

impl Node<'_, Registry> {
    /// Who from outside may do any of this to a repository, by the policy of its registry.
    pub fn outsiders(self, repository_arn: &str, actions: &[&'static str]) -> Result<Outside, Unknown> {
        let Some(policy) = self.data().policy.known()? else { return Ok(Outside::default()) };
        let guarded = Guarded {
            account: self.account(),
            arn: repository_arn,
            policy,
            kind: DocumentKind::Resource,
            operation: "ecr:GetRegistryPolicy",
            tags: Vec::new(),
        };
        self.estate.outsiders(&guarded, actions)
    }
}

impl Node<'_, Secret> {
    /// Whether it belongs to another account than the one that refers to it; its policy is for the owner alone to read.
    pub fn is_foreign(self) -> bool {
        Arn::parse(&self.data().arn).is_some_and(|arn| arn.account != self.account().as_str())
    }

    /// Who from outside may do any of this to it, by its policy.
    pub fn outsiders(self, actions: &[&'static str]) -> Result<Outside, Unknown> {
        let Some(policy) = self.data().resource_policy.known()? else { return Ok(Outside::default()) };
        let guarded = Guarded {
            account: self.account(),
            arn: &self.data().arn,
            policy,
            kind: DocumentKind::Resource,
            operation: "secretsmanager:GetResourcePolicy",
            tags: self.data().tags(),
        };
        self.estate.outsiders(&guarded, actions)
    }
}

impl Node<'_, Key> {
    /// Who from outside may do any of this with it, by its policy or a grant.
    pub fn outsiders(self, actions: &[&'static str]) -> Result<Outside, Unknown> {
        let Some(policy) = self.policy_with_grants()? else { return Ok(Outside::default()) };
        let guarded = Guarded {
            account: self.account(),
            arn: &self.data().key_id,
            policy: &policy,
            kind: DocumentKind::Resource,
            operation: "kms:GetKeyPolicy",
            tags: self.data().tags(),
        };
        self.estate.outsiders(&guarded, actions)
    }
}
