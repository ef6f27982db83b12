//! The loader as a whole: what loads, and what each mistake is told as.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::checked::{self, Existing, Kind};
use super::secret::SecretRef;
use super::*;
use crate::retry::RetryPolicy;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SHORTEST: &str = r#"
watch.h4.directory = "/data/h4"
notebook.quick.template = "/etc/nbcourier/templates/quick.ipynb"
destination.swan.hub = "https://swan.cern.ch"
destination.swan.auth.token = { credential = "swan" }
"#;

fn message(text: &str) -> String {
    let mistakes = parse(text, Path::new("nbcourier.toml")).expect_err("mistakes");
    mistakes.to_string()
}

/// Set `NBCOURIER_BLESS` to write the messages down as they are.
#[test]
fn each_mistake_has_its_message() {
    let directory = Path::new(ROOT).join("tests/config");
    let mut seen = 0;
    for entry in fs::read_dir(directory).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().expect("a name");
        let text = fs::read_to_string(&path).expect("the text");
        let mistakes = parse(&text, Path::new(name)).expect_err("mistakes");
        let (told, expected) = (format!("{mistakes}\n"), path.with_extension("txt"));
        if std::env::var_os("NBCOURIER_BLESS").is_some() {
            fs::write(&expected, &told).expect("write");
        }
        let expected = fs::read_to_string(&expected).expect("the expected message");
        assert_eq!(told, expected, "{}", path.display());
    }
    assert!(seen >= 30, "{seen} files");
}

#[test]
fn the_shortest_configuration_loads() {
    let config = parse(SHORTEST, Path::new("/etc/nbcourier/nbcourier.toml")).expect("valid");
    let destination = config.destination("swan").expect("the destination");
    let Kind::Hub(hub) = &destination.kind else {
        panic!("a hub")
    };
    assert_eq!(hub.url.as_str(), "https://swan.cern.ch/");
    let token = SecretRef::Credential("swan".into());
    assert_eq!(hub.auth, checked::Auth::Token(token));
    assert_eq!(
        config.watches[0].pattern.to_string(),
        r"run[_-]?(?<run>\d+)"
    );
    assert_eq!(config.watches[0].existing, Existing::Ignore);
    let local = SHORTEST.replace("https://swan.cern.ch", "http://127.0.0.1:8000/jupyter/hub/");
    let config = parse(&local, Path::new("nbcourier.toml")).expect("valid");
    let Kind::Hub(hub) = &config.destinations[0].kind else {
        panic!("a hub")
    };
    assert_eq!(hub.url.as_str(), "http://127.0.0.1:8000/jupyter/");
}

/// What is set to its default in the reference must be what the program does without it.
#[test]
fn the_reference_tells_the_defaults() {
    let file = Path::new(ROOT).join("config/nbcourier.toml");
    let plain = load(&file).expect("the reference is valid");
    let text = fs::read_to_string(&file).expect("the reference");
    let is_default = |line: &str| line.starts_with('#') && line.contains(" # =");
    let every = |wanted: fn(&str) -> bool| {
        let lines = text.lines().map(|line| {
            let key = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(char::is_lowercase));
            key.filter(|_| wanted(line)).unwrap_or(line)
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let set = every(is_default);
    assert!(set.matches("\nsettle").count() == 1, "{set}");
    let set = parse(&set, &file).expect("the defaults are valid");
    let mut plain_text = format!("{plain:#?}");
    if std::env::var_os("STATE_DIRECTORY").is_some() {
        plain_text = format!(
            "{:#?}",
            Config {
                state: set.state.clone(),
                ..plain.clone()
            }
        );
    }
    assert_eq!(format!("{set:#?}"), plain_text);
    assert_eq!(plain.retry, RetryPolicy::default());
    parse(&every(|line| line.starts_with('#')), &file).expect("the examples are valid");
}

#[test]
fn the_ledger_is_a_file_in_the_state_directory_or_a_postgresql_database() {
    use checked::LedgerUrl::{Postgres, Sqlite};
    let of = |text: &str| {
        let text = format!("{SHORTEST}\ndaemon.state = \"/s\"\n{text}");
        parse(&text, Path::new("nbcourier.toml")).map(|config| config.ledger)
    };
    for text in [
        "",
        "ledger.url = 'sqlite:ledger.db'",
        "ledger.url = 'sqlite:///s/ledger.db'",
    ] {
        assert_eq!(of(text).expect("valid").url, Sqlite("/s/ledger.db".into()));
    }
    let shared = "ledger.url = 'postgresql://nbc@db:5433/nbc?sslmode=verify-full'";
    let ledger = of(&format!("{shared}\nledger.password = {{ env = \"PW\" }}")).expect("valid");
    assert!(matches!(&ledger.url, Postgres(url) if url.port() == Some(5433)));
    assert_eq!(ledger.password, Some(SecretRef::Env("PW".into())));
    assert_eq!(ledger.keep, Duration::from_secs(365 * 86400));
    for outside in [
        "/var/ledger.db",
        "../ledger.db",
        "a/ledger.db",
        ":memory:",
        "",
        "x?mode=ro",
    ] {
        let told = of(&format!("ledger.url = 'sqlite:{outside}'")).expect_err("a mistake");
        assert_eq!(told.len(), 1, "{outside}: {told}");
    }
    let hostless = of("ledger.url = 'postgres:///nbc'").expect_err("a mistake");
    assert!(hostless.to_string().contains("names no host"), "{hostless}");
}

#[test]
fn relative_paths_are_relative_to_the_file_that_names_them() {
    let text = SHORTEST.replace("/etc/nbcourier/templates", "templates");
    let config = parse(&text, Path::new("/opt/daq/nbcourier.toml")).expect("valid");
    assert_eq!(
        config.notebooks[0].template,
        checked::Source::File("/opt/daq/templates/quick.ipynb".into())
    );
}

#[test]
fn types_order_and_numbers_are_kept_on_the_way_to_json() {
    let text = format!(
        "{SHORTEST}\ndestination.swan.spawn_options = {{ z = 2, memory = \"8G\", a = 1.50, x = 0x10, t = true, n = [1, {{ b = 1e3 }}] }}"
    );
    let config = parse(&text, Path::new("nbcourier.toml")).expect("valid");
    let Kind::Hub(hub) = &config.destinations[0].kind else {
        panic!("a hub")
    };
    let options = hub.spawn_options.as_ref().expect("options");
    let json = r#"{"z":2,"memory":"8G","a":1.50,"x":16,"t":true,"n":[1,{"b":1e3}]}"#;
    assert_eq!(
        serde_json::to_string(options).expect("JSON"),
        json.replace("1e3", "1e+3")
    );
}

#[test]
fn durations_are_written_with_units() {
    let cases = [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("10min", 600.0),
        ("24h", 86400.0),
        ("14d", 14.0 * 86400.0),
        ("1y", 365.0 * 86400.0),
        ("2h 30min", 9000.0),
        ("1.5h", 5400.0),
    ];
    for (text, seconds) in cases {
        let text = format!("{SHORTEST}\nwatch.h4.settle = \"{text}\"");
        let config = parse(&text, Path::new("nbcourier.toml")).expect("valid");
        assert_eq!(config.watches[0].settle, Duration::from_secs_f64(seconds));
    }
}

#[test]
fn a_pattern_matches_the_whole_name() {
    let text = format!("{SHORTEST}\nwatch.h4.pattern = 'a|run[^/]\\d'");
    let config = parse(&text, Path::new("nbcourier.toml")).expect("valid");
    let cases = [
        ("a", true),
        ("run_1", true),
        ("xa", false),
        ("run_12", false),
    ];
    for (name, matches) in cases {
        assert_eq!(
            config.watches[0].pattern.name(name).is_some(),
            matches,
            "{name}"
        );
    }
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "s3cr3t-Value";
    let ways = [
        "destination.swan.auth.token = \"§\"",
        "destination.swan.auth.tokn = \"§\"",
        "destination.swan.auth = \"§\"",
        "destination.swan.auth.token = §",
        "destination.swan.auth.token = \"§",
        "destination.swan.auth.token = { value = \"§\" }",
        "destination.swan.auth.token = { § }",
        "destination.swan.auth.token = { file = \"/x\", \"§\" = 1",
        "destination.swan.auth.token = [\n\"§\"",
        "destination.swan.auth.token = \"\"\"\n§\n x = \"§\n",
        "destination.swan.auth.token: §",
        "destination.swan.auth.token \"§\"",
        "[destination.swan.auth.token]\nvalue = \"§\"",
        "[destination.swan.auth.token]\nvalue = §",
        "destination.swan.auth = { wrong = 1, token = \"§\", more = 2 }",
        "destination.swan.auth = { password = \"§\" }",
        "destination.a.hub = \"https://user:§@hub.example/\"",
        "destination.a.hub = \"https://user:x/§@hub.example/\"",
        "destination.a.hub = \"https://hub.example/?x=§\"",
        "destination.a.hub = https://hub.example/?token=§",
        "destination.a.hub = \"https://u:w@hub.example/?x=§\"",
        "destination.a = { hub = \"https://u:§@hub/\", auth.token = { credential = \"x\" }, x = 1 }",
        "ledger.url = \"postgres://nbc:§@db.example/nbc\"",
        "ledger.url = \"postgres://nbc@db.example/nbc?password=§\"",
        "ledger.url = postgres://nbc:§@db.example/nbc",
        "ledger.password = \"§\"",
        "ledger.password = { value = \"§\" }",
        "status.read_token = \"§\"",
        "api_key = '§'",
    ];
    for way in ways {
        let text = way.replace("§", secret);
        let mistakes = parse(&text, Path::new("nbcourier.toml")).expect_err("mistakes");
        let told = format!("{mistakes}{mistakes:?}");
        assert!(
            !told.contains(secret) && !told.contains("s3cr"),
            "{way}\n{told}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = message("log = \nwach = 1\n[watch.a]\nsettle = 3\n[retry]\nfirst = \"x\"\n= 2\n");
    for part in [
        "toml:1:",
        "unknown key `wach`",
        "needs a unit",
        "is no duration",
        "toml:7:",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(told.ends_with("5 problems in the configuration"), "{told}");
}

#[test]
fn conf_d_adds_named_tables_and_a_name_stands_for_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("nbcourier.toml");
    let parts = directory.path().join("conf.d");
    fs::create_dir(&parts).expect("conf.d");
    fs::write(&file, SHORTEST).expect("write");
    fs::write(parts.join("h2.toml"), "watch.h2.directory = 'data'").expect("write");
    fs::write(parts.join("notes.txt"), "no TOML").expect("write");
    let config = load(&file).expect("valid");
    assert_eq!(config.watches[1].directory, parts.join("data"));

    fs::write(
        parts.join("x.toml"),
        "log = 'info'\n[watch.h2]\ndirectory = '/x'",
    )
    .expect("write");
    let mistakes = load(&file).expect_err("a duplicate");
    let messages: Vec<_> = mistakes
        .list()
        .iter()
        .map(|mistake| &mistake.message)
        .collect();
    let first = parts.join("h2.toml:1");
    let duplicate = format!("[watch.h2] is also in {}", first.display());
    assert_eq!(messages, ["`log` belongs into the main file", &duplicate]);
    assert!(
        mistakes
            .list()
            .iter()
            .all(|mistake| mistake.file.ends_with("x.toml"))
    );
}

#[test]
fn a_file_that_cannot_be_read_gets_one_clear_message() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("large"), "#".repeat((1 << 20) + 1)).expect("write");
    fs::write(at("latin"), b"log = 'info'\n# caf\xe9").expect("write");
    let cases = [
        (at("absent"), "`nbcourier init` writes one"),
        (at("."), "it is no regular file"),
        (at("large"), "it is too large"),
        (at("latin"), "line 2 is not UTF-8"),
    ];
    for (path, part) in cases {
        let mistakes = load(&path).expect_err("unreadable");
        let told = mistakes.to_string();
        assert!(told.contains(part), "{told}");
        assert!(told.contains(&path.display().to_string()), "{told}");
        assert_eq!(mistakes.len(), 1);
    }
}

#[test]
fn huge_texts_get_a_short_answer() {
    let cases = [
        "[".repeat(1 << 20),
        "a.".repeat(1 << 19),
        "x=1\n".repeat(1 << 18),
        "\n=".repeat(1 << 19),
        format!("{}=1", "a".repeat(1 << 20)),
        "a={".repeat(1 << 18),
    ];
    for text in cases {
        let told = message(&text);
        assert!(told.len() < 100_000, "{}", told.len());
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|\n|\"|=|\\[|\\.|token|watch|é){0,60}") {
        if let Err(mistakes) = parse(&text, Path::new("nbcourier.toml")) {
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    #[test]
    fn no_value_makes_it_panic(key in 0..40_usize, value in "\\PC{0,20}") {
        let reference = include_str!("../../config/nbcourier.toml");
        let keys = reference.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
        let (name, _) = keys.clone().nth(key % keys.count()).unwrap_or_default();
        for table in ["watch.h4.", "destination.swan.", "notebook.quick.", "status.", ""] {
            let text = format!("{SHORTEST}\n{table}{name} = {value}\n");
            if let Err(mistakes) = parse(&text, Path::new("nbcourier.toml")) {
                prop_assert!(!mistakes.to_string().is_empty());
            }
        }
    }
}
