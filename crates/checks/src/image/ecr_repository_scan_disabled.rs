//! Reads how each repository is scanned: its own settings and the rules of its registry. Yields one verdict per
//! private repository; a failure tells when its images are scanned.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecr::{
    Registry, RegistryScanningConfiguration, RegistryScanningRule, Repository, RepositoryScanningConfiguration,
};
use plimsoll_model::policy::wildcard_match;
use plimsoll_model::{Gap, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-scan-disabled",
    title: "Images in the repository are not scanned",
    severity: Severity::Medium,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecr:DescribeRepositories",
        "ecr:GetRegistryScanningConfiguration",
        "ecr:BatchGetRepositoryScanningConfiguration",
        "inspector2:BatchGetAccountStatus",
    ],
    shades: &["ecr:GetRegistryScanningConfiguration", "ecr:BatchGetRepositoryScanningConfiguration", "inspector2:BatchGetAccountStatus"],
    compliance: &[fsbp("ECR.1"), cis_eks("5.1.1"), nist("RA-5"), pci("6.3.1?"), pci("11.3.1")],
    fails_when: "scanFrequency is MANUAL (BatchGetRepositoryScanningConfiguration), or scanType BASIC without a \
                 SCAN_ON_PUSH rule that matches the repository and imageScanningConfiguration.scanOnPush false. Low when \
                 scanning is BASIC on push but ENHANCED continuous scanning is off: flaws found after the push stay \
                 unseen.",
    why: "A flaw that nobody looks for stays in what runs until somebody else finds it; most become known long after \
          the image was pushed.",
    remediation: Remediation {
        text: "Turn on enhanced scanning with CONTINUOUS_SCAN for all repositories.",
        cli: "aws ecr put-registry-scanning-configuration --scan-type ENHANCED --rules \
             '[{\"scanFrequency\":\"CONTINUOUS_SCAN\",\"repositoryFilters\":[{\"filter\":\"*\",\"filterType\":\"WILDCARD\"}]}]'",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Repository>(), judge),
};

fn judge(repository: Node<'_, Repository>) -> Judgement {
    let registry = repository.estate().registry(repository.account(), repository.region());
    let registry = match registry.as_ref().map(|registry| registry.data().scanning_configuration.known()) {
        Some(registry) => registry.map_err(Clone::clone),
        None => Err(Gap::not_collected(Registry::OPERATION)),
    };
    let own = repository.data().scanning_configuration.known();
    let on_push = repository.data().image_scanning_configuration.as_ref().is_some_and(|scanning| scanning.scan_on_push);
    let enhanced = registry.as_ref().is_ok_and(|registry| registry.scan_type.as_deref() == Some("ENHANCED"));
    let frequency = match (own, &registry) {
        (Ok(Some(own)), _) => stated(own),
        // The answer of AWS for this repository is missing, and the rules of the registry tell the same.
        (_, Ok(registry)) => by_rules(registry, repository.name()).or((!enhanced && on_push).then_some("SCAN_ON_PUSH")).unwrap_or("MANUAL"),
        (own, Err(gap)) => return Err(own.err().unwrap_or(gap).into()),
    };
    let evidence = |rules: Value| {
        json!({
            "scanType": registry.as_ref().ok().and_then(|registry| registry.scan_type.as_deref()),
            "rules": rules,
            "scanFrequency": frequency,
            "scanOnPush": on_push,
        })
    };
    let rules =
        || registry.as_ref().map_or(Value::Null, |registry| matching(registry, repository.name()).map(|rule| json!(rule)).collect());
    match frequency {
        "MANUAL" => {
            fail(format!("images in repository {} are scanned only when somebody asks for it", repository.name()), evidence(rules()))
                .verdict()
        }
        "CONTINUOUS_SCAN" => Ok(Verdict::Pass),
        _ if enhanced => Ok(Verdict::Pass),
        _ => match &registry {
            Ok(_) => {
                let message = format!("images in repository {} are scanned once, when they are pushed", repository.name());
                fail(message, evidence(rules())).severity(Severity::Low).verdict()
            }
            // Whether scanning is enhanced stands in the registry alone.
            Err(gap) => Err(gap.into()),
        },
    }
}

/// When images are scanned, as AWS says of the repository.
fn stated(own: &RepositoryScanningConfiguration) -> &str {
    match own.scan_frequency.as_deref() {
        Some("MANUAL") | None if own.scan_on_push == Some(true) => "SCAN_ON_PUSH",
        frequency => frequency.unwrap_or("MANUAL"),
    }
}

/// When images are scanned by the rules of the registry; the most frequent counts.
fn by_rules<'r>(registry: &'r RegistryScanningConfiguration, repository: &str) -> Option<&'r str> {
    let mut frequencies: Vec<&str> = matching(registry, repository).map(|rule| rule.scan_frequency.as_str()).collect();
    frequencies.sort_unstable();
    frequencies.first().copied()
}

fn matching<'r>(registry: &'r RegistryScanningConfiguration, repository: &str) -> impl Iterator<Item = &'r RegistryScanningRule> {
    // A filter without a wildcard matches every name that holds it.
    let matches = move |filter: &str| if filter.contains('*') { wildcard_match(filter, repository) } else { repository.contains(filter) };
    registry.rules.iter().filter(move |rule| rule.repository_filters.iter().any(|one| matches(&one.filter)))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecr::{
        Filter, ImageScanningConfiguration, Registry, RegistryScanningConfiguration, RegistryScanningRule, Repository,
        RepositoryScanningConfiguration,
    };
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, outcome};

    fn registry(scan_type: &str, rules: &[(&str, &str)]) -> Fixture {
        let rules = rules.iter().map(|(frequency, filter)| RegistryScanningRule {
            scan_frequency: (*frequency).to_owned(),
            repository_filters: vec![Filter { filter: (*filter).to_owned(), filter_type: "WILDCARD".to_owned() }],
        });
        let configuration = RegistryScanningConfiguration { scan_type: Some(scan_type.to_owned()), rules: rules.collect() };
        fixture().registry(|registry| registry.scanning_configuration = Seen::Known(configuration)).repository("web", |_| {})
    }

    fn frequency(value: &str, on_push: bool) -> impl Fn(&mut Repository) {
        let value = value.to_owned();
        move |repository| {
            repository.image_scanning_configuration = Some(ImageScanningConfiguration { scan_on_push: on_push });
            repository.scanning_configuration = Seen::Known(Some(RepositoryScanningConfiguration {
                scan_frequency: Some(value.clone()),
                scan_on_push: Some(on_push),
                applied_scan_filters: Vec::new(),
            }));
        }
    }

    fn unseen(on_push: bool) -> impl Fn(&mut Repository) {
        move |repository| {
            repository.image_scanning_configuration = Some(ImageScanningConfiguration { scan_on_push: on_push });
            repository.scanning_configuration = gap("ecr:BatchGetRepositoryScanningConfiguration").into();
        }
    }

    #[test]
    fn fails_when_nothing_scans_by_itself() {
        assert_eq!(outcome(&CHECK, registry("BASIC", &[]).each(frequency("MANUAL", false))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, registry("ENHANCED", &[]).each(frequency("MANUAL", false))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, registry("BASIC", &[("SCAN_ON_PUSH", "api")]).each(unseen(false))), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_basic_scanning_runs_on_push() {
        assert_eq!(outcome(&CHECK, registry("BASIC", &[]).each(frequency("SCAN_ON_PUSH", true))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, registry("BASIC", &[]).each(unseen(true))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, registry("BASIC", &[("SCAN_ON_PUSH", "we")]).each(unseen(false))), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_scanning_is_enhanced() {
        assert_eq!(outcome(&CHECK, registry("ENHANCED", &[("CONTINUOUS_SCAN", "*")])), Pass);
        assert_eq!(outcome(&CHECK, registry("ENHANCED", &[]).each(frequency("SCAN_ON_PUSH", true))), Pass);
        assert_eq!(outcome(&CHECK, registry("ENHANCED", &[("CONTINUOUS_SCAN", "w*")]).each(unseen(false))), Pass);
    }

    #[test]
    fn is_unknown_when_what_decides_was_not_readable() {
        let denied = |account: Fixture| {
            account.each::<Registry>(|registry| registry.scanning_configuration = gap("ecr:GetRegistryScanningConfiguration").into())
        };
        assert_eq!(outcome(&CHECK, denied(registry("BASIC", &[])).each(unseen(true))), Unknown);
        assert_eq!(outcome(&CHECK, denied(registry("BASIC", &[])).each(frequency("SCAN_ON_PUSH", true))), Unknown);
        // This much the repository tells alone.
        assert_eq!(outcome(&CHECK, denied(registry("BASIC", &[])).each(frequency("MANUAL", false))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, denied(registry("BASIC", &[])).each(frequency("CONTINUOUS_SCAN", true))), Pass);
    }
}
