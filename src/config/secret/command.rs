//! A secret that a command prints.

use std::process::Command;
use std::time::Duration;

use zeroize::Zeroizing;

use super::file::LARGEST;
use crate::process;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What is left of the environment; others are given by `["env", "NAME=value", "program"]`.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ"];

/// What a command prints. What it complains of may hold secrets that nobody knows yet: it is for
/// who looks for the reason, in the log at `debug`.
pub(super) async fn ask(words: Vec<String>) -> Result<Zeroizing<Vec<u8>>, String> {
    let asked = tokio::task::spawn_blocking(move || {
        let (program, arguments) = words.split_first()?;
        let mut command = Command::new(program);
        let kept = KEPT
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.args(arguments).env_clear().envs(kept);
        super::scrub(&mut command);
        Some(process::run(&mut command, LIMIT, LARGEST))
    });
    match asked.await {
        Ok(Some(Ok(printed))) => Ok(Zeroizing::new(printed)),
        Ok(Some(Err(failed))) => {
            tracing::debug!(
                said = failed.said,
                "a command for a secret: {}",
                failed.what
            );
            Err(failed.what)
        }
        Ok(None) => Err("the command is empty".into()),
        Err(_) => Err("the program ends".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::secret::SecretRef;

    fn shell(script: &str) -> SecretRef {
        SecretRef::Command(["sh", "-c", script].map(String::from).to_vec())
    }

    #[tokio::test]
    async fn a_command_prints_a_secret_in_a_clean_environment() {
        // Cargo sets it for tests; a service's manager sets others.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let seen = shell("env | cut -d= -f1 | sort | tr '\\n' ,; pwd")
            .read()
            .await;
        let seen = seen.expect("a word");
        for name in seen.expose().split(',') {
            let own = ["PWD", "SHLVL", "OLDPWD", "_", "/"].contains(&name);
            assert!(own || super::KEPT.contains(&name), "{name}");
        }
        assert!(seen.expose().contains("PATH,") && seen.expose().ends_with('/'));
    }

    #[tokio::test]
    async fn what_a_command_complains_of_is_not_told() {
        for (script, told) in [
            (
                "echo very-secret; echo very-secret >&2; exit 3",
                "it ended with exit status: 3",
            ),
            ("yes very-secret", "it printed more than 64 KiB"),
            (":", "it is empty"),
            ("echo two words", "it has more than one word"),
        ] {
            let failure = shell(script).read().await.expect_err(script);
            assert!(failure.what.ends_with(told), "{failure}");
            assert!(!failure.what.contains("very"), "{failure}");
        }
    }

    #[test]
    fn a_variable_that_holds_a_secret_is_taken_from_what_is_started() {
        drop(SecretRef::env("CARGO_PKG_NAME".into()));
        let mut command = std::process::Command::new("env");
        super::super::scrub(&mut command);
        let seen = command.output().expect("env").stdout;
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains("CARGO_PKG_VERSION=") && !seen.contains("CARGO_PKG_NAME="));
    }
}
