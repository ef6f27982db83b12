//! A template as a notebook file: an error, or a notebook that is a template again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nbcourier::notebook::{Stamp, Template, render};
use nbcourier::run::Parameters;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(template) = Template::parse(bytes) else {
        return;
    };
    let given = json!({ "run": "001234", "beam": "é\n\"$(x)", "list": [1, { "a": null }] });
    let parameters: Parameters = given.as_object().expect("a map").clone();
    let typed = template.typed(parameters);
    let _ = template.unknown(&typed);
    if let Ok(rendered) = render(&template, &typed, &Stamp::default()) {
        let again = Template::parse(&rendered).expect("a template again");
        assert_eq!(again.language().ok(), template.language().ok());
    }
});
