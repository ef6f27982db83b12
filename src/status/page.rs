//! The status page and its JSON twin: read-only, for a browser on this machine, or beyond it with a
//! token. Works without JavaScript; with it, what has changed appears by itself.
//!
//! Every page is made whole on the server. The script asks for it again with what it has seen, which
//! costs one small query while nothing has happened.

mod api;
mod chart;
mod door;
mod find;
mod frame;
mod head;
mod notebook;
mod preview;
mod rows;
mod run;
mod serve;
mod snapshot;
mod token;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::json;
use crate::config::Config;
use crate::ledger::{Ledger, LedgerError, RunRow};
use door::{Door, guard};
use find::{Missing, asked, chosen, find};
use frame::{Shown, answer, document, frame, machine, unreadable};
use rows::About;
use snapshot::{Asked, Overview};
use token::Token;
use words::Word;

/// What the page reads.
#[derive(Clone)]
pub struct Page {
    /// The configuration.
    pub config: Arc<Config>,
    /// The ledger.
    pub ledger: Ledger,
    /// What only the daemon knows.
    pub alive: Arc<dyn Fn() -> json::Alive + Send + Sync>,
}

/// The page as it is served.
struct Site {
    page: Page,
    /// One answer is made at a time, so that no number of readers takes the ledger or the machine
    /// from detection and delivery.
    turn: Semaphore,
}

/// Serves the newest of these pages until `closed`. Connections to a former one end with what they are
/// asking.
pub async fn serve(
    listener: TcpListener,
    mut pages: watch::Receiver<Page>,
    closed: impl Future<Output = ()>,
) {
    tokio::pin!(closed);
    loop {
        let page = pages.borrow_and_update().clone();
        let patience = page.config.paces.page;
        let (_open, stop) = watch::channel(false);
        tokio::select! {
            () = serve::serve(&listener, (router(page), patience), stop) => return,
            () = &mut closed => return,
            changed = pages.changed() => if changed.is_err() { return },
        }
    }
}

fn router(page: Page) -> Router {
    let door = Arc::new(Door {
        token: page.config.read_token.clone().map(Token::new),
        is_public: page.config.listen.is_some_and(|at| !at.ip().is_loopback()),
    });
    let site = Arc::new(Site {
        page,
        turn: Semaphore::new(1),
    });
    Router::new()
        .route("/", get(index))
        .route("/latest", get(latest))
        .route("/run/{id}", get(one))
        .route("/runs/{*named}", get(named))
        .route("/api/v1/runs", get(api::runs))
        .route("/api/v1/runs/{*named}", get(api::run))
        .route("/api/v1/status", get(api::status))
        .route("/metrics", get(api::scrape))
        .route("/readyz", get(api::ready))
        .layer(middleware::from_fn_with_state(site.clone(), in_turn))
        .with_state(site)
        .route("/healthz", get(async || "ok\n"))
        .route(
            "/page.css",
            get(async || typed("text/css; charset=utf-8", include_str!("page.css"))),
        )
        .route(
            "/page.js",
            get(async || typed("text/javascript; charset=utf-8", include_str!("page.js"))),
        )
        .route(
            "/icon.svg",
            get(async || typed("image/svg+xml", include_str!("icon.svg"))),
        )
        .layer(middleware::from_fn_with_state(door, guard))
}

fn typed(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

async fn in_turn(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    // It is never closed.
    let _turn = site.turn.acquire().await;
    next.run(request).await
}

async fn index(State(site): State<Arc<Site>>, headers: HeaderMap, uri: Uri) -> Response {
    answer(&site, &headers, overview(&site.page, asked(&uri))).await
}

async fn overview(page: &Page, asked: Asked) -> Result<Shown, LedgerError> {
    let overview = Overview::read((&page.config, &page.ledger), (page.alive)(), asked).await?;
    let contact = page.config.contact.as_deref();
    let about = About {
        now: overview.now,
        contact,
        watches: page.config.watches.len() > 1,
        open: false,
    };
    let (symbol, _, sentence) = head::Verdict::of(&overview).told(overview.now);
    let body = html! {
        h1.hidden { "nbcourier: the runs of " (machine()) }
        div role="status" { (head::band(&overview)) }
        (head::troubles(&overview, contact))
        (head::places(&overview, &page.config))
        (chart::charts(&overview, &page.config))
        (rows::runs(&overview, about))
    };
    Ok((format!("{symbol} {sentence}"), body))
}

/// The page of one run.
async fn one(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let ledger = &site.page.ledger;
    let run = match id.parse() {
        Ok(id) => ledger.numbered(id).await,
        Err(_) => Ok(None),
    };
    match run {
        Ok(Some(run)) => answer(&site, &headers, of_run(&site.page, run)).await,
        Ok(None) => Missing::unknown(&id).as_page(),
        Err(error) => unreadable(&error),
    }
}

async fn of_run(page: &Page, run: RunRow) -> Result<Shown, LedgerError> {
    let (jobs, events) = (
        page.ledger.jobs(run.id).await?,
        page.ledger.events(run.id).await?,
    );
    let about = About {
        now: page.ledger.now(),
        contact: page.config.contact.as_deref(),
        watches: false,
        open: true,
    };
    let words: Vec<&str> = jobs.iter().map(|job| Word::of_job(job).row().1).collect();
    let title = format!("{} {}", words::plain(&run.name), words.join(", "));
    Ok((title, run::page(&run, &jobs, &events, about)))
}

async fn latest(State(site): State<Arc<Site>>) -> Response {
    match snapshot::newest(&site.page.ledger).await {
        Ok(Some(run)) => Redirect::to(&format!("/run/{}", run.id)).into_response(),
        Ok(None) => Redirect::to("/").into_response(),
        Err(error) => unreadable(&error),
    }
}

/// `NAME.ipynb` is the notebook, `NAME.html` shows it, `NAME` is the run's page. A name is a run's,
/// `watch:name`, a `run` parameter or a job's id.
async fn named(State(site): State<Arc<Site>>, Path(asked): Path<String>) -> Response {
    let (name, kind) = match asked.rsplit_once('.') {
        Some((name, kind @ ("ipynb" | "html"))) => (name, kind),
        _ => (asked.as_str(), ""),
    };
    match find(&site.page.ledger, name).await {
        Ok(run) if kind.is_empty() => Redirect::to(&format!("/run/{}", run.id)).into_response(),
        Ok(run) => of_notebook(&site.page, &run, name, kind == "ipynb").await,
        Err(missing) => missing.as_page(),
    }
}

async fn of_notebook(page: &Page, run: &RunRow, name: &str, download: bool) -> Response {
    let jobs = match page.ledger.jobs(run.id).await {
        Ok(jobs) => jobs,
        Err(error) => return unreadable(&error),
    };
    let Some(job) = chosen(&jobs, name) else {
        return notebook::missing(run, "this run has no notebook", "");
    };
    if run.pruned_at.is_some() {
        let told = "the parameters of this run were forgotten (`[ledger] keep`)";
        return notebook::missing(run, told, "open what was delivered");
    }
    match notebook::make((&page.config, &page.ledger), run, job).await {
        Ok(made) if download => notebook::download(made, job),
        Ok(made) => {
            let body = notebook::page(&made, run, job, page.ledger.now());
            document(frame((&words::plain(&run.name), None), body)).into_response()
        }
        Err(failure) => notebook::missing(run, &failure.what, failure.advice()),
    }
}
