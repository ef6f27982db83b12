//! Another configuration while the daemon runs: all of it, or nothing.
//!
//! Detection, page and socket begin again with it. The worker goes on: what is being delivered ends
//! as it began, what only waits for a server begins again, and all else is claimed anew.

use std::fmt::Debug;
use std::sync::Arc;

use super::Running;
use super::rooms::Rooms;
use crate::config::{self, Config};
use crate::status::control::Reloaded;

/// The key of a refused configuration on the board.
const KEY: &str = "reload";

impl Running {
    /// Takes the configuration over as its files stand now, for whom asked.
    ///
    /// # Errors
    /// Why it can't be, in the words of `check`; all goes on as before.
    pub(super) async fn reload(&mut self, who: &str) -> Result<Reloaded, String> {
        match self.checked() {
            Ok(config) => Ok(self.swap(config, who).await),
            Err(why) => {
                self.refuse(&why, who).await;
                Err(why)
            }
        }
    }

    /// The configuration as its files stand now, if it can be taken over.
    fn checked(&self) -> Result<Config, String> {
        let former = &self.rooms.config;
        let config = config::load(&former.file).map_err(|mistakes| mistakes.to_string())?;
        let fixed = [
            ("[daemon] state", former.state != config.state),
            ("[ledger] url", former.ledger.url != config.ledger.url),
            (
                "[ledger] password",
                former.ledger.password != config.ledger.password,
            ),
        ];
        match fixed.iter().find(|(_, differs)| *differs) {
            None => Ok(config),
            Some((key, _)) => Err(format!(
                "error: `{key}` can't change while nbcourier runs\n --> {}\n  = restart it: \
                 sudo systemctl restart nbcourier; or put the former value back",
                config.file.display()
            )),
        }
    }

    async fn swap(&mut self, config: Config, who: &str) -> Reloaded {
        let reloaded = difference(&self.rooms.config, &config);
        self.rooms.stop().await;
        let house = &mut self.house;
        house.doors.follow(&config, &house.health).await;
        house.page = house.doors.url();
        let former = self.rooms.desk.take();
        self.rooms = Rooms::start(&mut self.house, Arc::new(config), former.as_deref());
        if let (Some(desks), Some(desk)) = (&self.desks, &self.rooms.desk) {
            // The worker ends with the daemon only.
            let _ = desks.send(desk.clone());
        }
        self.announcing.send_replace(self.rooms.announcing.clone());
        self.house.health.clear(KEY);
        tracing::info!(by = who, "the configuration is taken over: {reloaded}");
        self.record("reloaded", &reloaded.to_string(), who).await;
        self.rooms.armed().await;
        reloaded
    }

    async fn refuse(&self, why: &str, who: &str) {
        let file = &self.rooms.config.file;
        let first = why.lines().next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let what = format!(
            "the configuration {} was not taken over, the one before still counts: {first}",
            file.display()
        );
        let advice = format!(
            "see `nbcourier -c {} check --offline` for every mistake and its place, mend them, then \
             `nbcourier reload`",
            file.display()
        );
        tracing::warn!(by = who, "the configuration is not taken over: {first}");
        self.record("reload-refused", first, who).await;
        self.house.health.raise(KEY, "reload-refused", what, advice);
    }

    /// A ledger that can't be written just now doesn't keep a configuration from being taken over.
    async fn record(&self, event: &str, detail: &str, who: &str) {
        let recorded = self.house.ledger.record_act((event, detail), who).await;
        if let Err(error) = recorded {
            tracing::debug!(%error, "the reload is not recorded");
        }
    }
}

/// Which tables are others, by name.
fn difference(former: &Config, config: &Config) -> Reloaded {
    let (was, is) = (tables(former), tables(config));
    let name = |(name, _): &(String, String)| name.clone();
    let of =
        |all: &[(String, String)], name: &str| all.iter().find(|(own, _)| own == name).cloned();
    let is_new = |table: &&(String, String)| of(&was, &table.0).is_none();
    let is_other =
        |table: &&(String, String)| of(&was, &table.0).is_some_and(|was| was.1 != table.1);
    let is_gone = |table: &&(String, String)| of(&is, &table.0).is_none();
    let changed = is.iter().filter(is_other).map(name);
    // The log was set up before there was anything to reload.
    let (after_restart, changed) = changed.partition(|table| table == "log");
    Reloaded {
        new: is.iter().filter(is_new).map(name).collect(),
        changed,
        after_restart,
        gone: was.iter().filter(is_gone).map(name).collect(),
    }
}

/// Every table by name, and all that it says.
fn tables(config: &Config) -> Vec<(String, String)> {
    fn named<T: Debug>(kind: &str, name: &str, table: &T) -> (String, String) {
        let dot = if name.is_empty() { "" } else { "." };
        (format!("{kind}{dot}{name}"), format!("{table:?}"))
    }
    let watches = config.watches.iter();
    let notebooks = config.notebooks.iter();
    let destinations = config.destinations.iter();
    let mut all = vec![
        named("log", "", &config.log),
        named("ledger", "", &config.ledger.keep),
        named("retry", "", &config.retry),
        named(
            "status",
            "",
            &(&config.listen, &config.read_token, &config.contact),
        ),
    ];
    all.extend(config.spool.iter().map(|spool| named("spool", "", spool)));
    all.extend(watches.map(|table| named("watch", &table.name, table)));
    all.extend(notebooks.map(|table| named("notebook", &table.name, table)));
    let announcers = config.announcers.iter();
    all.extend(destinations.map(|table| named("destination", &table.name, table)));
    all.extend(announcers.map(|table| named("announce", &table.name, table)));
    all
}
