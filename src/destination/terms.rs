//! What all kinds of destination speak of.

use jiff::{SignedDuration, Timestamp};

use crate::run::Parameters;

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The user that a delivery would act for; empty for a directory.
    pub user: String,
    /// What answered, with its version.
    pub version: String,
    /// The state of the user's server, in words.
    pub server: String,
    /// What works, but should be otherwise.
    pub warnings: Vec<Warning>,
    /// That its clock and this machine's differ.
    pub clock: Option<Warning>,
    /// What is worth knowing to who checks, and no trouble.
    pub remarks: Vec<Warning>,
    /// Tells the accepted token from others; see [`crate::config::secret::Secret::fingerprint`].
    pub token_fingerprint: Option<String>,
    /// When the token ends (RFC 3339), if the hub tells.
    pub token_expires_at: Option<String>,
    /// Whose the token is, where it comes from, what it may; empty where there is none.
    pub credential: String,
    /// The token is replaced by itself before it ends.
    pub is_renewed: bool,
    /// It was asked in a user's name, which a hub takes for a sign of life of that user.
    pub is_activity: bool,
}

/// What to do about a token that ends soon.
pub const TOKEN_ENDS: &str = "make a new one in time and put it in its place; no restart is needed";

/// So long before its end something that a person has to replace is told of, in hours.
const WARNED: [(i64, &str); 4] = [
    (0, "has ended"),
    (12, "ends in less than 12 hours"),
    (3 * 24, "ends in less than 3 days"),
    (14 * 24, "ends in less than 14 days"),
];

/// That something ends soon, in words that change 14 days, 3 days and 12 hours before.
#[must_use]
pub fn ending(what: &str, end: Timestamp, now: Timestamp) -> Option<String> {
    let left = end.duration_since(now);
    let (_, stage) = WARNED
        .iter()
        .find(|(hours, _)| left < SignedDuration::from_hours(*hours))?;
    Some(format!("{what} {stage}, at {end}"))
}

impl Report {
    /// All that works, but should be otherwise.
    pub fn troubles(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().chain(&self.clock)
    }

    /// That the token ends soon, if it is a person's to replace it.
    #[must_use]
    pub fn ending(&self, now: Timestamp) -> Option<String> {
        let end = self.token_expires_at.as_deref();
        let end = end.filter(|_| !self.is_renewed)?.parse().ok()?;
        ending("the token", end, now)
    }
}

/// What works, but should be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is.
    pub what: String,
    /// What a person should do.
    pub advice: String,
}

impl Warning {
    /// A warning with its advice.
    #[must_use]
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: advice.into(),
        }
    }
}

impl From<(String, &str)> for Warning {
    fn from((what, advice): (String, &str)) -> Self {
        Self::new(what, advice)
    }
}

/// What a destination offers its users to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// What there is, or why it can't be told, in lines.
    pub offered: Vec<String>,
    /// What was chosen and is not among it.
    pub warnings: Vec<Warning>,
}

/// The credential that was accepted last: a hub refuses an expired and an unknown token alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Of the token.
    pub fingerprint: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A notebook that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The job's public id, which the notebook carries.
    pub job: &'a str,
    /// Its exact bytes.
    pub bytes: &'a [u8],
    /// Their sha256.
    pub sha256: &'a str,
    /// The path that an earlier attempt of the job has recorded, and may have written a part of.
    pub recorded: Option<&'a str>,
    /// What it is of; `None` for one that is of no run.
    pub about: Option<About<'a>>,
}

/// What a notebook is of.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The run's name.
    pub run: &'a str,
    /// The run's watch.
    pub watch: &'a str,
    /// The notebook table.
    pub notebook: &'a str,
    /// Where its template lies.
    pub template: &'a str,
    /// The template's sha256.
    pub template_sha256: &'a str,
    /// The run's parameters, as they were captured.
    pub parameters: &'a Parameters,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// This job's notebook.
    Ours,
    /// Something else.
    Taken,
}

/// The job's temporary name beside `path`. Visible, since Jupyter refuses hidden names; derived from
/// the job, so that two attempts use the same one.
#[must_use]
pub fn temporary(path: &str, job: &str) -> String {
    let name = format!("nbcourier-{job}.part");
    match path.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{name}"),
        None => name,
    }
}

/// The job that a notebook's bytes say they belong to.
pub(crate) fn embedded_job(bytes: &[u8]) -> Option<String> {
    let notebook: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    notebook
        .pointer("/metadata/nbcourier/job")?
        .as_str()
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_told_three_times() {
        let now: jiff::Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
        let ending = |end: &str, is_renewed| {
            let report = Report {
                token_expires_at: Some(end.into()),
                is_renewed,
                ..Report::default()
            };
            report.ending(now)
        };
        for (end, told) in [
            ("2026-11-15T00:00:01Z", None),
            ("2026-11-14T23:00:00Z", Some("14 days")),
            ("2026-11-03T23:00:00Z", Some("3 days")),
            ("2026-11-01T11:30:00Z", Some("12 hours")),
            ("2026-10-31T00:00:00Z", Some("has ended, at 2026-10-31")),
            ("someday", None),
        ] {
            let words = ending(end, false);
            assert_eq!(words.is_some(), told.is_some(), "{end}: {words:?}");
            assert!(words.is_none_or(|words| words.contains(told.unwrap_or_default())));
            assert_eq!(ending(end, true), None);
        }
    }
}
