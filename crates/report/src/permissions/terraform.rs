//! Policies and a trust flow in; Terraform configuration with them and a role flows out, laid out as `terraform fmt` does.

use std::io::{self, Write};

use super::policy::Statement;
use super::trust::{EXTERNAL_ID_PATTERN, PRINCIPAL_PATTERN, ROLE_NAME_PATTERN};
use super::{Policies, Trust};

const TRUST: &str = r#"
data "aws_iam_policy_document" "plimsoll_trust" {
  statement {
    sid     = "Scanner"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.plimsoll_trusted_principal]
    }

    dynamic "condition" {
      for_each = var.plimsoll_external_id == null ? [] : [var.plimsoll_external_id]

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "plimsoll" {
  name               = var.plimsoll_role_name
  description        = "Reads the account for plimsoll"
  assume_role_policy = data.aws_iam_policy_document.plimsoll_trust.json
}
"#;

const OUTPUT: &str = r#"
output "plimsoll_role_arn" {
  description = "For `plimsoll scan --role-arn`"
  value       = aws_iam_role.plimsoll.arn
}
"#;

/// Writes the configuration.
pub fn terraform(policies: &Policies, trust: &Trust, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# A role that reads one account for plimsoll. Written by `plimsoll permissions --format terraform`.")?;
    variables(trust, out)?;
    if policies.statements().any(|(_, statements)| statements.iter().any(|statement| statement.resource.is_some())) {
        writeln!(out, "\ndata \"aws_partition\" \"plimsoll\" {{}}")?;
    }
    for (number, statements) in policies.statements() {
        policy(number, statements, out)?;
    }
    out.write_all(TRUST.as_bytes())?;
    for (number, _) in policies.statements() {
        writeln!(out, "\nresource \"aws_iam_role_policy_attachment\" \"plimsoll_read_{number}\" {{")?;
        writeln!(out, "  role       = aws_iam_role.plimsoll.name")?;
        writeln!(out, "  policy_arn = aws_iam_policy.plimsoll_read_{number}.arn")?;
        writeln!(out, "}}")?;
    }
    out.write_all(OUTPUT.as_bytes())
}

fn variables(trust: &Trust, out: &mut impl Write) -> io::Result<()> {
    let principal = trust.principal.as_ref().map(|principal| quoted(&principal.arn(trust.partition)));
    variable(
        "plimsoll_trusted_principal",
        "ARN of the role, the user or the account (arn:aws:iam::111122223333:root) that runs plimsoll",
        principal.as_deref(),
        &matches(PRINCIPAL_PATTERN, "plimsoll_trusted_principal"),
        out,
    )?;
    let external_id = trust.external_id.as_ref().map_or_else(|| "null".to_owned(), |id| quoted(id.as_str()));
    variable(
        "plimsoll_external_id",
        "What the scanner has to name in order to assume the role; null for none, in its own account only",
        Some(&external_id),
        // `||` may evaluate both sides, and `can` makes an error of a null regex false.
        &format!("var.plimsoll_external_id == null || {}", matches(EXTERNAL_ID_PATTERN, "plimsoll_external_id")),
        out,
    )?;
    variable(
        "plimsoll_role_name",
        "Name of the role",
        Some(&quoted(trust.role_name.as_str())),
        &matches(ROLE_NAME_PATTERN, "plimsoll_role_name"),
        out,
    )
}

fn matches(pattern: &str, variable: &str) -> String {
    format!("can(regex({}, var.{variable}))", quoted(&format!("^{pattern}$")))
}

fn variable(name: &str, description: &str, default: Option<&str>, condition: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nvariable \"{name}\" {{")?;
    writeln!(out, "  description = {}", quoted(description))?;
    writeln!(out, "  type        = string")?;
    if let Some(default) = default {
        writeln!(out, "  default     = {default}")?;
    }
    writeln!(out, "\n  validation {{")?;
    writeln!(out, "    condition     = {condition}")?;
    writeln!(out, "    error_message = \"IAM does not take this.\"")?;
    writeln!(out, "  }}")?;
    writeln!(out, "}}")
}

fn policy(number: usize, statements: &[Statement], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\ndata \"aws_iam_policy_document\" \"plimsoll_read_{number}\" {{")?;
    for (at, statement) in statements.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "  statement {{")?;
        writeln!(out, "    sid = {}", quoted(&statement.sid))?;
        writeln!(out, "    actions = [")?;
        for action in &statement.actions {
            writeln!(out, "      {},", quoted(action))?;
        }
        writeln!(out, "    ]")?;
        match &statement.resource {
            Some(resource) => {
                // The partition is the one thing that Terraform has to fill in.
                let rest = escaped(resource);
                writeln!(out, "    resources = [\"arn:${{data.aws_partition.plimsoll.partition}}:{rest}\"]")?;
            }
            None => writeln!(out, "    resources = [\"*\"]")?,
        }
        writeln!(out, "  }}")?;
    }
    writeln!(out, "}}")?;
    writeln!(out, "\nresource \"aws_iam_policy\" \"plimsoll_read_{number}\" {{")?;
    writeln!(out, "  name_prefix = \"PlimsollRead{number}-\"")?;
    writeln!(out, "  description = \"What plimsoll reads\"")?;
    writeln!(out, "  policy      = data.aws_iam_policy_document.plimsoll_read_{number}.json")?;
    writeln!(out, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text that means in a string of HCL what it says. Nothing here has line feeds.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{SAMPLE, trust};
    use super::super::{Permission, Policies, Trust};
    use super::terraform;
    use serde_json::{Value, json};

    fn configuration(permissions: &[Permission<'_>], trust: &Trust) -> String {
        let mut out = Vec::new();
        terraform(&Policies::new(permissions), trust, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn parsed(text: &str) -> Value {
        hcl::from_str(text).unwrap()
    }

    #[test]
    fn the_configuration_holds_policies_and_a_role() {
        insta::assert_snapshot!("terraform", configuration(SAMPLE, &trust()));
    }

    #[test]
    fn what_was_typed_is_the_default() {
        let typed = parsed(&configuration(SAMPLE, &trust()));
        assert_eq!(typed["variable"]["plimsoll_trusted_principal"]["default"], "arn:aws:iam::111122223333:root");
        assert_eq!(typed["variable"]["plimsoll_external_id"]["default"], "0815-shop");
        let asked = parsed(&configuration(SAMPLE, &Trust::default()));
        assert!(asked["variable"]["plimsoll_trusted_principal"].get("default").is_none());
        assert_eq!(asked["variable"]["plimsoll_external_id"]["default"], Value::Null);
        assert_eq!(asked["variable"]["plimsoll_role_name"]["default"], "PlimsollReadOnly");
    }

    #[test]
    fn the_configuration_allows_what_the_policies_allow() {
        let actions: Vec<String> = (0..400).map(|at| format!("service{:02}:DescribeSomething{at}", at / 10)).collect();
        let all: Vec<Permission<'_>> = actions
            .iter()
            .map(|action| Permission { operation: action, action, resource: None, why: "" })
            .chain(SAMPLE.iter().copied())
            .collect();
        let configuration = parsed(&configuration(&all, &trust()));
        let mut allowed: Vec<String> = Vec::new();
        let policies = configuration["resource"]["aws_iam_policy"].as_object().unwrap();
        assert_eq!(policies.len(), 3);
        for name in policies.keys() {
            let attachment = &configuration["resource"]["aws_iam_role_policy_attachment"][name];
            assert_eq!(attachment["policy_arn"], format!("${{aws_iam_policy.{name}.arn}}"));
            for statement in configuration["data"]["aws_iam_policy_document"][name]["statement"].as_array().unwrap() {
                let parameter = statement["actions"].as_array().unwrap().iter().any(|action| action == "ssm:GetParameter");
                let public = "arn:${data.aws_partition.plimsoll.partition}:ssm:*::parameter/aws/service/*";
                assert_eq!(statement["resources"], json!([if parameter { public } else { "*" }]));
                allowed.extend(statement["actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned()));
            }
        }
        let mut wanted: Vec<&str> = all.iter().map(|permission| permission.action).collect();
        wanted.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(allowed, wanted);
    }

    #[test]
    fn a_variable_of_iam_stays_one() {
        let resource = Some("ssm:*:${aws:PrincipalAccount}:parameter/\"x\"");
        let text = configuration(&[Permission { operation: "a:B", action: "a:B", resource, why: "" }], &trust());
        assert!(text.contains(r#":ssm:*:$${aws:PrincipalAccount}:parameter/\"x\"""#), "{text}");
        parsed(&text);
    }
}
