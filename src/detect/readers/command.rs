//! Asking a command for a run's metadata.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::notebook::expand;
use crate::process::{Call, with_words};
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
    let printed = run(program, arguments, limit)?;
    let read = utf8(&printed).and_then(|(text, _)| object(Format::Json.read(text)?));
    read.map_err(|error| format!("what it printed: {}", error.what))
}

/// What a program prints.
fn run(program: &str, arguments: Vec<String>, limit: Duration) -> Result<Vec<u8>, String> {
    let call = Call {
        program: program.to_owned(),
        arguments,
        environment: None,
        input: Vec::new(),
        limit,
        most: LARGEST,
    };
    let ended = call.run_here(&AtomicBool::new(false));
    let ended = ended.map_err(|trouble| trouble.to_string())?;
    match ended.status.success() {
        true => Ok(ended.out),
        false => {
            let what = format!("it ended with {}", ended.status);
            Err(with_words(&what, &ended.complaint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        run("sh", vec!["-c".into(), script.into()], limit)
    }

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
        let why = run("/nowhere/program", vec![], LIMIT).expect_err("nothing there");
        assert!(why.starts_with("it can't be started"), "{why}");
        let missing = ask(
            &["echo".into(), "{other}".into()],
            &Parameters::new(),
            LIMIT,
        );
        assert!(missing.expect_err("no parameter").contains("other"));
    }

    #[test]
    fn what_hangs_is_killed_with_all_that_it_started() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("pid");
        let script = format!(
            "sleep 300 & echo $! > {}; echo waiting >&2; wait",
            file.display()
        );
        let why = shell(&script, Duration::from_millis(500)).expect_err("it hangs");
        assert_eq!(why, "it did not end within 0.5 s: waiting");
        let pid = std::fs::read_to_string(file).expect("a number");
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() {
            assert!(Instant::now() < deadline, "{pid} lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_grandchild_that_keeps_the_output_open_is_not_waited_for() {
        for keeper in ["sleep 300 &", "setsid sleep 5 &"] {
            let begun = Instant::now();
            let printed = shell(&format!("{keeper} echo '{{}}'"), LIMIT).expect("it ends");
            assert_eq!(printed, b"{}\n");
            assert!(begun.elapsed() < Duration::from_secs(4), "{keeper}");
        }
    }
}
