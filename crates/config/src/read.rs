//! The text of the file flows in. What TOML and the types refuse is told with its place; then names, ranges and what
//! belongs together are looked at; a [`Config`] flows out.

use std::ops::Range;
use std::path::Path;

use plimsoll_model::Severity;
use plimsoll_model::policy::wildcard_match;

use crate::error::ConfigError;
use crate::place::{Step, at, of_key, of_value};
use crate::{Config, Names};

use Step::{Item, Key};

/// The name under which the file is found in the working directory.
pub const FILE_NAME: &str = "plimsoll.toml";

/// Farther than this no key is meant.
const FARTHEST: usize = 4;

/// Reads a file.
pub fn read(path: &Path, names: Names<'_>) -> Result<Config, ConfigError> {
    #[expect(clippy::disallowed_methods, reason = "the one thing that this crate reads")]
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text, path, names)
}

/// Reads the text of a file; `path` is for messages.
pub fn parse(text: &str, path: &Path, names: Names<'_>) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|error| refused(&error, text, path))?;
    let file = File { text, path, names };
    file.named(&config)?;
    file.ranges(&config)?;
    file.accounts(&config)?;
    file.thresholds(&config)?;
    file.exceptions(&config)?;
    Ok(config)
}

/// What the parser or a type says, as an error of ours.
fn refused(error: &toml::de::Error, text: &str, path: &Path) -> ConfigError {
    let at = at(path, text, error.span().unwrap_or(0..0));
    let message = error.message();
    // serde quotes the wrong name first, then those that it knows.
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
    if message.starts_with("unknown field ") {
        let key = quoted.next().unwrap_or_default();
        let known: Vec<String> = quoted.collect();
        let nearest = nearest(&key, known.iter().map(String::as_str));
        ConfigError::UnknownKey { at, key, nearest, known }
    } else if message.starts_with("unknown variant ") {
        let name = quoted.next().unwrap_or_default();
        let known: Vec<String> = quoted.collect();
        let nearest = nearest(&name, known.iter().map(String::as_str));
        // The only names of a fixed set in the file.
        ConfigError::UnknownName { at, what: "severity", name, nearest, hint: severities() }
    } else {
        ConfigError::Syntax { at, message: message.lines().collect::<Vec<_>>().join("; ") }
    }
}

fn severities() -> String {
    format!("use one of {}", Severity::ALL.map(Severity::as_str).join(", "))
}

/// The name that a slip of the finger would make of this one.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let farthest = FARTHEST.max(name.chars().count() / 4);
    known
        .map(|known| (strsim::osa_distance(&name.to_lowercase().replace('_', "-"), known), known))
        .filter(|(distance, _)| *distance <= farthest)
        .min()
        .map(|(_, known)| known.to_owned())
}

struct File<'f> {
    text: &'f str,
    path: &'f Path,
    names: Names<'f>,
}

impl File<'_> {
    fn invalid(&self, span: Range<usize>, message: impl Into<String>, hint: &'static str) -> ConfigError {
        ConfigError::Invalid { at: at(self.path, self.text, span), message: message.into(), hint }
    }

    fn value(&self, steps: &[Step<'_>], message: impl Into<String>, hint: &'static str) -> ConfigError {
        self.invalid(of_value(self.text, steps), message, hint)
    }

    /// An error unless the pattern names a check.
    fn check(&self, pattern: &str, span: impl FnOnce() -> Range<usize>) -> Result<(), ConfigError> {
        if self.names.checks.iter().any(|id| wildcard_match(pattern, id)) {
            return Ok(());
        }
        Err(ConfigError::UnknownName {
            at: at(self.path, self.text, span()),
            what: "check",
            name: pattern.to_owned(),
            nearest: nearest(pattern, self.names.checks.iter().copied()),
            hint: "`plimsoll checks` lists them".to_owned(),
        })
    }

    fn format(&self, name: &str, steps: &[Step<'_>]) -> Result<(), ConfigError> {
        if self.names.formats.contains(&name) {
            return Ok(());
        }
        Err(ConfigError::UnknownName {
            at: at(self.path, self.text, of_value(self.text, steps)),
            what: "format",
            name: name.to_owned(),
            nearest: nearest(name, self.names.formats.iter().copied()),
            hint: format!("use one of {}", self.names.formats.join(", ")),
        })
    }

    /// Checks and formats must exist.
    fn named(&self, config: &Config) -> Result<(), ConfigError> {
        for (name, list) in [("only", &config.checks.only), ("skip", &config.checks.skip)] {
            for (at, pattern) in list.iter().enumerate() {
                self.check(pattern, || of_value(self.text, &[Key("checks"), Key(name), Item(at)]))?;
            }
        }
        for id in config.severity.keys() {
            let span = || of_key(self.text, &[Key("severity"), Key(id)]);
            if id.contains('*') {
                return Err(self.invalid(span(), format!("{id} is a pattern"), "name each check by its id"));
            }
            self.check(id, span)?;
        }
        self.format(&config.output.format, &[Key("output"), Key("format")])?;
        for (at, output) in config.output.outputs.iter().enumerate() {
            let (steps, named) = ([Key("output"), Key("outputs"), Item(at)], output.split_once('='));
            // A file may have a `=` in its name, as on the command line.
            let file = match named {
                Some((format, file)) if self.names.formats.contains(&format) => file,
                _ => output,
            };
            if file.is_empty() || file == "-" {
                return Err(self.value(&steps, format!("{output:?} names no file"), "write FILE or FORMAT=FILE"));
            }
        }
        Ok(())
    }

    fn ranges(&self, config: &Config) -> Result<(), ConfigError> {
        let collect = &config.collect;
        let cases = [
            ("concurrency", (1..=256).contains(&collect.concurrency), "use 1 to 256"),
            ("timeout", (1..=600).contains(&collect.timeout), "use 1 to 600 seconds"),
            ("api-budget", (0.01..=1.0).contains(&collect.api_budget), "use a share from 0.01 to 1.0"),
        ];
        for (key, is_right, hint) in cases {
            if !is_right {
                return Err(self.value(&[Key("collect"), Key(key)], format!("{key} is out of range"), hint));
            }
        }
        let cache = &collect.cache;
        if cache.max_mib == 0 {
            let steps = [Key("collect"), Key("cache"), Key("max-mib")];
            return Err(self.value(&steps, "max-mib is out of range", "to keep nothing, set enabled to false"));
        }
        if config.regions.is_empty() || config.regions.iter().any(String::is_empty) {
            return Err(self.value(&[Key("regions")], "regions names no Region", "leave it out to read every enabled Region"));
        }
        Ok(())
    }

    fn accounts(&self, config: &Config) -> Result<(), ConfigError> {
        const ID: &str = "an account id has twelve digits, in quotes";
        let accounts = &config.accounts;
        let ids = |way: &[&str], list: &[String]| match list.iter().position(|id| !is_account(id)) {
            Some(wrong) => {
                let steps: Vec<Step<'_>> = way.iter().map(|key| Key(key)).chain([Key("ids"), Item(wrong)]).collect();
                Err(self.value(&steps, format!("{:?} is no account id", list.get(wrong).map_or("", String::as_str)), ID))
            }
            None => Ok(()),
        };
        ids(&["accounts"], &accounts.ids)?;
        for (name, filter) in [("include", &accounts.include), ("exclude", &accounts.exclude)] {
            ids(&["accounts", name], &filter.ids)?;
            let is_unit = |id: &String| id.starts_with("ou-") || id.starts_with("r-");
            if let Some(wrong) = filter.ous.iter().position(|id| !is_unit(id)) {
                let steps = [Key("accounts"), Key(name), Key("ous"), Item(wrong)];
                return Err(self.value(
                    &steps,
                    "this is no organizational unit",
                    "name a unit or a root by its id, such as ou-ab12-cdef3456 or r-ab12",
                ));
            }
            if !filter.is_empty() && !accounts.org {
                let steps = [Key("accounts"), Key(name)];
                return Err(self.invalid(
                    of_key(self.text, &steps),
                    format!("{name} is for an organization"),
                    "set org = true, or name ids",
                ));
            }
        }
        let is_role =
            |arn: &String| plimsoll_model::Arn::parse(arn).is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
        if let Some(wrong) = accounts.role_arns.iter().position(|arn| !is_role(arn)) {
            let steps = [Key("accounts"), Key("role-arns"), Item(wrong)];
            return Err(self.value(&steps, "this is no ARN of a role", "write arn:aws:iam::ACCOUNT:role/NAME"));
        }
        let ways = [("role-arns", !accounts.role_arns.is_empty()), ("ids", !accounts.ids.is_empty()), ("org", accounts.org)];
        let mut chosen = ways.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key);
        if let (Some(first), Some(second)) = (chosen.next(), chosen.next()) {
            let span = of_key(self.text, &[Key("accounts"), Key(second)]);
            return Err(self.invalid(span, format!("accounts has both {first} and {second}"), "choose accounts in one way"));
        }
        if (!accounts.ids.is_empty() || accounts.org) && accounts.role_name.is_none() {
            let hint = "set role-name to the role to assume in each account";
            return Err(self.invalid(of_key(self.text, &[Key("accounts")]), "accounts has no role-name", hint));
        }
        Ok(())
    }

    fn thresholds(&self, config: &Config) -> Result<(), ConfigError> {
        let thresholds = &config.thresholds;
        if let Some(wrong) = thresholds.trusted_accounts.iter().position(|id| !is_account(id)) {
            let steps = [Key("thresholds"), Key("trusted-accounts"), Item(wrong)];
            return Err(self.value(&steps, "this is no account id", "an account id has twelve digits, in quotes"));
        }
        if let Some(wrong) = thresholds.organizations.iter().position(|id| !id.starts_with("o-")) {
            let steps = [Key("thresholds"), Key("organizations"), Item(wrong)];
            return Err(self.value(&steps, "this is no organization", "name it by its id, such as o-ab12cd34ef"));
        }
        if !(0.0..=1.0).contains(&thresholds.epss_score) {
            let steps = [Key("thresholds"), Key("epss-score")];
            return Err(self.value(&steps, "epss-score is out of range", "an EPSS score is from 0.0 to 1.0"));
        }
        Ok(())
    }

    fn exceptions(&self, config: &Config) -> Result<(), ConfigError> {
        for (at, exception) in config.exceptions.iter().enumerate() {
            let of = |key| [Key("exceptions"), Item(at), Key(key)];
            self.check(&exception.check, || of_value(self.text, &of("check")))?;
            if exception.reason.trim().is_empty() {
                return Err(self.value(&of("reason"), "reason is empty", "say why the finding is accepted, and who decided it"));
            }
            match (&exception.resource, &exception.tag) {
                (None, None) => {
                    let steps = [Key("exceptions"), Item(at)];
                    let hint = "add resource = \"ARN\" or tag = \"KEY=VALUE\"; to leave out a whole check use checks.skip";
                    return Err(self.value(&steps, "this exception names no resource", hint));
                }
                (Some(pattern), _) if !pattern.starts_with("arn:") && !pattern.contains(['*', '?']) => {
                    let hint = "write the whole ARN, or put * before and after a part of it";
                    return Err(self.value(&of("resource"), format!("{pattern:?} is no ARN"), hint));
                }
                _ => {}
            }
            if exception.account.as_deref().is_some_and(|id| !is_account(id)) {
                return Err(self.value(&of("account"), "this is no account id", "an account id has twelve digits, in quotes"));
            }
        }
        Ok(())
    }
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use plimsoll_model::{AcceptedMount, Severity};

    use super::parse;
    use crate::{Config, ConfigError, Names};

    const NAMES: Names<'static> =
        Names { checks: &["ecs-service-public-ip", "ecs-task-public-ip", "kms-key-policy-public"], formats: &["table", "json"] };

    fn read(text: &str) -> Result<Config, ConfigError> {
        parse(text, Path::new("plimsoll.toml"), NAMES)
    }

    /// The message and the hint of what is wrong.
    fn wrong(text: &str) -> (String, String) {
        let error = read(text).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn an_empty_file_changes_nothing() {
        assert_eq!(read("").unwrap(), Config::default());
        assert_eq!(read("[output]\n[collect.cache]\n").unwrap(), Config::default());
    }

    #[test]
    fn every_table_is_read() {
        let config = read(
            r#"
            profile = "audit"
            regions = ["eu-west-3", "us-east-1"]
            [accounts]
            role-name = "path/audit"
            external-id = "x"
            org = true
            include = { ous = ["ou-ab12-cdef3456"], tags = ["env=prod*"] }
            exclude = { ids = ["222222222222"] }
            [output]
            format = "json"
            outputs = ["table=report.txt", "a=b.json"]
            fail-on = "high"
            include-passed = true
            [collect]
            concurrency = 4
            api-budget = 1
            [collect.cache]
            enabled = false
            [checks]
            only = ["ecs-*"]
            [severity]
            ecs-service-public-ip = "low"
            [thresholds]
            fargate-task-days = 7
            accepted-host-mounts = [{ image = "agent:1", path = "/var/log" }]
            [[exceptions]]
            check = "kms-*"
            resource = "arn:aws:kms:*:111111111111:key/*"
            account = "111111111111"
            reason = " shared with the partner "
            expires = "2026-12-31"
            [[exceptions]]
            check = "*"
            tag = "sandbox=true"
            reason = "sandbox"
            expires = 2027-01-31
            "#,
        )
        .unwrap();
        assert_eq!(config.regions, ["eu-west-3", "us-east-1"]);
        assert_eq!(config.accounts.include.tags[0].to_string(), "env=prod*");
        assert_eq!((config.output.fail_on, config.collect.timeout), (Some(Severity::High), 30));
        assert_eq!(config.severity["ecs-service-public-ip"], Severity::Low);
        assert_eq!(config.thresholds.fargate_task_days, 7);
        assert_eq!(config.thresholds.accepted_host_mounts, [AcceptedMount { image: "agent:1".into(), path: "/var/log".into() }]);
        let exceptions: Vec<plimsoll_model::Exception> = config.exceptions.iter().map(Into::into).collect();
        assert_eq!(&*exceptions[0].reason, "shared with the partner");
        assert_eq!([exceptions[0].expires, exceptions[1].expires].map(|day| day.to_string()), ["2026-12-31", "2027-01-31"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_one_that_is_meant() {
        let (message, hint) = wrong("regions = [\"all\"]\n\n[threshold]\nimage-days = 1\n");
        assert_eq!(message, "plimsoll.toml:3:2: there is no key threshold; did you mean thresholds?");
        assert!(hint.contains("exceptions"), "{hint}");
        let (message, hint) = wrong("[collect]\n  api_budget = 0.5\n");
        assert_eq!(message, "plimsoll.toml:2:3: there is no key api_budget; did you mean api-budget?");
        assert!(hint.starts_with("the keys here are concurrency, timeout, "), "{hint}");
        let (message, _) = wrong("[thresholds]\nfargate-tasks-day = 3\n");
        assert_eq!(message, "plimsoll.toml:2:1: there is no key fargate-tasks-day; did you mean fargate-task-days?");
        let (message, _) = wrong("[[exceptions]]\ncheck = \"*\"\nexpiry = \"2026-12-31\"\n");
        assert_eq!(message, "plimsoll.toml:3:1: there is no key expiry; did you mean expires?");
        assert_eq!(wrong("weather = 1").0, "plimsoll.toml:1:1: there is no key weather");
    }

    #[test]
    fn an_unknown_check_severity_or_format_is_named_too() {
        let (message, hint) = wrong("[severity]\necs-service-public-ips = \"low\"\n");
        assert_eq!(message, "plimsoll.toml:2:1: there is no check ecs-service-public-ips; did you mean ecs-service-public-ip?");
        assert_eq!(hint, "`plimsoll checks` lists them");
        let (message, hint) = wrong("[severity]\necs-service-public-ip = \"hihg\"\n");
        assert_eq!(message, "plimsoll.toml:2:25: there is no severity hihg; did you mean high?");
        assert_eq!(hint, "use one of critical, high, medium, low, informational");
        assert_eq!(wrong("[output]\nformat = \"jsn\"").0, "plimsoll.toml:2:10: there is no format jsn; did you mean json?");
        assert_eq!(wrong("[checks]\nskip = [\"kms-*\", \"efs-*\"]").0, "plimsoll.toml:2:18: there is no check efs-*");
        let (message, _) =
            wrong("[[exceptions]]\ncheck = \"kms-key-policy-publik\"\nresource = \"*\"\nreason = \"x\"\nexpires = \"2026-12-31\"");
        assert_eq!(message, "plimsoll.toml:2:9: there is no check kms-key-policy-publik; did you mean kms-key-policy-public?");
        assert!(wrong("[severity]\n\"kms-*\" = \"low\"").0.ends_with("kms-* is a pattern"));
    }

    #[test]
    fn an_exception_needs_a_resource_a_reason_and_a_day() {
        let exception = |more: &str| wrong(&format!("[[exceptions]]\ncheck = \"kms-*\"\n{more}"));
        assert!(exception("resource = \"*\"\nexpires = \"2026-12-31\"").0.contains("missing field `reason`"));
        assert!(exception("resource = \"*\"\nreason = \"x\"").0.contains("missing field `expires`"));
        assert_eq!(exception("resource = \"*\"\nreason = \" \"\nexpires = \"2026-12-31\"").0, "plimsoll.toml:4:10: reason is empty");
        let (message, hint) = exception("reason = \"x\"\nexpires = \"2026-12-31\"");
        assert_eq!(message, "plimsoll.toml:1:1: this exception names no resource");
        assert!(hint.contains("checks.skip"), "{hint}");
        let (message, _) = exception("resource = \"web\"\nreason = \"x\"\nexpires = \"2026-12-31\"");
        assert_eq!(message, "plimsoll.toml:3:12: \"web\" is no ARN");
        for day in ["\"31.12.2026\"", "\"2026-13-01\"", "\"2026-12-31T00:00:00Z\"", "2026-12-31T00:00:00Z", "20261231"] {
            let (message, _) = exception(&format!("resource = \"*\"\nreason = \"x\"\nexpires = {day}"));
            assert!(message.starts_with("plimsoll.toml:5:11: invalid "), "{day}: {message}");
        }
        assert!(exception("tag = \"=x\"\nreason = \"x\"\nexpires = \"2026-12-31\"").0.contains("is no tag"));
    }

    #[test]
    fn values_out_of_range_are_refused_where_they_stand() {
        for (text, message) in [
            ("regions = []", "1:11: regions names no Region"),
            ("[collect]\nconcurrency = 0", "2:15: concurrency is out of range"),
            ("[collect]\ntimeout = 601", "2:11: timeout is out of range"),
            ("[collect]\napi-budget = 1.5", "2:14: api-budget is out of range"),
            ("[collect.cache]\nmax-mib = 0", "2:11: max-mib is out of range"),
            ("[output]\noutputs = [\"json=\"]", "2:12: \"json=\" names no file"),
            ("[accounts]\nids = [\"1\"]", "2:8: \"1\" is no account id"),
            ("[accounts]\nids = [\"111111111111\"]", "1:2: accounts has no role-name"),
            ("[accounts]\nids = [\"111111111111\"]\norg = true", "3:1: accounts has both ids and org"),
            ("[accounts]\nrole-arns = [\"audit\"]", "2:14: this is no ARN of a role"),
            ("[accounts]\nexclude = { ous = [\"ou-a-b\"] }", "2:1: exclude is for an organization"),
            ("[thresholds]\ntrusted-accounts = [\"x\"]", "2:21: this is no account id"),
            ("[thresholds]\nepss-score = 3.0", "2:14: epss-score is out of range"),
            ("[thresholds]\nimage-days = -1", "2:14: invalid value: integer `-1`, expected u32"),
        ] {
            assert_eq!(wrong(text).0, format!("plimsoll.toml:{message}"));
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        let (message, hint) = wrong("regions = [\"all\"\nprofile = 1");
        assert!(message.starts_with("plimsoll.toml:2:"), "{message}");
        assert!(hint.contains("config schema"), "{hint}");
    }

    #[test]
    fn a_configuration_survives_the_way_through_toml() {
        let config = read("[[exceptions]]\ncheck = \"*\"\ntag = \"a=b\"\nreason = \"x\"\nexpires = 2026-12-31\n[severity]\nkms-key-policy-public = \"low\"").unwrap();
        assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(read(&toml::to_string(&Config::default()).unwrap()).unwrap(), Config::default());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = super::read(Path::new("/nonexistent/plimsoll.toml"), NAMES).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nonexistent/plimsoll.toml");
    }
}
