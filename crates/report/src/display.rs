//! Text from outside flows in; text that a terminal shows as it stands, in a known number of cells, flows out.
//!
//! Names, tags, descriptions and error messages are written by whoever can write them, also by an attacker. What
//! a terminal would obey or hide becomes visible: `␛` for the escape character, `␤` for a line feed, `‹U+202E›`
//! for a mark that reverses the text after it.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Most cells that a name, an id or another short text may take.
pub(crate) const SHORT: usize = 200;
/// Most cells that a message may take.
pub(crate) const LONG: usize = 400;
/// Marks that may stand on one letter: more make a tower that covers other lines.
const MARKS: usize = 2;

/// The text made harmless, cut with `…` to at most `limit` cells.
pub(crate) fn shown(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    let (mut used, mut marks, mut fitting) = (0, MARKS, 0);
    for char in text.chars() {
        let before = out.len();
        match visible(char, marks < MARKS) {
            Visible::Mark => {
                out.push(char);
                marks += 1;
            }
            Visible::Char(' ') => {
                out.push(' ');
                marks = MARKS;
            }
            Visible::Char(char) => {
                out.push(char);
                marks = 0;
            }
            Visible::Code => {
                // Writing to a String cannot fail.
                write!(out, "‹U+{:04X}›", u32::from(char)).ok();
                marks = MARKS;
            }
        }
        used += cells(out.get(before..).unwrap_or_default());
        if used > limit {
            out.truncate(fitting);
            if limit > 0 {
                out.push('…');
            }
            return out;
        }
        if used < limit {
            fitting = out.len();
        }
    }
    out
}

/// A text made harmless for one line of a message, cut when it is very long.
pub fn inline(text: &str) -> String {
    shown(text, LONG)
}

/// A short text made harmless; `“”` for one that has nothing to see.
pub(crate) fn name(text: &str) -> String {
    let text = shown(text, SHORT);
    if text.trim().is_empty() { format!("“{text}”") } else { text }
}

enum Visible {
    /// As it is, or another character in its place.
    Char(char),
    /// As it is, on top of the letter before.
    Mark,
    /// By its number.
    Code,
}

fn visible(char: char, may_combine: bool) -> Visible {
    match char {
        ' '..='~' => Visible::Char(char),
        '\n' => Visible::Char('␤'),
        '\u{7f}' => Visible::Char('␡'),
        // The control pictures stand in the order of the controls.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(char)).map_or(Visible::Code, Visible::Char),
        _ if is_unseen(char) => Visible::Code,
        _ => match char.width() {
            Some(0) if may_combine => Visible::Mark,
            None | Some(0) => Visible::Code,
            Some(_) => Visible::Char(char),
        },
    }
}

/// Whether a character leaves no ink: further controls, direction marks, joiners, fillers, selectors, tags, and the
/// blanks that look like a space and are none.
fn is_unseen(char: char) -> bool {
    matches!(u32::from(char),
        0x80..=0xA0
        | 0xAD
        | 0x034F
        | 0x061C
        | 0x115F..=0x1160
        | 0x1680
        | 0x17B4..=0x17B5
        | 0x180B..=0x180F
        | 0x2000..=0x200F
        | 0x2028..=0x202F
        | 0x205F..=0x206F
        | 0x2800
        | 0x3000
        | 0x3164
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xFFA0
        | 0xFFF0..=0xFFFB
        | 0x1_BCA0..=0x1_BCA3
        | 0x1_D173..=0x1_D17A
        | 0xE_0000..=0xE_0FFF)
}

/// How many cells harmless text takes. The sum over characters, never less than what the terminal uses.
pub(crate) fn cells(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

fn width_of(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// Harmless text, cut in the middle to at most `limit` cells: of an ARN the end tells most.
pub(crate) fn cut_middle(text: &str, limit: usize) -> String {
    if cells(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(1) else { return String::new() };
    let head_room = room * 2 / 5;
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|char| {
            used += width_of(*char);
            used <= head_room
        })
        .collect();
    out.push('…');
    let mut used = 0;
    let tail: Vec<char> = text
        .chars()
        .rev()
        .take_while(|char| {
            used += width_of(*char);
            used <= room - head_room
        })
        .collect();
    // A mark without its letter would sit on the ellipsis.
    out.extend(tail.into_iter().rev().skip_while(|char| width_of(*char) == 0));
    out
}

/// Harmless text in lines of at most `width` cells, broken between words where that can be.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        let mut size = cells(word);
        if used > 0 && used + 1 + size > width {
            // A word too long for any line starts on this one if enough of it fits.
            if size <= width || width - used < 16 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        while used + size > width {
            let (head, tail) = break_word(word, width - used);
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            used = 0;
            word = tail;
            size = cells(word);
        }
        line.push_str(word);
        used += size;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits a word so that the first part takes at most `room` cells, after a separator if one is near.
fn break_word(word: &str, room: usize) -> (&str, &str) {
    let (mut used, mut hard, mut soft) = (0, 0, None);
    for (at, char) in word.char_indices() {
        used += width_of(char);
        if used > room && hard > 0 {
            break;
        }
        hard = at + char.len_utf8();
        if used * 2 > room && matches!(char, '/' | ':' | ',' | ';' | '=' | '&') {
            soft = Some(hard);
        }
    }
    word.split_at_checked(soft.unwrap_or(hard)).unwrap_or((word, ""))
}

/// Spaces that bring harmless text to `width` cells as terminals count them.
pub(crate) fn padding(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}

/// A number with its thousands set apart.
pub(crate) fn number(value: impl TryInto<u64>) -> String {
    let digits = value.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 check`, `2 checks`.
pub(crate) fn count(value: usize, noun: &str) -> String {
    format!("{} {noun}{}", number(value as u64), if value == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{cells, count, cut_middle, name, number, shown, wrap};
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(shown("a\u{1b}[31mred\u{1b}]8;;http://x\u{7}link", 99), "a␛[31mred␛]8;;http://x␇link");
        assert_eq!(shown("c1\u{9b}2J\u{85}", 99), "c1‹U+009B›2J‹U+0085›");
        assert_eq!(shown("nul\0 tab\t del\u{7f}", 99), "nul␀ tab␉ del␡");
        assert_eq!(shown("line\r\nnext", 99), "line␍␤next");
    }

    #[test]
    fn direction_and_invisible_marks_become_visible() {
        assert_eq!(shown("txt\u{202e}exe", 99), "txt‹U+202E›exe");
        assert_eq!(shown("a\u{200b}b\u{feff}c\u{2066}d\u{ad}e", 99), "a‹U+200B›b‹U+FEFF›c‹U+2066›d‹U+00AD›e");
        assert_eq!(shown("tag\u{e0041}", 99), "tag‹U+E0041›");
        assert_eq!(shown("two\u{2028}lines", 99), "two‹U+2028›lines");
    }

    #[test]
    fn letters_of_every_script_stay() {
        for text in ["déjà", "e\u{301}", "監査ログ", "שלום", "مرحبا", "🚢 ship", "한국어"] {
            assert_eq!(shown(text, 99), text);
        }
    }

    #[test]
    fn a_tower_of_marks_is_cut_down() {
        let tower = format!("z{}", "\u{301}".repeat(50));
        let text = shown(&tower, 40);
        assert_eq!(text.matches('\u{301}').count(), 2);
        assert!(text.ends_with('…') && cells(&text) <= 40, "{text}");
        assert_eq!(shown("\u{301}x", 99), "‹U+0301›x");
    }

    #[test]
    fn long_text_is_cut_to_its_cells() {
        assert_eq!(shown(&"x".repeat(10_240), 10), "xxxxxxxxx…");
        assert_eq!(shown("exactly ten", 11), "exactly ten");
        assert_eq!(shown("監査監査", 5), "監査…");
        assert_eq!(shown("any", 0), "");
        assert_eq!(cells(&name(&"長".repeat(10_000))), 199);
    }

    #[test]
    fn a_blank_name_is_not_nothing() {
        assert_eq!(name("  "), "“  ”");
        assert_eq!(name(""), "“”");
    }

    #[test]
    fn an_arn_keeps_both_ends() {
        let arn = "arn:aws:ecs:eu-west-3:111111111111:service/shop/payments-api";
        assert_eq!(cut_middle(arn, 40), "arn:aws:ecs:eu-…ervice/shop/payments-api");
        assert_eq!(cut_middle(arn, 99), arn);
        assert_eq!(cut_middle(arn, 0), "");
    }

    #[test]
    fn lines_break_between_words_and_inside_words_that_fit_on_none() {
        assert_eq!(wrap("one two  three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("see arn:aws:ecs:eu-west-3:1:service/web", 12), ["see", "arn:aws:ecs:", "eu-west-3:1:", "service/web"]);
        assert_eq!(wrap("監査監査監査", 5), ["監査", "監査", "監査"]);
        assert!(wrap("", 5).is_empty());
    }

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!((number(7_u64), number(1_234_567_u64)), ("7".into(), "1,234,567".into()));
        assert_eq!((count(1, "check"), count(0, "check")), ("1 check".into(), "0 checks".into()));
    }

    proptest! {
        #[test]
        fn nothing_that_moves_the_cursor_survives(text in any::<String>(), limit in 0_usize..300, width in 2_usize..120) {
            let text = shown(&text, limit);
            prop_assert!(text.width() <= limit);
            prop_assert!(!text.chars().any(|c| c.is_control() || super::is_unseen(c)));
            for line in wrap(&text, width) {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            prop_assert!(cut_middle(&text, width).width() <= width);
            let kept: String = wrap(&text, width).concat();
            prop_assert_eq!(kept.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
