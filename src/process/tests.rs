use super::*;

fn call(script: &str, limit: Duration) -> Call {
    Call {
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: Some(vec![("ONE", "1 2".into())]),
        input: Vec::new(),
        limit,
        most: 1 << 20,
    }
}

fn run(call: &Call) -> Result<Ended, Trouble> {
    call.run_here(&AtomicBool::new(false))
}

const LIMIT: Duration = Duration::from_secs(30);

/// Whether a process is there and no zombie.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn await_end(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while lives(pid) {
        assert!(Instant::now() < deadline, "{pid} lives");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_program_reads_its_input_and_sees_nothing_of_our_environment() {
    let mut cat = call("env >&2; cat; echo end >&2; exit 3", LIMIT);
    cat.input = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    cat.most = 4 << 20;
    let ended = run(&cat).expect("it ends");
    assert_eq!(ended.out, cat.input);
    assert_eq!(
        (ended.status.code(), ended.complaint.as_str()),
        (Some(3), "end")
    );
    let ended = run(&call("env | cut -d= -f1 | sort | tr '\\n' ' '; pwd", LIMIT)).expect("it ends");
    let out = String::from_utf8_lossy(&ended.out);
    for name in out.split_whitespace() {
        let known = [
            "PATH", "HOME", "LANG", "TZ", "ONE", "PWD", "SHLVL", "_", "/",
        ];
        assert!(known.contains(&name), "{out}");
    }
    assert!(out.contains("ONE") && out.contains("PATH"), "{out}");
}

#[test]
fn who_does_not_read_its_input_is_not_waited_for() {
    let mut deaf = call("exec <&-; echo well; sleep 0.1", LIMIT);
    deaf.input = vec![7; 1 << 20];
    assert_eq!(run(&deaf).expect("it ends").out, b"well\n");
}

#[test]
fn what_prints_too_much_takes_too_long_or_is_not_there_is_told() {
    let why = |call: &Call| run(call).expect_err("no end of its own").to_string();
    assert_eq!(why(&call("yes", LIMIT)), "it printed more than 1 MiB");
    let short = Duration::from_millis(300);
    let slow = call("printf 'a\\033[1mb\\n\\n' >&2; sleep 300", short);
    assert_eq!(why(&slow), "it did not end within 0.3 s: a[1mb");
    let url = call(
        "echo 'at https://a/b?code=c&state=d because, why?' >&2",
        LIMIT,
    );
    let said = run(&url).expect("it ends").complaint;
    assert_eq!(said, "at https://a/b because, why?");
    let mut absent = call("", LIMIT);
    absent.program = "/nowhere/program".into();
    assert!(why(&absent).starts_with("it can't be started"));
}

#[tokio::test]
async fn who_waits_no_more_leaves_nothing_running() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; wait", file.display());
    let task = tokio::spawn(call(&script, LIMIT).run());
    let deadline = Instant::now() + Duration::from_secs(10);
    let pid = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) if pid.ends_with('\n') => break pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        assert!(Instant::now() < deadline, "it does not start");
    };
    assert!(lives(&pid));
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    await_end(&pid);
}
