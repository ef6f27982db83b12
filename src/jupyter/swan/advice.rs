//! What to do where SWAN fails: it says little itself.

use serde_json::Value;

use super::PROJECTS;
use crate::config;
use crate::config::checked::{Hub, Profile};
use crate::failure::{Code, Failure};

/// What to do where a start has failed: SWAN tells a word of the cause at most.
pub(in crate::jupyter) fn on_start(hub: &Hub) -> Option<String> {
    let page = format!("{}hub/spawn", hub.url);
    match (hub.profile, &hub.spawn_options) {
        (Profile::Swan, Some(_)) => Some(format!(
            "compare `spawn_options` with the choices at {page} (SWAN checks no release, platform or number of cores); if they are right, start the server there once, which renews the sign-on that SWAN holds for EOS"
        )),
        (Profile::Swan, None) => Some(format!(
            "set `spawn_options`, or start the server once at {page}: without them SWAN repeats the user's last choice, and there may be none"
        )),
        (Profile::None, Some(options)) if are_of_swan(options) => Some(on_raw(options, &page)),
        (Profile::None, _) => None,
    }
}

/// What is wrong with options that are SWAN's and were sent as they were written.
fn on_raw(options: &Value, page: &str) -> String {
    let set = "set `profile = \"swan\"` in this destination: then nbcourier checks and completes them before it asks";
    match config::swan_mistakes(options).as_slice() {
        [] => format!(
            "these are options of CERN SWAN, which answers every mistake in them with the same 500. Compare them with the choices at {page}, start the server there once, and {set}"
        ),
        wrong => format!(
            "these are options of CERN SWAN, which answers every mistake in them with the same 500. What is wrong: {}. Correct that, and {set}",
            wrong.join("; ")
        ),
    }
}

/// Whether options have names that only SWAN has, or had until 2024.
fn are_of_swan(options: &Value) -> bool {
    const NAMES: [&str; 5] = [
        "software_source",
        "lcg",
        "LCG-rel",
        "ncores",
        "spark-cluster",
    ];
    NAMES.iter().any(|name| options.get(name).is_some())
}

/// A token that SWAN refuses may be well: what to say of it, and to do before a new one is made.
pub(in crate::jupyter) fn on_token(hub: Option<&Hub>) -> (&'static str, String) {
    match hub.filter(|hub| hub.profile == Profile::Swan) {
        None => ("", String::new()),
        Some(hub) => (
            "; or SWAN can't renew its owner's sign-on, or has forgotten who was not seen for hours",
            format!(
                "have its owner log in at {} in a browser: if only the sign-on had lapsed, the same token is good again and delivery goes on by itself; if not, ",
                hub.url
            ),
        ),
    }
}

/// What to do about a notebook that a user's space doesn't take, at this path below their home.
pub(in crate::jupyter) fn on_space(failure: &Failure, user: &str, path: &str) -> Option<String> {
    const KEPT: [&str; 2] = ["is restricted", "SWAN Projects"];
    let place = match path.rsplit_once('/') {
        Some((directory, _)) => format!("`{directory}` in the EOS home of {user}"),
        None => format!("the EOS home of {user}"),
    };
    match failure.code {
        Code::StorageFull => Some(format!(
            "no room is left for {place} (CERNBox shows the quota): have something removed or the quota raised; delivery goes on by itself"
        )),
        Code::NotWritable => Some(format!(
            "{place} can't be written to: give the right to (CERNBox shows it), or set another `directory`"
        )),
        Code::NameUnusable if KEPT.iter().any(|words| failure.what.contains(words)) => {
            Some(format!(
                "set another `directory`: no other one may have the name `{PROJECTS}`, and projects are in that one only"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_of_swan_are_known_without_its_profile() {
        let thread = json!({
            "LCG-rel": "LCG_97apython3", "platform": "x86_64-centos7-gcc8-opt", "scriptenv": "",
            "ncores": "2", "memory": "8", "spark-cluster": "none",
        });
        assert!(are_of_swan(&thread));
        assert!(are_of_swan(&json!({ "lcg": "LCG_110_swan" })));
        assert!(!are_of_swan(
            &json!({ "cores": 2, "memory": "8G", "image": "x" })
        ));
        assert!(!are_of_swan(&json!({})));
    }

    #[test]
    fn what_a_space_refuses_is_told_with_its_place() {
        let told = |code: Code, what: &str, path: &str| {
            on_space(&code.failure(what), "alice", path).unwrap_or_default()
        };
        let quota = "[Errno 122] Disk quota exceeded";
        let full = told(Code::StorageFull, quota, "SWAN_projects/h4/x.ipynb");
        assert!(
            full.starts_with("no room is left for `SWAN_projects/h4` in the EOS home of alice")
        );
        let locked = told(Code::NotWritable, "Permission denied: x.ipynb", "x.ipynb");
        assert!(locked.starts_with("the EOS home of alice can't be written to"));
        let kept = "The name SWAN_projects is restricted";
        assert!(told(Code::NameUnusable, kept, "a/SWAN_projects").contains("another `directory`"));
        assert_eq!(
            told(Code::NameUnusable, "it has more than 200 bytes", "x"),
            ""
        );
        assert_eq!(told(Code::HubDown, "503", "x"), "");
    }
}
