//! Gaps and undecided findings flow in; what could not be read, what it left undecided and what would mend it flow out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Finding, Gap, Region, ScanResult, Status};
use serde_json::Value;

use crate::display::{SHORT, count, name, shown};

/// One operation that failed in one way, wherever it did.
#[derive(Default)]
pub(crate) struct Unread<'r> {
    /// `service:Operation`; empty when an undecided finding names none.
    pub(crate) operation: &'r str,
    /// The error code.
    pub(crate) code: &'r str,
    /// Regions by account, where it failed.
    places: BTreeMap<&'r str, BTreeSet<&'r str>>,
    /// For what the collector never asks, the services; that is told once.
    services: BTreeSet<&'r str>,
    /// One of the messages.
    pub(crate) message: &'r str,
    /// Undecided findings that hang on it, by check.
    pub(crate) checks: BTreeMap<&'r str, Vec<&'r Finding>>,
}

/// What could not be read: what leaves most undecided comes first.
pub(crate) fn unread<'r>(result: &'r ScanResult) -> Vec<Unread<'r>> {
    let mut all: BTreeMap<(&str, &str), Unread<'r>> = BTreeMap::new();
    let mut add = |operation: &'r str, code, account: &'r str, region, message| {
        let unread = all.entry(key(operation, code)).or_insert_with(|| Unread { operation, code, ..Unread::default() });
        if code == Gap::NOT_COLLECTED {
            unread.services.extend(operation.split(':').next());
        }
        if !account.is_empty() {
            unread.places.entry(account).or_default().insert(region);
        }
        if unread.message.is_empty() {
            unread.message = message;
        }
    };
    for gap in &result.gaps {
        add(&gap.operation, &gap.code, gap.account.as_str(), gap.region.as_str(), &gap.message);
    }
    let undecided = || result.findings.iter().filter(|finding| finding.status == Status::Unknown);
    for finding in undecided() {
        for Missing { operation, code, region } in missing(finding) {
            let region = if region.is_empty() { finding.resource.region.as_str() } else { region };
            add(operation, code, finding.resource.account.as_str(), region, "");
        }
    }
    for finding in undecided() {
        let keys: BTreeSet<(&str, &str)> = missing(finding).iter().map(|one| key(one.operation, one.code)).collect();
        for key in keys {
            if let Some(unread) = all.get_mut(&key) {
                unread.checks.entry(&finding.check).or_default().push(finding);
            }
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|unread| {
        (unread.rank(), Reverse(unread.verdicts()), Reverse(unread.places.values().map(BTreeSet::len).sum::<usize>()))
    });
    all
}

/// What is told together: one operation that failed in one way, and everything that the collector never asks.
fn key<'r>(operation: &'r str, code: &'r str) -> (&'r str, &'r str) {
    if code == Gap::NOT_COLLECTED { ("", code) } else { (operation, code) }
}

/// One of the things that an undecided finding lacks; every field may be empty.
#[derive(Clone, Copy, Default)]
struct Missing<'r> {
    operation: &'r str,
    code: &'r str,
    region: &'r str,
}

impl<'r> Missing<'r> {
    fn of(gap: &'r Value) -> Option<Self> {
        let field = |name| gap.get(name).and_then(Value::as_str);
        Some(Self { operation: field("operation")?, code: field("code").unwrap_or_default(), region: field("region").unwrap_or_default() })
    }
}

/// What an undecided finding lacks: `evidence.missing` is a gap or a list of gaps.
fn missing(finding: &Finding) -> Vec<Missing<'_>> {
    let list = match finding.evidence.get("missing") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let found: Vec<_> = list.iter().filter_map(Missing::of).collect();
    if found.is_empty() { vec![Missing::default()] } else { found }
}

impl Unread<'_> {
    /// How many verdicts hang on it.
    pub(crate) fn verdicts(&self) -> usize {
        self.checks.values().map(Vec::len).sum()
    }

    /// What comes first: whole accounts, then what a permission or a second scan mends, then what somebody closed on purpose.
    fn rank(&self) -> u8 {
        match () {
            () if self.is_never_asked() => 3,
            () if self.code == Gap::REGION_CLOSED => 2,
            () => u8::from(!self.closes_account()),
        }
    }

    /// Whether nothing at all was read where it failed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closes_account() || self.code == Gap::REGION_CLOSED
    }

    fn closes_account(&self) -> bool {
        let gap = Gap { operation: self.operation.to_owned(), code: self.code.to_owned(), region: Region::global(), ..Gap::default() };
        gap.closes_account()
    }

    /// Whether the collector never asks: no permission and no second scan mends that.
    pub(crate) fn is_never_asked(&self) -> bool {
        self.code == Gap::NOT_COLLECTED
    }

    /// What was asked and what came back.
    pub(crate) fn what(&self) -> String {
        if self.is_never_asked() {
            self.services.iter().map(|service| shown(service, SHORT)).collect::<Vec<_>>().join(", ")
        } else if self.operation.is_empty() {
            "other reasons".to_owned()
        } else if self.code == Gap::REGION_CLOSED {
            "everything".to_owned()
        } else {
            shown(self.operation, SHORT)
        }
    }

    /// Where it failed, in a few words.
    pub(crate) fn place(&self) -> String {
        if self.is_never_asked() {
            return String::new();
        }
        let regions: BTreeSet<&str> = self.places.values().flatten().copied().collect();
        let regions_text = match (regions.first(), regions.len()) {
            (_, 0) => return String::new(),
            (Some(region), 1) => name(region),
            (_, 2..=3) => regions.iter().map(|region| name(region)).collect::<Vec<_>>().join(", "),
            (_, many) => count(many, "Region"),
        };
        match (self.places.keys().next(), self.places.len()) {
            (Some(account), 1) if self.closes_account() => name(account),
            (_, accounts) if self.closes_account() => count(accounts, "account"),
            (Some(account), 1) => format!("{} in {regions_text}", name(account)),
            (_, accounts) => format!("{} in {regions_text}", count(accounts, "account")),
        }
    }

    /// What it left undecided.
    pub(crate) fn effect(&self) -> String {
        let resources: BTreeSet<&str> = self.checks.values().flatten().map(|finding| finding.resource.arn.as_str()).collect();
        if self.is_never_asked() {
            format!("the part of {} that rests on these services", count(self.checks.len(), "check"))
        } else if resources.is_empty() {
            "not seen, so not judged".to_owned()
        } else {
            format!("{} unknown on {}", count(self.checks.len(), "check"), count(resources.len(), "resource"))
        }
    }

    /// What the reader can do about it.
    pub(crate) fn remedy(&self, action: fn(&str) -> &str) -> String {
        let gap = Gap { code: self.code.to_owned(), ..Gap::default() };
        let denied = gap.is_denied();
        let action = shown(action(self.operation), SHORT);
        let code = self.code;
        if self.operation.is_empty() {
            "the messages say why (-v)".to_owned()
        } else if code == Gap::REGION_CLOSED && self.message.contains("service control policy") {
            "a service control policy closes it: leave the Region out, or ask the owner of the policy".to_owned()
        } else if code == Gap::REGION_CLOSED {
            "enable the Region for this account, or leave it out with --region".to_owned()
        } else if code == Gap::NOT_IN_ORGANIZATION {
            "check the account's number".to_owned()
        } else if self.operation == "sts:AssumeRole" && denied {
            "let the role's trust policy name you, and allow sts:AssumeRole on it".to_owned()
        } else if denied && self.message.contains("explicit deny in a service control policy") {
            "a service control policy denies it: leave the Region out, or ask the owner of the policy".to_owned()
        } else if denied && self.message.contains("explicit deny") {
            format!("remove the explicit Deny of {action}")
        } else if denied {
            format!("allow {action}")
        } else if code == Gap::NOT_COLLECTED {
            "not read by the version that collected".to_owned()
        } else if code.contains("Throttl") || code.contains("TooManyRequests") || code.contains("LimitExceeded") {
            "scan again with a smaller --api-budget".to_owned()
        } else if code.contains("Expired") {
            "renew the credentials and scan again".to_owned()
        } else if matches!(code, "OptInRequired" | "AuthFailure" | "UnrecognizedClientException" | "InvalidClientTokenId") {
            "enable the Region for this account, or leave it out with --region".to_owned()
        } else if gap.is_absence() {
            "AWS knows nothing by that name: mend or remove what refers to it (-v names both)".to_owned()
        } else if code == Gap::OUT_OF_SCOPE {
            "scan the account and Region that it belongs to together with this one".to_owned()
        } else if gap.is_answered() {
            "AWS answered, with less than decides: -v says what".to_owned()
        } else if code == "Interrupted" {
            "scan again to the end".to_owned()
        } else if code.contains("Timeout") || code.contains("Connect") || code.contains("Dispatch") {
            "check network and endpoint, then scan again".to_owned()
        } else {
            "scan again; if it stays, -v shows the message".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unread;
    use crate::sample::{clean, result};
    use plimsoll_model::{Gap, Status};
    use serde_json::json;

    fn remedy(code: &str, message: &str) -> String {
        let mut result = clean();
        result.gaps.push(Gap { operation: "ecs:ListTasks".into(), code: code.into(), message: message.into(), ..Gap::default() });
        unread(&result).first().unwrap().remedy(|operation| operation)
    }

    #[test]
    fn each_failure_has_its_remedy() {
        assert_eq!(remedy("AccessDeniedException", "not authorized"), "allow ecs:ListTasks");
        assert_eq!(
            remedy("AccessDenied", "with an explicit deny in an identity-based policy"),
            "remove the explicit Deny of ecs:ListTasks"
        );
        assert!(remedy("AccessDenied", "with an explicit deny in a service control policy").starts_with("a service control policy"));
        assert_eq!(remedy("ExpiredTokenException", ""), "renew the credentials and scan again");
        assert_eq!(remedy("ThrottlingException", ""), "scan again with a smaller --api-budget");
        assert!(
            remedy("RegionClosed", "with an explicit deny in a service control policy").starts_with("a service control policy closes it")
        );
        assert!(remedy("RegionClosed", "OptInRequired").starts_with("enable the Region"));
        assert_eq!(remedy("Timeout", ""), "check network and endpoint, then scan again");
        assert_eq!(remedy("NotCollected", ""), "not read by the version that collected");
        assert!(remedy("NotFound", "").starts_with("AWS knows nothing"));
        assert!(remedy("RepositoryNotFoundException", "").starts_with("AWS knows nothing"));
        assert!(remedy("OutOfScope", "").starts_with("scan the account"));
        assert!(remedy("Inconclusive", "").starts_with("AWS answered"));
        assert_eq!(remedy("SomethingElse", ""), "scan again; if it stays, -v shows the message");
    }

    #[test]
    fn regions_of_one_failure_are_one_line() {
        let result = result();
        let all = unread(&result);
        let clusters = all.iter().find(|one| one.operation == "ecs:ListClusters").unwrap();
        assert_eq!((clusters.place().as_str(), clusters.effect().as_str()), ("111111111111 in 7 Regions", "not seen, so not judged"));
    }

    #[test]
    fn closed_regions_are_one_line() {
        let mut result = clean();
        for account in ["111111111111", "222222222222"] {
            for region in ["ap-south-2", "eu-south-2", "me-south-1"] {
                let message = "explicit deny in a service control policy".to_owned();
                let (operation, code) = ("ecs:ListClusters".to_owned(), Gap::REGION_CLOSED.to_owned());
                result.gaps.push(Gap { account: account.into(), region: region.into(), operation, code, message, resource: None });
            }
        }
        let told: Vec<_> = unread(&result).iter().map(|one| (one.what(), one.place(), one.effect())).collect();
        let places = "2 accounts in ap-south-2, eu-south-2, me-south-1".to_owned();
        assert_eq!(told, [("everything".to_owned(), places, "not seen, so not judged".to_owned())]);
    }

    #[test]
    fn accounts_that_nobody_entered_come_first_and_closed_regions_last() {
        let mut result = result();
        let gap = |region: &str, operation: &str, code: &str| Gap {
            account: "333333333333".into(),
            region: region.into(),
            operation: operation.to_owned(),
            code: code.to_owned(),
            ..Gap::default()
        };
        result.gaps.push(gap("eu-south-2", "ecs:ListClusters", Gap::REGION_CLOSED));
        result.gaps.push(gap("global", "sts:AssumeRole", "AccessDenied"));
        let all = unread(&result);
        let first = all.first().unwrap();
        assert_eq!((first.what().as_str(), first.place().as_str()), ("sts:AssumeRole", "333333333333"));
        assert!(first.remedy(|operation| operation).starts_with("let the role's trust policy name you"));
        let asked: Vec<_> = all.iter().filter(|one| !one.is_never_asked()).collect();
        assert_eq!(asked.last().unwrap().what(), "everything");
    }

    #[test]
    fn a_verdict_that_lacks_two_things_hangs_on_both() {
        let mut result = result();
        result.gaps.clear();
        result.findings.retain(|finding| finding.status == Status::Unknown);
        result.findings.truncate(1);
        let finding = result.findings.first_mut().unwrap();
        finding.evidence = json!({"missing": [{"operation": "a:A", "code": "X", "region": "global"}, {"operation": "b:B", "code": "X"}]});
        let places: Vec<_> = unread(&result).iter().map(|one| (one.what(), one.place(), one.verdicts())).collect();
        let own = format!("111111111111 in {}", result.findings[0].resource.region);
        assert_eq!(places, [("a:A".into(), "111111111111 in global".into(), 1), ("b:B".into(), own, 1)]);
    }

    #[test]
    fn a_verdict_that_names_nothing_is_told_too() {
        let mut result = result();
        result.gaps.clear();
        for finding in &mut result.findings {
            finding.evidence = json!({});
        }
        let all = unread(&result);
        assert_eq!(all.iter().map(super::Unread::what).collect::<Vec<_>>(), ["other reasons"]);
        assert_eq!(all.first().unwrap().verdicts(), 3);
    }
}
