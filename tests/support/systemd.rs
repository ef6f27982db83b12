//! A socket in systemd's place, and what a daemon tells it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use super::Room;

/// What systemd would be told, line by line.
pub struct Systemd {
    socket: UnixDatagram,
    told: Vec<(Instant, String)>,
}

impl Systemd {
    /// Listens for the daemon of this room, and says how often it must hear from it.
    pub fn of(room: &mut Room, address: &str, watchdog: Option<Duration>) -> Self {
        let at = match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(address),
        };
        let socket = UnixDatagram::bind_addr(&at.expect("an address")).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        room.environment.push(("NOTIFY_SOCKET", address.to_owned()));
        let limit = watchdog.map(|limit| limit.as_micros().to_string());
        let limit = limit.map(|limit| ("WATCHDOG_USEC", limit));
        room.environment.extend(limit);
        let told = Vec::new();
        Self { socket, told }
    }

    fn hear(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let now = Instant::now();
            self.told
                .extend(text.lines().map(|line| (now, line.to_owned())));
        }
    }

    pub fn has_told(&mut self, line: &str) -> bool {
        self.hear();
        self.told.iter().any(|(_, told)| told == line)
    }

    pub fn status(&mut self) -> String {
        self.hear();
        let mut all = self.told.iter().rev();
        let last = all.find_map(|(_, line)| line.strip_prefix("STATUS="));
        last.unwrap_or_default().to_owned()
    }

    pub fn await_status(&mut self, seconds: u64, is: impl Fn(&str) -> bool) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !is(&self.status()) {
            assert!(Instant::now() < end, "{:?}", self.told);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The longest time without a sign of life in the next so many seconds.
    pub fn longest_silence(&mut self, seconds: u64) -> Duration {
        self.hear();
        self.told.clear();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            std::thread::sleep(Duration::from_millis(20));
            self.hear();
        }
        let fed = self.told.iter().filter(|(_, line)| line == "WATCHDOG=1");
        let mut times: Vec<Instant> = fed.map(|(at, _)| *at).collect();
        times.insert(0, begun);
        times.push(Instant::now());
        let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.max().expect("two times")
    }
}
