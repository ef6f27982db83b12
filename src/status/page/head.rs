//! The head of the page: one sentence that answers "can I go home", what is wrong and what to do,
//! and a line for each destination and watch.

use jiff::Timestamp;
use maud::{Markup, html};

use super::snapshot::Overview;
use super::words::{ago, count, lasting, name, plain, sentence, span, time};
use crate::config::Config;
use crate::failure::{Class, Code};
use crate::health::Notice;
use crate::job::JobState;
use crate::ledger::Hold;
use crate::status::json;

/// A credential that ends sooner is shown so, milliseconds.
const SOON: i64 = 24 * 3_600_000;

/// Notices of what holds nothing and can wait for the day.
const LATER: [&str; 4] = [
    "destination-warning",
    "template-broken",
    "token-expires",
    "watch-polling",
];

/// What a notice asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Person,
    /// The world heals.
    Nothing,
    Later,
}

impl Need {
    fn of(notice: &Notice) -> Self {
        let class = Code::from_name(&notice.code).map(|code| code.row().class);
        match (notice.code.as_str(), class) {
            // Jobs wait for it to end by itself, but runs must be recorded too.
            (json::UNWRITABLE, _) => Self::Person,
            (code, _) if LATER.contains(&code) => Self::Later,
            (_, Some(Class::Retry(_))) => Self::Nothing,
            _ => Self::Person,
        }
    }

    /// The name of its colour, its symbol, and what is said to whoever would call somebody.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Person => ("bad", "‖", ""),
            Self::Nothing => (
                "warn",
                "↻",
                "It goes on by itself: no need to call at night.",
            ),
            Self::Later => (
                "warn",
                "!",
                "Nothing waits for it: no need to call at night.",
            ),
        }
    }
}

/// How it stands with everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A person is needed, since then if that is known.
    Person(Option<i64>),
    /// So many were given up.
    Failed(i64),
    /// So many wait for the world to heal.
    Waiting(i64),
    /// Something doesn't answer, but nothing waits for it.
    Silent,
    /// All well.
    Well,
}

impl Verdict {
    pub(super) fn of(overview: &Overview) -> Self {
        let has = |need| {
            overview
                .notices()
                .into_iter()
                .any(|one| Need::of(one) == need)
        };
        let since = overview.holds.iter().map(|hold| hold.since).min();
        let silent = has(Need::Nothing) || !overview.silent.is_empty();
        match (overview.failed, overview.failing(None)) {
            _ if since.is_some() || has(Need::Person) => Self::Person(since),
            (0, 0) if silent => Self::Silent,
            (0, 0) => Self::Well,
            (0, waiting) => Self::Waiting(waiting),
            (failed, _) => Self::Failed(failed),
        }
    }

    /// Symbol, the name of its colour, and the sentence.
    pub(super) fn told(self, now: i64) -> (&'static str, &'static str, String) {
        match self {
            Self::Person(None) => ("‖", "bad", "a person is needed".into()),
            Self::Person(Some(since)) => {
                let since = super::words::clock(since, now);
                ("‖", "bad", format!("a person is needed since {since}"))
            }
            Self::Failed(failed) => {
                let failed = count(failed, "notebook");
                ("✗", "bad", format!("{failed} failed within a day"))
            }
            Self::Waiting(waiting) => ("↻", "warn", format!("{waiting} waiting")),
            Self::Silent => ("↻", "warn", "waiting for an answer".into()),
            Self::Well => ("✓", "good", "all well".into()),
        }
    }

    /// Whether something is wrong that nobody need be called for at night.
    fn heals(self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Silent)
    }
}

/// The band across the page.
pub(super) fn band(overview: &Overview) -> Markup {
    let verdict = Verdict::of(overview);
    let (symbol, colour, told) = verdict.told(overview.now);
    let delivering = overview.count(JobState::Delivering, None);
    html! {
        section #verdict.band.(colour) data-part {
            p.verdict { span.symbol aria-hidden="true" { (symbol) } " " (told) }
            p.beside {
                @match &overview.newest {
                    Some(run) => {
                        "last run " a href={ "/run/" (run.id) } { (name(&run.name)) } ", "
                        @match run.ready_at {
                            Some(at) => { (time(at, overview.now)) ", " (ago(at, overview.now)) }
                            None => { "in progress for " (lasting(run.seen_at, overview.now)) }
                        }
                    }
                    None => "no run yet",
                }
                @if delivering > 0 { span.quiet { (delivering) " being delivered" } }
                @if verdict.heals() {
                    span.quiet { "goes on by itself: no need to call at night" }
                }
            }
        }
    }
}

/// What is wrong, and what to do.
pub(super) fn troubles(overview: &Overview, contact: Option<&str>) -> Markup {
    let notices = overview.notices();
    html! {
        section #troubles data-part aria-label="troubles" {
            @for hold in &overview.holds { (held(hold, overview, contact)) }
            @for notice in notices { (noticed(notice, contact)) }
        }
    }
}

fn noticed(notice: &Notice, contact: Option<&str>) -> Markup {
    let need = Need::of(notice);
    let (colour, symbol, rest) = need.told();
    html! {
        article.trouble.(colour) {
            p.what { span.symbol aria-hidden="true" { (symbol) } " " (sentence(&notice.what)) }
            p { b { "what to do: " } (sentence(&notice.advice)) }
            p.quiet {
                (rest)
                @if let Some(contact) = contact.filter(|_| need == Need::Person) { "whom to ask: " (plain(contact)) }
            }
        }
    }
}

fn held(hold: &Hold, overview: &Overview, contact: Option<&str>) -> Markup {
    html! {
        article.trouble.bad {
            p.what { span.symbol aria-hidden="true" { "‖" } " " (sentence(&hold.what)) }
            p { b { "what to do: " } (sentence(&hold.advice)) }
            p.quiet {
                "since " (time(hold.since, overview.now)) " (" (hold.code) ")"
                @if let Some(contact) = contact { "; whom to ask: " (plain(contact)) }
            }
        }
    }
}

/// A line for each destination and watch.
pub(super) fn places(overview: &Overview, config: &Config) -> Markup {
    html! {
        section #places data-part aria-label="destinations and watches" {
            ul.places {
                @for table in &config.destinations { li { (destination(&table.name, overview)) } }
                @for watch in &config.watches { li { (watched(&watch.name, overview)) } }
            }
        }
    }
}

fn destination(table: &str, overview: &Overview) -> Markup {
    let of_all = |hold: &&Hold| {
        hold.destination.as_deref() == Some(table) && hold.user.is_none() && hold.job.is_none()
    };
    let hold = overview.holds.iter().find(of_all);
    let silent = overview.silent.iter().find(|(name, _)| name == table);
    let (waiting, held) = (
        overview.count(JobState::Waiting, Some(table)),
        overview.count(JobState::Held, Some(table)),
    );
    html! {
        span.kind { "to" } " " strong { (table) } " "
        @match (hold, silent) {
            (Some(hold), _) => span.bad { "‖ needs a person since " (time(hold.since, overview.now)) },
            (None, Some((_, since))) => span.warn { "↻ no answer since " (time(*since, overview.now)) },
            (None, None) => span.good { "● well" },
        }
        (expiry(overview.expiries.get(table), overview.now))
        span.quiet { (waiting) " waiting" @if held > 0 { ", " (held) " held" } }
    }
}

/// How long the credential lasts; one that ends soon stands out.
fn expiry(end: Option<&String>, now: i64) -> Markup {
    let end = end.and_then(|end| end.parse::<Timestamp>().ok());
    let left = end.map(|end| end.as_millisecond() - now);
    html! {
        @match left {
            None => {},
            Some(..=0) => span.bad { "token has ended" },
            Some(left @ ..SOON) => span.warn { "token " (span(left)) " left" },
            Some(left) => span.quiet { "token " (span(left)) " left" },
        }
    }
}

fn watched(watch: &str, overview: &Overview) -> Markup {
    let mine = overview
        .in_progress
        .iter()
        .find(|(one, _)| one.watch == watch);
    html! {
        span.kind { "from" } " " strong { (watch) } " "
        @match mine {
            Some((all, Some(run))) => {
                span.move {
                    "● " a href={ "/run/" (run.id) } { (name(&run.name)) } " in progress ("
                    (lasting(run.seen_at, overview.now)) ")"
                }
                @if all.count > 1 { span.quiet { "and " (all.count - 1) " more" } }
            }
            _ => span.quiet { "● nothing in progress" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::OpenJobs;

    fn overview(notices: &[&str], failed: i64, failing: i64) -> Overview {
        let notice = |code: &&str| Notice {
            code: (*code).into(),
            what: String::new(),
            advice: String::new(),
        };
        let waiting = OpenJobs {
            destination: "hub".into(),
            state: JobState::Waiting,
            count: 7,
            failing,
        };
        Overview {
            now: 0,
            asked: Default::default(),
            runs: vec![],
            more: false,
            newest: None,
            holds: vec![],
            alive: json::Alive {
                notices: notices.iter().map(notice).collect(),
                ..json::Alive::default()
            },
            open: vec![waiting],
            failed,
            in_progress: vec![],
            silent: vec![],
            expiries: Default::default(),
            hours: vec![],
            delays: vec![],
        }
    }

    #[test]
    fn the_head_line_answers_whether_one_can_go_home() {
        let later = LATER.as_slice();
        for (notices, failed, failing, told) in [
            (&[][..], 0, 0, "all well"),
            (later, 0, 0, "all well"),
            (&["hub-unreachable"], 0, 0, "waiting for an answer"),
            (&["hub-unreachable"], 0, 3, "3 waiting"),
            (later, 2, 3, "2 notebooks failed within a day"),
            (&["ledger-unwritable"], 2, 3, "a person is needed"),
            (&["watch-unreadable"], 0, 0, "a person is needed"),
            (&["token-expired"], 0, 0, "a person is needed"),
        ] {
            let verdict = Verdict::of(&overview(notices, failed, failing));
            assert_eq!(verdict.told(0).2, told, "{notices:?}");
        }
    }
}
