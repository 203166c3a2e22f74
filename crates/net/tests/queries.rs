//! Exposure, egress, endpoints, sources and explanations on one small VPC.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where something is missing")]

use plimsoll_net::{EgressKind, EndpointAccess, Network, Protocol, Question, Via, WorldFile};
use serde_json::{Value, json};

fn open_acl() -> Value {
    json!([
        {"RuleNumber": 100, "Egress": false, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 100, "Egress": true, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
    ])
}

fn tcp(port: u16, peer: &str) -> Value {
    let mut rule = json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port});
    if peer.starts_with("sg-") {
        rule["UserIdGroupPairs"] = json!([{"GroupId": peer}]);
    } else {
        rule["IpRanges"] = json!([{"CidrIp": peer}]);
    }
    rule
}

fn group(id: &str, inbound: &[Value]) -> Value {
    json!({"GroupId": id, "VpcId": "vpc-1", "IpPermissions": inbound,
           "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
}

fn eni(id: &str, subnet: &str, address: &str, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|group| json!({"GroupId": group})).collect();
    json!({"NetworkInterfaceId": id, "SubnetId": subnet, "VpcId": "vpc-1", "PrivateIpAddress": address, "InterfaceType": "interface",
           "Status": "in-use", "Groups": groups})
}

fn balancer_arn() -> &'static str {
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/shop/0123456789abcdef"
}

/// A public web server, a private task behind a load balancer, a database, NAT, and endpoints for S3 and ECR.
fn world() -> Value {
    let mut web = eni("eni-web", "subnet-pub", "10.0.0.10", &["sg-web"]);
    web["Association"] = json!({"PublicIp": "198.18.0.10"});
    let mut node = eni("eni-node", "subnet-pub", "10.0.0.20", &["sg-alb"]);
    node["Association"] = json!({"PublicIp": "198.18.0.20"});
    node["Description"] = json!("ELB app/shop/0123456789abcdef");
    json!({
        "account": "111122223333", "region": "eu-west-1",
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "subnets": [
            {"SubnetId": "subnet-pub", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "eu-west-1a"},
            {"SubnetId": "subnet-priv", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-1a"}],
        "route_tables": [
            {"RouteTableId": "rtb-pub", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-pub"}], "Routes": [
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]},
            {"RouteTableId": "rtb-priv", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": [
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"},
                {"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-s3"}]}],
        "network_acls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": open_acl()}],
        "security_groups": [
            group("sg-web", &[tcp(443, "0.0.0.0/1"), tcp(443, "128.0.0.0/1"), tcp(22, "203.0.113.0/24")]),
            group("sg-alb", &[tcp(80, "0.0.0.0/0")]),
            group("sg-task", &[tcp(8080, "sg-alb")]),
            group("sg-db", &[tcp(5432, "sg-task"), tcp(5432, "10.0.0.0/24")]),
            group("sg-endpoint", &[tcp(443, "sg-task")])],
        "network_interfaces": [
            web, node, eni("eni-task", "subnet-priv", "10.0.1.10", &["sg-task"]), eni("eni-db", "subnet-priv", "10.0.1.20", &["sg-db"]),
            eni("eni-ecr", "subnet-priv", "10.0.1.30", &["sg-endpoint"])],
        "internet_gateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "nat_gateways": [{"NatGatewayId": "nat-1", "SubnetId": "subnet-pub", "State": "available", "ConnectivityType": "public",
                          "NatGatewayAddresses": [{"PublicIp": "198.18.0.30", "PrivateIp": "10.0.0.30"}]}],
        "prefix_lists": [{"PrefixListId": "pl-s3", "PrefixListName": "com.amazonaws.eu-west-1.s3", "Cidrs": ["52.218.0.0/17"]}],
        "vpc_endpoints": [
            {"VpcEndpointId": "vpce-s3", "VpcEndpointType": "Gateway", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-west-1.s3", "State": "available"},
            {"VpcEndpointId": "vpce-ecr", "VpcEndpointType": "Interface", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-west-1.ecr.api",
             "State": "available", "PrivateDnsEnabled": true, "NetworkInterfaceIds": ["eni-ecr"]}],
        "load_balancers": [{"LoadBalancerArn": balancer_arn(), "LoadBalancerName": "shop", "Type": "application", "Scheme": "internet-facing",
                            "VpcId": "vpc-1", "State": {"Code": "active"}, "SecurityGroups": ["sg-alb"]}],
        "listeners": [{"ListenerArn": "arn:listener", "LoadBalancerArn": balancer_arn(), "Port": 80, "Protocol": "HTTP",
                       "DefaultActions": [{"Type": "forward", "TargetGroupArn": "arn:tg"}]}],
        "target_groups": [{"TargetGroupArn": "arn:tg", "TargetGroupName": "tasks", "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip"}],
        "target_health": {"arn:tg": [{"Target": {"Id": "10.0.1.10", "Port": 8080}, "TargetHealth": {"State": "healthy"}}]}
    })
}

fn with<T>(world: Value, ask: impl FnOnce(&Network<'_>) -> T) -> T {
    let file = WorldFile::from_value(world).unwrap();
    ask(&Network::compile(&file.world()))
}

fn question(value: Value) -> Question {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_public_interface_is_exposed_straight_and_two_halves_are_everyone() {
    let exposure = with(world(), |network| network.exposure("eni-web").unwrap());
    assert_eq!(exposure.reachable(), Some(true));
    assert!(exposure.direct.is_open_to_everyone());
    let words: Vec<String> = exposure.direct.flows.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["tcp/22 203.0.113.0/24", "tcp/443 0.0.0.0/0"]);
}

#[test]
fn a_private_task_is_exposed_through_its_load_balancer_alone() {
    let exposure = with(world(), |network| network.exposure("eni-task").unwrap());
    assert!(exposure.direct.flows.is_empty());
    let path = &exposure.balanced[0];
    let balanced = path.balanced.as_ref().unwrap();
    assert_eq!((balanced.listener_port, balanced.target_port), (80, 8080));
    assert_eq!(path.flows[0].to_string(), "tcp/80 0.0.0.0/0");
    assert!(path.now);
}

#[test]
fn a_target_that_is_unhealthy_now_stays_exposed_as_configured() {
    let mut world = world();
    let targets = json!([
        {"Target": {"Id": "10.0.1.10", "Port": 8080}, "TargetHealth": {"State": "unhealthy"}},
        {"Target": {"Id": "10.0.1.20", "Port": 8080}, "TargetHealth": {"State": "healthy"}}]);
    world["target_health"]["arn:tg"] = targets;
    with(world, |network| {
        let exposure = network.exposure("eni-task").unwrap();
        assert_eq!(exposure.reachable(), Some(true));
        assert!(!exposure.balanced[0].now);
        let now = network.reach(&question(json!({"from": "internet", "to": "eni-task", "protocol": "tcp", "port": 80, "via": "lb"})));
        assert_eq!((now.reachable, now.blocked_by.as_deref()), (Some(false), Some("target-health:unhealthy")));
    });
}

#[test]
fn what_one_rule_asks_of_clients_is_no_condition_where_another_does_not() {
    let exposed = |world: Value| with(world, |network| network.exposure("eni-task").unwrap().balanced[0].conditions.clone());
    let mut behind_login = world();
    let forward = behind_login["listeners"][0]["DefaultActions"][0].clone();
    let login = json!([{"Type": "authenticate-oidc", "AuthenticateOidcConfig": {}}, forward]);
    behind_login["listeners"][0]["DefaultActions"] = login.clone();
    assert_eq!(exposed(behind_login), ["authenticated"]);
    let mut half = world();
    half["rules"] = json!({"arn:listener": [{"Priority": "1", "Actions": login,
        "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin/*"]}}]}]});
    assert_eq!(exposed(half), [""; 0]);
}

#[test]
fn exposures_of_all_agree_with_each_alone() {
    with(world(), |network| {
        let all = network.exposures();
        for one in all.iter() {
            assert_eq!(Some(&one), network.exposure(&one.interface).as_ref());
            assert_eq!(all.of(&one.interface), Some(one));
        }
        assert!(all.of("eni-none").is_none() && network.exposure("eni-none").is_none());
    });
}

#[test]
fn a_nat_gateway_takes_nothing_in_and_a_node_only_what_it_listens_for() {
    let mut world = world();
    let mut nat = eni("eni-nat", "subnet-pub", "10.0.0.30", &[]);
    nat["InterfaceType"] = json!("nat_gateway");
    nat["Association"] = json!({"PublicIp": "198.18.0.30"});
    world["network_interfaces"].as_array_mut().unwrap().push(nat);
    world["security_groups"][1]["IpPermissions"] = json!([tcp(80, "0.0.0.0/0"), tcp(8443, "0.0.0.0/0")]);
    with(world, |network| {
        assert_eq!(network.exposure("eni-nat").unwrap().reachable(), Some(false));
        let node = network.exposure("eni-node").unwrap();
        assert_eq!(node.direct.flows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["tcp/80 0.0.0.0/0"]);
    });
}

#[test]
fn a_detached_interface_is_not_exposed() {
    let mut world = world();
    world["network_interfaces"][0]["Status"] = json!("available");
    assert_eq!(with(world, |network| network.exposure("eni-web").unwrap().reachable()), Some(false));
}

#[test]
fn load_balancers_that_were_not_listed_leave_a_private_interface_unknown() {
    let mut world = world();
    world["missing"] = json!(["elasticloadbalancing:DescribeLoadBalancers"]);
    with(world, |network| {
        let exposure = network.exposure("eni-db").unwrap();
        assert_eq!(exposure.reachable(), None);
        assert_eq!(exposure.missing(), ["not-read:elasticloadbalancing:DescribeLoadBalancers"]);
        assert_eq!(network.exposure("eni-web").unwrap().reachable(), Some(true), "what is certain stays certain");
    });
}

#[test]
fn block_public_access_that_was_not_read_makes_exposure_unknown() {
    let mut world = world();
    world["missing"] = json!(["ec2:DescribeVpcBlockPublicAccessOptions"]);
    let exposure = with(world, |network| network.exposure("eni-web").unwrap());
    assert_eq!(exposure.reachable(), None);
    assert_eq!(exposure.missing(), ["not-read:ec2:DescribeVpcBlockPublicAccessOptions"]);
}

#[test]
fn an_accelerator_in_the_vpc_makes_internal_only_unknown() {
    let mut world = world();
    world["load_balancers"][0]["Scheme"] = json!("internal");
    let mut door = eni("eni-ga", "subnet-pub", "10.0.0.99", &["sg-alb"]);
    door["InterfaceType"] = json!("global_accelerator_managed");
    world["network_interfaces"].as_array_mut().unwrap().push(door);
    let answer = with(world, |network| {
        network.reach(&question(json!({"from": "internet", "to": "eni-task", "protocol": "tcp", "port": 80, "via": "lb"})))
    });
    assert_eq!(answer.reachable, None);
    assert_eq!(answer.unknown.as_deref(), Some("front-door:global_accelerator_managed:eni-ga"));
}

#[test]
fn an_accelerator_may_keep_its_clients_addresses_where_no_route_leads_back() {
    let mut world = world();
    world["load_balancers"][0]["Scheme"] = json!("internal");
    // In a subnet without a way to the internet, and open to one network of it.
    world["network_interfaces"][1]["SubnetId"] = json!("subnet-priv");
    world["network_interfaces"][1]["PrivateIpAddress"] = json!("10.0.1.40");
    world["network_interfaces"][1].as_object_mut().unwrap().remove("Association");
    world["security_groups"][1] = group("sg-alb", &[tcp(80, "203.0.113.0/24")]);
    let mut door = eni("eni-ga", "subnet-pub", "10.0.0.99", &[]);
    door["InterfaceType"] = json!("global_accelerator_managed");
    world["network_interfaces"].as_array_mut().unwrap().push(door);
    with(world, |network| {
        let ask = |from: &str| {
            network.reach(&question(json!({"from": from, "to": "eni-task", "protocol": "tcp", "port": 80, "via": "lb"}))).reachable
        };
        assert_eq!((ask("internet:203.0.113.7"), ask("internet:198.51.100.7")), (None, Some(false)));
    });
}

#[test]
fn what_a_cloudfront_origin_reaches_may_be_on_the_internet() {
    let mut world = world();
    let mut door = eni("eni-cf", "subnet-pub", "10.0.0.98", &["sg-alb"]);
    door["TagSet"] = json!([{"Key": "aws.cloudfront.vpcorigin", "Value": "enabled"}]);
    world["network_interfaces"].as_array_mut().unwrap().push(door);
    let doubt = "front-door:cloudfront_vpc_origin:eni-cf";
    with(world, |network| {
        let ask = |to: &str, port: u16| {
            network.reach(&question(json!({"from": "internet", "to": to, "protocol": "tcp", "port": port, "via": "direct"})))
        };
        // The group of the task lets in what carries the door's group, which no address on the internet does.
        let task = ask("eni-task", 8080);
        assert_eq!((task.reachable, task.unknown.as_deref()), (None, Some(doubt)));
        assert_eq!(ask("eni-task", 22).reachable, Some(false), "the door does not get there either");
        assert_eq!(ask("eni-db", 5432).reachable, None, "its group lets in the door's subnet");
        let exposure = network.exposure("eni-task").unwrap();
        assert!(exposure.missing().contains(&doubt));
        let ports: Vec<String> = exposure.direct.by_doors.iter().map(|flow| format!("{}/{}", flow.protocol, flow.ports)).collect();
        assert_eq!(ports, ["tcp/8080"]);
        assert!(exposure.direct.doubtful.is_empty());
        let six = question(json!({"from": "internet:2600::7", "to": "eni-task", "protocol": "tcp", "port": 8080}));
        assert_eq!(network.reach(&six).reachable, None, "clients of either family knock at it");
        let all = network.exposures();
        assert_eq!(all.of("eni-task").unwrap().direct, exposure.direct);
    });
}

#[test]
fn egress_names_its_gateway_and_its_addresses() {
    with(world(), |network| {
        let task = network.egress("eni-task").unwrap();
        assert_eq!(task.kind, EgressKind::InternetNat);
        assert_eq!((task.ways[0].through.as_str(), task.ways[0].public_ips.as_slice()), ("nat-1", &["198.18.0.30".to_owned()][..]));
        assert_eq!((task.ways[1].kind, task.ways[1].through.as_str()), (EgressKind::EndpointsOnly, "vpce-s3"));
        assert_eq!(task.interface_endpoints, ["vpce-ecr"]);
        assert_eq!(network.egress("eni-web").unwrap().kind, EgressKind::InternetDirect);
    });
}

#[test]
fn without_a_default_route_only_endpoints_are_left() {
    let mut world = world();
    world["route_tables"][1]["Routes"].as_array_mut().unwrap().remove(1);
    assert_eq!(with(world, |network| network.egress("eni-task").unwrap().kind), EgressKind::EndpointsOnly);
}

#[test]
fn a_transit_gateway_makes_egress_unknown() {
    let mut world = world();
    world["route_tables"][1]["Routes"][1] = json!({"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"});
    let egress = with(world, |network| network.egress("eni-task").unwrap());
    assert_eq!(egress.kind, EgressKind::Unknown);
    assert_eq!(egress.ways.iter().find(|way| way.through == "tgw-1").unwrap().missing, ["filtered-by:tgw-1"]);
}

#[test]
fn an_endpoint_serves_only_whom_its_groups_admit() {
    with(world(), |network| {
        let reachable = EndpointAccess::Reachable { endpoint: "vpce-ecr".to_owned(), kind: "Interface".to_owned() };
        assert_eq!(network.endpoint_access("eni-task", "ecr.api"), reachable);
        let blocked = EndpointAccess::Blocked { endpoint: "vpce-ecr".to_owned(), blocked_by: "sg-in:eni-ecr".to_owned() };
        assert_eq!(network.endpoint_access("eni-db", "ecr.api"), blocked);
        assert_eq!(network.endpoint_access("eni-task", "kms"), EndpointAccess::Absent);
        let gateway = EndpointAccess::Reachable { endpoint: "vpce-s3".to_owned(), kind: "Gateway".to_owned() };
        assert_eq!(network.endpoint_access("eni-task", "s3"), gateway);
        let unrouted = EndpointAccess::Blocked { endpoint: "vpce-s3".to_owned(), blocked_by: "route:subnet-pub:none".to_owned() };
        assert_eq!(network.endpoint_access("eni-web", "s3"), unrouted);
    });
}

#[test]
fn an_endpoint_without_private_dns_does_not_answer_to_the_usual_name() {
    let mut world = world();
    world["vpc_endpoints"][1]["PrivateDnsEnabled"] = json!(false);
    let access = with(world, |network| network.endpoint_access("eni-task", "ecr.api"));
    assert_eq!(access, EndpointAccess::Blocked { endpoint: "vpce-ecr".to_owned(), blocked_by: "private-dns:vpce-ecr".to_owned() });
}

#[test]
fn endpoints_that_were_not_listed_are_unknown_and_not_absent() {
    let mut world = world();
    world["missing"] = json!(["ec2:DescribeVpcEndpoints"]);
    let access = with(world, |network| network.endpoint_access("eni-task", "kms"));
    assert_eq!(access, EndpointAccess::Unknown { missing: "not-read:ec2:DescribeVpcEndpoints".to_owned() });
}

#[test]
fn sources_of_a_database_are_members_and_neighbours() {
    with(world(), |network| {
        let sources = network.sources_of("eni-db", Protocol::TCP, 5432).unwrap();
        assert_eq!(sources.interfaces, ["eni-node", "eni-task", "eni-web"]);
        assert_eq!(sources.blocks.to_string(), "10.0.0.0/24");
        assert!(sources.internet.is_empty());
        assert_eq!(network.sources_of("eni-db", Protocol::TCP, 5433).unwrap().interfaces, [] as [&str; 0]);
        let selectors = network.selectors();
        assert_eq!(selectors.admitting("eni-task", Protocol::TCP, 5432), ["eni-db"]);
        assert_eq!(selectors.admitting("eni-web", Protocol::TCP, 5432), ["eni-db"]);
        assert_eq!(selectors.admitting("eni-db", Protocol::TCP, 5432), [] as [&str; 0]);
    });
}

#[test]
fn an_explanation_names_the_rule_of_each_hop_and_what_closes_it() {
    with(world(), |network| {
        let explained =
            network.explain(&question(json!({"from": "internet", "to": "eni-web", "protocol": "tcp", "port": 22, "via": "direct"})));
        let text = explained.to_string();
        assert!(text.starts_with("internet -> eni-web tcp/22: reachable\n"), "{text}");
        assert!(
            text.contains("ok security groups, inbound, eni-web, sg-web: tcp/22 from 203.0.113.0/24 -> tcp/22 203.0.113.0/24"),
            "{text}"
        );
        assert!(text.contains("reply: route, rtb-pub, 0.0.0.0/0 to igw-1"), "{text}");
        assert_eq!(explained.fixes.len(), 1);
        assert_eq!((explained.fixes[0].group.as_str(), explained.fixes[0].permission), ("sg-web", 2));
    });
}

#[test]
fn beside_an_open_path_the_closed_ones_take_a_line_each() {
    with(world(), |network| {
        let explained = network.explain(&question(json!({"from": "internet", "to": "eni-web", "family": 4, "via": "direct"})));
        let text = explained.to_string();
        let closed: Vec<&str> = text.lines().filter(|line| line.starts_with("closed: ")).collect();
        assert_eq!(closed, ["closed: icmp, udp, other IPv4 straight: sg-in:eni-web"], "{text}");
        assert!(text.contains("\ntcp IPv4 straight: reachable\n"), "{text}");
        let named = |id: &str| (id == "eni-web").then(|| "task of shop/web".to_owned());
        let mut told = String::new();
        explained.tell(&named, &mut told).unwrap();
        assert!(told.starts_with("internet -> eni-web (task of shop/web): reachable\n"), "{told}");
    });
}

#[test]
fn interfaces_behind_the_same_rules_fare_alike() {
    let mut world = world();
    let interfaces = world["network_interfaces"].as_array_mut().unwrap();
    interfaces.push(eni("eni-db2", "subnet-priv", "10.0.1.78", &["sg-db"]));
    interfaces.push(eni("eni-other", "subnet-priv", "10.0.1.79", &["sg-web"]));
    with(world, |network| {
        let explain = |to: &str| network.explain(&question(json!({"from": "internet", "to": to, "protocol": "tcp", "port": 5432})));
        let db = explain("eni-db");
        assert_eq!(db.fares(), explain("eni-db2").fares());
        assert_ne!(db.fares(), explain("eni-other").fares(), "other groups speak there");
        assert!(db.to_string().contains("lets packets in from the internet"), "{db}");
    });
}

#[test]
fn an_explanation_marks_the_first_block_and_shows_the_others() {
    with(world(), |network| {
        let explained = network
            .explain(&question(json!({"from": "internet:203.0.113.7", "to": "eni-db", "protocol": "tcp", "port": 5432, "via": "direct"})));
        let blocks: Vec<(&str, bool)> =
            explained.paths[0].steps.iter().filter_map(|step| Some((step.blocked_by.as_deref()?, step.first))).collect();
        assert_eq!(blocks, [("no-public-ip:eni-db", true), ("sg-in:eni-db", false), ("return-route:subnet-priv:nat", false)]);
        assert!(explained.fixes.is_empty());
    });
}

#[test]
fn a_rule_that_others_share_says_so() {
    let mut world = world();
    world["network_interfaces"].as_array_mut().unwrap().push(eni("eni-web2", "subnet-priv", "10.0.1.77", &["sg-web"]));
    let explained = with(world, |network| {
        network.explain(&question(json!({"from": "internet", "to": "eni-web", "protocol": "tcp", "port": 443, "via": "direct"})))
    });
    assert_eq!(explained.fixes.len(), 2, "both halves must go");
    assert_eq!((explained.fixes[0].shared, explained.fixes[0].shared_with.as_slice()), (1, &["eni-web2".to_owned()][..]));
}

#[test]
fn a_block_of_private_addresses_is_inside() {
    with(world(), |network| {
        let inside =
            network.reach(&question(json!({"from": "10.0.0.0/8", "to": "eni-db", "protocol": "tcp", "port": 5432, "via": "direct"})));
        assert_eq!(inside.reachable, Some(true));
        assert_eq!(inside.paths[0].flows[0].peers.to_string(), "10.0.0.0/24");
        let outside =
            network.reach(&question(json!({"from": "192.168.0.0/16", "to": "eni-db", "protocol": "tcp", "port": 5432, "via": "direct"})));
        assert_eq!(outside.reachable, Some(false));
    });
}

#[test]
fn a_question_without_a_port_is_answered_with_all_open_ports() {
    with(world(), |network| {
        let answer =
            network.reach(&Question { via: Some(Via::Direct), ..Question::new("internet".parse().unwrap(), "eni-web".parse().unwrap()) });
        let mut words: Vec<String> = answer.paths.iter().flat_map(|path| &path.flows).map(ToString::to_string).collect();
        words.sort();
        assert_eq!(words, ["tcp/22 203.0.113.0/24", "tcp/443 0.0.0.0/0"]);
    });
}

/// A network load balancer whose one target is the load balancer of [`world`], which is internal.
fn chained(inner_admits: &str) -> Value {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/outer/fedcba9876543210";
    let mut world = world();
    world["load_balancers"][0]["Scheme"] = json!("internal");
    world["security_groups"][1]["IpPermissions"] = json!([tcp(80, inner_admits)]);
    let mut node = eni("eni-outer", "subnet-pub", "10.0.0.40", &[]);
    node["InterfaceType"] = json!("network_load_balancer");
    node["Description"] = json!("ELB net/outer/fedcba9876543210");
    node["Association"] = json!({"PublicIp": "198.18.0.40"});
    world["network_interfaces"].as_array_mut().unwrap().push(node);
    world["load_balancers"].as_array_mut().unwrap().push(json!({"LoadBalancerArn": arn, "LoadBalancerName": "outer", "Type": "network",
        "Scheme": "internet-facing", "VpcId": "vpc-1", "State": {"Code": "active"}}));
    world["listeners"]
        .as_array_mut()
        .unwrap()
        .push(json!({"ListenerArn": "arn:outer", "LoadBalancerArn": arn, "Port": 443, "Protocol": "TCP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": "arn:chain"}]}));
    world["target_groups"]
        .as_array_mut()
        .unwrap()
        .push(json!({"TargetGroupArn": "arn:chain", "TargetGroupName": "chain", "Protocol": "TCP",
        "Port": 80, "VpcId": "vpc-1", "TargetType": "alb"}));
    world["target_health"]["arn:chain"] = json!([{"Target": {"Id": balancer_arn(), "Port": 80}, "TargetHealth": {"State": "healthy"}}]);
    world
}

#[test]
fn a_chain_of_load_balancers_is_followed_with_the_clients_own_address() {
    let exposure = with(chained("203.0.113.0/24"), |network| network.exposure("eni-task").unwrap());
    assert_eq!(exposure.balanced.len(), 1);
    let balanced = exposure.balanced[0].balanced.as_ref().unwrap();
    assert_eq!(
        (balanced.load_balancer.as_str(), balanced.listener_port, balanced.through.as_deref()),
        ("outer", 443, Some(balancer_arn()))
    );
    assert_eq!(exposure.balanced[0].flows[0].to_string(), "tcp/443 203.0.113.0/24");
}

#[test]
fn a_chain_is_closed_where_its_inner_load_balancer_admits_nobody_outside() {
    with(chained("10.0.0.0/24"), |network| {
        assert_eq!(network.exposure("eni-task").unwrap().reachable(), Some(false));
        let answer = network
            .reach(&question(json!({"from": "internet", "to": "eni-task", "protocol": "tcp", "port": 443, "family": 4, "via": "lb"})));
        assert_eq!(answer.blocked_by.as_deref(), Some("sg-in:eni-node"));
    });
}

#[test]
fn a_listener_for_both_protocols_exposes_both() {
    let mut world = chained("0.0.0.0/0");
    world["target_groups"][1] = json!({"TargetGroupArn": "arn:chain", "TargetGroupName": "both", "Protocol": "TCP_UDP", "Port": 8080,
        "VpcId": "vpc-1", "TargetType": "ip"});
    world["target_health"]["arn:chain"] = json!([{"Target": {"Id": "10.0.1.10", "Port": 8080}, "TargetHealth": {"State": "healthy"}}]);
    world["listeners"][1]["Protocol"] = json!("TCP_UDP");
    let mut datagrams = tcp(8080, "192.0.2.0/24");
    datagrams["IpProtocol"] = json!("udp");
    world["security_groups"][2] = group("sg-task", &[tcp(8080, "203.0.113.0/24"), datagrams]);
    let exposure = with(world, |network| network.exposure("eni-task").unwrap());
    let flows: Vec<String> = exposure.balanced.iter().flat_map(|path| &path.flows).map(ToString::to_string).collect();
    assert_eq!(flows, ["tcp/443 203.0.113.0/24", "udp/443 192.0.2.0/24"]);
}

/// [`chained`], where clients come over IPv6 to the outer load balancer alone.
fn chained_over_ipv6(inner_admits: &str) -> Value {
    let mut world = chained(inner_admits);
    world["vpcs"][0]["Ipv6CidrBlockAssociationSet"] = json!([{"Ipv6CidrBlock": "2600:1f18:1:100::/56"}]);
    for egress in [false, true] {
        world["network_acls"][0]["Entries"]
            .as_array_mut()
            .unwrap()
            .push(json!({"RuleNumber": 101, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "Ipv6CidrBlock": "::/0"}));
    }
    world["route_tables"][0]["Routes"].as_array_mut().unwrap().push(json!({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}));
    world["load_balancers"][1]["IpAddressType"] = json!("dualstack");
    let interfaces = world["network_interfaces"].as_array_mut().unwrap();
    let node = interfaces.iter_mut().find(|eni| eni["NetworkInterfaceId"] == "eni-outer").unwrap();
    node["Ipv6Addresses"] = json!([{"Ipv6Address": "2600:1f18:1:100::40"}]);
    world
}

#[test]
fn a_chain_hides_the_client_where_the_families_differ() {
    let ask = json!({"from": "internet:2001:db8::7", "to": "eni-task", "protocol": "tcp", "port": 443, "family": 6, "via": "lb"});
    let reach = |world: Value| with(world, |network| network.reach(&question(ask.clone())));
    assert_eq!(reach(chained_over_ipv6("10.0.0.40/32")).reachable, Some(true));
    assert_eq!(reach(chained_over_ipv6("10.0.0.41/32")).blocked_by.as_deref(), Some("sg-in:eni-node"));
    let ruled = |source: &str| {
        let mut world = chained_over_ipv6("10.0.0.40/32");
        world["rules"] = json!({"arn:listener": [{"Priority": "1", "Actions": world["listeners"][0]["DefaultActions"],
            "Conditions": [{"Field": "source-ip", "SourceIpConfig": {"Values": [source]}}]}]});
        world["listeners"][0]["DefaultActions"] = json!([{"Type": "fixed-response"}]);
        reach(world).reachable
    };
    assert_eq!(ruled("10.0.0.40/32"), Some(true), "the inner listener sees the outer node");
    assert_eq!(ruled("2001:db8::/32"), Some(false));
}

#[test]
fn listings_that_nobody_asked_for_are_unknown() {
    let file = WorldFile::from_value(world()).unwrap();
    let asked = ["ec2:DescribeInternetGateways".to_owned(), "elasticloadbalancing:DescribeLoadBalancers".to_owned()].into();
    let network = Network::compile(&plimsoll_net::World { operations: Some(&asked), ..file.world() });
    assert_eq!(network.exposure("eni-web").unwrap().reachable(), None);
    assert_eq!(
        network.endpoint_access("eni-task", "kms"),
        EndpointAccess::Unknown { missing: "not-read:ec2:DescribeVpcEndpoints".to_owned() }
    );
}
