//! `[watch.NAME]`.

use std::path::Path;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::checked::{Existing, Watch};
use super::condition::{condition, file_globs};
use super::item::{Item, clean, nearest};
use super::parameters::parameters;
use super::pattern::Pattern;
use super::presets::{self, PRESETS};
use super::sheet::Sheet;
use super::table::Table;
use super::values::{duration, path, some_time};

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

/// Reads the table; what is not set comes from its preset, then from the defaults.
pub(super) fn watch(table: Table<'_>) -> Option<Watch> {
    let directory = table
        .must("directory", "directory = \"/data/daq\"")
        .and_then(|item| path(&item));
    let preset = table.read("preset", preset_named).unwrap_or(presets::USUAL);
    let sheet = Sheet::new(Path::new(preset), presets::text(preset)?.to_owned());
    let tree = sheet.tree();
    let base = Table::top(&sheet, &tree);
    let both = Both {
        table: &table,
        base: &base,
    };
    let watch = Watch {
        name: table.name.to_owned(),
        directory: directory.clone().unwrap_or_default(),
        preset: preset.to_owned(),
        pattern: both.read("pattern", pattern)?,
        ready: both.read("ready", condition)?,
        requires: both.read("requires", file_globs).unwrap_or_default(),
        settle: both
            .read("settle", duration)
            .unwrap_or(Duration::from_secs(2)),
        max_wait: both
            .read("max_wait", some_time)
            .unwrap_or(Duration::from_secs(86400)),
        parameters: both.read("parameters", parameters).unwrap_or_default(),
        ignore: both.read("ignore", ignore).or_else(usual_ignore)?,
        existing: both.read("existing", existing).unwrap_or(Existing::Ignore),
        max_new_per_hour: both.read("max_new_per_hour", Item::whole).unwrap_or(2000),
        poll_every: both
            .read("poll_every", some_time)
            .unwrap_or(Duration::from_secs(10)),
    };
    table.finish();
    directory.and(Some(watch))
}

/// The names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The watch that a preset makes of a directory.
#[must_use]
pub fn preset(name: &str, directory: &Path) -> Option<Watch> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let text = format!(
        "directory = {}\npreset = {}\n",
        quoted(&directory.to_string_lossy()),
        quoted(name)
    );
    let sheet = Sheet::new(Path::new("/preset"), text);
    let tree = sheet.tree();
    watch(Table::top(&sheet, &tree)).filter(|_| !sheet.is_mistaken())
}

/// A table above the preset that fills what it doesn't set.
struct Both<'t, 'a> {
    table: &'t Table<'a>,
    base: &'t Table<'a>,
}

impl<'a> Both<'_, 'a> {
    /// A mistaken value has been noted; the preset's then only keeps the rest readable.
    fn read<T>(&self, key: &'static str, read: impl Fn(&Item<'a>) -> Option<T>) -> Option<T> {
        let own = self.table.read(key, &read);
        own.or_else(|| self.base.read(key, read))
    }
}

fn preset_named<'a>(item: &Item<'a>) -> Option<&'a str> {
    let name = item.text()?;
    let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    if known.contains(&name) {
        return Some(name);
    }
    let near = nearest(name, &known).map(|near| format!("did you mean `{near}`? "));
    let hint = format!("{}known: {}", near.unwrap_or_default(), known.join(", "));
    item.no(&format!("there is no preset `{}`", clean(name)), &hint)
}

fn usual_ignore() -> Option<GlobSet> {
    globs(&IGNORE).ok()
}

fn pattern(item: &Item<'_>) -> Option<Pattern> {
    Pattern::new(item.text()?)
        .map_err(|reason| {
            let hint = "a regular expression in Rust's syntax, best between single quotes";
            item.no::<()>(&format!("`pattern` can't be understood: {reason}"), hint);
        })
        .ok()
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
