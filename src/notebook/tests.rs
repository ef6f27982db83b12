use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn map(value: Value) -> Parameters {
    value.as_object().expect("an object").clone()
}

fn template(cells: Value, minor: u64) -> Vec<u8> {
    let notebook = json!({
        "cells": cells,
        "metadata": { "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" } },
        "nbformat": 4,
        "nbformat_minor": minor
    });
    let style = Style::of("{\n \"a\": 1\n}\n");
    style.write(&notebook)
}

fn code(source: &str, tags: &[&str]) -> Value {
    json!({ "cell_type": "code", "execution_count": null, "metadata": { "tags": tags }, "outputs": [], "source": source })
}

fn rendered(cells: Value, parameters: Value) -> Value {
    let template = Template::parse(&template(cells, 4)).expect("a template");
    let bytes = render(&template, &map(parameters), &Stamp::default()).expect("rendered");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// What a Python program prints that reads a value as JSON.
fn python(program: &str, input: &Value) -> String {
    let mut python = std::process::Command::new("python3")
        .args(["-c", program])
        .env("PYTHONUTF8", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = python.stdin.take().expect("stdin");
    std::io::Write::write_all(&mut stdin, input.to_string().as_bytes()).expect("write");
    drop(stdin);
    let output = python.wait_with_output().expect("python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn python_language() -> &'static Language {
    Language::find(None, Some("python")).expect("Python")
}

fn cell_ids(notebook: &Value) -> Vec<String> {
    let cells = notebook["cells"].as_array().expect("cells");
    let id = |cell: &Value| cell["id"].as_str().expect("an id").to_owned();
    cells.iter().map(id).collect()
}

fn sources(notebook: &Value) -> Vec<String> {
    let text = |cell: &Value| match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    };
    notebook["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .map(text)
        .collect()
}

#[test]
fn parameters_stand_where_papermill_puts_them() {
    let injected = "# Parameters\nrun = 7\n";
    let cases = [
        (json!([code("x", &[])]), vec![injected, "x"]),
        (
            json!([code("x", &[]), code("run = 0", &["parameters"])]),
            vec!["x", "run = 0", injected],
        ),
        (
            json!([
                code("old", &["injected-parameters"]),
                code("run = 0", &["parameters"])
            ]),
            vec![injected, "run = 0"],
        ),
    ];
    for (cells, expected) in cases {
        let notebook = rendered(cells, json!({ "run": 7 }));
        assert_eq!(sources(&notebook), expected);
        assert_eq!(
            notebook["metadata"]["papermill"]["parameters"]["run"],
            json!(7)
        );
        assert!(
            notebook["cells"][0].get("id").is_none(),
            "format 4.4 forbids ids"
        );
    }
}

#[test]
fn without_parameters_nothing_is_injected_and_stale_values_go() {
    assert_eq!(
        sources(&rendered(json!([code("x", &[])]), json!({}))),
        ["x"]
    );
    let stale = json!([code("run = 3", &["injected-parameters"])]);
    assert_eq!(sources(&rendered(stale, json!({}))), ["# Parameters\n"]);
}

#[test]
fn the_rest_of_the_file_keeps_its_bytes_and_the_result_is_the_same_each_time() {
    let text = "{\n  \"cells\": [],\n  \"metadata\": {\n    \"kernelspec\": {\"name\": \"python3\"}\n  },\n  \"nbformat\": 4,\n  \"nbformat_minor\": 5,\n  \"x\": [12345678901234567890.10, 0.10, \"\\u00e9\"]\n}";
    let parsed = Template::parse(text.as_bytes()).expect("a template");
    let stamp = Stamp {
        job: Some("j"),
        run: Some("r"),
        ..Stamp::default()
    };
    let one = render(&parsed, &map(json!({ "run": "1" })), &stamp).expect("rendered");
    let two = render(&parsed, &map(json!({ "run": "1" })), &stamp).expect("rendered");
    assert_eq!(one, two);
    let one = String::from_utf8(one).expect("text");
    for kept in [
        "\n  \"nbformat_minor\": 5,",
        "12345678901234567890.10",
        "0.10",
        "\\u00e9",
    ] {
        assert!(one.contains(kept), "{kept} in {one}");
    }
    assert!(!one.ends_with('\n'));
    let notebook: Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(notebook["cells"][0]["id"].as_str().map(str::len), Some(8));
    assert_eq!(notebook["metadata"]["nbcourier"]["job"], "j");
    assert!(notebook["metadata"]["nbcourier"].get("watch").is_none());
}

#[test]
fn every_cell_of_a_4_5_notebook_gets_an_id_and_keeps_the_one_it_has() {
    let mut own = code("run = 0", &["parameters"]);
    own["id"] = json!("mine");
    let cells = json!([code("x", &[]), own, code("y", &[])]);
    let bytes = template(cells, 5);
    let parsed = Template::parse(&bytes).expect("a template");
    let ids = |job| {
        let stamp = Stamp {
            job: Some(job),
            ..Stamp::default()
        };
        let bytes = render(&parsed, &map(json!({ "run": 7 })), &stamp).expect("rendered");
        let notebook: Value = serde_json::from_slice(&bytes).expect("JSON");
        cell_ids(&notebook)
    };
    let first = ids("a");
    assert_eq!((first.len(), first[1].as_str()), (4, "mine"));
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(first, ids("a"));
    assert_ne!(first[2], ids("b")[2]);
}

#[test]
fn a_file_keeps_its_layout_to_the_byte() {
    let layouts = [
        "{\n \"a\": [\n  1,\n  {\n   \"b\": []\n  }\n ],\n \"c\": {}\n}\n",
        "{\n    \"a\": 1.50\n}",
        "{\n\t\"a\": 1\n}\n",
        "{\n\"a\": 1\n}",
        "{\r\n \"a\": [\r\n  1\r\n ]\r\n}\r\n",
        "{\"a\": [1, {\"b\": 2}], \"c\": []}\n",
        "{\"a\":[1,{\"b\":2}],\"c\":[]}",
        "{\n \"a\":1\n}",
        "{\n \"a\": \"\\u00e9\\ud83d\\ude00\\u007f\"\n}\n",
        "{\n \"a\": \"é😀\u{2028}\u{7f}\"\n}\n",
        "{\n \"a\": \"\\u001b[31m \\\\u00e9\"\n}\n",
        "{}",
    ];
    for text in layouts {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let written = String::from_utf8(Style::of(text).write(&value)).expect("UTF-8");
        assert_eq!(written, text);
    }
    let not_escaped = Style::of("{\n \"a\": \"\\u001b \\\\u00e9\"\n}\n");
    assert_eq!(not_escaped.write(&json!("é")), "\"é\"\n".as_bytes());
    let wide = Style::of(&format!("{{\n{}\"a\": 1}}", " ".repeat(1000)));
    assert!(wide.write(&json!([[1]])).len() < 100);
}

#[test]
fn what_is_no_template_is_refused_with_what_to_do() {
    let deep = "[".repeat(500);
    let v3 = r#"{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}"#;
    let cases = [
        ("", "no JSON"),
        ("[1]", "`nbformat` is missing"),
        (
            "{\"nbformat\": 4, \"nbformat_minor\": NaN}",
            "`NaN` at line 1 column",
        ),
        ("{\"a\": [1,\n  -Infinity]}", "`-Infinity` at line 2 column"),
        ("[\nInfinity]", "`Infinity` at line 2 column 1"),
        ("{\"a\": Nothing}", "expected value at line 1"),
        ("{\"a\": \"\\ud800\"}", "half of a UTF-16 pair"),
        ("{\"a\": \"\\udc00x\"}", "half of a UTF-16 pair"),
        ("{\"a\": \"\\ud800\\u0041\"}", "half of a UTF-16 pair"),
        (deep.as_str(), "nested too deep"),
        ("{\"nbformat\": 4}", "`nbformat_minor` is missing"),
        ("\u{feff}\u{feff}{}", "two byte order marks"),
        (v3, "format 3"),
    ];
    for (text, expected) in cases {
        let refused = Template::parse(text.as_bytes()).expect_err("refused");
        assert!(refused.what.contains(expected), "{text}: {refused}");
        assert!(!refused.advice.is_empty());
    }
    let refused = Template::parse(v3.as_bytes()).expect_err("refused");
    assert!(
        refused
            .advice
            .contains("jupyter nbconvert --to notebook --nbformat 4")
    );
}

#[test]
fn a_language_is_needed_only_where_there_is_something_to_write() {
    let table = [
        (json!({}), None, "names no kernel"),
        (
            json!({ "kernelspec": { "name": "mine" } }),
            None,
            "its kernel `mine` says no language",
        ),
        (
            json!({ "language_info": { "name": "sos" } }),
            None,
            "its language `sos` is not known",
        ),
        (
            json!({ "language_info": { "name": "sos" } }),
            Some("python"),
            "",
        ),
    ];
    for (metadata, asked, expected) in table {
        let notebook =
            json!({ "nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": metadata });
        let mut template = Template::parse(notebook.to_string().as_bytes()).expect("a template");
        template.ask(None, asked);
        render(&template, &Parameters::new(), &Stamp::default()).expect("nothing to write");
        match render(&template, &map(json!({ "run": 1 })), &Stamp::default()) {
            Ok(_) => assert_eq!(expected, ""),
            Err(refused) => assert!(refused.what.contains(expected), "{refused}"),
        }
    }
}

#[test]
fn another_kernel_is_written_down_and_brings_its_language() {
    let cases = [
        ("python311", "run = 7", true),
        ("ir", "run = 7", false),
        ("xcpp17", "auto run = 7;", false),
    ];
    for (kernel, line, kept) in cases {
        let mut template = Template::parse(&template(json!([]), 4)).expect("a template");
        template.ask(Some(kernel), None);
        let bytes =
            render(&template, &map(json!({ "run": 7 })), &Stamp::default()).expect("rendered");
        let notebook: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(notebook["metadata"]["kernelspec"]["name"], kernel);
        assert_eq!(
            notebook["metadata"]["kernelspec"].get("language").is_some(),
            kept
        );
        assert!(sources(&notebook)[0].contains(line), "{notebook}");
    }
}

#[test]
fn a_byte_order_mark_is_left_out_and_told() {
    let marked = [b"\xef\xbb\xbf".as_slice(), &template(json!([]), 4)].concat();
    let parsed = Template::parse(&marked).expect("a template");
    assert!(parsed.remark().is_some());
    let bytes = render(&parsed, &Parameters::new(), &Stamp::default()).expect("rendered");
    assert!(bytes.starts_with(b"{"));
    let wide: Vec<u8> = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(
        Template::parse(&wide)
            .expect_err("UTF-16")
            .what
            .contains("UTF-16")
    );
}

#[test]
fn declared_types_and_names_count_in_the_cell() {
    let cell = code("run = 0\nname = ''\nenergy: float = 1", &["parameters"]);
    let parsed = Template::parse(&template(json!([cell]), 4)).expect("a template");
    let given = json!({ "run": "001234", "name": "001234", "energy": "nan", "other": "7" });
    let typed = parsed.typed(map(given));
    let bytes = render(&parsed, &typed, &Stamp::default()).expect("rendered");
    let notebook: Value = serde_json::from_slice(&bytes).expect("JSON");
    let expected =
        "# Parameters\nrun = 1234\nname = \"001234\"\nenergy = float('nan')\nother = \"7\"\n";
    assert_eq!(sources(&notebook)[1], expected);
    assert_eq!(
        notebook["metadata"]["papermill"]["parameters"]["energy"],
        "nan"
    );
}

#[test]
fn names_that_python_cannot_have_and_values_it_cannot_hold_are_refused() {
    let template = Template::parse(&template(json!([]), 4)).expect("a template");
    for name in [
        "",
        "1x",
        "run number",
        "class",
        "a=1;import os",
        "x\n",
        "None",
        "x²",
        "Ⓐ",
        "__debug__",
        "a.b",
        "x=1\ny",
    ] {
        let parameters = Parameters::from_iter([(name.to_owned(), json!(1))]);
        let refused = render(&template, &parameters, &Stamp::default()).expect_err(name);
        assert_eq!(refused.code, NotebookCode::ParameterInvalid);
    }
    let deep = format!("{}1{}", "[".repeat(101), "]".repeat(101));
    for (value, expected) in [
        ("1e999".to_owned(), "out of the range"),
        ("1".repeat(4301), "4301 digits"),
        (deep, "levels deep"),
    ] {
        let value: Value = serde_json::from_str(&format!("{{\"x\": {value}}}")).expect("JSON");
        let refused =
            render(&template, &map(value), &Stamp::default()).expect_err("Python can't hold it");
        assert_eq!(refused.code, NotebookCode::ParameterInvalid);
        assert!(refused.what.contains(expected), "{refused}");
        assert!(!refused.advice.is_empty());
    }
}

#[test]
fn a_name_passes_only_if_python_can_assign_to_it() {
    let names = [
        "x",
        "_",
        "é",
        "日本",
        "a\u{301}",
        "℘",
        "x·",
        "ª",
        "match",
        "x²",
        "Ⓐ",
        "\u{903}x",
        "1x",
        "x-y",
        "class",
        "__debug__",
        "__x__",
        "print",
        "😀",
    ];
    let program = "import json,sys\ndef can(name):\n try: compile(name + ' = 1', '', 'exec'); return True\n except SyntaxError: return False\nprint(json.dumps([can(name) for name in json.load(sys.stdin)]))";
    let python: Vec<bool> = serde_json::from_str(&python(program, &json!(names))).expect("JSON");
    for (name, can) in names.into_iter().zip(python) {
        assert_eq!(python_language().is_name(name), can, "{name:?}");
    }
}

#[test]
fn placeholders_expand_with_padding_and_clean_paths() {
    let parameters = map(
        json!({ "run": 7, "text": "0042", "evil": "../a/b", "dot": ".x", "line": "a\nb", "e": 1.5 }),
    );
    let cases = [
        ("{run:06}.ipynb", "000007.ipynb"),
        ("{text:06}", "000042"),
        ("{evil}.ipynb", "_._a_b.ipynb"),
        ("runs/{dot}/{line}", "runs/_x/a_b"),
        ("/a//{run}/", "a/7"),
        ("../{run}", "_./7"),
        ("{{{run}}}", "{7}"),
        ("{e:06}", "1.5"),
    ];
    for (pattern, path) in cases {
        assert_eq!(expand_path(pattern, &parameters).expect(pattern), path);
    }
    for pattern in ["{", "}", "{a b}", "{run:x}", "{}"] {
        assert_eq!(
            expand(pattern, &parameters).expect_err(pattern).code,
            NotebookCode::TemplateInvalid
        );
    }
    let missing = expand("{nope}", &parameters).expect_err("missing");
    assert!(missing.what.contains("the run has run, text"), "{missing}");
    let missing = expand("{nope}", &Parameters::new()).expect_err("missing");
    assert!(
        missing.what.contains("the run has no parameters"),
        "{missing}"
    );
    assert!(!missing.advice.is_empty());
    assert_eq!(
        expand_value(&json!("{run}"), &parameters).expect("a value"),
        json!(7)
    );
    assert_eq!(
        expand_value(&json!(["r{run}"]), &parameters).expect("a value"),
        json!(["r7"])
    );
    assert_eq!(number("a.b/c.ipynb", 2), "a.b/c-2.ipynb");
    assert_eq!(number("a.b/c", 3), "a.b/c-3");
}

/// A notebook with one place replaced by a value that seldom belongs there.
fn mutated() -> impl Strategy<Value = Value> {
    const PLACES: [&str; 14] = [
        "/cells",
        "/cells/0",
        "/cells/0/id",
        "/cells/0/metadata",
        "/cells/0/metadata/tags",
        "/cells/0/source",
        "/cells/1",
        "/cells/1/id",
        "/metadata",
        "/metadata/kernelspec",
        "/metadata/kernelspec/name",
        "/metadata/papermill",
        "/nbformat",
        "/nbformat_minor",
    ];
    let values = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(4.0),
        json!(5),
        json!(99),
        json!(""),
        json!("python"),
        json!("parameters"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "parameters": 1 }),
        json!({ "metadata": { "tags": ["injected-parameters"] } }),
    ];
    let change = (
        proptest::sample::select(&PLACES),
        proptest::sample::select(values),
    );
    proptest::collection::vec(change, 0..3).prop_map(|changes| {
        let mut notebook = json!({
            "cells": [
                { "id": "a", "cell_type": "code", "metadata": { "tags": ["parameters"] }, "source": ["run = 0"] },
                { "id": "a", "cell_type": "code", "metadata": {}, "source": "é\n" }
            ],
            "metadata": { "kernelspec": { "name": "python3" }, "papermill": { "version": "2" } },
            "nbformat": 4,
            "nbformat_minor": 5
        });
        for (place, value) in changes {
            if let Some(old) = notebook.pointer_mut(place) {
                *old = value;
            }
        }
        notebook
    })
}

proptest! {
    #[test]
    fn a_mutated_notebook_is_refused_or_renders_to_a_template_again(notebook in mutated(), cut in 0_usize..400, byte: u8, text: String) {
        let text = json!({ "run": text, "list": [1, { "é": null }] });
        let whole = notebook.to_string().into_bytes();
        let mut damaged = whole.clone();
        damaged[cut % whole.len()] = byte;
        for bytes in [whole.as_slice(), &damaged, &whole[..cut % whole.len()]] {
            let Ok(parsed) = Template::parse(bytes) else { continue };
            let Ok(rendered) = render(&parsed, &map(text.clone()), &Stamp::default()) else { continue };
            let again = Template::parse(&rendered).expect("a template again");
            prop_assert_eq!(&again.document["metadata"]["papermill"]["parameters"], &text);
            prop_assert_eq!(again.minor, parsed.minor);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, name: String, text: String) {
        if let Ok(template) = Template::parse(&bytes) {
            let parameters = Parameters::from_iter([(name, json!(text))]);
            let _ = render(&template, &parameters, &Stamp::default());
        }
    }

    #[test]
    fn no_value_leads_out_of_its_segment(value: String, pattern in "[a-z./{}]{0,12}\\{v\\}[a-z./]{0,6}") {
        let parameters = Parameters::from_iter([("v".to_owned(), json!(value))]);
        if let Ok(path) = expand_path(&pattern, &parameters) {
            for segment in path.split('/').filter(|_| !path.is_empty()) {
                prop_assert!(!segment.is_empty() && !segment.starts_with('.'));
                prop_assert!(!segment.chars().any(char::is_control));
            }
        }
    }
}
