//! The fixed report that the tests of all renderers share.

use std::collections::BTreeMap;

use plimsoll_model::{
    AccountId, CallStatistics, Compliance, Confidence, Exception, ExceptionState, ExceptionUse, Finding, Gap, Item, ItemState, LaunchKind,
    Matrix, MatrixEvidence, MatrixRow, MatrixSummary, Party, PathStep, Region, Remediation, ResourceRef, ScanResult, ScanSummary, Severity,
    StateCounts, Status, Summary, Suppression, Workload, WorkloadRows, finding_id,
};
use serde_json::{Value, json};

use crate::catalogue::{ByPlatform, CheckPage, CheckRow};

const ACCOUNT: &str = "111111111111";

struct Of<'t> {
    check: &'t str,
    title: &'t str,
    severity: Severity,
    fix: &'t str,
}

const PUBLIC_IP: Of<'_> = Of {
    check: "ecs-service-public-ip",
    title: "Service gives its tasks public addresses",
    severity: Severity::High,
    fix: "Set assignPublicIp to DISABLED and let the tasks reach out through a NAT gateway or VPC endpoints.",
};
const PRIVILEGED: Of<'_> = Of {
    check: "ecs-task-definition-privileged-container",
    title: "Container runs in privileged mode on the host",
    severity: Severity::High,
    fix: "Set privileged to false and add only the single Linux capability the program needs.",
};
const SECRET: Of<'_> = Of {
    check: "ecs-task-definition-env-secret",
    title: "Environment variable holds a secret in plain text",
    severity: Severity::Critical,
    fix: "Move the value to Secrets Manager, name it under secrets, and rotate it: it was readable by all who may describe the definition.",
};
const SHARED_GROUP: Of<'_> = Of {
    check: "ecs-service-security-group-shared",
    title: "Services share one security group",
    severity: Severity::Medium,
    fix: "Give each service a security group of its own.",
};
const EGRESS: Of<'_> = Of {
    check: "ecs-service-egress-unrestricted",
    title: "Service may reach every address on every port",
    severity: Severity::Low,
    fix: "Allow only the destinations that the service needs.",
};
const READONLY: Of<'_> = Of {
    check: "ecs-task-definition-root-filesystem-writable",
    title: "Container can write to its root file system",
    severity: Severity::Low,
    fix: "Set readonlyRootFilesystem to true.",
};
const KEY_POLICY: Of<'_> = Of {
    check: "kms-key-policy-public",
    title: "Key policy lets every AWS account use the key",
    severity: Severity::Critical,
    fix: "Name the principals, or add kms:CallerAccount.",
};
const FLOW_LOGS: Of<'_> = Of {
    check: "vpc-flow-logs-disabled",
    title: "VPC with container workloads has no flow logs",
    severity: Severity::Medium,
    fix: "Create a flow log for the VPC.",
};

fn resource(kind: &str, arn: &str, name: &str) -> ResourceRef {
    let region = arn.split(':').nth(3).filter(|region| !region.is_empty()).unwrap_or("global");
    ResourceRef {
        arn: arn.to_owned(),
        kind: kind.to_owned().into(),
        account: AccountId::new(ACCOUNT),
        region: Region::new(region),
        name: name.to_owned(),
        tags: BTreeMap::new(),
    }
}

fn service(region: &str, cluster: &str, name: &str) -> ResourceRef {
    resource("AWS::ECS::Service", &format!("arn:aws:ecs:{region}:{ACCOUNT}:service/{cluster}/{name}"), name)
}

fn definition(family: &str) -> ResourceRef {
    resource("AWS::ECS::TaskDefinition", &format!("arn:aws:ecs:eu-west-3:{ACCOUNT}:task-definition/{family}"), family)
}

fn finding(of: &Of<'_>, resource: ResourceRef, message: &str, evidence: Value) -> Finding {
    Finding {
        id: finding_id(of.check, &resource.arn, ""),
        check: of.check.to_owned().into(),
        status: Status::Fail,
        suppression: None,
        severity: of.severity,
        base_severity: of.severity,
        severity_reason: "".into(),
        confidence: Confidence::Certain,
        title: of.title.to_owned().into(),
        message: message.to_owned(),
        resource,
        evidence,
        path: Vec::new(),
        responsibility: "customer".into(),
        remediation: Remediation { text: of.fix.to_owned().into(), cli: format!("aws ecs fix {}", of.check).into() },
        compliance: BTreeMap::from([("fsbp".to_owned(), vec!["ECS.2".to_owned()])]).into(),
    }
}

fn unknown(of: &Of<'_>, resource: ResourceRef, operation: &str, code: &str) -> Finding {
    let mut finding =
        finding(of, resource, &format!("{operation} failed with {code}."), json!({"missing": [{"operation": operation, "code": code}]}));
    finding.status = Status::Unknown;
    finding
}

fn gap(region: &str, operation: &str, code: &str, message: &str) -> Gap {
    Gap {
        account: AccountId::new(ACCOUNT),
        region: Region::new(region),
        operation: operation.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        resource: None,
    }
}

fn findings() -> Vec<Finding> {
    let mut web = service("eu-west-3", "shop", "web");
    web.tags =
        BTreeMap::from([("env".into(), "prod".into()), ("team".into(), "shop\u{1b}]0;owned\u{7}".into()), ("aws:x".into(), "y".into())]);
    let mut public = finding(
        &PUBLIC_IP,
        web.clone(),
        "Service web asks for a public address for each task (assignPublicIp ENABLED) in subnets subnet-0a1b2c3d4e5f60718 and \
         subnet-0f1e2d3c4b5a69788, which route 0.0.0.0/0 to igw-0123456789abcdef0.",
        json!({"networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}}}),
    );
    public.base_severity = Severity::Medium;
    public.severity_reason = "reachable from the internet on port 8080".into();
    let mut batch = finding(
        &PRIVILEGED,
        definition("nightly-batch:41"),
        "Container importer of nightly-batch:41 sets privileged to true and runs on EC2.",
        json!({"containerDefinitions": [{"name": "importer", "privileged": true}]}),
    );
    batch.confidence = Confidence::Possible;
    batch.path = vec![
        PathStep { arn: "internet".into(), via: "0.0.0.0/0 on 443".into() },
        PathStep {
            arn: "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/app/front/50dc6c495c0c9188".into(),
            via: "forwards".into(),
        },
        PathStep { arn: "arn:aws:ecs:eu-west-3:111111111111:service/shop/web".into(), via: "runs".into() },
    ];
    let hostile_name = "\u{1b}[31mpay\u{202e}lortnoc\n監査-サービス\u{200b}";
    let mut findings = vec![
        finding(
            &SECRET,
            definition("web:12"),
            "Container app of web:12 sets DB_PASSWORD to what looks like a password (14 characters).",
            json!({"containerDefinitions": [{"name": "app", "environment": [{"name": "DB_PASSWORD", "looksLike": "password"}]}]}),
        ),
        public,
        batch,
        finding(
            &SHARED_GROUP,
            web,
            "sg-0a1b2c3d4e5f60718 is also the group of services api and worker.",
            json!({"groupId": "sg-0a1b2c3d4e5f60718"}),
        ),
        finding(
            &SHARED_GROUP,
            service("eu-west-3", "shop", hostile_name),
            &format!("Service {hostile_name} shares sg-0a1b2c3d4e5f60718\twith\0 web. {}", "More and more of it. ".repeat(500)),
            json!({"groupId": "\u{9b}2J"}),
        ),
        finding(
            &FLOW_LOGS,
            resource("AWS::EC2::VPC", &format!("arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/vpc-0123456789abcdef0"), "main"),
            "vpc-0123456789abcdef0 holds 14 running tasks and no flow log.",
            json!({}),
        ),
        finding(&EGRESS, service("us-east-1", "default", "mailer"), "Its group allows all traffic to 0.0.0.0/0.", json!({})),
        unknown(
            &KEY_POLICY,
            resource("AWS::KMS::Key", &format!("arn:aws:kms:eu-west-3:{ACCOUNT}:key/5d4f1f0e-0000-4000-8000-000000000001"), "alias/shop"),
            "kms:GetKeyPolicy",
            "AccessDeniedException",
        ),
        unknown(
            &KEY_POLICY,
            resource("AWS::KMS::Key", &format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/5d4f1f0e-0000-4000-8000-000000000002"), "alias/mail"),
            "kms:GetKeyPolicy",
            "AccessDeniedException",
        ),
        unknown(&PUBLIC_IP, service("us-east-1", "default", "mailer"), "elasticloadbalancing:DescribeTargetGroups", "NotCollected"),
    ];
    let families = [
        "web:12",
        "api:7",
        "worker:3",
        "nightly-batch:41",
        "mailer:2",
        "search:19",
        "thumbnails:5",
        "auth:88",
        "billing:23",
        "ledger:4",
        "cron:1",
    ];
    findings.extend(families.map(|family| finding(&READONLY, definition(family), "readonlyRootFilesystem is not set.", json!({}))));
    Finding::sort(&mut findings);
    findings
}

fn gaps() -> Vec<Gap> {
    let mut gaps = vec![
        gap(
            "eu-west-3",
            "kms:GetKeyPolicy",
            "AccessDeniedException",
            "User: arn:aws:sts::111111111111:assumed-role/audit/plimsoll is not authorized to perform: kms:GetKeyPolicy",
        ),
        gap("us-east-1", "kms:GetKeyPolicy", "AccessDeniedException", "User is not authorized"),
        gap("us-east-1", "ec2:DescribeFlowLogs", "RequestLimitExceeded", "Request limit exceeded."),
    ];
    for region in ["ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "sa-east-1"] {
        let message = "User is not authorized to perform: ecs:ListClusters with an explicit deny in a service control policy";
        gaps.push(gap(region, "ecs:ListClusters", "AccessDeniedException", message));
    }
    gaps.sort();
    gaps
}

/// Some findings of every sort: hostile names, a check that many resources fail, unknown verdicts and gaps.
pub(crate) fn result() -> ScanResult {
    let (findings, gaps) = (findings(), gaps());
    let summary = summary(&findings, 412);
    let count = |met, not_met, unknown| StateCounts { met, not_met, unknown };
    ScanResult {
        schema: 1,
        plimsoll: "0.1.0".into(),
        scan: ScanSummary {
            started_at: "2026-05-04T09:30:00Z".parse().unwrap(),
            finished_at: "2026-05-04T09:31:42Z".parse().unwrap(),
            complete: true,
            accounts: vec![AccountId::new(ACCOUNT)],
            regions: ["eu-west-3", "us-east-1"].map(Region::new).to_vec(),
            calls: 1_234,
            throttled: 3,
            waited_ms: 74_500,
            operations: operations(),
        },
        summary,
        findings,
        responsibility: MatrixSummary {
            workloads: 9,
            items: BTreeMap::from([
                ("aws".into(), count(27, 0, 0)),
                ("customer".into(), count(38, 13, 4)),
                ("shared".into(), count(7, 0, 1)),
            ]),
        },
        exceptions: Vec::new(),
        gaps,
    }
}

fn operations() -> BTreeMap<String, CallStatistics> {
    let cost = |calls, throttled, waited_ms| CallStatistics { calls, throttled, waited_ms, cached: 0 };
    BTreeMap::from([
        ("ecs:DescribeServices".to_owned(), cost(1_200, 3, 74_120)),
        ("ecs:ListClusters".to_owned(), cost(33, 0, 380)),
        ("sts:GetCallerIdentity".to_owned(), cost(1, 0, 0)),
    ])
}

fn summary(findings: &[Finding], pass: usize) -> Summary {
    let mut summary = Summary { pass, ..Summary::default() };
    for finding in findings {
        match finding.status {
            Status::Fail => summary.fail.add(finding.severity),
            Status::Unknown => summary.unknown += 1,
            Status::Pass => summary.pass += 1,
            Status::Suppressed => summary.suppressed += 1,
        }
    }
    summary
}

/// The fixed report with its last finding accepted.
pub(crate) fn with_exception(text: &str) -> ScanResult {
    let mut result = result();
    let expires = "2026-12-31".parse().unwrap();
    let reason: std::sync::Arc<str> = text.into();
    if let Some(finding) = result.findings.last_mut() {
        finding.status = Status::Suppressed;
        finding.suppression = Some(Suppression { reason: reason.clone(), expires });
        let exception =
            Exception { check: finding.check.to_string(), resource: Some("*".to_owned()), tag: None, account: None, reason, expires };
        result.exceptions.push(ExceptionUse { exception, state: ExceptionState::Applied, findings: 1 });
    }
    result.summary = summary(&result.findings, 412);
    result
}

/// The fixed report with one text in every place that comes from outside.
pub(crate) fn hostile(text: &str) -> ScanResult {
    let mut result = result();
    for finding in &mut result.findings {
        let Finding { resource, message, title, path, severity_reason, remediation, evidence, .. } = finding;
        for place in
            [&mut resource.name, message, title.to_mut(), severity_reason.to_mut(), remediation.text.to_mut(), remediation.cli.to_mut()]
        {
            text.clone_into(place);
        }
        resource.arn.push_str(text);
        resource.kind.to_mut().push_str(text);
        resource.tags.insert("env".into(), text.to_owned());
        resource.tags.insert(text.to_owned(), text.to_owned());
        for step in path {
            text.clone_into(&mut step.arn);
            text.clone_into(&mut step.via);
        }
        if finding.status == Status::Unknown {
            *evidence = json!({"missing": {"operation": text, "code": text}});
        } else {
            *evidence = json!({ text: text });
        }
    }
    for gap in &mut result.gaps {
        gap.operation.push_str(text);
        for place in [&mut gap.code, &mut gap.message] {
            text.clone_into(place);
        }
        gap.account = AccountId::new(text);
        gap.region = Region::new(text);
    }
    text.clone_into(&mut result.plimsoll);
    result.scan.regions.push(Region::new(text));
    result
}

/// Thousands of findings: two critical, thirty high of one check, and low ones beyond counting.
pub(crate) fn crowd() -> ScanResult {
    let mut result = result();
    for number in 0..30 {
        let service = service("eu-west-3", "shop", &format!("svc-{number:03}"));
        result.findings.push(finding(&PUBLIC_IP, service, "It asks for a public address for each task.", json!({})));
    }
    for number in 0..60 {
        let check = format!("ecs-check-{}", number % 5);
        let of = Of { check: &check, title: "Something that makes other weaknesses worse", ..FLOW_LOGS };
        result.findings.push(finding(&of, definition(&format!("job-{number}:1")), "The facts of it.", json!({})));
    }
    for number in 0..2_900 {
        result.findings.push(finding(
            &READONLY,
            definition(&format!("family-{number}:1")),
            "readonlyRootFilesystem is not set.",
            json!({}),
        ));
    }
    Finding::sort(&mut result.findings);
    result.summary = summary(&result.findings, 41_234);
    result
}

/// A result in which nothing fails.
pub(crate) fn clean() -> ScanResult {
    let mut result = result();
    result.findings.clear();
    result.gaps.clear();
    result.summary = summary(&[], 412);
    result
}

/// A matrix of six workloads.
pub(crate) fn matrix() -> Matrix {
    let launches = [
        LaunchKind::Fargate,
        LaunchKind::Fargate,
        LaunchKind::Ec2,
        LaunchKind::ManagedInstances,
        LaunchKind::External,
        LaunchKind::Unknown,
    ];
    let names = ["web", "api", "nightly-batch", "search-index-builder-for-all-tenants", "edge\u{1b}[2J", "監査"];
    let workloads = launches
        .iter()
        .zip(names)
        .map(|(launch, name)| WorkloadRows {
            workload: Workload {
                arn: format!("arn:aws:ecs:eu-west-3:{ACCOUNT}:service/shop/{name}"),
                name: name.to_owned(),
                kind: "AWS::ECS::Service".into(),
                cluster: "shop".into(),
                account: AccountId::new(ACCOUNT),
                region: Region::new("eu-west-3"),
                launch: *launch,
            },
            rows: Item::ALL.iter().map(|item| row(*item, *launch)).collect(),
        })
        .collect();
    let count = |met, not_met, unknown| StateCounts { met, not_met, unknown };
    Matrix {
        schema: 1,
        summary: MatrixSummary {
            workloads: 6,
            items: BTreeMap::from([
                ("aws".into(), count(6, 0, 0)),
                ("customer".into(), count(30, 12, 6)),
                ("shared".into(), count(6, 0, 0)),
            ]),
        },
        workloads,
    }
}

fn row(item: Item, launch: LaunchKind) -> MatrixRow {
    let party = match (item, launch) {
        (Item::HostPatching | Item::KernelIsolation | Item::Agent, LaunchKind::Fargate | LaunchKind::ManagedInstances) => Party::Aws,
        (Item::DataEncryption, _) => Party::Shared,
        _ => Party::Customer,
    };
    let (state, check, note) = match (item, party) {
        (_, Party::Aws) => (ItemState::Met, "", "AWS patches and isolates the host"),
        (Item::NetworkControls, _) => (ItemState::NotMet, PUBLIC_IP.check, ""),
        (Item::Secrets, _) => (ItemState::NotMet, SECRET.check, ""),
        (Item::DataEncryption, _) => (ItemState::Unknown, KEY_POLICY.check, "kms:GetKeyPolicy was denied"),
        _ => (ItemState::Met, READONLY.check, ""),
    };
    let evidence = if check.is_empty() { Vec::new() } else { vec![MatrixEvidence { state, check: check.into() }] };
    MatrixRow { item, party, state, evidence, note: note.into() }
}

/// The list of checks.
pub(crate) fn rows() -> Vec<CheckRow<'static>> {
    let area = ["runtime", "network", "network"];
    let list = [PRIVILEGED, PUBLIC_IP, EGRESS];
    list.iter().zip(area).map(|(of, area)| CheckRow { id: of.check, severity: of.severity, title: of.title, area }).collect()
}

/// A page.
pub(crate) fn page(compliance: &Compliance) -> CheckPage<'_> {
    CheckPage {
        id: PRIVILEGED.check,
        title: PRIVILEGED.title,
        severity: PRIVILEGED.severity,
        area: "runtime",
        resource: "AWS::ECS::TaskDefinition",
        responsibility: ByPlatform { fargate: "aws", ec2: "customer", eks: "n/a" },
        needs: &[
            "ecs:ListTaskDefinitionFamilies",
            "ecs:ListTaskDefinitions",
            "ecs:DescribeTaskDefinition",
            "ecs:ListServices",
            "ecs:DescribeServices",
        ],
        why: "A privileged container has every capability and every device of its host: who takes it over has the host and all that runs there.",
        fails_when: "Any containerDefinitions[].privileged is true and compatibilities contains EC2 or EXTERNAL.",
        remediation: PRIVILEGED.fix,
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # privileged=false; then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
        compliance,
    }
}

/// The controls of that page.
pub(crate) fn controls() -> Compliance {
    [("fsbp", "ECS.4"), ("cis_docker", "5.5"), ("nist_800_53", "AC-6")]
        .map(|(framework, control)| (framework.into(), vec![control.into()]))
        .into()
}
