//! A user's home on CERN SWAN. What its server shows as root is the home in the classic interface,
//! and in Lab all of EOS, where a path below the home would go astray.

use serde_json::{Value, json};
use url::Url;

use super::classify::Call;
use super::{Jupyter, join, text};
use crate::auth::Token;
use crate::config::checked::{Hub, Profile};
use crate::failure::Failure;

/// The directory of projects in a home.
const PROJECTS: &str = "SWAN_projects";

/// Where the paths of a user begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Home {
    /// Wherever the server says; all but SWAN.
    #[default]
    Root,
    /// SWAN's classic interface.
    Classic,
    /// SWAN with Lab: there, with a `/` at the end.
    Lab(String),
}

impl Home {
    /// From the options that the server was started with; `None` where they don't tell.
    fn told(options: &Value, user: &str) -> Option<Self> {
        match options["use-jupyterlab"].as_str()? {
            "checked" => Some(Self::lab(user)),
            // A box that is not ticked may come as anything else.
            _ => Some(Self::Classic),
        }
    }

    /// From what stands in the server's root.
    fn seen(root: &Value, user: &str) -> Self {
        let names = root["content"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.map(|entry| text(entry, "name")).collect();
        match names.contains(&"user") && !names.contains(&PROJECTS) {
            true => Self::lab(user),
            false => Self::Classic,
        }
    }

    fn lab(user: &str) -> Self {
        let initial: String = user.chars().take(1).collect();
        Self::Lab(format!("user/{initial}/{user}/"))
    }

    /// A path below the home as the server wants it.
    pub(super) fn path(&self, path: &str) -> String {
        match self {
            Self::Root | Self::Classic => path.to_owned(),
            Self::Lab(home) => format!("{home}{path}"),
        }
    }

    /// The interface in which a notebook opens.
    pub(super) fn interface(&self) -> &'static str {
        match self {
            Self::Root | Self::Lab(_) => "lab/tree",
            Self::Classic => "notebooks",
        }
    }

    /// What makes this directory.
    pub(super) fn making(&self, directory: &str) -> Value {
        let is_project = match directory.split_once('/') {
            // A plain directory there would not open in the classic interface.
            Some((PROJECTS, name)) => *self != Self::Root && !name.contains('/'),
            _ => false,
        };
        match is_project {
            true => json!({ "type": "directory", "is_project": true }),
            false => json!({ "type": "directory" }),
        }
    }
}

/// What to do where a start has failed: SWAN never says why.
pub(super) fn advice(hub: &Hub) -> Option<String> {
    let options = hub.spawn_options.as_ref();
    match hub.profile {
        Profile::Swan => Some(format!(
            "compare `spawn_options` with the choices at {}hub/spawn (SWAN checks no release, platform or number of cores); if they are right, start the server there once, which renews the sign-on that SWAN holds for EOS",
            hub.url
        )),
        Profile::None if options.is_some_and(are_of_swan) => Some(
            "these are options of CERN SWAN, which answers every mistake in them with the same 500: set `profile = \"swan\"`, and `nbcourier check` says what is wrong with them".into(),
        ),
        Profile::None => None,
    }
}

/// A token that SWAN refuses may be well: what to say of it, and to do before a new one is made.
pub(super) fn lapsed(hub: Option<&Hub>) -> (&'static str, String) {
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

impl Jupyter {
    /// Where the user's paths begin on their running server.
    pub(super) async fn home(
        &self,
        (hub, user): (&Hub, &str),
        token: &Token,
        (server, options): (&Url, &Value),
    ) -> Result<Home, Failure> {
        if hub.profile == Profile::None {
            return Ok(Home::Root);
        }
        if let Some(home) = Home::told(options, user) {
            return Ok(home);
        }
        let mut url = join(server, "api/contents/")?;
        url.set_query(Some("type=directory&content=1"));
        let root = self.ask(Call::Look, self.get(url, Some(token)), &[200]);
        Ok(Home::seen(&root.await?.json(), user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Home {
        Home::Lab("user/g/gianluca/".into())
    }

    #[test]
    fn the_home_is_told_by_the_options_or_seen_in_the_root() {
        let told = |options: Value| Home::told(&options, "gianluca");
        assert_eq!(told(json!({ "use-jupyterlab": "checked" })), Some(lab()));
        assert_eq!(told(json!({ "use-jupyterlab": "u" })), Some(Home::Classic));
        assert_eq!(
            told(json!({ "use-jupyterlab": "unchecked" })),
            Some(Home::Classic)
        );
        assert_eq!(told(json!({ "cores": 2 })), None);
        assert_eq!(told(Value::Null), None);
        let seen = |names: &[&str]| {
            let entries: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            Home::seen(&json!({ "content": entries }), "gianluca")
        };
        assert_eq!(seen(&["atlas", "user"]), lab());
        assert_eq!(seen(&["SWAN_projects", "user"]), Home::Classic);
        assert_eq!(seen(&[]), Home::Classic);
    }

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
    fn paths_are_relative_to_the_home_in_both_interfaces() {
        let path = "SWAN_projects/h4/run 1.ipynb";
        assert_eq!(Home::Root.path(path), path);
        assert_eq!(Home::Classic.path(path), path);
        assert_eq!(lab().path(path), format!("user/g/gianluca/{path}"));
    }

    #[test]
    fn a_directory_of_projects_holds_projects_on_swan_only() {
        let plain = json!({ "type": "directory" });
        let project = json!({ "type": "directory", "is_project": true });
        for home in [Home::Classic, lab()] {
            assert_eq!(home.making("SWAN_projects"), plain);
            assert_eq!(home.making("SWAN_projects/h4"), project);
            assert_eq!(home.making("SWAN_projects/h4/2026"), plain);
            assert_eq!(home.making("runs"), plain);
            assert_eq!(home.making("runs/SWAN_projects"), plain);
        }
        assert_eq!(Home::Root.making("SWAN_projects/h4"), plain);
    }
}
