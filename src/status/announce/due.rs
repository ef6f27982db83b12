//! Which causes are to be told now: each once, again each day while it lasts, and once when it is
//! over. Pure but for the time since a cause is gone.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::ledger::{Cause, Told};

/// More causes than these are told as one.
const FEW: usize = 5;

/// After how long a cause that lasts is told again, milliseconds.
const DAY: i64 = 86_400_000;

/// Causes to be told together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not told yet.
    New(Vec<Cause>),
    /// Told a day ago.
    Again(Vec<Cause>),
    /// Told, and over.
    Over(Vec<Cause>),
}

/// Since when causes that were told are gone. One that is tried again is gone for a moment.
#[derive(Debug, Default)]
pub(super) struct Absent(HashMap<String, Instant>);

impl Absent {
    /// Whether a cause is gone for good: for so long.
    fn is_over(&mut self, key: &str, settle: Duration) -> bool {
        let since = self.0.entry(key.to_owned()).or_insert_with(Instant::now);
        since.elapsed() >= settle
    }
}

/// What is to be told next, the most urgent first; `now` is milliseconds since 1970, UTC.
pub(super) fn due(
    causes: Vec<Cause>,
    told: &[Told],
    absent: &mut Absent,
    (now, settle): (i64, Duration),
) -> Option<Due> {
    let present: HashSet<String> = causes.iter().map(Cause::key).collect();
    let told_at: HashMap<String, i64> = told.iter().map(|t| (t.cause.key(), t.at)).collect();
    absent
        .0
        .retain(|key, _| !present.contains(key) && told_at.contains_key(key));
    let (known, new): (Vec<_>, Vec<_>) = causes
        .into_iter()
        .partition(|cause| told_at.contains_key(&cause.key()));
    let over = told.iter().map(|told| &told.cause).filter(|cause| {
        let key = cause.key();
        !present.contains(&key) && absent.is_over(&key, settle)
    });
    let over: Vec<Cause> = over.cloned().collect();
    let is_old = |cause: &Cause| told_at.get(&cause.key()).is_some_and(|at| now - at >= DAY);
    let again: Vec<Cause> = known.into_iter().filter(is_old).collect();
    together(new)
        .map(Due::New)
        .or_else(|| together(over).map(Due::Over))
        .or_else(|| together(again).map(Due::Again))
}

/// All of many, the first of a few.
fn together(mut causes: Vec<Cause>) -> Option<Vec<Cause>> {
    if causes.len() <= FEW {
        causes.truncate(1);
    }
    (!causes.is_empty()).then_some(causes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * DAY;
    const SETTLE: Duration = Duration::from_secs(60);

    fn cause(code: &str) -> Cause {
        Cause {
            code: code.into(),
            destination: Some("swan".into()),
            user: None,
            notebook: None,
            watch: None,
            what: "no".into(),
            advice: "yes".into(),
            since: NOW,
            jobs: 1,
        }
    }

    fn told(code: &str, at: i64) -> Told {
        Told {
            cause: cause(code),
            at,
        }
    }

    fn ask(causes: &[&str], told: &[Told], absent: &mut Absent, settle: Duration) -> Option<Due> {
        let causes = causes.iter().map(|code| cause(code)).collect();
        due(causes, told, absent, (NOW, settle))
    }

    #[test]
    fn a_cause_is_told_once_and_again_after_a_day() {
        let absent = &mut Absent::default();
        let new = ask(&["a"], &[], absent, SETTLE);
        assert_eq!(new, Some(Due::New(vec![cause("a")])));
        assert_eq!(
            ask(&["a"], &[told("a", NOW - DAY + 1)], absent, SETTLE),
            None
        );
        let again = ask(&["a"], &[told("a", NOW - DAY)], absent, SETTLE);
        assert_eq!(again, Some(Due::Again(vec![cause("a")])));
        // What is new comes first.
        let new = ask(&["a", "b"], &[told("a", NOW - DAY)], absent, SETTLE);
        assert_eq!(new, Some(Due::New(vec![cause("b")])));
    }

    #[test]
    fn it_is_over_once_it_is_gone_for_a_while() {
        let absent = &mut Absent::default();
        let known = [told("a", NOW)];
        assert_eq!(ask(&[], &known, absent, SETTLE), None);
        assert_eq!(absent.0.len(), 1);
        assert_eq!(ask(&["a"], &known, absent, SETTLE), None);
        assert_eq!(absent.0.len(), 0, "it is back");
        let over = ask(&[], &known, absent, Duration::ZERO);
        assert_eq!(over, Some(Due::Over(vec![cause("a")])));
        assert_eq!(ask(&[], &[], absent, Duration::ZERO), None);
    }

    #[test]
    fn many_are_told_together() {
        let codes: Vec<String> = (0..=FEW).map(|number| number.to_string()).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let absent = &mut Absent::default();
        let Some(Due::New(new)) = ask(&codes, &[], absent, SETTLE) else {
            panic!("new ones")
        };
        assert_eq!(new.len(), FEW + 1);
        let Some(Due::New(new)) = ask(&codes[1..], &[], absent, SETTLE) else {
            panic!("new ones")
        };
        assert_eq!(new.len(), 1);
    }
}
