//! A notebook as a page to read. Whatever stands in it becomes text: no HTML, script, picture or
//! link of its own takes effect but links to the web in its markdown. Pure.

use std::sync::LazyLock;

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;
use serde_json::Value;

use super::words::plain;

/// Characters of a cell or an output that are shown.
const LONGEST: usize = 100_000;

/// Cells that are shown.
const MOST: usize = 2000;

/// What terminals take for colours and movements (ECMA-48).
static ESCAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("\x1b(\\[[0-?]*[ -/]*[@-~]|[@-Z\\\\-_])").ok());

/// All cells.
pub(super) fn notebook(document: &Value) -> Markup {
    let cells = document["cells"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let language = document["metadata"]["kernelspec"]["display_name"].as_str();
    html! {
        section.notebook aria-label="notebook" {
            @if let Some(language) = language { p.quiet { (plain(language)) } }
            @for one in cells.iter().take(MOST) { (cell(one)) }
            @if cells.len() > MOST { p.quiet { "… and " (cells.len() - MOST) " more cells" } }
        }
    }
}

fn cell(cell: &Value) -> Markup {
    let source = text(&cell["source"]);
    match cell["cell_type"].as_str() {
        Some("markdown") => html! { div.cell.markdown { (markdown(&source)) } },
        Some("code") => {
            let count = cell["execution_count"].as_u64();
            let outputs = cell["outputs"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            html! {
                div.cell.code.injected[is_injected(cell)] {
                    @if is_injected(cell) { p.label { "parameters of this run" } }
                    @if let Some(count) = count { p.label { "[" (count) "]" } }
                    pre tabindex="0" { code { (source) } }
                    @for one in outputs { (output(one)) }
                }
            }
        }
        _ => html! { div.cell.raw { pre tabindex="0" { (source) } } },
    }
}

fn is_injected(cell: &Value) -> bool {
    let tags = cell["metadata"]["tags"].as_array();
    tags.is_some_and(|tags| tags.iter().any(|tag| tag == "injected-parameters"))
}

fn output(output: &Value) -> Markup {
    let data = &output["data"];
    let told = match output["output_type"].as_str() {
        Some("stream") => text(&output["text"]),
        Some("error") => text(&joined(&output["traceback"])),
        _ => text(&data["text/plain"]),
    };
    let others = data.as_object().into_iter().flatten();
    let others = others
        .map(|(kind, _)| kind.as_str())
        .filter(|kind| *kind != "text/plain");
    let others: Vec<&str> = others.collect();
    html! {
        @if !told.is_empty() { pre.output tabindex="0" { (told) } }
        @if !others.is_empty() { p.quiet { "not shown here: " (plain(&others.join(", "))) } }
    }
}

/// The lines of a traceback, which come without their ends.
fn joined(lines: &Value) -> Value {
    let lines = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
    Value::from(lines.join("\n"))
}

/// A text or a list of its lines, without what is meant for terminals.
fn text(value: &Value) -> String {
    let whole = match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    };
    let clear = match ESCAPES.as_ref() {
        Some(escapes) => escapes.replace_all(&whole, "").replace("\r\n", "\n"),
        None => whole,
    };
    match clear.char_indices().nth(LONGEST) {
        Some((at, _)) => plain(&clear[..at]) + "\n…",
        None => plain(&clear),
    }
}

/// Markdown in which HTML is text, pictures are their words, and links lead to the web only.
fn markdown(source: &str) -> Markup {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut kept = Vec::new();
    let events = Parser::new_ext(source, options).filter_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        Event::Start(Tag::Image { dest_url, .. }) => Some(Event::Text(shown(&dest_url))),
        Event::End(TagEnd::Image) => Some(Event::Text(CowStr::Borrowed("]"))),
        Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => None,
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            kept.push(is_web(dest_url));
            is_web(dest_url).then_some(event)
        }
        Event::End(TagEnd::Link) => kept.pop().unwrap_or(false).then_some(event),
        // The page has a heading of its own.
        Event::Start(Tag::Heading { level, .. }) => Some(Event::Start(lower(level))),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(lower(level).to_end())),
        other => Some(other),
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    PreEscaped(html)
}

fn shown(picture: &str) -> CowStr<'static> {
    let inside = picture.starts_with("data:");
    let name = if inside {
        "inside the notebook"
    } else {
        picture
    };
    CowStr::from(format!("[picture, {}: ", plain(name)))
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A heading one level below, without what else the author wrote into it.
fn lower(level: pulldown_cmark::HeadingLevel) -> Tag<'static> {
    let level = pulldown_cmark::HeadingLevel::try_from(level as usize + 1);
    Tag::Heading {
        level: level.unwrap_or(pulldown_cmark::HeadingLevel::H6),
        id: None,
        classes: vec![],
        attrs: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_in_markdown_takes_effect() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<svg onload=alert(1)>\n\nx",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "<javascript:alert(1)>",
            "![x](https://evil.example/a.png)",
            "[![x](y)](javascript:alert(1))",
            "# <b onclick=alert(1)>x</b> { #a onclick=alert(1) }",
            "```<script>\n</code><script>alert(1)</script>\n```",
            "<!-- --><script>alert(1)</script>",
        ] {
            let made = markdown(hostile).into_string();
            for effect in [
                "<script", "<img", "<svg", "<b ", "href=\"j", "href=\"J", "href=\"d", "<!--",
            ] {
                assert!(!made.contains(effect), "{hostile}: {made}");
            }
        }
        let link = markdown("[x](https://a.example/ \"t\")").into_string();
        assert!(link.contains("<a href=\"https://a.example/\""), "{link}");
        assert!(markdown("# Run").into_string().contains("<h2>Run</h2>"));
    }

    #[test]
    fn cells_and_outputs_are_text() {
        let hostile = "</code></pre><script>alert(1)</script>\u{202e}\u{1b}[31mred";
        let document = json!({ "metadata": { "kernelspec": { "display_name": hostile } }, "cells": [
            { "cell_type": "code", "source": [hostile], "metadata": { "tags": ["injected-parameters"] }, "outputs": [
                { "output_type": "stream", "text": hostile },
                { "output_type": "error", "traceback": [hostile, "x"] },
                { "output_type": "display_data", "data": { "text/html": "<script>", "text/plain": hostile, "<script>": 1 } },
            ] },
            { "cell_type": "raw", "source": hostile },
            { "cell_type": hostile, "source": hostile },
        ] });
        let made = notebook(&document).into_string();
        assert!(!made.contains("<script") && made.contains("&lt;script&gt;alert"));
        assert!(made.contains("parameters of this run") && made.contains("⟨U+202E⟩red"));
        assert!(made.contains("text/html"));
    }

    #[test]
    fn what_is_no_notebook_is_shown_empty() {
        for document in [
            json!(null),
            json!({ "cells": 1 }),
            json!({ "cells": [1, {}, null] }),
        ] {
            notebook(&document).into_string();
        }
    }
}
