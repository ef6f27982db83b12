//! Starts of users' servers, shared by all who deliver: a hub is one guest's to be, however many
//! machines it is. The rule stands in [`crate::spawns`].

use sqlx::AnyConnection;

use super::{Ledger, LedgerError};
use crate::job::millis;
use crate::spawns::{Limits, NotNow, Start, may_start};

/// How long a start is remembered, milliseconds. One that lies as far ahead was written by a clock
/// that was wrong.
const REMEMBERED: i64 = 2 * 3600 * 1000;

type Row = (String, i64, i64, Option<i64>, Option<i64>);

impl Ledger {
    /// Records that a server is about to be started on a hub, if that is allowed now (`now` in
    /// milliseconds since 1970, UTC). `hub` is its address, the same for all tables that lead there.
    ///
    /// # Errors
    /// When the ledger can't be written; nothing may be started then.
    pub async fn begin_spawn(
        &self,
        hub: &str,
        server: &str,
        (limits, now): (&Limits, i64),
    ) -> Result<Result<(), NotNow>, LedgerError> {
        let begin = async {
            let mut db = self.begin().await?;
            forget_old(&mut db, now).await?;
            let verdict = may_start(&starts(&mut db, hub).await?, server, now, limits);
            if verdict.is_ok() {
                let ends_by = now.saturating_add(millis(limits.timeout));
                insert(&mut db, (hub, server), (now, ends_by)).await?;
            }
            db.commit().await?;
            Ok(verdict)
        };
        self.engine.within(begin).await
    }

    /// Records what the last start of a server came to, whoever saw it first, and says from when on
    /// the next one is allowed.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn end_spawn(
        &self,
        hub: &str,
        server: &str,
        succeeded: bool,
        (limits, now): (&Limits, i64),
    ) -> Result<Result<(), NotNow>, LedgerError> {
        let end = async {
            let sql = "UPDATE spawns SET ended_at = $1, succeeded = $2 \
                       WHERE succeeded IS NULL AND id = (SELECT max(id) FROM spawns \
                         WHERE destination = $3 AND username = $4)";
            let query = sqlx::query(sql).bind(now).bind(i64::from(succeeded));
            let mut db = self.begin().await?;
            query.bind(hub).bind(server).execute(&mut *db).await?;
            let verdict = may_start(&starts(&mut db, hub).await?, server, now, limits);
            db.commit().await?;
            Ok(verdict)
        };
        self.engine.within(end).await
    }

    /// Forgets a start that the hub turned down: it was none.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn withdraw_spawn(&self, hub: &str, server: &str) -> Result<(), LedgerError> {
        let withdraw = async {
            let sql = "DELETE FROM spawns WHERE succeeded IS NULL AND id = \
                         (SELECT max(id) FROM spawns WHERE destination = $1 AND username = $2)";
            self.run(sqlx::query(sql).bind(hub).bind(server)).await?;
            Ok(())
        };
        self.engine.within(withdraw).await
    }
}

async fn insert(
    db: &mut AnyConnection,
    (hub, server): (&str, &str),
    (begun_at, ends_by): (i64, i64),
) -> Result<(), LedgerError> {
    let sql =
        "INSERT INTO spawns (destination, username, begun_at, ends_by) VALUES ($1, $2, $3, $4)";
    let query = sqlx::query(sql).bind(hub).bind(server);
    query.bind(begun_at).bind(ends_by).execute(db).await?;
    Ok(())
}

async fn forget_old(db: &mut AnyConnection, now: i64) -> Result<(), LedgerError> {
    let sql = "DELETE FROM spawns WHERE (begun_at < $1 AND ends_by < $2) OR begun_at > $3";
    sqlx::query(sql)
        .bind(now - REMEMBERED)
        .bind(now)
        .bind(now + REMEMBERED)
        .execute(db)
        .await?;
    Ok(())
}

/// What is remembered of a hub, oldest first.
pub(super) async fn starts(db: &mut AnyConnection, hub: &str) -> Result<Vec<Start>, LedgerError> {
    let sql = "SELECT username, begun_at, ends_by, ended_at, succeeded FROM spawns \
               WHERE destination = $1 ORDER BY begun_at, id";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(hub).fetch_all(db).await?;
    let start = |(server, begun_at, ends_by, ended_at, succeeded): Row| Start {
        server,
        begun_at,
        ends_by,
        ended: ended_at.zip(succeeded.map(|succeeded| succeeded != 0)),
    };
    Ok(rows.into_iter().map(start).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::{Location, file};
    use crate::spawns::Why;

    const HUB: &str = "https://hub.lab/";
    const LIMITS: Limits = Limits {
        an_hour: 3,
        pause: (Duration::from_secs(30), Duration::from_secs(600)),
        timeout: Duration::from_secs(100),
    };

    fn at(state: &std::path::Path) -> Location {
        Location::File(file(state))
    }

    async fn ledger() -> (tempfile::TempDir, Ledger) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ledger = Ledger::open(&at(dir.path())).await.expect("a ledger");
        (dir, ledger)
    }

    async fn begin(ledger: &Ledger, server: &str, now: i64) -> Result<(), NotNow> {
        let asked = ledger.begin_spawn(HUB, server, (&LIMITS, now)).await;
        asked.expect("asked")
    }

    async fn end(ledger: &Ledger, server: &str, succeeded: bool, now: i64) -> Option<i64> {
        let ended = ledger
            .end_spawn(HUB, server, succeeded, (&LIMITS, now))
            .await;
        ended.expect("ended").err().map(|refused| refused.until)
    }

    async fn remembered(ledger: &Ledger) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM spawns").fetch_one(&ledger.write);
        count.await.expect("a count")
    }

    #[tokio::test]
    async fn a_failed_start_is_remembered_by_the_next_daemon() {
        let (dir, ledger) = ledger().await;
        assert_eq!(begin(&ledger, "alice", 0).await, Ok(()));
        let refused = begin(&ledger, "alice", 1)
            .await
            .expect_err("it is under way");
        assert_eq!((refused.why, refused.until), (Why::Starting, 30_000));
        assert_eq!(end(&ledger, "alice", false, 9_000).await, Some(39_000));
        ledger.close().await;
        let ledger = Ledger::open(&at(dir.path()))
            .await
            .expect("the ledger again");
        let refused = begin(&ledger, "alice", 38_999)
            .await
            .expect_err("its pause lasts");
        assert_eq!((refused.why, refused.until), (Why::Failing(1), 39_000));
        assert_eq!(begin(&ledger, "alice", 39_000).await, Ok(()));
    }

    #[tokio::test]
    async fn what_was_turned_down_is_no_start_and_a_success_counts_whoever_saw_it() {
        let (_dir, ledger) = ledger().await;
        for now in 0..10 {
            assert_eq!(begin(&ledger, "alice", now).await, Ok(()));
            ledger
                .withdraw_spawn(HUB, "alice")
                .await
                .expect("withdrawn");
        }
        assert_eq!(remembered(&ledger).await, 0);
        assert_eq!(begin(&ledger, "alice", 20).await, Ok(()));
        // Its daemon was killed; the next one finds the server running long after its timeout.
        assert_eq!(end(&ledger, "alice", true, 200_000).await, None);
        assert_eq!(
            end(&ledger, "alice", false, 200_001).await,
            None,
            "it is over"
        );
        ledger
            .withdraw_spawn(HUB, "alice")
            .await
            .expect("nothing to do");
        assert_eq!(remembered(&ledger).await, 1);
    }

    #[tokio::test]
    async fn hubs_are_counted_apart_and_what_is_old_or_from_a_wrong_clock_is_forgotten() {
        let (_dir, ledger) = ledger().await;
        for (server, now) in [("alice", 0), ("bob", 1), ("carol", 2)] {
            assert_eq!(begin(&ledger, server, now).await, Ok(()));
        }
        let refused = begin(&ledger, "dora", 3).await.expect_err("it is full");
        assert_eq!((refused.why, refused.until), (Why::HubFull(3), 3_600_000));
        let other = ledger
            .begin_spawn("https://other.lab/", "dora", (&LIMITS, 3))
            .await;
        assert_eq!(other.expect("asked"), Ok(()));
        let day = 86_400_000;
        assert_eq!(begin(&ledger, "dora", day).await, Ok(()));
        assert_eq!(remembered(&ledger).await, 1);
        assert_eq!(
            begin(&ledger, "dora", 5).await,
            Ok(()),
            "the clock was a day ahead"
        );
    }
}
