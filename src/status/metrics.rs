//! `/metrics`: what a Prometheus asks for, in the text format of `OpenMetrics` 1.0. What this process
//! has counted, and what the ledger says now.

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::config::Config;
use crate::job::JobState;
use crate::ledger::{Ledger, LedgerError, OPEN};
use crate::measure;

/// The format, as a Content-Type.
pub(super) const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InState {
    destination: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Held {
    destination: String,
    code: String,
}

/// What the ledger says now.
#[derive(Debug, Default)]
struct Figures {
    /// By destination and state.
    jobs: Vec<(String, JobState, i64)>,
    /// By destination, milliseconds since 1970, UTC.
    oldest: Vec<(String, i64)>,
    /// Destinations and codes.
    held: Vec<(String, String)>,
    /// Destinations, and when their credential ends, seconds since 1970.
    expiries: Vec<(String, i64)>,
    bytes: i64,
    now: i64,
}

/// All metrics; only those of this process while the ledger can't be read.
pub(super) async fn text(config: &Config, ledger: &Ledger) -> String {
    let mut text = String::new();
    append(&mut text, &about());
    measure::append(&mut text);
    match figures(config, ledger).await {
        Ok(figures) => append(&mut text, &gauges(config, &figures)),
        Err(error) => tracing::debug!(%error, "the ledger's metrics are left out"),
    }
    // A text takes everything.
    let _ = encode_eof(&mut text);
    text
}

fn append(text: &mut String, registry: &Registry) {
    // A text takes everything.
    let _ = encode_registry(text, registry);
}

fn about() -> Registry {
    let mut registry = Registry::with_prefix("nbcourier");
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", version);
    registry
}

async fn figures(config: &Config, ledger: &Ledger) -> Result<Figures, LedgerError> {
    let mut figures = Figures {
        oldest: ledger.oldest_waiting().await?,
        bytes: ledger.bytes().await?,
        now: ledger.now(),
        ..Figures::default()
    };
    let jobs = ledger.open_jobs().await?.into_iter();
    figures
        .jobs
        .extend(jobs.map(|jobs| (jobs.destination, jobs.state, jobs.count)));
    let causes = ledger.causes().await?.into_iter();
    figures
        .held
        .extend(causes.filter_map(|cause| Some((cause.destination?, cause.code))));
    for table in &config.destinations {
        let accepted = ledger.last_accepted(&table.name).await?;
        let end = accepted.and_then(|(_, _, end)| end?.parse::<Timestamp>().ok());
        figures
            .expiries
            .extend(end.map(|end| (table.name.clone(), end.as_second())));
    }
    Ok(figures)
}

fn gauges(config: &Config, figures: &Figures) -> Registry {
    let mut all = Registry::with_prefix("nbcourier");
    let jobs = "Notebooks that are not delivered, by what they are doing";
    all.register("jobs", jobs, jobs_of(config, figures));
    let oldest = "How long the oldest waiting notebook has been waiting";
    all.register("oldest_waiting_seconds", oldest, oldest_of(config, figures));
    let held = "1 where notebooks for a destination wait for a person";
    all.register("destination_held", held, held_of(figures));
    let expiry =
        "When the credential of a destination ends, seconds since 1970; absent where nobody tells";
    all.register(
        "credential_expiry_timestamp_seconds",
        expiry,
        expiry_of(figures),
    );
    let bytes = Gauge::<i64>::default();
    bytes.set(figures.bytes);
    all.register("ledger_bytes", "The size of the ledger", bytes);
    all
}

/// The destinations of the configuration have all states, so that a sum is never empty.
fn jobs_of(config: &Config, figures: &Figures) -> Family<InState, Gauge> {
    let family = Family::<InState, Gauge>::default();
    let gauge = |destination: &str, state: JobState| {
        let (destination, state) = (destination.to_owned(), state.as_str());
        family.get_or_create_owned(&InState { destination, state })
    };
    for table in &config.destinations {
        for state in OPEN {
            gauge(&table.name, state);
        }
    }
    for (destination, state, count) in &figures.jobs {
        gauge(destination, *state).set(*count);
    }
    family
}

fn oldest_of(config: &Config, figures: &Figures) -> Family<OfDestination, Gauge> {
    let family = Family::<OfDestination, Gauge>::default();
    let gauge = |destination: &str| {
        let destination = destination.to_owned();
        family.get_or_create_owned(&OfDestination { destination })
    };
    for table in &config.destinations {
        gauge(&table.name);
    }
    for (destination, since) in &figures.oldest {
        gauge(destination).set((figures.now - since).max(0) / 1000);
    }
    family
}

fn held_of(figures: &Figures) -> Family<Held, Gauge> {
    let family = Family::<Held, Gauge>::default();
    for (destination, code) in &figures.held {
        let (destination, code) = (destination.clone(), code.clone());
        family.get_or_create(&Held { destination, code }).set(1);
    }
    family
}

fn expiry_of(figures: &Figures) -> Family<OfDestination, Gauge> {
    let family = Family::<OfDestination, Gauge>::default();
    for (destination, end) in &figures.expiries {
        let destination = destination.clone();
        family
            .get_or_create(&OfDestination { destination })
            .set(*end);
    }
    family
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_ledgers_figures_are_told_by_destination() {
        let tables = "watch.h4.directory = \"/data\"\nnotebook.quick.template = \"quick.ipynb\"\n\
            destination.share.path = \"/n\"\ndestination.other.path = \"/o\"\n";
        let config = crate::config::parse(tables, Path::new("nbcourier.toml")).expect("valid");
        let figures = Figures {
            jobs: vec![
                ("share".into(), JobState::Held, 200),
                ("gone".into(), JobState::Waiting, 1),
            ],
            oldest: vec![("gone".into(), 1_000)],
            held: vec![("share".into(), "not-writable".into())],
            expiries: vec![("share".into(), 1_795_219_200)],
            bytes: 4096,
            now: 62_500,
        };
        let mut text = String::new();
        append(&mut text, &about());
        append(&mut text, &gauges(&config, &figures));
        for line in [
            "nbcourier_build_info{version=\"",
            "nbcourier_jobs{destination=\"share\",state=\"held\"} 200\n",
            "nbcourier_jobs{destination=\"other\",state=\"failed\"} 0\n",
            "nbcourier_jobs{destination=\"gone\",state=\"waiting\"} 1\n",
            "nbcourier_oldest_waiting_seconds{destination=\"gone\"} 61\n",
            "nbcourier_oldest_waiting_seconds{destination=\"share\"} 0\n",
            "nbcourier_destination_held{destination=\"share\",code=\"not-writable\"} 1\n",
            "nbcourier_credential_expiry_timestamp_seconds{destination=\"share\"} 1795219200\n",
            "nbcourier_ledger_bytes 4096\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(
            !text.contains("expiry_timestamp_seconds{destination=\"other\""),
            "{text}"
        );
    }
}
