//! The control socket: a person's acts, and the health that only the running daemon knows.
//!
//! HTTP over a Unix socket. Whoever may open the socket may act; the kernel says who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::page::Page;
use crate::detect::spool::{Rejection, Request, Submitter};
use crate::job::JobState;
use crate::ledger::{Act, LedgerError};

/// The socket of a daemon with this state directory.
#[must_use]
pub fn socket(state: &Path) -> PathBuf {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let runtime = runtime.or_else(|| {
        let packaged = PathBuf::from("/run/nbcourier");
        (state == Path::new("/var/lib/nbcourier") && packaged.is_dir()).then_some(packaged)
    });
    runtime
        .unwrap_or_else(|| state.to_owned())
        .join("control.sock")
}

/// `POST /retry` and `POST /skip`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActRequest {
    /// Numbers of runs in the ledger.
    pub runs: Vec<i64>,
    /// `retry` only: a new job beside each one that ended.
    #[serde(default)]
    pub fresh: bool,
    /// Only jobs in this state.
    #[serde(default)]
    pub state: Option<JobState>,
}

/// What the socket needs.
#[derive(Clone)]
pub struct Control {
    /// What the page reads.
    pub page: Page,
    /// Takes runs delivered by hand.
    pub submitter: Arc<Submitter>,
    /// Wakes the worker.
    pub ready: Arc<Notify>,
    /// Has credentials asked for at once.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
struct Caller(String);

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(caller(stream.io()))
    }
}

fn caller(stream: &UnixStream) -> String {
    let Ok(peer) = stream.peer_cred() else {
        return "unknown".into();
    };
    let uid = peer.uid();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    match account(&accounts, uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The name of a local account, from the text of passwd(5); others are known by number only.
fn account(accounts: &str, uid: u32) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    })
}

/// Serves the socket until `stop`. A socket left by a dead daemon is replaced: the lock on the
/// state directory has shown that it is dead.
///
/// # Errors
/// When the socket can't be made.
pub async fn serve(
    path: &Path,
    control: Control,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    std::fs::set_permissions(path, mode)?;
    let service = router(control).into_make_service_with_connect_info::<Caller>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service)
            .with_graceful_shutdown(stop)
            .await
        {
            tracing::warn!(%error, "the control socket has ended");
        }
    });
    Ok(())
}

fn router(control: Control) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/retry", post(retry))
        .route("/skip", post(skip))
        .route("/submit", post(submit))
        .with_state(control)
}

async fn status(State(control): State<Control>) -> Response {
    let page = &control.page;
    let alive = (page.alive)();
    let status = super::json::status(&page.config, &page.ledger, &alive).await;
    let without = |error| super::json::status_without(&page.ledger, &error, &alive);
    Json(status.unwrap_or_else(without)).into_response()
}

async fn retry(
    State(control): State<Control>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<ActRequest>,
) -> Response {
    let act = if request.fresh {
        Act::Fresh
    } else {
        Act::Retry
    };
    (control.wake)();
    done(&control, act, &request, caller).await
}

async fn skip(
    State(control): State<Control>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<ActRequest>,
) -> Response {
    done(&control, Act::Skip, &request, caller).await
}

async fn done(control: &Control, act: Act, request: &ActRequest, Caller(who): Caller) -> Response {
    let jobs = (request.runs.as_slice(), request.state);
    let acted = control.page.ledger.act(act, jobs, &who).await;
    control.ready.notify_one();
    match acted {
        Ok(acted) => Json(acted).into_response(),
        Err(error) => ledger_trouble(&error),
    }
}

async fn submit(State(control): State<Control>, Json(request): Json<Request>) -> Response {
    match control.submitter.submit(request).await {
        Ok((watch, name)) => {
            Json(serde_json::json!({ "watch": watch, "name": name })).into_response()
        }
        Err(rejection) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json::<Rejection>(rejection),
        )
            .into_response(),
    }
}

fn ledger_trouble(error: &LedgerError) -> Response {
    (StatusCode::INSUFFICIENT_STORAGE, error.to_string()).into_response()
}
