//! What SWAN's own form offers, and whether options are among it. Pure.
//!
//! The form's page holds its whole catalogue as a script's constants, which is the only one that a
//! program can read: over REST nothing is checked. As of `SwanSpawner` 1.2.55.

use std::fmt::Write as _;

use serde_json::Value;

use super::literal;
use crate::destination::terms::{Choices, Warning};

/// So much of a page is looked at, bytes; SWAN's has about 100 000.
const LARGEST: usize = 1 << 20;

/// A constant is looked for at so many places.
const PLACES: usize = 8;

/// More values than these of one option nobody reads.
const MOST: usize = 40;

/// What is chosen beside the release or builder, as the form lists it for each of them.
const BESIDE: [&str; 6] = [
    "platforms",
    "cores",
    "memory",
    "clusters",
    "condor",
    "rucio",
];

/// What a form offers.
pub(super) struct Form {
    /// Releases and builders, each with what it goes together with.
    config: Value,
    /// Kinds of GPU that this account may choose.
    gpus: Vec<String>,
}

/// One kind of software: a release or a builder.
#[derive(Clone, Copy)]
struct Kind {
    /// Its key, in the form and in the options.
    key: &'static str,
    /// Where the form lists it.
    list: &'static str,
    /// What it is called.
    word: &'static str,
}

const RELEASES: Kind = Kind {
    key: "lcg",
    list: "lcg_options",
    word: "release",
};
const BUILDERS: Kind = Kind {
    key: "builder",
    list: "customenv_options",
    word: "builder",
};

impl Form {
    /// From the page; `None` if it holds no catalogue.
    pub(super) fn parse(page: &[u8]) -> Option<Self> {
        let page = String::from_utf8_lossy(&page[..page.len().min(LARGEST)]);
        let config = constant(&page, "form_config").filter(Value::is_object)?;
        let dynamic = constant(&page, "dynamicFormInfo").unwrap_or_default();
        let gpus = ["gpu_flavours", "free_gpu_flavours"].map(|list| texts(&dynamic[list]));
        let mut gpus = gpus.concat();
        gpus.sort();
        gpus.dedup();
        Some(Self { config, gpus })
    }

    /// What it offers, and what is not among it of these options.
    pub(super) fn choices(&self, options: Option<&Value>) -> Choices {
        let mut choices = Choices {
            offered: vec![self.kinds()],
            warnings: Vec::new(),
        };
        let Some(options) = options else {
            return choices;
        };
        let kind = match options["software_source"].as_str() {
            Some("customenv") => BUILDERS,
            _ => RELEASES,
        };
        let chosen = options[kind.key].as_str().unwrap_or_default();
        match self.entry(kind, chosen, options["builder_version"].as_str()) {
            None => choices
                .warnings
                .push(unknown(kind, chosen, &self.names(kind))),
            Some(entry) => {
                choices.offered.push(offer(chosen, entry));
                let beside = BESIDE
                    .iter()
                    .filter_map(|key| missing(chosen, entry, key, options));
                choices.warnings.extend(beside);
            }
        }
        choices.warnings.extend(self.gpu(options));
        choices
    }

    /// All releases and builders in one line.
    fn kinds(&self) -> String {
        let line = |kind: Kind| format!("{}s: {}", kind.word, listed(&self.names(kind)));
        format!("SWAN offers {}; {}", line(RELEASES), line(BUILDERS))
    }

    fn entries(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        let entries = self.config[kind.list].as_array().into_iter().flatten();
        // Headings stand between them.
        entries.filter(move |entry| entry[kind.key]["value"].is_string())
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        let names = self.entries(kind);
        names
            .filter_map(|entry| shown(&entry[kind.key]["value"]))
            .collect()
    }

    /// The entry of a release, or of a builder: these are listed with their versions.
    fn entry(&self, kind: Kind, chosen: &str, version: Option<&str>) -> Option<&Value> {
        self.entries(kind).find(|entry| {
            let name = entry[kind.key]["value"].as_str().unwrap_or_default();
            match name.split_once(':') {
                Some((builder, of)) if kind.key == BUILDERS.key => {
                    builder == chosen && version.is_none_or(|version| version == of)
                }
                _ => name == chosen,
            }
        })
    }

    /// That a GPU is wanted which isn't offered to this account.
    fn gpu(&self, options: &Value) -> Option<Warning> {
        let wanted = options["gpu"].as_str().filter(|wanted| *wanted != "none")?;
        if self.gpus.iter().any(|gpu| gpu == wanted) {
            return None;
        }
        let mut valid = vec!["none".to_owned()];
        valid.extend(self.gpus.iter().cloned());
        Some(Warning::new(
            format!("SWAN offers this account no `gpu` \"{wanted}\""),
            format!("set `gpu` to one of: {}", listed(&valid)),
        ))
    }
}

fn unknown(kind: Kind, chosen: &str, names: &[String]) -> Warning {
    Warning::new(
        format!(
            "SWAN offers no {} \"{chosen}\": a server with it would fail or wait",
            kind.word
        ),
        format!("set `{}` to one of: {}", kind.key, listed(names)),
    )
}

/// What goes together with a release or builder, in one line.
fn offer(chosen: &str, entry: &Value) -> String {
    let mut line = format!("SWAN offers with {chosen}");
    let mut between = " ";
    for key in BESIDE {
        let values = values(entry, key);
        if !values.is_empty() {
            let _ = write!(line, "{between}{key}: {}", listed(&values));
            between = "; ";
        }
    }
    line
}

/// That this option has a value which doesn't go together with the release or builder.
fn missing(chosen: &str, entry: &Value, key: &str, options: &Value) -> Option<Warning> {
    let valid = values(entry, key);
    let value = as_offered(key, &options[key])?;
    if valid.is_empty() || valid.contains(&value) {
        return None;
    }
    Some(Warning::new(
        format!(
            "SWAN offers no `{key}` {value} with {chosen}: a server with it would fail or wait"
        ),
        format!("set `{key}` to one of: {}", listed(&valid)),
    ))
}

/// The values of an option in the form, as they stand in options.
fn values(entry: &Value, key: &str) -> Vec<String> {
    let unit = if key == "memory" { "G" } else { "" };
    let values = texts(&entry[key]).into_iter();
    values.map(|value| value + unit).collect()
}

/// A value of the options as the form would have it; `None` where there is none.
fn as_offered(key: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if key == "memory" => Some(in_gigabytes(text)),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `8192M` as `8G`; what is no whole number of them stays.
fn in_gigabytes(memory: &str) -> String {
    let whole = || {
        let (number, unit) = memory.split_at_checked(memory.len().checked_sub(1)?)?;
        let number: u64 = number.parse().ok()?;
        let kilobytes = match unit {
            "K" => Some(number),
            "M" => number.checked_mul(1 << 10),
            "G" => number.checked_mul(1 << 20),
            "T" => number.checked_mul(1 << 30),
            _ => None,
        }?;
        (kilobytes % (1 << 20) == 0).then(|| format!("{}G", kilobytes >> 20))
    };
    whole().unwrap_or_else(|| memory.to_owned())
}

/// The `value` of each entry of a list, or the entry itself.
fn texts(list: &Value) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    let value = |entry: &Value| shown(entry.get("value").unwrap_or(entry));
    entries.filter_map(value).collect()
}

/// A text or number of the page, fit for one line.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fit = |c: char| if c.is_control() { ' ' } else { c };
    Some(text.chars().take(100).map(fit).collect())
}

fn listed(values: &[String]) -> String {
    match values.len() {
        0 => "none".into(),
        many if many > MOST => format!("{}, and {} more", values[..MOST].join(", "), many - MOST),
        _ => values.join(", "),
    }
}

/// What a script sets a constant to.
fn constant(page: &str, name: &str) -> Option<Value> {
    let places = page.match_indices(name).take(PLACES);
    let values = places.filter_map(|(at, _)| {
        let rest = page[at + name.len()..].trim_start();
        literal::read(rest.strip_prefix('=')?)
    });
    values.into_iter().next()
}

#[cfg(test)]
mod tests;
