//! A proxy that makes the faults which the real hub can't be made to show.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

/// What happens to the next request of a method whose path contains a word.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with 429 and this `Retry-After`.
    Busy(u32),
    /// It is on its way until this has a permit.
    Late(Arc<Semaphore>),
    /// It reaches its goal, its answer is lost.
    LoseAnswer,
    /// After it was answered by the goal, a person writes a file.
    Write(PathBuf, &'static str),
}

type Faults = Arc<Mutex<Vec<(&'static str, &'static str, Fault)>>>;

#[derive(Clone)]
struct Way {
    goal: String,
    client: reqwest::Client,
    faults: Faults,
}

/// A running proxy.
pub struct Proxy {
    pub url: String,
    faults: Faults,
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
        let faults = Faults::default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let way = Way {
            goal: goal.to_owned(),
            client,
            faults: faults.clone(),
        };
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            axum::serve(listener, Router::new().fallback(pass).with_state(way)).await
        });
        Self {
            url,
            faults,
            _runtime: runtime,
        }
    }

    pub fn next(&self, method: &'static str, word: &'static str, fault: Fault) {
        self.faults
            .lock()
            .expect("faults")
            .push((method, word, fault));
    }

    /// Faults that have not happened yet.
    pub fn left(&self) -> usize {
        self.faults.lock().expect("faults").len()
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let method = request.method().clone();
    let fault = {
        let mut faults = way.faults.lock().expect("faults");
        let at = faults
            .iter()
            .position(|(wanted, word, _)| *wanted == method.as_str() && path.contains(word));
        at.map(|at| faults.remove(at).2)
    };
    if let Some(Fault::Busy(seconds)) = fault {
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [("Retry-After", seconds.to_string())],
            "busy",
        )
            .into_response();
    }
    let mut headers: HashMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    headers.remove("host");
    let body = axum::body::to_bytes(request.into_body(), 64 << 20)
        .await
        .expect("a body");
    let headers = headers.into_iter().collect();
    if let Some(Fault::Late(gate)) = &fault {
        gate.acquire().await.expect("a gate").forget();
    }
    let answer = way
        .client
        .request(method, format!("{}{path}", way.goal))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = answer else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    let body = match fault {
        // The connection breaks in the middle of the body.
        Some(Fault::LoseAnswer) => {
            answer.bytes().await.expect("an answer");
            let broken: Result<Bytes, std::io::Error> =
                Err(std::io::ErrorKind::ConnectionReset.into());
            Body::from_stream(futures_util::stream::iter([broken]))
        }
        Some(Fault::Write(path, text)) => {
            let bytes = answer.bytes().await.expect("an answer");
            std::fs::write(path, text).expect("a person writes");
            Body::from(bytes)
        }
        _ => Body::from_stream(answer.bytes_stream()),
    };
    response.body(body).expect("a response")
}
