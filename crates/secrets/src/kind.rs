//! The names of what a text can look like: public ids, as they stand in snapshots and reports.

use std::fmt;

/// What a text looks like. Shown as a kebab-case id such as `aws-secret-access-key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKind(&'static str);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        impl SecretKind {
            $($(#[$doc])* pub const $name: Self = Self($id);)*

            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    /// A PEM or OpenSSH private key.
    PRIVATE_KEY = "private-key";
    /// A Google Cloud service account file with its private key.
    GCP_SERVICE_ACCOUNT = "gcp-service-account";
    /// An AWS access key id. It identifies a key and opens nothing alone.
    AWS_ACCESS_KEY_ID = "aws-access-key-id";
    /// The secret half of an AWS access key.
    AWS_SECRET_ACCESS_KEY = "aws-secret-access-key";
    /// The session token of temporary AWS credentials.
    AWS_SESSION_TOKEN = "aws-session-token";
    /// A long-term API key of Amazon Bedrock.
    AWS_BEDROCK_API_KEY = "aws-bedrock-api-key";
    /// A URL with a password in its user information.
    PASSWORD_IN_URL = "password-in-url";
    /// A password among the keys of a `Server=…;Password=…` string.
    CONNECTION_STRING = "connection-string-password";
    /// A password given as a command-line option.
    PASSWORD_IN_COMMAND = "password-in-command";
    /// A value whose name says that it is a secret.
    NAMED_SECRET = "named-secret";
    /// A JSON Web Token.
    JWT = "jwt";
    /// Credentials in an HTTP `Authorization: Basic` header.
    BASIC_AUTH = "basic-auth-header";
    /// A token in an HTTP `Authorization: Bearer` header.
    BEARER_TOKEN = "bearer-token";
    /// Registry credentials of Docker or of the ECS agent.
    DOCKER_REGISTRY_AUTH = "docker-registry-auth";
    /// A key of an Azure storage account, service bus or alike.
    AZURE_ACCOUNT_KEY = "azure-account-key";
    /// The secret of an Azure (Entra) application.
    AZURE_CLIENT_SECRET = "azure-client-secret";
    /// A GitHub token.
    GITHUB_TOKEN = "github-token";
    /// A GitLab token.
    GITLAB_TOKEN = "gitlab-token";
    /// A Slack token.
    SLACK_TOKEN = "slack-token";
    /// A webhook that lets its bearer post into a chat.
    CHAT_WEBHOOK = "chat-webhook";
    /// A Stripe live key or webhook secret.
    STRIPE_KEY = "stripe-key";
    /// A Google API key.
    GOOGLE_API_KEY = "google-api-key";
    /// A Google OAuth client secret.
    GOOGLE_CLIENT_SECRET = "google-client-secret";
    /// An npm token.
    NPM_TOKEN = "npm-token";
    /// A PyPI token.
    PYPI_TOKEN = "pypi-token";
    /// A SendGrid key.
    SENDGRID_KEY = "sendgrid-key";
    /// A Twilio key or auth token.
    TWILIO_KEY = "twilio-key";
    /// An OpenAI key.
    OPENAI_KEY = "openai-key";
    /// An Anthropic key.
    ANTHROPIC_KEY = "anthropic-key";
    /// A Hugging Face token.
    HUGGING_FACE_TOKEN = "hugging-face-token";
    /// A Datadog API or application key.
    DATADOG_KEY = "datadog-key";
    /// A New Relic key.
    NEW_RELIC_KEY = "new-relic-key";
    /// A Grafana token.
    GRAFANA_TOKEN = "grafana-token";
    /// A Sentry token.
    SENTRY_TOKEN = "sentry-token";
    /// A HashiCorp Vault or Terraform Cloud token.
    HASHICORP_TOKEN = "hashicorp-token";
    /// A DigitalOcean token.
    DIGITALOCEAN_TOKEN = "digitalocean-token";
    /// A Docker Hub access token.
    DOCKER_HUB_TOKEN = "docker-hub-token";
    /// An Atlassian token.
    ATLASSIAN_TOKEN = "atlassian-token";
    /// A Databricks token.
    DATABRICKS_TOKEN = "databricks-token";
    /// A Shopify token.
    SHOPIFY_TOKEN = "shopify-token";
    /// A Mailgun key.
    MAILGUN_KEY = "mailgun-key";
    /// A Telegram bot token.
    TELEGRAM_TOKEN = "telegram-token";
    /// A PlanetScale token or password.
    PLANETSCALE_TOKEN = "planetscale-token";
    /// An age secret key.
    AGE_SECRET_KEY = "age-secret-key";
}

impl SecretKind {
    /// The kebab-case id.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether it names a credential without being one: true of an AWS access key id.
    pub fn is_identifier(self) -> bool {
        self == Self::AWS_ACCESS_KEY_ID
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
