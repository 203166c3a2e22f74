//! Patterns: `*` is any run of characters, `?` exactly one. Text flows in at compilation; matching is linear for the
//! usual shapes and never worse than pattern times text.

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This byte.
    Byte(u8),
    /// One character.
    One,
    /// Any run of characters.
    Many,
}

/// A compiled pattern; the common shapes have a cheaper match than the general one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Glob {
    All,
    Literal(Box<[u8]>),
    Prefix(Box<[u8]>),
    General(Box<[Token]>),
}

impl Glob {
    /// Compiles text in which `*` and `?` are wildcards.
    pub(crate) fn new(text: &str) -> Self {
        Self::from_tokens(&tokens(text))
    }

    /// Compiles a sequence in which what is literal was told apart before.
    pub(crate) fn from_tokens(tokens: &[Token]) -> Self {
        let wild = tokens.iter().position(|token| !matches!(token, Token::Byte(_)));
        let bytes = |tokens: &[Token]| -> Box<[u8]> {
            tokens.iter().filter_map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None }).collect()
        };
        match wild {
            None => Self::Literal(bytes(tokens)),
            Some(at) if tokens.iter().skip(at).all(|token| *token == Token::Many) => {
                if at == 0 {
                    Self::All
                } else {
                    Self::Prefix(bytes(tokens))
                }
            }
            Some(_) => {
                let mut kept: Vec<Token> = tokens.to_vec();
                kept.dedup_by(|a, b| *a == Token::Many && *b == Token::Many);
                Self::General(kept.into())
            }
        }
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Literal(literal) => **literal == *text,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::General(tokens) => run(tokens, text),
        }
    }

    /// Whether the pattern ends in a `*`.
    pub(crate) fn ends_open(&self) -> bool {
        match self {
            Self::All | Self::Prefix(_) => true,
            Self::Literal(_) => false,
            Self::General(tokens) => tokens.last() == Some(&Token::Many),
        }
    }
}

/// The steps of text in which `*` and `?` are wildcards.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    text.bytes()
        .map(|byte| match byte {
            b'*' => Token::Many,
            b'?' => Token::One,
            byte => Token::Byte(byte),
        })
        .collect()
}

/// The length of the character that starts at `at`; zero inside a character or past the end.
fn character(text: &[u8], at: usize) -> usize {
    let continues = |byte: &u8| byte & 0xC0 == 0x80;
    match text.get(at) {
        None => 0,
        Some(byte) if continues(byte) => 0,
        Some(_) => 1 + text.iter().skip(at + 1).take_while(|byte| continues(byte)).count(),
    }
}

/// Two pointers and one point to fall back to: a later `*` makes every earlier one irrelevant.
pub(crate) fn run(pattern: &[Token], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut fallback: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(Token::Many) => {
                fallback = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(Token::One) => character(text, t),
            Some(Token::Byte(byte)) if text.get(t) == Some(byte) => 1,
            _ => 0,
        };
        if step > 0 {
            p += 1;
            t += step;
        } else if let Some((after, start)) = fallback {
            p = after;
            t = start + 1;
            fallback = Some((after, start + 1));
        } else {
            return false;
        }
    }
    pattern.iter().skip(p).all(|token| *token == Token::Many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches(text.as_bytes())
    }

    #[test]
    fn a_star_is_any_run_and_a_question_mark_one_character() {
        assert!(matches("Get*", "GetObject"));
        assert!(matches("Get*", "Get"));
        assert!(matches("*Object", "GetObject"));
        assert!(matches("G?t*ect", "GetObject"));
        assert!(!matches("Get?", "Get"));
        assert!(!matches("Get??", "GetX"));
        assert!(matches("", ""));
        assert!(!matches("", "x"));
    }

    #[test]
    fn a_question_mark_takes_a_whole_character_of_several_bytes() {
        assert!(matches("a?b", "aéb"));
        assert!(!matches("a??b", "aéb"));
        assert!(matches("*?b", "éb"));
    }

    #[test]
    fn fifty_stars_end() {
        let pattern = format!("{}c", "*a".repeat(50));
        assert!(!matches(&pattern, &"a".repeat(10_000)));
    }

    /// The definition, written as a table over all prefixes.
    fn by_table(pattern: &[char], text: &[char]) -> bool {
        let mut row = vec![false; text.len() + 1];
        row[0] = true;
        for p in pattern {
            let mut next = vec![false; text.len() + 1];
            next[0] = row[0] && *p == '*';
            for (i, t) in text.iter().enumerate() {
                next[i + 1] = match p {
                    '*' => row[i + 1] || next[i],
                    '?' => row[i],
                    p => row[i] && p == t,
                };
            }
            row = next;
        }
        row[text.len()]
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(pattern in "[abé*?]{0,12}", text in "[abé]{0,16}") {
            let expected = by_table(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(matches(&pattern, &text), expected);
        }
    }
}
