//! The client of the control socket.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Stop, exit};
use crate::account;
use crate::status::control;

/// Asks the daemon with this state directory; `body` makes it a POST.
pub(super) async fn ask<B: Serialize + Sync>(
    state: &Path,
    path: &str,
    body: Option<&B>,
) -> Result<Value, Stop> {
    let socket = control::socket(state);
    let shown = socket.display().to_string();
    let client = reqwest::Client::builder()
        .unix_socket(socket.clone())
        // Nothing here speaks TLS: the system's authorities need not be there.
        .tls_certs_only([])
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| Stop::new(exit::UNREACHABLE, error.to_string()))?;
    // The host is never resolved: the socket is the address.
    let url = format!("http://localhost{path}");
    let request = match body {
        Some(body) => client.post(url).json(body),
        None => client.get(url),
    };
    let answer = request
        .send()
        .await
        .map_err(|error| not_reached(&shown, &socket, &error))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    match status.as_u16() {
        200 => Ok(value),
        422 => {
            let message = value["message"].as_str().unwrap_or("refused");
            let stop = Stop::new(exit::ARGUMENTS, message);
            Err(match value["hint"].as_str() {
                Some(hint) => stop.hint(hint),
                None => stop,
            })
        }
        409 => Err(Stop::new(
            exit::CONFIGURATION,
            value.as_str().unwrap_or("the configuration is refused"),
        )),
        507 => Err(Stop::new(
            exit::LEDGER,
            value.as_str().unwrap_or("the ledger can't be written"),
        )),
        _ => Err(Stop::new(
            exit::LATER,
            format!("the daemon answered {status}: {value}"),
        )),
    }
}

/// The daemon may well run: only the group of its socket may ask it.
fn forbidden(shown: &str, socket: &Path) -> Stop {
    let stop = |message: String| Stop::new(exit::REFUSED, message);
    match std::fs::metadata(socket) {
        Ok(facts) => {
            let group = account::group(facts.gid());
            let message = format!("only members of the group `{group}` may use the socket {shown}");
            stop(message).hint(format!(
                "ask to be put into it (sudo usermod -aG {group} $USER, then log in again), or use sudo"
            ))
        }
        Err(_) => stop(format!(
            "you may not look into the directory of the socket {shown}"
        ))
        .hint("use sudo; under systemd the socket is in /run/nbcourier, where a group may use it"),
    }
}

fn not_reached(shown: &str, socket: &Path, error: &reqwest::Error) -> Stop {
    let refused = std::os::unix::net::UnixStream::connect(socket)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    if refused {
        return forbidden(shown, socket);
    }
    if error.is_timeout() {
        return Stop::new(exit::LATER, "the daemon did not answer within 30 s");
    }
    Stop::new(
        exit::UNREACHABLE,
        format!("the daemon is not running: nobody answers at {shown}"),
    )
    .hint("start it: sudo systemctl start nbcourier (systemctl status nbcourier says why it ended)")
}
