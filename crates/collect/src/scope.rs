//! The action that allows an operation flows in; the only resources that it is wanted for flow out.

/// Public parameters, by which AWS publishes its machine images: owned by AWS, in no account.
const PUBLIC_PARAMETERS: &str = "ssm:*::parameter/aws/service/*";
/// A listing is decided on the path, which may stand in the caller's account. Nobody but AWS can have parameters there.
const PUBLIC_PATHS: &str = "ssm:*:*:parameter/aws/service/*";

/// Actions that read values which are not all ours to read. What is not declared by a collector is in no policy.
const SCOPES: &[(&str, &str)] =
    &[("ssm:GetParameter", PUBLIC_PARAMETERS), ("ssm:GetParameters", PUBLIC_PARAMETERS), ("ssm:GetParametersByPath", PUBLIC_PATHS)];

/// What an action is wanted for alone: an ARN pattern without its first two parts (`arn:aws:`). Everything where `None`.
pub fn resource_scope(permission: &str) -> Option<&'static str> {
    SCOPES.iter().find(|(action, _)| *action == permission).map(|(_, resource)| *resource)
}

#[cfg(test)]
mod tests {
    use super::{SCOPES, resource_scope};

    /// Actions that read what only its owner should, whatever they are limited to.
    const NEVER: &[&str] = &[
        "ec2:GetConsoleOutput",
        "ec2:GetPasswordData",
        "ecs:ExecuteCommand",
        "kms:Decrypt",
        "lambda:InvokeFunction",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "s3:GetObject",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameterHistory",
        "sts:GetFederationToken",
        "sts:GetSessionToken",
    ];

    fn declared() -> Vec<&'static str> {
        crate::operations().iter().map(|operation| operation.permission).collect()
    }

    #[test]
    fn no_collector_may_read_secrets_or_data() {
        for permission in declared() {
            assert!(!NEVER.iter().any(|never| never.eq_ignore_ascii_case(permission)), "{permission}");
        }
    }

    #[test]
    fn parameters_are_read_where_aws_publishes_them_only() {
        for permission in declared().into_iter().filter(|permission| permission.starts_with("ssm:GetParameter")) {
            assert!(resource_scope(permission).is_some_and(|resource| resource.ends_with(":parameter/aws/service/*")), "{permission}");
        }
        assert_eq!(resource_scope("ssm:GetParameter"), Some("ssm:*::parameter/aws/service/*"));
        assert_eq!(resource_scope("ssm:DescribeParameters"), None);
    }

    #[test]
    fn a_scope_is_of_the_service_of_its_action() {
        for (action, resource) in SCOPES {
            assert_eq!(action.split(':').next(), resource.split(':').next());
            assert!(resource.split(':').count() >= 4 && !resource.contains(' '), "{resource}");
        }
    }

    #[test]
    fn an_action_is_named_in_full() {
        for permission in declared() {
            let (service, name) = permission.split_once(':').unwrap();
            assert!(
                !service.is_empty() && service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{permission}"
            );
            assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "{permission}");
        }
    }
}
