//! Three drawings for those who watch: runs per hour, run end to notebook, what waits where. Inline
//! SVG with its figures in words beside it. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::snapshot::Overview;
use super::words::{count, plain, span};
use crate::config::Config;
use crate::job::JobState;

/// The drawing's own units; the browser makes them fit.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 190.0;
/// What the axes' words take, left and below.
const LEFT: f64 = 52.0;
const TOP: f64 = 14.0;
const FLOOR: f64 = HEIGHT - 28.0;

/// Destinations that are drawn; the others are counted together.
const MOST: usize = 5;

/// Marks of the axis of durations, milliseconds.
const DURATIONS: [i64; 7] = [100, 1000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000];

/// All three.
pub(super) fn charts(overview: &Overview, config: &Config) -> Markup {
    html! {
        section #charts.charts data-part aria-label="charts" {
            (per_hour(&overview.hours))
            (delays(&overview.delays))
            (waiting(overview, config))
        }
    }
}

fn figure((id, title): (&str, &str), words: &str, drawing: &Markup) -> Markup {
    html! {
        figure {
            figcaption { strong { (title) } " " span.quiet #{ (id) "-words" } { (words) } }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (title) ": " (words) } {
                (drawing)
            }
        }
    }
}

/// A line across at a height, with its word.
fn level(y: f64, word: &str) -> Markup {
    html! {
        line.grid x1=(LEFT) x2=(WIDTH) y1=(short(y)) y2=(short(y)) {}
        text x=(LEFT - 6.0) y=(short(y + 4.5)) text-anchor="end" { (word) }
    }
}

fn per_hour(hours: &[(i64, i64)]) -> Markup {
    let most = hours.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let top = ceiling(most);
    let sum: i64 = hours.iter().map(|(_, count)| count).sum();
    let words = format!(
        "{} within 24 hours, at most {most} an hour",
        count(sum, "run")
    );
    let wide = (WIDTH - LEFT) / float(hours.len());
    let bar = |(at, (hour, count)): (usize, &(i64, i64))| {
        let high = (FLOOR - TOP) * ratio(*count, top);
        let x = LEFT + wide * float(at);
        let local = local_hour(*hour);
        html! {
            rect.bar x=(short(x + 1.0)) y=(short(FLOOR - high)) width=(short(wide - 2.0)) height=(short(high)) {
                title { (format!("{local:02}:00: {count}")) }
            }
            @if local % 6 == 0 {
                text x=(short(x + wide / 2.0)) y=(HEIGHT - 8.0) text-anchor="middle" { (format!("{local:02}:00")) }
            }
        }
    };
    let drawing = html! {
        (level(TOP, &top.to_string()))
        @if top % 2 == 0 { (level((TOP + FLOOR) / 2.0, &(top / 2).to_string())) }
        (level(FLOOR, "0"))
        @for one in hours.iter().enumerate().map(bar) { (one) }
    };
    figure(("hours", "Runs per hour"), &words, &drawing)
}

fn delays(delays: &[(i64, i64)]) -> Markup {
    let took: Vec<i64> = delays
        .iter()
        .rev()
        .map(|(end, at)| (at - end).max(1))
        .collect();
    let mut sorted = took.clone();
    sorted.sort_unstable();
    let (Some(median), Some(longest)) = (sorted.get(sorted.len() / 2), sorted.last()) else {
        let drawing = html! {
            (level(FLOOR, ""))
            text x=((LEFT + WIDTH) / 2.0) y=((TOP + FLOOR) / 2.0) text-anchor="middle" { "nothing delivered yet" }
        };
        return figure(
            ("delays", "Run end to notebook"),
            "nothing delivered yet",
            &drawing,
        );
    };
    let words = format!(
        "half within {}, the slowest of {} took {}",
        span(*median),
        took.len(),
        span(*longest)
    );
    let scale = Scale::around(sorted[0], *longest);
    let wide = (WIDTH - LEFT - 16.0) / float(took.len());
    let dot = |(at, took): (usize, &i64)| {
        let x = LEFT + 8.0 + wide * (float(at) + 0.5);
        html! {
            circle.dot cx=(short(x)) cy=(short(scale.y(*took))) r="3.5" { title { (span(*took)) } }
        }
    };
    let drawing = html! {
        @for mark in scale.marks() { (level(scale.y(mark), &span_or_tenth(mark))) }
        line.median x1=(LEFT) x2=(WIDTH) y1=(short(scale.y(*median))) y2=(short(scale.y(*median))) {}
        @for one in took.iter().enumerate().map(dot) { (one) }
        text x=(LEFT) y=(HEIGHT - 8.0) { "older" }
        text x=(WIDTH) y=(HEIGHT - 8.0) text-anchor="end" { "latest" }
    };
    figure(("delays", "Run end to notebook"), &words, &drawing)
}

/// A logarithmic axis between two marks.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn around(shortest: i64, longest: i64) -> Self {
        let below = DURATIONS.iter().rev().find(|mark| **mark <= shortest);
        let above = DURATIONS.iter().find(|mark| **mark > longest);
        let low = log(*below.unwrap_or(&DURATIONS[0]));
        let high = above.map_or_else(|| log(longest), |mark| log(*mark));
        Self {
            low,
            high: high.max(low + 0.1),
        }
    }

    fn y(&self, milliseconds: i64) -> f64 {
        let part = (log(milliseconds) - self.low) / (self.high - self.low);
        FLOOR - (FLOOR - TOP) * part.clamp(0.0, 1.0)
    }

    fn marks(&self) -> impl Iterator<Item = i64> {
        let inside = |mark: &i64| (self.low - 0.01..=self.high + 0.01).contains(&log(*mark));
        DURATIONS.into_iter().filter(inside)
    }
}

fn span_or_tenth(milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => "0.1 s".into(),
        longer => span(longer),
    }
}

fn waiting(overview: &Overview, config: &Config) -> Markup {
    let mut lines: Vec<(String, i64, i64)> = Vec::new();
    for table in &config.destinations {
        let of = |state| overview.count(state, Some(&table.name));
        lines.push((
            table.name.clone(),
            of(JobState::Waiting),
            of(JobState::Held),
        ));
    }
    lines.sort_by_key(|(_, waits, held)| -(waits + held));
    let rest = lines.split_off(lines.len().min(MOST));
    if !rest.is_empty() {
        let sum = |part: fn(&(String, i64, i64)) -> i64| rest.iter().map(part).sum();
        lines.push((
            format!("{} more", rest.len()),
            sum(|one| one.1),
            sum(|one| one.2),
        ));
    }
    let words: Vec<String> = lines.iter().map(said).collect();
    let most = lines
        .iter()
        .map(|(_, waits, held)| waits + held)
        .max()
        .unwrap_or(0);
    let high = ((HEIGHT - TOP) / float(lines.len())).min(46.0);
    let drawing = html! {
        @for (at, line) in lines.iter().enumerate() {
            (stack(TOP + high * float(at), high, line, most.max(1)))
        }
    };
    figure(
        ("waiting", "Waiting by destination"),
        &words.join("; "),
        &drawing,
    )
}

fn said((name, waits, held): &(String, i64, i64)) -> String {
    match held {
        0 => format!("{name} {waits}"),
        held => format!("{name} {waits}, and {held} for a person"),
    }
}

/// What waits, and beside it what waits for a person.
fn stack(y: f64, high: f64, (name, waits, held): &(String, i64, i64), most: i64) -> Markup {
    let bar = (high - 20.0).max(6.0);
    let place = WIDTH - 70.0;
    let (first, second) = (place * ratio(*waits, most), place * ratio(*held, most));
    let total = match held {
        0 => waits.to_string(),
        held => format!("{waits} + {held}"),
    };
    html! {
        text x="0" y=(short(y + 10.0)) { (plain(name)) }
        rect.track x="0" y=(short(y + 15.0)) width=(place) height=(short(bar)) {}
        rect.waits x="0" y=(short(y + 15.0)) width=(short(first)) height=(short(bar)) {}
        rect.held x=(short(first)) y=(short(y + 15.0)) width=(short(second)) height=(short(bar)) {}
        text x=(WIDTH) y=(short(y + 15.0 + bar / 2.0 + 5.0)) text-anchor="end" { (total) }
    }
}

/// The next round number: 1, 2, 4, 10, 20, 40, 100, ….
fn ceiling(most: i64) -> i64 {
    let mut step: i64 = 1;
    loop {
        let fits = [1, 2, 4].into_iter().map(|part| step.saturating_mul(part));
        if let Some(found) = fits.into_iter().find(|top| *top >= most.max(1)) {
            return found;
        }
        step = step.saturating_mul(10);
    }
}

fn local_hour(at: i64) -> i8 {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(TimeZone::system()).hour()
}

fn log(milliseconds: i64) -> f64 {
    number(milliseconds.max(1)).log10()
}

fn ratio(part: i64, whole: i64) -> f64 {
    number(part) / number(whole.max(1))
}

/// A figure of a drawing, which is small or need not be exact.
fn number(value: i64) -> f64 {
    value as f64
}

fn float(value: usize) -> f64 {
    value as f64
}

/// In tenths of a unit, which no eye tells apart.
fn short(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (most, top) in [(0, 1), (1, 1), (3, 4), (5, 10), (41, 100), (1999, 2000)] {
            assert_eq!(ceiling(most), top);
        }
    }

    #[test]
    fn durations_lie_between_the_marks_around_them() {
        let scale = Scale::around(2_000, 50_000);
        assert_eq!(scale.marks().collect::<Vec<_>>(), [1000, 10_000, 60_000]);
        assert!(scale.y(2_000) > scale.y(9_000));
        assert!((scale.y(60_000) - TOP).abs() < 0.01 && (scale.y(1000) - FLOOR).abs() < 0.01);
    }

    #[test]
    fn a_drawing_without_figures_says_so() {
        let drawn = delays(&[]).into_string() + &per_hour(&[]).into_string();
        assert!(drawn.contains("nothing delivered yet") && drawn.contains("0 runs within"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }
}
