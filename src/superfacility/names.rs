//! Paths there: from the root on, but written without the `/` before them, as everywhere here.

use crate::config::checked::Superfacility;
use crate::failure::{Code, Failure};

/// What the file systems there take is 255 bytes; the number of a taken name comes on top.
const LONGEST_NAME: usize = 200;

/// A path in which every character that a shell might take for more than a letter has become `_`.
#[must_use]
pub fn plain(path: &str) -> String {
    let fine = |c: char| c == '/' || Superfacility::takes(c);
    path.chars()
        .map(|c| if fine(c) { c } else { '_' })
        .collect()
}

/// The part of a directory's pattern before the first name with a placeholder.
pub(super) fn root(directory: &str) -> String {
    let names = directory.split('/').filter(|name| !name.is_empty());
    let fixed: Vec<&str> = names.take_while(|name| !name.contains('{')).collect();
    fixed.join("/")
}

/// Whether a path can be asked for. Whoever made it has cleaned it already; this is the last door.
pub(super) fn check(path: &str) -> Result<(), Failure> {
    let wrong = path.split('/').find_map(|name| match name {
        "" | "." | ".." => Some("has an empty name or leads elsewhere".to_owned()),
        name if name.len() > LONGEST_NAME => {
            Some(format!("has a name of more than {LONGEST_NAME} bytes"))
        }
        name if !name.chars().all(Superfacility::takes) => {
            Some("holds something else than letters, digits, `_`, `-` and `.`".into())
        }
        _ => None,
    });
    match wrong {
        None => Ok(()),
        Some(why) => Err(Code::NameUnusable.failure(format!("`/{path}` {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_root_ends_where_placeholders_begin() {
        assert_eq!(root("/global/cfs/m1/"), "global/cfs/m1");
        assert_eq!(root("/global/cfs/m1/{year}/x"), "global/cfs/m1");
        assert_eq!(root("/global/cfs/run_{run}"), "global/cfs");
    }

    #[test]
    fn a_path_that_leads_elsewhere_or_could_be_a_command_is_refused() {
        for path in [
            "",
            "a//b",
            "a/../b",
            ".",
            "a/$(id).ipynb",
            "a b",
            "a;b",
            "a'b",
            "é",
            &"x".repeat(201),
        ] {
            let refused = check(path).expect_err(path);
            assert_eq!(refused.code, Code::NameUnusable, "{path}");
        }
        check("global/cfs/cdirs/m1234/run_1-2.ipynb").expect("a path");
        assert_eq!(plain("a b/$(id)é.ipynb"), "a_b/__id__.ipynb");
    }

    proptest! {
        #[test]
        fn a_cleaned_path_is_one_word_for_every_shell(path in "\\PC{0,40}") {
            let plain = plain(&path);
            prop_assert_eq!(plain.chars().count(), path.chars().count());
            prop_assert!(plain.chars().all(|c| c == '/' || Superfacility::takes(c)));
        }
    }
}
