//! What may happen to a ledger, and how often.

use nbcourier::failure::{Class, Code};
use nbcourier::ledger::Act;

use super::dice::Dice;
use super::names::{DESTINATIONS, RUNS, USERS};

/// One thing that happens. Numbers that mean one of several are taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A run is complete, or is reported once more.
    Arrive { run: usize },
    /// A worker claims what is due for a user at a destination.
    Claim {
        worker: usize,
        lane: (usize, usize),
        limit: usize,
        newest: bool,
    },
    /// A worker claims a job that must be alone.
    ClaimAlone { worker: usize },
    /// An attempt does what comes next.
    Go { attempt: usize },
    /// An attempt works on its machine once more, since its template is there.
    Local { attempt: usize },
    /// An attempt fails.
    Fail {
        attempt: usize,
        code: Code,
        retry_after: Option<u64>,
    },
    /// An attempt is given back at a stop.
    Release { attempt: usize },
    /// A worker ends in the middle of all that it does.
    Crash { worker: usize },
    /// A worker starts, as far as it ran after its end.
    Restart { worker: usize },
    /// A worker starts after its machine's clock was set while it was down.
    RestartAt { worker: usize, by: i64 },
    /// The leases of a worker end.
    Expire { worker: usize },
    /// A worker takes over what others hold no longer.
    TakeExpired { worker: usize },
    /// A worker renews its leases, all but those of attempts whose number has this bit.
    Renew { worker: usize, without: usize },
    /// Who is not the owner of a job any more does what comes next for it.
    Late { attempt: usize, what: Late },
    /// A hold is probed by one of its jobs.
    Probe { worker: usize, hold: usize },
    /// The cause of a hold is gone.
    Mend { hold: usize },
    /// A probe is planned.
    ProbeLater { hold: usize },
    /// A destination answers.
    Return { destination: usize },
    /// A person acts.
    Act { act: Act, run: usize },
    /// The clock is set, and the worker sees it.
    Jump { by: i64 },
    /// Time passes, milliseconds.
    Pass { ms: i64 },
    /// Time passes until the next job is due.
    Wait,
}

/// What one does too late.
#[derive(Clone, Copy, Debug)]
pub enum Late {
    Step,
    Target,
    Place,
    Delivered,
    Failed,
    Released,
}

const ACTS: [Act; 5] = [Act::Retry, Act::Retry, Act::Fresh, Act::Skip, Act::Retry];
const LATE: [Late; 6] = [
    Late::Step,
    Late::Target,
    Late::Place,
    Late::Delivered,
    Late::Failed,
    Late::Released,
];
const MINUTE: u64 = 60_000;
const DAY: i64 = 86_400_000;

impl Step {
    /// What happens next, by the dice.
    pub fn any(dice: &mut Dice) -> Self {
        let one = number(dice, 64);
        let worker = number(dice, 8);
        match dice.below(100) {
            0..=5 => Self::Arrive {
                run: number(dice, RUNS),
            },
            6..=19 => claim(dice, worker),
            20..=21 => Self::ClaimAlone { worker },
            22..=59 => Self::Go { attempt: one },
            60 => Self::Local { attempt: one },
            61..=67 => fail(dice, one),
            68 => Self::Release { attempt: one },
            69..=70 => Self::Crash { worker },
            71 => Self::Restart { worker },
            72 => restart_at(dice, worker),
            73 => Self::Expire { worker },
            74 => Self::TakeExpired { worker },
            75 => Self::Renew {
                worker,
                without: number(dice, 4),
            },
            76..=80 => Self::Late {
                attempt: one,
                what: dice.pick(&LATE),
            },
            81..=83 => Self::Probe { worker, hold: one },
            84..=85 => Self::Mend { hold: one },
            86 => Self::ProbeLater { hold: one },
            87 => Self::Return {
                destination: number(dice, DESTINATIONS.len()),
            },
            88..=90 => Self::Act {
                act: dice.pick(&ACTS),
                run: number(dice, RUNS),
            },
            91 => Self::Jump { by: jump(dice) },
            92..=95 => Self::Wait,
            _ => Self::Pass { ms: pass(dice) },
        }
    }
}

fn number(dice: &mut Dice, below: usize) -> usize {
    let below = u64::try_from(below).unwrap_or(1);
    usize::try_from(dice.below(below)).unwrap_or(0)
}

fn claim(dice: &mut Dice, worker: usize) -> Step {
    Step::Claim {
        worker,
        lane: (number(dice, DESTINATIONS.len()), number(dice, USERS.len())),
        limit: 1 + number(dice, 4),
        newest: dice.one_in(2),
    }
}

/// Every code, but what heals by itself as often as the rest.
fn fail(dice: &mut Dice, attempt: usize) -> Step {
    let mut code = dice.pick(Code::ALL);
    for _ in 0..4 {
        if dice.one_in(2) || matches!(code.row().class, Class::Retry(_)) {
            break;
        }
        code = dice.pick(Code::ALL);
    }
    Step::Fail {
        attempt,
        code,
        retry_after: dice.one_in(8).then(|| dice.below(900)),
    }
}

fn pass(dice: &mut Dice) -> i64 {
    let longest = dice.pick(&[100, 5_000, MINUTE, 30 * MINUTE]);
    i64::try_from(dice.below(longest)).unwrap_or(0)
}

fn jump(dice: &mut Dice) -> i64 {
    let by = dice.pick(&[-DAY, -3_600_000, -60_000, 60_000, 3_600_000, 3 * DAY]);
    by + pass(dice)
}

/// Seldom: whoever is down when the clock is set can't tell how old a job is.
fn restart_at(dice: &mut Dice, worker: usize) -> Step {
    match dice.one_in(8) {
        true => Step::RestartAt {
            worker,
            by: jump(dice),
        },
        false => Step::Restart { worker },
    }
}
