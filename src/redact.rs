//! Knows every secret that is in memory, and takes it out of whatever reaches a person.
//!
//! A server may send back what it was sent. Two places ask: [`crate::failure`], where all that was
//! said by others becomes a message, and the log, for each of its lines.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A shorter one would blacken words that are none; it protects nothing either. Bytes.
const SHORTEST: usize = 6;

/// A shorter part of a key is a word of its format. Bytes.
const SHORTEST_PART: usize = 16;

/// What stands in a secret's place.
const MARK: &str = "[secret]";

/// What percent-encoders leave as it is, and whether they make `+` of a blank: Python's and Go's
/// for paths and for forms, the one of the WHATWG, JavaScript's.
const ENCODERS: [(&str, bool); 5] = [
    ("-._~", false),
    ("-._~/", false),
    ("-._~", true),
    ("-._*", true),
    ("-._~!*'()", false),
];

static LIVE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// A secret that is taken out of messages as long as it lives; overwritten when the last copy goes.
#[derive(Clone)]
pub struct Held(Arc<Inner>);

struct Inner {
    text: Zeroizing<String>,
    /// As it may appear in a message.
    forms: Vec<Zeroizing<String>>,
}

impl Held {
    /// Takes a secret. The same one is kept once, however often it is read.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        let mut live = live();
        let known = live.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.into_iter().find(|known| known.text == text) {
            return Self(known);
        }
        let forms = forms(&text);
        let inner = Arc::new(Inner { text, forms });
        live.retain(|one| one.strong_count() > 0);
        live.push(Arc::downgrade(&inner));
        Self(inner)
    }

    /// The secret itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

/// A text without any secret that is in memory, be it as it is, in base64, percent-encoded or
/// escaped.
#[must_use]
pub fn cleaned(text: &str) -> Cow<'_, str> {
    let live: Vec<Arc<Inner>> = live().iter().filter_map(Weak::upgrade).collect();
    let mut forms: Vec<&str> = live
        .iter()
        .flat_map(|one| one.forms.iter().map(|form| form.as_str()))
        .collect();
    // One may be a part of another.
    forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
    let mut text = Cow::Borrowed(text);
    for form in forms {
        if text.contains(form) {
            text = Cow::Owned(text.replace(form, MARK));
        }
    }
    text
}

fn live() -> MutexGuard<'static, Vec<Weak<Inner>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forms(text: &str) -> Vec<Zeroizing<String>> {
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![text.to_owned(), escaped(text), html(text)];
    forms.extend(ENCODERS.iter().flat_map(|encoder| percent(text, *encoder)));
    forms.extend((0..3).flat_map(|shift| in_base64(text, shift)));
    // Of a key in PEM or JSON somebody may tell a part.
    let parts = text.split(|c: char| c.is_whitespace() || c == '"');
    forms.extend(
        parts
            .filter(|part| part.len() >= SHORTEST_PART)
            .map(str::to_owned),
    );
    forms.sort_unstable();
    forms.dedup();
    forms.into_iter().map(Zeroizing::new).collect()
}

/// As inside a JSON text.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn percent(text: &str, (kept, plus): (&str, bool)) -> [String; 2] {
    let encode = |hex: fn(u8) -> String| {
        let encoded = text.bytes().map(|byte| match char::from(byte) {
            ' ' if plus => "+".into(),
            c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
            _ => hex(byte),
        });
        encoded.collect()
    };
    [
        encode(|byte| format!("%{byte:02X}")),
        encode(|byte| format!("%{byte:02x}")),
    ]
}

/// What every base64 has in which the secret begins `shift` bytes behind a group of three: the
/// letters that no neighbour has a part in.
fn in_base64(text: &str, shift: usize) -> Vec<String> {
    let bytes = [&[0; 3][..shift], text.as_bytes()].concat();
    let bytes = Zeroizing::new(bytes);
    let own = (shift * 8).div_ceil(6)..bytes.len() * 8 / 6;
    let encoded = [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].map(|engine| engine.encode(&*bytes));
    encoded.map(|text| text[own.clone()].to_owned()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(text: &str) -> Held {
        Held::new(Zeroizing::new(text.into()))
    }

    #[test]
    fn a_living_secret_is_taken_out_in_all_its_forms() {
        let secret = "p@ss:w/ord+% \"é&";
        let _held = hold(secret);
        let basic =
            |before: &str, after: &str| STANDARD_NO_PAD.encode(format!("{before}{secret}{after}"));
        let texts = [
            format!("you sent {secret}!"),
            "secret=p%40ss%3Aw%2Ford%2B%25+%22%C3%A9%26&x=1".into(),
            "p%40ss%3aw%2ford%2b%25%20%22%c3%a9%26".into(),
            "{\"was\": \"p@ss:w/ord+% \\\"é&\"}".into(),
            "<p>p@ss:w/ord+% &quot;é&amp;</p>".into(),
            basic("", ""),
            basic("a", "xyz"),
            basic("ab", "x"),
            basic("client:", ""),
        ];
        for text in texts {
            let clean = cleaned(&text);
            assert!(clean.contains(MARK), "{text} -> {clean}");
            assert!(!clean.contains("ss:w") && !clean.contains("3Aw"), "{clean}");
            assert!(text.len() < clean.len() + 40, "{clean}");
        }
        assert_eq!(cleaned("nothing of it"), "nothing of it");
    }

    #[test]
    fn each_line_of_a_key_is_taken_out_and_a_part_of_another_leaves_nothing_behind() {
        let _key = hold("-----BEGIN X-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END X-----\n");
        let _short = hold("abcdef-1");
        let _long = hold("abcdef-123");
        let clean = cleaned("bad key MIIEvQIBADANBgkqhkiG9w0 of abcdef-123");
        assert_eq!(clean, "bad key [secret] of [secret]");
    }

    #[test]
    fn the_same_secret_is_kept_once_and_forgotten_when_it_is_gone() {
        let (one, other) = (hold("once-and-only"), hold("once-and-only"));
        assert!(Arc::ptr_eq(&one.0, &other.0));
        drop(one);
        assert_eq!(cleaned("once-and-only"), MARK);
        drop(other);
        assert_eq!(cleaned("once-and-only"), "once-and-only");
        let _short = hold("ab");
        assert_eq!(cleaned("about"), "about");
    }
}
