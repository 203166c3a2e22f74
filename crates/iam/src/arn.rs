//! Patterns of ARNs: six parts, matched part by part, the last one with all its colons and slashes.

use compact_str::CompactString;

use crate::context::Context;
use crate::glob::{Glob, Token, run};
use crate::text::{Piece, Resolved, Syntax, Text, pieces, resolve};
use crate::tri::Tri;

/// How many parts an ARN has.
const PARTS: usize = 6;
/// How many colons a `*` at the end of a part is followed over: more than any ARN has.
const FOLLOWED: usize = 24;

/// Splits an ARN into its parts; `None` if it has fewer than six.
pub(crate) fn split(arn: &str) -> Option<[&str; PARTS]> {
    let mut parts = arn.splitn(PARTS, ':');
    let split = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    Some(split)
}

/// A compiled pattern of ARNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    Parts(Box<[Text; PARTS]>),
    /// Fewer parts, but a variable that may bring the others.
    Whole(Box<[Piece]>),
    /// Fewer parts: matches only where a `*` may run over colons.
    Short(Box<[Text]>),
}

/// How a pattern was found to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) holds: Tri,
    /// Only because a `*` at the end of a part ran over colons, which AWS allows for and advises against.
    pub(crate) runs_over: bool,
}

impl ArnPattern {
    /// Compiles a pattern of a `Resource` element: variables count in the last part only.
    pub(crate) fn of_resource(text: &str, variables: bool) -> Self {
        let wild = Syntax { wildcards: true, variables };
        let mut parts = divide(&pieces(text, wild));
        let last = parts.len() == PARTS;
        for (index, part) in parts.iter_mut().enumerate() {
            if (!last || index + 1 < PARTS) && matches!(part, Text::Template(_)) {
                *part = Text::Never;
            }
        }
        Self::of_parts(parts)
    }

    /// Compiles a value of an ARN operator: variables count everywhere.
    pub(crate) fn of_condition(text: &str, variables: bool) -> Self {
        let all = pieces(text, Syntax { wildcards: true, variables });
        let parts = divide(&all);
        if parts.len() < PARTS && parts.iter().any(|part| matches!(part, Text::Template(_))) {
            return Self::Whole(all.into());
        }
        Self::of_parts(parts)
    }

    fn of_parts(parts: Vec<Text>) -> Self {
        match <Box<[Text; PARTS]>>::try_from(parts) {
            Ok(parts) => Self::Parts(parts),
            Err(parts) => Self::Short(parts.into()),
        }
    }

    /// Part by part.
    pub(crate) fn matches(&self, arn: &[&str; PARTS], context: &Context) -> Tri {
        match self {
            Self::Parts(parts) => Tri::all(parts.iter().zip(arn).map(|(part, text)| part.matches(text, context))),
            Self::Short(_) => Tri::False,
            Self::Whole(all) => match resolve(all, context) {
                Resolved::Never => Tri::False,
                Resolved::Unknown => Tri::Unknown,
                Resolved::Tokens(tokens) => {
                    let mut parts = tokens.splitn(PARTS, |token| *token == Token::Byte(b':'));
                    let mut texts = arn.iter();
                    let all = parts.by_ref().zip(texts.by_ref()).all(|(part, text)| run(part, text.as_bytes()));
                    (all && parts.next().is_none() && texts.next().is_none()).into()
                }
            },
        }
    }

    /// Part by part, or with a `*` that ends a part running over the colons that follow.
    pub(crate) fn matches_loosely(&self, arn: &[&str; PARTS], whole: &str, context: &Context) -> Match {
        let holds = self.matches(arn, context);
        if holds != Tri::False || !self.runs_over_colons() {
            return Match { holds, runs_over: false };
        }
        let parts: &[Text] = match self {
            Self::Parts(parts) => parts.as_slice(),
            Self::Short(parts) => parts,
            Self::Whole(_) => return Match { holds, runs_over: false },
        };
        let holds = matches_over_colons(parts, whole, context);
        Match { holds, runs_over: holds != Tri::False }
    }

    /// Whether a part other than the sixth ends in a `*`.
    pub(crate) fn runs_over_colons(&self) -> bool {
        let parts: &[Text] = match self {
            Self::Parts(parts) => parts.as_slice(),
            Self::Short(parts) => parts,
            Self::Whole(_) => &[],
        };
        parts.iter().take(PARTS - 1).any(|part| matches!(part, Text::Fixed(glob) if glob.ends_open()))
    }

    pub(crate) fn is_short(&self) -> bool {
        matches!(self, Self::Short(_))
    }

    /// Its parts as far as they were told apart.
    pub(crate) fn parts(&self) -> &[Text] {
        match self {
            Self::Parts(parts) => parts.as_slice(),
            Self::Short(parts) => parts,
            Self::Whole(_) => &[],
        }
    }

    /// The keys of its variables.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let whole: &[Piece] = if let Self::Whole(pieces) = self { pieces } else { &[] };
        let whole = whole.iter().filter_map(|piece| if let Piece::Variable(variable) = piece { Some(variable.key.as_str()) } else { None });
        self.parts().iter().flat_map(Text::variables).map(CompactString::as_str).chain(whole).collect()
    }
}

/// Cuts at the first five colons outside variables.
fn divide(all: &[Piece]) -> Vec<Text> {
    all.splitn(PARTS, |piece| *piece == Piece::Token(Token::Byte(b':'))).map(Text::from_pieces).collect()
}

/// Where in the text the parts read so far may end: each part ends at a colon, and only one that ends in `*` passes any.
fn matches_over_colons(parts: &[Text], whole: &str, context: &Context) -> Tri {
    let mut ends: Vec<usize> = whole.match_indices(':').map(|(at, _)| at).take(FOLLOWED).collect();
    ends.push(whole.len());
    // `reached[i]`: the parts so far may end right before `ends[i]`; the first part starts at the beginning.
    let mut starts: Vec<(usize, Tri)> = vec![(0, Tri::True)];
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let open = matches!(part, Text::Fixed(Glob::All | Glob::Prefix(_))) || matches!(part, Text::Fixed(glob) if glob.ends_open());
        let mut next: Vec<(usize, Tri)> = Vec::new();
        for end in &ends {
            if is_last && *end != whole.len() {
                continue;
            }
            let reached = Tri::any(starts.iter().filter(|(start, _)| start <= end).map(|(start, before)| {
                let text = whole.get(*start..*end).unwrap_or("");
                if !open && !is_last && text.contains(':') { Tri::False } else { before.and(part.matches(text, context)) }
            }));
            if reached != Tri::False {
                next.push((*end + usize::from(!is_last), reached));
            }
        }
        starts = next;
    }
    Tri::any(starts.into_iter().map(|(_, holds)| holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::KeyState;

    fn strictly(pattern: &str, arn: &str) -> bool {
        let context = Context::complete().with("aws:PrincipalTag/team", KeyState::known("a:b"));
        ArnPattern::of_resource(pattern, true).matches(&split(arn).unwrap(), &context) == Tri::True
    }

    fn loosely(pattern: &str, arn: &str) -> Match {
        ArnPattern::of_resource(pattern, true).matches_loosely(&split(arn).unwrap(), arn, &Context::complete())
    }

    #[test]
    fn a_wildcard_stays_in_its_part_but_for_the_last() {
        assert!(strictly("arn:aws:ecs:*:1:cluster/prod", "arn:aws:ecs:eu-west-1:1:cluster/prod"));
        assert!(strictly("arn:aws:logs:*:*:*", "arn:aws:logs:eu-west-1:1:log-group:/ecs/app:log-stream:x"));
        assert!(!strictly("arn:aws:s3:*:bucket", "arn:aws:s3:::bucket"));
        assert!(!strictly("arn:aws:s3:::bucket", "arn:aws:s3:::bucket/key"));
        assert!(!strictly("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket"));
        assert!(!strictly("arn:aws:IAM::1:role/x", "arn:aws:iam::1:role/x"));
        assert!(strictly("arn:aws:iam::1:ro*/x", "arn:aws:iam::1:role/x"));
    }

    #[test]
    fn a_variable_brings_colons_without_shifting_the_parts() {
        assert!(strictly("arn:aws:sqs:eu-west-1:1:${aws:PrincipalTag/team}", "arn:aws:sqs:eu-west-1:1:a:b"));
        assert!(!strictly("arn:aws:sqs:${aws:PrincipalTag/team}:x", "arn:aws:sqs:a:b:x:y"));
    }

    #[test]
    fn a_star_that_ends_a_part_may_run_over_colons_where_that_is_asked_for() {
        let over = Match { holds: Tri::True, runs_over: true };
        let none = Match { holds: Tri::False, runs_over: false };
        assert_eq!(loosely("arn:aws:s3:*", "arn:aws:s3:::bucket"), over);
        assert_eq!(loosely("arn:aws:ecs:eu*:cluster/prod", "arn:aws:ecs:eu-west-1:1:cluster/prod"), over);
        assert_eq!(loosely("arn:aws:ecs:eu*:service/prod", "arn:aws:ecs:eu-west-1:1:cluster/prod"), none);
        assert!(!loosely("arn:aws:ecs:*:1:cluster/prod", "arn:aws:ecs:eu-west-1:1:cluster/prod").runs_over);
        assert_eq!(loosely("arn:aws:s3", "arn:aws:s3:::bucket"), none);
    }

    #[test]
    fn a_whole_arn_may_come_from_one_variable() {
        let arn = "arn:aws:iam::1:role/x";
        let context = Context::complete().with("aws:PrincipalArn", KeyState::known(arn));
        let pattern = ArnPattern::of_condition("${aws:PrincipalArn}", true);
        assert_eq!(pattern.matches(&split(arn).unwrap(), &context), Tri::True);
        assert_eq!(pattern.matches(&split("arn:aws:iam::1:role/y").unwrap(), &context), Tri::False);
    }
}
