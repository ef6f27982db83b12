use super::*;
use proptest::prelude::*;

/// Kind, source and metadata of each cell.
fn cells(text: &str) -> Vec<(String, String, Value)> {
    let notebook = read(text).expect(text);
    let cell = |cell: &Value| {
        let source: String = cell["source"]
            .as_array()
            .expect("lines")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        (
            cell["cell_type"].as_str().expect("a type").to_owned(),
            source,
            cell["metadata"].clone(),
        )
    };
    notebook["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .map(cell)
        .collect()
}

#[test]
fn a_text_becomes_its_cells() {
    let text = "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n# ---\n# jupyter:\n#   jupytext:\n#     x: 1\n#   kernelspec:\n#     name: mine\n#     display_name: Mine\n# ---\n\nimport os\n\n# %% [markdown] tags=[\"nbcourier\"]\n# # Run {{ run }}\n#\n# text\n\n# %% tags=[\"parameters\"]\nrun = 0\n\n\n#%% Title here\n# %matplotlib inline\nx = \"\"\"\n# %% no marker\n\"\"\"\n\n# %%% deeper\ny = 1\n";
    let notebook = read(text).expect("a notebook");
    assert_eq!(notebook["metadata"]["kernelspec"]["name"], "mine");
    assert!(notebook["metadata"].get("jupytext").is_none());
    let expected = [
        ("code", "import os", json!({})),
        (
            "markdown",
            "# Run {{ run }}\n\ntext",
            json!({ "tags": ["nbcourier"] }),
        ),
        ("code", "run = 0", json!({ "tags": ["parameters"] })),
        (
            "code",
            "%matplotlib inline\nx = \"\"\"\n# %% no marker\n\"\"\"",
            json!({ "title": "Title here" }),
        ),
        (
            "code",
            "y = 1",
            json!({ "cell_depth": 1, "title": "deeper" }),
        ),
    ];
    let found = cells(text);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((kind, source, metadata), (found_kind, found_source, found_metadata)) in
        expected.iter().zip(&found)
    {
        assert_eq!(
            (*kind, *source, metadata),
            (found_kind.as_str(), found_source.as_str(), found_metadata)
        );
    }
    assert_eq!(read(text).expect("again"), notebook);
}

#[test]
fn first_lines_say_what_a_cell_is() {
    let table = [
        (
            "# %% a=1 b=\"x y\" c=[1, 2]",
            "code",
            json!({ "a": 1, "b": "x y", "c": [1, 2] }),
        ),
        (
            "# %% {\"tags\": [\"parameters\"]}",
            "code",
            json!({ "tags": ["parameters"] }),
        ),
        ("# %% t {\"a\": 1}", "code", json!({ "a": 1, "title": "t" })),
        (
            "# %% [bash] only a title",
            "code",
            json!({ "title": "[bash] only a title" }),
        ),
        (
            "# %% tags=['parameters'] x=True",
            "code",
            json!({ "tags": ["parameters"], "x": true }),
        ),
        ("# %% [md] t", "markdown", json!({ "title": "t" })),
        ("# %% [raw]", "raw", json!({})),
        ("    # %%", "code", json!({})),
        ("# %% a=1 word", "code", json!({ "a": 1, "word": null })),
        ("# %% active=\"py\"", "raw", json!({ "active": "py" })),
    ];
    for (line, kind, metadata) in table {
        let found = cells(line);
        assert_eq!(
            (found[0].0.as_str(), &found[0].2),
            (kind, &metadata),
            "{line}"
        );
    }
    for (text, line) in [
        ("# %% name=foo tags=[\"parameters\"]", "line 1"),
        ("x\n# %% tags=[parameters]", "line 2"),
        ("# %% {\"a\": }", "line 1"),
        ("# ---\n# jupyter:\n#   a: [\n# ---\n", "line 1"),
    ] {
        let refused = read(text).expect_err(text);
        assert!(
            refused.what.contains(line) && !refused.advice.is_empty(),
            "{text}: {refused}"
        );
    }
}

#[test]
fn comments_become_text_and_magics_again() {
    let table = [
        ("# %% [markdown]\n\"\"\"\n# T\nb\n\"\"\"", "# T\nb"),
        ("# %% [markdown]\nr'''a'''", "a"),
        (
            "# %% [markdown]\n# ```\n# # %% no marker\n# ```\n",
            "```\n# %% no marker\n```",
        ),
        (
            "# %%\n# !ls -l \\\n#   more\nx = 1",
            "!ls -l \\\n  more\nx = 1",
        ),
        ("# %%\n# %%bash\nls", "%%bash\nls"),
        ("# %% language=\"bash\"\n# ls\n# pwd", "%%bash\nls\npwd"),
        ("# %% active=\"ipynb\"\n# x = 1\n# y = 2", "x = 1\ny = 2"),
        (
            "# %%\n# copy the data\n# why?\n# files = !ls",
            "# copy the data\n# why?\nfiles = !ls",
        ),
        ("# %%\n    # %time x", "    %time x"),
        ("# %%\r\nx = 1\r\n", "x = 1"),
        ("# %%\n\n\nx\n \n", "\n\nx\n "),
        ("", ""),
    ];
    for (text, source) in table {
        let found = cells(text);
        assert_eq!(
            found.first().map_or("", |cell| cell.1.as_str()),
            source,
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String, lines in proptest::collection::vec("(# )?(%%|---|jupyter:|\"\"\"|'''|```|[a-z =\\[\\]{}\"'\\\\]){0,6}", 0..12)) {
        let _ = read(&text);
        if let Ok(notebook) = read(&lines.join("\n")) {
            let ids: Vec<&str> = notebook["cells"].as_array().expect("cells").iter().filter_map(|cell| cell["id"].as_str()).collect();
            let distinct: HashSet<&&str> = ids.iter().collect();
            prop_assert_eq!(ids.len(), distinct.len());
        }
    }
}
