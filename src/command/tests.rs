use super::*;
use crate::destination::terms::About;

const CONFIG: &str = r#"
daemon.state = "§"
watch.h4.directory = "/data"
notebook.quick.template = "/quick.ipynb"
destination.git.command = ["sh", "-c", "SCRIPT"]
destination.git.open = "https://x/{path}"
"#;

struct Room {
    dir: tempfile::TempDir,
    program: Program,
}

/// A destination that runs this shell script, which holds no `"`.
fn room(script: &str, more: &str) -> Room {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let state = dir.path().display().to_string();
    let text = CONFIG.replace("SCRIPT", script) + more;
    let text = text.replace('§', &state);
    let config = crate::config::parse(&text, Path::new("/etc/nbcourier.toml"));
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let table = &config.destinations[0];
    let crate::config::checked::Kind::Command(command) = &table.kind else {
        panic!("a command")
    };
    let program = Program::new(&config, table, command).expect("a program");
    Room { dir, program }
}

const BYTES: &[u8] = b"{\"cells\": []}";

async fn place(room: &Room) -> Result<Option<String>, Failure> {
    let parameters = serde_json::from_str("{\"energy\": 20.50}").expect("JSON");
    let wanted = Wanted {
        job: "j1",
        bytes: BYTES,
        sha256: "abc",
        recorded: None,
        about: Some(About {
            run: "run_1",
            watch: "h4",
            notebook: "quick",
            template: "/quick.ipynb",
            template_sha256: "def",
            parameters: &parameters,
        }),
    };
    let place = room.program.open(Some("alice"));
    let placed = place.place("runs/a b.ipynb", &wanted).await;
    placed.map(|()| place.url("runs/a b.ipynb"))
}

fn file(room: &Room, name: &str) -> String {
    std::fs::read_to_string(room.dir.path().join(name)).expect(name)
}

/// Nothing of a run is left in the state directory.
fn assert_swept(room: &Room) {
    let left = room.program.open(None).leftovers();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_program_gets_the_notebook_its_facts_and_the_token_and_names_a_link() {
    let script = "cat > §/bytes; cp $NBCOURIER_FACTS $NBCOURIER_TOKEN_FILE §; env > §/env; \
        stat -c %a $NBCOURIER_FACTS $NBCOURIER_TOKEN_FILE $(dirname $NBCOURIER_FACTS) > §/modes; \
        echo https://y/z; echo more";
    let room = room(
        script,
        "destination.git.auth.token = { command = [\"echo\", \"s3cret\"] }",
    );
    assert_eq!(
        place(&room).await.expect("done").as_deref(),
        Some("https://y/z")
    );
    assert_eq!(file(&room, "bytes").as_bytes(), BYTES);
    assert_eq!(file(&room, "token"), "s3cret");
    assert_eq!(file(&room, "modes"), "600\n600\n700\n");
    let facts: serde_json::Value = serde_json::from_str(&file(&room, "facts.json")).expect("JSON");
    let expected = serde_json::json!({
        "job": "j1", "destination": "git", "user": "alice", "path": "runs/a b.ipynb", "name": "a b.ipynb",
        "sha256": "abc", "url": "https://x/runs/a%20b.ipynb", "run": "run_1", "watch": "h4",
        "notebook": "quick", "template": "/quick.ipynb", "template_sha256": "def",
        "parameters": { "energy": 20.5 }
    });
    assert_eq!(
        facts.to_string().replace("20.50", "20.5"),
        expected.to_string()
    );
    let environment = file(&room, "env");
    assert!(
        environment.contains("NBCOURIER_JOB=j1\n")
            && environment.contains("NBCOURIER_DESTINATION=git\n")
    );
    assert!(
        !environment.contains("s3cret") && !environment.contains("CARGO"),
        "{environment}"
    );
    assert_swept(&room);
}

#[tokio::test]
async fn an_exit_status_says_what_follows() {
    for (status, code) in [
        (1, "command-failed"),
        (2, "command-failed"),
        (64, "command-refused"),
        (65, "notebook-rejected"),
        (66, "command-failed"),
        (69, "command-unavailable"),
        (74, "command-unavailable"),
        (75, "command-unavailable"),
        (77, "command-refused"),
        (78, "command-refused"),
        (126, "command-refused"),
        (127, "command-refused"),
    ] {
        let room = room(&format!("echo https://y/; echo why >&2; exit {status}"), "");
        let failure = place(&room).await.expect_err("it fails");
        assert_eq!(failure.code.as_str(), code, "{status}");
        let begin = format!("command `sh` ended with exit status: {status}");
        assert!(
            failure.what.starts_with(&begin) && failure.what.ends_with(": why"),
            "{failure}"
        );
        assert_swept(&room);
    }
    let killed = place(&room("kill -9 $$", "")).await.expect_err("it fails");
    assert_eq!(killed.code, Code::CommandFailed);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_before_and_at_the_delivery() {
    let mut room = room("true", "");
    room.program.probe(None).await.expect("a shell is there");
    room.program.program = "nowhere-program".into();
    for failure in [
        room.program.probe(None).await.err(),
        place(&room).await.err(),
    ] {
        assert_eq!(failure.expect("missing").code, Code::CommandMissing);
    }
    room.program.program = room.dir.path().display().to_string();
    assert_eq!(
        room.program
            .probe(None)
            .await
            .expect_err("a directory")
            .code,
        Code::CommandMissing
    );
}

#[tokio::test]
async fn one_that_hangs_is_killed_and_its_last_words_are_shown_without_the_token() {
    let script = "cat $NBCOURIER_TOKEN_FILE >&2; sleep 300";
    let mut hanging = room(
        script,
        "destination.git.auth.token = { command = [\"echo\", \"s3cret\"] }",
    );
    hanging.program.limit = std::time::Duration::from_millis(500);
    let failure = place(&hanging).await.expect_err("it hangs");
    assert_eq!(failure.code, Code::CommandFailed);
    assert_eq!(
        failure.what,
        "command `sh`: it did not end within 0.5 s: [secret]"
    );
    assert_swept(&hanging);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_program_run_once_more() {
    let renewing = |script: &str| {
        let count = "echo t >> §/asked; wc -l < §/asked";
        let auth = format!("destination.git.auth.command = [\"sh\", \"-c\", \"{count}\"]");
        room(&format!("echo r >> §/runs; {script}"), &auth)
    };
    let room = renewing("test $(cat $NBCOURIER_TOKEN_FILE) = 2 || exit 77");
    place(&room).await.expect("the second is taken");
    place(&room).await.expect("and kept");
    assert_eq!(
        (file(&room, "asked").as_str(), file(&room, "runs").as_str()),
        ("t\nt\n", "r\nr\nr\n")
    );
    let room = renewing("exit 77");
    let refused = place(&room).await.expect_err("refused");
    assert_eq!(refused.code, Code::CommandRefused);
    assert_eq!(
        (file(&room, "asked").as_str(), file(&room, "runs").as_str()),
        ("t\nt\n", "r\nr\n")
    );
}

#[test]
fn only_a_link_that_may_be_shown_is_taken_for_one() {
    for (out, expected) in [
        ("https://x/a?b#c\nmore", Some("https://x/a?b#c")),
        ("  http://x/  ", Some("http://x/")),
        ("", None),
        ("done\nhttps://x/", None),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("https://user:pass@x/", None),
        ("https://x/ and more", None),
    ] {
        assert_eq!(told(out.as_bytes()).as_deref(), expected, "{out}");
    }
}
