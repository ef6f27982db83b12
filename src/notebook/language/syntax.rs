//! How a language's assignments are read.

/// How a quote is written inside a quoted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::notebook) enum Escape {
    /// Not at all.
    None,
    /// After a backslash.
    Backslash,
    /// After a backtick.
    Backtick,
    /// Twice.
    Doubled,
}

/// How a language's assignments are read.
#[derive(Clone, Copy)]
pub(in crate::notebook) struct Syntax {
    /// What begins a comment that ends with the line.
    pub(in crate::notebook) comments: &'static [&'static str],
    /// Comments with an end.
    pub(in crate::notebook) blocks: &'static [(&'static str, &'static str)],
    /// What begins and ends a text, the longer ones first.
    pub(in crate::notebook) quotes: &'static [(&'static str, &'static str, Escape)],
    /// Whether `'` after a name or bracket is an operator.
    pub(in crate::notebook) transposes: bool,
    /// What begins a line that is the kernel's own and no code.
    pub(in crate::notebook) magics: &'static str,
    /// What ends a statement.
    pub(in crate::notebook) ends: &'static str,
    /// What goes on with a statement on the next line.
    pub(in crate::notebook) continued: &'static str,
    /// What assigns.
    pub(in crate::notebook) assigns: &'static [&'static str],
    /// Words that may stand before the name.
    pub(in crate::notebook) words: &'static [&'static str],
    /// Whether a type stands before the name.
    pub(in crate::notebook) typed: bool,
    /// What stands between the name and its type.
    pub(in crate::notebook) annotation: &'static str,
    /// What stands before a variable's name.
    pub(in crate::notebook) sigil: &'static str,
}
