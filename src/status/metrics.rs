//! `/metrics`: what a Prometheus asks for, in the text format of `OpenMetrics` 1.0.

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::Value;

/// The format, as a Content-Type.
pub(super) const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    destination: String,
}

/// The metrics of a status, as `status --json` has it.
pub(super) fn text(status: &Value) -> String {
    let mut registry = Registry::default();
    registry.register(
        "nbcourier_credential_expiry_timestamp_seconds",
        "When the credential of a destination ends, seconds since 1970; absent where nobody tells",
        expiries(status),
    );
    let mut text = String::new();
    // A text takes everything.
    let _ = encode(&mut text, &registry);
    text
}

fn expiries(status: &Value) -> Family<Labels, Gauge> {
    let family = Family::<Labels, Gauge>::default();
    for destination in status["destinations"].as_array().into_iter().flatten() {
        let end = destination["token_expires_at"].as_str();
        if let Some(end) = end.and_then(|end| end.parse::<Timestamp>().ok()) {
            let destination = destination["name"].as_str().unwrap_or_default().to_owned();
            family
                .get_or_create(&Labels { destination })
                .set(end.as_second());
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_each_credential_that_has_one_is_told() {
        let status = serde_json::json!({ "destinations": [
            { "name": "hub", "token_expires_at": "2026-11-21T00:00:00Z" },
            { "name": "share", "token_expires_at": null },
        ] });
        let text = text(&status);
        let line =
            "nbcourier_credential_expiry_timestamp_seconds{destination=\"hub\"} 1795219200\n";
        assert!(text.contains(line), "{text}");
        assert!(
            !text.contains("share") && text.ends_with("# EOF\n"),
            "{text}"
        );
    }
}
