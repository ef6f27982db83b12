//! Users' servers that nbcourier started: until they are stopped, somebody else uses them, or they are
//! gone. The rule stands in [`crate::spawns`].

use std::time::Duration;

use super::spawns::starts;
use super::{Ledger, LedgerError};
use crate::job::millis;
use crate::spawns::Started;

impl Ledger {
    /// Whether the server that the hub says was started then (milliseconds since 1970, UTC) is one
    /// that nbcourier started, for this destination or another one; it is remembered from now on.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn own_server(
        &self,
        (hub, server): (&str, &str),
        destination: &str,
        (started_at, slack): (i64, Duration),
    ) -> Result<bool, LedgerError> {
        let own = async {
            let mut db = self.begin().await?;
            let sql = "SELECT count(*) FROM servers \
                       WHERE hub = $1 AND username = $2 AND started_at = $3";
            let known = sqlx::query_scalar::<_, i64>(sql).bind(hub).bind(server);
            if known.bind(started_at).fetch_one(&mut *db).await? > 0 {
                return Ok(true);
            }
            let known = starts(&mut db, hub).await?;
            let last = known.iter().rfind(|start| start.server == server);
            if !last.is_some_and(|start| start.made(started_at, slack)) {
                return Ok(false);
            }
            let sql = "INSERT INTO servers (hub, username, destination, started_at, used_at) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hub, username) DO UPDATE SET \
                         destination = excluded.destination, started_at = excluded.started_at, \
                         used_at = excluded.used_at";
            let query = sqlx::query(sql).bind(hub).bind(server).bind(destination);
            let query = query.bind(started_at).bind(self.now());
            query.execute(&mut *db).await?;
            db.commit().await?;
            Ok(true)
        };
        self.engine.within(own).await
    }

    /// Records that such a server was used now.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn use_server(&self, hub: &str, server: &str) -> Result<(), LedgerError> {
        let sql = "UPDATE servers SET used_at = $1 WHERE hub = $2 AND username = $3";
        let query = sqlx::query(sql).bind(self.now()).bind(hub).bind(server);
        let used = async { self.run(query).await.map(drop) };
        self.engine.within(used).await
    }

    /// The servers that were started for this destination, and that nbcourier hasn't used for so long.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn idle_servers(
        &self,
        destination: &str,
        idle: Duration,
    ) -> Result<Vec<Started>, LedgerError> {
        let idle = async {
            let sql = "SELECT username, started_at, used_at FROM servers \
                       WHERE destination = $1 AND used_at <= $2 ORDER BY used_at";
            let query = sqlx::query_as::<_, (String, i64, i64)>(sql).bind(destination);
            let query = query.bind(self.now().saturating_sub(millis(idle)));
            let rows = query.fetch_all(&self.read).await?;
            let started = |(server, started_at, used_at)| Started {
                server,
                started_at,
                used_at,
            };
            Ok(rows.into_iter().map(started).collect())
        };
        self.engine.within(idle).await
    }

    /// Forgets that nbcourier started a server: it is gone, or somebody else's by now.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn forget_server(&self, hub: &str, server: &Started) -> Result<(), LedgerError> {
        let sql = "DELETE FROM servers WHERE hub = $1 AND username = $2 AND started_at = $3";
        let query = sqlx::query(sql).bind(hub).bind(&server.server);
        let query = query.bind(server.started_at);
        let forget = async { self.run(query).await.map(drop) };
        self.engine.within(forget).await
    }

    /// Whether jobs for this user, or for one who isn't known yet, are on their way to one of these
    /// destinations.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn is_awaited(&self, destinations: &[&str], user: &str) -> Result<bool, LedgerError> {
        let awaited = async {
            for destination in destinations {
                // One question for each partial index.
                let sql = "SELECT (SELECT count(*) FROM jobs WHERE state = 'waiting' \
                             AND destination = $1 AND username IN ($2, '')) \
                           + (SELECT count(*) FROM jobs WHERE state = 'delivering' \
                             AND destination = $1 AND username IN ($2, ''))";
                let query = sqlx::query_scalar::<_, i64>(sql)
                    .bind(*destination)
                    .bind(user);
                if query.fetch_one(&self.read).await? > 0 {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.engine.within(awaited).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Location, file};
    use crate::spawns::Limits;

    const HUB: &str = "https://hub.lab/";
    const SLACK: Duration = Duration::from_secs(60);

    async fn start(ledger: &Ledger, server: &str) -> i64 {
        let limits = Limits {
            an_hour: 60,
            pause: (Duration::from_secs(30), Duration::from_secs(600)),
            timeout: Duration::from_secs(100),
        };
        let now = ledger.now();
        let begun = ledger.begin_spawn(HUB, server, (&limits, now)).await;
        assert_eq!(begun.expect("asked"), Ok(()));
        let ended = ledger.end_spawn(HUB, server, true, (&limits, now)).await;
        assert_eq!(ended.expect("ended"), Ok(()));
        now
    }

    async fn is_own(ledger: &Ledger, server: &str, started_at: i64) -> bool {
        let own = ledger.own_server((HUB, server), "swan", (started_at, SLACK));
        own.await.expect("asked")
    }

    async fn idle(ledger: &Ledger) -> Vec<String> {
        let idle = ledger.idle_servers("swan", Duration::ZERO).await;
        let idle = idle.expect("asked").into_iter();
        idle.map(|started| started.server).collect()
    }

    #[tokio::test]
    async fn only_what_a_recorded_start_made_is_ours_and_the_next_daemon_knows_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = Location::File(file(dir.path()));
        let ledger = Ledger::open(&at).await.expect("a ledger");
        let now = start(&ledger, "alice").await;
        assert!(!is_own(&ledger, "bob", now).await);
        // She stopped it and started one of her own.
        assert!(!is_own(&ledger, "alice", now + 61_000).await);
        assert!(!is_own(&ledger, "alice", now - 61_000).await);
        assert!(is_own(&ledger, "alice", now + 900).await);
        assert_eq!(idle(&ledger).await, ["alice"]);
        ledger.close().await;
        let ledger = Ledger::open(&at).await.expect("the ledger again");
        assert_eq!(idle(&ledger).await, ["alice"]);
        assert!(is_own(&ledger, "alice", now + 900).await);
        let own = ledger.idle_servers("swan", Duration::ZERO).await;
        let own = own.expect("asked").remove(0);
        ledger.use_server(HUB, "alice").await.expect("used");
        let hour = ledger.idle_servers("swan", Duration::from_secs(3600)).await;
        assert_eq!(hour.expect("asked"), []);
        ledger.forget_server(HUB, &own).await.expect("forgotten");
        assert!(idle(&ledger).await.is_empty());
    }
}
