//! Input that nobody would send on purpose, or only on purpose: it must neither stop the engine nor slow it down, and what
//! is wrong with it must have a name.
#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use plimsoll_net::{Answer, Network, Protocol, Question, WorldFile};
use serde_json::{Value, json};

/// A VPC with a public interface `eni-a` and another, `eni-b`, in one subnet each; both carry `sg-1`.
fn world() -> Value {
    let everything =
        |egress: bool| json!({"RuleNumber": 100, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"});
    let eni = |id: &str, subnet: &str, address: &str| {
        json!({"NetworkInterfaceId": id, "SubnetId": subnet, "InterfaceType": "interface", "PrivateIpAddress": address,
               "Association": {"PublicIp": "198.18.0.1"}, "Groups": [{"GroupId": "sg-1"}]})
    };
    json!({
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "subnets": [{"SubnetId": "subnet-a", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}, {"SubnetId": "subnet-b", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "route_tables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": [
            {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]}],
        "network_acls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": [everything(false), everything(true)]}],
        "security_groups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
                             "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}],
        "network_interfaces": [eni("eni-a", "subnet-a", "10.0.0.10"), eni("eni-b", "subnet-b", "10.0.1.10")],
        "internet_gateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1"}]}]
    })
}

/// Asks everything there is to ask, and returns the answer for port 443 from one address of the internet.
fn ask_all(world: Value) -> Answer {
    let file = WorldFile::from_value(world).unwrap();
    let network = Network::compile(&file.world());
    for (from, to) in [("internet", "eni-a"), ("eni-a", "eni-b"), ("eni-a", "internet"), ("10.0.0.0/8", "eni-b"), ("0.0.0.0/0", "eni-a")] {
        let question = Question::new(from.parse().unwrap(), to.parse().unwrap());
        assert!(!network.explain(&question).to_string().is_empty());
        network.reach(&question.on(Protocol::TCP, 443));
    }
    network.exposures().iter().for_each(drop);
    network.egress("eni-a");
    network.endpoint_access("eni-a", "s3");
    network.sources_of("eni-b", Protocol::TCP, 443);
    network.selectors().admitting("eni-a", Protocol::TCP, 443);
    network.reach(&Question::new("internet:203.0.113.7".parse().unwrap(), "eni-a".parse().unwrap()).on(Protocol::TCP, 443))
}

fn permissions(count: usize, make: impl Fn(usize) -> Value) -> Value {
    Value::Array((0..count).map(make).collect())
}

#[test]
fn the_world_as_it_is_is_reachable() {
    assert_eq!(ask_all(world()).reachable, Some(true));
}

#[test]
fn ten_thousand_nested_rules_for_as_many_addresses_are_answered() {
    let mut world = world();
    world["security_groups"][0]["IpPermissions"] = permissions(
        10_000,
        |n| json!({"IpProtocol": "tcp", "FromPort": n, "ToPort": 65_535 - n, "IpRanges": [{"CidrIp": format!("203.{}.{}.0/24", n / 256, n % 256)}]}),
    );
    assert_eq!(ask_all(world).reachable, Some(true));
}

#[test]
fn groups_that_refer_to_each_other_in_a_circle_are_answered() {
    let mut world = world();
    let groups = 2_000;
    world["security_groups"] = permissions(groups, |n| {
        let pairs = [json!({"GroupId": format!("sg-{}", (n + 1) % groups)}), json!({"GroupId": format!("sg-{n}")})];
        let rule = json!([{"IpProtocol": "-1", "UserIdGroupPairs": pairs}]);
        json!({"GroupId": format!("sg-{n}"), "IpPermissions": rule, "IpPermissionsEgress": rule})
    });
    assert_eq!(ask_all(world).blocked_by.as_deref(), Some("sg-in:eni-a"));
}

#[test]
fn long_prefix_lists_that_overlap_are_shared_and_not_copied() {
    let mut world = world();
    world["prefix_lists"] = permissions(50, |list| {
        let cidrs: Vec<String> = (0..1_000).map(|n| format!("203.{}.{}.0/{}", (n + list) % 250, n % 250, 20 + n % 12)).collect();
        json!({"PrefixListId": format!("pl-{list}"), "Cidrs": cidrs})
    });
    let lists: Vec<Value> = (0..50).map(|list| json!({"PrefixListId": format!("pl-{list}")})).collect();
    world["security_groups"][0]["IpPermissions"] =
        permissions(100, |n| json!({"IpProtocol": "tcp", "FromPort": n, "ToPort": n + 400, "PrefixListIds": lists}));
    let routes = world["route_tables"][0]["Routes"].as_array_mut().unwrap();
    routes.extend((0..50).map(|list| json!({"DestinationPrefixListId": format!("pl-{list}"), "TransitGatewayId": format!("tgw-{list}")})));
    ask_all(world);
}

#[test]
fn a_thousand_nested_routes_are_answered() {
    let mut world = world();
    let routes = world["route_tables"][0]["Routes"].as_array_mut().unwrap();
    routes.extend((0..1_000).map(
        |n| json!({"DestinationCidrBlock": format!("203.{}.{}.0/{}", n / 200, n % 200, 8 + n % 17), "NatGatewayId": format!("nat-{n}")}),
    ));
    ask_all(world);
}

#[test]
fn interfaces_with_thousands_of_addresses_are_answered() {
    let mut world = world();
    for n in 0..2 {
        world["network_interfaces"][n]["PrivateIpAddresses"] =
            permissions(4_000, |at| json!({"PrivateIpAddress": format!("10.0.{}.{}", 64 * n + at / 128, at % 128 * 2)}));
    }
    world["security_groups"][0]["IpPermissionsEgress"] = permissions(
        200,
        |n| json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": format!("10.0.{n}.{}/28", n % 16 * 16)}]}),
    );
    ask_all(world);
}

#[test]
fn ten_thousand_missing_lists_are_answered() {
    let mut world = world();
    world["security_groups"][0]["IpPermissions"] = permissions(
        10_000,
        |n| json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": format!("pl-{n}")}]}),
    );
    let answer = ask_all(world);
    assert_eq!((answer.reachable, answer.unknown.as_deref()), (None, Some("prefix-list-missing:pl-0")));
}

#[test]
fn an_acl_beyond_all_measure_is_unknown() {
    let mut world = world();
    world["network_acls"][0]["Entries"] = permissions(
        20_000,
        |n| json!({"RuleNumber": n, "Egress": false, "RuleAction": "allow", "Protocol": "6", "CidrBlock": "0.0.0.0/0", "PortRange": {"From": n, "To": n}}),
    );
    let answer = ask_all(world);
    assert_eq!(
        (answer.reachable, answer.blocked_by.as_deref()),
        (Some(false), Some("return-nacl-out:acl-1:*")),
        "a certain block outranks a doubt"
    );
}

#[test]
fn the_same_id_twice_with_the_same_words_is_one_resource() {
    let mut world = world();
    for list in ["vpcs", "subnets", "route_tables", "network_acls", "security_groups", "network_interfaces", "internet_gateways"] {
        let first = world[list][0].clone();
        world[list].as_array_mut().unwrap().push(first);
    }
    assert_eq!(ask_all(world).reachable, Some(true));
}

#[test]
fn the_same_id_with_other_words_is_unknown() {
    for (list, at, key, other) in [
        ("security_groups", 0, "IpPermissions", json!([])),
        ("route_tables", 0, "Routes", json!([])),
        ("network_acls", 0, "Entries", json!([])),
        ("network_interfaces", 0, "Groups", json!([{"GroupId": "sg-1"}, {"GroupId": "sg-2"}])),
    ] {
        let mut world = world();
        let mut second = world[list][at].clone();
        second[key] = other;
        world[list].as_array_mut().unwrap().push(second);
        let answer = ask_all(world);
        assert_eq!(answer.reachable, None, "{list}");
        assert!(answer.unknown.unwrap().starts_with("contradictory:"), "{list}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (list, expected) in [
        ("security_groups", "security-group-missing:sg-1"),
        ("subnets", "subnet-missing:subnet-a"),
        ("vpcs", "subnet-missing:subnet-a"),
        ("route_tables", "route-table-missing:subnet-a"),
        ("network_acls", "network-acl-missing:subnet-a"),
        ("network_interfaces", "network-interface-missing:eni-a"),
    ] {
        let mut world = world();
        world[list] = json!([]);
        let answer = ask_all(world);
        assert_eq!((answer.reachable, answer.unknown.as_deref()), (None, Some(expected)), "{list}");
    }
    let mut unread = world();
    unread["internet_gateways"] = json!([]);
    unread["missing"] = json!(["ec2:DescribeInternetGateways"]);
    assert_eq!(ask_all(unread).unknown.as_deref(), Some("not-read:ec2:DescribeInternetGateways"));
}

#[test]
fn host_bits_and_words_that_are_no_cidrs_are_dealt_with() {
    let mut world = world();
    world["security_groups"][0]["IpPermissions"] =
        json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.99/24"}]}]);
    assert_eq!(ask_all(world.clone()).reachable, Some(true));
    for (protocol, range) in [("tcp", "everywhere"), ("tcp", "2001:db8::/32"), ("quic", "0.0.0.0/0"), ("-7", "0.0.0.0/0")] {
        world["security_groups"][0]["IpPermissions"] =
            json!([{"IpProtocol": protocol, "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": range}]}]);
        let answer = ask_all(world.clone());
        assert!(answer.unknown.unwrap().starts_with("rule-unreadable:sg-1:"), "{protocol} {range}");
    }
}

#[test]
fn numbers_that_are_no_ports_admit_nothing_or_all() {
    for (from, to, expected) in
        [(-1, -1, true), (443, 70_000, true), (70_000, 80_000, false), (500, 400, false), (i32::MIN, i32::MAX, true)]
    {
        let mut world = world();
        world["security_groups"][0]["IpPermissions"] =
            json!([{"IpProtocol": "6", "FromPort": from, "ToPort": to, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        assert_eq!(ask_all(world).reachable, Some(expected), "{from} to {to}");
    }
}

#[test]
fn a_file_of_another_shape_says_where() {
    for (text, expected) in [
        ("[]", "the world: expected an object"),
        (r#"{"subnets": 7}"#, "subnets: expected a list"),
        (r#"{"subnets": [{}, {"SubnetId": 7}]}"#, "subnets[1]: "),
        (r#"{"rules": []}"#, "rules: expected an object by ARN"),
        (r#"{"target_health": {"arn:x": [{"Target": 7}]}}"#, "target_health[\"arn:x\"]: "),
        ("{", "not JSON: "),
    ] {
        let error = WorldFile::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(WorldFile::parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn a_question_of_another_shape_is_refused() {
    for text in [
        r#"{"from": "internet", "to": "sg-1"}"#,
        r#"{"from": "internet:one", "to": "eni-a"}"#,
        r#"{"from": "internet", "to": "eni-a", "protocol": "quic"}"#,
        r#"{"from": "internet", "to": "eni-a", "family": 5}"#,
        r#"{"from": "internet", "to": "eni-a", "ports": 5}"#,
    ] {
        assert!(serde_json::from_str::<Question>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Question>(r#"{"from": "::/0", "to": "eni-a", "protocol": 6, "port": 443, "via": "lb"}"#).is_ok());
}
