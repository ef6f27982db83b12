//! A form of SWAN, what is said of it, and pages that hold none.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The beginning of SWAN's form, with a catalogue of two releases and a builder.
const PAGE: &str = r#"<html><script type="text/javascript">
const form_config = {'enable_customenv_form': 'true', 'hidden_sections': None, 'lcg_options': [
  {'type': 'label', 'label': {'value': 'label1', 'text': "It's new"}},
  {'type': 'selection', 'lcg': {'value': 'LCG_110_swan', 'text': '110'},
   'platforms': [{'value': 'x86_64-el9-gcc13-opt', 'text': 'AlmaLinux 9'}],
   'cores': [{'value': '2', 'text': '2'}, {'value': '4', 'text': '4'}],
   'memory': [{'value': '8', 'text': '8 GB'}, {'value': '16', 'text': '16 GB'}],
   'clusters': [{'value': 'none', 'text': 'None'}, {'value': 'k8s', 'text': 'Cloud'}],
   'condor': [{'value': 'none', 'text': 'None'}]},
  {'type': 'selection', 'lcg': {'value': 'devswan/latest', 'text': 'dev'}, 'cores': []}],
 'customenv_options': [{'type': 'selection', 'builder': {'value': 'accpy:2026.1', 'text': 'accpy'},
   'cores': [{'value': 2, 'text': '2'}]}]};
const dynamicFormInfo = {"gpu_flavours": ["T4", "A100"], "free_gpu_flavours": ["T4"]};
const enable_customenv_form = form_config['enable_customenv_form'];
</script>"#;

fn choices(options: Option<&Value>) -> Choices {
    Form::parse(PAGE.as_bytes())
        .expect("a form")
        .choices(options)
}

fn warned(options: &Value) -> Vec<(String, String)> {
    let warnings = choices(Some(options)).warnings.into_iter();
    warnings
        .map(|warning| (warning.what, warning.advice))
        .collect()
}

#[test]
fn what_is_offered_is_said_in_a_line_or_two() {
    let all = "SWAN offers releases: LCG_110_swan, devswan/latest; builders: accpy:2026.1";
    assert_eq!(choices(None).offered, [all]);
    let options = json!({ "software_source": "lcg", "lcg": "LCG_110_swan", "cores": 4,
        "platforms": "x86_64-el9-gcc13-opt", "memory": "16384M", "clusters": "k8s",
        "condor": "none", "gpu": "A100", "rucio": "none" });
    let with = "SWAN offers with LCG_110_swan platforms: x86_64-el9-gcc13-opt; cores: 2, 4; \
                memory: 8G, 16G; clusters: none, k8s; condor: none";
    let choices = choices(Some(&options));
    assert_eq!(choices.offered, [all, with]);
    assert_eq!(choices.warnings, []);
}

#[test]
fn what_is_not_offered_is_warned_of_with_what_is() {
    let one_of = |key: &str, valid: &str| format!("set `{key}` to one of: {valid}");
    let unknown = warned(&json!({ "software_source": "lcg", "lcg": "LCG_97", "cores": 64 }));
    let what = "SWAN offers no release \"LCG_97\": a server with it would fail or wait";
    assert_eq!(
        unknown,
        [(what.into(), one_of("lcg", "LCG_110_swan, devswan/latest"))]
    );
    let beside = warned(&json!({ "software_source": "lcg", "lcg": "LCG_110_swan",
        "platforms": "x86_64-centos7-gcc8-opt", "cores": 64, "memory": "9000M",
        "clusters": "hadoop", "condor": "cern_condor", "gpu": "H100" }));
    let advice: Vec<&str> = beside.iter().map(|(_, advice)| advice.as_str()).collect();
    assert_eq!(
        advice,
        [
            one_of("platforms", "x86_64-el9-gcc13-opt"),
            one_of("cores", "2, 4"),
            one_of("memory", "8G, 16G"),
            one_of("clusters", "none, k8s"),
            one_of("condor", "none"),
            one_of("gpu", "none, A100, T4"),
        ]
    );
    assert_eq!(
        beside[1].0,
        "SWAN offers no `cores` 64 with LCG_110_swan: a server with it would fail or wait"
    );
}

#[test]
fn a_builder_is_known_with_its_version_or_without() {
    let of = |version: Value| {
        json!({ "software_source": "customenv", "builder": "accpy", "builder_version": version,
            "cores": 2, "gpu": "none" })
    };
    assert_eq!(warned(&of(Value::Null)), []);
    assert_eq!(warned(&of(json!("2026.1"))), []);
    assert_eq!(warned(&of(json!("2020"))).len(), 1);
}

#[test]
fn memory_is_the_same_in_every_unit() {
    for (memory, shown) in [
        ("8G", "8G"),
        ("8192M", "8G"),
        ("8388608K", "8G"),
        ("1T", "1024G"),
        ("9000M", "9000M"),
        ("99999999999999999T", "99999999999999999T"),
        ("", ""),
        ("é", "é"),
    ] {
        assert_eq!(in_gigabytes(memory), shown);
    }
}

#[test]
fn a_page_without_a_form_or_with_an_ill_one_is_none_or_offers_nothing() {
    for page in [
        "",
        "<html>",
        "form_config",
        "form_config = [1]",
        "form_config = {'a': ",
    ] {
        assert!(Form::parse(page.as_bytes()).is_none(), "{page}");
    }
    for config in [
        "{}",
        "{'lcg_options': 3}",
        "{'lcg_options': [1, None, {}, {'lcg': 'x'}, {'lcg': {'value': None}}]}",
    ] {
        let page = format!("form_config = {config}; dynamicFormInfo = {config}");
        let form = Form::parse(page.as_bytes()).expect("a form");
        let choices = form.choices(Some(&json!({ "lcg": "x" })));
        assert_eq!(
            choices.offered,
            ["SWAN offers releases: none; builders: none"]
        );
        assert_eq!(choices.warnings.len(), 1, "{config}");
    }
    let long = "x".repeat(1000) + "\n\u{1b}[31m";
    let page = format!("form_config = {{'lcg_options': [{{'lcg': {{'value': '{long}'}}}}]}}");
    let line = Form::parse(page.as_bytes())
        .expect("a form")
        .choices(None)
        .offered
        .concat();
    assert!(
        line.len() < 200 && !line.contains(char::is_control),
        "{line}"
    );
}

proptest! {
    #[test]
    fn no_page_is_the_end_of_it(at in 0..PAGE.len(), with in "\\PC{0,6}|[\\[\\]{}'\",:]{0,3}", cut in 0..PAGE.len()) {
        let mut page = PAGE.as_bytes().to_vec();
        page.splice(at..at, with.bytes());
        page.truncate(cut.max(at));
        if let Some(form) = Form::parse(&page) {
            let _ = form.choices(Some(&json!({ "lcg": "LCG_110_swan", "cores": 2, "memory": "8G" })));
        }
    }
}
