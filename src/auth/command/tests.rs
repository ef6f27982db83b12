use super::*;
use crate::failure::Class;

/// 2026-11-21T12:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400)
}

fn found(text: &str) -> Result<(String, Option<u64>), String> {
    let found = understand(text, now())?;
    Ok((found.value, found.life.map(|life| life.as_secs())))
}

#[test]
fn what_is_printed_is_told_apart_by_content() {
    let token = |life| Ok(("t0k".to_owned(), life));
    for (text, expected) in [
        ("t0k\n", token(None)),
        ("\u{feff}t0k\r\n", token(None)),
        (
            r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                "status": {"token": "t0k", "expirationTimestamp": "2026-11-21T12:10:00Z"}}"#,
            token(Some(600)),
        ),
        (
            r#"{"kind": "ExecCredential", "status": {"token": "t0k"}}"#,
            token(None),
        ),
        (
            r#"{"access_token": "t0k", "token_type": "Bearer", "expires_in": 60}"#,
            token(Some(60)),
        ),
        (
            r#"{"access_token": "t0k", "expires_in": "60"}"#,
            token(Some(60)),
        ),
        (
            r#"{"token": "t0k", "expires_at": "2026-11-21T13:00:30+01:00"}"#,
            token(Some(30)),
        ),
        (
            r#"{"token": "t0k", "expires_at": 1795262410}"#,
            token(Some(10)),
        ),
        (
            r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "t0k",
                "Expiration": "2026-11-21T12:01:00+00:00"}"#,
            token(Some(60)),
        ),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
    let file = "# Netscape HTTP Cookie File\n\nhub\tFALSE\t/\tFALSE\t1795262500\ta\tb\n";
    assert_eq!(found(file), Ok((file.to_owned(), Some(100))));
}

#[test]
fn what_is_no_credential_is_told_without_showing_it() {
    for (text, expected) in [
        ("", "it printed nothing"),
        (" \n", "it printed nothing"),
        ("s3cret and more", "more than one word"),
        ("s3cret\ns3cret", "more than one word"),
        ("s3cr\u{7}et", "no plain text"),
        ("{\"s3cret\": ", "broken JSON"),
        (
            "{\"s3cret\": \"s3cret\"}",
            "its JSON has no `access_token` and no `token`",
        ),
        (
            r#"{"token": "s3cret", "expires_in": "s3cret"}"#,
            "no number of seconds",
        ),
        (
            r#"{"token": "s3cret", "expires_at": "s3cret"}"#,
            "its `expires_at` is no time",
        ),
        (
            r#"{"token": "s3cret", "expires_in": -3}"#,
            "has ended already",
        ),
        (r#"{"token": "s3 cret"}"#, "more than one word"),
        (r#"{"token": ""}"#, "its token is empty"),
        (
            r#"{"Version": 1, "AccessKeyId": "s3cret", "SecretAccessKey": "s3cret"}"#,
            "`SessionToken`",
        ),
        (
            r#"{"kind": "ExecCredential", "status": {"clientKeyData": "s3cret"}}"#,
            "no `token`",
        ),
        (
            "# Netscape HTTP Cookie File\nhub\tFALSE\t/\tFALSE\t5\ta\ts3cret\n",
            "no cookie in its file",
        ),
        (
            "/nowhere/cookies",
            "/nowhere/cookies, which it names, can't be read",
        ),
    ] {
        let why = found(text).expect_err(text);
        assert!(why.contains(expected), "{text}: {why}");
        assert!(!why.contains("s3c"), "{why}");
    }
}

#[test]
fn a_named_cookie_file_is_read_if_it_is_private() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("cookies");
    let set = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod")
    };
    let named = || found(&format!("{}\n", path.display()));
    let text = "hub\tFALSE\t/\tFALSE\t0\ta\tb\n";
    std::fs::write(&path, text).expect("written");
    set(0o644);
    assert!(named().expect_err("refused").contains("chmod o-rwx"));
    set(0o600);
    assert_eq!(named(), Ok((text.to_owned(), None)));
    std::fs::write(&path, "a token").expect("written");
    assert!(named().expect_err("refused").contains("is no cookie file"));
}

fn asked(words: &[&str]) -> Asked {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let paces = Paces {
        command: Duration::from_millis(500),
        ..Paces::default()
    };
    Asked::new(&words, "swan", &paces)
}

async fn fetched(script: &str) -> Result<Fetched, Failure> {
    asked(&["sh", "-c", script, "sh", "s3cret"]).fetch().await
}

#[tokio::test]
async fn a_command_is_run_without_our_environment_and_its_credential_taken() {
    let script = "echo \"$NBCOURIER_DESTINATION$CARGO_MANIFEST_DIR\"";
    let fetched = fetched(script).await.expect("a token");
    assert_eq!(fetched.token.secret().expose(), "swan");
    assert_eq!(fetched.token.origin(), "command `sh`");
    assert_eq!(fetched.life, Some(ASSUMED));
}

#[tokio::test]
async fn a_command_that_fails_is_named_with_its_exit_status_and_nothing_it_said() {
    for (script, expected) in [
        (
            "echo s3cret; echo s3cret >&2; exit 3",
            "command `sh` gives no credential: it ended with exit status: 3",
        ),
        ("echo s3cret; sleep 60", "it did not end within 0.5 s"),
        ("yes s3cret", "it printed more than 64 KiB"),
        ("printf 's3cret\\377'", "no plain text"),
    ] {
        let failure = fetched(script).await.err().expect(script);
        assert_eq!(failure.code, Code::CredentialCommandFailed);
        assert!(matches!(failure.code.row().class, Class::Retry(_)));
        assert!(failure.what.contains(expected), "{failure}");
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
    }
    let absent = asked(&["/nowhere/x"]).fetch().await.err().expect("absent");
    assert!(absent.what.contains("can't be started"), "{absent}");
}
