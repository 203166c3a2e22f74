//! Permissions flow in; as few policy documents as IAM's size limit allows flow out, a statement for each service.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use super::{Partition, Permission};

/// Most characters of a managed policy, blanks not counted.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
const LIMIT: usize = 6_144;
/// Documents are measured with the longest partition, so that they are split alike in all.
const LONGEST_PARTITION: Partition = Partition::AwsUsGov;

/// The documents that allow all of it together, and nothing more.
#[derive(Debug)]
pub struct Policies {
    documents: Vec<Vec<Statement>>,
}

/// Actions of one service on the same resources.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) actions: Vec<String>,
    /// As in [`Permission::resource`].
    pub(super) resource: Option<String>,
}

/// One policy as IAM takes it; its members in the order in which people write them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument<'p> {
    version: &'static str,
    statement: Vec<PolicyStatement<'p>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyStatement<'p> {
    sid: &'p str,
    effect: &'static str,
    action: &'p [String],
    resource: String,
}

impl Policies {
    /// Sorts the actions into statements, and these into documents. A service stays whole where a document can hold it.
    pub fn new(permissions: &[Permission<'_>]) -> Self {
        let mut documents: Vec<(usize, Vec<Statement>)> = Vec::new();
        for statement in statements(permissions) {
            let size = size(&statement) + ",".len();
            // The first with room, not the last: small services fill what large ones left.
            if let Some((used, document)) = documents.iter_mut().find(|(used, _)| used + size <= LIMIT) {
                *used += size;
                document.push(statement);
            } else {
                documents.push((empty_size() + size, vec![statement]));
            }
        }
        Self { documents: documents.into_iter().map(|(_, document)| document).collect() }
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = (usize, &[Statement])> {
        self.documents.iter().enumerate().map(|(at, document)| (at + 1, document.as_slice()))
    }

    /// The documents under the names that they should get, with the ARNs of a partition.
    pub fn documents(&self, partition: Partition) -> Vec<(String, PolicyDocument<'_>)> {
        self.statements().map(|(number, statements)| (format!("PlimsollRead{number}"), document(statements, partition))).collect()
    }

    /// Writes the document, or an object of all of them by name where one cannot hold everything.
    pub fn json(&self, partition: Partition, out: &mut impl Write) -> io::Result<()> {
        let documents = self.documents(partition);
        match documents.as_slice() {
            [(_, document)] => document.write(out),
            all => pretty(&all.iter().map(|(name, document)| (name, document)).collect::<BTreeMap<_, _>>(), out),
        }
    }
}

impl PolicyDocument<'_> {
    /// Writes it as JSON.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        pretty(self, out)
    }
}

fn pretty(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

fn document(statements: &[Statement], partition: Partition) -> PolicyDocument<'_> {
    PolicyDocument { version: "2012-10-17", statement: statements.iter().map(|statement| statement.in_partition(partition)).collect() }
}

impl Statement {
    fn in_partition(&self, partition: Partition) -> PolicyStatement<'_> {
        let resource = self.resource.as_ref().map_or_else(|| "*".to_owned(), |resource| format!("arn:{}:{resource}", partition.as_str()));
        PolicyStatement { sid: &self.sid, effect: "Allow", action: &self.actions, resource }
    }
}

/// A statement for each service and resource, in order; several where one document could not hold it.
fn statements(permissions: &[Permission<'_>]) -> Vec<Statement> {
    let mut wanted: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        let service = permission.action.split(':').next().unwrap_or_default();
        wanted.entry((service, permission.resource)).or_default().insert(permission.action);
    }
    let mut statements: Vec<Statement> = Vec::new();
    let (mut last, mut number) = ("", 0);
    for ((service, resource), actions) in wanted {
        let mut actions = actions.into_iter().peekable();
        while actions.peek().is_some() {
            number = if service == last { number + 1 } else { 1 };
            last = service;
            let mut statement = Statement { sid: sid(service, number), actions: Vec::new(), resource: resource.map(str::to_owned) };
            let mut used = empty_size() + size(&statement) + ",".len();
            while let Some(action) = actions.next_if(|action| used + quoted(action) <= LIMIT || statement.actions.is_empty()) {
                used += quoted(action);
                statement.actions.push(action.to_owned());
            }
            statements.push(statement);
        }
    }
    statements
}

/// `Ec2`, `EcrPublic`, `Ssm2`: letters and digits only, once in each document.
fn sid(service: &str, number: usize) -> String {
    let mut sid: String = service
        .split(|char: char| !char.is_ascii_alphanumeric())
        .flat_map(|word| word.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(word.chars().skip(1)))
        .collect();
    if number > 1 {
        sid.push_str(&number.to_string());
    }
    sid
}

/// Characters of an action in a list: with quotes and a comma.
fn quoted(action: &str) -> usize {
    action.chars().count() + "\"\",".len()
}

/// Characters of a statement without blanks.
fn size(statement: &Statement) -> usize {
    measured(&statement.in_partition(LONGEST_PARTITION))
}

/// Characters of a document without statements.
fn empty_size() -> usize {
    measured(&document(&[], LONGEST_PARTITION))
}

/// Characters that IAM counts. What cannot be serialised has no size that fits; strings and lists always can.
fn measured(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(LIMIT, |text| text.chars().filter(|char| !char.is_whitespace()).count())
}

#[cfg(test)]
mod tests {
    use super::super::sample::SAMPLE;
    use super::super::{Partition, Permission};
    use super::{LIMIT, Policies, measured};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn json(permissions: &[Permission<'_>], partition: Partition) -> String {
        let mut out = Vec::new();
        Policies::new(permissions).json(partition, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Action and resource of all statements.
    fn allowed(policies: &Policies, partition: Partition) -> BTreeSet<(String, String)> {
        let documents = policies.documents(partition);
        let statements = documents.iter().flat_map(|(_, document)| &document.statement);
        statements.flat_map(|s| s.action.iter().map(|action| (action.clone(), s.resource.clone()))).collect()
    }

    fn permissions(actions: &[String]) -> Vec<Permission<'_>> {
        actions.iter().map(|action| Permission { operation: action, action, resource: None, why: "" }).collect()
    }

    #[test]
    fn what_fits_one_policy_is_one_document() {
        insta::assert_snapshot!("json", json(SAMPLE, Partition::Aws));
    }

    #[test]
    fn arns_are_those_of_the_partition() {
        assert!(json(SAMPLE, Partition::AwsCn).contains("\"arn:aws-cn:ssm:*::parameter/aws/service/*\""));
    }

    #[test]
    fn what_does_not_fit_is_an_object_of_documents_by_name() {
        let actions: Vec<String> = (0..400).map(|at| format!("service{:02}:DescribeSomething{at}", at / 10)).collect();
        let all: serde_json::Value = serde_json::from_str(&json(&permissions(&actions), Partition::Aws)).unwrap();
        let names: Vec<&String> = all.as_object().unwrap().keys().collect();
        assert_eq!(names, ["PlimsollRead1", "PlimsollRead2", "PlimsollRead3"]);
        assert_eq!(all["PlimsollRead2"]["Version"], "2012-10-17");
    }

    #[test]
    fn a_service_stays_whole_where_a_document_can_hold_it() {
        let actions: Vec<String> = (0..400).map(|at| format!("service{:02}:DescribeSomething{at}", at / 10)).collect();
        let policies = Policies::new(&permissions(&actions));
        let sids: Vec<&str> = policies.statements().flat_map(|(_, statements)| statements).map(|s| s.sid.as_str()).collect();
        assert_eq!(sids.len(), sids.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(sids.len(), 40);
    }

    #[test]
    fn one_service_of_a_thousand_actions_takes_several_documents() {
        let actions: Vec<String> = (0..1000).map(|at| format!("ec2:DescribeNetworkInterfaceAttribute{at:04}")).collect();
        let policies = Policies::new(&permissions(&actions));
        assert_fit(&policies);
        assert_eq!(allowed(&policies, Partition::Aws).len(), 1000);
        let characters: usize = actions.iter().map(|action| action.len() + 3).sum();
        assert_eq!(policies.documents.len(), characters.div_ceil(LIMIT - 120));
    }

    fn assert_fit(policies: &Policies) {
        for partition in [Partition::Aws, Partition::AwsUsGov] {
            for (name, document) in policies.documents(partition) {
                assert!(measured(&document) <= LIMIT, "{name} has {} characters", measured(&document));
                let sids: BTreeSet<&str> = document.statement.iter().map(|s| s.sid).collect();
                assert_eq!(sids.len(), document.statement.len());
                assert!(sids.iter().all(|sid| sid.chars().all(|char| char.is_ascii_alphanumeric())));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]
        #[test]
        fn every_document_fits_and_together_they_allow_what_was_asked(
            wanted in proptest::collection::btree_map("[a-z]{2,3}(-[a-z]{3,8})?:[A-Z][A-Za-z]{3,50}", proptest::option::of("[a-z]{3}:\\*::[a-z/]{1,40}"), 1..1000)
        ) {
            let all: Vec<Permission<'_>> = wanted
                .iter()
                .map(|(action, resource)| Permission { operation: action, action, resource: resource.as_deref(), why: "" })
                .collect();
            let policies = Policies::new(&all);
            assert_fit(&policies);
            let asked: BTreeSet<(String, String)> = wanted
                .iter()
                .map(|(action, resource)| (action.clone(), resource.as_ref().map_or("*".to_owned(), |r| format!("arn:aws-cn:{r}"))))
                .collect();
            assert_eq!(allowed(&policies, Partition::AwsCn), asked);
            // Two documents that would fit one are one too many.
            let sizes: Vec<usize> = policies.documents(Partition::AwsUsGov).iter().map(|(_, document)| measured(document)).collect();
            assert!(sizes.windows(2).all(|pair| pair.iter().sum::<usize>() > LIMIT));
        }
    }
}
