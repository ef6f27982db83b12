//! The values: all that is known to be hostile, the borders of every width, and generated ones.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Texts that an encoder is known to get wrong, or that a language might run.
pub(super) const TEXTS: &[&str] = &[
    "",
    "plain",
    "a\"b",
    "a'b",
    "back\\slash",
    "C:\\x41\\new",
    "new\nline",
    "crlf\r\n",
    "tab\t",
    "nul\0end",
    "bell\u{7}b",
    "é",
    "é1",
    "日本",
    "😀",
    "\u{202e}bidi",
    "\u{2028}",
    "$HOME",
    "${HOME}",
    "$(touch pwned)",
    "`touch pwned`",
    "#{`touch pwned`}",
    "#$0 #@x",
    "%s %d",
    "*",
    "?",
    "~",
    "{x}",
    "\\x41",
    "\"\"\"",
    "'''",
    "\u{7f}",
    "\u{85}",
    "\u{feff}",
    "\\",
    "a\\\"b",
    "\u{e000}",
    "é日😀1",
    "\u{9b}31m",
    "a\u{301}",
    "\\N{BULLET}",
    "\\u0041",
    "\\U00000041",
    "\u{b}\u{c}\u{1c}\u{1e}",
    "\u{10ffff}",
    "trailing\\\\",
    "\u{1a}x",
    "a\u{1a}",
    "??/",
    "??)",
    "\"; import os; os.system('touch pwned') #",
    "\n\"\"\"\nimport os\nos.system('touch pwned')\n",
    "\"; system(\"touch pwned\") #",
    "'); system('touch pwned'); %",
    "${require('fs').writeFileSync('pwned','')}",
    "\"); require('fs').writeFileSync('pwned',''); //",
    "\"; System.IO.File.WriteAllText(\"pwned\",\"\"); //",
    "\"; sys.process.Process(\"touch pwned\").!; //",
    "\\\"; std::system(\"touch pwned\"); //",
    "';touch pwned;'",
    "\n$(touch pwned)\n",
    "a\n#{system('touch pwned')}",
    "=~ ",
    "-n",
    "--",
    "@x",
    "!!",
    "a;b",
    "a&b|c",
    "<>",
    "1e5",
    "nan",
    "NULL",
    "true",
    " leading",
    "trailing ",
    "\u{200b}",
    "\u{ffff}",
    "\u{fffd}",
    "//",
    "/* */",
    "\u{1}1\u{1}f",
    "(*",
    "*)",
    "‘’“”",
    "__proto__",
];

const NUMBERS: &str = "[0, -1, 1, 255, 2147483647, 2147483648, -2147483648, -2147483649, 4294967296, \
    9007199254740991, 9007199254740992, 9007199254740993, -9007199254740992, -9007199254740993, \
    9223372036854775807, -9223372036854775808, 9223372036854775808, 18446744073709551615, 18446744073709551616, \
    123456789012345678901234567890, -123456789012345678901234567890, 1.0, -1.0, 0.1, 1e22, 1e-7, 5e-324, \
    2.2250738585072014e-308, 1.7976931348623157e308, 1e16, 123456.789, -0.0, 0.0, 1e15, 1e100, 3.14]";

/// So many values and a few more, the hostile ones first; always the same ones.
pub(super) fn generated(count: usize) -> Vec<Value> {
    let mut values = vec![json!(null), json!(true), json!(false)];
    values.extend(TEXTS.iter().map(|text| json!(text)));
    values.push(json!("é".repeat(12_000)));
    values.push(json!("x".repeat(70_000)));
    let numbers: Value = serde_json::from_str(NUMBERS).expect("JSON");
    let numbers = numbers.as_array().expect("a list");
    values.extend(numbers.iter().cloned());
    values.extend(["nan", "inf", "-inf"].map(|name| json!({ "$float": name })));
    values.extend(
        [
            "2026-11-21T05:27:45Z",
            "1969-12-31T23:59:59.5+02:00",
            "2026-11-21T05:27:45.123Z",
            "2000-02-29T00:00:00.123456Z",
        ]
        .map(|text| json!({ "$datetime": text })),
    );
    for pair in TEXTS.chunks(2) {
        values.push(json!(pair));
        values.push(json!({ pair[0]: pair[pair.len() - 1], "k": "v" }));
    }
    for trio in numbers.chunks(3) {
        values.push(json!(trio));
    }
    values.extend([
        json!([]),
        json!({}),
        json!([[]]),
        json!([[[]]]),
        json!([{}]),
        json!({ "a": {} }),
        json!([null]),
        json!([null, 1]),
        json!([1, "a", null, 2.5]),
        json!([1, 2.5]),
        json!([true, 1]),
        json!([[1], [2.5]]),
        json!([[1, 2], [3]]),
        json!([["a"], ["b", "c"]]),
        json!({ "a": [1, 2], "b": [3] }),
        json!({ "a": { "b": { "c": null } } }),
        json!([{ "a": 1 }, { "b": 2 }]),
        json!({ "a": 1, "A": 2 }),
        json!({ "": 1 }),
        json!([9007199254740993_i64, 1.5]),
        json!([1, 3000000000_i64]),
        json!([[1], [3000000000_i64]]),
        json!([[], [1]]),
        json!([true, false]),
        json!([[true]]),
        json!([1, [2, [3, [4, [5]]]]]),
        json!({ "__proto__": { "x": 1 } }),
        json!([["x"]]),
        json!([{ "a": "b" }]),
        json!([{ "$float": "nan" }, 1.0]),
        json!({ "x": { "$float": "inf" } }),
        json!([{ "$datetime": "2026-11-21T05:27:45Z" }]),
    ]);
    let mut runner = TestRunner::deterministic();
    let any = any_value();
    while values.len() < count {
        values.push(any.new_tree(&mut runner).expect("a value").current());
    }
    values
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("finite", |float| float.is_finite());
    let leaf = prop_oneof![
        4 => any::<String>().prop_map(Value::from),
        2 => "[ -~]{0,12}".prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => number.prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let alike = prop_oneof![
        proptest::collection::vec(any::<i32>(), 0..5).prop_map(Value::from),
        proptest::collection::vec("\\PC{0,5}", 0..5).prop_map(Value::from),
        proptest::collection::vec(-1e6..1e6_f64, 0..5).prop_map(Value::from),
        proptest::collection::btree_map("[a-z]{1,4}", any::<i16>(), 0..4)
            .prop_map(|map| json!(map)),
    ];
    let mixed = leaf.clone().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{1,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    prop_oneof![5 => leaf, 2 => alike, 2 => mixed]
}
