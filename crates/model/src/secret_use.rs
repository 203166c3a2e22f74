//! Where task definitions name what holds their secrets: a task definition flows in; each use with its container flows
//! out, told apart into secrets of Secrets Manager and parameters of Systems Manager.

use crate::Arn;
use crate::aws::ecs::{ContainerDefinition, TaskDefinition};

/// One place of a container definition that names a secret or a parameter.
#[derive(Clone, Copy, Debug)]
pub struct SecretUse<'a> {
    /// The container.
    pub container: &'a ContainerDefinition,
    /// The environment variable or log option that gets the value, or `repositoryCredentials`.
    pub name: &'a str,
    /// The reference as it is written.
    pub value_from: &'a str,
    /// Whether it is the password of a registry, which only Secrets Manager holds.
    pub is_registry: bool,
}

impl TaskDefinition {
    /// Every place that names a secret or a parameter.
    pub fn secret_uses(&self) -> impl Iterator<Item = SecretUse<'_>> {
        self.container_definitions.iter().flat_map(|container| {
            let options = container.log_configuration.iter().flat_map(|logs| &logs.secret_options);
            let values = container.secrets.iter().chain(options).map(move |secret| SecretUse {
                container,
                name: &secret.name,
                value_from: &secret.value_from,
                is_registry: false,
            });
            let registry = container.repository_credentials.iter().map(move |credentials| SecretUse {
                container,
                name: "repositoryCredentials",
                value_from: &credentials.credentials_parameter,
                is_registry: true,
            });
            values.chain(registry).filter(|one| !one.value_from.is_empty())
        })
    }
}

impl<'a> SecretUse<'a> {
    /// The secret that it names, by ARN or name, without the JSON key and version that may follow an ARN.
    pub fn secret(&self) -> Option<&'a str> {
        if !self.value_from.contains(":secretsmanager:") {
            return self.is_registry.then_some(self.value_from);
        }
        // arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME
        let end = self.value_from.match_indices(':').nth(6).map(|(end, _)| end);
        Some(end.and_then(|end| self.value_from.get(..end)).unwrap_or(self.value_from))
    }

    /// The key of the JSON document in the secret whose value alone is taken; `None` for the whole secret.
    pub fn json_key(&self) -> Option<&'a str> {
        self.secret()?;
        // Behind the ARN: `:json-key:version-stage:version-id`.
        self.value_from.split(':').nth(7).filter(|key| !key.is_empty())
    }

    /// The parameter that it names, by ARN or name.
    pub fn parameter(&self) -> Option<&'a str> {
        if self.is_registry {
            return None;
        }
        match Arn::parse(self.value_from) {
            Some(arn) => (arn.service == "ssm").then_some(self.value_from),
            None => Some(self.value_from),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::ecs::TaskDefinition;
    use serde_json::json;

    #[test]
    fn secrets_and_parameters_are_told_apart() {
        let secret = "arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf";
        let parameter = "arn:aws:ssm:us-east-1:111111111111:parameter/db";
        let definition: TaskDefinition = serde_json::from_value(json!({"containerDefinitions": [{
            "name": "web",
            "secrets": [
                {"name": "A", "valueFrom": format!("{secret}:password::")},
                {"name": "B", "valueFrom": parameter},
                {"name": "C", "valueFrom": "/db/url"},
            ],
            "logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "splunk-token", "valueFrom": "token"}]},
            "repositoryCredentials": {"credentialsParameter": "hub"},
        }]}))
        .unwrap();
        let keys: Vec<_> = definition.secret_uses().filter_map(|one| one.json_key()).collect();
        assert_eq!(keys, ["password"]);
        let uses: Vec<_> = definition.secret_uses().map(|one| (one.name, one.secret(), one.parameter())).collect();
        assert_eq!(
            uses,
            [
                ("A", Some(secret), None),
                ("B", None, Some(parameter)),
                ("C", None, Some("/db/url")),
                ("splunk-token", None, Some("token")),
                ("repositoryCredentials", Some("hub"), None),
            ]
        );
    }
}
