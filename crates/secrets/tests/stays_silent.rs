//! Values and texts that must not be taken for secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plimsoll_secrets::Detector;

#[track_caller]
fn silent(cases: &[(&str, &str)]) {
    let detector = Detector::new(None);
    let wrong: Vec<String> =
        cases.iter().filter_map(|(name, value)| detector.named_value(name, value).map(|m| format!("{name}={value}: {}", m.kind))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[track_caller]
fn silent_texts(cases: &[&str]) {
    let detector = Detector::new(None);
    let wrong: Vec<String> =
        cases.iter().flat_map(|text| detector.text(text).into_iter().map(move |m| format!("{text}: {}", m.kind))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_and_places_of_secrets_are_no_secrets() {
    silent(&[
        ("DB_PASSWORD", "prod/db/password"),
        ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-AbCdEf"),
        ("DB_PASSWORD", "/prod/db/password"),
        ("DB_PASSWORD", "DB_PASSWORD"),
        ("DB_SECRET", "my-app-secret"),
        ("SECRET_NAME", "my-app-secret"),
        ("SECRET_ID", "prod/db"),
        ("SECRET_ARN", "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-AbCdEf"),
        ("TOKEN_FILE", "/var/run/token"),
        ("PASSWORD_FILE", "/run/secrets/x"),
        ("MYSQL_ROOT_PASSWORD_FILE", "/run/secrets/db_root"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcp/key.json"),
        ("DB_CREDENTIALS", "vault:secret/data/prod#db"),
        ("API_TOKEN", "ssm:/prod/api/token"),
        ("API_TOKEN", "op://vault/item/field"),
        ("TLS_PRIVATE_KEY", "C:\\certs\\tls.key"),
    ]);
}

#[test]
fn settings_about_secrets_are_no_secrets() {
    silent(&[
        ("TOKEN_EXPIRY", "3600"),
        ("TOKEN_TTL", "15m"),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"),
        ("MYSQL_RANDOM_ROOT_PASSWORD", "yes"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("SECRETS_MANAGER_REGION", "eu-west-3"),
        ("TOKEN_URL", "https://login.internal/oauth2/token"),
        ("USE_TOKEN", "true"),
        ("PASSWORD_ENCODER", "bcrypt-with-sha512"),
        ("MAX_TOKENS", "4096"),
        ("TOKENIZER", "cl100k_base"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PASSWORD_RESET_FROM", "no-reply@company.org"),
        ("CSRF_TOKEN_HEADER", "X-CSRF-Token"),
        ("TOKEN_ISSUER", "https://idp.internal"),
        ("JWT_SECRET_ALGORITHM", "HS256"),
        ("PWD", "/srv/App2/releaseX9"),
        ("POSTGRES_HOST_AUTH_METHOD", "trust"),
        ("ECS_ENGINE_AUTH_TYPE", "dockercfg"),
        ("AWS_SECRET_NAME", "Prod9Db-xY"),
    ]);
}

#[test]
fn placeholders_and_references_are_no_secrets() {
    silent(&[
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "changeme"),
        ("DB_PASSWORD", "<password>"),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("DB_PASSWORD", "{{ .Values.x }}"),
        ("DB_PASSWORD", "{{resolve:secretsmanager:prod/db:SecretString:password}}"),
        ("DB_PASSWORD", "%(x)s"),
        ("DB_PASSWORD", "%DB_PASSWORD%"),
        ("DB_PASSWORD", "****"),
        ("DB_PASSWORD", "xxxx"),
        ("DB_PASSWORD", "example"),
        ("DB_PASSWORD", "dummy"),
        ("DB_PASSWORD", "test"),
        ("DB_PASSWORD", "none"),
        ("DB_PASSWORD", "your-password-here"),
        ("API_KEY", "REPLACE_ME"),
        ("API_KEY", "__API_KEY__"),
        ("AWS_ACCESS_KEY_ID", concat!("AKIA", "IOSFODNN7EXAMPLE")),
        ("AWS_SECRET_ACCESS_KEY", concat!("wJalrXUtnFEMI/K7MDENG/bPxRfi", "CYEXAMPLEKEY")),
        ("STRIPE_KEY", concat!("sk_live_", "xxxxxxxxxxxxxxxxxxxxxxxx")),
        ("GITHUB", concat!("ghp_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
        ("ADMIN_PASSWORD", concat!("$2b$12$", "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ0123456")),
        ("DB_PASSWORD", concat!("AQICAH", "hGk3xQ9vTz1LmN8bRc5YpH7sJ2dFgK4aE6uXoZqhGk3xQ9vTz1LmN8bRc5YpH7sJ2dFgK4aE6uXoZqabcdefghijkl==")),
        ("DB_PASSWORD", "ENC[AES256_GCM,data:p673w==,iv:YY=,tag:UQ=]"),
    ]);
}

#[test]
fn urls_without_a_password_are_no_secrets() {
    silent(&[
        ("DATABASE_URL", "postgres://app@db/x"),
        ("DATABASE_URL", "postgres://app:${PW}@db/x"),
        ("DATABASE_URL", "postgres://app:$PW@db/x"),
        ("DATABASE_URL", "postgres://app:<password>@db/x"),
        ("DATABASE_URL", "postgres://user:password@host:5432/db"),
        ("DATABASE_URL", "postgres://app:****@db/x"),
        ("API", "https://api.internal:8443/v1?x=a@b"),
        ("GIT", "ssh://git@git.internal:22/app.git"),
        ("GIT", "git@github.com:company/app.git"),
        ("SITE", "https://bob:hunter2@example.com/"),
        ("SENTRY_DSN", "https://3f9a1c7e5b2d8046f1e3a5c7b9d20468@o1.ingest.sentry.io/2"),
        ("S3", "s3://bucket/prefix/key"),
        ("KAFKA", "SASL_SSL://b-1.kafka.internal:9096,SASL_SSL://b-2.kafka.internal:9096"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"),
    ]);
}

#[test]
fn ordinary_values_are_no_secrets() {
    let harmless = STANDARD.encode("server:\n  port: 8080\n  name: frontend\n");
    let flags = r#"{"new_checkout":true,"token_refresh":false,"max_tokens":4096,"password_reset":"enabled","color":"teal"}"#;
    silent(&[
        ("ID", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("GIT_SHA", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("DIGEST", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("CHECKSUM", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("CACHE_KEY", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("IDEMPOTENCY_KEY", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("ROLE", "arn:aws:iam::123456789012:role/app"),
        ("KMS_KEY", "arn:aws:kms:eu-west-3:123456789012:key/7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("ACCOUNT", "123456789012"),
        ("VERSION", "1.27.3-rc.1+build.5"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", "America/Argentina/Buenos_Aires"),
        ("CRON", "*/5 * * * 1-5"),
        (
            "IMAGE",
            "123456789012.dkr.ecr.eu-west-3.amazonaws.com/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        ("IMAGE", "public.ecr.aws/docker/library/nginx:1.27"),
        ("HOST", "db-1.cluster-abc123.eu-west-3.rds.amazonaws.com"),
        ("EMAIL", "ops@company.org"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("JAVA_OPTS", "-Xms512m -Xmx2g -XX:+UseG1GC -Djavax.net.ssl.trustStore=/etc/ssl/truststore.jks"),
        ("SSH_PUBLIC_KEY", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7kW3xQ9vTz1LmN8bRc5YpH7sJ2dFgK4 ops@host"),
        (
            "JWT_PUBLIC_KEY",
            "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0aB3dE5fG7hJ9kL1mN2pQ4rS\n-----END PUBLIC KEY-----",
        ),
        (
            "CA",
            "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0aB3dE5fG7hJ9kL1mN2pQ4rS\n-----END CERTIFICATE-----",
        ),
        ("CONFIG", &harmless),
        ("FLAGS", flags),
        ("NEXT_PUBLIC_API_KEY", "pk_1234567890abcdef"),
        ("LOG_FORMAT", "%t %r %s password=%(x)s"),
        ("ALLOWED_ORIGINS", "https://a.company.org,https://b.company.org"),
        ("UNICODE", "naïve café – 東京"),
        ("NUMBER", "42"),
        ("S3_KEY", "uploads/2024/report.csv"),
        ("PARTITION_KEY", "customer_id"),
    ]);
}

#[test]
fn scripts_that_handle_secrets_well_are_silent() {
    silent_texts(&[
        "DB_PASSWORD=$(aws secretsmanager get-secret-value --secret-id prod/db --query SecretString --output text)",
        "TOKEN=`curl -s -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600'`",
        "curl -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/instance-id",
        "aws ecr get-login-password | docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-3.amazonaws.com",
        "aws ssm get-parameter --name /prod/db/password --with-decryption",
        "mysql -u root -p\"$MYSQL_ROOT_PASSWORD\" -e 'select 1'",
        "mysqladmin ping -h localhost --protocol=tcp --port=3306",
        "if [ \"$PASSWORD\" = \"hunter2x\" ]; then exit 1; fi",
        "if [ -z \"${TOKEN:-}\" ]; then echo 'token: missing'; fi",
        "read -s -p \"Password: \" answer",
        "echo \"Fetching token: please wait\"",
        "# the secret: see the wiki page",
        "password = get_secret(\"prod/db\")",
        "password = os.environ[\"DB_PASSWORD\"]",
        "connect(password=password, token=token)",
        "curl -u \"$USER:$PASS\" https://api.internal",
        "docker run -u 1000:1000 -p 8080:80 --secret id=db,src=/run/db app",
        "grep -q 'BEGIN RSA PRIVATE KEY' /etc/ssl/key.pem",
        "cat /run/secrets/db_password | app --password-file /dev/stdin",
        "{\"Action\":\"secretsmanager:GetSecretValue\",\"Resource\":\"arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db/password-AbCdEf\"}",
        "imagePullSecrets:\n  - name: regcred\nsecretName: app-tls\n",
        "valueFrom:\n  secretKeyRef:\n    name: db\n    key: password\n",
        "CMD-SHELL curl -f http://localhost:8080/health || exit 1",
        "wget -q --spider http://localhost:3000/token",
        "export AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2",
        "test \"$SECRET\" == \"$OTHER\"",
        "tokens: 100\nsecret: true\npassword: ~\n",
        "password: !Ref DbPassword",
        "ad.instances=[{\"host\":\"%%host%%\",\"password\":\"%%env_REDIS_PASSWORD%%\"}]",
        "chpasswd < /run/secrets/users",
        "sed -i 's/PasswordAuthentication yes/PasswordAuthentication no/' /etc/ssh/sshd_config",
        "password: *default_password",
        "https://docs.internal/reset-password?lang=en",
    ]);
}

#[test]
fn made_up_identifiers_are_silent_under_neutral_names() {
    let detector = Detector::new(None);
    // A fixed sequence of pseudo-random numbers: the same thousand cases each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..1000 {
        let (a, b) = (next(), next());
        let words = STANDARD.encode(format!("item {a} of the list number {b}"));
        let uuid = format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, a & 0xffff, (a >> 16) & 0xfff, b & 0xfff, b >> 16);
        for value in [format!("{a:016x}{b:016x}{:08x}", a >> 32), format!("{a:x}{b:x}{a:x}{b:x}"), uuid, words] {
            assert_eq!(detector.named_value("BUILD", &value), None, "{value}");
            assert_eq!(detector.named_value("CACHE_KEY", &value), None, "{value}");
        }
    }
}
