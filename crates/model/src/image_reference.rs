//! References to container images as task definitions write them: text flows in, registry, repository, tag and digest
//! flow out.

/// The registry that a reference without one means.
const DOCKER_HUB: &str = "docker.io";

/// `REGISTRY/REPOSITORY:TAG@DIGEST`, read as container runtimes read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageReference<'a> {
    /// The host, with its port if one is given; `docker.io` when the text names none.
    pub registry: &'a str,
    /// The repository as it is written, without `library/`, which Docker Hub puts before official images.
    pub repository: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
    /// The digest, `sha256:…`.
    pub digest: Option<&'a str>,
}

/// The private registry of an account in a Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrivateRegistry<'a> {
    /// The account.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
}

impl<'a> ImageReference<'a> {
    /// Reads a reference; `None` when nothing is left for the repository.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        // What comes before the first slash is a host when it looks like one.
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => (DOCKER_HUB, name),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (path, None),
        };
        let registry = if matches!(registry, "index.docker.io" | "registry-1.docker.io") { DOCKER_HUB } else { registry };
        let given = |part: &&str| !part.is_empty();
        (!repository.is_empty()).then_some(Self { registry, repository, tag: tag.filter(given), digest: digest.filter(given) })
    }

    /// Registry and repository with all that goes without saying: `docker.io/library/nginx`.
    pub fn full_name(&self) -> String {
        let library = if self.registry == DOCKER_HUB && !self.repository.contains('/') { "library/" } else { "" };
        format!("{}/{library}{}", self.registry, self.repository)
    }

    /// The private registry of Amazon ECR that it names.
    pub fn private_registry(&self) -> Option<PrivateRegistry<'a>> {
        // ACCOUNT.dkr.ecr.REGION.amazonaws.com, ACCOUNT.dkr-ecr.REGION.on.aws, and -fips of both.
        let mut parts = self.registry.split(['.', ':']);
        let account = parts.next().filter(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        match parts.next()? {
            "dkr" if matches!(parts.next()?, "ecr" | "ecr-fips") => {}
            "dkr-ecr" | "dkr-ecr-fips" => {}
            _ => return None,
        }
        let region = parts.next().filter(|part| part.contains('-'))?;
        parts.next()?;
        Some(PrivateRegistry { account, region })
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageReference, PrivateRegistry};

    fn read(text: &str) -> (String, Option<&str>, Option<&str>) {
        let reference = ImageReference::parse(text).unwrap();
        (reference.full_name(), reference.tag, reference.digest)
    }

    #[test]
    fn what_goes_without_saying_is_said() {
        assert_eq!(read("nginx"), ("docker.io/library/nginx".to_owned(), None, None));
        assert_eq!(read("index.docker.io/nginx:1.27"), ("docker.io/library/nginx".to_owned(), Some("1.27"), None));
        assert_eq!(read("team/app:1.2"), ("docker.io/team/app".to_owned(), Some("1.2"), None));
        assert_eq!(read("localhost:5000/app"), ("localhost:5000/app".to_owned(), None, None));
        assert_eq!(read("ghcr.io/a/b/c:x@sha256:ab"), ("ghcr.io/a/b/c".to_owned(), Some("x"), Some("sha256:ab")));
        assert_eq!(ImageReference::parse(" "), None);
        assert_eq!(ImageReference::parse("ghcr.io/"), None);
    }

    #[test]
    fn private_registries_tell_their_account_and_region() {
        for host in [
            "111111111111.dkr.ecr.eu-west-3.amazonaws.com",
            "111111111111.dkr.ecr-fips.eu-west-3.amazonaws.com",
            "111111111111.dkr-ecr.eu-west-3.on.aws",
            "111111111111.dkr.ecr.eu-west-3.localhost.localstack.cloud:4566",
        ] {
            let text = format!("{host}/shop/web:1");
            let reference = ImageReference::parse(&text).unwrap();
            assert_eq!(reference.repository, "shop/web");
            assert_eq!(reference.private_registry(), Some(PrivateRegistry { account: "111111111111", region: "eu-west-3" }), "{host}");
        }
        for host in ["public.ecr.aws", "11111111111.dkr.ecr.eu-west-3.amazonaws.com", "111111111111.dkr.ecr.", "111111111111.example.org"] {
            assert_eq!(ImageReference::parse(&format!("{host}/web")).unwrap().private_registry(), None, "{host}");
        }
    }
}
