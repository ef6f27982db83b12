//! A hub and an identity provider that answer as the real ones do, on two origins, for tests that
//! need no ticket.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header::SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub(super) const BUTTON: &str =
    r#"<a id="social-kerberos" href="/broker?x=1&amp;y=2">Kerberos</a>"#;

/// What the two do, and what they were asked for.
#[derive(Default)]
pub(super) struct World {
    pub(super) hub: String,
    pub(super) idp: String,
    /// The identity provider's first page.
    pub(super) page: &'static str,
    /// What Kerberos' own address answers in place of a redirect.
    pub(super) at_kerberos: Option<fn() -> Response>,
    /// What the hub answers in place of its cookie.
    pub(super) at_callback: Option<StatusCode>,
    /// What the hub's API answers to its own cookie.
    pub(super) api: Option<StatusCode>,
    pub(super) asked: Mutex<Vec<String>>,
}

type Shared = State<Arc<World>>;

pub(super) fn redirect(to: &str, cookies: &[&str]) -> Response {
    let mut response = (StatusCode::FOUND, [("location", to)]).into_response();
    for cookie in cookies {
        let value = cookie.parse().expect("a header");
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

fn cookies_of(headers: &HeaderMap) -> String {
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    headers.get("cookie").map(text).unwrap_or_default()
}

async fn hub(State(world): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let cookies = cookies_of(&headers);
    world
        .asked
        .lock()
        .expect("a lock")
        .push(format!("hub{}", uri.path()));
    match (uri.path(), world.at_callback) {
        ("/hub/oauth_login", _) => {
            let to = format!("{}auth?client_id=swan&state=s", world.idp);
            redirect(
                &to,
                &[
                    "oauthenticator-state=s; Path=/hub/; HttpOnly",
                    "_xsrf=old; Path=/hub/",
                ],
            )
        }
        ("/hub/oauth_callback", Some(status)) => (status, Html("<p>no role</p>")).into_response(),
        ("/hub/oauth_callback", None) if cookies.contains("oauthenticator-state=s") => {
            let login = format!("jupyterhub-hub-login=\"2|1:0|{}\"", world.count(uri.path()));
            let others = ["jupyterhub-session-id=i; Path=/", "_xsrf=early; Path=/hub/"];
            let login = format!("{login}; Path=/hub/; Max-Age=60");
            redirect("/hub/spawn", &[&login, others[0], others[1]])
        }
        ("/hub/token", _) => redirect("/hub/", &["_xsrf=new; Path=/hub/"]),
        ("/hub/api/user", _) if cookies.contains("jupyterhub-hub-login=\"2|1:0|") => {
            let status = world.api.unwrap_or(StatusCode::OK);
            let body = serde_json::json!({ "name": "gianluca", "auth_state": { "token": "live" } });
            (status, axum::Json(body)).into_response()
        }
        _ => StatusCode::FORBIDDEN.into_response(),
    }
}

async fn idp(State(world): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let is_known = cookies_of(&headers).contains("AUTH_SESSION_ID=a");
    world
        .asked
        .lock()
        .expect("a lock")
        .push(format!("idp{}", uri.path()));
    match uri.path() {
        "/auth" => {
            let cookie = [("set-cookie", "AUTH_SESSION_ID=a; Path=/")];
            (cookie, Html(world.page)).into_response()
        }
        "/broker" if is_known && uri.query() == Some("x=1&y=2") => redirect("/kerberos", &[]),
        "/kerberos" if world.at_kerberos.is_some() => world.at_kerberos.expect("an answer")(),
        "/kerberos" if is_known => {
            let to = format!(
                "{}hub/oauth_callback?state=s&iss={}&code=c",
                world.hub, world.idp
            );
            redirect(&to, &[])
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The two while they run.
pub(super) struct Stand {
    world: Arc<World>,
    servers: [JoinHandle<std::io::Result<()>>; 2],
}

impl World {
    /// One in which a login gets through.
    pub(super) fn open() -> Self {
        Self {
            page: BUTTON,
            ..Self::default()
        }
    }

    /// One in which a login needs a ticket.
    pub(super) fn that_asks() -> Self {
        Self {
            at_kerberos: Some(|| {
                let negotiate = [("www-authenticate", "Negotiate")];
                (StatusCode::UNAUTHORIZED, negotiate).into_response()
            }),
            ..Self::open()
        }
    }

    pub(super) async fn start(mut self) -> Stand {
        let listener = async || TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (of_hub, of_idp) = (listener().await, listener().await);
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        self.hub = format!("http://127.0.0.1:{}/", port(&of_hub));
        self.idp = format!("http://localhost:{}/", port(&of_idp));
        let world = Arc::new(self);
        let hub = Router::new().fallback(get(hub)).with_state(world.clone());
        let idp = Router::new().fallback(get(idp)).with_state(world.clone());
        let servers = [
            tokio::spawn(async move { axum::serve(of_hub, hub).await }),
            tokio::spawn(async move { axum::serve(of_idp, idp).await }),
        ];
        Stand { world, servers }
    }
}

impl World {
    /// How often this path of the hub was asked for.
    fn count(&self, path: &str) -> usize {
        let asked = self.asked.lock().expect("a lock");
        asked
            .iter()
            .filter(|one| **one == format!("hub{path}"))
            .count()
    }
}

impl Stand {
    /// The hub's base URL.
    pub(super) fn hub(&self) -> Url {
        Url::parse(&self.world.hub).expect("a URL")
    }

    /// What was asked for until now.
    pub(super) fn asked(&self) -> Vec<String> {
        self.world.asked.lock().expect("a lock").clone()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}
