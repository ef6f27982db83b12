//! Values as Python's `repr` or JSON writes them, from a page that may hold anything. Pure.

use serde_json::{Map, Value};

/// So deep may lists and tables lie in each other; a form's catalogue needs six.
const DEEPEST: usize = 32;

/// The value at the beginning of a text, whatever follows; `None` if there is none that is whole.
///
/// Lists, tuples, tables with texts or numbers as keys, texts, numbers, `True`, `False`, `None` and
/// JSON's words for these.
pub(super) fn read(text: &str) -> Option<Value> {
    Reader(text).value(DEEPEST)
}

/// What is still to be read.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            '{' => self.table(depth),
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '\'' | '"' => self.text().map(Value::String),
            _ => self.word(),
        }
    }

    /// The next character that is no space; it stays.
    fn peek(&mut self) -> Option<char> {
        self.0 = self.0.trim_start();
        self.0.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let mut rest = self.0.chars();
        let c = rest.next();
        self.0 = rest.as_str();
        c
    }

    /// Takes this character if it comes next, after spaces.
    fn skip(&mut self, wanted: char) -> Option<()> {
        (self.peek()? == wanted).then(|| self.take())?.map(drop)
    }

    fn list(&mut self, end: char, depth: usize) -> Option<Value> {
        self.take();
        let mut values = Vec::new();
        while self.skip(end).is_none() {
            values.push(self.value(depth)?);
            self.part(end)?;
        }
        Some(Value::Array(values))
    }

    fn table(&mut self, depth: usize) -> Option<Value> {
        self.take();
        let mut entries = Map::new();
        while self.skip('}').is_none() {
            let key = match self.value(1)? {
                Value::String(key) => key,
                key @ Value::Number(_) => key.to_string(),
                _ => return None,
            };
            self.skip(':')?;
            let value = self.value(depth)?;
            entries.insert(key, value);
            self.part('}')?;
        }
        Some(Value::Object(entries))
    }

    /// A comma, or the end, which stays.
    fn part(&mut self, end: char) -> Option<()> {
        match self.peek()? == end {
            true => Some(()),
            false => self.skip(','),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            word => serde_json::from_str(word).ok(),
        }
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.take()?;
        let mut text = String::new();
        loop {
            match self.take()? {
                c if c == quote => return Some(text),
                '\\' => self.escape(&mut text)?,
                c => text.push(c),
            }
        }
    }

    /// What stands behind a `\`. What Python knows no escape for means itself.
    fn escape(&mut self, text: &mut String) -> Option<()> {
        let c = self.take()?;
        let meant = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\\' | '\'' | '"' | '/' => c,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            _ => {
                text.push('\\');
                c
            }
        };
        text.push(meant);
        Some(())
    }

    /// A character by so many digits; JSON writes the rare ones as two.
    fn code(&mut self, digits: usize) -> Option<char> {
        let high = self.number(digits)?;
        if !(0xd800..0xdc00).contains(&high) || !self.0.starts_with("\\u") {
            return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.0 = &self.0[2..];
        let low = self.number(4)?;
        let both = char::decode_utf16([high, low].map(|unit| u16::try_from(unit).unwrap_or(0)));
        let mut both = both.map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER));
        both.next()
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        // A sign would be a number too.
        let is_hex = number.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(number, 16).ok().filter(|_| is_hex)
    }
}

#[cfg(test)]
mod tests;
