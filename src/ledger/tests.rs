use super::*;
use crate::failure::{Code, Failure};
use crate::job::{Created, Next, PlannedJob};
use crate::run::{Parameters, RunState};

struct Room {
    _dir: tempfile::TempDir,
    ledger: Ledger,
}

fn at(state: &std::path::Path) -> Location {
    Location::File(file(state))
}

async fn room() -> Room {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ledger = Ledger::open(&at(dir.path())).await.expect("a ledger");
    Room { _dir: dir, ledger }
}

fn run(name: &str, users: &[&str]) -> ReadyRun {
    let job = |user: &&str| PlannedJob {
        notebook: "quick".into(),
        destination: "hub".into(),
        user: (*user).into(),
    };
    ReadyRun {
        watch: "h4".into(),
        name: name.into(),
        incarnation: None,
        path: format!("/data/{name}").into(),
        seen_at: 1,
        ready_at: 2,
        sources: [].into(),
        digest: None,
        identity: None,
        limit: None,
        parameters: Parameters::from_iter([("run".into(), name.trim_start_matches("run_").into())]),
        jobs: users.iter().map(job).collect(),
        asked: None,
        request: None,
    }
}

async fn states(ledger: &Ledger) -> Vec<(String, String)> {
    let mut states = Vec::new();
    for run in ledger.runs(&Filter::default()).await.expect("runs") {
        for job in ledger.jobs(run.id).await.expect("jobs") {
            states.push((format!("{}/{}", run.name, job.user), job.state));
        }
    }
    states.sort();
    states
}

async fn claim(ledger: &Ledger, user: &str) -> Claimed {
    let mut claimed = ledger
        .claim(("hub", user), (1, false, 1000), now())
        .await
        .expect("claim");
    claimed.pop().expect("a due job")
}

fn hold(failure: Failure) -> Finished {
    Finished::Failed {
        failure,
        next: Next::Hold,
        probe_at: now(),
    }
}

#[tokio::test]
async fn a_run_recorded_twice_has_its_jobs_once() {
    let room = room().await;
    let runs = [run("run_1", &["alice", "bob"])];
    room.ledger.ready(&runs).await.expect("recorded");
    room.ledger.ready(&runs).await.expect("recorded again");
    assert_eq!(states(&room.ledger).await.len(), 2);
    let lanes = room.ledger.due_lanes(now()).await.expect("lanes");
    assert_eq!(
        lanes,
        [("hub".into(), "alice".into()), ("hub".into(), "bob".into())]
    );
    assert!(
        room.ledger.due_lanes(1).await.expect("lanes").is_empty(),
        "nothing is due before"
    );
}

#[tokio::test]
async fn a_seen_run_becomes_ready_and_an_existing_one_stays_ignored_until_it_is_asked_for() {
    let room = room().await;
    let seen = |name: &str, state, reason: Option<&str>| SeenRun {
        root: None,
        watch: "h4".into(),
        name: name.into(),
        incarnation: 1,
        path: "/data".into(),
        seen_at: 1,
        state,
        reason: reason.map(Into::into),
        baseline: None,
        identity: None,
        held: false,
        counted: false,
        parameters: Parameters::new(),
        jobs: vec![],
    };
    let runs = vec![
        seen("a", RunState::Acquiring, None),
        seen("b", RunState::Ignored, Some("existed-before")),
    ];
    assert!(
        !room
            .ledger
            .watch("h4", None)
            .await
            .expect("written")
            .baseline
    );
    let mut baseline = room.ledger.baseline("h4").await.expect("begun");
    assert_eq!(baseline.add(runs).await.expect("added").len(), 2);
    baseline.commit(Some("7:1.0")).await.expect("recorded");
    assert!(room.ledger.watch("h4", None).await.expect("read").baseline);
    assert_eq!(room.ledger.acquiring("h4").await.expect("read").len(), 1);
    let mut known = Vec::new();
    let take = |name: &str, _: Option<&str>| known.push(name.to_owned());
    room.ledger.known("h4", take).await.expect("read");
    assert_eq!(known, ["a", "b"]);
    room.ledger
        .ready(&[run("a", &["alice"]), run("b", &["alice"])])
        .await
        .expect("recorded");
    assert_eq!(states(&room.ledger).await.len(), 1);
    let asked = ReadyRun {
        asked: Some("somebody".into()),
        ..run("b", &["alice"])
    };
    room.ledger.ready(&[asked]).await.expect("recorded");
    assert!(room.ledger.acquiring("h4").await.expect("read").is_empty());
    assert_eq!(states(&room.ledger).await.len(), 2);
}

#[tokio::test]
async fn a_hold_of_one_user_holds_all_and_only_their_jobs_also_those_that_come_later() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice", "bob"]), run("run_2", &["alice"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    ledger
        .finish(&job, &hold(Code::ScopeMissing.failure("x")), now())
        .await
        .expect("recorded");
    ledger
        .ready(&[run("run_3", &["alice"])])
        .await
        .expect("recorded");
    let held = states(ledger)
        .await
        .into_iter()
        .filter(|(_, state)| state == "held")
        .count();
    assert_eq!(held, 3);
    assert_eq!(
        ledger.due_lanes(now()).await.expect("lanes"),
        [("hub".into(), "bob".into())]
    );
    let holds = ledger.holds().await.expect("holds");
    assert_eq!(holds.len(), 1);
    ledger.release(holds[0].id, now()).await.expect("released");
    assert!(
        states(ledger)
            .await
            .iter()
            .all(|(_, state)| state == "waiting")
    );
}

#[tokio::test]
async fn a_job_of_a_hold_that_succeeds_releases_the_others() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice"]), run("run_2", &["alice"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    ledger
        .finish(&job, &hold(Code::StorageFull.failure("x")), now())
        .await
        .expect("recorded");
    let hold = ledger.holds().await.expect("holds")[0].id;
    let job = ledger
        .claim_held(hold, now())
        .await
        .expect("claim")
        .expect("a held job");
    assert_eq!(job.probes, Some(hold));
    let end = Finished::Delivered {
        outcome: Created::Created,
        url: None,
    };
    ledger.finish(&job, &end, now()).await.expect("recorded");
    let words: Vec<String> = states(ledger)
        .await
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(words, ["delivered", "waiting"]);
    assert!(ledger.holds().await.expect("holds").is_empty());
}

#[tokio::test]
async fn who_probed_a_hold_that_is_gone_meanwhile_leaves_the_next_one_alone() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice", "bob"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    let full = hold(Code::StorageFull.failure("x"));
    ledger.finish(&job, &full, now()).await.expect("recorded");
    let gone = ledger.holds().await.expect("holds")[0].id;
    let probe = ledger.claim_held(gone, now()).await.expect("claimed");
    let probe = probe.expect("a held job");
    ledger.release(gone, now()).await.expect("released");
    let job = claim(ledger, "bob").await;
    ledger.finish(&job, &full, now()).await.expect("recorded");
    let end = Finished::Failed {
        failure: Code::HubError.failure("x"),
        next: Next::Wait {
            at: now(),
            excused: false,
        },
        probe_at: now(),
    };
    ledger.finish(&probe, &end, now()).await.expect("recorded");
    let holds = ledger.holds().await.expect("holds");
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_ne!(holds[0].id, gone);
}

#[tokio::test]
async fn an_outage_met_by_one_job_postpones_all_of_its_destination() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice", "bob"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    let at = now() + 60_000;
    let failure = Code::HubUnreachable.failure("x");
    let end = Finished::Failed {
        failure,
        next: Next::Wait { at, excused: true },
        probe_at: 0,
    };
    ledger.finish(&job, &end, now()).await.expect("recorded");
    assert!(ledger.due_lanes(now()).await.expect("lanes").is_empty());
    assert_eq!(ledger.next_due().await.expect("due"), Some(at));
    assert!(ledger.is_troubled("hub").await.expect("asked"));
    ledger.returned("hub", now()).await.expect("hurried");
    assert_eq!(ledger.due_lanes(now()).await.expect("lanes").len(), 2);
}

#[tokio::test]
async fn nothing_is_written_for_a_job_that_was_skipped_meanwhile() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    let skipped = ledger
        .act(Act::Skip, (&[job.run_id], None), &"me".into())
        .await
        .expect("skipped");
    assert_eq!(
        skipped,
        Acted {
            changed: 1,
            ..Acted::default()
        }
    );
    let target = ledger.record_target(&job, "a.ipynb", ("t", "s"), (4, 4));
    assert_eq!(target.await.expect("asked"), Target::Lost);
    let end = Finished::Delivered {
        outcome: Created::Created,
        url: None,
    };
    ledger.finish(&job, &end, now()).await.expect("no effect");
    assert_eq!(states(ledger).await[0].1, "skipped");
}

#[tokio::test]
async fn retry_leaves_a_delivered_job_and_fresh_makes_one_more() {
    let room = room().await;
    let ledger = &room.ledger;
    ledger
        .ready(&[run("run_1", &["alice"])])
        .await
        .expect("recorded");
    let job = claim(ledger, "alice").await;
    let end = Finished::Delivered {
        outcome: Created::Created,
        url: None,
    };
    ledger.finish(&job, &end, now()).await.expect("recorded");
    let me = "me".to_owned();
    let acted = ledger
        .act(Act::Retry, (&[job.run_id], None), &me)
        .await
        .expect("retried");
    assert_eq!(
        acted,
        Acted {
            unchanged: 1,
            ..Acted::default()
        }
    );
    ledger
        .act(Act::Fresh, (&[job.run_id], None), &me)
        .await
        .expect("retried");
    ledger
        .act(Act::Fresh, (&[job.run_id], None), &me)
        .await
        .expect("no effect while one is on its way");
    assert_eq!(states(ledger).await.len(), 2);
}

#[tokio::test]
async fn what_a_dead_daemon_was_delivering_is_taken_back_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ledger = Ledger::open(&at(dir.path())).await.expect("a ledger");
    ledger
        .ready(&[run("run_1", &["alice"])])
        .await
        .expect("recorded");
    claim(&ledger, "alice").await;
    ledger.close().await;
    let ledger = Ledger::open(&at(dir.path()))
        .await
        .expect("the ledger again");
    ledger.take_back().await.expect("taken back");
    assert_eq!(claim(&ledger, "alice").await.progress.attempts, 2);
}

#[tokio::test]
async fn a_run_is_found_by_name_watch_and_name_parameter_and_job() {
    let room = room().await;
    room.ledger
        .ready(&[run("run_001", &["alice"])])
        .await
        .expect("recorded");
    let uid = claim(&room.ledger, "alice").await.order.uid;
    for text in ["run_001", "h4:run_001", "001", &uid] {
        assert_eq!(
            room.ledger.find(text).await.expect("asked").len(),
            1,
            "{text}"
        );
    }
    assert!(room.ledger.find("1").await.expect("asked").is_empty());
}

#[tokio::test]
async fn a_damaged_or_newer_ledger_and_a_second_daemon_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(
        dir.path().join(FILE),
        b"no database at all, but long enough to be read",
    )
    .expect("write");
    let refused = Ledger::open(&at(dir.path())).await.expect_err("refused");
    assert!(matches!(refused, LedgerError::Unusable(_)), "{refused}");

    let dir = tempfile::tempdir().expect("a temporary directory");
    let ledger = Ledger::open(&at(dir.path())).await.expect("a ledger");
    sqlx::raw_sql("PRAGMA user_version = 99")
        .execute(&ledger.write)
        .await
        .expect("set");
    ledger.close().await;
    let refused = Ledger::open(&at(dir.path())).await.expect_err("refused");
    assert!(refused.to_string().contains("version 99"), "{refused}");

    let _lock = StateLock::take(dir.path()).expect("the lock");
    let refused = StateLock::take(dir.path()).expect_err("refused");
    assert!(
        refused
            .to_string()
            .contains(&std::process::id().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn a_run_that_is_over_is_forgotten_but_for_having_been_and_stays_known() {
    let room = room().await;
    let ledger = &room.ledger;
    let runs = [
        run("run_1", &["alice"]),
        run("run_2", &["alice"]),
        run("run_3", &["bob"]),
        run("run_4", &[]),
    ];
    ledger.ready(&runs).await.expect("recorded");
    let delivered = Finished::Delivered {
        outcome: Created::Created,
        url: Some("https://x/run_1".into()),
    };
    let failed = Finished::Failed {
        failure: Code::Internal.failure("a long story"),
        next: Next::Fail,
        probe_at: 0,
    };
    for end in [delivered, failed] {
        let job = claim(ledger, "alice").await;
        ledger.finish(&job, &end, now()).await.expect("recorded");
    }
    let all = Filter::default();
    let of = |name: &'static str| ledger.find(name);
    assert_eq!(ledger.prune(now() - 60_000, 10).await.expect("pruned"), 0);
    let later = now() + 60_000;
    for pruned in [2, 1, 0] {
        assert_eq!(ledger.prune(later, 2).await.expect("pruned"), pruned);
    }
    for (name, pruned) in [("run_1", 1), ("run_2", 1), ("run_3", 0), ("run_4", 1)] {
        let row = of(name).await.expect("read").pop().expect("still known");
        assert_eq!(row.pruned_at.is_some(), pruned == 1, "{name}");
        assert_eq!(row.parameters.is_empty(), pruned == 1, "{name}");
        let events = ledger.events(row.id).await.expect("read");
        assert_eq!(events.is_empty(), pruned == 1, "{name}");
    }
    let jobs = ledger.jobs(of("run_2").await.expect("read")[0].id).await;
    let failure = jobs.expect("read")[0].failure.clone().expect("a failure");
    assert_eq!(
        (failure.code.as_str(), failure.what.as_str()),
        ("internal", "")
    );

    // Neither detection nor a person has it delivered again without its parameters.
    let more = |names: [&str; 2]| names.map(|name| run(name, &["alice", "carol"]));
    ledger
        .ready(&more(["run_1", "run_2"]))
        .await
        .expect("again");
    let asked = more(["run_1", "run_2"]).map(|run| ReadyRun {
        asked: Some("somebody".into()),
        ..run
    });
    ledger.ready(&asked).await.expect("asked for");
    let me = "me".to_owned();
    let ids: Vec<i64> = ledger
        .runs(&all)
        .await
        .expect("read")
        .iter()
        .map(|run| run.id)
        .collect();
    for (act, changed, pruned) in [(Act::Retry, 1, 1), (Act::Fresh, 0, 2)] {
        let acted = ledger.act(act, (&ids, None), &me).await.expect("done");
        assert_eq!((acted.changed, acted.pruned), (changed, pruned), "{act:?}");
    }
    assert_eq!(states(ledger).await.len(), 3);

    // One that had no notebook is read again when it is asked for.
    let asked = ReadyRun {
        asked: Some("somebody".into()),
        ..run("run_4", &["carol"])
    };
    ledger.ready(&[asked]).await.expect("recorded");
    let row = of("run_4").await.expect("read").pop().expect("known");
    assert_eq!((row.pruned_at, row.parameters.len()), (None, 1));
    assert_eq!(claim(ledger, "carol").await.order.run, "run_4");
}
