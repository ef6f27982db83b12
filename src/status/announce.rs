//! Tells people what has happened: by webhooks and by programs, from the ledger's causes and events.
//!
//! Each announcer goes by itself and looks at the ledger; nobody waits for it. What was told is
//! written down after it was told, so after a kill in between it is told once more. Whoever can't be
//! told is tried again, and what has piled up meanwhile is told as one.

mod due;
mod message;
mod send;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::checked::{Announcer, News};
use crate::health::Health;
use crate::ledger::{Announced, Ledger, LedgerError};
use crate::retry::backoff;
use due::{Absent, Due};
use serde_json::Value;

pub use send::{Receiver, Untold};

/// More news than these are told as one.
const MOST: i64 = 50;

/// A cursor that is this far behind is moved even without news, so that none is sought among all of
/// a year's events.
const BEHIND: i64 = 1000;

/// How long a stop waits for who is being told.
const GRACE: Duration = Duration::from_secs(10);

/// The code of the notice about somebody who can't be told.
const UNTOLD: &str = "announcement-failed";

/// What announcers need.
#[derive(Clone)]
pub struct Context {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// The board of troubles.
    pub health: Arc<Health>,
    /// True once the daemon stops, or another configuration counts.
    pub stop: watch::Receiver<bool>,
}

/// Announces by each of these contexts until it is over, and ends when there are no more. Whoever is
/// being told at the end of one holds up nobody but the next.
pub async fn follow(mut contexts: watch::Receiver<Context>) {
    loop {
        let context = contexts.borrow_and_update().clone();
        run(context).await;
        if contexts.changed().await.is_err() {
            return;
        }
    }
}

/// Announces until `stop` is true.
async fn run(context: Context) {
    let mut tasks = JoinSet::new();
    for table in context.config.announcers.clone() {
        let mut crier = Crier::new(&context, table);
        let mut stop = context.stop.clone();
        tasks.spawn(async move {
            while !*stop.borrow() {
                let pause = crier.round().await;
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = stop.changed() => {}
                }
            }
        });
    }
    tasks.join_all().await;
}

/// What is to be told, and what is written down then.
struct Notice {
    /// `None` if nobody wants to hear it.
    message: Option<Value>,
    record: Announced,
}

/// One announcer at work.
struct Crier {
    context: Context,
    table: Announcer,
    receiver: Receiver,
    follows: bool,
    absent: Absent,
    /// The newest event when the cursors were moved last.
    moved: i64,
    /// How often in a row nobody could be told.
    failures: u32,
}

impl Crier {
    fn new(context: &Context, table: Announcer) -> Self {
        Self {
            context: context.clone(),
            receiver: Receiver::new(&table.to, context.config.contact.as_deref()),
            table,
            follows: false,
            absent: Absent::default(),
            moved: 0,
            failures: 0,
        }
    }

    /// Tells at most one thing; how long to wait before the next.
    async fn round(&mut self) -> Duration {
        match self.try_round().await {
            Ok(pause) => pause,
            Err(error) => {
                // The worker's own claim reports a ledger in trouble.
                tracing::debug!(%error, announcer = self.table.name, "nothing is announced");
                self.context.config.paces.poll
            }
        }
    }

    async fn try_round(&mut self) -> Result<Duration, LedgerError> {
        let ledger = self.context.ledger.clone();
        let idle = self.context.config.paces.poll;
        if !self.follows {
            for news in self.events() {
                ledger.follow(&self.table.name, news.as_str()).await?;
            }
            self.follows = true;
        }
        let Some(mut notice) = self.next().await? else {
            return Ok(idle);
        };
        if ledger.is_shared() {
            let time = self.receiver.limit() + self.context.config.paces.lease;
            if !ledger.may_announce(&self.table.name, time).await? {
                return Ok(idle);
            }
            // Another machine may have told it a moment ago.
            match self.next().await? {
                Some(again) => notice = again,
                None => return Ok(idle),
            }
        }
        Ok(self.tell(&notice).await)
    }

    async fn tell(&mut self, notice: &Notice) -> Duration {
        let told = match &notice.message {
            Some(message) => tokio::select! {
                told = self.receiver.tell(message) => told,
                () = grace_over(self.context.stop.clone()) => return Duration::ZERO,
            },
            None => Ok(()),
        };
        match told {
            Ok(()) => {
                self.record(&notice.record).await;
                if notice.message.is_some() {
                    self.failures = 0;
                    self.context.health.clear(&self.key());
                }
                Duration::ZERO
            }
            Err(untold) => self.later(&untold),
        }
    }

    /// Written down as soon as the ledger can be written.
    async fn record(&self, record: &Announced) {
        let ledger = &self.context.ledger;
        while let Err(error) = ledger.announced(&self.table.name, record).await {
            tracing::debug!(%error, announcer = self.table.name, "not written down yet");
            if *self.context.stop.borrow() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn later(&mut self, untold: &Untold) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let what = format!("[announce.{}]: {}", self.table.name, untold.what);
        let health = &self.context.health;
        health.raise(&self.key(), UNTOLD, what, &untold.advice);
        let retry = &self.context.config.retry;
        let span = (retry.first, retry.longest);
        backoff(span, self.failures, untold.retry_after, rand::random())
    }

    fn key(&self) -> String {
        format!("announce {}", self.table.name)
    }

    /// The events that it tells.
    fn events(&self) -> Vec<News> {
        let events = [News::Failed, News::Delivered].into_iter();
        events.filter(|news| self.wants(*news)).collect()
    }

    fn wants(&self, news: News) -> bool {
        self.table.on.contains(&news)
    }

    /// What is to be told next: what needs a person first.
    async fn next(&mut self) -> Result<Option<Notice>, LedgerError> {
        if (self.wants(News::Held) || self.wants(News::Recovered))
            && let Some(notice) = self.next_cause().await?
        {
            return Ok(Some(notice));
        }
        for news in self.events() {
            if let Some(notice) = self.next_event(news).await? {
                return Ok(Some(notice));
            }
        }
        Ok(None)
    }

    async fn next_cause(&mut self) -> Result<Option<Notice>, LedgerError> {
        let ledger = &self.context.ledger;
        // What was told is read first: a cause that is over by then has not come back.
        let told = ledger.told(&self.table.name).await?;
        let causes = ledger.causes().await?;
        let settle = self.context.config.paces.probe;
        let Some(due) = due::due(causes, &told, &mut self.absent, (ledger.now(), settle)) else {
            return Ok(None);
        };
        let news = match due {
            Due::Over(_) => News::Recovered,
            Due::New(_) | Due::Again(_) => News::Held,
        };
        let message = self.wants(news).then(|| message::causes(&due));
        let record = match due {
            Due::New(told) | Due::Again(told) => Announced {
                told,
                ..Announced::default()
            },
            Due::Over(over) => Announced {
                over,
                ..Announced::default()
            },
        };
        Ok(Some(Notice { message, record }))
    }

    async fn next_event(&mut self, news: News) -> Result<Option<Notice>, LedgerError> {
        let ledger = &self.context.ledger;
        let whose = (self.table.name.as_str(), news.as_str());
        let (new, newest) = ledger.news(whose, MOST + 1).await?;
        let up_to = |id| Announced {
            events: Some((news.as_str(), id)),
            ..Announced::default()
        };
        let Some(first) = new.first() else {
            if newest > self.moved + BEHIND {
                ledger.announced(&self.table.name, &up_to(newest)).await?;
                self.moved = newest;
            }
            return Ok(None);
        };
        let (message, last) = if new.len() as i64 > MOST {
            let (count, last) = ledger.news_count(whose, newest).await?;
            let last = last.unwrap_or_else(|| first.clone());
            let (run, job) = ledger.about(&last).await?;
            (message::many(news, count, &last, (&run, &job)), newest)
        } else {
            let (run, job) = ledger.about(first).await?;
            (message::one(news, first, (&run, &job)), first.id)
        };
        Ok(Some(Notice {
            message: Some(message),
            record: up_to(last),
        }))
    }
}

async fn grace_over(mut stop: watch::Receiver<bool>) {
    // An error means that the daemon is gone already.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(GRACE).await;
}
