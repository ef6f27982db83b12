//! By what a run is known again, and which of two runs is the later one. Pure.

use std::cmp::Ordering;

/// What is known of a run's place in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is there.
    Nothing,
    /// Something whose birth the file system doesn't know.
    Unborn,
    /// Something with this identity, born at this time (milliseconds since 1970, UTC).
    Born(String, i64),
}

/// Whether a known name still stands for the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does.
    Same,
    /// It does, and this identity is to be remembered.
    Adopt(String),
    /// Its number was used again: another run has its name.
    Reused,
    /// The file system can't tell; the metadata must.
    Ask,
}

/// The text for an inode and a birth time. Inode numbers alone are used again at once (ext4), and
/// device numbers change when a file system is mounted again.
pub(super) fn identity(inode: u64, seconds: i64, nanoseconds: u32) -> String {
    format!("{inode}:{seconds}.{nanoseconds:09}")
}

/// Compares what the ledger knows of a run, seen first at `seen_at`, with what is at its path now.
pub(super) fn judge(known: Option<&str>, seen_at: i64, found: &Found) -> Verdict {
    match (known, found) {
        // A listing that lacks a run, or a first segment that was moved away, says nothing.
        (_, Found::Nothing) => Verdict::Same,
        (_, Found::Unborn) => Verdict::Ask,
        (Some(known), Found::Born(identity, _)) if known == identity => Verdict::Same,
        (Some(_), Found::Born(..)) => Verdict::Reused,
        (None, Found::Born(_, born)) if *born > seen_at => Verdict::Reused,
        (None, Found::Born(identity, _)) => Verdict::Adopt(identity.clone()),
    }
}

/// Whether so many changed runs in one scan are a copy or a restored backup rather than runs that
/// were taken.
pub(super) fn is_mass(changed: usize, known: usize) -> bool {
    changed > (known / 100).max(20)
}

/// Compares two names, the numbers in them as numbers.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (a, b) = (next(&mut one), next(&mut other));
        match (a, b) {
            (None, None) => return Ordering::Equal,
            (Some(a), Some(b)) if a == b => {}
            (a, b) => return number(a).cmp(&number(b)).then(a.cmp(&b)),
        }
    }
}

/// The next run of digits, or letter.
fn next<'t>(text: &mut &'t str) -> Option<&'t str> {
    let first = text.chars().next()?;
    let end = match first.is_ascii_digit() {
        true => text.find(|c: char| !c.is_ascii_digit()),
        false => Some(first.len_utf8()),
    };
    let (token, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    Some(token)
}

/// Orders digits before letters, and by their value.
fn number(token: Option<&str>) -> (bool, usize, &str) {
    let Some(token) = token else {
        return (false, 0, "");
    };
    match token.starts_with(|c: char| c.is_ascii_digit()) {
        true => {
            let digits = token.trim_start_matches('0');
            (false, digits.len() + 1, digits)
        }
        false => (true, 0, token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_the_same_run_until_its_birth_says_otherwise() {
        let born = |at| Found::Born("7:1.000000000".into(), at);
        let same = "7:1.000000000";
        let table = [
            (Some(same), 5, born(1), Verdict::Same),
            (Some("7:2.000000000"), 5, born(1), Verdict::Reused),
            (None, 5, born(9), Verdict::Reused),
            (None, 5, born(5), Verdict::Adopt(same.into())),
            (Some(same), 5, Found::Nothing, Verdict::Same),
            (Some(same), 5, Found::Unborn, Verdict::Ask),
            (None, 5, Found::Unborn, Verdict::Ask),
        ];
        for (known, seen_at, found, verdict) in table {
            assert_eq!(
                judge(known, seen_at, &found),
                verdict,
                "{known:?} {found:?}"
            );
        }
        assert_eq!(identity(7, 1, 0), same);
        assert!(is_mass(21, 100) && !is_mass(20, 100));
        assert!(is_mass(101, 10_000) && !is_mass(100, 10_000));
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let ordered = [
            "01", "1", "2", "9", "10", "run9", "run10", "run_9", "run_0010", "é",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(natural(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(natural(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(natural("run_7", "run_7"), Ordering::Equal);
    }
}
