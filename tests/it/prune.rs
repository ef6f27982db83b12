//! `[ledger] keep`: what is forgotten of a run, and that it is never delivered again.

use crate::support::{DELIVERY, Room, files, wait_until, watch};

#[test]
fn the_history_of_an_old_run_is_forgotten_and_the_run_is_not() {
    let keep = "[ledger]\nkeep = \"1s\"\n";
    let mut room = Room::bare(&format!("{keep}{}{DELIVERY}", watch("h4", "")));
    room.pace = "0.001";
    room.start();
    let run = room.make_run(1);
    room.await_delivered(1, 20);
    wait_until(30, "it is forgotten", || {
        !room.runs()[0]["pruned_at"].is_null()
    });
    let shown = room.run(&["show", "run_000001", "--json"]).json();
    assert_eq!(shown["parameters"], serde_json::json!({}));
    assert_eq!(shown["events"], serde_json::json!([]));
    assert_eq!(shown["jobs"][0]["path"], "run_000001.ipynb");
    let told = room.run(&["show", "h4:run_000001"]).out;
    assert!(told.contains("forgotten   2"), "{told}");

    let fresh = room.run(&["retry", "run_000001", "--fresh"]);
    assert_eq!(fresh.code, 1, "{fresh:?}");
    assert!(
        fresh.err.contains("older than `[ledger] keep`"),
        "{fresh:?}"
    );
    assert_eq!(
        room.run(&["retry", "run_000001"]).code,
        0,
        "it stands there"
    );
    let path = run.to_str().expect("UTF-8");
    let again = room.run(&["submit", path, "--wait", "--json"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.json()[0]["jobs"][0]["state"], "delivered");
    assert!(!again.json()[0]["pruned_at"].is_null());
    assert_eq!(room.stop(), 0);
    room.start();
    room.make_run(2);
    room.await_delivered(2, 20);
    assert_eq!(files(&room.path("notebooks")).len(), 2);
    assert_eq!(room.run(&["render", "--run", path, "-"]).code, 0);
}
