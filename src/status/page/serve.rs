//! Connections: few at a time, none for long, whatever is at their other end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections at once; who comes later waits until one of them ends.
const MOST: usize = 64;

/// A connection is ended after its request when it has lasted so many times the patience with one
/// request, and a little later at once: nobody keeps a place by reading slowly.
const LASTS: u32 = 6;
const ENDS: u32 = 3;

/// In bytes; no browser sends as much.
const LONGEST_HEAD: usize = 32 << 10;

/// Between two tries to accept, when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop` is true or gone. A request has so long to arrive, and a connection may be silent as long
/// between two.
pub(super) async fn serve(
    listener: &TcpListener,
    (router, patience): (Router, Duration),
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            converse(stream, (router, patience), stop).await;
            drop(place);
        });
    }
}

/// One connection, from its first request to its end.
async fn converse(
    stream: TcpStream,
    (router, patience): (Router, Duration),
    mut stop: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // What a client does wrong is its own affair.
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(patience * LASTS) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever has not read its answer by then never will.
    let _ = tokio::time::timeout(patience * ENDS, connection).await;
}
