//! `profile = "swan"`: the options that CERN SWAN takes over REST, checked before they are sent.
//!
//! SWAN checks none of them itself: each mistake is answered `500 error`, with a word of the reason in
//! the start's progress at most, or gives a server that never comes up. Names and types are those of `SwanSpawner` 1.2.55.

use std::path::Path;

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::item::Item;
use super::sheet::Sheet;
use super::table::Table;

/// A name until September 2024 that today's SWAN doesn't know, today's, and how it is written.
const OLD: [(&str, &str, &str); 4] = [
    ("LCG-rel", "lcg", "lcg = \"LCG_110_swan\""),
    (
        "platform",
        "platforms",
        "platforms = \"x86_64-el9-gcc13-opt\"",
    ),
    ("ncores", "cores", "cores = 2"),
    ("spark-cluster", "clusters", "clusters = \"none\""),
];

/// What SWAN says to every mistake in its options.
const ANSWER: &str = "it answers 500 with the word `error`, and never says why";

/// Options that may be left out, and what they are then: nothing of the kind is wanted.
const NEUTRAL: [(&str, &str); 10] = [
    ("scriptenv", ""),
    ("use-local-packages", "unchecked"),
    ("clusters", "none"),
    ("condor", "none"),
    ("gpu", "none"),
    ("rucio", "none"),
    ("rucioRSE", "none"),
    ("rse_mount_path", ""),
    ("path_begins_at", "0"),
    ("file", ""),
];

/// What SWAN breaks on where it is absent, although it says nothing.
const NEEDED: [&str; 3] = ["scriptenv", "use-jupyterlab", "gpu"];

/// What each kind of software must name, with an example.
const LCG: [(&str, &str); 2] = [
    ("lcg", "\"LCG_110_swan\""),
    ("platforms", "\"x86_64-el9-gcc13-opt\""),
];
const CUSTOM: [(&str, &str); 2] = [
    ("builder", "\"accpy\""),
    ("repository", "\"https://gitlab.cern.ch/group/project\""),
];

/// The options as they are sent: whole, with the types that the spawner assigns.
pub(super) fn options(item: &Item<'_>) -> Option<Value> {
    let table = item.table("`spawn_options` of profile \"swan\"".into())?;
    for (old, _, today) in OLD {
        let message = format!("SWAN has not known `{old}` since September 2024: {ANSWER}");
        table.refuse(old, &message, &format!("today's name: {today}"));
    }
    let mut sent = Map::new();
    software(&table, &mut sent);
    if let Some(item) = needed(&table, "cores", "cores = 2") {
        keep(&mut sent, "cores", cores(&item));
    }
    if let Some(item) = needed(&table, "memory", "memory = \"8G\"") {
        keep(&mut sent, "memory", memory(&item));
    }
    let lab = table.read("use-jupyterlab", checkbox);
    keep(
        &mut sent,
        "use-jupyterlab",
        lab.or_else(|| Some(json!("checked"))),
    );
    for (key, neutral) in NEUTRAL {
        let read = match neutral {
            "unchecked" => checkbox,
            _ => any_text,
        };
        let value = table.read(key, read).or_else(|| Some(json!(neutral)));
        keep(&mut sent, key, value);
    }
    table.finish();
    Some(Value::Object(sent))
}

/// What is wrong with options that were sent to SWAN as they were written, each in a few words.
pub(crate) fn mistakes(options: &Value) -> Vec<String> {
    let text = format!("spawn_options = {}", inline(options));
    let sheet = Sheet::new(Path::new(""), text);
    let tree = sheet.tree();
    let sent = Table::top(&sheet, &tree).read("spawn_options", self::options);
    // That follows from each of them is said once.
    let short = |message: &str| message.replace(&format!(": {ANSWER}"), "");
    let told = sheet.take_mistakes().into_iter().map(|mistake| {
        let hint = mistake.hint.map(|hint| format!(" ({hint})"));
        short(&mistake.message) + &hint.unwrap_or_default()
    });
    let told: Vec<String> = told.collect();
    match (told.is_empty(), sent) {
        (true, Some(sent)) => differences(options, &sent),
        _ => told,
    }
}

/// What would be sent otherwise.
fn differences(written: &Value, sent: &Value) -> Vec<String> {
    let entries = sent.as_object().into_iter().flatten();
    let differing = entries.filter_map(|(key, value)| match written.get(key) {
        None if NEEDED.contains(&key.as_str()) => Some(format!("`{key}` is missing")),
        Some(other) if other != value => Some(format!("`{key}` is {other} and must be {value}")),
        _ => None,
    });
    differing.collect()
}

/// A value as TOML writes it on one line, which is JSON but for its tables.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{} = {}", json!(key), inline(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        value => value.to_string(),
    }
}

/// A key that must be there; where its name of before is, that has been told already.
fn needed<'a>(table: &Table<'a>, key: &'static str, example: &str) -> Option<Item<'a>> {
    let is_told = |(old, today, _): &(&str, &str, &str)| *today == key && table.has(old);
    match OLD.iter().any(is_told) {
        true => table.get(key),
        false => table.must(key, example),
    }
}

/// Which software, and what it needs.
fn software(table: &Table<'_>, sent: &mut Map<String, Value>) {
    let item = table.must("software_source", "software_source = \"lcg\"");
    let source = item.and_then(|item| one_of(&item, &["lcg", "customenv"]));
    keep(sent, "software_source", source.map(Value::from));
    let (wanted, others) = match source {
        Some("customenv") => (CUSTOM, LCG),
        _ => (LCG, CUSTOM),
    };
    for (key, example) in wanted {
        let item = needed(table, key, &format!("{key} = {example}"));
        keep(sent, key, item.and_then(|item| some_text(&item)));
    }
    let of_other = |key: &str| format!("`{key}` belongs to the other `software_source`");
    for (key, _) in others {
        table.refuse(key, &of_other(key), "remove it");
    }
    match source {
        Some("customenv") => keep(
            sent,
            "builder_version",
            table.read("builder_version", some_text),
        ),
        _ => table.refuse("builder_version", &of_other("builder_version"), "remove it"),
    }
}

fn keep(sent: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        sent.insert(key.to_owned(), value);
    }
}

fn any_text(item: &Item<'_>) -> Option<Value> {
    item.text().map(Value::from)
}

fn some_text(item: &Item<'_>) -> Option<Value> {
    match item.text()? {
        "" => item.no(&format!("`{}` is empty", item.key), ""),
        text => Some(text.into()),
    }
}

fn one_of<'a>(item: &Item<'a>, known: &[&str]) -> Option<&'a str> {
    let text = item.text()?;
    match known.contains(&text) {
        true => Some(text),
        false => item.no(
            &format!("`{}` has no such value", item.key),
            &format!("valid: {}", known.join(", ")),
        ),
    }
}

/// What a form sends for a box; true and false are what people write.
fn checkbox(item: &Item<'_>) -> Option<Value> {
    let is_checked = match item.value {
        DeValue::Boolean(flag) => *flag,
        _ => one_of(item, &["checked", "unchecked"])? == "checked",
    };
    Some(json!(if is_checked { "checked" } else { "unchecked" }))
}

/// A text of digits is what the form sends; over REST the spawner breaks on it.
fn cores(item: &Item<'_>) -> Option<Value> {
    if item.value.is_str() {
        let hint = "write cores = 2, without quotes";
        return item.no(
            &format!("SWAN takes the number of cores as a number, not as a text: {ANSWER}"),
            hint,
        );
    }
    match item.whole()? {
        0 => item.no("`cores` must be 1 or more", ""),
        cores => Some(json!(cores)),
    }
}

/// With its unit, which SWAN needs; a bare number would be bytes.
fn memory(item: &Item<'_>) -> Option<Value> {
    let hint = "write memory = \"8G\"";
    if item.value.as_integer().is_some() {
        return item.no("SWAN would take a bare number as bytes", hint);
    }
    let text = item.text()?.trim().to_ascii_uppercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].trim_end_matches('B');
    let number = digits.trim_end().parse::<u64>().ok();
    match (number.filter(|number| *number > 0), unit) {
        (Some(number), "K" | "M" | "G" | "T") => Some(json!(format!("{number}{unit}"))),
        (Some(_), "") => item.no(&format!("SWAN takes `memory` with a unit: {ANSWER}"), hint),
        _ => item.no("`memory` is no amount", hint),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::checked::{Kind, Profile};
    use crate::config::parse;

    /// What is sent for these options.
    fn sent(options: &str) -> Value {
        let text = format!(
            "watch.a.directory = \"/a\"\nnotebook.a.template = \"a.ipynb\"\n\
             [destination.swan]\nhub = \"https://swan.cern.ch\"\nprofile = \"swan\"\n\
             auth.token = {{ credential = \"swan\" }}\n{options}"
        );
        let config = parse(&text, Path::new("nbcourier.toml")).expect("valid");
        let Kind::Hub(hub) = &config.destinations[0].kind else {
            panic!("a hub")
        };
        assert_eq!(hub.profile, Profile::Swan);
        hub.spawn_options.clone().unwrap_or_default()
    }

    #[test]
    fn what_is_left_out_is_sent_as_what_it_means() {
        let sent = sent(
            "spawn_options = { software_source = \"lcg\", lcg = \"LCG_110_swan\", \
             platforms = \"x86_64-el9-gcc13-opt\", cores = 2, memory = \"8 gb\" }",
        );
        let expected = json!({
            "software_source": "lcg", "lcg": "LCG_110_swan", "platforms": "x86_64-el9-gcc13-opt",
            "cores": 2, "memory": "8G", "use-jupyterlab": "checked", "scriptenv": "",
            "use-local-packages": "unchecked", "clusters": "none", "condor": "none", "gpu": "none",
            "rucio": "none", "rucioRSE": "none", "rse_mount_path": "", "path_begins_at": "0",
            "file": "",
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_custom_environment_names_its_builder_and_its_repository() {
        let sent = sent(
            "spawn_options = { software_source = \"customenv\", builder = \"accpy\", \
             builder_version = \"latest\", repository = \"https://gitlab.cern.ch/a/b\", cores = 4, \
             memory = \"16384M\", use-jupyterlab = false, use-local-packages = true, gpu = \"t4\" }",
        );
        for (key, value) in [
            ("builder", json!("accpy")),
            ("builder_version", json!("latest")),
            ("repository", json!("https://gitlab.cern.ch/a/b")),
            ("memory", json!("16384M")),
            ("use-jupyterlab", json!("unchecked")),
            ("use-local-packages", json!("checked")),
            ("gpu", json!("t4")),
        ] {
            assert_eq!(sent[key], value, "{key}");
        }
        assert!(sent.get("lcg").is_none() && sent.get("platforms").is_none());
    }

    #[test]
    fn options_sent_as_they_were_written_are_judged_in_a_few_words() {
        let good = json!({
            "software_source": "lcg", "lcg": "LCG_110_swan", "platforms": "x86_64-el9-gcc13-opt",
            "scriptenv": "", "cores": 2, "memory": "8G", "use-jupyterlab": "checked", "gpu": "none",
        });
        let none: [&str; 0] = [];
        assert_eq!(mistakes(&good), none);
        let with = |key: &str, value: Value| {
            let mut options = good.clone();
            options[key] = value;
            mistakes(&options).join("; ")
        };
        for (key, value, wrong) in [
            (
                "cores",
                json!("2"),
                "SWAN takes the number of cores as a number, not as a text (write cores = 2, without quotes)",
            ),
            (
                "memory",
                json!("8"),
                "SWAN takes `memory` with a unit (write memory = \"8G\")",
            ),
            (
                "memory",
                json!(8),
                "SWAN would take a bare number as bytes (write memory = \"8G\")",
            ),
            (
                "memory",
                json!("8 GB"),
                "`memory` is \"8 GB\" and must be \"8G\"",
            ),
            (
                "use-jupyterlab",
                json!(true),
                "`use-jupyterlab` is true and must be \"checked\"",
            ),
            (
                "ncores",
                json!(2),
                "SWAN has not known `ncores` since September 2024 (today's name: cores = 2)",
            ),
        ] {
            assert_eq!(with(key, value), wrong);
        }
        let without = |key: &str| {
            let mut options = good.clone();
            options.as_object_mut().expect("a table").remove(key);
            mistakes(&options).join("; ")
        };
        assert_eq!(without("gpu"), "`gpu` is missing");
        assert_eq!(
            without("lcg"),
            "`spawn_options` of profile \"swan\" needs `lcg` (write lcg = \"LCG_110_swan\")"
        );
        // What nobody would write is no reason to stop.
        for odd in [
            json!({}),
            json!({ "a\u{7f}'\n\"": [1, { "b": 1.5 }] }),
            json!(3),
            Value::Null,
        ] {
            let _ = mistakes(&odd);
        }
    }

    #[test]
    fn without_options_the_last_choice_is_repeated() {
        assert_eq!(sent(""), Value::Null);
    }
}
