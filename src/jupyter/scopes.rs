//! Which scopes a delivery needs, and which of a token's go too far.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a delivery may use, and what comes along with it. `JupyterHub` expands `servers` and adds
/// `read:users:name`, `read:users:groups` and `users:activity` by itself.
const NEEDED: &[&str] = &[
    "access:servers",
    "servers",
    "start:servers",
    "read:servers",
    "stop:servers",
    "delete:servers",
    "read:users",
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "users:activity",
    "list:users",
];

/// What making tokens needs, and what comes along with it.
const NEEDED_TO_MINT: &[&str] = &[
    "tokens",
    "read:tokens",
    "read:users:name",
    "read:users:groups",
];

/// What every token may: to know the names of those it is for.
const NAMES: &[&str] = &["read:users:name", "read:users:groups"];

/// The scopes of a token.
pub(super) struct Scopes(Vec<String>);

impl Scopes {
    /// From the hub's account of a token.
    pub(super) fn of(owner: &Value) -> Self {
        let scopes = owner["scopes"].as_array().into_iter().flatten();
        Self(
            scopes
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether one of `bases` covers this user's server. A group is taken to hold the user: who is
    /// in it is the hub's to know, and the next call shows it.
    pub(super) fn cover(&self, bases: &[&str], user: &str, server: &str) -> bool {
        self.0.iter().any(|scope| {
            let (base, filter) = split(scope);
            let covered = match filter.map(|filter| filter.split_once('=').unwrap_or((filter, "")))
            {
                None | Some(("group", _)) => true,
                Some(("user", name)) => name == user,
                Some(("server", name)) => name == format!("{user}/{server}"),
                Some(_) => false,
            };
            bases.contains(&base) && covered
        })
    }

    /// Whether this is the token that a hub gives to one server: it opens that server and nothing
    /// else.
    pub(super) fn of_one_server(&self) -> bool {
        let access: Vec<_> = self
            .0
            .iter()
            .map(|scope| split(scope))
            .filter(|(base, _)| *base == "access:servers")
            .collect();
        let only_servers = access
            .iter()
            .all(|(_, filter)| filter.is_some_and(|filter| filter.starts_with("server=")));
        let starts = self
            .0
            .iter()
            .any(|scope| ["start:servers", "servers", "read:servers"].contains(&split(scope).0));
        !access.is_empty() && only_servers && !starts
    }

    /// What is too much: rights that no delivery needs, or over everybody.
    pub(super) fn excess(&self, users: &str) -> Option<String> {
        let far = self.far(NEEDED, "access:servers")?;
        Some(format!(
            "the token may do more than a delivery needs ({far}); make one with access:servers!{users}, \
             read:servers!{users}, start:servers!{users} and delete:servers!{users} only"
        ))
    }

    /// What is too much for a credential that only makes tokens.
    pub(super) fn excess_of_minter(&self, user: &str) -> Option<String> {
        let far = self.far(NEEDED_TO_MINT, "tokens")?;
        Some(format!(
            "the credential may do more than making tokens ({far}); tokens!user={user} is enough"
        ))
    }

    /// The scopes beyond these, and `bounded` if it is over everybody.
    fn far(&self, needed: &[&str], bounded: &str) -> Option<String> {
        let far = |scope: &&String| {
            let (base, filter) = split(scope);
            !needed.contains(&base) || (filter.is_none() && base == bounded)
        };
        let far: Vec<&str> = self.0.iter().filter(far).map(String::as_str).collect();
        (!far.is_empty()).then(|| first(&far, ", "))
    }

    /// What it may, and for whom.
    pub(super) fn words(&self) -> String {
        let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (base, filter) in self.0.iter().map(|scope| split(scope)) {
            if !NAMES.contains(&base) {
                of.entry(filter.unwrap_or("everybody"))
                    .or_default()
                    .push(base);
            }
        }
        let each: Vec<String> = of
            .iter()
            .map(|(filter, bases)| format!("{} for {filter}", bases.join(", ")))
            .collect();
        let each: Vec<&str> = each.iter().map(String::as_str).collect();
        match each.as_slice() {
            [] => "nothing".into(),
            each => first(each, "; "),
        }
    }
}

/// The first six of a list.
fn first(list: &[&str], between: &str) -> String {
    let shown: Vec<&str> = list.iter().take(6).copied().collect();
    let more = match list.len() {
        0..=6 => String::new(),
        all => format!(" and {} more", all - 6),
    };
    format!("{}{more}", shown.join(between))
}

fn split(scope: &str) -> (&str, Option<&str>) {
    scope
        .split_once('!')
        .map_or((scope, None), |(base, filter)| (base, Some(filter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(list: &[&str]) -> Scopes {
        Scopes(list.iter().map(|scope| (*scope).to_owned()).collect())
    }

    #[test]
    fn a_filter_covers_whom_it_names() {
        let table = [
            ("access:servers", "alice", "", true),
            ("access:servers!user=alice", "alice", "", true),
            ("access:servers!user=bob", "alice", "", false),
            ("access:servers!server=alice/", "alice", "", true),
            ("access:servers!server=alice/gpu", "alice", "", false),
            ("access:servers!server=alice/gpu", "alice", "gpu", true),
            ("access:servers!group=daq", "alice", "", true),
            ("read:servers", "alice", "", false),
        ];
        for (scope, user, server, covered) in table {
            assert_eq!(
                scopes(&[scope]).cover(&["access:servers"], user, server),
                covered,
                "{scope}"
            );
        }
    }

    #[test]
    fn a_single_servers_token_and_too_strong_ones_are_told() {
        assert!(
            scopes(&["access:servers!server=alice/", "read:users:name!user=alice"]).of_one_server()
        );
        assert!(
            !scopes(&["access:servers!user=alice", "start:servers!user=alice"]).of_one_server()
        );
        assert_eq!(
            scopes(&[
                "access:servers!user=a",
                "start:servers!user=a",
                "read:users:name!user=a"
            ])
            .excess("user=a"),
            None
        );
        let excess = scopes(&["admin:users", "access:servers"])
            .excess("user=a")
            .expect("too much");
        assert!(excess.contains("(admin:users, access:servers)"), "{excess}");
        let minter = scopes(&[
            "tokens!user=a",
            "read:tokens!user=a",
            "read:users:name!user=a",
        ]);
        assert_eq!(minter.excess_of_minter("a"), None);
        assert_eq!(minter.words(), "tokens, read:tokens for user=a");
        let excess = scopes(&["tokens", "admin:servers!user=a"]).excess_of_minter("a");
        assert!(
            excess
                .expect("too much")
                .contains("(tokens, admin:servers!user=a)")
        );
        assert_eq!(scopes(&["read:users:name"]).words(), "nothing");
    }
}
