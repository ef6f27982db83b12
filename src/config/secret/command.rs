//! A secret that a command prints.

use std::time::Duration;

use zeroize::Zeroizing;

use super::file::LARGEST;
use crate::process::{Call, Trouble};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a command prints, in a clean environment. What it complains of may hold secrets that nobody
/// knows yet: it is for who looks for the reason, in the log at `debug`.
pub(super) async fn ask(words: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let call = Call {
        program: program.clone(),
        arguments: arguments.to_vec(),
        environment: Some(Vec::new()),
        input: Vec::new(),
        limit: LIMIT,
        most: LARGEST,
    };
    let ended = call.run().await.map_err(|trouble| match trouble {
        Trouble::Absent(_) => trouble.to_string(),
        Trouble::Killed { why, .. } => why,
    })?;
    let printed = Zeroizing::new(ended.out);
    if ended.status.success() {
        return Ok(printed);
    }
    tracing::debug!(
        said = ended.complaint,
        "a command for a secret: {}",
        ended.status
    );
    Err(format!("it ended with {}", ended.status))
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let given = ["PATH", "HOME", "LANG", "TZ"].contains(&name);
            let own = ["PWD", "SHLVL", "OLDPWD", "_", "/"].contains(&name);
            assert!(given || own, "{name}");
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

    #[tokio::test]
    async fn a_variable_that_holds_a_secret_is_kept_from_what_is_run() {
        drop(SecretRef::env("CARGO_PKG_NAME".into()));
        let call = Call {
            program: "env".into(),
            arguments: Vec::new(),
            environment: None,
            input: Vec::new(),
            limit: LIMIT,
            most: LARGEST,
        };
        let seen = call.run().await.expect("env").out;
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains("CARGO_PKG_VERSION=") && !seen.contains("CARGO_PKG_NAME="));
    }
}
