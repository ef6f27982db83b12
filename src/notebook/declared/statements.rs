//! A cell's source as statements of tokens.

use crate::notebook::language::{Escape, Syntax};

/// Words that begin a block: what follows on their line is no top-level assignment.
const BLOCKS: &[&str] = &[
    "if",
    "elif",
    "elseif",
    "elsif",
    "else",
    "for",
    "foreach",
    "while",
    "until",
    "unless",
    "switch",
    "case",
    "function",
    "def",
    "class",
    "struct",
    "module",
    "begin",
    "try",
    "catch",
    "do",
    "let",
    "with",
    "async",
    "match",
    "macro",
    "namespace",
    "parfor",
    "end",
    "using",
    "import",
    "from",
];

/// Operators of several characters, the longer ones first, so that `==` and `<=` assign nothing.
const OPERATORS: &[&str] = &[
    "<<-", "->>", "===", "!==", "**=", "//=", "<<=", ">>=", "==", "!=", "<=", ">=", "~=", "=~",
    "=>", "->", "<-", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "@=", "?=", "::", ":=", "&&",
    "||",
];

/// A piece of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// How many brackets are open around it.
    pub(super) depth: usize,
    /// Whether white space stands before it on its line.
    pub(super) spaced: bool,
}

/// A statement that begins a line which isn't indented, or follows such a one on its line.
#[derive(Debug, Default)]
pub(super) struct Statement<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    /// The comment behind it, trimmed.
    pub(super) comment: &'a str,
}

/// The source's statements; indented ones and blocks are left out.
pub(super) fn statements<'a>(source: &'a str, syntax: &Syntax) -> Vec<Statement<'a>> {
    let mut reader = Reader {
        syntax: *syntax,
        source,
        at: 0,
        depth: 0,
        spaced: false,
        counts: true,
        statement: Statement::default(),
        done: Vec::new(),
        ended_on_line: false,
    };
    while reader.at < source.len() {
        reader.step();
    }
    reader.end();
    reader.done
}

struct Reader<'a> {
    syntax: Syntax,
    source: &'a str,
    at: usize,
    depth: usize,
    spaced: bool,
    /// Whether statements of this line are at top level.
    counts: bool,
    statement: Statement<'a>,
    done: Vec<Statement<'a>>,
    /// Whether the last one done ended on this line, so that a comment here is its own.
    ended_on_line: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn begins(&self) -> bool {
        self.statement.tokens.is_empty()
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return };
        if self.comment(rest) || self.continuation(rest) {
            return;
        }
        if c == '\n' && (self.depth > 0 || !self.syntax.ends.contains('\n')) {
            self.at += 1;
            self.line();
        } else if self.depth == 0 && self.syntax.ends.contains(c) && (c != ',' || self.has_value())
        {
            self.at += c.len_utf8();
            self.end();
            if c == '\n' {
                self.line();
            }
        } else if c.is_whitespace() {
            if self.begins() && self.at_line_start() {
                self.counts = false;
            }
            self.spaced = true;
            self.at += c.len_utf8();
        } else {
            self.token(rest, c);
        }
    }

    /// A new line: what is known of the old one is forgotten.
    fn line(&mut self) {
        self.ended_on_line = false;
        self.spaced = false;
        if self.begins() {
            self.counts = true;
        }
    }

    fn at_line_start(&self) -> bool {
        self.at == 0 || self.source[..self.at].ends_with('\n')
    }

    /// A comma ends a statement only after its value began: `[a, b] = f()` has one before.
    fn has_value(&self) -> bool {
        self.statement.tokens.iter().any(|token| token.text == "=")
    }

    fn comment(&mut self, rest: &'a str) -> bool {
        let own = self.begins() && rest.starts_with(|c| self.syntax.magics.contains(c));
        let block = self
            .syntax
            .blocks
            .iter()
            .find(|(open, _)| rest.starts_with(open));
        if let Some((open, close)) = block {
            let inside = &rest[open.len()..];
            self.at += inside
                .find(close)
                .map_or(rest.len(), |end| open.len() + end + close.len());
            return true;
        }
        let Some(open) = self
            .syntax
            .comments
            .iter()
            .find(|open| rest.starts_with(**open))
        else {
            if own {
                self.at += rest.find('\n').unwrap_or(rest.len());
            }
            return own;
        };
        let line = rest.lines().next().unwrap_or_default();
        self.at += line.len().max(open.len());
        let text = line[open.len()..].trim_start_matches(open).trim();
        let finished = self.done.last_mut().filter(|_| self.ended_on_line);
        match finished {
            Some(last) if self.statement.tokens.is_empty() => last.comment = text,
            _ if !self.statement.tokens.is_empty() => self.statement.comment = text,
            _ => {}
        }
        true
    }

    /// A statement goes on behind this line break.
    fn continuation(&mut self, rest: &str) -> bool {
        let sign = self.syntax.continued;
        let goes_on = !sign.is_empty()
            && rest
                .strip_prefix(sign)
                .is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'));
        if goes_on {
            self.at += rest.find('\n').map_or(rest.len(), |at| at + 1);
            self.spaced = true;
        }
        goes_on
    }

    fn token(&mut self, rest: &'a str, c: char) {
        let length = self.quoted(rest).unwrap_or_else(|| length(rest, c));
        let text = &rest[..length];
        let closes = matches!(c, ')' | ']' | '}');
        if closes {
            self.depth = self.depth.saturating_sub(1);
        }
        if self.begins() && BLOCKS.contains(&text) && !self.syntax.words.contains(&text) {
            self.counts = false;
        }
        self.statement.tokens.push(Token {
            text,
            depth: self.depth,
            spaced: self.spaced,
        });
        self.spaced = false;
        if matches!(text, "(" | "[" | "{") {
            self.depth += 1;
        }
        self.at += length;
        // Nothing else ends a block where statements end with a semicolon.
        if text == "}" && self.depth == 0 && !self.counts {
            self.end();
        }
    }

    /// The length of the quoted text that begins here.
    fn quoted(&self, rest: &str) -> Option<usize> {
        let (open, close, escape) = self
            .syntax
            .quotes
            .iter()
            .find(|(open, ..)| rest.starts_with(open))?;
        let last = self.statement.tokens.last().filter(|_| !self.spaced);
        let operand =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '}' | '\'' | '.');
        if self.syntax.transposes
            && *open == "'"
            && last.is_some_and(|last| last.text.ends_with(operand))
        {
            return None;
        }
        let mut at = open.len();
        while let Some(c) = rest[at..].chars().next() {
            let here = &rest[at..];
            let skips = match escape {
                Escape::Backslash => c == '\\',
                Escape::Backtick => c == '`',
                Escape::Doubled => {
                    here.starts_with(close) && here[close.len()..].starts_with(close)
                }
                Escape::None => false,
            };
            if skips {
                at += c.len_utf8();
                at += rest[at..].chars().next().map_or(0, char::len_utf8);
            } else if here.starts_with(close) {
                return Some(at + close.len());
            } else {
                at += c.len_utf8();
            }
        }
        Some(rest.len())
    }

    fn end(&mut self) {
        let statement = std::mem::take(&mut self.statement);
        self.spaced = false;
        if statement.tokens.is_empty() {
            return;
        }
        self.ended_on_line = self.counts;
        if self.counts {
            self.done.push(statement);
        }
    }
}

/// The length of the word, number, operator or single character that begins here.
fn length(rest: &str, c: char) -> usize {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let run = |belongs: &dyn Fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    match c {
        '0'..='9' => number(rest),
        _ if word(c) => run(&word),
        _ => {
            let operator = OPERATORS.iter().find(|known| rest.starts_with(**known));
            operator.map_or(c.len_utf8(), |known| known.len())
        }
    }
}

/// A number with its exponent's sign.
fn number(rest: &str) -> usize {
    let mut before = ' ';
    let belongs = |c: char| {
        let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !rest.starts_with("0x");
        before = c;
        sign || c.is_alphanumeric() || matches!(c, '_' | '.')
    };
    let mut belongs = belongs;
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}
