//! `[watch.NAME]`.

use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{Timestamp, civil, tz::TimeZone};
use regex::Regex;

use super::checked::{Condition, Existing, Watch};
use super::item::Item;
use super::parameters::{parameters, usual};
use super::table::Table;
use super::values::{duration, inner_path, one_or_more, path, some_time};

const PATTERN: &str = r"run[_-]?(?<run>\d+)";
const MARKERS: [&str; 3] = ["DONE", "done", ".complete"];
const QUIET: Duration = Duration::from_secs(120);
/// What copying programs, editors and DAQ systems leave in the writing.
const IGNORE: [&str; 12] = [
    ".*",
    "*~",
    "*.tmp",
    "*.part",
    "*.partial",
    "*.writing",
    "*.filepart",
    "*.crdownload",
    "*downloading",
    "*.lock",
    "RootDAQOut-*",
    "lost+found",
];

pub(super) fn watch(table: Table<'_>) -> Option<Watch> {
    let directory = table
        .must("directory", "directory = \"/data/daq\"")
        .and_then(|item| path(&item));
    let watch = Some(Watch {
        name: table.name.to_owned(),
        directory: directory.clone().unwrap_or_default(),
        pattern: table
            .read("pattern", pattern)
            .or_else(|| whole(PATTERN).ok())?,
        ready: table.read("ready", condition).or_else(usual_ready)?,
        settle: table
            .read("settle", duration)
            .unwrap_or(Duration::from_secs(2)),
        max_wait: table
            .read("max_wait", some_time)
            .unwrap_or(Duration::from_secs(86400)),
        parameters: table.read("parameters", parameters).unwrap_or_else(usual),
        ignore: table.read("ignore", ignore).or_else(usual_ignore)?,
        existing: table.read("existing", existing).unwrap_or(Existing::Ignore),
        poll_every: table
            .read("poll_every", some_time)
            .unwrap_or(Duration::from_secs(10)),
    });
    table.finish();
    directory.and(watch)
}

fn usual_ready() -> Option<Condition> {
    let marker = Condition::Marker(globs(&MARKERS).ok()?, MARKERS.map(String::from).to_vec());
    Some(Condition::Any(vec![marker, Condition::Quiet(QUIET)]))
}

fn usual_ignore() -> Option<GlobSet> {
    globs(&IGNORE).ok()
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // On its own first: `a)(b` would be valid between the brackets.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?:{pattern})$"))
}

fn pattern(item: &Item<'_>) -> Option<Regex> {
    let text = item.text()?;
    if needs_slash(text) {
        let hint =
            "a run is an entry of `directory` itself; watch each level with a table of its own";
        return item.no("nested layouts are not supported in this version", hint);
    }
    whole(text)
        .map_err(|error| {
            let text = error.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let hint = "a regular expression in Rust's syntax, best between single quotes";
            item.no::<()>(&format!("`pattern` can't be understood: {reason}"), hint);
        })
        .ok()
}

/// Whether the expression holds a `/` outside of a class such as `[^/]`.
fn needs_slash(pattern: &str) -> bool {
    let mut class = false;
    let mut letters = pattern.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' if letters.next() != Some('/') => {}
            '\\' | '/' if !class => return true,
            '[' => class = true,
            ']' => class = false,
            _ => {}
        }
    }
    false
}

fn condition(item: &Item<'_>) -> Option<Condition> {
    if item.value.as_str() == Some("appears") {
        return Some(Condition::Appears);
    }
    if !item.value.is_table() {
        let hint =
            "one of \"appears\", { marker = \"DONE\" }, { quiet = \"30s\" }, { any = [ … ] }";
        return item.no(&format!("`{}` is no condition", item.key), hint);
    }
    let table = item.table(format!("`{}`", item.key))?;
    let found = table.one_of(&["marker", "quiet", "any"]);
    table.finish();
    let found = found?;
    match found.key {
        "marker" => marker(&found),
        "quiet" => some_time(&found).map(Condition::Quiet),
        _ => match found.list(condition)? {
            list if list.is_empty() => found.no("`any` holds no condition", ""),
            list => Some(Condition::Any(list)),
        },
    }
}

fn marker(item: &Item<'_>) -> Option<Condition> {
    let texts = one_or_more(item, |item| inner_path(item).map(str::to_owned))?;
    match globs(&texts) {
        Ok(set) => Some(Condition::Marker(set, texts)),
        Err(error) => item.no(
            &format!("`marker` can't be understood: {}", error.kind()),
            "",
        ),
    }
}

fn ignore(item: &Item<'_>) -> Option<GlobSet> {
    let texts = item.list(Item::text)?;
    let wrong = |error: globset::Error| {
        item.no::<()>(
            &format!("`ignore` can't be understood: {}", error.kind()),
            "",
        );
    };
    globs(&texts).map_err(wrong).ok()
}

fn globs<T: AsRef<str>>(texts: &[T]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(
            GlobBuilder::new(text.as_ref())
                .literal_separator(true)
                .build()?,
        );
    }
    set.build()
}

fn existing(item: &Item<'_>) -> Option<Existing> {
    let text = item.text()?;
    let parsed = match text.split_once(':') {
        None if text == "ignore" => Some(Existing::Ignore),
        None if text == "all" => Some(Existing::All),
        Some(("last", number)) => number.trim().parse().ok().map(Existing::Last),
        Some(("since", time)) => since(time.trim()).map(Existing::Since),
        _ => None,
    };
    let hint = "\"ignore\", \"all\", \"since:2026-11-01\" or \"last:20\"";
    parsed.or_else(|| item.no("`existing` can't be understood", hint))
}

/// A date or time in this machine's time zone, or with an offset of its own.
fn since(text: &str) -> Option<i64> {
    let local = || {
        let time: civil::DateTime = text.parse().ok()?;
        Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
    };
    let time = text.parse::<Timestamp>().ok().or_else(local)?;
    Some(time.as_millisecond())
}
