//! Which runs a person's words mean, and what the ledger says of them.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::job::JobState;
use crate::ledger::{Filter, Ledger, LedgerError, Named, RunRow, is_pattern};

/// How many of the newest runs are compared with a name that nobody knows.
const COMPARED: i64 = 10_000;

/// What a person asks about runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    /// The numbers of the runs with a job in that state that these words mean (all, without words),
    /// seen since; oldest first.
    Meant {
        /// Names, patterns, `run` parameters or jobs.
        words: Vec<String>,
        /// Of a job.
        state: Option<JobState>,
        /// Milliseconds since 1970, UTC.
        since: Option<i64>,
    },
    /// The runs that these words mean (all, without words) with their jobs, newest first.
    Listed {
        /// Names, patterns, `run` parameters or jobs.
        words: Vec<String>,
        /// Of the run or of a job.
        state: Option<String>,
        /// Milliseconds since 1970, UTC.
        since: Option<i64>,
        /// At most so many.
        limit: Option<i64>,
    },
    /// All that is known of one run.
    Whole {
        /// What it is called.
        word: String,
    },
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Refused {
    /// The words mean nothing, or too much.
    Words {
        /// What is wrong.
        message: String,
        /// What may be meant.
        hint: String,
    },
    /// The ledger can't be read.
    Ledger(LedgerError),
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Refused {
    fn words(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Words {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// What the ledger says.
///
/// # Errors
/// When the words mean nothing or too much, or the ledger can't be read.
pub async fn answer(ledger: &Ledger, question: &Question) -> Result<Value, Refused> {
    Ok(match question {
        Question::Meant {
            words,
            state,
            since,
        } => json!(runs(ledger, words, (*state, *since)).await?),
        Question::Listed {
            words,
            state,
            since,
            limit,
        } => {
            let filter = Filter {
                state: state.clone(),
                since: *since,
                limit: *limit,
                ..Filter::default()
            };
            Value::Array(match words.is_empty() {
                true => super::json::runs(ledger, &filter).await?,
                false => chosen(ledger, words, &filter).await?,
            })
        }
        Question::Whole { word } => whole(ledger, &one(ledger, word).await?).await?,
    })
}

/// All that the ledger knows of a run.
async fn whole(ledger: &Ledger, row: &RunRow) -> Result<Value, LedgerError> {
    let mut run = super::json::run(row, &ledger.jobs(row.id).await?);
    run["sources"] = json!(row.sources);
    let events = ledger.events(row.id).await?;
    run["events"] = events.iter().map(super::json::event).collect();
    Ok(run)
}

/// The runs that are meant by these words, newest first.
async fn chosen(ledger: &Ledger, words: &[String], filter: &Filter) -> Result<Vec<Value>, Refused> {
    let mut meant = BTreeSet::new();
    for word in words {
        let runs = listed(ledger, word).await?;
        let since = filter.since.unwrap_or(i64::MIN);
        let runs = runs.into_iter().filter(|run| run.seen_at >= since);
        meant.extend(runs.map(|run| run.id));
    }
    let most = filter.limit.and_then(|limit| usize::try_from(limit).ok());
    let wanted = |run: &Value| {
        let state = filter.state.as_deref();
        state.is_none_or(|state| is_in(run, state))
    };
    let mut runs = Vec::new();
    for id in meant.into_iter().rev() {
        if most == Some(runs.len()) {
            break;
        }
        if let Some(row) = ledger.numbered(id).await? {
            let run = super::json::run(&row, &ledger.jobs(id).await?);
            runs.extend(Some(run).filter(wanted));
        }
    }
    Ok(runs)
}

/// Whether a run, or a job of it, is in this state.
fn is_in(run: &Value, state: &str) -> bool {
    let mut jobs = run["jobs"].as_array().into_iter().flatten();
    run["state"] == state || jobs.any(|job| job["state"] == state)
}

/// The runs that these words mean (all, without words), seen since, with a job in that state;
/// oldest first.
async fn runs(
    ledger: &Ledger,
    words: &[String],
    (state, since): (Option<JobState>, Option<i64>),
) -> Result<Vec<i64>, Refused> {
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
async fn each(ledger: &Ledger, word: &str, latest: bool) -> Result<Vec<(i64, i64)>, Refused> {
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
async fn listed(ledger: &Ledger, word: &str) -> Result<Vec<Named>, Refused> {
    let found = ledger.matching(word).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    if is_pattern(word) {
        let message = format!("no run matches `{word}`");
        let hint = "it is compared with whole names, and with WATCH:NAME; \
                    nbcourier runs --all lists what is known";
        return Err(Refused::words(message, hint));
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
pub(super) async fn one(ledger: &Ledger, word: &str) -> Result<RunRow, Refused> {
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
            Err(Refused::words(message, "say which, as WATCH:NAME"))
        }
    }
}

async fn unknown(ledger: &Ledger, word: &str) -> Result<Refused, Refused> {
    let newest = ledger.newest(COMPARED).await?;
    let near = nearest(word, &newest).map(|near| format!("did you mean `{near}`? "));
    let near = near.unwrap_or_default();
    let hint = format!("{near}nbcourier runs --all lists what is known");
    Ok(Refused::words(format!("no run is known as `{word}`"), hint))
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
