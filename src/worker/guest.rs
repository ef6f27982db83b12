//! What a guest does on hubs beside delivering: it shows that users are still needed whose tokens are
//! to stay good (`keep_alive`), and stops the servers that it started and nobody used (`stop_after`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::Worker;
use crate::config::checked::{Destination as Table, Hub, Kind};
use crate::deliver::Desk;
use crate::destination::Destination;
use crate::jupyter::Jupyter;

/// When what was done last.
#[derive(Default)]
pub(super) struct Guest {
    /// For each destination.
    beaten: HashMap<String, Instant>,
    /// The last round among the servers, and when it began.
    stops: Option<(AbortHandle, Instant)>,
}

impl Guest {
    /// Does what is due.
    pub(super) fn look(&mut self, desk: &Arc<Desk>, worker: &mut Worker) {
        let hubs = desk.config.destinations.iter();
        for table in hubs.filter(|table| hub(table).is_some_and(|hub| hub.keep_alive)) {
            let beaten = self.beaten.entry(table.name.clone());
            if is_due(
                beaten.or_insert_with(Instant::now),
                desk.config.paces.heartbeat,
            ) {
                let (desk, name) = (desk.clone(), table.name.clone());
                worker.tasks.spawn(async move {
                    if let Some(jupyter) = jupyter(&desk, &name) {
                        jupyter.beat().await;
                    }
                });
            }
        }
        let is_free = self.stops.as_ref().is_none_or(|(round, began)| {
            round.is_finished() && began.elapsed() >= desk.config.paces.probe
        });
        if is_free {
            let desk = desk.clone();
            let round = worker.tasks.spawn(async move { stop_unused(&desk).await });
            self.stops = Some((round, Instant::now()));
        }
    }
}

/// Whether so much time is over; it begins anew then.
fn is_due(last: &mut Instant, pause: Duration) -> bool {
    let is_due = last.elapsed() >= pause;
    if is_due {
        *last = Instant::now();
    }
    is_due
}

fn hub(table: &Table) -> Option<&Hub> {
    match &table.kind {
        Kind::Hub(hub) => Some(hub),
        _ => None,
    }
}

fn jupyter<'a>(desk: &'a Desk, name: &str) -> Option<&'a Jupyter> {
    match desk.destination(name) {
        Ok(Destination::Jupyter(jupyter)) => Some(jupyter),
        _ => None,
    }
}

async fn stop_unused(desk: &Desk) {
    let tables = &desk.config.destinations;
    for (table, here) in tables.iter().filter_map(|table| Some((table, hub(table)?))) {
        let leads_here = |other: &&Table| hub(other).is_some_and(|other| other.url == here.url);
        let names: Vec<&str> = tables
            .iter()
            .filter(leads_here)
            .map(|other| other.name.as_str())
            .collect();
        if let Some(jupyter) = jupyter(desk, &table.name)
            && let Err(error) = jupyter.stop_unused(&names).await
        {
            tracing::debug!(%error, "no server is stopped for now");
        }
    }
}
