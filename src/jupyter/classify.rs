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
    /// Hub: stop a server.
    Stop,
    /// Hub: make a token.
    Mint,
    /// Server: its version, without a credential.
    ServerVersion,
    /// Server: whether anybody uses it.
    Use,
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
    Delete, Look, MakeDirectory, Mint, Model, Rename, ServerVersion, Spawn, Stop, Upload, Use,
    Version, WhoAmI,
};

/// Calls to a user's server.
const SERVER: &[Call] = &[
    ServerVersion,
    Use,
    Look,
    MakeDirectory,
    Upload,
    Rename,
    Delete,
];
/// Calls after whose lost answer it is not known what stands there.
const WRITES: &[Call] = &[MakeDirectory, Upload, Rename, Delete];
/// All calls.
const ANY: &[Call] = &[
    Version,
    WhoAmI,
    Model,
    Spawn,
    Stop,
    Mint,
    ServerVersion,
    Use,
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
            Stop => "stopping the server",
            Mint => "having a token made",
            Use => "asking whether the server is used",
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
    (SERVER, 500, None, "[Errno 13]", Code::NotWritable),
    (SERVER, 500, None, "[Errno 30]", Code::NotWritable),
    (SERVER, 500, None, "[Errno 36]", Code::NameUnusable),
    // A full disk hides behind the server's own temporary file, which it can't move back.
    (&[Upload], 500, None, "' -> '", Code::StorageFull),
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
    // What SWAN keeps for itself.
    (
        &[MakeDirectory, Rename],
        400,
        None,
        "is restricted",
        Code::NameUnusable,
    ),
    (
        &[MakeDirectory],
        400,
        None,
        "You can only create projects",
        Code::NameUnusable,
    ),
    (&[Rename], 400, None, "Cannot rename", Code::NameUnusable),
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
        &[Spawn, Stop, Model, Mint],
        403,
        None,
        "invalid credentials",
        Code::TokenUnknown,
    ),
    // Without any words when nobody is known by the token.
    (&[Mint], 403, JSON, "\"message\": null", Code::TokenUnknown),
    (
        &[Spawn, Stop, Model, Mint],
        403,
        None,
        "",
        Code::ScopeMissing,
    ),
    (&[Mint], 400, None, "", Code::TokenRequestRefused),
    (&[Spawn, Stop, Model], 404, None, "", Code::UserUnknown),
    // Starting a server.
    (&[Spawn, Stop], 400, None, "pending", Code::ServerStopped),
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
mod tests;
