//! Questions to the person at the terminal.

use std::io::IsTerminal as _;

use super::super::{Context, Stop, exit};

/// How often a question is repeated.
const TRIES: u8 = 5;

/// Whether somebody sees a question and can answer it.
pub(super) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks until the answer is of use; `read` says what it is, or why it is none.
pub(super) async fn ask<T>(
    context: &Context,
    question: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Stop> {
    for _ in 0..TRIES {
        context.output.question(question);
        // Ctrl-C is seen meanwhile.
        let line = tokio::task::spawn_blocking(line).await;
        let line = line.unwrap_or_else(|error| Err(error.into()))?;
        let Some(answer) = line.strip_suffix('\n') else {
            return Err(Stop::new(exit::ARGUMENTS, "no answer"));
        };
        match read(answer.trim()) {
            Ok(found) => return Ok(found),
            Err(why) => context.output.note(format!("  {why}")),
        }
    }
    Err(Stop::new(exit::ARGUMENTS, "no answer of use"))
}

fn line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line)
}
