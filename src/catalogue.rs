//! The words of every failure as a person meets them, area by area, so that a change of one is seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Class, Code, Failure};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue")
}

/// Fails unless these failures, each with what was met, are told in the words of
/// `tests/catalogue/AREA.txt`. Set `NBCOURIER_BLESS` to write them down as they are.
pub(crate) fn assert_told(area: &str, failures: impl IntoIterator<Item = (String, Failure)>) {
    let mut told = String::new();
    for (met, failure) in failures {
        let (name, advice) = (failure.code.as_str(), failure.advice());
        let _ = writeln!(
            told,
            "{name}\n  met   {met}\n  what  {}\n  do    {advice}\n",
            failure.what
        );
        assert_words(&failure);
    }
    let file = directory().join(format!("{area}.txt"));
    if std::env::var_os("NBCOURIER_BLESS").is_some() {
        fs::write(&file, &told).expect("write");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let (told, written): (Vec<_>, Vec<_>) = (told.lines().collect(), written.lines().collect());
    assert_eq!(told, written, "{}", file.display());
}

/// What all words have in common: something happened somewhere, and somebody who reads them knows
/// what to do, or that there is nothing to do.
fn assert_words(failure: &Failure) {
    let (what, advice) = (failure.what.as_str(), failure.advice());
    for text in [what, advice] {
        assert!(!text.trim().is_empty(), "{failure:?}");
        assert!(!text.contains(['\n', '\u{1b}']), "{text:?}");
    }
    assert!(
        !advice.starts_with(char::is_uppercase) || advice.starts_with("NERSC"),
        "{advice}"
    );
    assert!(!advice.ends_with('.'), "{advice}");
    if matches!(failure.code.row().class, Class::Hold(_)) {
        assert!(
            !advice.starts_with("nothing"),
            "a person is waited for: {advice}"
        );
    }
}

#[test]
fn every_code_is_told_in_the_catalogue() {
    let mut told = BTreeSet::new();
    for file in fs::read_dir(directory()).expect("the catalogue") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        told.extend(text.lines().map(str::to_owned));
    }
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|name| !told.contains(*name))
        .collect();
    assert!(missing.is_empty(), "without an example: {missing:?}");
}
