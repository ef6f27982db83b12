//! A line to a server that is wounded in ways of TCP, and heals when it is told to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// What is wrong with it.
#[derive(Clone, Copy)]
pub enum Wound {
    /// Nobody listens.
    Refused,
    /// Somebody listens and takes no connection: the queue is full, a SYN is not answered.
    Full,
    /// Connections are taken, and answered like this once something was asked.
    Answers(fn(&mut TcpStream) -> std::io::Result<()>),
}

/// A line on a port of its own.
pub struct Line {
    pub address: SocketAddr,
    goal: SocketAddr,
    state: Arc<State>,
    /// What fills the queue of a line that takes nobody.
    full: Option<(TcpListener, Vec<TcpStream>)>,
}

#[derive(Default)]
struct State {
    healed: AtomicBool,
    over: AtomicBool,
    taken: AtomicUsize,
}

impl Line {
    /// A wounded line that will lead to `goal` (`http://ADDRESS`).
    pub fn new(goal: &str, wound: Wound) -> Self {
        let goal = goal.trim_start_matches("http://").trim_end_matches('/');
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut line = Self {
            address: listener.local_addr().expect("an address"),
            goal: goal.parse().expect("an address"),
            state: Arc::default(),
            full: None,
        };
        match wound {
            Wound::Refused => {}
            Wound::Full => {
                let waiting = fill(line.address);
                line.full = Some((listener, waiting));
            }
            Wound::Answers(answer) => line.serve(listener, answer),
        }
        line
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that were taken so far.
    pub fn taken(&self) -> usize {
        self.state.taken.load(SeqCst)
    }

    /// From now on everything passes.
    pub fn heal(&mut self) {
        let served = self.taken() > 0;
        self.state.healed.store(true, SeqCst);
        match self.full.take() {
            Some((listener, _)) => self.serve(listener, |_| Ok(())),
            None if served => {}
            None => {
                let listener = TcpListener::bind(self.address).expect("the port is still free");
                self.serve(listener, |_| Ok(()));
            }
        }
    }

    fn serve(&self, listener: TcpListener, answer: fn(&mut TcpStream) -> std::io::Result<()>) {
        let (state, goal) = (self.state.clone(), self.goal);
        listener.set_nonblocking(true).expect("set");
        std::thread::spawn(move || {
            while !state.over.load(SeqCst) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                state.taken.fetch_add(1, SeqCst);
                let healed = state.healed.load(SeqCst);
                std::thread::spawn(move || match healed {
                    true => pass(stream, goal),
                    false => hurt(stream, answer),
                });
            }
        });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.over.store(true, SeqCst);
    }
}

/// Connects until a connection is no longer answered.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let patience = Duration::from_millis(300);
    let connect = |_| TcpStream::connect_timeout(&address, patience).ok();
    (0..5000).map_while(connect).collect()
}

/// An answer whose peer has gone is no error.
fn hurt(mut stream: TcpStream, answer: fn(&mut TcpStream) -> std::io::Result<()>) {
    stream.set_nonblocking(false).expect("set");
    // The peer closes at its own timeout at the latest.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(90)));
    let mut asked = [0; 1];
    if stream.peek(&mut asked).is_ok_and(|count| count > 0) {
        let _ = answer(&mut stream);
    }
}

fn pass(stream: TcpStream, goal: SocketAddr) {
    stream.set_nonblocking(false).expect("set");
    let Ok(other) = TcpStream::connect(goal) else {
        return;
    };
    let (mut here, mut there) = (
        stream.try_clone().expect("a handle"),
        other.try_clone().expect("a handle"),
    );
    let back = std::thread::spawn(move || copy(there, here));
    (here, there) = (stream, other);
    copy(here, there);
    let _ = back.join();
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Reads the request's head, and waits for what else comes until the peer has enough.
pub fn silence(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut taken = [0; 4096];
    while stream.read(&mut taken)? > 0 {}
    Ok(())
}

fn head(stream: &mut TcpStream, more: &str) -> std::io::Result<()> {
    let mut taken = [0; 65536];
    let _ = stream.read(&mut taken)?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}\r\n\r\n");
    stream.write_all(head.as_bytes())
}

/// The beginning of an answer, and then nothing.
pub fn half_open(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Content-Length: 100")?;
    stream.write_all(b"{\"name\": ")?;
    silence(stream)
}

fn slowly(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    for byte in text.as_bytes().iter().cycle().take(90) {
        stream.write_all(&[*byte])?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// A head of one byte a second.
pub fn slow_head(stream: &mut TcpStream) -> std::io::Result<()> {
    slowly(stream, "HTTP/1.1 200 OK\r\nX-Slow: 1\r\nX-More: ")
}

/// A body of one byte a second.
pub fn slow_body(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Content-Length: 1000")?;
    slowly(stream, " ")
}

/// Less than was announced.
pub fn truncated(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Content-Length: 1000")?;
    stream.write_all(b"{\"content\": [")
}

/// More than was announced: what is read is no JSON.
pub fn wrong_length(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Content-Length: 7")?;
    stream.write_all(b"{\"content\": [], \"type\": \"directory\"}")
}

/// A body that is said to be compressed, which nobody has asked for.
pub fn compressed(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Content-Encoding: gzip\r\nContent-Length: 10")?;
    stream.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
}

/// A body without end.
pub fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "Transfer-Encoding: chunked")?;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65536], b"\r\n"].concat();
    loop {
        stream.write_all(&chunk)?;
    }
}

/// Closed with the request unread, which resets the connection.
pub fn reset(_: &mut TcpStream) -> std::io::Result<()> {
    Ok(())
}
