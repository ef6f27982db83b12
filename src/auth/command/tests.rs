use url::Url;

use super::*;
use crate::failure::Class;
use crate::http::Client;

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

fn asked(words: &[&str], door: Option<Door>) -> Asked {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let paces = Paces {
        command: Duration::from_millis(500),
        ..Paces::default()
    };
    Asked::new(&words, ("swan", door), &paces)
}

async fn fetched(script: &str) -> Result<Fetched, Failure> {
    asked(&["sh", "-c", script, "sh", "s3cret"], None)
        .fetch()
        .await
}

/// The same with a file to write into, `$1`.
async fn logged_in(script: &str, door: Option<Door>) -> Result<Fetched, Failure> {
    let words = ["env", "A=b", "sh", "-c", script, "sh", "{file}"];
    asked(&words, door).fetch().await
}

/// Of a hub that nobody asks.
fn door() -> Option<Door> {
    Some(Door {
        hub: Url::parse("https://hub/").expect("a URL"),
        client: Client::new(None, None, Duration::from_secs(1)).expect("a client"),
    })
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
    let absent = asked(&["/nowhere/x"], None)
        .fetch()
        .await
        .err()
        .expect("absent");
    assert!(absent.what.contains("can't be started"), "{absent}");
}

/// What a shell prints as a line of a cookie file.
fn line(host: &str, name: &str) -> String {
    format!("printf '{host}\\tFALSE\\t/\\tFALSE\\t0\\t{name}\\ts3cret\\n' >>\"$1\"; ")
}

#[tokio::test]
async fn a_login_tools_file_is_new_private_read_whatever_its_exit_status_and_gone_afterwards() {
    let seen = tempfile::tempdir().expect("a temporary directory");
    let kept = seen.path().join("seen").display().to_string();
    let script = format!(
        "test ! -e \"$1\" || exit 9; {} echo \"$1\" >{kept}; stat -c %a \"$(dirname \"$1\")\" >>{kept}; echo hm; exit 1",
        line("hub", "jupyterhub-hub-login") + &line("idp", "KEYCLOAK_SESSION")
    );
    let fetched = logged_in(&script, None).await.expect("a login");
    assert!(fetched.token.is_cookies());
    assert_eq!(fetched.token.origin(), "command `sh`");
    assert_eq!((fetched.life, fetched.is_assumed), (Some(ASSUMED), true));
    let seen = std::fs::read_to_string(kept).expect("seen");
    let (file, mode) = seen.trim().split_once('\n').expect("two lines");
    assert_eq!(mode, "700");
    let directory = Path::new(file).parent().expect("a parent");
    assert!(!directory.exists(), "{file}");
    let token = logged_in("printf t0k >\"$1\"", door())
        .await
        .expect("a token");
    assert_eq!(token.token.secret().expose(), "t0k");
}

#[tokio::test]
async fn a_login_tool_that_ends_well_without_a_login_is_not_run_over_and_over() {
    let state = line("hub", "oauthenticator-state");
    for (script, code, words) in [
        (state.clone(), "need-otp", "second factor"),
        (
            state.clone() + &line("idp", "KEYCLOAK_SESSION"),
            "denied",
            "the hub did not",
        ),
        (
            state.clone() + "echo 'ERROR: Login failed: Account disabled' >&2; exit 1",
            "idp-error",
            "command `sh` did not log in: ERROR: Login failed: Account disabled",
        ),
        (
            "echo oh >&2; exit 3".into(),
            "credential-command-failed",
            "gives no credential: it ended with exit status: 3: oh",
        ),
        (
            "exit 0".into(),
            "credential-command-failed",
            "it wrote no file",
        ),
        (
            "yes >\"$1\"".into(),
            "credential-command-failed",
            "within 0.5 s",
        ),
        (
            "head -c 70000 /dev/zero >\"$1\"".into(),
            "credential-command-failed",
            "no plain text of at most 64 KiB",
        ),
    ] {
        let failure = logged_in(&script, door()).await.err().expect(&script);
        assert_eq!(failure.code.as_str(), code, "{failure}");
        assert!(failure.what.contains(words), "{failure}");
        assert!(!failure.what.contains("s3cret"), "{failure}");
    }
    // Words that nobody knows may mean a failed try as well.
    let unknown = logged_in("exit 3", door()).await.err().expect("no login");
    assert_eq!(unknown.retry_after, Some(Paces::default().probe));
    // What is printed is judged in the same way.
    let printed = "printf 'hub\\tFALSE\\t/\\tFALSE\\t0\\ta\\ts3cret\\n'";
    let failure = asked(&["sh", "-c", printed], door()).fetch().await.err();
    assert_eq!(failure.expect("no login").code, Code::NeedOtp);
}
