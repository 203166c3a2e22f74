//! A session flows in; what its identity may read flows out, found out with one small request for each operation.
//!
//! An operation that is about one resource is asked about one that does not exist: AWS looks at permissions first, so that
//! "there is no such thing" means that the question was allowed. EC2 is asked for a dry run, which answers just that. The
//! first Region is asked everything; policies seldom differ between Regions but for organisations that close some, so each
//! of the others is asked one listing of each service.

#[cfg(test)]
mod tests;

use futures::{StreamExt, stream};
use plimsoll_model::{AccountId, Gap, Region};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation};
use crate::failure::Failure;
use crate::session::Session;
use crate::wire::{Ask, Protocol, Reach, Service};
use crate::{
    acm_pca, autoscaling, cloudtrail, cloudwatch, ecr, eks, elasticfilesystem, elasticloadbalancing, events, guardduty, inspector2, logs,
    network_firewall, organizations, rds, route53resolver, s3, scheduler, secretsmanager, servicediscovery, shield, signer, ssm, wafv2,
};

/// Requests that are prepared at a time; [`Api`] bounds those in flight.
const AT_ONCE: usize = 64;
/// The name of things that do not exist.
const NOBODY: &str = "plimsoll-doctor-asks";
/// A key that does not exist.
const NO_KEY: &str = "00000000-0000-0000-0000-000000000000";

/// What an identity may read.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The account that was asked.
    pub account: AccountId,
    /// Who asked.
    pub caller: String,
    /// The Region that was asked everything.
    pub home: Region,
    /// Every declared operation, asked in the first Region.
    pub operations: Vec<Probe>,
    /// One listing of each service in each other Region.
    pub elsewhere: Vec<Probe>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What was asked.
    pub operation: &'static Operation,
    /// Where.
    pub region: Region,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// AWS answered, if only that there is no such thing.
    Readable,
    /// AWS refused for lack of permission.
    Denied(Failure),
    /// Nobody knows: no answer, a disabled Region, an emulator that does not know the operation.
    Unclear(Failure),
}

const ECS: Service = json_service("ecs", "ECS", "1.1", "AmazonEC2ContainerServiceV20141113");
const KMS: Service = json_service("kms", "KMS", "1.1", "TrentService");
const EC2: Service = query_service("ec2", "EC2", "2016-11-15");
const IAM: Service = Service { reach: Reach::Partition, ..query_service("iam", "IAM", "2010-05-08") };
const STS: Service = query_service("sts", "STS", "2011-06-15");

/// The services, in the order in which they are told.
const SERVICES: &[&Service] = &[
    &STS,
    &ECS,
    &EC2,
    &IAM,
    &KMS,
    &acm_pca::SERVICE,
    &autoscaling::SERVICE,
    &cloudtrail::SERVICE,
    &cloudwatch::SERVICE,
    &ecr::SERVICE,
    &eks::SERVICE,
    &elasticfilesystem::SERVICE,
    &elasticloadbalancing::SERVICE,
    &events::SERVICE,
    &guardduty::SERVICE,
    &inspector2::SERVICE,
    &logs::SERVICE,
    &network_firewall::SERVICE,
    &organizations::SERVICE,
    &rds::SERVICE,
    &route53resolver::SERVICE,
    &s3::SERVICE,
    &scheduler::SERVICE,
    &secretsmanager::SERVICE,
    &servicediscovery::SERVICE,
    &shield::SERVICE,
    &signer::SERVICE,
    &ssm::SERVICE,
    &wafv2::SERVICE,
];

const fn json_service(prefix: &'static str, id: &'static str, version: &'static str, target: &'static str) -> Service {
    Service { protocol: Protocol::Json(version, target), ..query_service(prefix, id, "") }
}

const fn query_service(prefix: &'static str, id: &'static str, version: &'static str) -> Service {
    Service {
        prefix,
        id,
        host: prefix,
        fips_host: prefix,
        signing_name: prefix,
        protocol: Protocol::Query(version),
        reach: Reach::Regional,
    }
}

/// An answer of which only matters that it came.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Anything {}

/// Asks everything in the first Region, and one listing of each service in each other.
pub(crate) async fn examine(session: &Session, account: AccountId, caller: String, apis: &[Api]) -> Examination {
    let image_configs = apis.first().is_none_or(Api::image_configs);
    let settings = crate::Settings { image_configs, ..crate::Settings::default() };
    let operations: Vec<_> = crate::operations().into_iter().filter(|operation| settings.reads(operation)).collect();
    let (home, others) = apis.split_first().map_or((None, apis), |(home, others)| (Some(home), others));
    let everything = home.into_iter().flat_map(|api| operations.iter().map(move |operation| (api, *operation)));
    let listings: Vec<&'static Operation> =
        operations.iter().copied().filter(|operation| LISTINGS.contains(&operation.id().as_str())).collect();
    let elsewhere = others.iter().flat_map(|api| listings.iter().map(move |operation| (api, *operation)));
    let (operations, elsewhere) = futures::join!(probe(session, everything), probe(session, elsewhere));
    let home = home.map_or_else(Region::default, |api| api.region().clone());
    Examination { account, caller, home, operations, elsewhere }
}

/// In every Region that is not the first, this tells of the rest of the service.
const LISTINGS: &[&str] = &[
    "ecs:ListClusters",
    "ec2:DescribeVpcs",
    "kms:ListKeys",
    "cloudtrail:DescribeTrails",
    "ecr:DescribeRepositories",
    "eks:ListClusters",
    "elasticfilesystem:DescribeFileSystems",
    "elasticloadbalancing:DescribeLoadBalancers",
    "events:ListRules",
    "logs:DescribeLogGroups",
    "network-firewall:ListFirewalls",
    "rds:DescribeDBInstances",
    "route53resolver:ListFirewallRuleGroupAssociations",
    "scheduler:ListSchedules",
    "secretsmanager:ListSecrets",
    "servicediscovery:ListNamespaces",
];

async fn probe(session: &Session, asked: impl Iterator<Item = (&Api, &'static Operation)>) -> Vec<Probe> {
    let probes = stream::iter(asked).map(|(api, operation)| async move {
        let region = api.region().clone();
        let answer = match (service(operation), ask(operation, api.account().as_str())) {
            (Some(service), Some(ask)) => {
                let wire = session.wire(service, region.as_str());
                let wire = if ask.for_account { wire.for_account(api.account().as_str()) } else { wire };
                Answer::from(wire.ask::<Anything>(api, operation, ask.ask).await)
            }
            _ => Answer::Unclear(Failure::new(Gap::NOT_COLLECTED, "there is no small request for it")),
        };
        Probe { operation, region, answer }
    });
    probes.buffered(AT_ONCE).collect().await
}

impl From<Result<Anything, Gap>> for Answer {
    fn from(answer: Result<Anything, Gap>) -> Self {
        match answer {
            Err(gap) if gap.is_denied() => Self::Denied(Failure::new(&gap.code, &gap.message)),
            Err(gap) if says_nothing(&gap.code) => Self::Unclear(Failure::new(&gap.code, &gap.message)),
            // A complaint about what was asked comes after the permission, and so does the end of a dry run.
            Ok(Anything {}) | Err(_) => Self::Readable,
        }
    }
}

/// Codes that say nothing of permissions.
fn says_nothing(code: &str) -> bool {
    const OURS: &[&str] = &[
        Failure::CONNECT_ERROR,
        Failure::TIMEOUT,
        Failure::MALFORMED_RESPONSE,
        Failure::CREDENTIALS_ERROR,
        Failure::REFUSED,
        Failure::INVALID_REQUEST,
        Failure::INTERRUPTED,
        Gap::NOT_COLLECTED,
    ];
    const AWS: &[&str] = &[
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InvalidAction",
        "InvalidClientTokenId",
        "NotImplemented",
        "OptInRequired",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "UnknownOperationException",
        "UnrecognizedClientException",
    ];
    OURS.contains(&code) || AWS.contains(&code) || code.starts_with(Failure::HTTP)
}

fn service(operation: &Operation) -> Option<&'static Service> {
    if operation.name == "GetAccountPublicAccessBlock" {
        return Some(&s3::CONTROL);
    }
    SERVICES.iter().copied().find(|service| service.prefix == operation.service)
}

/// A request, and whether its host begins with the account.
struct Question {
    ask: Ask,
    for_account: bool,
}

impl From<Ask> for Question {
    fn from(ask: Ask) -> Self {
        Self { ask, for_account: false }
    }
}

/// The smallest request that AWS takes for this operation.
#[expect(clippy::too_many_lines, reason = "a table, a line or two for each operation")]
fn ask(operation: &Operation, account: &str) -> Option<Question> {
    let members = |members: Value| Some(Question::from(Ask::members(members)));
    let get = |segments: &[&str]| Some(Question::from(Ask::get(segments)));
    let bucket = |subresource: &str| Some(Question::from(Ask::get(&[NOBODY]).query(subresource, "")));
    let trail = format!("arn:aws:cloudtrail:us-east-1:{account}:trail/{NOBODY}");
    let store = format!("arn:aws:cloudtrail:us-east-1:{account}:eventdatastore/{NO_KEY}");
    let balancing = format!("arn:aws:elasticloadbalancing:us-east-1:{account}");
    match (operation.service, operation.name) {
        ("ecs", "DescribeClusters") => members(json!({"clusters": [NOBODY]})),
        ("ecs", "DescribeServices") => members(json!({"cluster": NOBODY, "services": [NOBODY]})),
        ("ecs", "DescribeTasks") => members(json!({"cluster": NOBODY, "tasks": [NO_KEY.replace('-', "")]})),
        ("ecs", "DescribeContainerInstances") => members(json!({"cluster": NOBODY, "containerInstances": [NO_KEY.replace('-', "")]})),
        ("ecs", "DescribeTaskDefinition") => members(json!({"taskDefinition": NOBODY})),
        ("ecs", "DescribeCapacityProviders") => members(json!({"capacityProviders": ["FARGATE"]})),
        ("ecs", "ListServices" | "ListTasks" | "ListContainerInstances") => members(json!({"cluster": NOBODY, "maxResults": 1})),
        ("ecs", _) => members(json!({"maxResults": 1})),
        ("ec2", "GetManagedPrefixListEntries") => members(json!({"DryRun": true, "PrefixListId": "pl-00000000000000000"})),
        ("ec2", "DescribeInstanceAttribute") => {
            members(json!({"DryRun": true, "InstanceId": "i-00000000000000000", "Attribute": "userData"}))
        }
        ("ec2", "DescribeLaunchTemplateVersions") => members(json!({"DryRun": true, "LaunchTemplateId": "lt-00000000000000000"})),
        ("ec2", "DescribeImages") => members(json!({"DryRun": true, "ImageId.1": "ami-00000000000000000"})),
        ("ec2", _) => members(json!({"DryRun": true})),
        ("iam", "GetAccessKeyLastUsed") => members(json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"})),
        ("iam", "ListAccessKeys") => members(json!({"UserName": NOBODY})),
        ("iam", _) => members(json!({"MaxItems": 1})),
        ("kms", "ListAliases" | "ListKeys") => members(json!({"Limit": 1})),
        ("kms", "GetKeyPolicy") => members(json!({"KeyId": NO_KEY, "PolicyName": "default"})),
        ("kms", _) => members(json!({"KeyId": NO_KEY})),
        ("autoscaling", "DescribeInstanceRefreshes") => members(json!({"AutoScalingGroupName": NOBODY, "MaxRecords": 1})),
        ("autoscaling", _) => members(json!({"MaxRecords": 1})),
        ("cloudtrail", "GetTrailStatus") => members(json!({"Name": trail})),
        ("cloudtrail", "GetEventSelectors") => members(json!({"TrailName": trail})),
        ("cloudtrail", "GetEventDataStore") => members(json!({"EventDataStore": store})),
        ("cloudtrail", "DescribeTrails" | "ListEventDataStores") | ("sts" | "shield", _) | ("organizations", "DescribeOrganization") => {
            members(json!({}))
        }
        ("cloudwatch", _) => members(json!({"Namespace": NOBODY, "MetricName": NOBODY})),
        ("ecr", name) => {
            const NO_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
            members(match name {
                "DescribeRepositories" | "DescribePullThroughCacheRules" => json!({"maxResults": 1}),
                "GetRegistryPolicy" | "GetRegistryScanningConfiguration" | "GetSigningConfiguration" => json!({}),
                "BatchGetRepositoryScanningConfiguration" => json!({"repositoryNames": [NOBODY]}),
                "DescribeImages" => json!({"repositoryName": NOBODY, "maxResults": 1}),
                "BatchGetImage" => json!({"repositoryName": NOBODY, "imageIds": [{"imageDigest": NO_DIGEST}]}),
                "GetDownloadUrlForLayer" => json!({"repositoryName": NOBODY, "layerDigest": NO_DIGEST}),
                "ListImageReferrers" => json!({"repositoryName": NOBODY, "subjectId": {"imageDigest": NO_DIGEST}}),
                "DescribeImageScanFindings" | "DescribeImageSigningStatus" => {
                    json!({"repositoryName": NOBODY, "imageId": {"imageDigest": NO_DIGEST}})
                }
                _ => json!({"repositoryName": NOBODY}),
            })
        }
        ("signer", _) => Some(Ask::get(&["signing-profiles"]).query("maxResults", "1").into()),
        ("eks", name) => ask_kubernetes(name, account),
        ("elasticfilesystem", name) => {
            const NO_SYSTEM: &str = "fs-00000000000000000";
            let version = "2015-02-01";
            match name {
                "DescribeFileSystems" => get(&[version, "file-systems"]),
                "DescribeMountTargets" => Some(Ask::get(&[version, "mount-targets"]).query("FileSystemId", NO_SYSTEM).into()),
                "DescribeMountTargetSecurityGroups" => get(&[version, "mount-targets", "fsmt-00000000000000000", "security-groups"]),
                "DescribeAccessPoints" => get(&[version, "access-points"]),
                "DescribeFileSystemPolicy" => get(&[version, "file-systems", NO_SYSTEM, "policy"]),
                _ => None,
            }
        }
        ("acm-pca", _) => {
            members(json!({"CertificateAuthorityArn": format!("arn:aws:acm-pca:us-east-1:{account}:certificate-authority/{NO_KEY}")}))
        }
        ("elasticloadbalancing", "DescribeListeners" | "DescribeLoadBalancerAttributes") => {
            members(json!({"LoadBalancerArn": format!("{balancing}:loadbalancer/app/{NOBODY}/0000000000000000")}))
        }
        ("elasticloadbalancing", "DescribeRules") => {
            members(json!({"ListenerArn": format!("{balancing}:listener/app/{NOBODY}/0000000000000000/0000000000000000")}))
        }
        ("elasticloadbalancing", "DescribeTargetHealth" | "DescribeTargetGroupAttributes") => {
            members(json!({"TargetGroupArn": format!("{balancing}:targetgroup/{NOBODY}/0000000000000000")}))
        }
        ("elasticloadbalancing", "DescribeTags") => {
            members(json!({"ResourceArns": [format!("{balancing}:loadbalancer/app/{NOBODY}/0000000000000000")]}))
        }
        ("elasticloadbalancing", _) => members(json!({"PageSize": 1})),
        ("wafv2", _) => members(json!({"ResourceArn": format!("{balancing}:loadbalancer/app/{NOBODY}/0000000000000000")})),
        ("events", "ListRuleNamesByTarget") => {
            members(json!({"TargetArn": format!("arn:aws:ecs:us-east-1:{account}:cluster/{NOBODY}"), "Limit": 1}))
        }
        ("events", "ListTargetsByRule") => members(json!({"Rule": NOBODY, "Limit": 1})),
        ("events", _) => members(json!({"Limit": 1})),
        ("guardduty", name) => {
            const NO_DETECTOR: &str = "00000000000000000000000000000000";
            let detector = |rest: &[&str], body: Value| {
                let segments: Vec<&str> = ["detector", NO_DETECTOR].iter().chain(rest).copied().collect();
                Some(Question::from(Ask::post(&segments, body)))
            };
            match name {
                "ListDetectors" => Some(Ask::get(&["detector"]).query("maxResults", "1").into()),
                "GetDetector" => get(&["detector", NO_DETECTOR]),
                "ListCoverage" => detector(&["coverage"], json!({"maxResults": 1})),
                "ListFindings" => detector(&["findings"], json!({"maxResults": 1})),
                "GetFindings" => detector(&["findings", "get"], json!({"findingIds": [NO_DETECTOR]})),
                _ => None,
            }
        }
        ("inspector2", "BatchGetAccountStatus") => Some(Ask::post(&["status", "batch", "get"], json!({"accountIds": [account]})).into()),
        ("inspector2", "ListCoverage") => Some(Ask::post(&["coverage", "list"], json!({"maxResults": 1})).into()),
        ("inspector2", "ListFindings") => Some(Ask::post(&["findings", "list"], json!({"maxResults": 1})).into()),
        ("logs", "DescribeLogGroups") => members(json!({"limit": 1})),
        ("logs", _) => members(json!({"logGroupName": NOBODY, "limit": 1})),
        ("network-firewall", "DescribeFirewall") => members(json!({"FirewallName": NOBODY})),
        ("network-firewall" | "route53resolver", "ListFirewalls" | "ListFirewallRuleGroupAssociations")
        | ("route53resolver", "ListResolverQueryLogConfigAssociations")
        | ("secretsmanager", "ListSecrets")
        | ("servicediscovery", "ListNamespaces")
        | ("organizations", "ListAccounts")
        | ("cloudtrail", "LookupEvents")
        | ("ssm", "DescribeParameters") => members(json!({"MaxResults": 1})),
        ("servicediscovery", _) => members(json!({"Id": "srv-0000000000000000"})),
        ("secretsmanager", _) => members(json!({"SecretId": NOBODY})),
        ("organizations", "ListParents") => members(json!({"ChildId": account})),
        ("organizations", "ListPoliciesForTarget") => members(json!({"TargetId": account, "Filter": "SERVICE_CONTROL_POLICY"})),
        ("organizations", "DescribePolicy") => members(json!({"PolicyId": "p-00000000"})),
        ("organizations", "ListTagsForResource") => members(json!({"ResourceId": account})),
        ("organizations", _) => members(json!({"ParentId": "r-0000", "MaxResults": 1})),
        ("rds", _) => members(json!({"MaxRecords": 20})),
        ("s3", "ListBuckets") => Some(Ask::get(&[""]).query("max-buckets", "1").into()),
        ("s3", "GetBucketPolicyStatus") => bucket("policyStatus"),
        ("s3", "GetPublicAccessBlock") => bucket("publicAccessBlock"),
        ("s3", "GetBucketEncryption") => bucket("encryption"),
        ("s3", "GetBucketAcl") => bucket("acl"),
        ("s3", "GetAccountPublicAccessBlock") => Some(Question {
            ask: Ask::get(&["v20180820", "configuration", "publicAccessBlock"]).header("x-amz-account-id", account),
            for_account: true,
        }),
        ("scheduler", "ListSchedules") => Some(Ask::get(&["schedules"]).query("MaxResults", "1").into()),
        ("scheduler", "GetSchedule") => get(&["schedules", NOBODY]),
        ("ssm", "GetParameters") => members(json!({"Names": [plimsoll_model::DEFAULT_HOST_IMAGE]})),
        ("ssm", "DescribeInstanceInformation") => members(json!({"MaxResults": 5})),
        ("ssm", _) => members(json!({"InstanceIds": ["i-00000000000000000"]})),
        _ => None,
    }
}

/// The same for the operations of EKS, all of which but three are about one cluster.
fn ask_kubernetes(operation: &str, account: &str) -> Option<Question> {
    let principal = format!("arn:aws:iam::{account}:role/{NOBODY}");
    let config = || json!({"identityProviderConfig": {"type": "oidc", "name": NOBODY}});
    let path: &[&str] = match operation {
        "ListClusters" => return Some(Ask::get(&["clusters"]).query("maxResults", "1").into()),
        "DescribeClusterVersions" => return Some(Ask::get(&["cluster-versions"]).query("maxResults", "1").into()),
        "DescribeAddonVersions" => return Some(Ask::get(&["addons", "supported-versions"]).query("maxResults", "1").into()),
        "ListInsights" => return Some(Ask::post(&["clusters", NOBODY, "insights"], json!({"maxResults": 1})).into()),
        "DescribeIdentityProviderConfig" => {
            return Some(Ask::post(&["clusters", NOBODY, "identity-provider-configs", "describe"], config()).into());
        }
        "DescribeCluster" => &[],
        "ListNodegroups" => &["node-groups"],
        "DescribeNodegroup" => &["node-groups", NOBODY],
        "ListFargateProfiles" => &["fargate-profiles"],
        "DescribeFargateProfile" => &["fargate-profiles", NOBODY],
        "ListAddons" => &["addons"],
        "DescribeAddon" => &["addons", NOBODY],
        "ListAccessEntries" => &["access-entries"],
        "DescribeAccessEntry" => &["access-entries", &principal],
        "ListAssociatedAccessPolicies" => &["access-entries", &principal, "access-policies"],
        "ListPodIdentityAssociations" => &["pod-identity-associations"],
        "DescribePodIdentityAssociation" => &["pod-identity-associations", "a-00000000000000000"],
        "ListIdentityProviderConfigs" => &["identity-provider-configs"],
        _ => return None,
    };
    Some(Ask::get(&[&["clusters", NOBODY], path].concat()).into())
}
