use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const LIMITS: Limits = Limits {
    an_hour: 60,
    pause: (Duration::from_secs(30), Duration::from_secs(600)),
    timeout: Duration::from_secs(600),
};

fn started(server: &str, begun_at: i64, ended: Option<(i64, bool)>) -> Start {
    Start {
        server: server.into(),
        begun_at,
        ends_by: begun_at + 600 * SECOND,
        ended,
    }
}

/// A server that fails as often as this in a row, each time as soon as it may be started again.
fn failing_ever(times: usize) -> (Vec<Start>, i64) {
    let (mut starts, mut now) = (Vec::new(), 0);
    for _ in 0..times {
        starts.push(started("alice", now, Some((now, false))));
        if let Err(refused) = may_start(&starts, "alice", now, &LIMITS) {
            now = refused.until;
        }
    }
    (starts, now)
}

#[test]
fn failed_starts_come_slower_and_at_most_five_an_hour() {
    let (starts, _) = failing_ever(7);
    let begun: Vec<i64> = starts.iter().map(|start| start.begun_at / SECOND).collect();
    assert_eq!(begun, [0, 30, 90, 210, 450, 3600, 4200]);
    let refused = may_start(&starts[..5], "alice", 451 * SECOND, &LIMITS).expect_err("five");
    assert_eq!(refused.why, Why::Failing(5));
    assert_eq!(
        may_start(&starts[..4], "bob", 0, &LIMITS),
        Ok(()),
        "bob's is another"
    );
}

#[test]
fn a_success_ends_the_pause() {
    let (mut starts, now) = failing_ever(3);
    starts.push(started("alice", now, Some((now + 1, true))));
    assert_eq!(may_start(&starts, "alice", now + 1, &LIMITS), Ok(()));
}

#[test]
fn a_start_that_the_hub_knows_no_more_of_keeps_the_next_waiting_for_a_while_only() {
    let starts = [started("alice", 0, None)];
    let refused = |now| may_start(&starts, "alice", now, &LIMITS).map_err(|why| why.until);
    assert_eq!(refused(0), Err(30 * SECOND));
    assert_eq!(refused(29 * SECOND), Err(30 * SECOND));
    assert_eq!(refused(30 * SECOND), Ok(()), "nobody saw it ending");
    assert_eq!(may_start(&starts, "bob", 0, &LIMITS), Ok(()));
}

#[test]
fn after_two_failures_on_a_hub_one_server_is_started_at_a_time_until_one_succeeds() {
    let mut starts = vec![
        started("alice", 0, Some((5 * SECOND, false))),
        started("bob", 0, None),
        started("carol", 0, None),
    ];
    let dora = |starts: &[Start]| may_start(starts, "dora", 9 * SECOND, &LIMITS);
    assert_eq!(dora(&starts), Ok(()), "one failure is no row");
    starts[1].ended = Some((6 * SECOND, false));
    let refused = dora(&starts).expect_err("carol's is being started");
    assert_eq!((refused.why, refused.until), (Why::HubFailing, 39 * SECOND));
    starts[2].ended = Some((7 * SECOND, false));
    assert_eq!(dora(&starts), Ok(()), "none is being started");
    starts[2].ended = Some((7 * SECOND, true));
    starts.push(started("ellen", 8 * SECOND, None));
    assert_eq!(dora(&starts), Ok(()), "one has succeeded");
}

#[test]
fn a_start_that_nobody_saw_ending_is_neither_success_nor_failure() {
    let starts = [
        started("alice", 0, Some((1, false))),
        started("bob", 1, None),
        started("carol", 2, Some((3, false))),
        started("dora", HOUR, None),
    ];
    let refused = may_start(&starts, "ellen", HOUR + 1, &LIMITS).expect_err("two failed");
    assert_eq!(refused.why, Why::HubFailing);
    assert_eq!(
        may_start(&starts[..3], "bob", 700 * SECOND, &LIMITS),
        Ok(()),
        "it did not fail"
    );
}

#[test]
fn a_hub_starts_so_many_servers_an_hour() {
    let starts: Vec<Start> = (0..60)
        .map(|n| {
            started(
                &format!("user{n}"),
                n * SECOND,
                Some((n * SECOND + 1, true)),
            )
        })
        .collect();
    let now = 60 * SECOND;
    assert_eq!(may_start(&starts[..59], "alice", now, &LIMITS), Ok(()));
    let refused = may_start(&starts, "alice", now, &LIMITS).expect_err("it is full");
    assert_eq!((refused.why, refused.until), (Why::HubFull(60), HOUR));
    assert_eq!(may_start(&starts, "alice", HOUR, &LIMITS), Ok(()));
}

/// What a simulated user does next: after so many milliseconds, whose server, how long its start
/// takes, and how it ends; `None` is a daemon that is killed meanwhile.
fn wish() -> impl Strategy<Value = (i64, u8, i64, Option<bool>)> {
    let end = prop_oneof![3 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)];
    (0..200 * SECOND, 0..4_u8, 0..500 * SECOND, end)
}

/// All that was started when these wishes came.
fn granted(wishes: Vec<(i64, u8, i64, Option<bool>)>, limits: &Limits) -> Vec<Start> {
    let (mut starts, mut now): (Vec<Start>, i64) = (Vec::new(), 0);
    for (pause, server, takes, end) in wishes {
        now += pause;
        let seen = seen_at(&starts, now);
        let server = format!("user{server}");
        // A server that the hub is starting is followed, whoever asked for it.
        if hub_starts(&starts, &server, now) {
            continue;
        }
        if may_start(&seen, &server, now, limits).is_ok() {
            starts.push(started(&server, now, end.map(|end| (now + takes, end))));
        }
    }
    starts
}

fn hub_starts(starts: &[Start], server: &str, now: i64) -> bool {
    let mine = starts.iter().filter(|start| start.server == server);
    mine.filter_map(|start| start.ended).any(|(at, _)| at > now)
}

/// What the ledger says at this time.
fn seen_at(starts: &[Start], now: i64) -> Vec<Start> {
    let begun = starts.iter().filter(|start| start.begun_at <= now);
    begun
        .cloned()
        .map(|start| Start {
            ended: start.ended.filter(|(at, _)| *at <= now),
            ..start
        })
        .collect()
}

fn running(start: &Start, now: i64) -> bool {
    start.ended.is_none() && start.ends_by > now
}

proptest! {
    #[test]
    fn whatever_comes_the_hub_is_treated_as_a_guest_treats_it(
        wishes in proptest::collection::vec(wish(), 1..150),
        an_hour in 1..40_u32,
    ) {
        let limits = Limits { an_hour, ..LIMITS };
        let starts = granted(wishes, &limits);
        for (at, start) in starts.iter().enumerate() {
            let before = seen_at(&starts[..at], start.begun_at);
            let of_server: Vec<&Start> = before.iter().filter(|one| one.server == start.server).collect();
            let young = |one: &Start| one.begun_at > start.begun_at - 30 * SECOND;
            prop_assert!(!of_server.iter().any(|one| running(one, start.begun_at) && young(one)));
            let this_hour = |at: i64| at > start.begun_at - HOUR;
            let begun = before.iter().filter(|one| this_hour(one.begun_at)).count();
            prop_assert!(begun < an_hour as usize);
            let failed = of_server.iter().filter(|one| one.ended.is_some_and(|(at, well)| !well && this_hour(at)));
            prop_assert!(failed.count() < FAILURES_AN_HOUR);
            if let Some((at, false)) = ended(of_server.into_iter()).last() {
                prop_assert!(start.begun_at >= at + 30 * SECOND);
            }
            let row = failures_in_a_row(&ended(before.iter()));
            prop_assert!(row < 2 || !before.iter().any(|one| running(one, start.begun_at)));
        }
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_unless_a_start_still_runs(
        wishes in proptest::collection::vec(wish(), 1..150),
        an_hour in 1..40_u32,
        later in 0..HOUR,
    ) {
        let limits = Limits { an_hour, ..LIMITS };
        let starts = granted(wishes, &limits);
        let last = starts.last().map_or(0, |start| start.begun_at);
        let now = last + later;
        let seen = seen_at(&starts, now);
        if let Err(refused) = may_start(&seen, "user0", now, &limits) {
            prop_assert!(refused.until > now && refused.until <= now + HOUR);
            if let Err(again) = may_start(&seen, "user0", refused.until, &limits) {
                prop_assert!(matches!(again.why, Why::Starting | Why::HubFailing));
            }
        }
    }
}

#[test]
fn a_server_is_unused_while_nothing_was_seen_there_after_our_own_use() {
    let server = Started {
        server: "alice".into(),
        started_at: 1_000,
        used_at: 60_000,
    };
    let slack = Duration::from_secs(5);
    for (started_at, active_at, is_unused) in [
        (1_000, 1_000, true),
        (1_000, 65_000, true),
        (1_000, 65_001, false),
        // Another one, of her own.
        (1_001, 1_000, false),
    ] {
        let told = server.is_unused(started_at, active_at, slack);
        assert_eq!(told, is_unused, "{started_at} {active_at}");
    }
}
