//! The languages that parameters can be written in: one row each, and how a notebook's metadata
//! lead to one.
//!
//! The forms are papermill 2.7's (`translators.py`) wherever its text evaluates to the given value;
//! the README's table lists where it doesn't and what is written instead.

mod keywords;
mod syntax;
mod table;

use serde_json::Value;

use super::literals::{Instant, Part, Scalar};

pub(super) use syntax::{Escape, Syntax};
pub(super) use table::ALL;

/// A value's text, or why the language can't hold it.
type Written = Result<String, String>;

/// How one language writes parameters.
pub(super) struct Language {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// papermill's names of it, kernels and languages alike; compared exactly, before all else.
    pub(super) papermill: &'static [&'static str],
    /// Languages and kernels in lower case, without a version at the end.
    pub(super) aliases: &'static [&'static str],
    /// Before and after a comment.
    pub(super) comment: (&'static str, &'static str),
    /// Before the name, between name and value, after the value.
    pub(super) declares: [&'static str; 3],
    /// The same for a name that the template has declared, where that differs.
    pub(super) assigns: Option<[&'static str; 3]>,
    /// The grammar of a name.
    pub(super) names: fn(&str) -> bool,
    /// Names that can't be assigned to, or whose value the language would run; with blanks between.
    pub(super) keywords: &'static str,
    /// Whether names that differ in case only are one.
    pub(super) folds_case: bool,
    /// Lines that a value needs before it: what its text contains, and the line.
    pub(super) needs: &'static [(&'static str, &'static str)],
    /// Nothing.
    pub(super) null: &'static str,
    /// False and true.
    pub(super) bools: [&'static str; 2],
    /// Not a number, infinity, minus infinity.
    pub(super) non_finite: [&'static str; 3],
    /// An integer's text.
    pub(super) int: fn(&str) -> Result<Part, String>,
    /// A text.
    pub(super) text: fn(&str) -> Written,
    /// An instant.
    pub(super) instant: fn(&Instant) -> Written,
    /// A list of written values.
    pub(super) list: fn(&[Part]) -> Written,
    /// Keys and written values.
    pub(super) map: fn(&[(&str, Part)]) -> Written,
    /// Writes the whole value where the parts can't be written one by one, by what writes a scalar.
    pub(super) whole: Option<fn(Scalar<'_>, &Value) -> Written>,
    /// How its assignments are read.
    pub(super) syntax: Syntax,
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Language {
    /// Whether this name can be assigned to.
    pub(super) fn is_name(&self, name: &str) -> bool {
        let grammatical = (self.names)(name);
        let lower = name.to_lowercase();
        let reserved =
            |word: &str| word == name || (self.folds_case && word.to_lowercase() == lower);
        grammatical && !self.keywords.split(' ').any(reserved)
    }

    /// The language of a kernel and a language name, as papermill looks them up; then by the names
    /// that kernels are known to have.
    pub(super) fn find(kernel: Option<&str>, language: Option<&str>) -> Option<&'static Self> {
        let papermill = |name: &str| ALL.iter().find(|row| row.papermill.contains(&name));
        let alias = |name: &str| {
            let name = unversioned(name);
            ALL.iter().find(|row| row.aliases.contains(&name.as_str()))
        };
        kernel
            .and_then(papermill)
            .or_else(|| language.and_then(alias))
            .or_else(|| kernel.and_then(alias))
            .copied()
    }
}

/// `python3`, `C++17`, `julia-1.10` without what is a version.
fn unversioned(name: &str) -> String {
    let version = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | ' ');
    name.to_lowercase().trim_end_matches(version).to_owned()
}

/// The language that a notebook's metadata name: kernel and language as they are written.
pub(super) fn named(notebook: &Value) -> (Option<&str>, Option<&str>) {
    let metadata = notebook.get("metadata").unwrap_or(&Value::Null);
    let kernel = &metadata["kernelspec"];
    // An empty text says nothing.
    let said = |value: &'_ Value| value.as_str().is_some_and(|text| !text.is_empty());
    let language = [&metadata["language_info"]["name"], &kernel["language"]];
    let language = language.into_iter().find(|value| said(value));
    let kernel = Some(&kernel["name"]).filter(|value| said(value));
    (
        kernel.and_then(Value::as_str),
        language.and_then(Value::as_str),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_and_languages_lead_to_their_row() {
        let cases = [
            (Some("python3"), Some("python"), "Python"),
            (Some("pysparkkernel"), Some("scala"), "Python"),
            (Some("sparkkernel"), None, "Scala"),
            (Some("sparkrkernel"), None, "R"),
            (Some("ir"), Some("R"), "R"),
            (Some("ir"), None, "R"),
            (Some("julia-1.10"), None, "Julia"),
            (Some("xcpp17"), Some("C++17"), "C++"),
            (Some("root"), Some("c++"), "C++"),
            (Some(".net-csharp"), Some("polyglot-notebook"), "C#"),
            (Some(".net-powershell"), None, "PowerShell"),
            (Some("any"), Some("PowerShell"), "PowerShell"),
            (None, Some("javascript"), "JavaScript"),
            (Some("xoctave"), Some("octave"), "Octave"),
            (Some("mine"), Some("matlab"), "MATLAB"),
            (Some("mine"), Some("ipython3"), "Python"),
        ];
        for (kernel, language, name) in cases {
            let found = Language::find(kernel, language).map(|row| row.name);
            assert_eq!(found, Some(name), "{kernel:?} {language:?}");
        }
        assert!(Language::find(Some("sos"), Some("sos")).is_none());
        assert!(Language::find(None, None).is_none());
    }

    #[test]
    fn no_name_is_in_two_rows() {
        let mut seen = std::collections::HashSet::new();
        for row in ALL {
            assert!(row.is_name("run") && !row.is_name("a b") && !row.is_name(""));
            for name in row.aliases.iter().chain(row.papermill) {
                assert_eq!(unversioned(name), name.to_lowercase());
            }
            let names: std::collections::HashSet<String> = row
                .aliases
                .iter()
                .chain(row.papermill)
                .map(|name| name.to_lowercase())
                .collect();
            for name in names {
                assert!(seen.insert(name.clone()), "{name} is in two rows");
            }
        }
    }

    #[test]
    fn names_that_would_be_code_or_no_variable_are_refused() {
        let table = [
            ("R", ".x _x", "a.b .a_b T", "_x"),
            (
                "bash",
                "PROMPT_COMMAND PS4 a.b RANDOM BASH_ENV PATH",
                "run_1",
                "1x",
            ),
            ("PowerShell", "Host PID null TRUE a.b", "run", "host"),
            ("MATLAB", "_x end", "x1", "é"),
            ("Julia", "end true", "α β1", "1x"),
            ("C++", "class auto NULL", "run", "é"),
        ];
        for (name, bad, good, worst) in table {
            let row = ALL.iter().find(|row| row.name == name).expect("a row");
            for bad in bad.split(' ').chain([worst]).filter(|bad| *bad != ".x") {
                assert!(!row.is_name(bad), "{name}: {bad}");
            }
            for good in good.split(' ') {
                assert!(row.is_name(good), "{name}: {good}");
            }
        }
    }
}
