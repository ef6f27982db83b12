//! The limit: the calls of one delivery after the other, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::CONCURRENCY;
use crate::contender::Who;
use crate::measure::Burst;
use crate::site::Site;
use crate::watched::used;

/// What looks for a file and tells its sha256.
const LOOK: &str = "?content=0&hash=1";

/// What all calls share.
struct Caller {
    client: Client,
    base: String,
    token: String,
    upload: Value,
    next: AtomicUsize,
}

impl Caller {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> StatusCode {
        let request = self.client.request(method, format!("{}/{path}", self.base));
        let mut request = request.header("Authorization", format!("token {}", self.token));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        answer.bytes().await.expect("its body");
        status
    }

    /// As `jupyter::contents` does it: look, upload aside as a file, verify, rename.
    async fn aside(&self, number: usize) {
        let (part, path) = (format!("{number}.part"), format!("{number}.ipynb"));
        let absent = self.call(Method::GET, &format!("{path}{LOOK}"), None).await;
        assert_eq!(absent, 404);
        assert_eq!(self.call(Method::PUT, &part, Some(&self.upload)).await, 201);
        let stored = self.call(Method::GET, &format!("{part}{LOOK}"), None).await;
        assert_eq!(stored, 200);
        let (_, directory) = self.base.split_once("/api/contents/").expect("a URL");
        let rename = json!({ "path": format!("{directory}/{path}") });
        assert_eq!(self.call(Method::PATCH, &part, Some(&rename)).await, 200);
    }

    /// As the peer does it: look, write as a notebook.
    async fn straight(&self, number: usize) {
        let path = format!("{number}.ipynb");
        let absent = self
            .call(Method::GET, &format!("{path}?content=0"), None)
            .await;
        assert_eq!(absent, 404);
        assert_eq!(self.call(Method::PUT, &path, Some(&self.upload)).await, 201);
    }

    async fn work(&self, whose: Who, count: usize) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            match whose {
                _ if number >= count => return,
                Who::Nbcourier => self.aside(number).await,
                Who::Peer => self.straight(number).await,
            }
        }
    }

    fn run(&self, whose: Who, count: usize) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let workers = (0..CONCURRENCY).map(|_| self.work(whose, count));
        runtime.block_on(futures_util::future::join_all(workers));
    }
}

fn upload(whose: Who, notebook: &str) -> Value {
    match whose {
        Who::Nbcourier => json!({ "type": "file", "format": "text", "content": notebook }),
        Who::Peer => {
            let content: Value = serde_json::from_str(notebook).expect("a notebook");
            json!({ "type": "notebook", "format": "json", "content": content })
        }
    }
}

/// The calls for so many notebooks, as many at a time as the contenders have.
pub(crate) fn burst(
    whose: Who,
    site: &Site,
    round: usize,
    (notebook, count): (&str, usize),
) -> Burst {
    let directory = format!("runs/calls-{round}-{whose:?}");
    std::fs::create_dir_all(site.directory(&directory)).expect("a directory");
    let caller = Caller {
        client: Client::new(),
        base: format!("{}/{directory}", site.contents()),
        token: site.hub.token.clone(),
        upload: upload(whose, notebook),
        next: AtomicUsize::new(0),
    };
    let own = std::process::id();
    let before = (used(own), site.server_used());
    let begun = Instant::now();
    caller.run(whose, count);
    let seconds = begun.elapsed().as_secs_f64();
    let each = |used: f64| used / count as f64;
    Burst {
        rate: count as f64 / seconds,
        used: each(used(own) - before.0),
        server_used: each(site.server_used() - before.1),
        waits: Vec::new(),
        peak: 0.0,
    }
}
