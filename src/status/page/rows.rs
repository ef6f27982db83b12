//! The table of runs: each notebook's state in one sentence, where to open it, what to do.

use maud::{Markup, html};

use super::snapshot::{Overview, RunJobs, SHOWN};
use super::words::{Word, ago, lasting, name, plain, sentence, span, time};
use crate::ledger::{FailureRow, JobRow, RunRow};

/// What a row needs to know beside its run.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) now: i64,
    pub(super) contact: Option<&'a str>,
    /// Whether runs of several watches are shown.
    pub(super) watches: bool,
    /// Whether what to do is said at once.
    pub(super) open: bool,
}

/// The form that filters, the table, and the way to older runs.
pub(super) fn runs(overview: &Overview, about: About<'_>) -> Markup {
    let asked = &overview.asked;
    html! {
        section aria-labelledby="runs-title" {
            h2 #runs-title { "Runs" }
            (form(overview))
            div #runs data-rows {
                table role="table" {
                    caption.hidden { "The runs, newest first" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for title in ["run", "ended", "state", "notebook"] {
                                th role="columnheader" scope="col" { (title) }
                            }
                        }
                    }
                    tbody #rows role="rowgroup" { @for run in &overview.runs { (of_run(run, about)) } }
                }
            }
            div #pages data-part {
                @if overview.runs.is_empty() {
                    p.none {
                        @if asked.state.is_some() || !asked.text.is_empty() { "No run is like that." }
                        @else { "No run yet: the first one appears here by itself." }
                    }
                }
                (pages(overview))
            }
        }
    }
}

fn form(overview: &Overview) -> Markup {
    let asked = &overview.asked;
    html! {
        form method="get" action="/" role="search" {
            label for="q" { "find" }
            input #q type="search" name="q" value=(asked.text) maxlength="200" placeholder="name or parameter";
            label for="state" { "state" }
            select #state name="state" {
                option value="" { "all" }
                @for word in Word::ALL {
                    option value=(word.name()) selected[asked.state == Some(word)] { (word.row().1) }
                }
            }
            button type="submit" { "show" }
            @if asked.state.is_some() || !asked.text.is_empty() || asked.before.is_some() {
                a href="/" { "all runs" }
            }
        }
    }
}

/// The way to the runs before these.
fn pages(overview: &Overview) -> Markup {
    let asked = &overview.asked;
    let last = overview.runs.last().filter(|_| overview.more);
    let older = last.map(|(run, _)| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !asked.text.is_empty() {
            query.append_pair("q", &asked.text);
        }
        if let Some(word) = asked.state {
            query.append_pair("state", word.name());
        }
        query.append_pair("before", &run.id.to_string());
        format!("/?{}", query.finish())
    });
    html! {
        @if older.is_some() || asked.before.is_some() {
            nav aria-label="pages" {
                @if asked.before.is_some() { a href="/" { "‹ newest" } }
                @if let Some(older) = older { a href=(older) { "next " (SHOWN) " ›" } }
            }
        }
    }
}

fn of_run((run, jobs): &RunJobs, about: About<'_>) -> Markup {
    html! {
        @if jobs.is_empty() {
            tr #{ "run-" (run.id) } role="row" {
                (lead(run, about, true))
                td role="cell" data-title="state" { (of_bare(run)) }
                td role="cell" {}
            }
        }
        @for (number, job) in jobs.iter().enumerate() {
            tr #{ "job-" (job.uid) } role="row" {
                (lead(run, about, number == 0))
                td role="cell" data-title="state" { (state(run, job, about)) }
                td.links role="cell" data-title="notebook" { (links(run, job, false)) }
            }
        }
    }
}

/// The run and when it ended; repeated quietly for each further notebook of the run.
fn lead(run: &RunRow, about: About<'_>, first: bool) -> Markup {
    html! {
        th.run.again[!first] role="rowheader" scope="row" {
            a href={ "/run/" (run.id) } { (name(&run.name)) }
            @if about.watches { " " span.quiet { (plain(&run.watch)) } }
            @if run.incarnation > 1 { " " span.quiet { "no. " (run.incarnation) " of this name" } }
        }
        td.ended.again[!first] role="cell" data-title="ended" {
            @match run.ready_at {
                Some(at) => { (time(at, about.now)) " " span.quiet { (ago(at, about.now)) } }
                None if run.state == "acquiring" => span.quiet { "for " (lasting(run.seen_at, about.now)) },
                None => "–",
            }
        }
    }
}

/// The state of a run that has no notebook.
pub(super) fn of_bare(run: &RunRow) -> Markup {
    let reason = run.reason.as_deref().unwrap_or_default();
    let told = match (run.state.as_str(), reason) {
        ("acquiring", "") => "not complete yet".to_owned(),
        ("acquiring", reason) => reason.to_owned(),
        (_, "existed-before") => "it was there before the watch began".to_owned(),
        (_, "no-notebook" | "") => "no notebook asks for it".to_owned(),
        (_, "skipped") => "a person said never".to_owned(),
        (_, "gone") => "it went before it was complete".to_owned(),
        (_, "replaced") => "another run took its place before it was complete".to_owned(),
        (_, reason) => {
            reason
                .replacen("renamed-to ", "it became ", 1)
                .replacen("same-as ", "the same as ", 1)
        }
    };
    html! { (Word::of_run(run).mark()) " " span.why { (plain(&told)) } }
}

/// The state of a notebook: the word, the sentence, what to do.
pub(super) fn state(run: &RunRow, job: &JobRow, about: About<'_>) -> Markup {
    html! {
        (Word::of_job(job).mark()) " " span.why { (why(run, job, about.now)) }
        @if let Some(failure) = &job.failure { (what_to_do(job, failure, about)) }
    }
}

fn why(run: &RunRow, job: &JobRow, now: i64) -> Markup {
    let failure = job.failure.as_ref().map(|failure| sentence(&failure.what));
    html! {
        @match (Word::of_job(job), failure) {
            (Word::Delivered, _) => (delivered(run, job)),
            (Word::Aside, _) => "a person said never",
            (Word::Delivering, _) => { "attempt " (job.attempts) },
            (Word::Waiting, None) => "its turn comes",
            (Word::Waiting, Some(what)) => {
                (what) " (attempt " (job.attempts + 1) " at " (time(job.next_attempt_at, now)) ")"
            }
            (_, Some(what)) => (what),
            (_, None) => {},
        }
    }
}

fn delivered(run: &RunRow, job: &JobRow) -> Markup {
    let took = run
        .ready_at
        .zip(job.delivered_at)
        .map(|(end, at)| span(at - end));
    html! {
        @if let Some(took) = took { "in " (took) }
        @if job.outcome.as_deref() == Some("numbered") { " · the name was taken, so it has a number" }
    }
}

fn what_to_do(job: &JobRow, failure: &FailureRow, about: About<'_>) -> Markup {
    html! {
        @if !failure.advice.is_empty() {
            details #{ "todo-" (job.uid) } open[about.open] {
                summary { "what to do" }
                p { (sentence(&failure.advice)) }
                @if failure.class == "retry" { p { "It goes on by itself: no need to call at night." } }
                p.quiet {
                    (failure.code)
                    @if let Some(contact) = about.contact { "; whom to ask: " (plain(contact)) }
                }
            }
        }
    }
}

/// Where to open a notebook, and how it looks.
pub(super) fn links(run: &RunRow, job: &JobRow, download: bool) -> Markup {
    // Whatever is no address of the web is shown as text.
    let web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    let delivered = job.state == "delivered";
    let named = plain(&run.name);
    html! {
        @match job.url.as_ref().filter(web).filter(|_| delivered) {
            Some(url) => a.open href=(url) target="_blank" rel="noopener noreferrer"
                aria-label={ "open " (named) " at " (job.destination) } { "open ↗" },
            None => @if let Some(path) = job.path.as_ref().filter(|_| delivered) { span.path { (name(path)) } },
        }
        " "
        @if run.pruned_at.is_none() {
            a href={ "/runs/" (job.uid) ".html" } aria-label={ "preview of " (named) } { "preview" } " "
            @if download {
                a href={ "/runs/" (job.uid) ".ipynb" } download aria-label={ "download " (named) } { "download" }
            }
        }
        span.quiet {
            " " (job.destination) @if !job.user.is_empty() { " · " (name(&job.user)) }
        }
    }
}
