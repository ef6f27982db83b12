//! A proxy that makes the faults which the real hub can't be made to show.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use crate::support::Dice;

/// What happens to the next request of a method whose path contains a word.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is on its way until this has a permit.
    Late(Arc<Semaphore>),
    /// It is answered with this status and this `Retry-After`, and does not reach its goal.
    Instead(u16, Option<String>),
    /// It reaches its goal, and is answered with this status.
    After(u16),
    /// It reaches its goal, its answer is lost.
    LoseAnswer,
    /// It reaches its goal, its answer breaks off.
    CutAnswer,
    /// It breaks off on the way to its goal.
    CutRequest,
    /// It reaches its goal so much later, whoever waits for it by then.
    Delay(Duration),
    /// It reaches its goal at once, its answer comes so much later.
    DelayAnswer(Duration),
    /// After it was answered by the goal, a person writes a file.
    Write(PathBuf, &'static str),
}

/// A request as it came: when, its method, its path and query.
pub type Seen = (Instant, String, String);

#[derive(Default)]
struct Plan {
    faults: Vec<(&'static str, &'static str, Fault)>,
    /// One request in so many meets a fault at random.
    storm: Option<(Dice, usize)>,
    seen: Vec<Seen>,
}

#[derive(Clone)]
struct Way {
    goal: String,
    client: reqwest::Client,
    plan: Arc<Mutex<Plan>>,
}

/// A running proxy.
pub struct Proxy {
    pub url: String,
    plan: Arc<Mutex<Plan>>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    pub fn start(goal: &str) -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(4))
            .build()
            .expect("a client");
        let plan = Arc::<Mutex<Plan>>::default();
        let way = Way {
            goal: goal.to_owned(),
            client,
            plan: plan.clone(),
        };
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            axum::serve(listener, Router::new().fallback(take).with_state(way)).await
        });
        Self {
            url,
            plan,
            _runtime: runtime,
        }
    }

    pub fn next(&self, method: &'static str, word: &'static str, fault: Fault) {
        self.plan().faults.push((method, word, fault));
    }

    /// Faults that have not happened yet.
    pub fn left(&self) -> usize {
        self.plan().faults.len()
    }

    /// From now on one request in so many meets a fault that the seed chooses.
    pub fn storm(&self, seed: u64, one_in: usize) {
        self.plan().storm = Some((Dice(seed), one_in));
    }

    pub fn calm(&self) {
        self.plan().storm = None;
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.plan().seen.clone()
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().expect("the plan")
    }
}

impl Plan {
    fn fault(&mut self, method: &str, path: &str) -> Option<Fault> {
        let now = Instant::now();
        self.seen.push((now, method.to_owned(), path.to_owned()));
        let mut faults = self.faults.iter();
        let planned = faults.position(|(wanted, word, _)| *wanted == method && path.contains(word));
        match planned {
            Some(at) => Some(self.faults.remove(at).2),
            None => self
                .storm
                .as_mut()
                .and_then(|(dice, one_in)| struck(dice, *one_in)),
        }
    }
}

fn struck(dice: &mut Dice, one_in: usize) -> Option<Fault> {
    if dice.below(one_in) > 0 {
        return None;
    }
    let moment = Duration::from_millis(dice.below(1500) as u64);
    Some(match dice.below(10) {
        0 => Fault::LoseAnswer,
        1 => Fault::CutAnswer,
        2 => Fault::CutRequest,
        3 => Fault::Delay(moment),
        4 => Fault::DelayAnswer(moment),
        5 => Fault::Instead(500, None),
        6 => Fault::Instead(502, None),
        7 => Fault::Instead(503, Some("1".into())),
        8 => Fault::After(502),
        _ => Fault::After(504),
    })
}

/// In a task of its own: what is on its way goes on when its sender has gone.
async fn take(State(way): State<Way>, request: Request) -> Response {
    let passed = tokio::spawn(pass(way, request)).await;
    passed.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn pass(way: Way, request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let method = request.method().clone();
    let fault = way
        .plan
        .lock()
        .expect("the plan")
        .fault(method.as_str(), &path);
    let headers = request.headers().clone();
    let Ok(body) = axum::body::to_bytes(request.into_body(), 64 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match &fault {
        Some(Fault::Instead(status, wait)) => return instead(*status, wait.as_deref()),
        Some(Fault::Delay(moment)) => tokio::time::sleep(*moment).await,
        Some(Fault::Late(gate)) => gate.acquire().await.expect("a gate").forget(),
        _ => {}
    }
    let cut = matches!(fault, Some(Fault::CutRequest));
    let sent = forward(
        &way,
        method,
        &path,
        headers,
        if cut { halved(body) } else { body.into() },
    );
    match sent.await {
        Ok(answer) => answered(answer, fault).await,
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn instead(status: u16, wait: Option<&str>) -> Response {
    let mut response = Response::builder().status(status);
    if let Some(wait) = wait {
        response = response.header("Retry-After", wait);
    }
    response.body(Body::from("trouble")).expect("a response")
}

/// The first half, and then an end before its time.
fn halved(body: Bytes) -> reqwest::Body {
    let half: Result<Bytes, std::io::Error> = Ok(body.slice(..body.len() / 2));
    reqwest::Body::wrap_stream(futures_util::stream::iter([half, broken()]))
}

fn broken() -> Result<Bytes, std::io::Error> {
    Err(std::io::ErrorKind::ConnectionReset.into())
}

async fn forward(
    way: &Way,
    method: Method,
    path: &str,
    mut headers: HeaderMap,
    body: reqwest::Body,
) -> reqwest::Result<reqwest::Response> {
    headers.remove("host");
    let request = way.client.request(method, format!("{}{path}", way.goal));
    request.headers(headers).body(body).send().await
}

async fn answered(answer: reqwest::Response, fault: Option<Fault>) -> Response {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    let Some(fault) = fault else {
        return response
            .body(Body::from_stream(answer.bytes_stream()))
            .expect("a response");
    };
    let Ok(bytes) = answer.bytes().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let body = match fault {
        Fault::After(status) => return instead(status, None),
        // The connection breaks before, or in the middle of, the body.
        Fault::LoseAnswer => Body::from_stream(futures_util::stream::iter([broken()])),
        Fault::CutAnswer => {
            let half = Ok(bytes.slice(..bytes.len() / 2));
            Body::from_stream(futures_util::stream::iter([half, broken()]))
        }
        Fault::Write(path, text) => {
            std::fs::write(path, text).expect("a person writes");
            Body::from(bytes)
        }
        Fault::DelayAnswer(moment) => {
            tokio::time::sleep(moment).await;
            Body::from(bytes)
        }
        Fault::Instead(..) | Fault::CutRequest | Fault::Delay(_) | Fault::Late(_) => {
            Body::from(bytes)
        }
    };
    response.body(body).expect("a response")
}
