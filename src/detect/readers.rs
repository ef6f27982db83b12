//! Reading a run's metadata, whatever state they are in: files, and what commands print.

mod command;
mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::files;
use crate::config::checked::{BUILT_IN, Reader};
use crate::run::Parameters;
use crate::text::{Format, at};

pub(super) use file::beginning;

/// Which reader each parameter came from: a file's name, or `command NAME`.
pub(super) type Sources = BTreeMap<String, String>;

/// What a reader is called, and what it gave.
type Given = (String, Parameters);

/// Merges what the readers give over `parameters`, in order. Files are relative to `base`. What
/// nbcourier itself says of a run (`run_name`, `run_dir`, `watch`) stays, whatever they hold.
///
/// Blocks, each command up to `limit`.
///
/// # Errors
/// What is missing or wrong, in a sentence; it may heal by itself, as a file is being written.
pub(super) fn merge(
    base: &Path,
    (readers, limit): (&[Reader], Duration),
    parameters: &mut Parameters,
    sources: &mut Sources,
) -> Result<(), String> {
    for reader in readers {
        let Some((source, found)) = give(base, (reader, limit), parameters)? else {
            continue;
        };
        for (key, value) in found {
            if !BUILT_IN.contains(&key.as_str()) {
                sources.insert(key.clone(), source.clone());
                parameters.insert(key, value);
            }
        }
    }
    Ok(())
}

/// The object that a file of a run holds; `None` if there is no such file, or nothing in it.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn value(
    base: &Path,
    (file, format): (&str, Format),
    parameters: &Parameters,
) -> Result<Option<Parameters>, String> {
    let found = of_file(base, (file, format), parameters)?;
    Ok(found.and_then(|(_, found)| found))
}

fn give(
    base: &Path,
    (reader, limit): (&Reader, Duration),
    parameters: &Parameters,
) -> Result<Option<Given>, String> {
    match reader {
        Reader::Command(words) => {
            let program = words.first().map(|word| Path::new(word).file_name());
            let program = program.flatten().unwrap_or_default().to_string_lossy();
            let source = format!("command {program}");
            let found =
                command::ask(words, parameters, limit).map_err(|why| format!("{source}: {why}"))?;
            Ok(Some((source, found)))
        }
        Reader::File {
            file,
            format,
            optional,
            keys,
        } => match of_file(base, (file, *format), parameters)? {
            Some((name, Some(found))) => {
                let found = picked(found, keys.as_deref(), *optional);
                let found = found.map_err(|key| format!("{name} has no `{key}` yet"))?;
                Ok(Some((name, found)))
            }
            _ if *optional => Ok(None),
            Some((name, None)) => Err(format!("{name} is empty")),
            None => Err(format!("{file} is not there yet")),
        },
    }
}

/// The first file that matches, and its object unless it is blank.
fn of_file(
    base: &Path,
    (glob, format): (&str, Format),
    parameters: &Parameters,
) -> Result<Option<(String, Option<Parameters>)>, String> {
    let Some(name) = files::first(base, glob, parameters)? else {
        return Ok(None);
    };
    let found = file::read(base, &name, format).map_err(|why| format!("{name}: {why}"))?;
    Ok(Some((name, found)))
}

/// The wanted parameters by their own names; the first that is missing where all are needed.
fn picked(
    found: Parameters,
    keys: Option<&[(String, String)]>,
    optional: bool,
) -> Result<Parameters, &str> {
    let Some(keys) = keys else { return Ok(found) };
    let mut all = Parameters::new();
    for (name, key) in keys {
        match at(&found, key) {
            Some(value) => drop(all.insert(name.clone(), value.clone())),
            None if optional => {}
            None => return Err(key),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    use serde_json::json;

    fn file(file: &str, optional: bool, keys: &[(&str, &str)]) -> Reader {
        let owned = |(name, key): &(&str, &str)| (name.to_string(), key.to_string());
        Reader::File {
            file: file.into(),
            format: file
                .rsplit('.')
                .find_map(Format::of_extension)
                .expect("a format"),
            optional,
            keys: (!keys.is_empty()).then(|| keys.iter().map(owned).collect()),
        }
    }

    #[test]
    fn readers_merge_in_order_and_tell_where_each_key_came_from() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write =
            |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("write");
        write(
            "a.json",
            "\u{feff}{\"x\": 1, \"y\": 1, \"run_name\": \"other\"}",
        );
        write("b-7.json", "{\"y\": 2.50}");
        write("c.json", " \n");
        write("run.xml", "<r><Run Number='7'/></r>");
        let mut parameters = json!({"run_name": "r", "run": "7"});
        let parameters = parameters.as_object_mut().expect("an object");
        let readers = [
            file("a.json", false, &[]),
            file("none.json", true, &[]),
            file("c.json", true, &[]),
            file("b-{run}*.json", false, &[]),
            file(
                "run.xml",
                true,
                &[("number", "run.number"), ("title", "title")],
            ),
            Reader::Command(vec!["echo".into(), "{\"z\": \"{{{run:03}}}\"}".into()]),
        ];
        let mut sources = Sources::new();
        let refused =
            merge(dir.path(), (&readers, LIMIT), parameters, &mut sources).expect_err("braces");
        assert!(refused.starts_with("command echo: "), "{refused}");
        let readers = [
            &readers[..5],
            &[Reader::Command(vec![
                "printf".into(),
                "{{\"z\": \"{run:03}\"}}".into(),
            ])],
        ]
        .concat();
        merge(dir.path(), (&readers, LIMIT), parameters, &mut sources).expect("merged");
        assert_eq!(
            serde_json::to_string(parameters).expect("JSON"),
            "{\"run_name\":\"r\",\"run\":\"7\",\"x\":1,\"y\":2.50,\"number\":7,\"z\":\"007\"}"
        );
        let expected = [
            ("number", "run.xml"),
            ("x", "a.json"),
            ("y", "b-7.json"),
            ("z", "command printf"),
        ];
        assert_eq!(
            sources,
            expected
                .map(|(key, source)| (key.into(), source.into()))
                .into()
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("run.json"), "{\"a\": {\"b\": 1}}").expect("write");
        std::fs::write(dir.path().join("none.json"), "").expect("write");
        let table = [
            (file("no.json", false, &[]), "no.json is not there yet"),
            (file("none.json", false, &[]), "none.json is empty"),
            (
                file("run.json", false, &[("x", "a.c")]),
                "run.json has no `a.c` yet",
            ),
            (file("{run}.json", false, &[]), "{run}"),
        ];
        for (reader, expected) in table {
            let mut parameters = Parameters::new();
            let why = merge(
                dir.path(),
                (&[reader], LIMIT),
                &mut parameters,
                &mut Sources::new(),
            );
            let why = why.expect_err(expected);
            assert!(why.contains(expected), "{why}");
        }
        let found = value(dir.path(), ("run.json", Format::Json), &Parameters::new())
            .expect("read")
            .expect("there");
        assert_eq!(at(&found, "a.b"), Some(&json!(1)));
    }
}
