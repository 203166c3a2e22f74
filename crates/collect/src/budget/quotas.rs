//! `quotas.json` flows in; the request class of each operation, with the bucket that AWS keeps for it, flows out.

use std::sync::LazyLock;

use serde::Deserialize;

/// Where no figure is published.
const UNPUBLISHED: &str = "unpublished: default";

static FILE: LazyLock<Result<File, serde_json::Error>> = LazyLock::new(|| serde_json::from_str(include_str!("../quotas.json")));

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    /// For operations that no class names: an assumption, one bucket for each operation.
    default: Assumed,
    services: Vec<Service>,
    /// Services for which AWS publishes no request rates at all.
    unpublished: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Assumed {
    capacity: f64,
    rate: f64,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Service {
    /// As in IAM actions.
    #[serde(rename = "service")]
    prefix: String,
    source: String,
    /// The day on which the source said so.
    looked_up: String,
    classes: Vec<Class>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    name: String,
    /// Names of operations; a `*` at the end stands for any rest. The first class that fits is taken.
    operations: Vec<String>,
    /// Whether each operation has a bucket of its own.
    #[serde(default)]
    each: bool,
    capacity: f64,
    /// Tokens that come back in a second.
    rate: f64,
    /// Where this figure is from, if not from the source of the service.
    #[serde(default)]
    source: Option<String>,
}

/// The bucket that AWS keeps for some operations, in each account and Region.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// The service prefix, as in IAM actions; `*` for the default.
    pub service: String,
    /// The name of the request class.
    pub class: String,
    /// The operations that it is for; a `*` at the end stands for any rest.
    pub operations: Vec<String>,
    /// Whether each operation has a bucket of its own, rather than one together.
    pub each: bool,
    /// Requests at once.
    pub capacity: f64,
    /// Requests a second in the long run.
    pub rate: f64,
    /// The page that says so, or that none does.
    pub source: String,
    /// The day on which it said so.
    pub looked_up: Option<String>,
}

/// Every request class that is known, and the default at the end.
pub fn quotas() -> Vec<Quota> {
    let Ok(file) = &*FILE else { return vec![fallback(None)] };
    let published = file.services.iter().flat_map(|service| service.classes.iter().map(|class| published(service, class)));
    published.chain([fallback(Some(file))]).collect()
}

/// Services of which it is known that AWS publishes no request rates.
pub fn services_without_quotas() -> Vec<String> {
    FILE.as_ref().map_or_else(|_| Vec::new(), |file| file.unpublished.clone())
}

/// The request class of an operation.
pub(super) fn quota(service: &str, operation: &str) -> Quota {
    let Ok(file) = &*FILE else { return fallback(None) };
    let services = file.services.iter().filter(|known| known.prefix == service);
    let mut classes = services.flat_map(|service| service.classes.iter().map(move |class| (service, class)));
    let found = classes.find(|(_, class)| class.operations.iter().any(|pattern| fits(pattern, operation)));
    found.map_or_else(|| fallback(Some(file)), |(service, class)| published(service, class))
}

fn published(service: &Service, class: &Class) -> Quota {
    Quota {
        service: service.prefix.clone(),
        class: class.name.clone(),
        operations: class.operations.clone(),
        each: class.each,
        capacity: class.capacity,
        rate: class.rate,
        source: class.source.as_ref().unwrap_or(&service.source).clone(),
        looked_up: Some(service.looked_up.clone()),
    }
}

/// What is assumed where AWS publishes nothing.
fn fallback(file: Option<&File>) -> Quota {
    let (capacity, rate, source) = match file {
        Some(File { default, .. }) => (default.capacity, default.rate, default.source.as_str()),
        // A test reads the file, so that this never ships.
        None => (1.0, 1.0, UNPUBLISHED),
    };
    let (service, class) = ("*".to_owned(), "default".to_owned());
    Quota { service, class, operations: vec!["*".to_owned()], each: true, capacity, rate, source: source.to_owned(), looked_up: None }
}

fn fits(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => operation.starts_with(beginning),
        None => operation == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE, UNPUBLISHED, quota, quotas};
    use std::collections::BTreeSet;

    #[test]
    fn the_file_is_read_and_in_order() {
        let file = FILE.as_ref().unwrap();
        assert!(file.services.is_sorted_by(|a, b| a.prefix < b.prefix));
        assert!(file.unpublished.is_sorted_by(|a, b| a < b));
        for service in &file.services {
            assert!(!file.unpublished.contains(&service.prefix), "{} is published and is not", service.prefix);
        }
        assert_eq!(file.default.source, UNPUBLISHED);
    }

    #[test]
    fn every_figure_is_possible_and_says_where_it_is_from() {
        for quota in quotas() {
            let class = format!("{} {}", quota.service, quota.class);
            assert!(quota.capacity >= 1.0 && quota.rate > 0.0 && quota.rate <= quota.capacity, "{class}");
            assert!(!quota.operations.is_empty(), "{class}");
            match quota.looked_up {
                Some(day) => {
                    assert!(day.parse::<jiff::civil::Date>().is_ok(), "{class}: {day}");
                    let of_aws = ["https://docs.aws.amazon.com/", "https://aws.amazon.com/"];
                    assert!(of_aws.iter().any(|site| quota.source.starts_with(site)), "{class}: {}", quota.source);
                }
                None => assert_eq!(quota.source, UNPUBLISHED),
            }
        }
    }

    #[test]
    fn no_operation_is_named_twice() {
        let mut named = BTreeSet::new();
        for quota in quotas() {
            for operation in quota.operations {
                assert!(named.insert((quota.service.clone(), operation.clone())), "{}:{operation}", quota.service);
            }
        }
    }

    #[test]
    fn operations_find_their_class() {
        let class = |service, operation| {
            let quota = quota(service, operation);
            (quota.class, quota.capacity, quota.rate)
        };
        assert_eq!(class("ecs", "DescribeTasks"), ("cluster resource read".to_owned(), 100.0, 20.0));
        assert_eq!(class("cloudtrail", "LookupEvents"), ("lookup".to_owned(), 2.0, 2.0));
        assert_eq!(class("cloudtrail", "GetTrailStatus"), ("read".to_owned(), 10.0, 10.0));
        assert_eq!(class("ec2", "DescribeSubnets"), ("non-mutating".to_owned(), 100.0, 20.0));
        assert_eq!(class("iam", "GetRole").0, "default");
        assert_eq!(class("ecr", "DescribeRepositories").0, "default");
    }

    #[test]
    fn every_operation_of_a_service_that_publishes_all_is_in_a_class() {
        let complete = ["ec2", "ecs", "kms", "sts"];
        for operation in crate::operations().into_iter().filter(|operation| complete.contains(&operation.service)) {
            assert_ne!(quota(operation.service, operation.name).class, "default", "{}", operation.id());
        }
    }
}
