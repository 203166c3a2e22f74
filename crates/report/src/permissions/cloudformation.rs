//! Policies and a trust flow in; a CloudFormation template with them and a role flows out, as YAML.

use std::io::{self, Write};

use super::policy::Statement;
use super::trust::{EXTERNAL_ID_PATTERN, PRINCIPAL_PATTERN, ROLE_NAME_PATTERN};
use super::{Policies, Trust};

/// How the template will be deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// As a stack in one account; its own principals may do without an external id.
    Stack,
    /// As a stack set in many accounts, for a scanner in another: the external id is required.
    StackSet,
}

const STACK: &str = "\
# A role that reads one account for plimsoll. Written by `plimsoll permissions --format cloudformation`.
#
#   aws cloudformation deploy --stack-name plimsoll --template-file plimsoll-stack.yaml \\
#     --capabilities CAPABILITY_NAMED_IAM --parameter-overrides ScannerPrincipalArn=ARN ExternalId=ID
#
# Roles are global: deploy it in one Region.
";

const STACK_SET: &str = "\
# A role that reads many accounts for a scanner in another. Written by `plimsoll permissions --format stackset`.
# From the management account of the organization:
#
#   aws cloudformation create-stack-set --stack-set-name plimsoll --template-body file://plimsoll-stackset.yaml \\
#     --capabilities CAPABILITY_NAMED_IAM --permission-model SERVICE_MANAGED \\
#     --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false \\
#     --parameters ParameterKey=ScannerPrincipalArn,ParameterValue=ARN ParameterKey=ExternalId,ParameterValue=ID
#   aws cloudformation create-stack-instances --stack-set-name plimsoll --regions us-east-1 \\
#     --deployment-targets OrganizationalUnitIds=ROOT_OR_UNIT
#
# Roles are global: one Region is enough, and a second one would fail because the role is there. A stack set leaves out
# the management account; there, and without an organization, the same template is a stack:
#
#   aws cloudformation deploy --stack-name plimsoll --template-file plimsoll-stackset.yaml \\
#     --capabilities CAPABILITY_NAMED_IAM --parameter-overrides ScannerPrincipalArn=ARN ExternalId=ID
";

/// Writes the template.
pub fn cloudformation(policies: &Policies, trust: &Trust, deployment: Deployment, out: &mut impl Write) -> io::Result<()> {
    out.write_all(if deployment == Deployment::Stack { STACK } else { STACK_SET }.as_bytes())?;
    writeln!(out, "AWSTemplateFormatVersion: '2010-09-09'")?;
    writeln!(out, "Description: Read-only role for plimsoll")?;
    parameters(trust, deployment, out)?;
    if deployment == Deployment::Stack {
        writeln!(out, "Conditions:")?;
        writeln!(out, "  HasExternalId: !Not [!Equals [!Ref ExternalId, '']]")?;
    }
    writeln!(out, "Resources:")?;
    for (number, statements) in policies.statements() {
        policy(number, statements, out)?;
    }
    role(policies, deployment, out)?;
    writeln!(out, "Outputs:")?;
    writeln!(out, "  RoleArn:")?;
    writeln!(out, "    Description: For `plimsoll scan --role-arn`")?;
    writeln!(out, "    Value: !GetAtt ReadOnlyRole.Arn")
}

fn parameters(trust: &Trust, deployment: Deployment, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Parameters:")?;
    writeln!(out, "  ScannerPrincipalArn:")?;
    writeln!(out, "    Description: ARN of the role, the user or the account (arn:aws:iam::111122223333:root) that runs plimsoll")?;
    writeln!(out, "    Type: String")?;
    default(trust.principal.as_ref().map(|principal| principal.arn(trust.partition)).as_deref(), out)?;
    writeln!(out, "    AllowedPattern: {}", quoted(PRINCIPAL_PATTERN))?;
    writeln!(out, "  ExternalId:")?;
    let id = trust.external_id.as_ref().map(super::ExternalId::as_str);
    match deployment {
        Deployment::Stack => {
            writeln!(out, "    Description: What the scanner has to name in order to assume the role; empty for none")?;
            writeln!(out, "    Type: String")?;
            default(id.or(Some("")), out)?;
            writeln!(out, "    AllowedPattern: {}", quoted(&format!("({EXTERNAL_ID_PATTERN})?")))?;
        }
        Deployment::StackSet => {
            writeln!(out, "    Description: What the scanner has to name in order to assume the role")?;
            writeln!(out, "    Type: String")?;
            default(id, out)?;
            writeln!(out, "    AllowedPattern: {}", quoted(EXTERNAL_ID_PATTERN))?;
        }
    }
    writeln!(out, "    MaxLength: 1224")?;
    writeln!(out, "  RoleName:")?;
    writeln!(out, "    Description: Name of the role, the same in every account")?;
    writeln!(out, "    Type: String")?;
    default(Some(trust.role_name.as_str()), out)?;
    writeln!(out, "    AllowedPattern: {}", quoted(ROLE_NAME_PATTERN))?;
    writeln!(out, "  MaxSessionDuration:")?;
    writeln!(out, "    Description: Seconds for which a session of the role is good at most")?;
    writeln!(out, "    Type: Number")?;
    writeln!(out, "    Default: 3600")?;
    writeln!(out, "    MinValue: 3600")?;
    writeln!(out, "    MaxValue: 43200")
}

fn default(value: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    value.map_or(Ok(()), |value| writeln!(out, "    Default: {}", quoted(value)))
}

/// Without a name of its own: a policy that has to be replaced would not fit beside the old one.
fn policy(number: usize, statements: &[Statement], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  ReadPolicy{number}:")?;
    writeln!(out, "    Type: AWS::IAM::ManagedPolicy")?;
    writeln!(out, "    Properties:")?;
    writeln!(out, "      Description: What plimsoll reads")?;
    writeln!(out, "      PolicyDocument:")?;
    writeln!(out, "        Version: '2012-10-17'")?;
    writeln!(out, "        Statement:")?;
    for statement in statements {
        writeln!(out, "          - Sid: {}", statement.sid)?;
        writeln!(out, "            Effect: Allow")?;
        writeln!(out, "            Action:")?;
        for action in &statement.actions {
            // A colon between letters is text.
            writeln!(out, "              - {action}")?;
        }
        match &statement.resource {
            // A variable of IAM is written as one of CloudFormation would be.
            Some(resource) => {
                let arn = format!("arn:${{AWS::Partition}}:{}", resource.replace("${", "${!"));
                writeln!(out, "            Resource: !Sub {}", quoted(&arn))?;
            }
            None => writeln!(out, "            Resource: '*'")?,
        }
    }
    Ok(())
}

fn role(policies: &Policies, deployment: Deployment, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  ReadOnlyRole:")?;
    writeln!(out, "    Type: AWS::IAM::Role")?;
    writeln!(out, "    Properties:")?;
    writeln!(out, "      RoleName: !Ref RoleName")?;
    writeln!(out, "      Description: Reads the account for plimsoll")?;
    writeln!(out, "      MaxSessionDuration: !Ref MaxSessionDuration")?;
    writeln!(out, "      AssumeRolePolicyDocument:")?;
    writeln!(out, "        Version: '2012-10-17'")?;
    writeln!(out, "        Statement:")?;
    writeln!(out, "          - Sid: Scanner")?;
    writeln!(out, "            Effect: Allow")?;
    writeln!(out, "            Principal:")?;
    writeln!(out, "              AWS: !Ref ScannerPrincipalArn")?;
    writeln!(out, "            Action: sts:AssumeRole")?;
    match deployment {
        Deployment::Stack => {
            writeln!(out, "            Condition: !If")?;
            writeln!(out, "              - HasExternalId")?;
            writeln!(out, "              - StringEquals:")?;
            writeln!(out, "                  sts:ExternalId: !Ref ExternalId")?;
            writeln!(out, "              - !Ref AWS::NoValue")?;
        }
        Deployment::StackSet => {
            writeln!(out, "            Condition:")?;
            writeln!(out, "              StringEquals:")?;
            writeln!(out, "                sts:ExternalId: !Ref ExternalId")?;
        }
    }
    writeln!(out, "      ManagedPolicyArns:")?;
    policies.statements().try_for_each(|(number, _)| writeln!(out, "        - !Ref ReadPolicy{number}"))
}

/// A scalar that YAML takes for nothing but a string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{SAMPLE, trust};
    use super::super::{Permission, Policies, Trust};
    use super::{Deployment, cloudformation};
    use saphyr::{LoadableYamlNode, Yaml};
    use serde_json::{Value, json};

    fn template(permissions: &[Permission<'_>], trust: &Trust, deployment: Deployment) -> String {
        let mut out = Vec::new();
        cloudformation(&Policies::new(permissions), trust, deployment, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// YAML as CloudFormation reads it: short functions in their long form.
    fn read(yaml: &Yaml<'_>) -> Value {
        match yaml {
            Yaml::Sequence(items) => items.iter().map(read).collect(),
            Yaml::Mapping(entries) => entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value))).collect(),
            Yaml::Tagged(tag, inner) => {
                let name = tag.suffix.as_str();
                let name = if name == "Ref" { name.to_owned() } else { format!("Fn::{name}") };
                json!({ name: read(inner) })
            }
            scalar => scalar.as_integer().map_or_else(|| Value::from(scalar.as_str().unwrap()), Value::from),
        }
    }

    fn parsed(permissions: &[Permission<'_>], trust: &Trust, deployment: Deployment) -> Value {
        let text = template(permissions, trust, deployment);
        read(Yaml::load_from_str(&text).unwrap().first().unwrap())
    }

    #[test]
    fn a_stack_holds_policies_and_a_role() {
        insta::assert_snapshot!("stack", template(SAMPLE, &trust(), Deployment::Stack));
    }

    #[test]
    fn a_stack_set_demands_an_external_id() {
        let text = template(SAMPLE, &Trust::default(), Deployment::StackSet);
        insta::assert_snapshot!("stackset", text);
        let template = parsed(SAMPLE, &Trust::default(), Deployment::StackSet);
        assert_eq!(template["Parameters"]["ExternalId"]["Default"], Value::Null);
        let trust = &template["Resources"]["ReadOnlyRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Principal"], json!({"AWS": {"Ref": "ScannerPrincipalArn"}}));
        assert_eq!(trust["Condition"], json!({"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}));
    }

    #[test]
    fn what_was_typed_is_the_default() {
        for deployment in [Deployment::Stack, Deployment::StackSet] {
            let parameters = &parsed(SAMPLE, &trust(), deployment)["Parameters"];
            assert_eq!(parameters["ScannerPrincipalArn"]["Default"], "arn:aws:iam::111122223333:root");
            assert_eq!(parameters["ExternalId"]["Default"], "0815-shop");
            assert_eq!(parameters["RoleName"]["Default"], "PlimsollReadOnly");
        }
        let numeric = Trust { external_id: Some("0123456".parse().unwrap()), ..Trust::default() };
        assert_eq!(parsed(SAMPLE, &numeric, Deployment::StackSet)["Parameters"]["ExternalId"]["Default"], "0123456");
    }

    #[test]
    fn the_template_allows_what_the_policies_allow() {
        let actions: Vec<String> = (0..400).map(|at| format!("service{:02}:DescribeSomething{at}", at / 10)).collect();
        let all: Vec<Permission<'_>> = actions
            .iter()
            .map(|action| Permission { operation: action, action, resource: None, why: "" })
            .chain(SAMPLE.iter().copied())
            .collect();
        let resources = parsed(&all, &trust(), Deployment::StackSet)["Resources"].clone();
        let mut allowed: Vec<&str> = Vec::new();
        let attached = resources["ReadOnlyRole"]["Properties"]["ManagedPolicyArns"].as_array().unwrap();
        assert_eq!(attached.len(), 3);
        for policy in attached {
            let document = &resources[policy["Ref"].as_str().unwrap()]["Properties"]["PolicyDocument"];
            for statement in document["Statement"].as_array().unwrap() {
                let parameter = statement["Action"].as_array().unwrap().iter().any(|action| action == "ssm:GetParameter");
                let public = json!({"Fn::Sub": "arn:${AWS::Partition}:ssm:*::parameter/aws/service/*"});
                assert_eq!(statement["Resource"], if parameter { public } else { json!("*") });
                allowed.extend(statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()));
            }
        }
        let mut wanted: Vec<&str> = all.iter().map(|permission| permission.action).collect();
        wanted.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(allowed, wanted);
    }
}
