//! A cell's first line: `# %% title [markdown] key="value"` or `# %% title {"key": "value"}`.

use serde_json::{Map, Value};

use crate::notebook::NotebookError;

/// What a cell is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Code,
    Markdown,
    Raw,
}

/// What a cell's first line says.
#[derive(Debug, Default)]
pub(super) struct Marker {
    pub(super) kind: Kind,
    pub(super) metadata: Map<String, Value>,
}

impl Marker {
    /// Reads a marker; `number` is its line, from 1.
    pub(super) fn read(line: &str, number: usize) -> Result<Self, NotebookError> {
        let Some((_, options)) = line.split_once("%%") else {
            return Ok(Self::default());
        };
        let deeper = options.len() - options.trim_start_matches('%').len();
        let options = options[deeper..].trim();
        let (title, mut metadata) = split(options, number)?;
        let kinds = [
            ("[markdown]", Kind::Markdown),
            ("[md]", Kind::Markdown),
            ("[raw]", Kind::Raw),
        ];
        let found = kinds.into_iter().find(|(word, _)| title.contains(word));
        let (kind, title) = match found {
            Some((word, kind)) => (kind, title.replace(word, "").trim().to_owned()),
            None => (Kind::Code, title),
        };
        if deeper > 0 {
            metadata.insert("cell_depth".into(), deeper.into());
        }
        if !title.is_empty() {
            metadata.insert("title".into(), title.into());
        }
        Ok(Self { kind, metadata })
    }

    /// Whether the cell is for a kind of file, `py` or `ipynb`.
    pub(super) fn is_active(&self, extension: &str, otherwise: bool) -> bool {
        if self
            .metadata
            .get("run_control")
            .is_some_and(|run| run["frozen"] == true)
        {
            return extension == "ipynb";
        }
        let tags = self.metadata.get("tags").and_then(Value::as_array);
        let mut tags = tags.into_iter().flatten().filter_map(Value::as_str);
        if let Some(tag) = tags.find(|tag| tag.starts_with("active-")) {
            return tag.split('-').any(|word| word == extension);
        }
        match self.metadata.get("active").and_then(Value::as_str) {
            Some(active) => active.split(['.', ',']).any(|word| word == extension),
            None => otherwise,
        }
    }
}

/// The title and the metadata behind it.
fn split(options: &str, number: usize) -> Result<(String, Map<String, Value>), NotebookError> {
    let wrong = |what: &str| {
        let what = format!("the cell at line {number}: {what}");
        let advice = "write tags=[\"parameters\"] or name=\"value\", in JSON, or take it away";
        NotebookError::template(what, advice)
    };
    // Inside the notebook it is nested deeper yet, and JSON readers stop at 128.
    if options.matches(['[', '{']).count() > 100 {
        return Err(wrong("its metadata have more than 100 brackets"));
    }
    let (curly, equals) = (options.find('{'), options.find('='));
    if let Some(curly) = curly.filter(|curly| equals.is_none_or(|equals| *curly < equals)) {
        let title = options[..curly].trim().to_owned();
        let metadata = serde_json::from_str(&options[curly..]);
        let metadata = metadata.map_err(|_| wrong("its metadata are no JSON object"))?;
        return Ok((title, metadata));
    }
    // The last word before the first `=` is a key, all before it the title.
    let before = equals.map_or(options, |equals| options[..equals].trim_end());
    let key = match equals {
        Some(_) => before.rfind(char::is_whitespace).map_or(0, |at| at + 1),
        None => options.len(),
    };
    let mut title = options[..key].trim();
    let mut metadata = pairs(&options[key..]).map_err(|what| wrong(&what))?;
    // A class, such as `.hidden`, is a key without a value.
    let class = |title: &'_ str| title.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    while title[class(title)..].starts_with('.') {
        metadata.insert(title[class(title)..].to_owned(), Value::Null);
        title = title[..class(title)].trim_end();
    }
    Ok((title.to_owned(), metadata))
}

/// `key=value key=value`, the values in JSON or with Python's quotes.
fn pairs(text: &str) -> Result<Map<String, Value>, String> {
    let mut metadata = Map::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_.@/-".contains(c);
        let end = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() {
            return Err(format!("`{rest}` is no key and value"));
        }
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('=') {
            // A word alone is a key without a value.
            None => (Value::Null, after),
            Some(after) => value(after.trim_start())
                .ok_or_else(|| format!("the value of `{key}` is no JSON: a text needs quotes"))?,
        };
        metadata.insert(key.to_owned(), value);
        rest = after.trim_start();
    }
    Ok(metadata)
}

/// The value that begins here, and what follows it.
fn value(text: &str) -> Option<(Value, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Some(Ok(value)) = values.next() {
        let rest = &text[values.byte_offset()..];
        let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
        return ends.then_some((value, rest));
    }
    python(text)
}

/// A value as Python writes it: its quotes and words, no more.
fn python(text: &str) -> Option<(Value, &str)> {
    let end = length(text)?;
    let (written, rest) = text.split_at(end);
    let words = [("True", "true"), ("False", "false"), ("None", "null")];
    let word = words.into_iter().find(|(python, _)| *python == written);
    let json = match word {
        Some((_, json)) => json.to_owned(),
        None if written.contains('"') => return None,
        None => written.replace('\'', "\""),
    };
    Some((serde_json::from_str(&json).ok()?, rest))
}

/// The length of a text up to the white space that isn't in quotes or brackets.
fn length(text: &str) -> Option<usize> {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.checked_sub(1)?,
            c if c.is_whitespace() && depth == 0 => return Some(at),
            _ => {}
        }
    }
    (!quoted && depth == 0).then_some(text.len())
}
