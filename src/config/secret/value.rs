//! A secret's value, which can't be printed.

use zeroize::Zeroizing;

use crate::redact::Held;

/// A secret's value. Its debug form is `[secret]`; as long as it lives, [`crate::redact`] takes it
/// out of messages, and its memory is overwritten when it goes.
#[derive(Clone)]
pub struct Secret(Held);

impl Secret {
    /// A secret that was not read from where the configuration says, such as an answer's token.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Held::new(Zeroizing::new(text)))
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.text()
    }

    /// Sixteen hex digits that tell two secrets apart and reveal neither.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(self.expose().as_bytes())[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// What was read, as text; editors of other systems begin it with a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<Zeroizing<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no plain text")?;
    Ok(Zeroizing::new(text.trim_start_matches('\u{feff}').into()))
}

/// A secret of one word.
pub(super) fn word(text: &str) -> Result<Secret, String> {
    match text.trim() {
        "" => Err("it is empty".into()),
        word if word.contains(char::is_whitespace) => Err("it has more than one word".into()),
        // In a header such a one would begin another.
        word if word.contains(char::is_control) => Err("it has control characters".into()),
        word => Ok(Secret::new(word.to_owned())),
    }
}

/// A secret of several lines.
pub(super) fn lines(text: &str) -> Result<Secret, String> {
    let text = Zeroizing::new(text.trim().replace("\r\n", "\n"));
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    match text.as_str() {
        "" => Err("it is empty".into()),
        text if text.contains(is_odd) => Err("it has control characters".into()),
        _ => Ok(Secret(Held::new(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_add_is_dropped_and_what_no_header_takes_is_refused() {
        let read = |bytes: &[u8]| text(bytes).and_then(|text| word(&text));
        for fine in ["abc", "abc\n", " abc\r\n", "\u{feff}abc\r\n\r\n"] {
            assert_eq!(read(fine.as_bytes()).expect(fine).expose(), "abc");
        }
        for (wrong, why) in [
            (&b""[..], "empty"),
            (b" \r\n", "empty"),
            (b"\xef\xbb\xbf\n", "empty"),
            (b"abc def\n", "more than one word"),
            (b"abc\ndef", "more than one word"),
            (b"abc\0def", "control"),
            (b"abc\x1b", "control"),
            (b"\xff\xfe", "no plain text"),
        ] {
            let told = read(wrong).expect_err(why);
            assert!(told.contains(why) && !told.contains("abc"), "{told}");
        }
    }

    #[test]
    fn a_key_keeps_its_lines() {
        let key = lines("\r\n-----BEGIN\r\nMII\n-----END\r\n").expect("a key");
        assert_eq!(key.expose(), "-----BEGIN\nMII\n-----END");
        assert!(lines(" \n").is_err() && lines("a\0b").is_err());
    }

    #[test]
    fn a_secret_has_no_words() {
        let secret = Secret::new("very-secret".to_owned());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "[secret] Some(\n    [secret],\n)"
        );
        assert_eq!(secret.fingerprint().len(), 16);
    }
}
