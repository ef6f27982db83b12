//! Templates as text, read beside jupytext: its own test files and the edge cases.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nbcourier::notebook::Template;
use serde_json::{Value, json};

use crate::hub::environment;

/// What jupytext keeps for its own way back to text.
const ITS_OWN: [&str; 5] = [
    "region_name",
    "lines_to_next_cell",
    "cell_marker",
    "lines_to_end_of_cell_marker",
    "comment_questions",
];

/// Texts with one peculiarity each.
const EDGES: &[&str] = &[
    "",
    "x = 1\n",
    "# %%\nx = 1\n\n\n# %%\ny = 2\n",
    "#%%\nx = 1\n#%% t\ny\n",
    "# %% [markdown]\n# # T\n#\n# text\n",
    "# %% [markdown]\n\"\"\"\ntext\n\"\"\"\n",
    "# %% [markdown]\nr\"\"\"\n\\alpha\n\"\"\"\n",
    "# %% [md] title\n# a\n",
    "# %% [raw] a=\"b\"\n# a\n",
    "# %% tags=[\"parameters\"]\nrun = 0\n",
    "# %% {\"tags\": [\"parameters\"]}\nrun = 0\n",
    "# %% title here tags=[\"a\", \"b\"] x=1 y=\"z w\"\nx\n",
    "# %% [bash] title\nx\n",
    "def f():\n    x = 1\n    # %%\n    return x\n",
    "x = \"\"\"\n# %% none\n\"\"\"\n# %%\ny\n",
    "x = '''\n# %% none\n'''\n# %%\ny\n",
    "# %%% deeper\nx\n# %%%% deepest\ny\n",
    "# %%\n# %matplotlib inline\n# !ls -l\n# %%time\nx\n",
    "# %%\n# %%bash\nls\n",
    "# %% language=\"bash\"\n# ls\n# pwd\n",
    "# %% active=\"ipynb\"\n# x = 1\n",
    "# %% active=\"py\"\nx = 1\n",
    "# %% tags=[\"active-ipynb\"]\n# x = 1\n",
    "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n# %%\nx\n",
    "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     name: python3\n# ---\n\n# %%\nx\n",
    "# ---\n# title: T\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     language: python\n#     name: python3\n# ---\n# %%\nx\n",
    "# %% [markdown]\n# ```\n# # %% inside\n# ```\n\n# %%\nx\n",
    "# %%\nx = 1 # %% no\n",
    "# %% title .class\ny\n# %% .only\n# %% t .a .b x=1\nz\n",
    "# %% [markdown] jp-MarkdownHeadingCollapsed=true @x=1 a/b=2\n# x\n",
    "# %% [markdown]\n# ```mermaid\n# %% inside\n# ````\n# after\n# %% x\n",
    "# %% run_control={\"frozen\": true}\n# z\n",
    "# ---\n# title: no end\n# %%\n1\n",
    "# ---\n# a: 1\n# ---\n",
    "x\r\n# %% [markdown]\r\n# a\r\n# b\r\n\r\n# %%\r\ny\r\n",
    "# %%\n# !ls \\\n# -l \\\n#   -a\n# done\n",
    "# In[1]:\nx\n# <codecell>\ny\n",
    "# %%\n\n\nx\n\n",
    "# %%\n# # commented\n# %config x\n    # %time y\n",
];

fn jupytext(texts: &[String]) -> Vec<Value> {
    let mut child = Command::new(environment().join("papermill/bin/python"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/real/percent.py"
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    let mut stdin = child.stdin.take().expect("stdin");
    let lines: String = texts
        .iter()
        .map(|text| json!(text).to_string() + "\n")
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("python");
    writer.join().expect("a writer").expect("written");
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Type, source and metadata of each cell.
fn cells(notebook: &Value) -> Vec<(String, String, Value)> {
    let text = |source: &Value| match source {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        source => source.as_str().unwrap_or_default().to_owned(),
    };
    let cell = |cell: &Value| {
        let mut metadata = cell["metadata"].clone();
        metadata.sort_all_objects();
        for key in ITS_OWN {
            metadata.as_object_mut().expect("metadata").remove(key);
        }
        (
            cell["cell_type"].as_str().expect("a type").to_owned(),
            text(&cell["source"]),
            metadata,
        )
    };
    notebook["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .map(cell)
        .collect()
}

/// The Python texts among jupytext's own test files.
fn files() -> Vec<PathBuf> {
    let corpus = std::fs::read_dir(environment().join("corpus"))
        .expect("a corpus")
        .flatten();
    let inside = "tests/data/notebooks/outputs/ipynb_to_percent";
    let folder = corpus
        .map(|entry| entry.path().join(inside))
        .find(|folder| folder.is_dir());
    let texts = std::fs::read_dir(folder.expect("its test files"))
        .expect("a folder")
        .flatten();
    let texts = texts.map(|entry| entry.path());
    texts
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect()
}

#[test]
fn texts_are_read_as_jupytext_reads_them() {
    let files = files();
    assert!(files.len() >= 20, "only {} files", files.len());
    let mut texts: Vec<String> = EDGES.iter().map(|&text| text.to_owned()).collect();
    texts.extend(
        files
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("a text")),
    );
    for (text, theirs) in texts.iter().zip(jupytext(&texts)) {
        let ours = Template::parse_percent(text.as_bytes())
            .expect(text)
            .source();
        let ours: Value = serde_json::from_slice(&ours).expect("JSON");
        assert_eq!(cells(&ours), cells(&theirs), "{text}");
        let kernel = &theirs["metadata"]["kernelspec"];
        assert!(
            kernel.is_null() || ours["metadata"]["kernelspec"] == *kernel,
            "{text}"
        );
    }
}

/// Where ours differs on purpose: comments stay comments, and metadata that can't be read is told.
#[test]
fn what_differs_from_jupytext_differs_on_purpose() {
    let kept = ["# %%\n# copy the data\nx\n", "# %%\n# why?\nx\n"].map(str::to_owned);
    for (text, theirs) in kept.iter().zip(jupytext(&kept)) {
        let ours = Template::parse_percent(text.as_bytes())
            .expect(text)
            .source();
        let ours: Value = serde_json::from_slice(&ours).expect("JSON");
        assert!(cells(&ours)[0].1.starts_with("# "), "{text}");
        assert!(
            !cells(&theirs)[0].1.starts_with("# "),
            "jupytext has changed: {text}"
        );
    }
    let lost = "# %% tags=[\"parameters\"] name=foo\nrun = 0\n".to_owned();
    let refused = Template::parse_percent(lost.as_bytes()).expect_err("refused");
    assert!(refused.what.contains("line 1"), "{refused}");
    let theirs = jupytext(std::slice::from_ref(&lost)).remove(0);
    assert!(
        theirs["cells"][0]["metadata"].get("tags").is_none(),
        "jupytext has changed"
    );
}
