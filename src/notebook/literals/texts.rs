//! Texts as text of a language. What isn't printable ASCII is escaped, so that neither the file's
//! encoding nor the reader's locale counts.

use std::fmt::Write as _;

/// How a character beyond 16 bits is written.
#[derive(Clone, Copy)]
enum Wide {
    /// `\UXXXXXXXX`.
    Eight,
    /// Two halves, `\uXXXX\uXXXX`.
    Halves,
    /// `\u{XXXXX}`.
    Braces,
}

/// `"…"` with backslashes; `also` is what the language would read besides `"` and `\`.
fn quoted(text: &str, also: &str, wide: Wide) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        if !simple(&mut out, c, also) {
            escape(&mut out, c, wide);
        }
    }
    out.push('"');
    out
}

/// Writes what all these languages write alike; whether this was such a character.
fn simple(out: &mut String, c: char, also: &str) -> bool {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '"' | '\\' => out.extend(['\\', c]),
        c if also.contains(c) => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        _ => return false,
    }
    true
}

fn escape(out: &mut String, c: char, wide: Wide) {
    let code = u32::from(c);
    let _ = match wide {
        _ if code <= 0xffff => write!(out, "\\u{code:04x}"),
        Wide::Eight => write!(out, "\\U{code:08x}"),
        Wide::Braces => write!(out, "\\u{{{code:x}}}"),
        Wide::Halves => units(c).try_for_each(|unit| write!(out, "\\u{unit:04x}")),
    };
}

/// A character's UTF-16 code units.
fn units(c: char) -> impl Iterator<Item = u16> {
    let mut buffer = [0; 2];
    let count = c.encode_utf16(&mut buffer).len();
    buffer.into_iter().take(count)
}

fn without_nul(text: &str, language: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err(format!("{language} holds no text with a NUL character"));
    }
    Ok(())
}

/// As Python's `unicode_escape` codec, which papermill uses, plus the quote.
pub(in crate::notebook) fn python(text: &str) -> Result<String, String> {
    let mut out = String::from('"');
    for c in text.chars() {
        match u32::from(c) {
            _ if simple(&mut out, c, "") => {}
            code @ ..=0xff => {
                let _ = write!(out, "\\x{code:02x}");
            }
            _ => escape(&mut out, c, Wide::Eight),
        }
    }
    out.push('"');
    Ok(out)
}

/// R reads at most 10 000 characters where a `\u` is among them (`gram.y`), hence pieces.
pub(in crate::notebook) fn r(text: &str) -> Result<String, String> {
    const PIECE: usize = 5000;
    without_nul(text, "R")?;
    let chars: Vec<char> = text.chars().collect();
    let piece = |piece: &[char]| quoted(&piece.iter().collect::<String>(), "", Wide::Eight);
    if chars.len() <= PIECE || text.is_ascii() {
        return Ok(piece(&chars));
    }
    let pieces: Vec<String> = chars.chunks(PIECE).map(piece).collect();
    Ok(format!("paste0({})", pieces.join(", ")))
}

/// Julia would interpolate what follows a `$`.
pub(in crate::notebook) fn julia(text: &str) -> Result<String, String> {
    Ok(quoted(text, "$", Wide::Eight))
}

/// Scala up to 2.12 takes `\u001a` for the end of the file, and the virtual machine no constant of
/// more than 65 535 bytes; both are put together when the cell runs.
pub(in crate::notebook) fn scala(text: &str) -> Result<String, String> {
    const PIECE: usize = 10_000;
    let chars: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    for (at, run) in text.split('\u{1a}').enumerate() {
        if at > 0 {
            pieces.push("26.toChar".to_owned());
        }
        let run: Vec<char> = run.chars().collect();
        let piece = |piece: &[char]| quoted(&piece.iter().collect::<String>(), "", Wide::Halves);
        pieces.extend(run.chunks(PIECE).map(piece));
    }
    Ok(match pieces.as_slice() {
        [one] if !text.contains('\u{1a}') => one.clone(),
        [] if chars.is_empty() => "\"\"".to_owned(),
        several => format!("Seq({}).mkString", several.join(", ")),
    })
}

/// C# and F#.
pub(in crate::notebook) fn dotnet(text: &str) -> Result<String, String> {
    Ok(quoted(text, "", Wide::Eight))
}

/// JavaScript.
pub(in crate::notebook) fn javascript(text: &str) -> Result<String, String> {
    Ok(quoted(text, "", Wide::Halves))
}

/// Ruby would interpolate what follows a `#`.
pub(in crate::notebook) fn ruby(text: &str) -> Result<String, String> {
    Ok(quoted(text, "#", Wide::Braces))
}

/// Octave keeps bytes.
pub(in crate::notebook) fn octave(text: &str) -> Result<String, String> {
    Ok(bytes(text, ""))
}

/// C++: with its length, since a NUL would end it; `\?` since `??/` was once a backslash.
pub(in crate::notebook) fn cpp(text: &str) -> Result<String, String> {
    Ok(format!("std::string({}, {})", bytes(text, "?"), text.len()))
}

/// `"…"` with three octal digits for each byte of what isn't printable.
fn bytes(text: &str, also: &str) -> String {
    let mut out = String::from('"');
    for byte in text.bytes() {
        let c = char::from(byte);
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if also.contains(c) => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}

fn printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Runs of printable ASCII and runs of the rest.
fn runs(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = printable(rest.chars().next()?);
        let end = rest.find(|c| printable(c) != first).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        rest = tail;
        Some((first, run))
    })
}

/// Pieces of text between plain quotes and pieces by code unit.
fn pieces(
    text: &str,
    plain: impl Fn(&str) -> String,
    units: impl Fn(&[String]) -> String,
) -> Vec<String> {
    let coded =
        |run: &str| -> Vec<String> { run.encode_utf16().map(|unit| unit.to_string()).collect() };
    let piece = |(printable, run): (bool, &str)| match printable {
        true => plain(run),
        false => units(&coded(run)),
    };
    runs(text).map(piece).collect()
}

/// MATLAB has no escapes: `"…"`, and what isn't printable by `char`, joined with `+` ("plus",
/// "Concatenate Strings"; "char", "Convert integers to characters").
pub(in crate::notebook) fn matlab(text: &str) -> Result<String, String> {
    let plain = |run: &str| format!("\"{}\"", run.replace('"', "\"\""));
    let pieces = pieces(text, plain, |units| format!("char([{}])", units.join(" ")));
    let plain_first = text.starts_with(printable);
    Ok(match pieces.as_slice() {
        [] => "\"\"".to_owned(),
        [one] if plain_first => one.clone(),
        several if plain_first => format!("({})", several.join(" + ")),
        // A string first makes strings of all that follow.
        several => format!("(\"\" + {})", several.join(" + ")),
    })
}

/// A key of MATLAB's `containers.Map`: a row of characters.
pub(in crate::notebook) fn matlab_key(text: &str) -> String {
    let plain = |run: &str| format!("'{}'", run.replace('\'', "''"));
    let pieces = pieces(text, plain, |units| format!("char([{}])", units.join(" ")));
    match pieces.as_slice() {
        [] => "''".to_owned(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(" ")),
    }
}

/// `PowerShell`: `"…"` where nothing in it could mean something, as papermill; else `'…'`, in which
/// only the quote counts (`about_Quoting_Rules`), and code units.
pub(in crate::notebook) fn powershell(text: &str) -> Result<String, String> {
    let tame = |c: char| printable(c) && !matches!(c, '"' | '$' | '`' | '\\');
    if text.chars().all(tame) {
        return Ok(format!("\"{text}\""));
    }
    let plain = |run: &str| format!("'{}'", run.replace('\'', "''"));
    let coded = |units: &[String]| {
        let units: Vec<String> = units.iter().map(|unit| format!("[char]{unit}")).collect();
        units.join(" + ")
    };
    let pieces = pieces(text, plain, coded);
    let plain_first = text.starts_with(printable);
    Ok(match pieces.as_slice() {
        [one] if plain_first => one.clone(),
        several if plain_first => format!("({})", several.join(" + ")),
        several => format!("('' + {})", several.join(" + ")),
    })
}

/// bash, as Python's `shlex.quote`.
pub(in crate::notebook) fn bash(text: &str) -> Result<String, String> {
    without_nul(text, "bash")?;
    let safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', "'\"'\"'")))
}
