//! Reads a table: it is asked for the keys that it may hold; what nobody asked for is unknown.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::item::{Item, clean, nearest, sorted};
use super::sheet::Sheet;

/// One of these keys should be there: the message and the hint.
type Missing = (Vec<&'static str>, String, Option<String>);

/// A table, or the absence of one, while it is read.
pub(super) struct Table<'a> {
    /// Where it stands.
    pub(super) sheet: &'a Sheet,
    /// The last part of its name.
    pub(super) name: &'a str,
    /// As it is called in messages.
    pub(super) title: String,
    span: Range<usize>,
    entries: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    refused: RefCell<Vec<&'static str>>,
    missing: RefCell<Vec<Missing>>,
}

impl<'a> Table<'a> {
    /// The table of a whole file.
    pub(super) fn top(sheet: &'a Sheet, tree: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(sheet, "", "the file".into(), 0..0, Some(tree.get_ref()))
    }

    pub(super) fn new(
        sheet: &'a Sheet,
        name: &'a str,
        title: String,
        span: Range<usize>,
        entries: Option<&'a DeTable<'a>>,
    ) -> Self {
        Self {
            sheet,
            name,
            title,
            span,
            entries,
            asked: RefCell::default(),
            refused: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// The value of a key that it may hold.
    pub(super) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key);
        let (name, value) = self.entries?.get_key_value(key)?;
        Some(Item {
            sheet: self.sheet,
            key: name.get_ref(),
            key_span: name.span(),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// The value of a key that it may hold, as `read` understands it.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|item| read(&item))
    }

    /// The value of a key that it must hold; `example` is what to write.
    pub(super) fn must(&self, key: &'static str, example: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            let message = format!("{} needs `{key}`", self.title);
            let hint = Some(format!("write {example}"));
            self.missing.borrow_mut().push((vec![key], message, hint));
        }
        item
    }

    /// Notes that one of these keys should be there; `hint` is what to write.
    pub(super) fn lacks(&self, keys: &[&'static str], hint: &str) {
        let message = format!("{} needs one of {}", self.title, keys.join(", "));
        let missing = (keys.to_vec(), message, Some(hint.to_owned()));
        self.missing.borrow_mut().push(missing);
    }

    /// The one key that it holds of those that exclude each other.
    pub(super) fn one_of(&self, keys: &[&'static str]) -> Option<Item<'a>> {
        let mut items: Vec<Item<'_>> = keys.iter().filter_map(|key| self.get(key)).collect();
        items.sort_by_key(|item| item.key_span.start);
        match items.as_slice() {
            [] => {
                let message = format!("{} needs one of {}", self.title, keys.join(", "));
                self.missing
                    .borrow_mut()
                    .push((keys.to_vec(), message, None));
            }
            [_] => return items.pop(),
            [first, second, ..] => {
                let line = |item: &Item<'_>| self.sheet.line(item.key_span.start);
                let (one, other) = (first.key, second.key);
                let (above, below) = (line(first), line(second));
                let lines = format!(" (lines {above} and {below})");
                let lines = if above == below { "" } else { &lines };
                let message = format!(
                    "`{one}` and `{other}` are both set in {}{lines}",
                    self.title
                );
                second.no_key(
                    &message,
                    &format!("it holds exactly one of {}", keys.join(", ")),
                );
            }
        }
        None
    }

    /// Notes a known key that must not be here.
    pub(super) fn refuse(&self, key: &'static str, message: &str, hint: &str) {
        self.refused.borrow_mut().push(key);
        let found = self.entries.and_then(|entries| entries.get_key_value(key));
        if let Some((name, _)) = found {
            self.sheet.note(name.span(), message, Some(hint.into()));
        }
    }

    /// The table of that key; without it, one that holds nothing.
    pub(super) fn table(&self, key: &'static str) -> Table<'a> {
        self.read(key, |item| item.table(format!("[{key}]")))
            .unwrap_or_else(|| Table::new(self.sheet, key, format!("[{key}]"), 0..0, None))
    }

    /// The tables `[key.NAME]`, in the order of the text.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        let hint = format!("write [{key}.NAME] above its keys");
        let Some(item) = self.get(key) else {
            return vec![];
        };
        let DeValue::Table(entries) = item.value else {
            item.no_key(&format!("`{key}` has no name"), &hint);
            return vec![];
        };
        let named = sorted(entries).into_iter().filter_map(|(name, value)| {
            let item = Item {
                sheet: self.sheet,
                key: name.get_ref(),
                key_span: name.span(),
                span: value.span(),
                value: value.get_ref(),
            };
            if !item.value.is_table() {
                let message = format!("`{}` stands in [{key}], which has no name", clean(item.key));
                item.no_key(&message, &hint);
                return None;
            }
            if item.key.is_empty() || !item.key.chars().all(is_name_letter) {
                let hint = "a name is made of letters, digits, `_`, `-` and `.`";
                item.no_key(&format!("this is no name of a {key}"), hint);
                return None;
            }
            item.table(format!("[{key}.{}]", item.key))
        });
        named.collect()
    }

    /// Whether the key is there, valid or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// The file and line where it begins.
    pub(super) fn place(&self) -> String {
        let line = self.sheet.line(self.span.start);
        format!("{}:{line}", self.sheet.file.display())
    }

    /// Notes a mistake about the table itself.
    pub(super) fn note(&self, message: &str, hint: &str) {
        self.sheet
            .note(self.span.clone(), message, Some(hint.into()));
    }

    /// Notes the keys that nobody asked for and those that are missing.
    pub(super) fn finish(self) {
        let (asked, refused) = (self.asked.take(), self.refused.take());
        let entries = self.entries.map(sorted).unwrap_or_default();
        let is_known = |key: &str| asked.contains(&key) || refused.contains(&key);
        let unknown = entries
            .into_iter()
            .filter(|(key, _)| !is_known(key.get_ref()));
        let unknown: Vec<_> = unknown.map(|(key, _)| key).collect();
        for key in &unknown {
            let near = nearest(key.get_ref(), &asked);
            let near = near
                .map(|near| format!("did you mean `{near}`? "))
                .unwrap_or_default();
            let hint = format!("{near}valid here: {}", asked.join(", "));
            let message = format!("unknown key `{}`", clean(key.get_ref()));
            self.sheet.note(key.span(), &message, Some(hint));
        }
        for (keys, message, hint) in self.missing.take() {
            // A misspelt key has been noted already; that it is missing would be said twice.
            let misspelt = unknown
                .iter()
                .any(|key| nearest(key.get_ref(), &keys).is_some());
            if !misspelt && !self.sheet.is_broken() {
                self.sheet.note(self.span.clone(), &message, hint);
            }
        }
    }
}

fn is_name_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}
