//! `nbcourier check`: one announcer.

use super::{Check, State, exit};
use crate::config::checked::Announcer;
use crate::status::announce::Receiver;

/// Its line. Nobody is told anything.
pub(super) async fn announcer(table: &Announcer) -> Check {
    let name = format!("announce {}", table.name);
    match Receiver::new(&table.to, None).look().await {
        Ok(what) => Check::ok(&name, what),
        Err(untold) => Check {
            code: exit::REFUSED,
            ..Check::trouble(&name, State::Failed, untold.what, &untold.advice)
        },
    }
}
