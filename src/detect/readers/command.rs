//! Asking a command for a run's metadata.

use std::process::Command;
use std::time::Duration;

use crate::config::secret;
use crate::notebook::expand;
use crate::process;
use crate::run::Parameters;
use crate::text::{Format, object, utf8};

/// The most that it may print, bytes.
const LARGEST: usize = 4 << 20;

/// The object that a command prints. The placeholders of its arguments are filled with the
/// parameters so far, as they are.
pub(super) fn ask(
    words: &[String],
    parameters: &Parameters,
    limit: Duration,
) -> Result<Parameters, String> {
    let (program, arguments) = words.split_first().ok_or("it is empty")?;
    let filled = arguments.iter().map(|word| expand(word, parameters));
    let arguments: Vec<String> = filled
        .collect::<Result<_, _>>()
        .map_err(|error| error.what)?;
    let mut command = Command::new(program);
    secret::scrub(command.args(arguments));
    let printed =
        process::run(&mut command, limit, LARGEST).map_err(|failed| failed.to_string())?;
    let read = utf8(&printed).and_then(|(text, _)| object(Format::Json.read(text)?));
    read.map_err(|error| format!("what it printed: {}", error.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn asked(script: &str) -> Result<Parameters, String> {
        let script = script.replace('{', "{{").replace('}', "}}");
        let words = ["sh", "-c", &script, "sh", "{run}", "{run_name}"].map(String::from);
        let mut parameters = Parameters::new();
        parameters.insert("run".into(), 7.into());
        parameters.insert("run_name".into(), "$(x) 'é/..".into());
        ask(&words, &parameters, LIMIT)
    }

    #[test]
    fn arguments_come_as_they_are_and_the_object_is_taken() {
        let found = asked(
            "printf '{\"run\": %s, \"name\": \"%s\", \"at\": \"%s\"}' \"$1\" \"$2\" \"$PWD\"",
        );
        let found = found.expect("an object");
        assert_eq!(
            serde_json::to_string(&found).expect("JSON"),
            "{\"run\":7,\"name\":\"$(x) 'é/..\",\"at\":\"/\"}"
        );
        let large =
            asked("printf '{\"a\": \"'; head -c 3000000 /dev/zero | tr '\\0' x; printf '\"}'");
        assert_eq!(
            large.expect("an object")["a"].as_str().map(str::len),
            Some(3_000_000)
        );
    }

    #[test]
    fn garbage_and_failures_are_told() {
        let table = [
            ("echo garbage", "it is no JSON"),
            ("echo '[1]'", "no object"),
            (":", "no JSON"),
            ("printf '\\377'", "not UTF-8"),
            (
                "echo '{}'; echo first >&2; echo 'no such run' >&2; echo >&2; exit 3",
                "exit status: 3: no such run",
            ),
            ("echo '{}'; kill -9 $$", "signal: 9"),
            ("yes", "it printed more than 4 MiB"),
            ("yes >&2 & sleep 0.1; exit 1", "exit status: 1: y"),
        ];
        for (script, expected) in table {
            let why = asked(script).expect_err(script);
            assert!(why.contains(expected), "{script}: {why}");
        }
        let why = ask(&["/nowhere/program".into()], &Parameters::new(), LIMIT);
        let why = why.expect_err("nothing there");
        assert!(why.starts_with("it can't be started"), "{why}");
        let missing = ask(
            &["echo".into(), "{other}".into()],
            &Parameters::new(),
            LIMIT,
        );
        assert!(missing.expect_err("no parameter").contains("other"));
    }
}
