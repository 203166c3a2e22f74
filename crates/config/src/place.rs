//! The text of the file and the way to a value in it flow in; line and column flow out.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::Place;

/// A step on the way to a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'s> {
    /// The value of a key.
    Key(&'s str),
    /// An item of a list.
    Item(usize),
}

/// Where the value is; where the way is lost, the last value on it.
pub(crate) fn of_value(text: &str, steps: &[Step<'_>]) -> Range<usize> {
    span(text, steps, false)
}

/// Where the last key of the way is.
pub(crate) fn of_key(text: &str, steps: &[Step<'_>]) -> Range<usize> {
    span(text, steps, true)
}

fn span(text: &str, steps: &[Step<'_>], of_key: bool) -> Range<usize> {
    let Ok(document) = DeTable::parse(text) else { return 0..0 };
    let mut here = document.span();
    let root = DeValue::Table(document.into_inner());
    let mut value = &root;
    for step in steps {
        match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => {
                let Some((name, next)) = table.iter().find(|(name, _)| name.get_ref() == key) else { return here };
                here = if of_key { name.span() } else { next.span() };
                value = next.get_ref();
            }
            (Step::Item(item), DeValue::Array(array)) => {
                let Some(next) = array.get(*item) else { return here };
                here = next.span();
                value = next.get_ref();
            }
            _ => return here,
        }
    }
    here
}

/// The line and column, from 1, at which a span begins.
pub(crate) fn at(path: &Path, text: &str, span: Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { path: path.to_owned(), line, column }
}
