//! The figures as a table.

use std::process::ExitCode;

use crate::measure::Burst;
use crate::table::{Row, mb, median, ms, quantile};
use crate::{BURST, CONCURRENCY, Figures, OUTAGE, PACED, ROUNDS, table};

/// A figure of each contender, nbcourier's first.
type Pair = [f64; 2];

fn row(what: impl Into<String>, pair: Pair, shown: impl Fn(f64) -> String) -> Row {
    let [ours, peers] = pair;
    Row::new(what, shown(ours)).peer(shown(peers))
}

/// One figure of the bursts, of all rounds together: the contenders', and that of the bare calls of
/// either.
fn of_rounds(
    figures: &Figures,
    together: fn(&[f64]) -> f64,
    figure: impl Fn(&Burst) -> f64,
) -> (Pair, Pair) {
    let one = |bursts: &Vec<Burst>| together(&bursts.iter().map(&figure).collect::<Vec<_>>());
    let [ours, peers, our_calls, peers_calls] = figures.bursts.each_ref().map(one);
    ([ours, peers], [our_calls, peers_calls])
}

/// What else a machine does only slows down.
fn quickest(rates: &[f64]) -> f64 {
    quantile(rates, 1.0)
}

fn waits(figures: &Figures) -> Vec<Row> {
    let (count, pace) = PACED;
    let paced = figures.paced.clone();
    let burst = [0, 1].map(|who: usize| {
        let waits = figures.bursts[who].iter().flat_map(|burst| &burst.waits);
        waits.copied().collect::<Vec<_>>()
    });
    let rate = 1.0 / pace.as_secs_f64();
    let kinds = [
        (format!("{count} runs, {rate:.0} a second"), paced),
        (format!("{BURST} runs at once"), burst),
    ];
    let line = |what: &str, waits: &[Vec<f64>; 2], name: &str, part: f64| {
        let pair = waits.each_ref().map(|waits| quantile(waits, part));
        row(format!("{what}: end → notebook, {name}"), pair, ms)
    };
    let lines = kinds.iter().flat_map(|(what, waits)| {
        [("p50", 0.5), ("p99", 0.99)].map(|(name, part)| line(what, waits, name, part))
    });
    lines.collect()
}

fn rates(figures: &Figures) -> [Row; 3] {
    let (pair, calls) = of_rounds(figures, quickest, |burst| burst.rate);
    let [share, peers_share] = [0, 1].map(|who: usize| pair[who] / calls[who]);
    let times = pair[0] / pair[1];
    let shown = |rate: f64| format!("{rate:.0}/s");
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let what = format!("{BURST} runs at once: notebooks");
    let line = |beside: &str| row(format!("{what}{beside}"), pair, shown);
    [
        line("").raw(shown(calls[0]), percent(share)).at_least(
            share,
            "90 % of the calls",
            (0.9, 0.6),
        ),
        // A server answers only so many calls, whoever makes them.
        line(", beside the peer")
            .raw("", format!("{times:.1} × peer"))
            .aims_at(times, "3 × peer", 3.0),
        line(", the peer's calls").raw(shown(calls[1]), format!("peer: {}", percent(peers_share))),
    ]
}

fn costs(figures: &Figures) -> [Row; 3] {
    let (own, own_calls) = of_rounds(figures, median, |burst| burst.used);
    let (server, server_calls) = of_rounds(figures, median, |burst| burst.server_used);
    let (peak, _) = of_rounds(figures, median, |burst| burst.peak);
    let beside = |[ours, peers]: Pair| format!("{:.2} × peer", ours / peers);
    [
        row("processor time a notebook", own, ms).raw(ms(own_calls[0]), beside(own)),
        row("the server's processor time a notebook", server, ms)
            .raw(ms(server_calls[0]), beside(server)),
        row("peak memory", peak, mb).raw("", beside(peak)),
    ]
}

fn outages(figures: &Figures) -> [Row; 3] {
    let (count, away) = OUTAGE;
    let what = format!("hub away for {} s amid {count} runs", away.as_secs());
    let of = |figure: fn(&crate::measure::Outage) -> f64| figures.outages.each_ref().map(figure);
    let lost = of(|outage| outage.tally.lost as f64);
    let doubled = of(|outage| outage.tally.doubled as f64);
    let none = (0.0, 0.0);
    let whole = |count: f64| format!("{count:.0}");
    [
        row(format!("{what}: lost"), lost, whole).at_most(lost[0], "0", none),
        row(format!("{what}: doubled"), doubled, whole).at_most(doubled[0], "0", none),
        row(
            format!("{what}: back → last notebook"),
            of(|outage| outage.after),
            |seconds| format!("{seconds:.1} s"),
        ),
    ]
}

/// Prints under which conditions and what was measured; whether all floors were kept.
pub(crate) fn print(figures: &Figures, bytes: usize) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "One JupyterHub, one user's running server, all on this machine of {cores} cores; {CONCURRENCY} \
         notebooks at once,\neach of 10 cells and {bytes} bytes; from the marker to the file behind \
         the server; of {ROUNDS} bursts\nthe quickest, and the median of what they cost.\n"
    );
    let rows = waits(figures).into_iter().chain(rates(figures));
    let rows = rows.chain(costs(figures)).chain(outages(figures));
    table::print(("courier in Python", "bare calls"), rows)
}
