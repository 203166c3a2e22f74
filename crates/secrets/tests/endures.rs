//! Hostile input: any characters, any length.

use plimsoll_secrets::{Detector, user_data_facts};
use proptest::prelude::*;
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(Some(b"key")));

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(name in "\\PC{0,40}", text in "(?s).{0,400}") {
        let _ = DETECTOR.named_value(&name, &text);
        let _ = DETECTOR.text(&text);
        let _ = DETECTOR.access_key_ids(&text);
        let _ = user_data_facts(&DETECTOR, &text);
    }

    #[test]
    fn no_mixture_of_telling_pieces_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let text = pieces.concat();
        for found in DETECTOR.text(&text) {
            prop_assert!(found.line >= 1 && found.line <= text.lines().count().max(1));
            prop_assert!(found.len <= text.chars().count());
        }
        let _ = DETECTOR.named_value("DB_PASSWORD", &text);
        let _ = user_data_facts(&DETECTOR, &encode(text.as_bytes()));
    }

    #[test]
    fn no_bytes_of_user_data_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), gzip in any::<bool>()) {
        let bytes = if gzip { [vec![0x1f, 0x8b, 8, 0], bytes].concat() } else { bytes };
        let _ = user_data_facts(&DETECTOR, &encode(&bytes));
    }
}

const PIECES: &[&str] = &[
    "password",
    "=",
    ": ",
    "\"",
    "'",
    "\\",
    "\\n",
    "\n",
    " ",
    "--",
    "-p",
    "mysql",
    "://",
    "@",
    ":",
    "/",
    "é",
    "東",
    "{",
    "}",
    "[",
    "]",
    ",",
    "AKIA",
    "QNZGKIQY56JQ7WML",
    "token",
    "eyJ",
    ".",
    "-----BEGIN ",
    "PRIVATE KEY",
    "-----",
    "hunter2",
    "Content-Type: multipart/mixed; boundary=",
    "--b",
    "ECS_CLUSTER",
    "/etc/ecs/ecs.config",
    ">",
    ">>",
    "echo ",
    "[settings.ecs]",
    "HTTP_PROXY",
    "NO_PROXY",
    "cGFzc3dvcmQ9aHVudGVyMgo",
    "$",
    "${",
    "#",
    "\t",
    "\r\n",
    "Initialize-ECSAgent",
    "\u{0}",
];

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn long_texts_come_to_an_end() {
    for piece in [
        "a",
        "=",
        "\"",
        "password",
        "password=",
        "password: \"",
        "eyJ",
        "eyJhbGci.",
        "-----BEGIN PRIVATE KEY-----",
        "x://y:",
        "AKIA",
        concat!("AKIA", "QNZGKIQY56JQ7WML "),
        "token='abcdefg1' ",
        "cGFzc3dvcmQ9aHVudGVyMgo ",
        "mysql -",
        "[",
        "{\"a\":",
        "\\\"",
        "é",
    ] {
        let text = piece.repeat((256 << 10) / piece.len());
        let _ = DETECTOR.text(&text);
        let _ = DETECTOR.named_value("DB_PASSWORD", &text);
        let _ = user_data_facts(&DETECTOR, &encode(text.as_bytes()));
    }
}

#[test]
fn the_number_of_matches_is_bounded() {
    let text = "token='abcdefg1'\n".repeat(5000);
    assert_eq!(DETECTOR.text(&text).len(), 1000);
}

#[test]
fn the_detector_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&*DETECTOR);
}
