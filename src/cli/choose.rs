//! Which runs the words on the command line mean.

use std::collections::{BTreeSet, HashMap};

use jiff::{Span, Timestamp, Zoned};

use super::{Stop, exit};
use crate::job::JobState;
use crate::ledger::{Ledger, Named, RunRow, is_pattern};

/// How many of the newest runs are compared with a name that nobody knows.
const COMPARED: i64 = 10_000;

/// The runs that these words mean (all, without words), seen since, with a job in that state;
/// oldest first.
pub(super) async fn runs(
    ledger: &Ledger,
    words: &[String],
    (state, since): (Option<JobState>, Option<i64>),
) -> Result<Vec<i64>, Stop> {
    let since = since.unwrap_or(i64::MIN);
    let mut meant = BTreeSet::new();
    for word in words {
        let runs = each(ledger, word, state.is_none()).await?;
        let runs = runs.into_iter().filter(|(_, seen_at)| *seen_at >= since);
        meant.extend(runs.map(|(id, _)| id));
    }
    let Some(state) = state else {
        return Ok(meant.into_iter().collect());
    };
    let mut with = ledger.runs_with(state.as_str(), since).await?;
    with.retain(|run| words.is_empty() || meant.contains(run));
    Ok(with)
}

/// The runs that a word means, with when each was seen. Of several runs of one name that is the
/// latest; where a state tells them apart, all.
async fn each(ledger: &Ledger, word: &str, latest: bool) -> Result<Vec<(i64, i64)>, Stop> {
    if latest && !is_pattern(word) {
        let run = one(ledger, word).await?;
        return Ok(vec![(run.id, run.seen_at)]);
    }
    let mut found = listed(ledger, word).await?;
    if latest {
        let mut last: HashMap<String, i64> = HashMap::new();
        for run in &found {
            let newest = last.entry(run.whole()).or_default();
            *newest = run.incarnation.max(*newest);
        }
        found.retain(|run| last.get(&run.whole()) == Some(&run.incarnation));
    }
    Ok(found.iter().map(|run| (run.id, run.seen_at)).collect())
}

/// All runs that a word can mean, older ones of a name included, oldest first; at least one.
pub(super) async fn listed(ledger: &Ledger, word: &str) -> Result<Vec<Named>, Stop> {
    let found = ledger.matching(word).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    if is_pattern(word) {
        let message = format!("no run matches `{word}`");
        let hint = "it is compared with whole names, and with WATCH:NAME; \
                    nbcourier runs --all lists what is known";
        return Err(Stop::new(exit::ARGUMENTS, message).hint(hint));
    }
    let named = |run: RunRow| Named {
        id: run.id,
        watch: run.watch,
        name: run.name,
        incarnation: run.incarnation,
        seen_at: run.seen_at,
    };
    let found = ledger.find(word).await?;
    match found.is_empty() {
        true => Err(unknown(ledger, word).await?),
        false => Ok(found.into_iter().map(named).collect()),
    }
}

/// The one run that a word means.
pub(super) async fn one(ledger: &Ledger, word: &str) -> Result<RunRow, Stop> {
    let mut found = ledger.find(word).await?;
    match (found.len(), found.pop()) {
        (1, Some(run)) => Ok(run),
        (0, _) | (_, None) => Err(unknown(ledger, word).await?),
        (_, Some(last)) => {
            found.push(last);
            let names = found
                .iter()
                .map(|run| format!("{}:{}", run.watch, run.name));
            let names: Vec<String> = names.collect();
            let message = format!("`{word}` can mean {}", names.join(" or "));
            Err(Stop::new(exit::ARGUMENTS, message).hint("say which, as WATCH:NAME"))
        }
    }
}

async fn unknown(ledger: &Ledger, word: &str) -> Result<Stop, Stop> {
    let newest = ledger.newest(COMPARED).await?;
    let near = nearest(word, &newest).map(|near| format!("did you mean `{near}`? "));
    let near = near.unwrap_or_default();
    let stop = Stop::new(exit::ARGUMENTS, format!("no run is known as `{word}`"));
    Ok(stop.hint(format!("{near}nbcourier runs --all lists what is known")))
}

/// The newest of the names that are most like the word, if one is like it at all.
fn nearest(word: &str, newest: &[Named]) -> Option<String> {
    let name = |run: &Named| match word.contains(':') {
        true => run.whole(),
        false => run.name.clone(),
    };
    let alike = |name: &String| name.len() <= 200 && name.len().abs_diff(word.len()) <= 2;
    let names = newest.iter().map(name).filter(alike);
    names
        .map(|name| (strsim::damerau_levenshtein(word, &name), name))
        .filter(|(distance, name)| *distance <= 2.min(name.len() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The start of a span of time that ends now, or a date.
pub(super) fn since(text: &str) -> Result<i64, Stop> {
    let now = Zoned::now();
    let past = text
        .parse::<Span>()
        .ok()
        .and_then(|span| now.checked_sub(span.abs()).ok());
    let date = || {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        date.to_zoned(now.time_zone().clone()).ok()
    };
    let start = past.or_else(date).map(|start| start.timestamp());
    start
        .or_else(|| text.parse().ok())
        .map(Timestamp::as_millisecond)
        .ok_or_else(|| {
            Stop::new(
                exit::ARGUMENTS,
                format!("`{text}` is no time: write 8h, 2d, or a date such as 2026-11-01"),
            )
        })
}
