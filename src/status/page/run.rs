//! The page of one run: its notebooks, its parameters, and everything that happened to it.

use maud::{Markup, html};

use super::rows::{About, links, of_bare, state};
use super::words::{ago, lasting, name, plain, sentence, time};
use crate::ledger::{EventRow, JobRow, RunRow};

/// A parameter's text is cut after so many characters here; the whole stands in the JSON.
const LONGEST: usize = 2000;

/// All of it.
pub(super) fn page(run: &RunRow, jobs: &[JobRow], events: &[EventRow], about: About<'_>) -> Markup {
    html! {
        h1 #verdict data-part { (name(&run.name)) }
        section #now data-part aria-label="now" {
            (facts(run, about.now))
            @if jobs.is_empty() { p.job { (of_bare(run)) } }
            @for job in jobs {
                article.job {
                    h2 { (plain(&job.notebook)) " to " (plain(&job.destination))
                        @if !job.user.is_empty() { " for " (name(&job.user)) } }
                    p { (state(run, job, about)) }
                    p.links { (links(run, job, true)) }
                }
            }
        }
        section aria-labelledby="timeline-title" {
            h2 #timeline-title { "What happened" }
            div #timeline data-part { (timeline(run, events, about.now)) }
        }
        section aria-labelledby="parameters-title" {
            h2 #parameters-title { "Parameters" }
            div #parameters data-part { (parameters(run)) }
        }
    }
}

fn facts(run: &RunRow, now: i64) -> Markup {
    html! {
        dl.facts {
            div { dt { "watch" } dd { (plain(&run.watch)) @if run.incarnation > 1 { ", no. " (run.incarnation) " of this name" } } }
            div { dt { "directory" } dd.path { (name(&run.path.to_string_lossy())) } }
            div { dt { "first seen" } dd { (time(run.seen_at, now)) " " span.quiet { (ago(run.seen_at, now)) } } }
            div { dt { "ended" } dd {
                @match run.ready_at {
                    Some(at) => { (time(at, now)) " " span.quiet { (ago(at, now)) } }
                    None if run.state == "acquiring" => { "in progress for " (lasting(run.seen_at, now)) },
                    None => "–",
                }
            } }
        }
    }
}

fn timeline(run: &RunRow, events: &[EventRow], now: i64) -> Markup {
    html! {
        @if let Some(at) = run.pruned_at {
            p { "The history was forgotten " (time(at, now)) " (" code { "[ledger] keep" } ")." }
        }
        ol.timeline {
            li { (stamp(run.seen_at)) " " strong { "first seen" } }
            @for event in events {
                li.(event.event) {
                    (stamp(event.at)) " " strong { (said(&event.event)) }
                    @if let Some(actor) = &event.actor { " by " (name(actor)) }
                    @if let Some(detail) = &event.detail { " " span.why { (sentence(detail)) } }
                }
            }
        }
    }
}

/// To the second, since order matters here.
fn stamp(at: i64) -> Markup {
    let local = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    let local = local.to_zoned(jiff::tz::TimeZone::system());
    html! { time datetime=(crate::status::time(at)) { (local.strftime("%Y-%m-%d %H:%M:%S").to_string()) } }
}

fn said(event: &str) -> &str {
    match event {
        "run-ready" => "complete",
        "attempt-failed" => "attempt failed",
        "held" => "needs a person",
        "retried" => "tried again at once",
        "retried-fresh" => "a new copy was asked for",
        "skipped" => "never to be delivered",
        other => other,
    }
}

fn parameters(run: &RunRow) -> Markup {
    html! {
        @if run.parameters.is_empty() { p { "none" } }
        @else {
            table.parameters {
                caption.hidden { "The parameters, and where each came from" }
                thead { tr { th scope="col" { "name" } th scope="col" { "value" } th scope="col" { "from" } } }
                tbody {
                    @for (parameter, value) in &run.parameters {
                        tr {
                            th scope="row" { (name(parameter)) }
                            td.value { (cut(&value.to_string())) }
                            td { (plain(run.sources.get(parameter).map_or("", String::as_str))) }
                        }
                    }
                }
            }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => plain(&text[..at]) + " …",
        None => plain(text),
    }
}
