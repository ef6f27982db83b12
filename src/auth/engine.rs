//! The token of now, whatever the way it is had: fetched once for all who wait for it, kept until
//! shortly before its end, replaced when it is refused.
//!
//! Paces follow the classifier of [`crate::failure`]: what heals by itself is asked again soon, what
//! needs a person seldom, and at once when the secret behind it has changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::Token;
use crate::failure::{Class, Code, Failure};

/// A token ends so long before its life is over, or a tenth of its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(60);

/// What a person has to change elsewhere, and each try leaves a trace there: asked again seldom.
const SELDOM: [Code; 4] = [
    Code::NeedOtp,
    Code::NeedWebauthn,
    Code::Consent,
    Code::Denied,
];

/// What a secret's file looked like; `None` where it can't be seen.
pub type Version = Option<(SystemTime, u64)>;

/// A token as it was issued.
pub struct Fetched {
    /// The token.
    pub token: Token,
    /// How long it is valid from the moment before it was asked for; `None` is until it is refused.
    pub life: Option<Duration>,
    /// Nobody told that life.
    pub is_assumed: bool,
}

/// Keeps one token.
pub struct Engine {
    slot: Mutex<Slot>,
    /// Held by the one who fetches.
    flight: tokio::sync::Mutex<()>,
    /// The wait after the first failure of a kind that heals, and of one that needs a person; each
    /// doubles thirty-twofold and more.
    pauses: (Duration, Duration),
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// Why there is no token, until when nobody asks again.
    pause: Option<Pause>,
    /// The token that was refused last.
    refused: Option<Token>,
    /// The last token came in place of a refused one.
    replacement: Option<Replacement>,
}

struct Held {
    token: Token,
    /// By the clock that nobody sets, and by the one that goes on in a suspended machine.
    ends: Option<(Instant, SystemTime)>,
    /// From then on a vague refusal may mean that it has ended.
    is_old_from: Instant,
    /// Of the secret that it was had with.
    version: Version,
    /// Something accepted it.
    is_proven: bool,
}

/// A token in place of a refused one.
struct Replacement {
    /// When it came.
    at: Instant,
    /// How long it is kept although it is refused as well.
    length: Duration,
    /// How many have come in a row.
    count: u32,
    /// Of the secret that it was had with.
    version: Version,
}

struct Pause {
    failure: Failure,
    /// When it was met.
    at: Instant,
    length: Duration,
    version: Version,
    failures: u32,
}

impl Engine {
    /// Holds nothing yet. `probe` is the pace at which what needs a person is looked at.
    #[must_use]
    pub fn new(probe: Duration) -> Self {
        Self {
            slot: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            pauses: (probe / 60, probe),
        }
    }

    /// The token of now; fetched if there is none, it ends soon, or the secret behind it has been
    /// replaced. `fetch` is told the token that was refused last, which is not to come again.
    ///
    /// # Errors
    /// Of `fetch`, also of one that another caller made meanwhile, or not long ago.
    pub async fn token<F>(&self, version: Version, fetch: F) -> Result<Token, Failure>
    where
        F: AsyncFnOnce(Option<Token>) -> Result<Fetched, Failure>,
    {
        if let Some(token) = self.slot().fresh(version) {
            return Ok(token);
        }
        let waits_since = Instant::now();
        let _flight = self.flight.lock().await;
        if let Some(token) = self.slot().fresh(version) {
            return Ok(token);
        }
        if let Some(failure) = self.slot().paused(waits_since, version) {
            return Err(failure);
        }
        self.fetch(version, fetch).await
    }

    /// Another token after `refused`: the one that is here meanwhile, or a new one. `None` when the
    /// refused one had itself just replaced another: a third would fare no better for a while.
    ///
    /// # Errors
    /// Of `fetch`.
    pub async fn renewed<F>(
        &self,
        refused: &Token,
        version: Version,
        fetch: F,
    ) -> Result<Option<Token>, Failure>
    where
        F: AsyncFnOnce(Option<Token>) -> Result<Fetched, Failure>,
    {
        if self.slot().drop_refused(refused) == Verdict::Keep {
            return Ok(None);
        }
        let token = self.token(version, fetch).await?;
        Ok((token != *refused).then_some(token))
    }

    /// Whether a refusal that names no cause may mean that this token has ended: half its life is
    /// over, or nobody told how long that is.
    #[must_use]
    pub fn is_old(&self, token: &Token) -> bool {
        let slot = self.slot();
        let held = slot.held.as_ref().filter(|held| held.token == *token);
        held.is_some_and(|held| Instant::now() >= held.is_old_from)
    }

    /// Whether this is the token of now.
    #[must_use]
    pub fn holds(&self, token: &Token) -> bool {
        let slot = self.slot();
        slot.held.as_ref().is_some_and(|held| held.token == *token)
    }

    /// Remembers that a token was accepted: refused later, it is worth another one.
    pub fn accepted(&self, token: &Token) {
        let mut slot = self.slot();
        if let Some(held) = slot.held.as_mut().filter(|held| held.token == *token) {
            held.is_proven = true;
            slot.refused = None;
            slot.replacement = None;
        }
    }

    /// Forgets how long to wait: a person says that something has changed.
    pub fn wake(&self) {
        let mut slot = self.slot();
        slot.pause = None;
        slot.replacement = None;
    }

    /// How long the token of now is still used.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let (end, _) = self.slot().held.as_ref()?.ends?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    async fn fetch<F>(&self, version: Version, fetch: F) -> Result<Token, Failure>
    where
        F: AsyncFnOnce(Option<Token>) -> Result<Fetched, Failure>,
    {
        let asked = (Instant::now(), SystemTime::now());
        let refused = self.slot().refused.clone();
        match fetch(refused).await {
            Ok(fetched) => {
                self.slot().hold(&fetched, asked, version, self.pauses.1);
                Ok(fetched.token)
            }
            Err(failure) => {
                self.slot().pause(&failure, version, self.pauses);
                Err(failure)
            }
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a refused token.
#[derive(PartialEq, Eq)]
enum Verdict {
    /// It stays until its end, so that an endpoint isn't asked at every refusal.
    Keep,
    /// Another one is worth a try.
    Replace,
}

impl Slot {
    fn hold(
        &mut self,
        fetched: &Fetched,
        asked: (Instant, SystemTime),
        version: Version,
        pause: Duration,
    ) {
        let life = fetched.life.unwrap_or_default();
        let used = life.saturating_sub(MARGIN.min(life / 10));
        let young = if fetched.is_assumed {
            Duration::ZERO
        } else {
            life / 2
        };
        self.pause = None;
        self.count_replacement(version, pause);
        self.held = Some(Held {
            token: fetched.token.clone(),
            ends: fetched.life.map(|_| (asked.0 + used, asked.1 + used)),
            is_old_from: asked.0 + young,
            version,
            is_proven: false,
        });
    }

    /// A token after a refused one, had with the same secret, is kept for a while even if it is
    /// refused as well: a minute, doubling to half an hour.
    fn count_replacement(&mut self, version: Version, pause: Duration) {
        let before = self
            .replacement
            .take()
            .filter(|last| last.version == version);
        if self.refused.is_none() {
            return;
        }
        let count = before.map_or(0, |last| last.count) + 1;
        self.replacement = Some(Replacement {
            at: Instant::now(),
            length: pause * 2_u32.pow((count - 1).min(5)),
            count,
            version,
        });
    }

    fn fresh(&self, version: Version) -> Option<Token> {
        let held = self.held.as_ref().filter(|held| held.version == version)?;
        let over = held
            .ends
            .is_some_and(|(mono, wall)| Instant::now() >= mono || SystemTime::now() >= wall);
        (!over).then(|| held.token.clone())
    }

    fn drop_refused(&mut self, refused: &Token) -> Verdict {
        let Some(held) = self.held.as_ref().filter(|held| held.token == *refused) else {
            return Verdict::Replace;
        };
        let is_kept = |last: &Replacement| last.at.elapsed() < last.length;
        if !held.is_proven && self.replacement.as_ref().is_some_and(is_kept) {
            return Verdict::Keep;
        }
        self.held = None;
        self.refused = Some(refused.clone());
        Verdict::Replace
    }

    fn paused(&self, waits_since: Instant, version: Version) -> Option<Failure> {
        let pause = self.pause.as_ref()?;
        let met_meanwhile = pause.at >= waits_since;
        let left = pause.length.saturating_sub(pause.at.elapsed());
        let lasts = !left.is_zero() && pause.version == version;
        if !met_meanwhile && !lasts {
            return None;
        }
        let failure = pause.failure.clone();
        Some(match failure.code.row().class {
            Class::Retry(_) => failure.after(Some(left)),
            _ => failure,
        })
    }

    fn pause(&mut self, failure: &Failure, version: Version, pauses: (Duration, Duration)) {
        let before = self
            .pause
            .as_ref()
            .filter(|pause| pause.failure.code == failure.code && pause.version == version);
        let failures = before.map_or(0, |pause| pause.failures) + 1;
        let (first, doublings) = match failure.code.row().class {
            Class::Retry(_) => (pauses.0, 8),
            // Half an hour to four.
            _ if SELDOM.contains(&failure.code) => (pauses.1 * 32, 3),
            // A minute to half an hour: who enables a client again tells nobody.
            _ => (pauses.1, 5),
        };
        let length = first * 2_u32.pow((failures - 1).min(doublings));
        // Spread, so that machines that failed together don't ask together.
        let length = length.mul_f64(0.75 + 0.25 * rand::random::<f64>());
        self.pause = Some(Pause {
            failure: failure.clone(),
            at: Instant::now(),
            length: length.max(failure.retry_after.unwrap_or_default()),
            version,
            failures,
        });
    }
}

#[cfg(test)]
mod tests;
