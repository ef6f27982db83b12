//! `parameters` of a watch: which metadata files are read, and which commands asked.

use std::path::{Component, Path};

use globset::Glob;
use toml::de::DeValue;

use super::checked::{BUILT_IN, Reader};
use super::item::{Item, nearest, sorted};
use super::values::command;
use crate::notebook::placeholders;
use crate::text::Format;

pub(super) fn parameters(item: &Item<'_>) -> Option<Vec<Reader>> {
    item.list(|each| match each.value {
        DeValue::Table(_) => reader(each),
        _ => Some(Reader::File {
            file: file(each)?,
            format: format(each, None)?,
            optional: false,
            keys: None,
        }),
    })
}

fn reader(item: &Item<'_>) -> Option<Reader> {
    let table = item.table("`parameters`".into())?;
    let found = table.one_of(&["file", "command"]);
    if let Some(item) = found.as_ref().filter(|found| found.key == "command") {
        table.finish();
        return asked(item).map(Reader::Command);
    }
    let optional = table.read("optional", Item::flag).unwrap_or(false);
    let named = table.get("format");
    let keys = table.get("keys").map(|item| keys(&item));
    table.finish();
    let found = found?;
    Some(Reader::File {
        file: file(&found)?,
        format: format(&found, named.as_ref())?,
        optional,
        // One that can't be read has been noted.
        keys: match keys {
            Some(keys) => Some(keys?),
            None => None,
        },
    })
}

/// A file inside the run directory or an absolute one; a glob in it and placeholders are allowed.
fn file(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let hint = "write a name inside the run directory, or a whole path, without `.` and `..`";
    let mut parts = Path::new(text).components();
    let known = |part| matches!(part, Component::Normal(_) | Component::RootDir);
    if text.is_empty() || text.contains('\0') || !parts.all(known) {
        return item.no("this names no metadata file", hint);
    }
    // A placeholder is an alternative to a glob, so the rest is understood as it will be.
    if let Err(error) = Glob::new(text) {
        return item.no(
            &format!("the glob can't be understood: {}", error.kind()),
            "",
        );
    }
    pattern(item)
}

/// The format that is named; else that of the file's extension.
pub(super) fn format(file: &Item<'_>, named: Option<&Item<'_>>) -> Option<Format> {
    let names = Format::names();
    let all = names.join(", ");
    let Some(item) = named else {
        let extension = Path::new(file.text()?).extension();
        let extension = extension.and_then(|extension| extension.to_str());
        let format = extension.and_then(Format::of_extension);
        let hint = format!("write {{ file = \"…\", format = \"…\" }} with one of {all}");
        return format.or_else(|| file.no("the extension tells no format", &hint));
    };
    let name = item.text()?;
    Format::of_name(name).or_else(|| {
        let near = nearest(name, &names).map(|near| format!("did you mean `{near}`? "));
        let hint = format!("{}one of {all}", near.unwrap_or_default());
        item.no("`format` is none that can be read", &hint)
    })
}

/// The parameters that are taken, and where each is found.
fn keys(item: &Item<'_>) -> Option<Vec<(String, String)>> {
    let Some(entries) = item.value.as_table() else {
        return item.wrong("a table such as { run = \"Run.Number\" }");
    };
    let each = sorted(entries).into_iter().map(|(name, value)| {
        let each = Item {
            sheet: item.sheet,
            key: name.get_ref(),
            key_span: name.span(),
            span: value.span(),
            value: value.get_ref(),
        };
        if BUILT_IN.contains(&each.key) {
            each.no_key(
                "what nbcourier says of a run can't be replaced",
                "take another name",
            );
            return None;
        }
        Some((each.key.to_owned(), each.text()?.to_owned()))
    });
    each.collect::<Vec<_>>().into_iter().collect()
}

/// The words of a command; placeholders stand in arguments only.
fn asked(item: &Item<'_>) -> Option<Vec<String>> {
    let words = command(item)?;
    if words.first().is_some_and(|program| program.contains('{')) {
        let hint = "name the program itself; placeholders stand in its arguments";
        return item.no("the program can't be a placeholder", hint);
    }
    item.list(pattern)
}

fn pattern(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    match placeholders(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => item.no(&error.what, &error.advice),
    }
}
