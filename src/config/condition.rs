//! `ready` and `requires` of `[watch.NAME]`.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::checked::{Condition, Content, FileGlob};
use super::item::Item;
use super::parameters::format;
use super::values::{one_or_more, some_time};

const KINDS: [&str; 7] = [
    "marker",
    "quiet",
    "content",
    "superseded",
    "counter",
    "any",
    "all",
];

pub(super) fn condition(item: &Item<'_>) -> Option<Condition> {
    match item.value.as_str() {
        Some("appears") => return Some(Condition::Appears),
        Some("external") => return Some(Condition::External),
        _ => {}
    }
    if !item.value.is_table() {
        let hint = "one of \"appears\", \"external\", { marker = \"DONE\" }, { quiet = \"30s\" }, \
                    { content = { file = \"run.json\", key = \"end_time\" } }, { superseded = \"60s\" }, \
                    { counter = \"lastrun.txt\" }, { any = [ … ] }, { all = [ … ] }";
        return item.no(&format!("`{}` is no condition", item.key), hint);
    }
    let table = item.table(format!("`{}`", item.key))?;
    let found = table.one_of(&KINDS);
    table.finish();
    let found = found?;
    match found.key {
        "marker" => file_globs(&found).map(Condition::Marker),
        "quiet" => some_time(&found).map(Condition::Quiet),
        "superseded" => some_time(&found).map(Condition::Superseded),
        "counter" => counter(&found).map(Condition::Counter),
        "content" => content(&found).map(Condition::Content),
        "any" => several(&found).map(Condition::Any),
        _ => several(&found).map(Condition::All),
    }
}

fn several(item: &Item<'_>) -> Option<Vec<Condition>> {
    let list = item.list(condition)?;
    if list.is_empty() {
        return item.no(&format!("`{}` holds no condition", item.key), "");
    }
    Some(list)
}

fn counter(item: &Item<'_>) -> Option<PathBuf> {
    let text = item.text()?;
    if text.is_empty() || text.contains('\0') {
        return item.no("`counter` is no path", "such as \"lastrun.txt\"");
    }
    Some(text.into())
}

fn content(item: &Item<'_>) -> Option<Content> {
    let table = item.table("`content`".into())?;
    let named = table.get("format");
    let file = table.must("file", "file = \"run.json\"");
    let known = file.as_ref().and_then(|item| format(item, named.as_ref()));
    let file = file.and_then(|item| inside_or_absolute(&item));
    let key = table.must("key", "key = \"end_time\"");
    let key = key.and_then(|item| item.text());
    let equals = table.read("equals", scalar);
    table.finish();
    let (file, key, format) = (file?, key?, known?);
    Some(Content {
        file,
        format,
        key: key.to_owned(),
        equals,
    })
}

fn scalar(item: &Item<'_>) -> Option<String> {
    use toml::de::DeValue;
    match item.value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => item.wrong("a text, a number, true or false"),
    }
}

/// A glob or a list of them.
pub(super) fn file_globs(item: &Item<'_>) -> Option<Vec<FileGlob>> {
    one_or_more(item, file_glob)
}

fn file_glob(item: &Item<'_>) -> Option<FileGlob> {
    let text = inside_or_absolute(item)?;
    let glob = GlobBuilder::new(&text).literal_separator(true).build();
    let error = match glob {
        Ok(_) if !text.contains("**") => return Some(FileGlob(text)),
        Ok(_) => "`**` would search the whole run; name the directories".to_owned(),
        Err(error) => error.kind().to_string(),
    };
    item.no(&format!("`{}` can't be understood: {error}", item.key), "")
}

/// The path of something inside the run, or anywhere by its whole path.
fn inside_or_absolute(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
    if text.is_empty() || text.contains('\0') || !Path::new(text).components().all(plain) {
        let hint = "write a name inside the run, or a whole path; without `.` and `..`";
        return item.no(&format!("`{}` is outside the run", item.key), hint);
    }
    Some(text.to_owned())
}
