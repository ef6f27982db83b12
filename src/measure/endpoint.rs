//! The few names under which requests are counted.

/// What a request is for, by its path: paths hold users and runs, names don't.
pub(super) fn of(method: &str, path: &str) -> &'static str {
    if path.contains("/api/contents") {
        return "contents";
    }
    if let Some((_, below)) = path.split_once("/hub/api") {
        return of_hub(method, below);
    }
    let parts = [
        ("/hub/", "login"),
        ("/.well-known/", "discovery"),
        ("/utilities/", "files"),
        ("/status/", "machine"),
        ("/token", "token"),
        ("/api", "server"),
    ];
    let found = parts.into_iter().find(|(part, _)| path.contains(part));
    found.map_or("other", |(_, name)| name)
}

fn of_hub(method: &str, below: &str) -> &'static str {
    let is_server = below.ends_with("/server") || below.contains("/servers/");
    match method {
        _ if below.contains("/tokens") => "tokens",
        _ if below.ends_with("/progress") => "progress",
        "POST" if is_server => "spawn",
        "DELETE" if is_server => "stop",
        _ if below.starts_with("/user") => "user",
        _ => "hub",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_name_without_its_user_or_run() {
        for (method, path, name) in [
            ("GET", "/hub/api/", "hub"),
            ("GET", "/prefix/hub/api/users/alice", "user"),
            ("GET", "/hub/api/user", "user"),
            ("POST", "/hub/api/users/alice/server", "spawn"),
            ("POST", "/hub/api/users/alice/servers/lab", "spawn"),
            ("DELETE", "/hub/api/users/alice/servers/lab", "stop"),
            ("GET", "/hub/api/users/alice/server/progress", "progress"),
            ("POST", "/hub/api/users/alice/tokens", "tokens"),
            (
                "GET",
                "/user/alice/api/contents/runs/hub/api/x.ipynb",
                "contents",
            ),
            ("PUT", "/api/contents/x.ipynb", "contents"),
            ("GET", "/user/alice/api", "server"),
            ("GET", "/hub/login", "login"),
            ("POST", "/realms/lab/protocol/openid-connect/token", "token"),
            (
                "GET",
                "/realms/lab/.well-known/openid-configuration",
                "discovery",
            ),
            ("PUT", "/api/v1.2/utilities/upload/perlmutter/x", "files"),
            ("GET", "/api/v1.2/status/perlmutter", "machine"),
            ("GET", "/anything", "other"),
        ] {
            assert_eq!(of(method, path), name, "{method} {path}");
        }
    }
}
