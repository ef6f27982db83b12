//! The pattern that names have in common. Pure.

use std::collections::BTreeSet;

/// What stands between a run's number and a segment's.
const SIGNS: [char; 3] = ['-', '_', '.'];

/// A piece of a name: digits or anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Digits(String),
    Text(String),
}

/// What names of one shape share: everything but their digits.
pub(super) fn shape(name: &str) -> String {
    let piece = |piece| match piece {
        Piece::Digits(_) => "0".to_owned(),
        Piece::Text(text) => text,
    };
    pieces(name).into_iter().map(piece).collect()
}

/// Whether the last part of a path tells runs apart.
pub(super) fn is_numbered(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.contains(|c: char| c.is_ascii_digit())
}

fn pieces(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits);
        let (piece, tail) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(match digits {
            true => Piece::Digits(piece.to_owned()),
            false => Piece::Text(piece.to_owned()),
        });
        rest = tail;
    }
    pieces
}

/// The pattern of paths that have one shape: digits that vary most in their last part are the
/// `run`, those that look like a date the `date`. Of files, digits that count from 0 or 1 within
/// each run tell its segments apart.
pub(super) fn pattern(paths: &[String], files: bool) -> String {
    let all: Vec<Vec<Piece>> = paths.iter().map(|path| pieces(path)).collect();
    let Some(first) = all.first() else {
        return String::new();
    };
    let values = |at: usize| -> BTreeSet<&str> {
        let texts = all.iter().filter_map(|pieces| digits(pieces.get(at)?));
        texts.collect()
    };
    let is_number = |at: &usize| first.get(*at).is_some_and(|piece| digits(piece).is_some());
    let numbers: Vec<usize> = (0..first.len()).filter(is_number).collect();
    let segment = files.then(|| segment(&all, &numbers)).flatten();
    let last = last_part(first);
    let may_be = numbers
        .iter()
        .filter(|at| **at >= last && Some(**at) != segment);
    let run = may_be.max_by_key(|at| (values(**at).len(), **at)).copied();
    let (mut text, mut at) = (String::new(), 0);
    while let Some(piece) = first.get(at) {
        let date = is_date(&first[at..]) && run.is_none_or(|run| !(at..at + 5).contains(&run));
        text += &match piece {
            _ if date => r"(?<date>\d{4}-\d{2}-\d{2})".into(),
            Piece::Text(piece) if segment == Some(at + 1) => escaped(piece.trim_end_matches(SIGNS)),
            Piece::Text(piece) => escaped(piece),
            _ if run == Some(at) => format!("(?<run>{})", width(&values(at))),
            _ if segment == Some(at) => {
                format!(
                    "(?<segment>{}{})",
                    sign_before(first, at),
                    width(&values(at))
                )
            }
            Piece::Digits(_) => other(&values(at)),
        };
        at += if date { 5 } else { 1 };
    }
    text
}

/// What stands between a segment's number and what is before it.
fn sign_before(pieces: &[Piece], at: usize) -> String {
    match at.checked_sub(1).and_then(|at| pieces.get(at)) {
        Some(Piece::Text(text)) => escaped(&text[text.trim_end_matches(SIGNS).len()..]),
        _ => String::new(),
    }
}

/// Digits that are no run's: those of a beam line stay, a year changes.
fn other(values: &BTreeSet<&str>) -> String {
    match values.first() {
        Some(only) if values.len() == 1 && only.len() < 4 => (*only).to_owned(),
        _ => width(values),
    }
}

fn escaped(text: &str) -> String {
    regex::escape(text).replace(r"\-", "-")
}

fn digits(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Digits(digits) => Some(digits),
        Piece::Text(_) => None,
    }
}

/// Where the last part of the path begins.
fn last_part(pieces: &[Piece]) -> usize {
    let slash = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains('/'));
    pieces.iter().rposition(slash).map_or(0, |at| at + 1)
}

fn is_date(pieces: &[Piece]) -> bool {
    let [year, dash, month, other, day, ..] = pieces else {
        return false;
    };
    let long = |piece, length| digits(piece).is_some_and(|digits| digits.len() == length);
    let dashes = [dash, other]
        .iter()
        .all(|dash| **dash == Piece::Text("-".into()));
    dashes && long(year, 4) && long(month, 2) && long(day, 2)
}

/// Digits as wide as these.
fn width(values: &BTreeSet<&str>) -> String {
    let widths: BTreeSet<usize> = values.iter().map(|value| value.len()).collect();
    match widths.into_iter().collect::<Vec<_>>().as_slice() {
        // Single digits say nothing about how many the next has.
        [width] if *width > 1 => format!(r"\d{{{width}}}"),
        _ => r"\d+".into(),
    }
}

/// The last number, if names that differ in nothing else count it from 0 or 1.
fn segment(all: &[Vec<Piece>], numbers: &[usize]) -> Option<usize> {
    let at = *numbers.last().filter(|_| numbers.len() > 1)?;
    let mut groups = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for pieces in all {
        let mut rest = pieces.clone();
        let Piece::Digits(number) = rest.remove(at) else {
            return None;
        };
        let group = groups.entry(format!("{rest:?}")).or_default();
        group.push(number.parse().ok()?);
    }
    let counts = groups.values().all(|numbers| {
        let least = numbers.iter().min().copied().unwrap_or_default();
        let most = numbers.iter().max().copied().unwrap_or_default();
        least <= 1 && most - least < numbers.len() as u64
    });
    let several = groups.values().any(|numbers| numbers.len() > 1);
    (counts && several && groups.len() > 1).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_shape_tell_their_pattern() {
        let table: [(&[&str], bool, &str); 7] = [
            (&["run_000001", "run_000002"], false, r"run_(?<run>\d{6})"),
            (&["run9", "run10"], false, r"run(?<run>\d+)"),
            (
                &["2026-11-20/run12", "2026-11-21/run13"],
                false,
                r"(?<date>\d{4}-\d{2}-\d{2})/run(?<run>\d{2})",
            ),
            (
                &["h4_2026_run_7", "h4_2026_run_8"],
                false,
                r"h4_\d{4}_run_(?<run>\d+)",
            ),
            (
                &["b-0012-0000.evt", "b-0012-0001.evt", "b-0013-0000.evt"],
                true,
                r"b-(?<run>\d{4})(?<segment>-\d{4})\.evt",
            ),
            (
                &["data(1).h5", "data(2).h5"],
                true,
                r"data\((?<run>\d+)\)\.h5",
            ),
            (&["17", "1005"], false, r"(?<run>\d+)"),
        ];
        for (names, files, expected) in table {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let pattern = pattern(&names, files);
            assert_eq!(pattern, expected);
            let regex = regex::Regex::new(&pattern).expect("valid");
            assert!(names.iter().all(|name| regex.is_match(name)), "{pattern}");
        }
        assert_eq!(shape("run_12/a7.h5"), "run_0/a0.h0");
        assert!(is_numbered("a/run1") && !is_numbered("run1/raw"));
    }
}
