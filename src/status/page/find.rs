//! What an address asks for.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame::{document, frame};
use super::snapshot::Asked;
use super::words::{Word, sentence};
use crate::ledger::{JobRow, Ledger, LedgerError, RunRow};
use crate::status::ask::{Refused, one};

/// Longer names in an address are no run's, bytes.
const LONGEST_NAME: usize = 1000;

/// The first value of that name in an address.
pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let mut named = pairs.filter(|(key, _)| key == name);
    named.next().map(|(_, value)| value.into_owned())
}

/// Which runs an address asks for; what it says of nothing known is left out.
pub(super) fn asked(uri: &Uri) -> Asked {
    let state = query(uri, "state").unwrap_or_default();
    Asked {
        state: Word::ALL
            .into_iter()
            .find(|word| word.name() == state || word.row().1 == state),
        text: query(uri, "q")
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect(),
        before: query(uri, "before").and_then(|id| id.parse().ok()),
    }
}

/// The job of that id, else the newest one that a person has not given up.
pub(super) fn chosen<'a>(jobs: &'a [JobRow], name: &str) -> Option<&'a JobRow> {
    let named = jobs.iter().find(|job| job.uid == name);
    let wanted = jobs.iter().rev().find(|job| job.state != "skipped");
    named.or(wanted).or(jobs.last())
}

/// The one run that is meant.
pub(super) async fn find(ledger: &Ledger, name: &str) -> Result<RunRow, Missing> {
    if name.len() > LONGEST_NAME {
        return Err(Missing::unknown("this name"));
    }
    one(ledger, name).await.map_err(|refused| match refused {
        Refused::Ledger(error) => error.into(),
        Refused::Words { message, hint } => {
            Missing(StatusCode::NOT_FOUND, format!("{message}; {hint}"))
        }
    })
}

/// Why there is no run to show.
pub(super) struct Missing(StatusCode, String);

impl Missing {
    pub(super) fn unknown(name: &str) -> Self {
        Self(
            StatusCode::NOT_FOUND,
            format!("the ledger knows no run `{name}`"),
        )
    }

    pub(super) fn as_page(&self) -> Response {
        let body = html! { h1 { "No such run" } p.note { (sentence(&self.1)) } p { a href="/" { "all runs" } } };
        (self.0, document(frame(("no such run", None), body))).into_response()
    }

    pub(super) fn as_json(&self) -> Response {
        (self.0, axum::Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<LedgerError> for Missing {
    fn from(error: LedgerError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}
