//! What an answer means: one table, first match wins.
//!
//! Measured with `JupyterHub` 3.1 to 6.1 and `jupyter_server` 1.24 to 2.21; each row stands for one
//! observation.

use crate::failure::{Code, Failure};
use crate::http::{Kind, Reply};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Hub: its version, without a credential.
    Version,
    /// Hub: whose token this is.
    WhoAmI,
    /// Hub: a user and their servers.
    Model,
    /// Hub: start a server.
    Spawn,
    /// Hub: make a token.
    Mint,
    /// Server: its version, without a credential.
    ServerVersion,
    /// Server: what stands under a name.
    Look,
    /// Server: make a directory.
    MakeDirectory,
    /// Server: write under a temporary name.
    Upload,
    /// Server: give the final name.
    Rename,
    /// Server: delete a file of ours.
    Delete,
}

use Call::{
    Delete, Look, MakeDirectory, Mint, Model, Rename, ServerVersion, Spawn, Upload, Version, WhoAmI,
};

/// Calls to a user's server.
const SERVER: &[Call] = &[ServerVersion, Look, MakeDirectory, Upload, Rename, Delete];
/// Calls after whose lost answer it is not known what stands there.
const WRITES: &[Call] = &[MakeDirectory, Upload, Rename, Delete];
/// All calls.
const ANY: &[Call] = &[
    Version,
    WhoAmI,
    Model,
    Spawn,
    Mint,
    ServerVersion,
    Look,
    MakeDirectory,
    Upload,
    Rename,
    Delete,
];

impl Call {
    pub(super) fn writes(self) -> bool {
        WRITES.contains(&self)
    }

    /// Whether a user's server is asked, not the hub.
    pub(super) fn is_to_server(self) -> bool {
        SERVER.contains(&self)
    }

    fn words(self) -> &'static str {
        match self {
            Version | ServerVersion => "asking for the version",
            WhoAmI => "asking whose token this is",
            Model => "asking for the user's servers",
            Spawn => "starting the server",
            Mint => "having a token made",
            Look => "looking for the notebook",
            MakeDirectory => "making the directory",
            Upload => "uploading the notebook",
            Rename => "giving the notebook its name",
            Delete => "removing a temporary file",
        }
    }
}

/// A row: these calls, this status, this kind of body (any if none is named), and this text in the
/// body or in the redirect's target.
type Rule = (&'static [Call], u16, Option<Kind>, &'static str, Code);

const JSON: Option<Kind> = Some(Kind::Json);
const HTML: Option<Kind> = Some(Kind::Html);

const RULES: &[Rule] = &[
    // Proxies and outages.
    (SERVER, 503, HTML, "appears to be down", Code::ServerStopped),
    (&[Spawn], 503, JSON, "", Code::SpawnFailed),
    (ANY, 503, None, "", Code::HubDown),
    (WRITES, 502, None, "", Code::AnswerLost),
    (WRITES, 504, None, "", Code::AnswerLost),
    (&[Spawn], 502, None, "", Code::ServerStopped),
    (&[Spawn], 504, None, "", Code::ServerStopped),
    (SERVER, 502, None, "", Code::ServerUnreachable),
    (SERVER, 504, None, "", Code::ServerUnreachable),
    (ANY, 502, None, "", Code::HubUnreachable),
    (ANY, 504, None, "", Code::HubUnreachable),
    (ANY, 429, None, "", Code::HubBusy),
    (
        SERVER,
        500,
        JSON,
        "Failed to connect to Hub API",
        Code::HubDown,
    ),
    // A server that isn't there answers in the hub's name.
    (ANY, 424, None, "", Code::ServerStopped),
    (SERVER, 302, None, "/hub/login", Code::TokenUnknown),
    (SERVER, 302, None, "/hub/", Code::ServerStopped),
    (SERVER, 403, HTML, "", Code::ServerStopped),
    (SERVER, 405, HTML, "", Code::ServerStopped),
    (SERVER, 404, HTML, "", Code::ServerStopped),
    // The user's files.
    (SERVER, 403, None, "Permission denied", Code::NotWritable),
    (SERVER, 500, None, "[Errno 28]", Code::StorageFull),
    (SERVER, 500, None, "[Errno 122]", Code::StorageFull),
    (SERVER, 507, None, "", Code::StorageFull),
    // A full disk hides behind the name of the server's own temporary file.
    (SERVER, 500, None, ".~", Code::StorageFull),
    (SERVER, 500, None, "[Errno 13]", Code::NotWritable),
    (SERVER, 500, None, "[Errno 30]", Code::NotWritable),
    (SERVER, 500, None, "[Errno 36]", Code::NameUnusable),
    (SERVER, 500, None, "[Errno 2]", Code::DirectoryVanished),
    // Two deliveries make the same directory at once.
    (&[MakeDirectory], 500, None, "[Errno 17]", Code::NameTaken),
    (
        &[MakeDirectory],
        400,
        None,
        "Not a directory",
        Code::NotWritable,
    ),
    (&[MakeDirectory], 404, None, "", Code::DirectoryVanished),
    (
        &[Upload, MakeDirectory, Rename],
        400,
        None,
        "Cannot create file or directory",
        Code::NameUnusable,
    ),
    (
        &[Upload, MakeDirectory, Rename],
        400,
        None,
        "hidden",
        Code::NameUnusable,
    ),
    (&[Rename], 409, None, "", Code::NameTaken),
    // The temporary file is gone: another attempt has renamed it, or nobody has.
    (&[Rename], 404, None, "", Code::AnswerLost),
    (&[Upload], 400, None, "", Code::NotebookRejected),
    (&[Upload], 413, None, "", Code::NotebookRejected),
    // Credentials. A server answers all doubts alike; the probe tells them apart.
    (SERVER, 403, None, "", Code::TokenUnknown),
    (ANY, 401, None, "", Code::TokenUnknown),
    (&[WhoAmI], 403, None, "", Code::TokenUnknown),
    (&[Spawn], 403, None, "expired", Code::LoginNeeded),
    (
        &[Spawn],
        400,
        None,
        "authentication has expired",
        Code::LoginNeeded,
    ),
    (
        &[Spawn, Model, Mint],
        403,
        None,
        "invalid credentials",
        Code::TokenUnknown,
    ),
    // Without any words when nobody is known by the token.
    (&[Mint], 403, JSON, "\"message\": null", Code::TokenUnknown),
    (&[Spawn, Model, Mint], 403, None, "", Code::ScopeMissing),
    (&[Mint], 400, None, "", Code::TokenRequestRefused),
    (&[Spawn, Model], 404, None, "", Code::UserUnknown),
    // Starting a server.
    (&[Spawn], 400, None, "pending", Code::ServerStopped),
    (&[Spawn], 400, None, "", Code::SpawnRefused),
    (&[Spawn], 500, None, "", Code::SpawnFailed),
    // Something else lives there.
    (ANY, 302, None, "", Code::PageInsteadOfApi),
    (ANY, 301, None, "", Code::PageInsteadOfApi),
    (ANY, 200, HTML, "", Code::PageInsteadOfApi),
    (&[Version, WhoAmI], 404, None, "", Code::NotAHub),
    (&[ServerVersion], 404, None, "", Code::NotAServer),
];

/// The failure that an unexpected answer stands for. What no row knows is tried again.
pub(super) fn classify(call: Call, reply: &Reply) -> Failure {
    let body = String::from_utf8_lossy(&reply.body[..reply.body.len().min(4096)]);
    let text = format!("{body}\n{}", reply.location.as_deref().unwrap_or_default());
    let rule = RULES.iter().find(|(calls, status, kind, part, _)| {
        calls.contains(&call)
            && *status == reply.status
            && kind.is_none_or(|kind| kind == reply.kind)
            && text.contains(part)
    });
    let code = rule.map_or(Code::HubError, |rule| rule.4);
    let words = match (&reply.location, reply.words()) {
        (Some(location), _) => format!(
            "redirected to {}",
            location.split('?').next().unwrap_or_default()
        ),
        (None, words) => words,
    };
    let what = format!(
        "{}: {} answered {} {words}",
        call.words(),
        reply.url,
        reply.status
    );
    code.failure(what.trim_end()).after(reply.retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, kind: Kind, text: &str) -> Reply {
        let redirect = (300..400).contains(&status);
        Reply {
            url: "https://hub/x".into(),
            status,
            kind,
            body: if redirect {
                Vec::new()
            } else {
                text.as_bytes().to_vec()
            },
            location: redirect.then(|| text.to_owned()),
            retry_after: None,
            from_hub: true,
            date: None,
        }
    }

    #[test]
    fn every_observation_has_its_meaning() {
        use Kind::{Html, Json, Other};
        let table = [
            (Upload, 502, Html, "Bad Gateway", Code::AnswerLost),
            (Rename, 504, Html, "Gateway Timeout", Code::AnswerLost),
            (Look, 502, Html, "", Code::ServerUnreachable),
            (Model, 502, Html, "", Code::HubUnreachable),
            (WhoAmI, 503, Other, "Service Unavailable", Code::HubDown),
            (
                Look,
                503,
                Html,
                "<p>Your server appears to be down</p>",
                Code::ServerStopped,
            ),
            (
                Upload,
                424,
                Json,
                "{\"message\": \"JupyterHub server no longer running\"}",
                Code::ServerStopped,
            ),
            (
                Look,
                302,
                Other,
                "/hub/user/alice/api/contents/x?y",
                Code::ServerStopped,
            ),
            (Look, 302, Other, "/hub/login?next=", Code::TokenUnknown),
            (
                Look,
                302,
                Other,
                "https://sso.example/auth",
                Code::PageInsteadOfApi,
            ),
            (
                Upload,
                403,
                Html,
                "<p>&#39;_xsrf&#39; argument missing from PUT</p>",
                Code::ServerStopped,
            ),
            (Upload, 405, Html, "Method Not Allowed", Code::ServerStopped),
            (
                Upload,
                403,
                Json,
                "{\"message\": \"'_xsrf' argument missing from PUT\"}",
                Code::TokenUnknown,
            ),
            (
                Look,
                403,
                Json,
                "{\"message\": \"Forbidden\"}",
                Code::TokenUnknown,
            ),
            (
                WhoAmI,
                403,
                Json,
                "{\"status\": 403, \"message\": null}",
                Code::TokenUnknown,
            ),
            (
                Spawn,
                403,
                Json,
                "{\"message\": \"requires any of [start:servers]\"}",
                Code::ScopeMissing,
            ),
            (
                Spawn,
                403,
                Json,
                "{\"message\": \"auth has expired for alice, login again\"}",
                Code::LoginNeeded,
            ),
            (
                Spawn,
                400,
                Json,
                "{\"message\": \"alice's authentication has expired\"}",
                Code::LoginNeeded,
            ),
            (
                Model,
                403,
                Json,
                "{\"message\": \"Missing or invalid credentials.\"}",
                Code::TokenUnknown,
            ),
            (Model, 404, Json, "{\"message\": null}", Code::UserUnknown),
            (
                Spawn,
                404,
                Json,
                "No access to resources or resources not found",
                Code::UserUnknown,
            ),
            (
                Spawn,
                400,
                Json,
                "{\"message\": \"alice is pending stop\"}",
                Code::ServerStopped,
            ),
            (
                Spawn,
                400,
                Json,
                "{\"message\": \"Named servers are not enabled.\"}",
                Code::SpawnRefused,
            ),
            (
                Spawn,
                429,
                Json,
                "{\"message\": \"Too many users trying to log in right now.\"}",
                Code::HubBusy,
            ),
            (
                Spawn,
                500,
                Json,
                "{\"message\": \"Internal Server Error\"}",
                Code::SpawnFailed,
            ),
            (
                Spawn,
                503,
                Json,
                "{\"message\": \"no room\"}",
                Code::SpawnFailed,
            ),
            (
                Upload,
                500,
                Json,
                "Failed to connect to Hub API at",
                Code::HubDown,
            ),
            (
                Upload,
                500,
                Json,
                "[Errno 2] No such file or directory: '/home/a/runs'",
                Code::DirectoryVanished,
            ),
            (
                Upload,
                500,
                Json,
                "[Errno 2] No such file: '/home/a/.~x.ipynb'",
                Code::StorageFull,
            ),
            (
                Upload,
                500,
                Json,
                "[Errno 28] No space left on device",
                Code::StorageFull,
            ),
            (
                Upload,
                500,
                Json,
                "[Errno 122] Disk quota exceeded",
                Code::StorageFull,
            ),
            (
                Upload,
                403,
                Json,
                "{\"message\": \"Permission denied: runs/x\"}",
                Code::NotWritable,
            ),
            (
                Upload,
                500,
                Json,
                "[Errno 30] Read-only file system",
                Code::NotWritable,
            ),
            (
                Upload,
                400,
                Json,
                "Cannot create file or directory .x",
                Code::NameUnusable,
            ),
            (
                Upload,
                413,
                Html,
                "Request Entity Too Large",
                Code::NotebookRejected,
            ),
            (
                Upload,
                500,
                Json,
                "{\"message\": \"Unhandled error\"}",
                Code::HubError,
            ),
            (
                MakeDirectory,
                500,
                Json,
                "Unexpected error while saving file: runs [Errno 17] File exists: '/home/a/runs'",
                Code::NameTaken,
            ),
            (Rename, 409, Json, "File already exists", Code::NameTaken),
            (Rename, 404, Json, "no such file", Code::AnswerLost),
            (
                WhoAmI,
                200,
                Html,
                "<title>Sign in</title>",
                Code::PageInsteadOfApi,
            ),
            (Version, 404, Html, "", Code::NotAHub),
            (Look, 418, Other, "", Code::HubError),
        ];
        for (call, status, kind, text, code) in table {
            assert_eq!(
                classify(call, &reply(status, kind, text)).code,
                code,
                "{call:?} {status} {text}"
            );
        }
    }

    #[test]
    fn every_row_can_be_reached() {
        for (at, (calls, status, kind, text, code)) in RULES.iter().enumerate() {
            let reached = calls.iter().any(|call| {
                let kinds =
                    kind.map_or(vec![Kind::Json, Kind::Html, Kind::Other], |kind| vec![kind]);
                kinds.iter().any(|kind| {
                    let first = RULES.iter().position(|rule| {
                        rule.0.contains(call)
                            && rule.1 == *status
                            && rule.2.is_none_or(|wanted| wanted == *kind)
                            && text.contains(rule.3)
                    });
                    first == Some(at)
                })
            });
            assert!(reached, "row {at} for {code:?} is never met");
        }
    }

    #[test]
    fn the_sentence_has_their_words_and_no_query() {
        let failure = classify(Look, &reply(302, Kind::Other, "/hub/login?next=secret"));
        assert_eq!(
            failure.what,
            "looking for the notebook: https://hub/x answered 302 redirected to /hub/login"
        );
        let failure = classify(
            Spawn,
            &reply(500, Kind::Json, "{\"message\": \"out\\nof pods\"}"),
        );
        assert!(
            failure.what.ends_with("answered 500 out of pods"),
            "{failure}"
        );
    }
}
