//! XML flows in; the JSON value that it stands for flows out: elements with children are objects, those that repeat are
//! lists, all others are texts. What the texts and lists mean, the type that is read decides (see `output`).

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// Elements within elements that are read; AWS's answers have ten.
const MAX_DEPTH: usize = 64;
/// Elements, texts and attributes of one answer; a page of AWS has thousands.
const MAX_NODES: u32 = 4_000_000;

/// The root element's name and content.
pub(super) fn read(text: &str) -> Result<(String, Value), Cow<'static, str>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| Cow::Owned(error.to_string()))?;
    let root = document.root_element();
    Ok((root.tag_name().name().to_owned(), value(root, 0)?))
}

fn value(node: Node<'_, '_>, depth: usize) -> Result<Value, Cow<'static, str>> {
    if depth > MAX_DEPTH {
        return Err("the XML is nested too deeply".into());
    }
    let mut members = Map::new();
    for child in node.children().filter(Node::is_element) {
        let one = value(child, depth + 1)?;
        match members.get_mut(child.tag_name().name()) {
            None => {
                members.insert(child.tag_name().name().to_owned(), one);
            }
            Some(Value::Array(items)) => items.push(one),
            Some(first) => *first = Value::Array(vec![first.take(), one]),
        }
    }
    if members.is_empty() {
        return Ok(Value::String(node.text().unwrap_or_default().to_owned()));
    }
    Ok(Value::Object(members))
}
