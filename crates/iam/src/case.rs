//! Text without case, as condition keys and the `IgnoreCase` operators compare it.

/// Folds case character by character: what a letter becomes does not hang on its neighbours, as that of a Greek sigma at
/// the end of a word does in `str::to_lowercase`.
pub(crate) fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .map(|character| {
            let upper = alone(character.to_uppercase()).unwrap_or(character);
            alone(upper.to_lowercase()).unwrap_or(upper)
        })
        .collect()
}

/// The character, if it is one.
fn alone(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_by_the_character() {
        let same = |one: &str, other: &str| fold_case(one) == fold_case(other);
        assert!(same("Team-A", "tEAM-a"));
        assert!(same("ΛΌΓΟΣ", "λόγοσ") && same("ΛΌΓΟΣ", "λόγος") && same("ΛΌΓΟΣ-X", "λόγος-x"));
        assert!(same("straße", "STRAßE") && !same("straße", "STRASSE"));
        assert_eq!(fold_case(&fold_case("İΣß")), fold_case("İΣß"));
    }
}
