//! Hints from other processes that there is something to do. Nothing depends on them: who hears none
//! finds it at the next look.

use std::sync::Arc;

use sqlx::AnyConnection;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};

use super::engine::{Engine, Location};
use super::{Ledger, LedgerError};

/// What is listened to.
const CHANNEL: &str = "nbcourier";

impl Ledger {
    /// Wakes `ready` whenever another process says that there is something to do.
    pub async fn listen(self, ready: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let Location::Server { url, .. } = self.location.as_ref() else {
            return;
        };
        while !*stop.borrow() {
            tokio::select! {
                () = hear(url.as_str(), &ready) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(super::engine::PATIENCE) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Tells the other processes at the end of this transaction.
    pub(super) async fn hint(&self, db: &mut AnyConnection) -> Result<(), LedgerError> {
        if self.engine == Engine::Postgres {
            let sql = "SELECT pg_notify($1, '')";
            sqlx::query(sql).bind(CHANNEL).execute(db).await?;
        }
        Ok(())
    }
}

/// Until the connection ends.
async fn hear(url: &str, ready: &Notify) {
    let Ok(mut listener) = PgListener::connect(url).await else {
        return;
    };
    if listener.listen(CHANNEL).await.is_ok() {
        ready.notify_one();
        while listener.recv().await.is_ok() {
            ready.notify_one();
        }
    }
}
