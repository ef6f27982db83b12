//! What this process has done since it started, counted and timed for a Prometheus.
//!
//! There is one set of figures, since there is one process; whoever does something tells it here.
//! Labels are names of the configuration and of tables in the program: never a run or a user.

mod endpoint;

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds from a complete run to its notebook: a second to an hour.
const DELIVERY: &[f64] = &[1., 2., 5., 10., 30., 60., 120., 300., 600., 1800., 3600.];

/// Seconds of an answer.
const ANSWER: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10., 30., 60.,
];

/// Seconds of a server's start.
const SPAWN: &[f64] = &[1., 2., 5., 10., 20., 30., 60., 120., 300., 600.];

static MEASURES: LazyLock<Measures> = LazyLock::new(Measures::default);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfWatch {
    watch: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Attempt {
    destination: String,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct End {
    destination: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    destination: String,
    endpoint: &'static str,
    status_class: &'static str,
}

/// Makes a histogram with these bounds.
#[derive(Clone)]
struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

type Timed<L> = Family<L, Histogram, Bounds>;

struct Measures {
    registry: Registry,
    detected: Family<OfWatch, Counter>,
    hints: Family<OfWatch, Counter>,
    scan_finds: Family<OfWatch, Counter>,
    ends: Family<End, Counter>,
    attempts: Family<Attempt, Counter>,
    progress: Gauge<f64, AtomicU64>,
    delivery: Timed<OfDestination>,
    request: Timed<Request>,
    spawn: Timed<OfDestination>,
}

impl Default for Measures {
    fn default() -> Self {
        let mut measures = Self {
            registry: Registry::with_prefix("nbcourier"),
            detected: Family::default(),
            hints: Family::default(),
            scan_finds: Family::default(),
            ends: Family::default(),
            attempts: Family::default(),
            progress: Gauge::default(),
            delivery: Family::new_with_constructor(Bounds(DELIVERY)),
            request: Family::new_with_constructor(Bounds(ANSWER)),
            spawn: Family::new_with_constructor(Bounds(SPAWN)),
        };
        measures.progress.set(seconds_now());
        measures.register();
        measures
    }
}

impl Measures {
    fn register(&mut self) {
        let all = &mut self.registry;
        let runs = "Runs seen for the first time";
        all.register("runs_detected", runs, self.detected.clone());
        let hints = "Notifications of the file system";
        all.register("watch_events", hints, self.hints.clone());
        let finds = "Runs that a listing found before any notification told of them";
        all.register("watch_scan_finds", finds, self.scan_finds.clone());
        let ends = "Notebooks that were delivered, or given up";
        all.register("deliveries", ends, self.ends.clone());
        let attempts = "Attempts to deliver a notebook, by what they came to";
        all.register("delivery_attempts", attempts, self.attempts.clone());
        let progress = "When a notebook was last delivered, held or given up, or the start; \
                        seconds since 1970";
        all.register(
            "last_progress_timestamp_seconds",
            progress,
            self.progress.clone(),
        );
        let delivery = "From a complete run to its notebook";
        all.register("run_to_notebook_seconds", delivery, self.delivery.clone());
        let request = "From a request to its whole answer";
        all.register(
            "http_request_duration_seconds",
            request,
            self.request.clone(),
        );
        let spawn = "From a wish for a user's server to its answer";
        all.register("spawn_duration_seconds", spawn, self.spawn.clone());
    }
}

/// A run is seen for the first time.
pub fn run_detected(watch: &str) {
    let watch = watch.to_owned();
    MEASURES.detected.get_or_create(&OfWatch { watch }).inc();
}

/// The file system gave so many notifications.
pub fn hints(watch: &str, count: usize) {
    let watch = watch.to_owned();
    let hints = MEASURES.hints.get_or_create(&OfWatch { watch });
    hints.inc_by(count as u64);
}

/// A listing found so many runs of which nobody had told.
pub fn scan_finds(watch: &str, count: usize) {
    let watch = watch.to_owned();
    let finds = MEASURES.scan_finds.get_or_create(&OfWatch { watch });
    finds.inc_by(count as u64);
}

/// An attempt has ended: by `ok` or a failure's code.
pub fn attempted(destination: &str, code: &'static str) {
    let destination = destination.to_owned();
    let attempt = Attempt { destination, code };
    MEASURES.attempts.get_or_create(&attempt).inc();
}

/// A notebook was delivered, so many milliseconds after its run was complete.
pub fn delivered(destination: &str, after: i64) {
    end(destination, "delivered");
    let destination = destination.to_owned();
    let delivery = MEASURES
        .delivery
        .get_or_create(&OfDestination { destination });
    delivery.observe(Duration::from_millis(after.max(0).unsigned_abs()).as_secs_f64());
}

/// A notebook was given up.
pub fn gave_up(destination: &str) {
    end(destination, "gave_up");
}

fn end(destination: &str, outcome: &'static str) {
    let destination = destination.to_owned();
    let end = End {
        destination,
        outcome,
    };
    MEASURES.ends.get_or_create(&end).inc();
}

/// Something has come to its end: the daemon does its work.
pub fn progressed() {
    MEASURES.progress.set(seconds_now());
}

/// A request of a destination was answered, or was not.
pub fn requested(
    destination: &str,
    (method, path): (&str, &str),
    status: Option<u16>,
    took: Duration,
) {
    let request = Request {
        destination: destination.to_owned(),
        endpoint: endpoint::of(method, path),
        status_class: class(status),
    };
    let request = MEASURES.request.get_or_create(&request);
    request.observe(took.as_secs_f64());
}

/// A user's server was started.
pub fn spawned(destination: &str, took: Duration) {
    let destination = destination.to_owned();
    let spawn = MEASURES.spawn.get_or_create(&OfDestination { destination });
    spawn.observe(took.as_secs_f64());
}

/// Appends all figures in the text format of `OpenMetrics` 1.0, without its end.
pub fn append(text: &mut String) {
    // A text takes everything.
    let _ = encode_registry(text, &MEASURES.registry);
}

fn class(status: Option<u16>) -> &'static str {
    match status.map(|status| status / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        _ => "none",
    }
}

fn seconds_now() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_read() {
        run_detected("measured");
        hints("measured", 3);
        attempted("hub \"one\"", "ok");
        delivered("hub \"one\"", 1500);
        let call = ("GET", "/user/alice/api/contents/a");
        requested("hub \"one\"", call, Some(404), Duration::from_millis(20));
        requested("hub \"one\"", call, None, Duration::from_secs(1));
        let mut text = String::new();
        append(&mut text);
        for line in [
            "nbcourier_runs_detected_total{watch=\"measured\"} 1",
            "nbcourier_watch_events_total{watch=\"measured\"} 3",
            "nbcourier_delivery_attempts_total{destination=\"hub \\\"one\\\"\",code=\"ok\"} 1",
            "nbcourier_deliveries_total{destination=\"hub \\\"one\\\"\",outcome=\"delivered\"} 1",
            "nbcourier_run_to_notebook_seconds_bucket{le=\"1.0\",destination=\"hub \\\"one\\\"\"} 0",
            "nbcourier_run_to_notebook_seconds_bucket{le=\"2.0\",destination=\"hub \\\"one\\\"\"} 1",
            "nbcourier_http_request_duration_seconds_count{destination=\"hub \\\"one\\\"\",endpoint=\"contents\",status_class=\"4xx\"} 1",
            "nbcourier_http_request_duration_seconds_count{destination=\"hub \\\"one\\\"\",endpoint=\"contents\",status_class=\"none\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
