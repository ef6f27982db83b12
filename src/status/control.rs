//! The control socket: a person's acts, and the health that only the running daemon knows.
//!
//! HTTP over a Unix socket. Whoever may open the socket may act; the kernel says who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{FromRef, Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::ask::{Question, Refused};
use super::page::Page;
use crate::account;
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
    /// By which a reload is asked for.
    pub reloads: mpsc::Sender<Reload>,
}

/// Whatever the configuration is when somebody asks.
impl FromRef<watch::Receiver<Self>> for Control {
    fn from_ref(controls: &watch::Receiver<Self>) -> Self {
        controls.borrow().clone()
    }
}

/// Somebody asks the daemon to take its configuration over as the files now stand.
#[derive(Debug)]
pub struct Reload {
    /// Who it is.
    pub who: String,
    /// What it came to: the tables that differ, or every mistake.
    pub answer: oneshot::Sender<Result<Reloaded, String>>,
}

/// The tables that differ after a reload, as `watch.h4`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Not there before.
    pub new: Vec<String>,
    /// There before, and other now.
    pub changed: Vec<String>,
    /// There no more; jobs that wait for them are held.
    pub gone: Vec<String>,
    /// Other now, but only from the next restart on.
    pub after_restart: Vec<String>,
}

impl std::fmt::Display for Reloaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("new", &self.new),
            ("changed", &self.changed),
            ("gone", &self.gone),
            ("only after a restart", &self.after_restart),
        ];
        let some = kinds.iter().filter(|(_, tables)| !tables.is_empty());
        let some = some.map(|(kind, tables)| format!("{kind} {}", tables.join(", ")));
        match some.collect::<Vec<_>>() {
            none if none.is_empty() => f.write_str("nothing in it has changed"),
            some => f.write_str(&some.join("; ")),
        }
    }
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
    stream
        .peer_cred()
        .map_or_else(|_| "unknown".into(), |peer| account::shown(peer.uid()))
}

/// Makes the socket. One left by a dead daemon is replaced: the lock on the state directory has
/// shown that it is dead.
///
/// # Errors
/// When it can't be made.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    std::fs::set_permissions(path, mode)?;
    Ok(listener)
}

/// Serves the socket until `stop`; what was asked by then is answered.
pub fn serve(
    listener: UnixListener,
    controls: watch::Receiver<Control>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let service = router(controls).into_make_service_with_connect_info::<Caller>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service)
            .with_graceful_shutdown(stop)
            .await
        {
            tracing::warn!(%error, "the control socket has ended");
        }
    });
}

fn router(controls: watch::Receiver<Control>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/ask", post(ask))
        .route("/retry", post(retry))
        .route("/skip", post(skip))
        .route("/submit", post(submit))
        .route("/reload", post(reload))
        .with_state(controls)
}

async fn status(State(control): State<Control>) -> Response {
    let page = &control.page;
    let alive = (page.alive)();
    let status = super::json::status(&page.config, &page.ledger, &alive).await;
    let without = |error| super::json::status_without(&page.ledger, &error, &alive);
    Json(status.unwrap_or_else(without)).into_response()
}

/// For those who may not read the ledger themselves.
async fn ask(State(control): State<Control>, Json(question): Json<Question>) -> Response {
    match super::ask::answer(&control.page.ledger, &question).await {
        Ok(answer) => Json(answer).into_response(),
        Err(Refused::Words { message, hint }) => {
            let refusal = serde_json::json!({ "message": message, "hint": hint });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(refusal)).into_response()
        }
        Err(Refused::Ledger(error)) => ledger_trouble(&error),
    }
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

async fn reload(
    State(control): State<Control>,
    ConnectInfo(Caller(who)): ConnectInfo<Caller>,
) -> Response {
    let (answer, verdict) = oneshot::channel();
    // Where nobody takes it up the answer is gone as well.
    let _ = control.reloads.send(Reload { who, answer }).await;
    match verdict.await {
        Ok(Ok(reloaded)) => Json(reloaded).into_response(),
        Ok(Err(why)) => (StatusCode::CONFLICT, why).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "it is stopping").into_response(),
    }
}

async fn submit(
    State(control): State<Control>,
    ConnectInfo(Caller(who)): ConnectInfo<Caller>,
    Json(request): Json<Request>,
) -> Response {
    match control.submitter.submit(request, who).await {
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
