//! A template as text: an error with a line, or a notebook that can be rendered or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nbcourier::notebook::{Stamp, Template, render};
use nbcourier::run::Parameters;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(template) = Template::parse_percent(bytes) else {
        return;
    };
    let parameters = Parameters::from_iter([("run".to_owned(), json!("7"))]);
    if let Ok(rendered) = render(&template, &template.typed(parameters), &Stamp::default()) {
        Template::parse(&rendered).expect("a template");
    }
});
