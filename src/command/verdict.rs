//! What an exit status means: `sysexits.h`, and a shell's own two.

use std::io::ErrorKind;

use crate::failure::{Code, Failure};
use crate::process::{Ended, Trouble, with_words};

/// The status of a program whose credential was refused (`EX_NOPERM`).
const REFUSED: i32 = 77;

/// What each status says, and what follows; every other one is tried again.
const STATUSES: [(i32, &str, Code); 10] = [
    (64, "wrong arguments", Code::CommandRefused),
    (65, "this notebook can't be taken", Code::NotebookRejected),
    (69, "a service is unavailable", Code::CommandUnavailable),
    // A file that isn't there may come yet.
    (66, "it misses a file", Code::CommandFailed),
    (74, "an error of input or output", Code::CommandUnavailable),
    (75, "a temporary failure", Code::CommandUnavailable),
    (REFUSED, "permission denied", Code::CommandRefused),
    (78, "a mistake in its configuration", Code::CommandRefused),
    (126, "it can't be executed", Code::CommandRefused),
    (127, "a program is not there", Code::CommandRefused),
];

/// Whether it says that its credential was refused.
pub(super) fn is_refusal(ended: &Ended) -> bool {
    ended.status.code() == Some(REFUSED)
}

/// Whether it took the notebook, by its exit status.
///
/// # Errors
/// `command-unavailable`, `command-refused`, `command-failed`, `notebook-rejected`.
pub(super) fn of(program: &str, ended: &Ended) -> Result<(), Failure> {
    if ended.status.success() {
        return Ok(());
    }
    let known = STATUSES
        .iter()
        .find(|(status, ..)| ended.status.code() == Some(*status));
    let (meaning, code) = match known {
        Some((_, meaning, code)) => (format!(" ({meaning})"), *code),
        None => (String::new(), Code::CommandFailed),
    };
    let what = format!("command `{program}` ended with {}{meaning}", ended.status);
    let failure = code.failure(with_words(&what, &ended.complaint));
    Err(match code {
        Code::NotebookRejected => {
            failure.advise("correct the template or the command, then `nbcourier retry` the run")
        }
        _ => failure,
    })
}

/// Why it came to no end.
pub(super) fn of_trouble(program: &str, trouble: &Trouble) -> Failure {
    let missing = [ErrorKind::NotFound, ErrorKind::PermissionDenied];
    let code = match trouble {
        Trouble::Absent(error) if missing.contains(&error.kind()) => Code::CommandMissing,
        _ => Code::CommandFailed,
    };
    code.failure(format!("command `{program}`: {trouble}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::catalogue::assert_told;

    #[test]
    fn every_end_of_a_command_is_told() {
        let statuses = STATUSES.iter().map(|(status, ..)| *status << 8);
        let ends = statuses.chain([1 << 8, 9]).map(|raw| {
            let ended = Ended {
                status: ExitStatus::from_raw(raw),
                out: vec![],
                complaint: "no luck".into(),
            };
            let failure = of("deliver.sh", &ended).expect_err("a failure");
            (ended.status.to_string(), failure)
        });
        let absent = Trouble::Absent(ErrorKind::NotFound.into());
        let absent = of_trouble("deliver.sh", &absent);
        assert_told("commands", ends.chain([("no program".to_owned(), absent)]));
    }
}
