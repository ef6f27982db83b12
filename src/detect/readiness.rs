//! Whether a run is complete, from what was observed of it. Pure.

use crate::config::checked::{Condition, Existing};

/// Met, or what is waited for.
pub type Verdict = Result<(), String>;

/// Whether a condition is met; `leaf` observes those that are made of no others, each once.
pub fn judge(condition: &Condition, leaf: &mut impl FnMut(&Condition) -> Verdict) -> Verdict {
    match condition {
        Condition::Any(conditions) => {
            let waits = unmet(conditions, leaf);
            match waits.len() < conditions.len() {
                true => Ok(()),
                false => Err(waits.join(", or ")),
            }
        }
        Condition::All(conditions) => {
            let waits = unmet(conditions, leaf);
            match waits.is_empty() {
                true => Ok(()),
                false => Err(waits.join(", and ")),
            }
        }
        condition => leaf(condition),
    }
}

fn unmet(conditions: &[Condition], leaf: &mut impl FnMut(&Condition) -> Verdict) -> Vec<String> {
    // Each is observed whatever the others say: how long it is quiet is known from looking.
    let verdicts = conditions.iter().map(|condition| judge(condition, leaf));
    verdicts.filter_map(Result::err).collect()
}

/// Whether some part of the condition is such a one.
#[must_use]
pub fn has(condition: &Condition, is: fn(&Condition) -> bool) -> bool {
    match condition {
        Condition::Any(parts) | Condition::All(parts) => parts.iter().any(|part| has(part, is)),
        condition => is(condition),
    }
}

/// The number that a counter file holds: its first word of digits.
#[must_use]
pub fn count(text: &str) -> Option<&str> {
    let digits = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
    text.split_whitespace().find(digits)
}

/// Which of the runs that are there at the very first start stay undelivered, from the times at
/// which they began (milliseconds since 1970, UTC).
#[must_use]
pub fn stay(existing: Existing, began: &[i64]) -> Vec<bool> {
    match existing {
        Existing::Ignore => vec![true; began.len()],
        Existing::All => vec![false; began.len()],
        Existing::Since(start) => began.iter().map(|at| *at < start).collect(),
        Existing::Last(count) => {
            let mut order: Vec<usize> = (0..began.len()).collect();
            order.sort_by_key(|at| std::cmp::Reverse(began[*at]));
            let mut stay = vec![true; began.len()];
            order
                .into_iter()
                .take(count)
                .for_each(|at| stay[at] = false);
            stay
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn any_needs_one_and_all_need_each_and_both_say_what_is_missing() {
        let quiet = |seconds| Condition::Quiet(Duration::from_secs(seconds));
        let table: [(Condition, Verdict); 6] = [
            (quiet(1), Ok(())),
            (quiet(9), Err("9 s".into())),
            (Condition::Any(vec![quiet(9), quiet(1)]), Ok(())),
            (
                Condition::Any(vec![quiet(8), quiet(9)]),
                Err("8 s, or 9 s".into()),
            ),
            (
                Condition::All(vec![quiet(1), quiet(8), quiet(9)]),
                Err("8 s, and 9 s".into()),
            ),
            (
                Condition::All(vec![quiet(1), Condition::Any(vec![quiet(9), quiet(2)])]),
                Ok(()),
            ),
        ];
        for (condition, expected) in table {
            let mut leaf = |leaf: &Condition| match leaf {
                Condition::Quiet(wanted) if wanted.as_secs() <= 5 => Ok(()),
                Condition::Quiet(wanted) => Err(format!("{} s", wanted.as_secs())),
                _ => Err("no leaf".into()),
            };
            assert_eq!(judge(&condition, &mut leaf), expected, "{condition}");
        }
    }

    #[test]
    fn a_counter_file_tells_its_first_number() {
        let table = [
            ("MAR 28627 0\n", Some("28627")),
            ("17", Some("17")),
            ("", None),
            ("MAR", None),
        ];
        for (text, number) in table {
            assert_eq!(count(text), number, "{text}");
        }
    }

    #[test]
    fn of_the_existing_runs_those_are_delivered_that_were_asked_for() {
        let began = [10, 30, 20];
        assert_eq!(stay(Existing::Ignore, &began), [true, true, true]);
        assert_eq!(stay(Existing::All, &began), [false, false, false]);
        assert_eq!(stay(Existing::Since(20), &began), [true, false, false]);
        assert_eq!(stay(Existing::Last(1), &began), [true, false, true]);
    }
}
