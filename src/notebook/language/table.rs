//! The rows. What is said of MATLAB, Julia, F# and `PowerShell`, whose interpreters the tests lack,
//! is from their manuals, named at each form.

use super::{Escape, Language, Syntax, keywords};
use crate::notebook::literals::{bash, cpp, forms, instant, numbers, texts};

/// All rows.
pub(in crate::notebook) static ALL: &[&Language] = &[
    &PYTHON,
    &R,
    &JULIA,
    &SCALA,
    &CPP,
    &MATLAB,
    &OCTAVE,
    &CSHARP,
    &FSHARP,
    &POWERSHELL,
    &BASH,
    &JAVASCRIPT,
    &RUBY,
];

const PLAIN: [&str; 3] = ["", " = ", ""];
const STATEMENT: [&str; 3] = ["", " = ", ";"];
const BOOLS: [&str; 2] = ["false", "true"];
const DOTNET_NAN: [&str; 3] = [
    "double.NaN",
    "double.PositiveInfinity",
    "double.NegativeInfinity",
];

/// What most languages write with a backslash.
const QUOTES: &[(&str, &str, Escape)] = &[
    ("\"", "\"", Escape::Backslash),
    ("'", "'", Escape::Backslash),
];
const TRIPLE: &[(&str, &str, Escape)] = &[
    ("\"\"\"", "\"\"\"", Escape::Backslash),
    ("'''", "'''", Escape::Backslash),
    ("\"", "\"", Escape::Backslash),
    ("'", "'", Escape::Backslash),
];

/// A syntax to start from: comments with `#`, one statement a line.
const HASH: Syntax = Syntax {
    comments: &["#"],
    blocks: &[],
    quotes: QUOTES,
    transposes: false,
    magics: "",
    ends: "\n;",
    continued: "",
    assigns: &["="],
    words: &[],
    typed: false,
    annotation: "",
    sigil: "",
};

/// A syntax to start from: comments with `//`.
const SLASHES: Syntax = Syntax {
    comments: &["//"],
    blocks: &[("/*", "*/")],
    ..HASH
};

static PYTHON: Language = Language {
    name: "Python",
    papermill: &["python", "pysparkkernel"],
    aliases: &["python", "ipython", "pyspark", "sage"],
    comment: ("# ", ""),
    declares: PLAIN,
    assigns: None,
    names: keywords::unicode,
    keywords: keywords::PYTHON,
    folds_case: false,
    needs: &[],
    null: "None",
    bools: ["False", "True"],
    non_finite: ["float('nan')", "float('inf')", "float('-inf')"],
    int: numbers::python,
    text: texts::python,
    instant: instant::python,
    list: forms::brackets,
    map: forms::python_map,
    whole: None,
    syntax: Syntax {
        quotes: TRIPLE,
        magics: "%!",
        continued: "\\",
        annotation: ":",
        ..HASH
    },
};

static R: Language = Language {
    name: "R",
    papermill: &["R", "sparkrkernel"],
    aliases: &["r", "ir", "sparkr", "xr"],
    names: keywords::r,
    keywords: keywords::R,
    null: "NULL",
    bools: ["FALSE", "TRUE"],
    non_finite: ["NaN", "Inf", "-Inf"],
    int: numbers::float_only,
    text: texts::r,
    instant: instant::r,
    list: forms::r_list,
    map: forms::r_map,
    syntax: Syntax {
        assigns: &["=", "<-", "<<-"],
        ..HASH
    },
    ..PYTHON
};

static JULIA: Language = Language {
    name: "Julia",
    papermill: &["julia"],
    aliases: &["julia", "ijulia"],
    keywords: keywords::JULIA,
    // Julia manual, "Dates": `DateTime` is the standard library's.
    needs: &[("Dates.DateTime(", "import Dates")],
    null: "nothing",
    bools: BOOLS,
    // Julia manual, "Special floating-point values".
    non_finite: ["NaN", "Inf", "-Inf"],
    int: numbers::any,
    // Julia manual, "Strings": `\uXXXX`, `\UXXXXXXXX`; `$` interpolates.
    text: texts::julia,
    instant: instant::julia,
    // Julia manual, "Arrays": elements are promoted to one type; `Any[…]` keeps them.
    list: forms::julia_list,
    map: forms::julia_map,
    syntax: Syntax {
        blocks: &[("#=", "=#")],
        quotes: TRIPLE,
        transposes: true,
        words: &["const", "global"],
        annotation: "::",
        ..HASH
    },
    ..PYTHON
};

static SCALA: Language = Language {
    name: "Scala",
    papermill: &["scala", "sparkkernel"],
    aliases: &["scala", "spark", "almond", "toree", "apache_toree_scala"],
    comment: ("// ", ""),
    declares: ["val ", " = ", ""],
    names: keywords::ascii,
    keywords: keywords::SCALA,
    null: "None",
    bools: BOOLS,
    non_finite: [
        "Double.NaN",
        "Double.PositiveInfinity",
        "Double.NegativeInfinity",
    ],
    int: numbers::scala,
    text: texts::scala,
    instant: instant::scala,
    list: forms::scala_list,
    map: forms::scala_map,
    syntax: Syntax {
        quotes: TRIPLE,
        words: &["val", "var", "lazy"],
        annotation: ":",
        ..SLASHES
    },
    ..PYTHON
};

static CPP: Language = Language {
    name: "C++",
    papermill: &[],
    aliases: &["c++", "cpp", "xcpp", "root", "cling", "root c++"],
    comment: ("// ", ""),
    declares: ["auto ", " = ", ";"],
    // A second declaration of the same name is an error in most C++ kernels.
    assigns: Some(STATEMENT),
    names: keywords::ascii,
    keywords: keywords::CPP,
    needs: &[
        ("std::string", "#include <string>"),
        ("std::vector", "#include <vector>"),
        ("std::map", "#include <map>"),
        ("std::numeric_limits", "#include <limits>"),
        ("std::chrono", "#include <chrono>"),
    ],
    null: "nullptr",
    bools: BOOLS,
    non_finite: [
        "std::numeric_limits<double>::quiet_NaN()",
        "std::numeric_limits<double>::infinity()",
        "-std::numeric_limits<double>::infinity()",
    ],
    int: numbers::cpp,
    text: texts::cpp,
    instant: instant::cpp,
    whole: Some(cpp),
    syntax: Syntax {
        // A line that begins with `#` is the preprocessor's.
        comments: &["//", "#"],
        ends: ";",
        typed: true,
        ..SLASHES
    },
    ..PYTHON
};

static MATLAB: Language = Language {
    name: "MATLAB",
    papermill: &["matlab"],
    aliases: &["matlab", "imatlab", "jupyter_matlab_kernel"],
    comment: ("% ", ""),
    declares: STATEMENT,
    names: keywords::matlab,
    keywords: keywords::MATLAB,
    null: "[]",
    bools: BOOLS,
    non_finite: ["nan", "inf", "-inf"],
    int: numbers::float_only,
    text: texts::matlab,
    instant: instant::matlab,
    list: forms::cells,
    map: forms::matlab_map,
    syntax: Syntax {
        comments: &["%"],
        blocks: &[("%{", "%}")],
        quotes: &[("\"", "\"", Escape::Doubled), ("'", "'", Escape::Doubled)],
        transposes: true,
        ends: "\n;,",
        continued: "...",
        ..HASH
    },
    ..PYTHON
};

static OCTAVE: Language = Language {
    name: "Octave",
    papermill: &[],
    aliases: &["octave", "gnuoctave", "xoctave"],
    names: keywords::ascii,
    keywords: keywords::OCTAVE,
    text: texts::octave,
    instant: instant::octave,
    map: forms::octave_map,
    syntax: Syntax {
        comments: &["%", "#"],
        blocks: &[("%{", "%}"), ("#{", "#}")],
        quotes: &[("\"", "\"", Escape::Backslash), ("'", "'", Escape::Doubled)],
        transposes: true,
        ends: "\n;,",
        continued: "...",
        ..HASH
    },
    ..MATLAB
};

static CSHARP: Language = Language {
    name: "C#",
    papermill: &[".net-csharp"],
    aliases: &["c#", "csharp"],
    comment: ("// ", ""),
    declares: ["var ", " = ", ";"],
    names: keywords::ascii,
    keywords: keywords::CSHARP,
    null: "(object)null",
    bools: BOOLS,
    non_finite: DOTNET_NAN,
    int: numbers::csharp,
    text: texts::dotnet,
    instant: instant::dotnet,
    list: forms::csharp_list,
    map: forms::csharp_map,
    syntax: Syntax {
        quotes: &[
            ("@\"", "\"", Escape::Doubled),
            ("\"", "\"", Escape::Backslash),
            ("'", "'", Escape::Backslash),
        ],
        ends: ";",
        typed: true,
        ..SLASHES
    },
    ..PYTHON
};

static FSHARP: Language = Language {
    name: "F#",
    papermill: &[".net-fsharp"],
    aliases: &["f#", "fsharp", "ifsharp"],
    comment: ("(* ", " *)"),
    declares: ["let ", " = ", ""],
    keywords: keywords::FSHARP,
    null: "None",
    // F# language specification, "Basic operators and functions": `nan`, `infinity`.
    non_finite: ["nan", "infinity", "-infinity"],
    int: numbers::fsharp,
    list: forms::fsharp_list,
    map: forms::fsharp_map,
    syntax: Syntax {
        blocks: &[("(*", "*)")],
        quotes: &[
            ("\"\"\"", "\"\"\"", Escape::None),
            ("@\"", "\"", Escape::Doubled),
            ("\"", "\"", Escape::Backslash),
        ],
        words: &["let", "mutable"],
        annotation: ":",
        ..SLASHES
    },
    ..CSHARP
};

static POWERSHELL: Language = Language {
    name: "PowerShell",
    papermill: &[".net-powershell"],
    aliases: &["powershell", "pwsh", "powershell_kernel"],
    declares: ["$", " = ", ""],
    names: keywords::ascii,
    keywords: keywords::POWERSHELL,
    folds_case: true,
    null: "$Null",
    bools: ["$False", "$True"],
    non_finite: [
        "[double]::NaN",
        "[double]::PositiveInfinity",
        "[double]::NegativeInfinity",
    ],
    int: numbers::powershell,
    text: texts::powershell,
    instant: instant::powershell,
    list: forms::powershell_list,
    map: forms::powershell_map,
    syntax: Syntax {
        blocks: &[("<#", "#>")],
        quotes: &[("\"", "\"", Escape::Backtick), ("'", "'", Escape::Doubled)],
        typed: true,
        sigil: "$",
        ..HASH
    },
    ..PYTHON
};

static BASH: Language = Language {
    name: "bash",
    papermill: &["bash"],
    aliases: &["bash", "xbash", "sh"],
    declares: ["", "=", ""],
    names: keywords::ascii,
    keywords: keywords::BASH,
    null: "",
    bools: BOOLS,
    non_finite: ["nan", "inf", "-inf"],
    int: numbers::any,
    text: texts::bash,
    instant: instant::bash,
    whole: Some(bash),
    syntax: Syntax {
        quotes: &[("\"", "\"", Escape::Backslash), ("'", "'", Escape::None)],
        words: &["export", "declare", "local", "readonly"],
        ..HASH
    },
    ..PYTHON
};

static JAVASCRIPT: Language = Language {
    name: "JavaScript",
    papermill: &[],
    aliases: &[
        "javascript",
        "jslab",
        "ijavascript",
        "typescript",
        "tslab",
        "deno",
        "xjavascript",
    ],
    comment: ("// ", ""),
    declares: ["var ", " = ", ";"],
    // `var` after `let` is an error; without it the cell's own variable is meant.
    assigns: Some(STATEMENT),
    names: keywords::ascii,
    keywords: keywords::JAVASCRIPT,
    null: "null",
    bools: BOOLS,
    non_finite: ["NaN", "Infinity", "-Infinity"],
    int: numbers::javascript,
    text: texts::javascript,
    instant: instant::javascript,
    map: forms::javascript_map,
    syntax: Syntax {
        quotes: &[
            ("\"", "\"", Escape::Backslash),
            ("'", "'", Escape::Backslash),
            ("`", "`", Escape::Backslash),
        ],
        words: &["let", "var", "const"],
        annotation: ":",
        ..SLASHES
    },
    ..PYTHON
};

static RUBY: Language = Language {
    name: "Ruby",
    papermill: &[],
    aliases: &["ruby", "iruby"],
    names: keywords::ascii,
    keywords: keywords::RUBY,
    null: "nil",
    bools: BOOLS,
    non_finite: ["Float::NAN", "Float::INFINITY", "-Float::INFINITY"],
    int: numbers::any,
    text: texts::ruby,
    instant: instant::ruby,
    map: forms::ruby_map,
    syntax: HASH,
    ..PYTHON
};
