//! A parameter file: the first byte says the format; what is read can be rendered or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nbcourier::notebook::{Stamp, Template, holds, render};
use nbcourier::text::{Format, utf8};
use serde_json::Value;

const TEMPLATE: &[u8] =
    b"{\"cells\": [], \"metadata\": {\"language_info\": {\"name\": \"python\"}}, \
    \"nbformat\": 4, \"nbformat_minor\": 5}";

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let names = Format::names();
    let name = names[usize::from(*kind) % names.len()];
    let format = Format::of_name(name).expect("a format");
    let Ok((text, _)) = utf8(bytes) else { return };
    let Ok(Value::Object(parameters)) = format.read(text) else {
        return;
    };
    let template = Template::parse(TEMPLATE).expect("a template");
    let _ = render(
        &template,
        &template.typed(parameters.clone()),
        &Stamp::default(),
    );
    for name in parameters.keys().take(3) {
        let _ = holds(name, &parameters);
    }
});
