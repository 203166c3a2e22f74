//! Tags flow in; what they have in common from release to release, and what they sign, flow out.

/// A commit in a tag has at least so many digits.
const COMMIT: usize = 7;

/// What a tag has in common with those of other releases of the same line: `1.27.3-alpine` and `1.28-alpine` are of one,
/// so are `main-3f2a9c1` and `main-b04d771`. None when nothing in it counts up.
pub(super) fn line(tag: &str) -> Option<String> {
    let mut line = String::new();
    let mut counts = false;
    for (index, part) in tag.split('-').enumerate() {
        if index > 0 {
            line.push('-');
        }
        if part.len() >= COMMIT && part.bytes().all(|byte| byte.is_ascii_hexdigit()) && part.bytes().any(|byte| byte.is_ascii_alphabetic())
        {
            line.push('#');
            counts = true;
            continue;
        }
        let mut number = false;
        for c in part.chars() {
            // 1.27.3 is one number here, whatever its length.
            let continues = number && matches!(c, '.' | '_');
            if c.is_ascii_digit() || continues {
                if !number {
                    line.push('0');
                }
                number = true;
                counts = true;
            } else {
                number = false;
                line.push(c);
            }
        }
    }
    counts.then_some(line)
}

/// The tag under which Cosign attaches the signature of an image: `sha256-….sig`.
pub(super) fn signature(digest: &str) -> String {
    format!("{}.sig", digest.replacen(':', "-", 1))
}

/// Whether a tag names what is attached to an image, and no image.
pub(super) fn is_attachment(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    digits == 64
}

#[cfg(test)]
mod tests {
    use super::{is_attachment, line, signature};

    #[test]
    fn releases_of_one_line_have_the_same() {
        for (one, other) in [
            ("1.27.3-alpine", "1.28-alpine"),
            ("v1", "v2.0.1"),
            ("main-3f2a9c1", "main-b04d771"),
            ("3f2a9c1d", "b04d771a"),
            ("2026-01-15", "2026-02-01"),
            ("build-9", "build-10"),
        ] {
            assert!(line(one).is_some());
            assert_eq!(line(one), line(other), "{one} {other}");
        }
        for (one, other) in [("1.27-alpine", "1.27-slim"), ("v1", "1"), ("main-3f2a9c1", "dev-3f2a9c1")] {
            assert_ne!(line(one), line(other), "{one} {other}");
        }
        for moving in ["latest", "stable", "prod", ""] {
            assert_eq!(line(moving), None, "{moving}");
        }
    }

    #[test]
    fn attachments_are_told_by_their_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(is_attachment(&signature(&digest)));
        assert!(is_attachment(&format!("sha256-{}", "a".repeat(64))));
        assert!(!is_attachment("sha256-tools"));
    }
}
