//! A cell's lines: comments that hold text or magics become those again.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::marker::{Kind, Marker};

/// Whether a line begins inside a triple-quoted text.
#[derive(Debug, Default)]
pub(super) struct Quotes(Option<char>);

impl Quotes {
    /// Reads a line; whether it begins inside a text.
    pub(super) fn read(&mut self, line: &str) -> bool {
        let began = self.0.is_some();
        let mut single = None;
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let triple =
                |quote: char| rest.starts_with([quote; 3].iter().collect::<String>().as_str());
            let mut step = c.len_utf8();
            match (self.0, single) {
                _ if c == '\\' => step += rest[1..].chars().next().map_or(0, char::len_utf8),
                (Some(quote), _) if triple(quote) => {
                    self.0 = None;
                    step = 3;
                }
                (Some(_), _) => {}
                (None, Some(quote)) if c == quote => single = None,
                (None, Some(_)) => {}
                (None, None) if c == '#' => break,
                (None, None) if matches!(c, '"' | '\'') && triple(c) => {
                    self.0 = Some(c);
                    step = 3;
                }
                (None, None) if matches!(c, '"' | '\'') => single = Some(c),
                (None, None) => {}
            }
            rest = &rest[step..];
        }
        began
    }
}

/// A fence: its character and length.
pub(super) type Fence = (char, usize);

/// The fences of markdown blocks, each line uncommented.
pub(super) struct Fences {
    lines: Vec<Option<(Fence, bool, bool)>>,
    /// For each line the longest closing fence behind it, of backticks and of tildes.
    behind: Vec<[usize; 2]>,
}

impl Fences {
    pub(super) fn of(lines: &[&str]) -> Self {
        let lines: Vec<_> = lines.iter().map(|line| fence(uncommented(line))).collect();
        let mut longest = [0, 0];
        let mut behind: Vec<[usize; 2]> = lines
            .iter()
            .rev()
            .map(|line| {
                let known = longest;
                if let Some(((c, length), _, true)) = line {
                    let kind = usize::from(*c == '~');
                    longest[kind] = longest[kind].max(*length);
                }
                known
            })
            .collect();
        behind.reverse();
        Self { lines, behind }
    }

    /// The fence that a line opens, if one behind it closes it.
    pub(super) fn opens(&self, at: usize) -> Option<Fence> {
        let ((c, length), opens, _) = self.lines[at]?;
        let closed = self.behind[at][usize::from(c == '~')] >= length;
        (opens && closed).then_some((c, length))
    }

    /// Whether a line closes a fence.
    pub(super) fn closes(&self, at: usize, open: Fence) -> bool {
        self.lines[at]
            .is_some_and(|((c, length), _, closes)| closes && c == open.0 && length >= open.1)
    }
}

/// A line's fence, and whether it may open or close a block (`CommonMark` 0.31, "Fenced code blocks").
fn fence(line: &str) -> Option<(Fence, bool, bool)> {
    let text = line.trim_start_matches(' ');
    let c = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = text.trim_start_matches(c);
    let length = text.len() - info.len();
    let fits = line.len() - text.len() <= 3 && length >= 3;
    let opens = c == '~' || !info.contains('`');
    fits.then(|| ((c, length), opens, info.trim().is_empty()))
}

fn uncommented(line: &str) -> &str {
    let bare = line.strip_prefix('#').unwrap_or(line);
    if bare.len() < line.len() {
        bare.strip_prefix(' ').unwrap_or(bare)
    } else {
        line
    }
}

/// What the cell is, and its lines as a notebook has them; another language than Python's becomes a
/// magic.
pub(super) fn source(marker: &mut Marker, lines: &[&str]) -> (Kind, Vec<String>) {
    let code = marker.kind == Kind::Code;
    let active = marker.is_active("py", code);
    let kind = match marker.is_active("ipynb", true) {
        false if code => Kind::Raw,
        _ => marker.kind,
    };
    if !active && let Some(text) = quoted(lines) {
        return (kind, text.lines().map(str::to_owned).collect());
    }
    let plain = || {
        lines
            .iter()
            .map(|line| uncommented(line).to_owned())
            .collect()
    };
    let text = |value: Value| value.as_str().map(str::to_owned);
    let language = marker.metadata.remove("language").and_then(text);
    let foreign = language.filter(|language| language != "python");
    match (kind, foreign) {
        (Kind::Raw, _) if code && active => {
            (kind, lines.iter().map(|&line| line.to_owned()).collect())
        }
        (Kind::Code, Some(language)) => {
            let arguments = marker.metadata.remove("magic_args").and_then(text);
            let arguments = arguments.map(|arguments| format!(" {arguments}"));
            let magic = format!("%%{language}{}", arguments.unwrap_or_default());
            let body: Vec<String> = plain();
            (kind, [magic].into_iter().chain(body).collect())
        }
        (Kind::Code, None) if active => (kind, magics(lines)),
        _ => (kind, plain()),
    }
}

/// The text of a cell that is one triple-quoted text.
fn quoted(lines: &[&str]) -> Option<String> {
    let joined = lines.join("\n");
    let text = joined.trim();
    let text = text.strip_prefix(['r', 'R']).unwrap_or(text);
    ["\"\"\"", "'''"].into_iter().find_map(|quotes| {
        let inner = text.strip_prefix(quotes)?.strip_suffix(quotes)?;
        let inner = inner.strip_prefix('\n').unwrap_or(inner);
        Some(inner.strip_suffix('\n').unwrap_or(inner).to_owned())
    })
}

/// A commented magic: `# %matplotlib`, `# !ls`, `# ?name`, `# files = !ls`.
static MAGIC: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let own = r"\s*(?:# |#)*%{1,3}[a-zA-Z]";
    let shell = r"\s*(?:(?:# |#)+\s*)?[?!]\s*[A-Za-z.~$\\/{}]";
    let assigned = r"(?:# |#)*\s*[a-zA-Z_][a-zA-Z_$0-9]*\s*=\s*(?:%{1,3}|!)[a-zA-Z]";
    Regex::new(&format!(r"\A(?:{own}|{shell}|{assigned})")).ok()
});
static KEPT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"#\s*noescape").ok());

fn magics(lines: &[&str]) -> Vec<String> {
    let is = |pattern: &LazyLock<Option<Regex>>, line: &str| {
        pattern
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(line))
    };
    let mut quotes = Quotes::default();
    let mut goes_on = false;
    let mut out = Vec::new();
    for line in lines {
        let quoted = quotes.read(line);
        let magic = !quoted && (goes_on || (is(&MAGIC, line) && !is(&KEPT, line)));
        goes_on = magic && line.trim_end().ends_with('\\');
        let indent = line.len() - line.trim_start().len();
        out.push(match magic {
            true => format!("{}{}", &line[..indent], uncommented(&line[indent..])),
            false => (*line).to_owned(),
        });
    }
    out
}
