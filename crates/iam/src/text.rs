//! Text in a policy that may hold wildcards and variables. A variable's value is literal: a `*` inside it is no wildcard.

use compact_str::CompactString;

use crate::case::fold_case;
use crate::context::{Context, ContextValue, KeyState, lowered};
use crate::glob::{Glob, Token, run};
use crate::tri::Tri;

/// What has a meaning of its own in a text.
#[derive(Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Token(Token),
    Variable(Variable),
}

/// `${key}` or `${key, 'default'}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// In lower case.
    pub(crate) key: CompactString,
    pub(crate) default: Option<CompactString>,
}

/// A compiled text: fixed, or to be completed from the context of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Fixed(Glob),
    Template(Box<[Piece]>),
    /// Matches nothing, whatever the request.
    Never,
}

/// What a template becomes in a request.
pub(crate) enum Resolved {
    Tokens(Vec<Token>),
    /// A variable has no value and no default.
    Never,
    /// A variable's value is not known.
    Unknown,
}

/// Takes text apart.
pub(crate) fn pieces(text: &str, syntax: Syntax) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(byte) = rest.bytes().next() {
        if syntax.variables
            && let Some(inside) = rest.strip_prefix("${")
            && let Some((content, after)) = split_variable(inside)
        {
            match content {
                "*" | "?" | "$" => pieces.extend(content.bytes().map(|byte| Piece::Token(Token::Byte(byte)))),
                content => pieces.push(Piece::Variable(variable(content))),
            }
            rest = after;
            continue;
        }
        let token = match byte {
            b'*' if syntax.wildcards => Token::Many,
            b'?' if syntax.wildcards => Token::One,
            byte => Token::Byte(byte),
        };
        pieces.push(Piece::Token(token));
        // A character of several bytes is taken whole, so that `rest` stays text.
        let width = rest.chars().next().map_or(1, char::len_utf8);
        let (whole, after) = rest.split_at(width);
        pieces.extend(whole.bytes().skip(1).map(|byte| Piece::Token(Token::Byte(byte))));
        rest = after;
    }
    pieces
}

/// The inside of a variable and what follows its closing brace; a default may hold braces.
fn split_variable(inside: &str) -> Option<(&str, &str)> {
    let quote = inside.find('\'').filter(|at| inside.find('}').is_none_or(|brace| *at < brace));
    let closing = match quote {
        Some(at) => {
            let close = at + 1 + inside.get(at + 1..)?.find('\'')?;
            close + inside.get(close..)?.find('}')?
        }
        None => inside.find('}')?,
    };
    Some((inside.get(..closing)?, inside.get(closing + 1..)?))
}

fn variable(content: &str) -> Variable {
    match content.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let default = default.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            Variable { key: lowered(key.trim()), default: default.map(CompactString::new) }
        }
        None => Variable { key: lowered(content.trim()), default: None },
    }
}

/// What a template becomes in this context.
pub(crate) fn resolve(pieces: &[Piece], context: &Context) -> Resolved {
    let mut tokens = Vec::with_capacity(pieces.len() + 16);
    let mut unknown = false;
    for piece in pieces {
        match piece {
            Piece::Token(token) => tokens.push(*token),
            Piece::Variable(variable) => match (context.lookup(&variable.key), &variable.default) {
                (KeyState::Known(ContextValue::One(value)), _) => tokens.extend(value.bytes().map(Token::Byte)),
                (KeyState::Absent, Some(default)) => tokens.extend(default.bytes().map(Token::Byte)),
                // A multi-valued key is not usable as a variable.
                (KeyState::Known(ContextValue::Many(_)), _) | (KeyState::Absent, None) => return Resolved::Never,
                (KeyState::Chosen | KeyState::Unknown, _) => unknown = true,
            },
        }
    }
    if unknown { Resolved::Unknown } else { Resolved::Tokens(tokens) }
}

impl Text {
    pub(crate) fn from_pieces(pieces: &[Piece]) -> Self {
        if pieces.iter().any(|piece| matches!(piece, Piece::Variable(_))) {
            return Self::Template(pieces.into());
        }
        let tokens: Vec<Token> =
            pieces.iter().filter_map(|piece| if let Piece::Token(token) = piece { Some(*token) } else { None }).collect();
        Self::Fixed(Glob::from_tokens(&tokens))
    }

    pub(crate) fn new(text: &str, syntax: Syntax) -> Self {
        Self::from_pieces(&pieces(text, syntax))
    }

    pub(crate) fn matches(&self, text: &str, context: &Context) -> Tri {
        match self {
            Self::Fixed(glob) => glob.matches(text.as_bytes()).into(),
            Self::Never => Tri::False,
            Self::Template(pieces) => match resolve(pieces, context) {
                Resolved::Tokens(tokens) => run(&tokens, text.as_bytes()).into(),
                Resolved::Never => Tri::False,
                Resolved::Unknown => Tri::Unknown,
            },
        }
    }

    /// As `matches`, with the values of variables folded; pattern and text are so already.
    pub(crate) fn matches_folded(&self, text: &str, context: &Context) -> Tri {
        let Self::Template(pieces) = self else { return self.matches(text, context) };
        match resolve(pieces, context) {
            Resolved::Tokens(tokens) => {
                let bytes = tokens.iter().filter_map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None }).collect();
                String::from_utf8(bytes).is_ok_and(|resolved| fold_case(&resolved) == text).into()
            }
            Resolved::Never => Tri::False,
            Resolved::Unknown => Tri::Unknown,
        }
    }

    /// The keys of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &CompactString> {
        let pieces: &[Piece] = if let Self::Template(pieces) = self { pieces } else { &[] };
        pieces.iter().filter_map(|piece| if let Piece::Variable(variable) = piece { Some(&variable.key) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn matches(pattern: &str, text: &str) -> Tri {
        let context = Context::complete()
            .with("aws:username", KeyState::known("a*"))
            .with("aws:TagKeys", KeyState::Known(ContextValue::Many(vec!["x".into()])))
            .with("sts:ExternalId", KeyState::Unknown);
        Text::new(pattern, ALL).matches(text, &context)
    }

    #[test]
    fn a_value_is_literal() {
        assert_eq!(matches("home/${aws:UserName}/*", "home/a*/x"), Tri::True);
        assert_eq!(matches("home/${aws:username}/*", "home/ab/x"), Tri::False);
    }

    #[test]
    fn a_default_stands_in_for_a_missing_key_alone() {
        assert_eq!(matches("${aws:PrincipalTag/team, 'blue}'}", "blue}"), Tri::True);
        assert_eq!(matches("${aws:username, 'blue'}", "blue"), Tri::False);
        assert_eq!(matches("${aws:PrincipalTag/team}", ""), Tri::False);
        assert_eq!(matches("${aws:TagKeys, 'x'}", "x"), Tri::False);
    }

    #[test]
    fn escapes_are_the_characters() {
        assert_eq!(matches("a${*}b${?}${$}", "a*b?$"), Tri::True);
        assert_eq!(matches("a${*}b", "axb"), Tri::False);
    }

    #[test]
    fn a_value_is_folded_with_the_text_around_it() {
        let context = Context::complete().with("aws:username", KeyState::known("ΛΌΓΟΣ"));
        let pattern = Text::new(&fold_case("Home-${aws:UserName}-X"), Syntax { wildcards: false, variables: true });
        assert_eq!(pattern.matches_folded(&fold_case("HOME-λόγος-x"), &context), Tri::True);
        assert_eq!(pattern.matches_folded(&fold_case("HOME-λόγο-x"), &context), Tri::False);
    }

    #[test]
    fn an_unclosed_brace_is_text() {
        assert_eq!(matches("${aws:username", "${aws:username"), Tri::True);
        assert_eq!(matches("é${", "é${"), Tri::True);
    }

    #[test]
    fn an_unknown_value_leaves_the_answer_open() {
        assert_eq!(matches("x/${sts:ExternalId}", "x/1"), Tri::Unknown);
    }
}
