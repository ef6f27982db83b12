//! Who listens to webhooks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::{Room, secrets};

/// Who listens to a webhook.
#[derive(Default)]
struct Ears {
    heard: Mutex<Vec<Value>>,
    /// The status that is answered.
    status: AtomicU16,
    /// How long an answer takes, milliseconds.
    takes: AtomicU64,
}

/// A webhook, and who listens to it.
pub struct Listener {
    ears: Arc<Ears>,
    pub url: String,
}

impl Listener {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let ears = Arc::new(Ears::default());
        ears.status.store(200, Ordering::SeqCst);
        let heard = ears.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ears = heard.clone();
                std::thread::spawn(move || drop(serve(stream, &ears)));
            }
        });
        let url = format!(
            "http://127.0.0.1:{port}/hooks/{}",
            uuid::Uuid::now_v7().simple()
        );
        secrets::note(&url);
        secrets::note(url.rsplit('/').next().expect("a key"));
        Self { ears, url }
    }

    pub fn heard(&self) -> Vec<Value> {
        self.ears.heard.lock().expect("no panic").clone()
    }

    pub fn events(&self) -> Vec<String> {
        let heard = self.heard();
        let event = |message: &Value| message["event"].as_str().map(str::to_owned);
        heard.iter().filter_map(event).collect()
    }

    pub fn answer(&self, status: u16) {
        self.ears.status.store(status, Ordering::SeqCst);
    }

    pub fn take(&self, milliseconds: u64) {
        self.ears.takes.store(milliseconds, Ordering::SeqCst);
    }

    /// Writes the secret, and the table that refers to it.
    pub fn table(&self, room: &Room, on: &str) {
        keep_secret(&room.path("hook"), &self.url);
        room.add(&format!(
            "[announce.chat]\nwebhook = {{ file = \"hook\" }}\non = {on}\n"
        ));
    }
}

/// Writes a secret where only its owner can read it.
pub fn keep_secret(file: &Path, secret: &str) {
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::write(file, "").expect("a file");
    fs::set_permissions(file, mode(0o600)).expect("chmod");
    fs::write(file, secret).expect("a secret");
}

/// Reads one request, and answers as it is told; what it is told to refuse counts as not heard.
fn serve(mut stream: TcpStream, ears: &Ears) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1 << 14];
    let body = loop {
        let length = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        assert!(head.contains("content-type: application/json"), "{head}");
        let told = head.split("content-length: ").nth(1).expect("a length");
        let told: usize = told
            .lines()
            .next()
            .expect("a line")
            .parse()
            .expect("a number");
        if body.len() >= told || length == 0 {
            break body.to_owned();
        }
    };
    std::thread::sleep(Duration::from_millis(ears.takes.load(Ordering::SeqCst)));
    let status = ears.status.load(Ordering::SeqCst);
    if status == 200 {
        let message = serde_json::from_str(&body).expect("JSON");
        ears.heard.lock().expect("no panic").push(message);
    }
    write!(
        stream,
        "HTTP/1.1 {status} told\r\nContent-Length: 0\r\n\r\n"
    )
}
