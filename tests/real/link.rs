//! The network between one machine and a server, which can be cut.

use std::io;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::lasting_port;

/// What becomes of bytes and of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Connections are accepted and stay; nothing comes through until it is open again.
    BlackHole,
    /// Connections are reset, also those that are made meanwhile.
    Reset,
    /// Connections are reset, and nobody listens.
    Refused,
}

/// A TCP proxy on 127.0.0.1 in front of another port there.
pub struct Link {
    pub port: u16,
    way: watch::Sender<Way>,
    _runtime: tokio::runtime::Runtime,
}

impl Link {
    pub fn to(goal: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (way, seen) = watch::channel(Way::Open);
        let port = lasting_port();
        let listener = runtime.block_on(listen(port)).expect("a port");
        runtime.spawn(serve(listener, goal, seen));
        Self {
            port,
            way,
            _runtime: runtime,
        }
    }

    pub fn cut(&self, way: Way) {
        self.way.send_replace(way);
    }

    pub fn heal(&self) {
        self.cut(Way::Open);
    }

    pub fn is_cut(&self) -> bool {
        *self.way.borrow() != Way::Open
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await
}

async fn serve(first: TcpListener, goal: u16, mut way: watch::Receiver<Way>) {
    let port = first.local_addr().expect("an address").port();
    let mut listener = Some(first);
    loop {
        if *way.borrow_and_update() == Way::Refused {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(port).await.expect("the port is still ours"));
        }
        tokio::select! {
            changed = way.changed() => if changed.is_err() { return },
            Ok((client, _)) = accept(listener.as_ref()) => {
                tokio::spawn(pass(client, goal, way.clone()));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, std::net::SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// One connection, until an end closes it or it is cut.
async fn pass(mut client: TcpStream, goal: u16, mut way: watch::Receiver<Way>) {
    // In a black hole it waits here, its server not even asked.
    let opened = way.wait_for(|way| *way != Way::BlackHole).await;
    if opened.is_ok_and(|way| *way == Way::Open)
        && let Ok(mut server) = TcpStream::connect(("127.0.0.1", goal)).await
        && carry(&mut client, &mut server, &mut way).await
    {
        return;
    }
    // The other end sees a reset; a socket that is gone already can't be told.
    let _ = client.set_zero_linger();
}

/// Whether an end has closed it, and not a cut. What is on its way in a black hole arrives later.
async fn carry(
    client: &mut TcpStream,
    server: &mut TcpStream,
    way: &mut watch::Receiver<Way>,
) -> bool {
    let mut copy = Box::pin(copy_bidirectional(client, server));
    loop {
        let now = *way.borrow_and_update();
        tokio::select! {
            done = &mut copy, if now == Way::Open => return done.is_ok(),
            changed = way.changed() => if changed.is_err() { return true },
            () = std::future::ready(()), if matches!(now, Way::Reset | Way::Refused) => return false,
        }
    }
}

#[test]
fn a_cut_link_gives_nothing_away_and_one_that_is_healed_goes_on() {
    use std::io::{Read as _, Write as _};
    let echo = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let link = Link::to(echo.local_addr().expect("an address").port());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = echo.accept() {
            std::thread::spawn(move || {
                let mut copy = stream.try_clone().expect("a stream");
                std::io::copy(&mut stream, &mut copy)
            });
        }
    });
    let connect = || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", link.port))?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok::<_, io::Error>(stream)
    };
    let echoed = |stream: &mut std::net::TcpStream| {
        let mut byte = [0];
        stream.read(&mut byte).map(|_| byte[0])
    };
    let kind = |answer: io::Result<u8>| answer.map_err(|error| error.kind());
    let mut stream = connect().expect("a connection");
    stream.write_all(&[1]).expect("written");
    assert_eq!(kind(echoed(&mut stream)), Ok(1));
    link.cut(Way::BlackHole);
    stream.write_all(&[2]).expect("written");
    let mut other = connect().expect("accepted");
    other.write_all(&[3]).expect("written");
    assert_eq!(kind(echoed(&mut stream)), Err(io::ErrorKind::WouldBlock));
    assert_eq!(kind(echoed(&mut other)), Err(io::ErrorKind::WouldBlock));
    link.heal();
    assert_eq!(kind(echoed(&mut stream)), Ok(2));
    assert_eq!(kind(echoed(&mut other)), Ok(3));
    link.cut(Way::Reset);
    assert_eq!(
        kind(echoed(&mut stream)),
        Err(io::ErrorKind::ConnectionReset)
    );
    let mut third = connect().expect("accepted");
    assert_eq!(
        kind(echoed(&mut third)),
        Err(io::ErrorKind::ConnectionReset)
    );
    link.cut(Way::Refused);
    crate::support::wait_until(5, "it refuses", || {
        connect().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
    link.heal();
    crate::support::wait_until(5, "it accepts", || connect().is_ok());
}
