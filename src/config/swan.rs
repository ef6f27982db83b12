//! `profile = "swan"`: the options that CERN SWAN takes over REST, checked before they are sent.
//!
//! SWAN checks none of them itself: each mistake is answered `500 error` without a reason, or gives
//! a server that never comes up. Names and types are those of `SwanSpawner` 1.2.55.

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::item::Item;
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
    fn without_options_the_last_choice_is_repeated() {
        assert_eq!(sent(""), Value::Null);
    }
}
