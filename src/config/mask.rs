//! What of a line may be shown: never a value that looks like a secret.
//!
//! Works on the text, not on the tree, because a line that can't be parsed is shown as well.
//! It would rather hide too much.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

const SECRET: [&str; 7] = [
    "token",
    "webhook",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "bearer",
];
const SECRET_WHOLE: [&str; 7] = ["auth", "key", "apikey", "pass", "pw", "pwd", "pin"];

/// How far above a line its key and its table are looked for.
const LINES: usize = 1000;

/// A key and what stands between it and its value, TOML's or not.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"([\w.\-"']+)[\s=:]+"#).ok());
static OWN_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^\s*([\w.\-"' ]+?)\s*[=:]\s*"#).ok());
/// A value, or a key of an inline table when `=` follows.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"("(?:\\.|[^"\\])*"?|'[^']*'?|[^\s{}\[\],="']+)(\s*=(?:[^=]|$))?"#).ok()
});
/// Of a URL: who logs in, and the query.
static URL_PARTS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"://(?:([^\s"']*)@)?[^\s"'?#]*(?:[?#]([^\s"']+))?"#).ok());

/// Whether the value of such a key must not be shown.
fn looks_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // A certificate's, which everybody may see.
    let key = key.replace("pin_sha256", "");
    key.split(|c: char| !c.is_alphanumeric()).any(|word| {
        SECRET_WHOLE.contains(&word)
            || SECRET.iter().any(|secret| {
                let misspelt = word.len() < 20 && strsim::damerau_levenshtein(word, secret) <= 1;
                word.contains(secret) || misspelt
            })
    })
}

/// The parts of `text[line]` that must not be shown, relative to the line, in order.
pub(super) fn hidden(text: &str, line: Range<usize>) -> Vec<Range<usize>> {
    let (before, shown) = (&text[..line.start], &text[line]);
    if below_a_secret(before, shown) {
        return std::iter::once(0..shown.len()).collect();
    }
    let from = secret_value(before, shown).unwrap_or(shown.len());
    let urls = URL_PARTS
        .iter()
        .flat_map(|parts| parts.captures_iter(shown));
    let parts = urls
        .flat_map(|found| [found.get(1), found.get(2)])
        .flatten();
    let parts = parts.map(|part| part.start()..part.end().min(from));
    let parts = parts.filter(|part| !part.is_empty());
    parts.chain(values(shown, from)).collect()
}

/// Whether the line continues a value of many lines that may be secret.
fn below_a_secret(before: &str, line: &str) -> bool {
    let in_text = |quotes| before.matches(quotes).count() % 2 == 1;
    if in_text("\"\"\"") || in_text("'''") {
        return true;
    }
    let continues = own_key(line).is_none() && !line.trim_start().starts_with(['[', '#']);
    let above = || before.lines().rev().take(LINES).find_map(own_key);
    continues && above().is_some_and(|(key, _)| looks_secret(key))
}

/// Where the first secret value of the line begins.
fn secret_value(before: &str, line: &str) -> Option<usize> {
    let is_header = |line: &&str| line.trim_start().starts_with('[');
    let header = before.lines().rev().take(LINES).find(is_header);
    let own = own_key(line).filter(|_| header.is_some_and(looks_secret));
    let keys = KEY.iter().flat_map(|key| key.captures_iter(line));
    let found = keys.filter_map(|found| {
        let key = found.get(1)?;
        looks_secret(key.as_str()).then(|| found.get(0).map(|all| all.end()))?
    });
    found.chain(own.map(|(_, from)| from)).min()
}

fn own_key(line: &str) -> Option<(&str, usize)> {
    let found = OWN_KEY.as_ref()?.captures(line)?;
    Some((found.get(1)?.as_str(), found.get(0)?.end()))
}

/// Everything from there on; of an inline table only the values, so that its keys can be shown.
fn values(line: &str, from: usize) -> Vec<Range<usize>> {
    let rest = &line[from..];
    if !rest.is_empty() && !rest.starts_with('{') {
        return std::iter::once(from..line.len()).collect();
    }
    let words = WORD.iter().flat_map(|word| word.captures_iter(rest));
    words
        .filter_map(|found| {
            let word = found.get(1)?;
            let short = word.len() <= 16 && word.as_str().chars().all(is_key_letter);
            let is_key = found.get(2).is_some() && short;
            (!is_key).then(|| from + word.start()..from + word.end())
        })
        .collect()
}

fn is_key_letter(c: char) -> bool {
    c.is_ascii_lowercase() || c == '_' || c == '.'
}

/// The beginning of a line up to the byte `upto`, with `…` for each hidden part.
pub(super) fn shown(line: &str, hidden: &[Range<usize>], upto: usize) -> String {
    let mut text = String::new();
    let mut at = 0;
    for part in hidden.iter().take_while(|part| part.start < upto) {
        text.push_str(&line[at..part.start]);
        if upto < part.end {
            return text;
        }
        if !text.ends_with('…') {
            text.push('…');
        }
        at = part.end;
    }
    text.push_str(&line[at..upto]);
    text
}
