//! How each interpreter is given cells and asked for their variables.

use serde_json::{Value, json};

use nbcourier::run::{plain, special};

/// The lines of a cell and the variables it assigns.
type Cell<'a> = (Vec<String>, Vec<&'a str>);

pub(super) struct Spoken {
    /// Its name in a notebook.
    pub(super) name: &'static str,
    /// The program's file.
    pub(super) file: &'static str,
    /// Shell commands, run one after the other; the last one prints.
    pub(super) commands: &'static [&'static str],
    /// Values in one cell.
    pub(super) chunk: usize,
    /// Whether it knows neither integers nor the type of what is empty.
    pub(super) loose: bool,
    /// By how many units in the last place its reader of decimals is known to be off.
    pub(super) ulps: u64,
    /// Reasons for which it may refuse a value.
    pub(super) refuses: &'static [&'static str],
    /// The program's text.
    pub(super) program: fn(&[Cell<'_>]) -> String,
    /// What of a value there is in this language.
    pub(super) view: fn(&Value) -> Value,
}

fn script(dump: &str, cells: &[Cell<'_>], print: impl Fn(&str) -> String) -> String {
    let mut text = dump.to_owned();
    for (lines, names) in cells {
        text.push_str(&lines.concat());
        text.extend(names.iter().map(|name| print(name) + "\n"));
    }
    text
}

fn same(value: &Value) -> Value {
    value.clone()
}

/// bash knows texts and lists of texts.
fn texts(value: &Value) -> Value {
    let text = |value: &Value| match value {
        Value::Null => json!(""),
        Value::String(text) => json!(text),
        Value::Object(_) | Value::Array(_) if special(value).is_none() => {
            json!(plain(value).to_string())
        }
        Value::Object(_) if value.get("$datetime").is_some() => {
            let instant: jiff::Timestamp = plain(value)
                .as_str()
                .expect("text")
                .parse()
                .expect("an instant");
            json!(instant.to_string())
        }
        Value::Number(number) => {
            let digits = number.to_string();
            let float = digits.contains(['.', 'e', 'E']);
            json!(if float { python_repr(&digits) } else { digits })
        }
        other => json!(
            plain(other)
                .as_str()
                .map_or(other.to_string(), str::to_owned)
        ),
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => text(other),
    }
}

/// The text that Python gives a float, for a few shapes of it.
fn python_repr(digits: &str) -> String {
    let float: f64 = digits.parse().expect("a float");
    let short = format!("{float:?}");
    match short.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = mantissa.trim_end_matches(".0");
            let (sign, exponent) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |e| ('-', e));
            format!("{mantissa}e{sign}{exponent:0>2}")
        }
        None => short,
    }
}

fn cpp(cells: &[Cell<'_>]) -> String {
    let mut text = include_str!("dump.hpp").to_owned();
    let included = |line: &&String| line.starts_with("#include");
    text.extend(
        cells
            .iter()
            .flat_map(|(lines, _)| lines.iter().filter(included).cloned()),
    );
    for (n, (lines, names)) in cells.iter().enumerate() {
        text += &format!("void cell{n}() {{\n");
        text.extend(lines.iter().filter(|line| !included(line)).cloned());
        text.extend(
            names
                .iter()
                .map(|name| format!("std::puts(dump({name}).c_str());\n")),
        );
        text += "}\n";
    }
    text += "int main() {\n";
    text.extend((0..cells.len()).map(|n| format!("cell{n}();\n")));
    text + "}\n"
}

fn csharp(cells: &[Cell<'_>]) -> String {
    let mut text = include_str!("dump.cs").to_owned();
    for (n, (lines, names)) in cells.iter().enumerate() {
        text += &format!(
            "static class Cell{n} {{ public static void Run() {{\n{}",
            lines.concat()
        );
        text.extend(
            names
                .iter()
                .map(|name| format!("Console.WriteLine(Dumper.Dump({name}));\n")),
        );
        text += "} }\n";
    }
    text += "static class Program { static void Main() {\n";
    text.extend((0..cells.len()).map(|n| format!("Cell{n}.Run();\n")));
    text + "} }\n"
}

fn scala(cells: &[Cell<'_>]) -> String {
    let mut text = include_str!("dump.scala").to_owned();
    for (n, (lines, names)) in cells.iter().enumerate() {
        text += &format!(
            "object Cell{n} {{\n{}def run(): Unit = {{\n",
            lines.concat()
        );
        text.extend(
            names
                .iter()
                .map(|name| format!("println(Dumper.dump({name}))\n")),
        );
        text += "} }\n";
    }
    text += "object Main { def main(args: Array[String]): Unit = {\n";
    text.extend((0..cells.len()).map(|n| format!("Cell{n}.run()\n")));
    text + "} }\n"
}

pub(super) const LANGUAGES: &[Spoken] = &[
    Spoken {
        name: "python",
        file: "cell.py",
        commands: &["python3 cell.py"],
        chunk: 1000,
        loose: false,
        ulps: 0,
        refuses: &["4300 digits"],
        program: |cells| {
            script(include_str!("dump.py"), cells, |name| {
                format!("print(dump({name}))")
            })
        },
        view: same,
    },
    Spoken {
        name: "R",
        file: "cell.R",
        // As its kernel does; read from a file, R 4.2 stumbles over lines that are long.
        commands: &["Rscript --vanilla -e 'eval(parse(text = readLines(\"cell.R\")))'"],
        chunk: 100,
        loose: true,
        ulps: 0,
        refuses: &["NUL", "would be rounded", "empty name", "no such long name"],
        program: |cells| {
            script(include_str!("dump.R"), cells, |name| {
                format!("cat(dump_value({name}), sep = \"\\n\")")
            })
        },
        view: same,
    },
    Spoken {
        name: "octave",
        file: "cell.m",
        commands: &["octave --norc --quiet --no-gui cell.m"],
        chunk: 100,
        loose: true,
        ulps: 0,
        refuses: &["would be rounded", "no type for a date", "no empty key"],
        program: |cells| {
            script(include_str!("dump.m"), cells, |name| {
                format!("puts([dump_value({name}) \"\\n\"]);")
            })
        },
        view: same,
    },
    Spoken {
        name: "bash",
        file: "cell.sh",
        commands: &["bash --norc cell.sh"],
        chunk: 100,
        loose: true,
        ulps: 0,
        refuses: &["NUL"],
        program: |cells| {
            script(include_str!("dump.sh"), cells, |name| {
                format!("dump {name}")
            })
        },
        view: texts,
    },
    Spoken {
        name: "c++",
        file: "cell.cpp",
        commands: &["g++ -std=c++17 -O0 -w -o cell cell.cpp", "./cell"],
        chunk: 50,
        loose: false,
        ulps: 0,
        refuses: &["one type only", "no integer as large"],
        program: cpp,
        view: same,
    },
    Spoken {
        name: "c#",
        file: "cell.cs",
        commands: &[
            "mcs -nowarn:0219,0162 -r:System.Numerics.dll -out:cell.exe cell.cs",
            "mono cell.exe",
        ],
        chunk: 50,
        loose: false,
        // mono's; .NET's own reads exactly.
        ulps: 1,
        refuses: &[],
        program: csharp,
        view: same,
    },
    Spoken {
        name: "scala",
        file: "cell.scala",
        commands: &[
            "scalac -nowarn -J-Xss8m cell.scala",
            "scala -J-Xss8m -cp . Main",
        ],
        chunk: 20,
        loose: false,
        ulps: 0,
        refuses: &[],
        program: scala,
        view: same,
    },
    Spoken {
        name: "javascript",
        file: "cell.js",
        commands: &["node cell.js"],
        chunk: 1000,
        loose: false,
        ulps: 0,
        refuses: &["digits of a second"],
        program: |cells| {
            script(include_str!("dump.js"), cells, |name| {
                format!("console.log(dump({name}));")
            })
        },
        view: same,
    },
    Spoken {
        name: "ruby",
        file: "cell.rb",
        commands: &["ruby cell.rb"],
        chunk: 1000,
        loose: false,
        ulps: 0,
        refuses: &[],
        program: |cells| {
            script(include_str!("dump.rb"), cells, |name| {
                format!("puts dump({name})")
            })
        },
        view: same,
    },
];
