//! Whether a run is complete, from what was observed of it. Pure.

use std::time::Duration;

use crate::config::checked::{Condition, Existing};

/// What was observed of a run.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The entries of its directory.
    pub names: Vec<String>,
    /// How long nothing has changed, as observed and never from file times: copied data keep old
    /// ones, and clocks of file servers differ.
    pub unchanged: Duration,
}

/// Whether the condition is met.
#[must_use]
pub fn is_met(condition: &Condition, observed: &Observed) -> bool {
    match condition {
        Condition::Marker(globs, _) => observed.names.iter().any(|name| globs.is_match(name)),
        Condition::Quiet(quiet) => observed.unchanged >= *quiet,
        Condition::Appears => true,
        Condition::Any(conditions) => conditions
            .iter()
            .any(|condition| is_met(condition, observed)),
    }
}

/// Whether the condition asks for how long nothing has changed.
#[must_use]
pub fn asks_quiet(condition: &Condition) -> bool {
    match condition {
        Condition::Quiet(_) => true,
        Condition::Any(conditions) => conditions.iter().any(asks_quiet),
        Condition::Marker(..) | Condition::Appears => false,
    }
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
    use super::*;

    fn marker(glob: &str) -> Condition {
        let set = globset::GlobSetBuilder::new()
            .add(globset::Glob::new(glob).expect("a glob"))
            .build();
        Condition::Marker(set.expect("a set"), vec![glob.into()])
    }

    #[test]
    fn each_condition_is_met_by_what_it_names() {
        let seen = |names: &[&str], seconds| Observed {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            unchanged: Duration::from_secs(seconds),
        };
        let quiet = Condition::Quiet(Duration::from_secs(30));
        let any = Condition::Any(vec![
            marker("DONE"),
            Condition::Quiet(Duration::from_secs(120)),
        ]);
        let table = [
            (&Condition::Appears, seen(&[], 0), true),
            (&marker("DONE"), seen(&["DONE"], 0), true),
            (&marker("DONE"), seen(&["DONE.tmp", "done"], 999), false),
            (&marker("end_*.json"), seen(&["end_7.json"], 0), true),
            (&quiet, seen(&[], 29), false),
            (&quiet, seen(&[], 30), true),
            (&any, seen(&["data"], 60), false),
            (&any, seen(&["DONE"], 0), true),
            (&any, seen(&["data"], 120), true),
        ];
        for (condition, observed, met) in table {
            assert_eq!(
                is_met(condition, &observed),
                met,
                "{condition} {observed:?}"
            );
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
