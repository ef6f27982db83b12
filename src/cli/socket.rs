//! The client of the control socket.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Stop, exit};
use crate::config::Config;
use crate::status::control;

/// Asks the daemon; `body` makes it a POST.
pub(super) async fn ask<B: Serialize + Sync>(
    config: &Config,
    path: &str,
    body: Option<&B>,
) -> Result<Value, Stop> {
    let socket = control::socket(&config.state);
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
            let message = value["message"].as_str().unwrap_or("refused").to_owned();
            Err(Stop::new(exit::ARGUMENTS, message))
        }
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

fn not_reached(shown: &str, socket: &std::path::Path, error: &reqwest::Error) -> Stop {
    let refused = std::os::unix::net::UnixStream::connect(socket)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    if refused {
        return Stop::new(exit::REFUSED, format!("you may not use the socket {shown}"))
            .hint("ask to be put into the group of the service, or use sudo");
    }
    if error.is_timeout() {
        return Stop::new(exit::LATER, "the daemon did not answer within 30 s");
    }
    Stop::new(
        exit::UNREACHABLE,
        format!("the daemon is not running: nobody answers at {shown}"),
    )
    .hint("start it: systemctl start nbcourier")
}
