//! What an answer of the API means: one table, first match wins.
//!
//! From its own description (the models of `sfapi_client` 0.6.0, version 1.2 of the API): most
//! failures come as `200` with `status: "ERROR"` and the words of a command; others have a `detail`,
//! a text or a list of what is wrong with the request.

use serde_json::Value;

use crate::auth::Token;
use crate::failure::{Code, Failure};
use crate::http::Reply;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// How the machine is, without a credential.
    Status,
    /// Whose the credential is.
    Account,
    /// The owner's clients.
    Clients,
    /// What stands at a path.
    List,
    /// A file's bytes.
    Download,
    /// Write a file, over any that is there.
    Upload,
}

use Call::{Account, Clients, Download, List, Status, Upload};

/// Calls that run something on the machine.
const UTILITIES: &[Call] = &[List, Download, Upload];
const ANY: &[Call] = &[Status, Account, Clients, List, Download, Upload];

/// What is to be done about an answer that says nothing more.
pub(super) const HELP: &str =
    "if it lasts, give the message to NERSC's help desk (https://help.nersc.gov)";
const WAIT: &str = "nothing yet; https://www.nersc.gov/live-status/motd/ tells of outages";

impl Call {
    pub(super) fn writes(self) -> bool {
        self == Upload
    }

    fn words(self) -> &'static str {
        match self {
            Status => "asking how the machine is",
            Account => "asking whose the credential is",
            Clients => "asking for the client",
            List => "looking for the notebook",
            Download => "reading the notebook",
            Upload => "uploading the notebook",
        }
    }
}

/// A row: these calls, this status, this text in what is said; then the code, and its advice where
/// the table's is about hubs.
type Rule = (&'static [Call], u16, &'static str, Code, &'static str);

const RULES: &[Rule] = &[
    // The machine's commands, behind an answer of success. `directory-vanished` says for now only
    // that something isn't there; whoever asked knows what that means.
    (UTILITIES, 200, "No such file", Code::DirectoryVanished, ""),
    (UTILITIES, 200, "ermission denied", Code::NotWritable, ""),
    (UTILITIES, 200, "Read-only file", Code::NotWritable, ""),
    (UTILITIES, 200, "Not a directory", Code::NotWritable, ""),
    (UTILITIES, 200, "quota", Code::StorageFull, ""),
    (UTILITIES, 200, "No space left", Code::StorageFull, ""),
    (UTILITIES, 200, "name too long", Code::NameUnusable, ""),
    (&[Upload], 200, "too large", Code::NotebookTooLarge, ""),
    (ANY, 200, "", Code::HubError, HELP),
    // Limits and outages.
    (&[Upload], 413, "", Code::NotebookTooLarge, ""),
    (ANY, 408, "", Code::HubUnreachable, WAIT),
    (ANY, 429, "", Code::HubBusy, ""),
    (&[Upload], 502, "", Code::AnswerLost, ""),
    (&[Upload], 504, "", Code::AnswerLost, ""),
    (ANY, 502, "", Code::HubUnreachable, WAIT),
    (ANY, 503, "", Code::HubDown, WAIT),
    (ANY, 504, "", Code::HubUnreachable, WAIT),
    (ANY, 507, "", Code::StorageFull, ""),
    // Another API, or another machine.
    (ANY, 422, "machine", Code::NotASuperfacility, ""),
    (&[Status], 422, "", Code::NotASuperfacility, ""),
    (ANY, 301, "", Code::NotASuperfacility, ""),
    (ANY, 302, "", Code::NotASuperfacility, ""),
    (ANY, 307, "", Code::NotASuperfacility, ""),
    (ANY, 308, "", Code::NotASuperfacility, ""),
    (ANY, 404, "", Code::NotASuperfacility, ""),
    (ANY, 405, "", Code::NotASuperfacility, ""),
];

/// The answer, if it says of itself that all went well, and has the form that it should have.
///
/// # Errors
/// What it stands for otherwise; what no row knows is tried again.
pub(super) fn judge(call: Call, reply: &Reply, token: Option<&Token>) -> Result<Value, Failure> {
    let answer = reply.json();
    if reply.status == 200 && is_fine(call, &answer) {
        return Ok(answer);
    }
    let words = words(reply, &answer);
    let what = format!(
        "{}: {} answered {} {words}",
        call.words(),
        reply.url,
        reply.status
    );
    let what = what.trim_end();
    let failure = match reply.status {
        401 | 403 => refused(call, reply.status, what, token),
        // Nobody else answers with a page.
        200 if !answer.is_object() && !answer.is_array() => Code::PageInsteadOfApi.failure(what),
        status => by_rule(call, status, &words, what),
    };
    Err(failure.after(reply.retry_after))
}

/// A `200` alone says nothing.
fn is_fine(call: Call, answer: &Value) -> bool {
    match call {
        Status => answer["status"].is_string() && answer["name"].is_string(),
        Account => answer["name"].as_str().is_some_and(|name| !name.is_empty()),
        Clients => answer.is_array(),
        List => answer["status"] == "OK" && answer["entries"].is_array(),
        Download => answer["status"] == "OK" && answer["file"].is_string(),
        Upload => answer["status"] == "OK",
    }
}

fn by_rule(call: Call, status: u16, words: &str, what: &str) -> Failure {
    let rule = RULES.iter().find(|(calls, of, part, _, _)| {
        calls.contains(&call) && *of == status && words.contains(part)
    });
    let (code, advice) = rule.map_or((Code::HubError, HELP), |rule| (rule.3, rule.4));
    match advice {
        "" => code.failure(what),
        advice => code.failure(what).advise(advice),
    }
}

/// What the other side says of its answer.
fn words(reply: &Reply, answer: &Value) -> String {
    let told = match (&answer["error"], &answer["detail"]) {
        (Value::String(error), _) if !error.is_empty() => error.clone(),
        (_, Value::String(detail)) => detail.clone(),
        (_, Value::Array(wrong)) => wrong.iter().map(wrong_field).collect::<Vec<_>>().join("; "),
        _ => match &reply.location {
            Some(to) => format!("redirected to {}", to.split('?').next().unwrap_or_default()),
            None => reply.words(),
        },
    };
    let plain = told.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(300).collect::<String>().trim().to_owned()
}

/// One of what is wrong with a request: where, and what.
fn wrong_field(wrong: &Value) -> String {
    let part = |part: &Value| match part {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let place = wrong["loc"].as_array().into_iter().flatten().map(part);
    let place = place.collect::<Vec<_>>().join(".");
    format!("{place}: {}", wrong["msg"].as_str().unwrap_or_default())
}

/// How NERSC refuses a client that has expired, or comes from elsewhere, is not published: both look
/// like a wrong key. An upload that is forbidden is tried again by a job: whatever a probe may ask is
/// allowed to every client.
fn refused(call: Call, status: u16, what: &str, token: Option<&Token>) -> Failure {
    let level = match status {
        403 => "; or its security level is too low for this call",
        _ => "",
    };
    let code = match (call, status) {
        (Upload, 403) => Code::NotWritable,
        _ => Code::TokenRefused,
    };
    let origin = token.map_or("", Token::origin);
    code.failure(format!("{what}; the token is from {origin}")).advise(format!(
        "one of these: the client has expired (make a new one in Iris and put its key in the place of the old one; no restart is needed); this machine's address is outside the client's range; the key is another client's{level}"
    ))
}

/// What the status tells beside one word.
pub(super) fn notes(status: &Value) -> String {
    let notes = status["notes"].as_array().into_iter().flatten();
    let notes = notes.chain([&status["description"]]);
    let notes: Vec<&str> = notes.filter_map(Value::as_str).collect();
    match notes.iter().find(|note| !note.is_empty()) {
        Some(note) => format!(": {}", note.chars().take(200).collect::<String>()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::absent;
    use super::*;
    use crate::catalogue::assert_told;
    use crate::http::Kind;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            url: "https://api/x".into(),
            status,
            kind: if body.starts_with('<') {
                Kind::Html
            } else {
                Kind::Json
            },
            body: body.as_bytes().to_vec(),
            location: None,
            retry_after: None,
            from_hub: false,
            date: None,
        }
    }

    #[test]
    fn every_row_is_told_in_words_of_nersc() {
        let rules = RULES.iter().map(|(calls, status, words, code, _)| {
            let body = match status {
                200 => format!("{{\"status\": \"ERROR\", \"error\": \"{words}\"}}"),
                _ => format!("{{\"detail\": \"{words}\"}}"),
            };
            let failure = judge(calls[0], &reply(*status, &body), None).expect_err("refused");
            assert_eq!(failure.code, *code);
            (format!("{:?} {status} {words}", calls[0]), failure)
        });
        let others = [
            (Upload, 403, "{}"),
            (List, 403, "{}"),
            (Account, 401, "{}"),
            (Status, 200, "<p>Sign in</p>"),
        ];
        let others = others.map(|(call, status, body)| {
            let failure = judge(call, &reply(status, body), None).expect_err("refused");
            (format!("{call:?} {status} {body}"), failure)
        });
        let status = serde_json::json!({"status": "unavailable", "notes": ["maintenance"]});
        let machine = super::super::unavailable("perlmutter", &notes(&status));
        let directory = "global/homes/a/alice/runs";
        let directory = absent(Code::DirectoryMissing, directory, "perlmutter");
        let whole = [
            ("its status".to_owned(), machine),
            ("a directory that is not there".to_owned(), directory),
        ];
        assert_told("answers-of-nersc", rules.chain(others).chain(whole));
    }

    fn code(call: Call, status: u16, body: &str) -> Code {
        let failure = judge(call, &reply(status, body), None).expect_err(body);
        failure.code
    }

    #[test]
    fn an_answer_of_success_is_not_believed_by_its_number() {
        let error = |words: &str| format!("{{\"status\": \"ERROR\", \"error\": \"{words}\"}}");
        for (call, words, expected) in [
            (
                List,
                "ls: cannot access '/x': No such file or directory",
                Code::DirectoryVanished,
            ),
            (Upload, "scp: /x: Permission denied", Code::NotWritable),
            (Upload, "Disk quota exceeded", Code::StorageFull),
            (Upload, "File too large", Code::NotebookTooLarge),
            (List, "File too large", Code::HubError),
            (Upload, "", Code::HubError),
        ] {
            assert_eq!(code(call, 200, &error(words)), expected, "{words}");
        }
        for (call, body) in [
            (List, "{\"status\": \"OK\"}"),
            (Download, "{\"status\": \"OK\", \"file\": null}"),
            (Upload, "{}"),
            (Account, "{\"name\": \"\"}"),
            (Status, "[]"),
        ] {
            assert_eq!(code(call, 200, body), Code::HubError, "{body}");
        }
        assert_eq!(code(Upload, 200, "<p>Sign in</p>"), Code::PageInsteadOfApi);
        judge(Upload, &reply(200, "{\"status\": \"OK\"}"), None).expect("well");
    }

    #[test]
    fn what_is_wrong_with_a_request_is_told_in_words() {
        let body = "{\"detail\": [{\"loc\": [\"path\", \"machine\", 0], \"msg\": \"unexpected value\", \"type\": \"enum\"}]}";
        let failure = judge(List, &reply(422, body), None).expect_err("refused");
        assert_eq!(failure.code, Code::NotASuperfacility);
        assert!(
            failure
                .what
                .ends_with("answered 422 path.machine.0: unexpected value"),
            "{failure}"
        );
        let failure = judge(Upload, &reply(500, "{\"detail\": \"worker\\nlost\"}"), None);
        let failure = failure.expect_err("failed");
        assert_eq!(failure.code, Code::HubError);
        assert!(failure.what.ends_with("500 worker lost"), "{failure}");
    }

    #[test]
    fn a_refusal_names_all_that_may_be_behind_it() {
        for (status, level) in [(401, false), (403, true)] {
            let failure = judge(Account, &reply(status, "{\"detail\": \"no\"}"), None);
            let failure = failure.expect_err("refused");
            assert_eq!(failure.code, Code::TokenRefused);
            for cause in ["expired", "address", "key"] {
                assert!(failure.advice().contains(cause), "{}", failure.advice());
            }
            assert_eq!(failure.advice().contains("security level"), level);
        }
    }

    #[test]
    fn limits_and_outages_are_told_apart() {
        for (call, status, expected) in [
            (Upload, 403, Code::NotWritable),
            (List, 403, Code::TokenRefused),
            (Upload, 413, Code::NotebookTooLarge),
            (Upload, 502, Code::AnswerLost),
            (List, 502, Code::HubUnreachable),
            (List, 503, Code::HubDown),
            (Account, 429, Code::HubBusy),
            (Status, 404, Code::NotASuperfacility),
            (Upload, 418, Code::HubError),
        ] {
            assert_eq!(
                code(call, status, "{\"detail\": \"no\"}"),
                expected,
                "{call:?} {status}"
            );
        }
    }
}
