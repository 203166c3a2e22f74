//! What checks of security groups share: openings and sources in words and as evidence, and which ports administer hosts
//! or serve databases.

use plimsoll_graph::{Family, OpenPorts, Source};
use plimsoll_model::aws::ec2::IpPermission;
use serde_json::{Value, json};

use crate::reading::{distinct, listed};

/// Openings, rules and sources that evidence lists.
const SHOWN: usize = 20;

/// Ports over which hosts, container engines and clusters are administered: SSH, Telnet, RPC, SMB, RDP, VNC, WinRM, Docker,
/// etcd, the API server of Kubernetes, kubelet, the ECS agent.
const ADMINISTRATION: &[u16] = &[22, 23, 135, 445, 3389, 5900, 5985, 5986, 2375, 2376, 2379, 2380, 6443, 10250, 10255, 51678, 51679];

/// Ports of databases: SQL Server, Oracle, MySQL, PostgreSQL, Redshift, Db2, CouchDB, Redis, InfluxDB, Cassandra,
/// Elasticsearch and OpenSearch, Memcached, MongoDB and DocumentDB, Neo4j and Neptune.
const DATABASES: &[u16] = &[
    1433, 1434, 1521, 3306, 4333, 5432, 5439, 50000, 5984, 6379, 6380, 8086, 9042, 9160, 9200, 9300, 11211, 27017, 27018, 27019, 7474,
    7687, 8182,
];

/// Whether everything is open, or a port of administration or of a database.
pub(crate) fn is_grave(opening: &OpenPorts) -> bool {
    opening.protocol == "-1" || ADMINISTRATION.iter().chain(DATABASES).any(|&port| opening.admits_port(port))
}

/// Openings in words: `every protocol`, `tcp 22 and udp 53-60`, what is open to IPv6 alone marked.
pub(crate) fn opened(openings: &[OpenPorts]) -> String {
    let words = |opening: &OpenPorts| match (opening.protocol.as_str(), opening.ports) {
        ("-1", _) => "every protocol".to_owned(),
        (protocol, None) if protocol.bytes().all(|byte| byte.is_ascii_digit()) => format!("protocol {protocol}"),
        (protocol, None) => protocol.to_owned(),
        (protocol, Some((first, last))) if first == last => format!("{protocol} {first}"),
        (protocol, Some((0, u16::MAX))) => format!("every port of {protocol}"),
        (protocol, Some((first, last))) => format!("{protocol} {first}-{last}"),
    };
    let of = |family: Family| openings.iter().filter(move |opening| opening.family == family).map(words);
    let mut told: Vec<String> = of(Family::V4).collect();
    let ipv6: Vec<String> =
        of(Family::V6).filter(|opening| !told.contains(opening)).map(|opening| format!("{opening} over IPv6")).collect();
    told.extend(ipv6);
    listed(&told)
}

/// Openings for evidence.
pub(crate) fn openings_evidence(openings: &[OpenPorts]) -> Value {
    let one = |opening: &OpenPorts| {
        let family = if opening.family == Family::V4 { "0.0.0.0/0" } else { "::/0" };
        json!({"IpProtocol": opening.protocol, "FromPort": opening.ports.map(|(first, _)| first), "ToPort": opening.ports.map(|(_, last)| last), "from": family})
    };
    openings.iter().take(SHOWN).map(one).collect()
}

/// The rules that have a part in openings, for evidence.
pub(crate) fn opening_rules(rules: &[IpPermission], openings: &[OpenPorts]) -> Value {
    rules.iter().filter(|rule| openings.iter().any(|opening| opening.is_by(rule))).take(SHOWN).map(|rule| json!(rule)).collect()
}

/// Sources in words: ranges, with the prefix list that one is in.
pub(crate) fn sources_listed(sources: &[Source<'_>]) -> String {
    let told: Vec<String> = sources
        .iter()
        .map(|source| match source.prefix_list_id {
            Some(list) => format!("{} (of {list})", source.cidr),
            None => source.cidr.to_owned(),
        })
        .collect();
    listed(&distinct(told.iter().map(String::as_str)))
}

/// Sources for evidence.
pub(crate) fn sources_evidence(sources: &[Source<'_>]) -> Value {
    sources.iter().take(SHOWN).map(|source| json!({"CidrIp": source.cidr, "PrefixListId": source.prefix_list_id})).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_graph::{Family, OpenPorts};

    use super::{is_grave, opened};

    fn opening(protocol: &str, ports: Option<(u16, u16)>, family: Family) -> OpenPorts {
        OpenPorts { protocol: protocol.to_owned(), ports, family }
    }

    #[test]
    fn openings_are_told_once_for_both_families() {
        let ssh = |family| opening("tcp", Some((22, 22)), family);
        assert_eq!(opened(&[ssh(Family::V4), ssh(Family::V6)]), "tcp 22");
        let more =
            [ssh(Family::V4), opening("udp", Some((50, 60)), Family::V6), opening("-1", None, Family::V6), opening("50", None, Family::V4)];
        assert_eq!(opened(&more), "tcp 22, protocol 50, udp 50-60 over IPv6 and every protocol over IPv6");
    }

    #[test]
    fn a_range_of_ports_is_as_grave_as_the_gravest_in_it() {
        assert!(is_grave(&opening("tcp", Some((0, 65_535)), Family::V4)));
        assert!(is_grave(&opening("tcp", Some((5400, 5500)), Family::V6)));
        assert!(!is_grave(&opening("tcp", Some((8080, 8080)), Family::V4)));
        assert!(!is_grave(&opening("icmp", None, Family::V4)));
    }
}
