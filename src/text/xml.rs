//! XML as objects: attributes and children by name, repeated ones as a list. No DTD, so no entities.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::{DEEPEST, MOST_PARAMETERS, Unreadable, few, scalar};
use crate::run::Parameters;

/// The reader's time grows with the square of declared namespaces, and of one element's attributes.
const NAMESPACES: usize = 256;
const QUOTES: usize = 2000;

pub(super) fn read(text: &str) -> Result<Value, Unreadable> {
    let attributes = text.split('<').map(|tag| tag.matches(['"', '\'']).count());
    if text.matches("xmlns").count() > NAMESPACES || attributes.max() > Some(QUOTES) {
        let what = format!("it has more than {NAMESPACES} namespaces, or {QUOTES} quotes at once");
        return Err(Unreadable::at(0, 0, what));
    }
    few(text.matches('<').count(), MOST_PARAMETERS)?;
    let options = ParsingOptions {
        allow_dtd: false,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| wrong(&error))?;
    let root = document.root_element();
    match content(root, 1)? {
        object @ Value::Object(_) => Ok(object),
        other => {
            let name = name(root).to_owned();
            Ok(Value::Object(Parameters::from_iter([(name, other)])))
        }
    }
}

fn wrong(error: &roxmltree::Error) -> Unreadable {
    let (line, column) = (error.pos().row as usize, error.pos().col as usize);
    match error {
        roxmltree::Error::DtdDetected => {
            let what = "it has a `<!DOCTYPE`, which is not read";
            Unreadable::at(line, column, what)
        }
        _ => Unreadable::at(line, column, format!("it is no XML: {error}")),
    }
}

fn too_deep(node: Node<'_, '_>) -> Unreadable {
    let place = node.document().text_pos_at(node.range().start);
    let what = format!("it is nested too deep ({place}); {DEEPEST} levels can be read");
    Unreadable::at(place.row as usize, place.col as usize, what)
}

/// MIDAS writes its database so, with the names in an attribute.
fn is_odb(node: Node<'_, '_>) -> bool {
    matches!(node.tag_name().name(), "dir" | "key" | "keyarray") && node.has_attribute("name")
}

fn name<'a>(node: Node<'a, '_>) -> &'a str {
    let named = is_odb(node).then(|| node.attribute("name"));
    named.flatten().unwrap_or_else(|| node.tag_name().name())
}

fn content(node: Node<'_, '_>, level: usize) -> Result<Value, Unreadable> {
    if level > DEEPEST {
        return Err(too_deep(node));
    }
    let elements = node.children().filter(Node::is_element);
    if is_odb(node) && node.tag_name().name() == "keyarray" {
        return Ok(elements.map(|value| word(node, &text(value))).collect());
    }
    let mut all = attributes(node);
    for child in elements {
        add(&mut all, name(child), content(child, level + 1)?);
    }
    let text = text(node);
    if all.is_empty() && node.tag_name().name() != "dir" {
        return Ok(word(node, &text));
    }
    if !text.is_empty() {
        add(&mut all, "text", scalar(&text));
    }
    all.values_mut().for_each(single);
    Ok(Value::Object(all))
}

/// Those that tell something of the run: how a database was dumped does not.
fn attributes(node: Node<'_, '_>) -> Parameters {
    let mut all = Parameters::new();
    if !is_odb(node) && node.tag_name().name() != "odb" {
        for each in node.attributes().filter(|each| each.namespace().is_none()) {
            add(&mut all, each.name(), scalar(each.value().trim()));
        }
    }
    all
}

/// The element's own text.
fn text(node: Node<'_, '_>) -> String {
    let pieces = node.children().filter(Node::is_text);
    let text: String = pieces.filter_map(|piece| piece.text()).collect();
    text.trim().to_owned()
}

/// A text as the database's type has it, if there is one.
fn word(node: Node<'_, '_>, text: &str) -> Value {
    match node.attribute("type").filter(|_| is_odb(node)) {
        Some("STRING" | "LINK") => text.into(),
        Some("BOOL") => (text == "y").into(),
        _ => scalar(text),
    }
}

/// Every key holds a list until all are there.
fn add(all: &mut Parameters, key: &str, value: Value) {
    let list = all.entry(key).or_insert_with(|| Value::Array(vec![]));
    if let Value::Array(items) = list {
        items.push(value);
    }
}

fn single(list: &mut Value) {
    if let Value::Array(items) = list
        && items.len() == 1
    {
        *list = items.pop().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_and_children_become_keys() {
        let text = "<?xml version=\"1.0\"?><!-- Illumina -->\r\n\
            <RunInfo Version=\"5\" xmlns:xsi=\"http://x\" xsi:schema=\"y\">\r\n\
            <Run Id=\"230101_A00_0007_BH\" Number=\"7\"><Flowcell>H&amp;1</Flowcell><Empty/>\
            <Reads><Read Number=\"1\" Cycles=\"151\"/><Read Number=\"2\">x</Read></Reads></Run></RunInfo>";
        let expected = json!({"Version": 5, "Run": {
            "Id": "230101_A00_0007_BH", "Number": 7, "Flowcell": "H&1", "Empty": "",
            "Reads": {"Read": [{"Number": 1, "Cycles": 151}, {"Number": 2, "text": "x"}]}
        }});
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read("<run>5</run>"), Ok(json!({"run": 5})));
    }

    #[test]
    fn a_midas_database_is_a_tree_of_its_names() {
        let text = "<odb root=\"/\" filename=\"x\"><dir name=\"Runinfo\">\
            <key name=\"Run number\" type=\"INT32\">5</key>\
            <key name=\"Comment\" type=\"STRING\" size=\"32\">12</key>\
            <key name=\"Pedestal\" type=\"BOOL\">y</key><dir name=\"None\"></dir>\
            <keyarray name=\"HV\" type=\"FLOAT\" num_values=\"2\"><value index=\"0\">1.50</value>\
            <value index=\"1\">2</value></keyarray></dir></odb>";
        let expected = "{\"Runinfo\":{\"Run number\":5,\"Comment\":\"12\",\"Pedestal\":true,\
            \"None\":{},\"HV\":[1.50,2]}}";
        assert_eq!(
            read(text).map(|value| value.to_string()).as_deref(),
            Ok(expected)
        );
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
        let spaces: String = (0..60_000).map(|n| format!("<a xmlns:x{n}='u'>")).collect();
        let table = [
            (
                "<!DOCTYPE a [<!ENTITY b \"b\">]><a>&b;</a>".to_owned(),
                "DOCTYPE",
            ),
            ("<a>&b;</a>".to_owned(), "no XML"),
            (format!("<a{attributes}/>"), "2000 quotes"),
            (spaces, "256 namespaces"),
            ("<a>".repeat(1_000_000), "more than 200000 values"),
            (
                format!("{}{}", "<a>".repeat(65), "</a>".repeat(65)),
                "too deep",
            ),
            (
                format!("{}{}", "<a>".repeat(90_000), "</a>".repeat(90_000)),
                "too deep",
            ),
            ("<a>\n<b></a>".to_owned(), "at 2:"),
            ("<a>".to_owned(), "no XML"),
        ];
        for (text, what) in table {
            let refused = read(&text).expect_err(what);
            assert!(refused.what.contains(what), "{refused:?}");
        }
    }
}
