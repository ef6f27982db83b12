//! Every observation, and what it means.

use super::*;
use crate::catalogue::assert_told;

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
            "[Errno 2] No such file or directory: '/home/a/.~x.ipynb' -> '/home/a/x.ipynb'",
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
        // On SWAN every write begins with a temporary file.
        (
            Upload,
            500,
            Json,
            "{\"message\": \"[Errno 2] No such file or directory: '/eos/user/a/alice/SWAN_projects/h4/.~x.part'\"}",
            Code::DirectoryVanished,
        ),
        (
            Upload,
            500,
            Json,
            "[Errno 30] Read-only file system: '/eos/user/a/alice/SWAN_projects/h4/.~x.part'",
            Code::NotWritable,
        ),
        (
            Upload,
            500,
            Json,
            "[Errno 36] File name too long: '/eos/user/a/alice/.~x.part'",
            Code::NameUnusable,
        ),
        (
            Upload,
            500,
            Json,
            "[Errno 122] Disk quota exceeded: '/eos/user/a/alice/.~x.part'",
            Code::StorageFull,
        ),
        (
            MakeDirectory,
            403,
            Json,
            "{\"message\": \"Permission denied: user/a/alice/SWAN_projects/h4\"}",
            Code::NotWritable,
        ),
        (
            MakeDirectory,
            400,
            Json,
            "{\"message\": \"You can only create projects inside SWAN Projects\"}",
            Code::NameUnusable,
        ),
        (
            Rename,
            400,
            Json,
            "{\"message\": \"The name SWAN_projects is restricted\"}",
            Code::NameUnusable,
        ),
        (
            MakeDirectory,
            400,
            Json,
            "{\"message\": \"Cannot create hidden directory '/eos/user/a/alice/.h4'\"}",
            Code::NameUnusable,
        ),
        (
            Rename,
            400,
            Json,
            "{\"message\": \"Cannot rename file or directory 'x'\"}",
            Code::NameUnusable,
        ),
        // A bare text.
        (
            MakeDirectory,
            404,
            Json,
            "\"No such file or directory: x\"",
            Code::DirectoryVanished,
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
    let met = table.map(|(call, status, kind, text, code)| {
        let failure = classify(call, &reply(status, kind, text));
        let met = format!("{call:?} {status} {kind:?} {text}");
        assert_eq!(failure.code, code, "{met}");
        (met, failure)
    });
    assert_told("answers-of-a-hub", met);
}

#[test]
fn every_row_can_be_reached() {
    for (at, (calls, status, kind, text, code)) in RULES.iter().enumerate() {
        let reached = calls.iter().any(|call| {
            let kinds = kind.map_or(vec![Kind::Json, Kind::Html, Kind::Other], |kind| vec![kind]);
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
    let failure = classify(Rename, &reply(404, Kind::Json, "\"no such file\""));
    assert!(failure.what.ends_with("404 no such file"), "{failure}");
    let failure = classify(
        Spawn,
        &reply(500, Kind::Json, "{\"message\": \"out\\nof pods\"}"),
    );
    assert!(
        failure.what.ends_with("answered 500 out of pods"),
        "{failure}"
    );
}
