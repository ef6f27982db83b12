//! `nbcourier reload`.

use super::{Context, Stop, exit, socket};
use crate::config;
use crate::status::control::Reloaded;

/// The daemon reads its files itself; here only its socket is to be found, also by a configuration
/// that is full of mistakes.
pub(super) async fn run(context: &Context) -> Result<u8, Stop> {
    let state = config::state(&context.config);
    let answer = socket::ask(&state, "/reload", Some(&())).await;
    let answer = answer.map_err(|stop| match stop.code {
        exit::CONFIGURATION => {
            stop.hint("nothing has changed: the former configuration still counts")
        }
        _ => stop,
    })?;
    if context.output.json {
        context.output.value(&answer);
        return Ok(exit::DONE);
    }
    let reloaded: Reloaded = serde_json::from_value(answer)
        .map_err(|error| Stop::new(exit::LATER, format!("the daemon's answer: {error}")))?;
    context.output.note(format!("reloaded: {reloaded}"));
    Ok(exit::DONE)
}
