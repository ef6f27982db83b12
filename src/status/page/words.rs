//! What the page says: six words for the state of a notebook, times, ages and durations. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::job::JobState;
use crate::ledger::{JobRow, RunRow};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The six words; `Aside` is what no notebook is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Acquiring,
    Waiting,
    Delivering,
    Delivered,
    NeedsPerson,
    Failed,
    Aside,
}

impl Word {
    /// Those that a run can be looked for by.
    pub(super) const ALL: [Self; 6] = [
        Self::Acquiring,
        Self::Waiting,
        Self::Delivering,
        Self::Delivered,
        Self::NeedsPerson,
        Self::Failed,
    ];

    /// Symbol, word, and the name that it has in addresses and for its colour.
    pub(super) fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Acquiring => ("●", "acquiring", "acquiring"),
            Self::Waiting => ("↻", "waiting", "waiting"),
            Self::Delivering => ("➜", "delivering", "delivering"),
            Self::Delivered => ("✓", "delivered", "delivered"),
            Self::NeedsPerson => ("‖", "needs a person", "held"),
            Self::Failed => ("✗", "failed", "failed"),
            Self::Aside => ("–", "no notebook", "aside"),
        }
    }

    /// The name that it has in addresses and for its colour.
    pub(super) fn name(self) -> &'static str {
        self.row().2
    }

    pub(super) fn of_job(job: &JobRow) -> Self {
        let state = JobState::ALL.iter().find(|one| one.as_str() == job.state);
        match state {
            Some(JobState::Waiting) => Self::Waiting,
            Some(JobState::Delivering) => Self::Delivering,
            Some(JobState::Delivered) => Self::Delivered,
            Some(JobState::Held) => Self::NeedsPerson,
            Some(JobState::Failed) => Self::Failed,
            Some(JobState::Skipped) | None => Self::Aside,
        }
    }

    /// For a run without notebooks.
    pub(super) fn of_run(run: &RunRow) -> Self {
        match run.state.as_str() {
            "acquiring" => Self::Acquiring,
            _ => Self::Aside,
        }
    }

    /// Symbol and word in the state's colour.
    pub(super) fn mark(self) -> Markup {
        let (symbol, word, name) = self.row();
        html! { span.mark.(name) { span.symbol aria-hidden="true" { (symbol) } " " (word) } }
    }
}

/// How long, in one or two units: `under 1 s`, `8 s`, `3 min`, `1 h 20 min`, `4 d`.
pub(super) fn span(milliseconds: i64) -> String {
    match milliseconds {
        ..SECOND => "under 1 s".into(),
        SECOND..MINUTE => format!("{} s", milliseconds / SECOND),
        MINUTE..HOUR => format!("{} min", milliseconds / MINUTE),
        HOUR..DAY => match milliseconds % HOUR / MINUTE {
            0 => format!("{} h", milliseconds / HOUR),
            minutes => format!("{} h {minutes} min", milliseconds / HOUR),
        },
        _ => format!("{} d", milliseconds / DAY),
    }
}

/// A time of the ledger by the clock on the wall: `12:04`, with its date unless that is today's.
pub(super) fn clock(at: i64, now: i64) -> String {
    let zone = TimeZone::system();
    let local = |at| Timestamp::from_millisecond(at).map(|at| at.to_zoned(zone.clone()));
    let (Ok(at), Ok(now)) = (local(at), local(now)) else {
        return String::new();
    };
    let form = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M",
        (false, true) => "%-d %b %H:%M",
        (false, false) => "%-d %b %Y",
    };
    at.strftime(form).to_string()
}

/// A time for people and for programs.
pub(super) fn time(at: i64, now: i64) -> Markup {
    html! { time datetime=(crate::status::time(at)) { (clock(at, now)) } }
}

/// How long ago, which the script keeps up to date.
pub(super) fn ago(at: i64, now: i64) -> Markup {
    html! { time.ago datetime=(crate::status::time(at)) { (span(now - at)) " ago" } }
}

/// How long by now, which the script keeps up to date.
pub(super) fn lasting(at: i64, now: i64) -> Markup {
    html! { time.lasting datetime=(crate::status::time(at)) { (span(now - at)) } }
}

/// A text of somebody else's: characters that turn the direction of writing, or that are no text,
/// stand there as their numbers, so that a name can't look like another.
pub(super) fn plain(text: &str) -> String {
    let odd = |c: char| {
        let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let hidden = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
        turns || hidden || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match odd(c) {
            true => plain.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            false => plain.push(c),
        }
    }
    plain
}

/// A name of somebody else's, which doesn't turn what stands around it.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi { (plain(text)) } }
}

/// A sentence of a failure, in which literals stand in backticks.
pub(super) fn sentence(text: &str) -> Markup {
    let text = plain(text);
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// `1 run`, `2 runs`.
pub(super) fn count(number: i64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_in_one_or_two_units() {
        let cases = [
            (-5, "under 1 s"),
            (999, "under 1 s"),
            (8_400, "8 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_600_000, "1 h"),
            (4_800_000, "1 h 20 min"),
            (90_000_000, "1 d"),
        ];
        for (milliseconds, said) in cases {
            assert_eq!(span(milliseconds), said);
        }
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let noon = 1_795_262_400_000;
        assert_eq!(clock(noon, noon).len(), 5);
        assert!(clock(noon - 3 * DAY, noon).contains("Nov "));
        assert!(clock(noon - 400 * DAY, noon).ends_with("2025"));
    }

    #[test]
    fn a_name_can_not_look_like_another() {
        assert_eq!(plain("run_\u{202e}1\u{0}"), "run_⟨U+202E⟩1⟨U+0000⟩");
        assert_eq!(plain("é日 <b>\n"), "é日 <b>\n");
        assert_eq!(name("<b>").into_string(), "<bdi>&lt;b&gt;</bdi>");
        let told = sentence("the key `<b>` is unknown").into_string();
        assert_eq!(told, "the key <code>&lt;b&gt;</code> is unknown");
    }
}
