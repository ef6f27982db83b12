//! Which of the jobs that are due is taken next, asked of the ledger itself.

use nbcourier::failure::Code;
use nbcourier::job::{Created, Next, PlannedJob};
use nbcourier::ledger::{Claimed, Finished, Ledger, Location, ReadyRun, Step, file};
use nbcourier::retry::ramp;
use nbcourier::run::Parameters;
use proptest::prelude::*;

/// Between two doublings, milliseconds.
const STEP: i64 = 5_000;

/// When the outage is over, milliseconds since 1970.
const BACK: i64 = 1_000_000;

struct Room {
    dir: tempfile::TempDir,
    ledger: Ledger,
}

impl Room {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ledger = open(&dir).await;
        Self { dir, ledger }
    }

    /// Runs with a job each, the first one due then and each a millisecond after the one before.
    async fn due(&self, (destination, user): (&str, &str), names: std::ops::Range<i64>, at: i64) {
        let runs: Vec<_> = names
            .map(|number| {
                run(
                    &format!("{user}_{number:03}"),
                    (destination, user),
                    at + number,
                )
            })
            .collect();
        self.ledger.ready(&runs).await.expect("recorded");
    }

    async fn claim(
        &self,
        lane: (&str, &str),
        (limit, newest): (usize, bool),
        at: i64,
    ) -> Vec<Claimed> {
        let room = (limit, newest, STEP);
        self.ledger.claim(lane, room, at).await.expect("claimed")
    }

    async fn delivered(&self, job: &Claimed, at: i64) {
        let outcome = Created::Created;
        let end = Finished::Delivered { outcome, url: None };
        self.ledger.finish(job, &end, at).await.expect("recorded");
    }

    /// The hub can't be reached until `at`.
    async fn unreachable(&self, job: &Claimed, at: i64) {
        let end = Finished::Failed {
            failure: Code::HubUnreachable.failure("no route"),
            next: Next::Wait { at, excused: true },
            probe_at: at,
        };
        self.ledger
            .finish(job, &end, 1_000)
            .await
            .expect("recorded");
    }
}

async fn open(dir: &tempfile::TempDir) -> Ledger {
    let location = Location::File(file(dir.path()));
    Ledger::open(&location).await.expect("a ledger")
}

fn run(name: &str, (destination, user): (&str, &str), ready_at: i64) -> ReadyRun {
    let job = PlannedJob {
        notebook: "quick".into(),
        destination: destination.into(),
        user: user.into(),
    };
    ReadyRun {
        watch: destination.into(),
        name: name.into(),
        incarnation: None,
        path: format!("/data/{name}").into(),
        seen_at: ready_at,
        ready_at,
        parameters: Parameters::new(),
        sources: [].into(),
        digest: None,
        identity: None,
        jobs: vec![job],
        asked: None,
        limit: None,
        request: None,
    }
}

proptest! {
    #[test]
    fn after_an_outage_one_is_admitted_and_twice_as_many_after_each_step(
        since in 0_i64..1_000_000_000, step in 1_i64..1_000_000
    ) {
        let (now, next) = (ramp(since, step), ramp(since + step, step));
        prop_assert!(now >= 1);
        prop_assert_eq!(next, if now < 512 { now * 2 } else { i64::MAX });
        prop_assert!(ramp(since + 1, step) >= now);
        prop_assert_eq!(ramp(since % step, step), 1);
        // A clock that was set back begins anew.
        prop_assert_eq!(ramp(-since, step), 1);
        prop_assert!(ramp(since, 0) >= 1);
    }
}

#[tokio::test]
async fn what_is_fresh_takes_turns_with_what_has_waited_long() {
    let room = Room::new().await;
    let lane = ("hub", "alice");
    room.due(lane, 0..100, 1_000).await;
    room.due(lane, 100..110, 500_000).await;
    let mut taken = Vec::new();
    for turn in 0..20 {
        let claimed = room.claim(lane, (1, turn % 2 == 1), BACK).await;
        let [job] = claimed.as_slice() else {
            panic!("{claimed:?}");
        };
        taken.push(job.order.run.clone());
        room.delivered(job, BACK).await;
    }
    let name = |number: usize| format!("alice_{number:03}");
    let wanted: Vec<_> = (0..10).flat_map(|n| [name(n), name(109 - n)]).collect();
    assert_eq!(taken, wanted);
    // Of more at once half are fresh.
    room.due(lane, 110..120, 500_000).await;
    let claimed = room.claim(lane, (8, false), BACK).await;
    let fresh = claimed.iter().filter(|job| job.order.run >= name(110));
    assert_eq!((claimed.len(), fresh.count()), (8, 4));
}

#[tokio::test]
async fn nothing_is_taken_before_it_is_due_and_no_more_of_a_lane_than_it_has_room() {
    let room = Room::new().await;
    let lane = ("hub", "alice");
    room.due(lane, 0..10, 1_000).await;
    assert_eq!(room.claim(lane, (4, true), 999).await.len(), 0);
    assert_eq!(room.claim(lane, (4, true), 1_000).await.len(), 1);
    assert_eq!(room.claim(lane, (4, true), BACK).await.len(), 3);
    assert_eq!(room.claim(lane, (4, true), BACK).await.len(), 0);
    // What another user waits for has room of its own.
    room.due(("hub", "bob"), 0..10, 1_000).await;
    assert_eq!(room.claim(("hub", "bob"), (4, true), BACK).await.len(), 4);
}

#[tokio::test]
async fn one_job_tries_a_destination_in_trouble_and_ever_more_go_there_when_it_is_back() {
    let room = Room::new().await;
    let (alice, bob) = (("hub", "alice"), ("hub", "bob"));
    for lane in [alice, bob, ("other", "alice")] {
        room.due(lane, 0..60, 100).await;
    }
    let failing = room.claim(alice, (1, false), 1_000).await;
    room.unreachable(&failing[0], 2_000).await;
    for lane in [alice, bob] {
        assert_eq!(room.claim(lane, (50, false), 1_999).await.len(), 0);
    }
    let first = room.claim(alice, (50, false), 2_000).await;
    assert_eq!(first.len(), 1);
    assert_eq!(room.claim(bob, (50, false), 2_000).await.len(), 0);
    let elsewhere = room.claim(("other", "alice"), (50, false), 2_000).await;
    assert_eq!(elsewhere.len(), 50);
    room.delivered(&first[0], BACK).await;
    let mut on_their_way = 0;
    for (step, most) in [1, 2, 4, 8, 16, 32, 64].into_iter().enumerate() {
        let at = BACK + STEP * i64::try_from(step).expect("small");
        for at in [at, at + STEP - 1] {
            for lane in [bob, alice] {
                on_their_way += room.claim(lane, (50, false), at).await.len();
            }
            assert_eq!(on_their_way, most);
        }
    }
}

#[tokio::test]
async fn ends_of_the_daemon_count_only_against_what_was_being_rendered() {
    let mut room = Room::new().await;
    let (rendering, waiting) = (("hub", "alice"), ("hub", "bob"));
    for lane in [rendering, waiting] {
        room.due(lane, 0..1, 1_000).await;
    }
    for end in 0..5 {
        let claimed = match end {
            0..=2 => room.claim(rendering, (1, false), BACK).await.pop(),
            _ => room.ledger.claim_alone(BACK).await.expect("claimed"),
        };
        let job = claimed.expect("a job");
        assert_eq!(job.user, "alice");
        // The other one has not begun, or is done with that.
        let claimed = room.claim(waiting, (1, false), BACK).await.pop();
        let other = claimed.expect("never alone");
        let steps = [Step::Local, Step::Network];
        for step in steps.into_iter().take(2 * (end % 2)) {
            assert!(room.ledger.step(&other, step).await.expect("recorded"));
        }
        let ours = room.ledger.step(&job, Step::Local).await;
        assert!(ours.expect("recorded"));
        room.ledger.close().await;
        room.ledger = open(&room.dir).await;
        room.ledger.take_back().await.expect("taken back");
    }
    let holds = room.ledger.holds().await.expect("holds");
    let codes: Vec<_> = holds.iter().map(|hold| hold.code.as_str()).collect();
    assert_eq!(codes, ["poison"]);
    let claimed = room.claim(waiting, (1, false), BACK).await;
    assert_eq!(claimed.len(), 1);
}
