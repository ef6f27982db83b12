//! What is done and timed, one after the other, so that all meet the same disk.

use std::io::Write as _;
use std::time::Instant;

use nbcourier::job::{Created, PlannedJob};
use nbcourier::ledger::{Claimed, Finished, LedgerError, ReadyRun};
use nbcourier::run::Parameters;

use crate::bench::Bench;

/// Runs that are made durable at once.
const AT_ONCE: usize = 500;

/// Jobs that are over, and that wait, at the end.
const HISTORY: (usize, usize) = (100_000, 20_000);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    Flush,
    Insert,
    Ready,
    Burst,
    Claim,
    Finish,
    LateReady,
    LateClaim,
    LateFinish,
}

impl Sample {
    pub(crate) const COUNT: usize = 9;

    /// Runs, or rows, of one of them.
    pub(crate) fn runs(self) -> usize {
        match self {
            Self::Burst => AT_ONCE,
            _ => 1,
        }
    }
}

/// The samples of one round.
type Round = [Sample; 3];

impl Bench {
    pub(crate) async fn measure(&mut self, count: usize) -> Result<(), LedgerError> {
        // The first ones pay for what is made late.
        let warm = 10;
        for number in 0..count + warm {
            let timed = number >= warm;
            self.limits(number, timed).await?;
            let round = [Sample::Ready, Sample::Claim, Sample::Finish];
            self.round(number, round, timed).await?;
        }
        self.fill(count + warm).await?;
        for number in 0..count + warm {
            let late = HISTORY.0 + HISTORY.1 + count + warm + number;
            let round = [Sample::LateReady, Sample::LateClaim, Sample::LateFinish];
            self.round(late, round, number >= warm).await?;
        }
        Ok(())
    }

    async fn limits(&mut self, number: usize, timed: bool) -> Result<(), LedgerError> {
        let begun = Instant::now();
        let flushed = self.file.write_all(&[b'x'; 4096]);
        flushed
            .and_then(|()| self.file.sync_data())
            .expect("flushed");
        self.end(begun, Sample::Flush, timed);
        let number = i64::try_from(number).expect("small");
        let begun = Instant::now();
        let insert = sqlx::query("INSERT INTO plain (number, word) VALUES ($1, $2)");
        let insert = insert.bind(number).bind("as long as a word may be");
        insert.execute(&mut self.driver).await?;
        self.end(begun, Sample::Insert, timed);
        Ok(())
    }

    /// A run that becomes durable, a job that is claimed, and its delivery.
    async fn round(
        &mut self,
        number: usize,
        [ready, claim, finish]: Round,
        timed: bool,
    ) -> Result<(), LedgerError> {
        let run = [run(number)];
        let begun = Instant::now();
        self.ledger.ready(&run).await?;
        self.end(begun, ready, timed);
        let now = self.ledger.now();
        let begun = Instant::now();
        let claimed = self
            .ledger
            .claim(("hub", "alice"), (1, number.is_multiple_of(2), 5000), now);
        let claimed: Vec<Claimed> = claimed.await?;
        self.end(begun, claim, timed);
        let [job] = claimed.as_slice() else {
            panic!("{} jobs claimed", claimed.len());
        };
        let end = Finished::Delivered {
            outcome: Created::Created,
            url: Some("https://hub.example/user/alice/lab/tree/run.ipynb".to_owned()),
        };
        let begun = Instant::now();
        self.ledger.finish(job, &end, now).await?;
        self.end(begun, finish, timed);
        Ok(())
    }

    /// Makes a long history; each 500 runs are timed.
    async fn fill(&mut self, from: usize) -> Result<(), LedgerError> {
        let last = HISTORY.0 + HISTORY.1;
        for first in (0..last).step_by(AT_ONCE) {
            let runs: Vec<_> = (first..first + AT_ONCE).map(|n| run(from + n)).collect();
            let begun = Instant::now();
            self.ledger.ready(&runs).await?;
            self.end(begun, Sample::Burst, true);
        }
        self.end_oldest(HISTORY.0).await
    }

    fn end(&mut self, begun: Instant, sample: Sample, timed: bool) {
        if timed {
            self.note(sample, begun.elapsed().as_secs_f64());
        }
    }
}

fn run(number: usize) -> ReadyRun {
    let name = format!("run_{number:07}");
    let job = PlannedJob {
        notebook: "quick".to_owned(),
        destination: "hub".to_owned(),
        user: "alice".to_owned(),
    };
    let at = i64::try_from(number).expect("small");
    ReadyRun {
        watch: "h4".to_owned(),
        path: format!("/data/h4/{name}").into(),
        name,
        incarnation: Some(1),
        seen_at: at,
        ready_at: at,
        parameters: Parameters::from_iter([("run".to_owned(), number.into())]),
        sources: [("run".to_owned(), "run.json".to_owned())].into(),
        digest: Some("0123456789abcdef".to_owned()),
        identity: Some(format!("27:{at}:1700000000.{at:09}")),
        jobs: vec![job],
        asked: None,
        limit: Some(0),
        request: None,
    }
}
