//! A run's notebook straight from the ledger: rendered again from what is stored, so that it can be
//! had while hub and token are dead.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::frame::{document, frame};
use super::preview;
use super::words::{Word, name, sentence, time};
use crate::config::Config;
use crate::deliver::{Chosen, Rendered, at_hand, render};
use crate::failure::Failure;
use crate::job::Order;
use crate::ledger::{JobRow, Ledger, RunRow};

/// What the file name of a download keeps as it is (RFC 8187, attr-char).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A notebook as it would be delivered now.
pub(super) struct Made {
    rendered: Rendered,
    /// That the template is not the newest one.
    remark: Option<String>,
}

/// Renders a job's notebook by its newest good template.
///
/// # Errors
/// What a delivery would meet before it begins.
pub(super) async fn make(
    (config, ledger): (&Config, &Ledger),
    run: &RunRow,
    job: &JobRow,
) -> Result<Made, Failure> {
    let order = Order {
        uid: job.uid.clone(),
        notebook: job.notebook.clone(),
        destination: job.destination.clone(),
        watch: run.watch.clone(),
        run: run.name.clone(),
        parameters: run.parameters.clone(),
    };
    let (chosen, table) = Chosen::for_order(config, &order)?;
    let source = chosen.source(&job.destination, &job.user);
    let (template, remark) = at_hand(Some(ledger), &chosen, &source).await?;
    // Others take over what this thread had to do: a large notebook takes its time.
    let rendered = tokio::task::block_in_place(|| render(config, table, template, &order))?;
    Ok(Made { rendered, remark })
}

/// The file, under the name that it has at its destination.
pub(super) fn download(made: Made, job: &JobRow) -> Response {
    let path = job.path.as_deref().unwrap_or(&made.rendered.path);
    let file = path.rsplit('/').next().unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/x-ipynb+json".to_owned()),
        (header::CONTENT_DISPOSITION, disposition(file)),
    ];
    (headers, made.rendered.bytes).into_response()
}

/// RFC 6266: a plain name for old programs, the true one beside it. Neither can end the line or the
/// quotes.
fn disposition(file: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let plain: String = file
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(file, KEPT);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// The page that shows the notebook.
pub(super) fn page(made: &Made, run: &RunRow, job: &JobRow, now: i64) -> Markup {
    let document = serde_json::from_slice(&made.rendered.bytes).unwrap_or(Value::Null);
    html! {
        h1 { (name(&run.name)) }
        p.note role="note" { (origin(made, job, now)) }
        p.links {
            a href={ "/run/" (run.id) } { "the run" } " "
            a href={ "/runs/" (job.uid) ".ipynb" } download { "download" }
        }
        (preview::notebook(&document))
    }
}

/// How what is shown relates to what was delivered.
fn origin(made: &Made, job: &JobRow, now: i64) -> Markup {
    let same = job.sha256.as_deref() == Some(&made.rendered.sha256);
    html! {
        @match (job.state.as_str(), job.delivered_at) {
            ("delivered", Some(at)) if same => { "As it was delivered to " (job.destination) " at " (time(at, now)) ", to the byte; what was changed there since is not shown." }
            ("delivered", Some(at)) => { "Rendered now, and not as it was delivered to " (job.destination) " at " (time(at, now)) ": the template has changed since." }
            _ => { "Not delivered yet (" (Word::of_job(job).row().1) "): rendered now from what the ledger keeps." }
        }
        @if let Some(remark) = &made.remark { " " (sentence(remark)) }
    }
}

/// Why there is none to show.
pub(super) fn missing(run: &RunRow, told: &str, advice: &str) -> Response {
    let page = html! {
        h1 { (name(&run.name)) }
        p.note { (sentence(told)) }
        @if !advice.is_empty() { p { b { "what to do: " } (sentence(advice)) } }
        p { a href={ "/run/" (run.id) } { "the run" } }
    };
    let page = frame(("no notebook", None), page);
    (StatusCode::NOT_FOUND, document(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_can_not_leave_its_header() {
        let hostile = "a\"; x=\"\r\nSet-Cookie: b=c\r\n\u{202e}é.ipynb";
        let header = disposition(hostile);
        assert!(header.is_ascii() && !header.contains(['\r', '\n']));
        assert_eq!(header.matches('"').count(), 2);
        assert!(header.ends_with("%E2%80%AE%C3%A9.ipynb"), "{header}");
    }
}
