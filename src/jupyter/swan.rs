//! A user's home on CERN SWAN. What its server shows as root is the home in the classic interface,
//! and in Lab all of EOS, where a path below the home would go astray.

pub(super) mod advice;
mod form;
mod literal;

use serde_json::{Value, json};
use url::Url;

use super::classify::Call;
use super::{Jupyter, join, text};
use crate::auth::Token;
use crate::config::checked::{Hub, Profile};
use crate::destination::terms::Choices;
use crate::failure::{Code, Failure};
use form::Form;

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
    pub(super) fn told(options: &Value, user: &str) -> Option<Self> {
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

    /// What SWAN's form offers, where its page can be had: that is for cookies only.
    pub(crate) async fn choices(&self) -> Option<Choices> {
        let hub = self
            .hub
            .as_ref()
            .filter(|hub| hub.profile == Profile::Swan)?;
        let token = self.credential.token().await.ok()?;
        if !token.is_cookies() {
            return None;
        }
        Some(match self.form().await {
            Ok(form) => form.choices(hub.spawn_options.as_ref()),
            Err(failure) => Choices {
                offered: vec![format!("what SWAN offers can't be read: {}", failure.what)],
                ..Choices::default()
            },
        })
    }

    async fn form(&self) -> Result<Form, Failure> {
        let (token, owner) = self.minter().await?;
        // A hub without a form starts a server where others show theirs; only SWAN tells this.
        if owner.get("auth_state").is_none() {
            return Err(Code::NotAHub.failure(format!("{} is another kind of hub", self.base)));
        }
        let request = self.get(self.url("hub/spawn")?, Some(&token));
        let page = self.client.send(request.into_request(), false).await?;
        Form::parse(&page.body).ok_or_else(|| {
            let what = format!(
                "{} answered {} without its choices, which it shows only while no server of {} runs",
                page.url,
                page.status,
                text(&owner, "name")
            );
            Code::PageInsteadOfApi.failure(what)
        })
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
