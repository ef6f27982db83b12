//! Literals of the languages whose interpreters the tests lack, each after its manual.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn written(language: &str, value: &Value) -> Result<String, String> {
    literal(
        Language::find(None, Some(language)).expect("a language"),
        value,
    )
}

fn check(language: &str, table: &[(Value, Option<&str>)]) {
    for (value, expected) in table {
        let text = written(language, value).ok();
        assert_eq!(text.as_deref(), *expected, "{language}: {value}");
    }
}

/// Julia 1.11 manual: "Strings" (`\uXXXX`, `\UXXXXXXXX`, `$` interpolates), "Integers and
/// Floating-Point Numbers" (`Inf`, `NaN`; larger literals are `Int128` and `BigInt`), "Arrays"
/// (elements are promoted; `Any[…]` keeps them), "Dates" (`DateTime` to the millisecond, a standard
/// library).
#[test]
fn julia_is_written_as_its_manual_says() {
    check(
        "julia",
        &[
            (json!("a\"b\\c\n"), Some(r#""a\"b\\c\n""#)),
            (json!("$(run(`id`)) $x"), Some(r#""\$(run(`id`)) \$x""#)),
            (json!("é日😀\0"), Some(r#""\u00e9\u65e5\U0001f600\u0000""#)),
            (json!(null), Some("nothing")),
            (json!({ "$float": "nan" }), Some("NaN")),
            (json!({ "$float": "-inf" }), Some("-Inf")),
            (json!([1, 2]), Some("[1, 2]")),
            (json!([1, "a", null]), Some("[1, \"a\", nothing]")),
            (json!([1, 2.5]), Some("Any[1, 2.5]")),
            (json!([true, 1]), Some("Any[true, 1]")),
            (json!([[1], [2.5]]), Some("Any[[1], [2.5]]")),
            (json!([]), Some("[]")),
            (json!({ "a$": 1 }), Some("Dict(\"a\\$\" => 1)")),
            (
                json!({ "$datetime": "2026-11-21T05:27:45.120Z" }),
                Some("Dates.DateTime(\"2026-11-21T05:27:45.12\")"),
            ),
            (json!({ "$datetime": "2026-11-21T05:27:45.1234Z" }), None),
        ],
    );
    let parameters = Parameters::from_iter([(
        "t".to_owned(),
        json!({ "$datetime": "2026-11-21T05:27:45Z" }),
    )]);
    let julia = Language::find(None, Some("julia")).expect("Julia");
    let lines = cell(julia, &parameters, &[]).expect("a cell");
    assert_eq!(lines[1], "import Dates\n");
}

/// MATLAB R2024b: "Text in String and Character Arrays" (`""` is the one escape), "char" (from UTF-16
/// code units), "plus" (joins strings), "containers.Map", "datetime" (`InputFormat`,
/// `TimeZone`), "Create Empty Arrays", "flintmax" (2^53).
#[test]
fn matlab_is_written_as_its_manual_says() {
    check(
        "matlab",
        &[
            (
                json!("plain \"q\" 'x' C:\\x"),
                Some(r#""plain ""q"" 'x' C:\x""#),
            ),
            (json!(""), Some("\"\"")),
            (json!("a\nb"), Some("(\"a\" + char([10]) + \"b\")")),
            (
                json!("é😀x"),
                Some("(\"\" + char([233 55357 56832]) + \"x\")"),
            ),
            (json!(null), Some("[]")),
            (json!({ "$float": "inf" }), Some("inf")),
            (json!(9_007_199_254_740_993_i64), None),
            (json!([1, [2, "a"], null]), Some("{1, {2, \"a\"}, []}")),
            (json!({}), Some("containers.Map()")),
            (
                json!({ "k'": 1, "é": [2] }),
                Some("containers.Map({'k''', char([233])}, {1, {2}})"),
            ),
            (
                json!({ "aé": 1 }),
                Some("containers.Map({['a' char([233])]}, {1})"),
            ),
            (json!({ "": 1 }), None),
            (
                json!({ "$datetime": "2026-11-21T05:27:45Z" }),
                Some(
                    "datetime('2026-11-21T05:27:45', 'InputFormat', 'yyyy-MM-dd''T''HH:mm:ss', 'TimeZone', 'UTC')",
                ),
            ),
        ],
    );
}

/// F# 9: language specification §3.5 (strings, `\uXXXX`, `\UXXXXXXXX`) and §3.8 (suffixes `L`,
/// `I`), "Lists" (one type), FSharp.Core (`nan`, `infinity`, `box`).
#[test]
fn fsharp_is_written_as_its_manual_says() {
    check(
        "f#",
        &[
            (json!("a\"\\é😀\t"), Some(r#""a\"\\\u00e9\U0001f600\t""#)),
            (json!(2_147_483_648_i64), Some("2147483648L")),
            (
                serde_json::from_str("9223372036854775808").expect("a number"),
                Some("9223372036854775808I"),
            ),
            (json!({ "$float": "-inf" }), Some("-infinity")),
            (json!(null), Some("None")),
            (json!([1, 2]), Some("[ 1; 2 ]")),
            (
                json!([1, "a", null]),
                Some("[ box (1); box (\"a\"); (null : obj) ]"),
            ),
            (
                json!([1, 2_147_483_648_i64]),
                Some("[ box (1); box (2147483648L) ]"),
            ),
            (
                json!({ "k": 1 }),
                Some("[ (\"k\", 1 :> IComparable) ] |> Map.ofList"),
            ),
            (
                json!({ "$datetime": "2026-11-21T05:27:45Z" }),
                Some(
                    "System.DateTimeOffset.Parse(\"2026-11-21T05:27:45Z\", System.Globalization.CultureInfo.InvariantCulture)",
                ),
            ),
        ],
    );
}

/// PowerShell 7.4: `about_Quoting_Rules` (in `'…'` only the quote counts; the typographic quotes
/// are quotes too), `about_Numeric_Literals`, `about_Arrays` (one that is alone is unrolled; the
/// comma keeps it), `about_Hash_Tables` (keys are one whatever their case).
#[test]
fn powershell_is_written_as_its_manual_says() {
    check(
        "powershell",
        &[
            (json!("plain 'x'"), Some("\"plain 'x'\"")),
            (
                json!("$(Get-Date) `x \"q\" 'y'"),
                Some("'$(Get-Date) `x \"q\" ''y'''"),
            ),
            (json!("C:\\x"), Some("'C:\\x'")),
            (json!("a\nb"), Some("('a' + [char]10 + 'b')")),
            (json!("’x"), Some("('' + [char]8217 + 'x')")),
            (json!("😀"), Some("('' + [char]55357 + [char]56832)")),
            (json!(null), Some("$Null")),
            (json!([1, [2]]), Some("@(1, @(2))")),
            (json!([[1, 2]]), Some("@(,@(1, 2))")),
            (
                json!({ "a": 1, "b": "$x" }),
                Some("@{\"a\" = 1\n \"b\" = '$x'}"),
            ),
            (json!({ "a": 1, "A": 2 }), None),
            (json!(i64::MIN), Some("[long]::MinValue")),
            (json!({ "$float": "nan" }), Some("[double]::NaN")),
            (
                json!({ "$datetime": "2026-11-21T05:27:45Z" }),
                Some(
                    "[DateTimeOffset]::Parse('2026-11-21T05:27:45Z', [cultureinfo]::InvariantCulture)",
                ),
            ),
        ],
    );
    let both = Parameters::from_iter([("Run".to_owned(), json!(1)), ("run".to_owned(), json!(2))]);
    let row = Language::find(None, Some("powershell")).expect("PowerShell");
    assert!(
        cell(row, &both, &[])
            .expect_err("one variable")
            .what
            .contains("all spellings")
    );
}

#[test]
fn a_name_that_the_template_has_declared_is_assigned_where_that_is_something_else() {
    let run = Parameters::from_iter([("run".to_owned(), json!(7))]);
    for (language, source, line) in [
        ("c++", "int run = 0;", "run = 7;\n"),
        ("c++", "int other = 0;", "auto run = 7;\n"),
        ("javascript", "let run = 0", "run = 7;\n"),
        ("javascript", "", "var run = 7;\n"),
        ("scala", "val run = 0", "val run = 7\n"),
    ] {
        let row = Language::find(None, Some(language)).expect("a language");
        let declared = crate::notebook::declared::declared(source, row);
        let lines = cell(row, &run, &declared).expect("a cell");
        assert_eq!(lines.last().map(String::as_str), Some(line), "{language}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({ "$float": "nan" })),
        Just(json!({ "$datetime": "2026-11-21T05:27:45.123456789Z" })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_written_in_ascii_or_refused(value in any_value(), name: String) {
        for language in crate::notebook::language::ALL {
            if let Ok(text) = literal(language, &value) {
                // bash takes a text's own bytes between quotes.
                prop_assert!(text.is_ascii() || language.name == "bash", "{}: {text}", language.name);
            }
            let named = Parameters::from_iter([(name.clone(), value.clone())]);
            let _ = cell(language, &named, &[]);
        }
    }
}
