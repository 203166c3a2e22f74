//! Questions to a snapshot on the command line: who may do what, who can become what, and who can reach whom.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that goes wrong should panic")]

mod common;

use common::{bare, json, snapshot, stderr, stdout};
use plimsoll_fixture::{Fixture, fixture, policy, role_arn};
use plimsoll_model::aws::iam::{PolicyDetail, Role};
use plimsoll_model::aws::organizations::Account;
use plimsoll_model::{Inventory, Seen};
use serde_json::{Value, json as value};

/// Two roles of an account outside any organization: one may read one bucket, with a condition on the caller's address.
fn account() -> Fixture {
    let may = |name: &str, statement: Value| {
        let document = policy(value!({"Version": "2012-10-17", "Statement": [statement]}));
        let inline = PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(document) };
        (name.to_owned(), inline)
    };
    let reader = may("reader", value!({"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::prices/*"}));
    let inside = may(
        "inside",
        value!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
    );
    let grant = |(_, inline): (String, PolicyDetail)| move |role: &mut Role| role.role_policy_list = vec![inline];
    fixture()
        .shop()
        .global_resource(Account { id: "111111111111".to_owned(), organization: Seen::Known(None), ..Account::default() })
        .role("reader", grant(reader))
        .role("inside", grant(inside))
}

fn built() -> Inventory {
    account().build()
}

#[test]
fn can_answers_with_the_statement_that_decides() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    let ask = |arguments: &[&str]| bare().arg("can").arg(&path).args(arguments).output().unwrap();
    let object = "arn:aws:s3:::prices/today";
    let yes = json(&ask(&["reader", "s3:GetObject", object, "--format", "json"]));
    assert_eq!((yes["decision"].as_str(), yes["principal"].as_str()), (Some("allowed"), Some(role_arn("reader").as_str())));
    assert!(yes["because"][0].as_str().unwrap().contains("statement Read"), "{yes}");
    let no = json(&ask(&[&role_arn("reader"), "s3:PutObject", object, "--format", "json"]));
    assert_eq!((no["decision"].as_str(), no["because"][0].as_str()), (Some("implicitly_denied"), Some("no Allow in identity policy")));
    let explained = stdout(&ask(&["reader", "s3:GetObject", object, "--explain"]));
    assert!(explained.contains(": allowed") && explained.contains("to change it: narrow statement Read"), "{explained}");
}

#[test]
fn can_without_a_resource_names_those_that_the_action_is_granted_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    let ask = |arguments: &[&str]| bare().arg("can").arg(&path).args(arguments).output().unwrap();
    let told = stdout(&ask(&["reader", "s3:GetObject"]));
    assert!(told.starts_with("implicitly denied: reader s3:GetObject on *\nallowed on arn:aws:s3:::prices/* ("), "{told}");
    let answer = json(&ask(&["reader", "s3:GetObject", "--format", "json"]));
    assert_eq!(answer["grantedOn"][0]["resources"], value!(["arn:aws:s3:::prices/*"]), "{answer}");
    let asked = json(&ask(&["reader", "s3:GetObject", "arn:aws:s3:::other/x", "--format", "json"]));
    assert!(asked.get("grantedOn").is_none(), "{asked}");
    assert!(json(&ask(&["reader", "s3:PutObject", "--format", "json"])).get("grantedOn").is_none());
}

#[test]
fn can_without_an_action_sums_up_what_a_principal_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    let ask = |arguments: &[&str]| bare().arg("can").arg(&path).args(arguments).output().unwrap();
    let told = stdout(&ask(&["inside"]));
    assert!(told.contains("  s3  read\n      actions s3:GetObject\n      on *\n      if IpAddress aws:SourceIp\n"), "{told}");
    let all = json(&ask(&["reader", "--format", "json"]));
    assert_eq!(all["services"][0]["service"], "s3", "{all}");
    assert_eq!(all["services"][0]["resources"], value!(["arn:aws:s3:::prices/*"]), "{all}");
}

#[test]
fn a_condition_that_nobody_knows_is_told_until_the_context_settles_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    let ask = |arguments: &[&str]| {
        let question = ["inside", "s3:GetObject", "arn:aws:s3:::prices/today", "--format", "json"];
        json(&bare().arg("can").arg(&path).args(question).args(arguments).output().unwrap())
    };
    let open = ask(&[]);
    assert_eq!(open["decision"], "conditional");
    assert!(open["dependsOn"][0].as_str().unwrap().contains("aws:SourceIp"), "{open}");
    assert_eq!(ask(&["--context", "aws:SourceIp=10.1.2.3"])["decision"], "allowed");
    assert_eq!(ask(&["--context", "aws:SourceIp=203.0.113.9"])["decision"], "implicitly_denied");
}

#[test]
fn the_role_of_a_service_is_asked_by_the_name_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = built();
    let service = &inventory.services[0].data;
    let cluster = service.cluster_arn.rsplit('/').next().unwrap();
    let path = snapshot(&inventory, folder.path(), "a.ndjson");
    let name = format!("service:{cluster}/{}", service.service_name);
    let answer = json(&bare().arg("can").arg(&path).args([&name, "s3:GetObject", "--format", "json"]).output().unwrap());
    assert_eq!(answer["principal"], inventory.task_definitions[0].data.task_role_arn.clone().unwrap());
}

#[test]
fn who_can_lists_everybody_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    let ask = |format: &str| {
        bare().arg("who-can").arg(&path).args(["s3:GetObject", "arn:aws:s3:::prices/today", "--format", format]).output().unwrap()
    };
    let found = json(&ask("json"));
    let told: Vec<(&str, &str)> =
        found.as_array().unwrap().iter().map(|one| (one["principal"].as_str().unwrap(), one["decision"].as_str().unwrap())).collect();
    assert_eq!(told, [(role_arn("reader").as_str(), "allowed"), (role_arn("inside").as_str(), "conditional")]);
    let table = stdout(&ask("table"));
    assert!(table.contains("allowed on conditions") && table.contains("2 of "), "{table}");
}

#[test]
fn wrong_questions_say_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&built(), folder.path(), "a.ndjson");
    for (arguments, expected) in [
        (vec!["readr", "s3:GetObject"], "did you mean reader"),
        (vec!["reader", "GetObject"], "GetObject is no action"),
        (vec!["reader", "s3:Get*"], "name one action"),
        (vec!["reader", "s3:GetObject", "*", "--context", "aws:SourceIp"], "no condition key with a value"),
        (vec!["service:shop/none", "s3:GetObject"], "there is no role, user, service or task"),
    ] {
        let output = bare().arg("can").arg(&path).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn simulate_answers_line_by_line_and_a_bad_line_is_an_error_of_its_own() {
    let allow = value!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]});
    let question = |action: &str| value!({"principal": "arn:aws:iam::111111111111:role/web", "action": action, "resource": "*", "identity_policies": [allow]});
    let lines = [
        value!({"id": "a", "input": question("sqs:SendMessage")}).to_string(),
        value!({"id": 2, "input": question("sns:Publish")}).to_string(),
        "no json".to_owned(),
        String::new(),
        r#"{"id": "twice", "input": {"principal": "*", "action": "a:b", "action": "c:d", "resource": "*"}}"#.to_owned(),
        value!({"id": "flat", "principal": "nobody", "action": "sqs:SendMessage", "resource": "*"}).to_string(),
    ];
    let output = bare().args(["simulate", "-"]).write_stdin(lines.join("\n")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(Value, &str)> = answers.iter().map(|answer| (answer["id"].clone(), answer["decision"].as_str().unwrap())).collect();
    let expected = [
        (value!("a"), "allowed"),
        (value!(2), "implicitly_denied"),
        (Value::Null, "error"),
        (value!("twice"), "error"),
        (value!("flat"), "error"),
    ];
    assert_eq!(told, expected);
    assert!(answers.iter().all(|answer| !answer["because"].as_array().unwrap().is_empty()), "{answers:?}");
    let missing = bare().args(["simulate", "no/such/file"]).output().unwrap();
    assert_eq!((missing.status.code(), stderr(&missing).contains("hint: ")), (Some(2), true));
}

#[test]
fn escalate_tells_the_path_to_an_administrator_and_what_ends_it() {
    let everything = value!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let passing = value!({"Effect": "Allow", "Action": ["iam:PassRole", "ecs:RunTask", "ecs:RegisterTaskDefinition"], "Resource": "*"});
    let grant = |statement: &Value| {
        let document = policy(value!({"Version": "2012-10-17", "Statement": [statement]}));
        let inline = PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(document) };
        move |role: &mut Role| role.role_policy_list = vec![inline]
    };
    let inventory = account().role("admin", grant(&everything)).role("deployer", grant(&passing)).build();
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&inventory, folder.path(), "a.ndjson");
    let found = json(&bare().arg("escalate").arg(&path).args(["--format", "json"]).output().unwrap());
    assert_eq!(found["administrators"][0]["principal"], role_arn("admin"));
    let paths = found["paths"].as_array().unwrap();
    assert_eq!((paths.len(), paths[0]["principal"].as_str()), (1, Some(role_arn("deployer").as_str())), "{found}");
    assert_eq!(paths[0]["steps"][0]["to"], role_arn("admin"));
    assert_eq!(paths[0]["cut"]["action"], "iam:PassRole");
    let table = stdout(&bare().arg("escalate").arg(&path).arg("deployer").output().unwrap());
    assert!(table.contains("can become administrator") && table.contains("to end it: take iam:PassRole"), "{table}");
    let harmless = stdout(&bare().arg("escalate").arg(&path).arg("reader").output().unwrap());
    assert!(harmless.contains("has no way to an administrator"), "{harmless}");
}

#[test]
fn reach_answers_by_the_names_of_services_and_explains_every_hop() {
    let folder = tempfile::tempdir().unwrap();
    let closed = snapshot(&built(), folder.path(), "closed.ndjson");
    let open = snapshot(&account().facing_internet(8080).build(), folder.path(), "open.ndjson");
    let ask = |path: &std::path::Path, more: &[&str]| {
        let question = ["--from", "internet", "--to", "service:shop/web", "--port", "8080"];
        bare().arg("reach").arg(path).args(question).args(more).output().unwrap()
    };
    let no = json(&ask(&closed, &["--format", "json"]));
    assert_eq!((no[0]["reachable"].as_bool(), no[0]["question"]["to"].as_str()), (Some(false), Some("eni-t1")), "{no}");
    let yes = json(&ask(&open, &["--format", "json"]));
    assert_eq!((yes[0]["reachable"].as_bool(), yes[0]["scope"].as_str()), (Some(true), Some("internet")), "{yes}");
    let explained = stdout(&ask(&open, &["--explain"]));
    for hop in ["igw-main", "acl-main, rule 100", "sg-web", "reply:", "to close:", "as it was at 20"] {
        assert!(explained.contains(hop), "{hop}: {explained}");
    }
    let wrong = bare().arg("reach").arg(&open).args(["--from", "internet", "--to", "web"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("service:CLUSTER/NAME"), "{}", stderr(&wrong));
    let nothing = bare().arg("reach").arg(&open).output().unwrap();
    assert!(stderr(&nothing).contains("--from and --to"), "{}", stderr(&nothing));
}

#[test]
fn a_world_is_pasted_from_the_aws_cli_and_questions_are_answered_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let everybody = value!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let acl =
        |egress: bool| value!({"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": egress, "CidrBlock": "0.0.0.0/0"});
    let world = value!({
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "route_tables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": [
            {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
            {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}]}],
        "network_acls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": [acl(true), acl(false)]}],
        "security_groups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": everybody}],
        "internet_gateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "network_interfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Status": "in-use",
            "PrivateIpAddress": "10.0.0.5", "Association": {"PublicIp": "203.0.113.5"}, "Groups": [{"GroupId": "sg-1"}]}],
    });
    let path = folder.path().join("world.json");
    std::fs::write(&path, serde_json::to_string_pretty(&world).unwrap()).unwrap();
    let lines = [
        value!({"id": 1, "from": "internet:198.51.100.7", "to": "eni-1", "protocol": "tcp", "port": 443}).to_string(),
        value!({"id": "two", "from": "internet", "to": "eni-1", "protocol": "tcp", "port": 22, "family": 4, "via": "direct"}).to_string(),
        value!({"id": 3, "from": "internet", "to": "eni-gone"}).to_string(),
        value!({"id": 4, "from": "nobody", "to": "eni-1"}).to_string(),
        value!({"id": 5, "from": "internet", "to": "eni-1", "prot": "tcp"}).to_string(),
        "{".to_owned(),
    ];
    let output = bare().arg("reach").arg(&path).args(["--questions", "-"]).write_stdin(lines.join("\n")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(Value, Option<bool>)> = answers.iter().map(|answer| (answer["id"].clone(), answer["reachable"].as_bool())).collect();
    let expected = [
        (value!(1), Some(true)),
        (value!("two"), Some(false)),
        (value!(3), None),
        (value!(4), None),
        (value!(5), None),
        (Value::Null, None),
    ];
    assert_eq!(told, expected);
    assert_eq!((answers[0]["via"].as_str(), answers[1]["blockedBy"].as_str()), (Some("direct"), Some("sg-in:eni-1")));
    assert!(answers[2]["unknown"].as_str().unwrap().contains("eni-gone"), "{}", answers[2]);
    assert!(answers[3..].iter().all(|answer| answer["error"].is_string()), "{answers:?}");
    std::fs::write(&path, "{\"vpcs\": 5}").unwrap();
    let wrong = bare().arg("reach").arg(&path).args(["--from", "internet", "--to", "eni-1"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("vpcs") && stderr(&wrong).contains("hint: a world"), "{}", stderr(&wrong));
}

#[test]
fn exposure_lists_what_the_internet_reaches_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&account().facing_internet(8080).build(), folder.path(), "a.ndjson");
    let found = json(&bare().arg("exposure").arg(&path).args(["--format", "json"]).output().unwrap());
    let workload = &found["workloads"][0];
    assert_eq!((workload["reachable"].as_bool(), workload["resource"]["name"].as_str()), (Some(true), Some("web")), "{found}");
    assert_eq!(workload["ways"][0]["flows"][0]["ports"], value!(["8080"]));
    assert_eq!(workload["egress"]["kind"], "none", "its group lets nothing out of the VPC");
    let table = stdout(&bare().arg("exposure").arg(&path).output().unwrap());
    assert!(table.contains("service shop/web") && table.contains("tcp/8080 from 0.0.0.0/0 straight"), "{table}");
    let closed = snapshot(&built(), folder.path(), "closed.ndjson");
    let table = stdout(&bare().arg("exposure").arg(&closed).output().unwrap());
    assert!(table.contains("not reachable from the internet") && table.contains("0 reachable from the internet"), "{table}");
}
