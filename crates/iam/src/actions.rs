//! The actions that AWS services have, with their access levels. A table that `build/actions.py` generates flows in.

use std::fmt;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// The table; its comment says where it comes from.
const TABLE: &str = include_str!("../data/actions.txt");

/// What kind of access an action gives, in the words of the Service Authorization Reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Shows which resources there are.
    List,
    /// Shows what is in them.
    Read,
    /// Sets tags.
    Tagging,
    /// Creates, changes and deletes.
    Write,
    /// Grants or changes permissions.
    PermissionsManagement,
}

impl fmt::Display for AccessLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Tagging => "tagging",
            Self::Write => "write",
            Self::PermissionsManagement => "permissions management",
        })
    }
}

/// An action of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAction {
    /// Its name without the service, in AWS's spelling.
    pub name: &'static str,
    /// What kind of access it gives.
    pub level: AccessLevel,
    /// Whether it is asked on resources; if not, it is asked on `*` alone.
    pub takes_resource: bool,
}

static SERVICES: LazyLock<FxHashMap<&'static str, Vec<KnownAction>>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (service, groups) = line.split_once(' ')?;
            let mut actions: Vec<KnownAction> = groups.split(' ').flat_map(group).collect();
            actions.sort_by_cached_key(|action| action.name.to_ascii_lowercase());
            Some((service, actions))
        })
        .collect()
});

/// One group of a line: `W=CreateCluster,CreateService`.
fn group(text: &'static str) -> impl Iterator<Item = KnownAction> {
    let (key, names) = text.split_once('=').unwrap_or(("", ""));
    let level = match key {
        "l" | "L" => Some(AccessLevel::List),
        "r" | "R" => Some(AccessLevel::Read),
        "t" | "T" => Some(AccessLevel::Tagging),
        "w" | "W" => Some(AccessLevel::Write),
        "p" | "P" => Some(AccessLevel::PermissionsManagement),
        _ => None,
    };
    let takes_resource = key.chars().all(char::is_uppercase);
    names.split(',').filter_map(move |name| Some(KnownAction { name, level: level?, takes_resource }))
}

/// The actions of a service by name, or nothing if the table does not have the service. The name is in lower case.
pub fn actions_of(service: &str) -> &'static [KnownAction] {
    SERVICES.get(service).map_or(&[], Vec::as_slice)
}

/// Looks an action up; service and name in lower case.
pub(crate) fn find(service: &str, name: &str) -> Option<&'static KnownAction> {
    let actions = actions_of(service);
    let at = actions.binary_search_by(|action| action.name.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(name.bytes())).ok()?;
    actions.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_found_with_its_level() {
        let token = find("ecr", "getauthorizationtoken").unwrap();
        assert_eq!((token.level, token.takes_resource), (AccessLevel::Read, false));
        let run = find("ecs", "runtask").unwrap();
        assert_eq!((run.name, run.level, run.takes_resource), ("RunTask", AccessLevel::Write, true));
        assert_eq!(find("ecs", "walktask"), None);
        assert_eq!(find("no-such-service", "x"), None);
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(SERVICES.len(), lines);
        assert!(SERVICES.values().map(Vec::len).sum::<usize>() > 20_000);
    }
}
