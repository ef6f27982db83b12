//! A key and its value, read as what it should be.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::sheet::Sheet;
use super::table::Table;

/// A key and its value.
pub(super) struct Item<'a> {
    /// Where it stands.
    pub(super) sheet: &'a Sheet,
    /// The key.
    pub(super) key: &'a str,
    /// The value.
    pub(super) value: &'a DeValue<'a>,
    /// Where the key stands.
    pub(super) key_span: Range<usize>,
    /// Where the value stands.
    pub(super) span: Range<usize>,
}

impl<'a> Item<'a> {
    /// Notes what is wrong with the value.
    pub(super) fn no<T>(&self, message: &str, hint: &str) -> Option<T> {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.sheet.note(self.span.clone(), message, hint);
        None
    }

    /// Notes what is wrong with the key.
    pub(super) fn no_key(&self, message: &str, hint: &str) {
        self.sheet
            .note(self.key_span.clone(), message, Some(hint.into()));
    }

    /// Notes that the value has the wrong type.
    pub(super) fn wrong<T>(&self, expected: &str) -> Option<T> {
        let hint = format!("this is of type {}", self.value.type_str());
        self.no(&format!("`{}` must be {expected}", self.key), &hint)
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        text.or_else(|| self.wrong("a text in quotes"))
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false"))
    }

    pub(super) fn whole(&self) -> Option<u32> {
        let number = self.value.as_integer().map(ToString::to_string);
        let number = number.and_then(|text| text.parse().ok());
        number.or_else(|| self.wrong("a whole number, 0 or more"))
    }

    /// The items of a list; all are read, so that every mistake is noted.
    pub(super) fn list<T>(&self, read: impl Fn(&Item<'a>) -> Option<T>) -> Option<Vec<T>> {
        let DeValue::Array(values) = self.value else {
            return self.wrong("a list");
        };
        let each = values.iter().map(|value| {
            read(&Item {
                sheet: self.sheet,
                key: self.key,
                key_span: self.key_span.clone(),
                span: value.span(),
                value: value.get_ref(),
            })
        });
        each.collect::<Vec<_>>().into_iter().collect()
    }

    pub(super) fn table(&self, title: String) -> Option<Table<'a>> {
        let Some(entries) = self.value.as_table() else {
            return self.wrong("a table");
        };
        let span = self.key_span.clone();
        Some(Table::new(self.sheet, self.key, title, span, Some(entries)))
    }
}

type Entry<'a> = (
    &'a Spanned<std::borrow::Cow<'a, str>>,
    &'a Spanned<DeValue<'a>>,
);

/// The entries of a table in the order of the text.
pub(super) fn sorted<'a>(entries: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The one of `known` that was probably meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(word, known);
    let near = known.iter().map(|known| (distance(known), *known));
    near.filter(|(distance, known)| *distance <= 2.min(known.len() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A word of the file as it can be printed on one line.
pub(super) fn clean(word: &str) -> String {
    word.chars().take(64).flat_map(char::escape_debug).collect()
}
