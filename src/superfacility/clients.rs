//! The client behind the credential: who it is, and when it ends. Pure.
//!
//! A client that may only read lives 60 days, one that may run commands 48 hours: its end is what
//! stops this destination sooner or later, and only a person can make the next one.

use jiff::Timestamp;
use serde_json::Value;

use crate::destination::terms::{Warning, ending};

/// A client of the credential's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    name: String,
    /// As it is listed.
    ends: String,
}

/// The credential's own client among those listed: the one of this id, or the only one.
pub(super) fn own(listed: &Value, id: Option<&str>) -> Option<Client> {
    let listed = listed.as_array()?;
    let one = match id {
        Some(id) => listed.iter().find(|client| client["clientId"] == id)?,
        None if listed.len() == 1 => listed.first()?,
        None => return None,
    };
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    Some(Client {
        name: text("name"),
        ends: text("expiresAt"),
    })
}

impl Client {
    /// When it ends, RFC 3339.
    pub(super) fn end(&self) -> Option<String> {
        Some(self.instant()?.to_string())
    }

    /// The form is not published: with an offset it is an instant, without one it is taken for UTC.
    fn instant(&self) -> Option<Timestamp> {
        let plain = || -> Option<Timestamp> {
            let time: jiff::civil::DateTime = self.ends.parse().ok()?;
            Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        };
        self.ends.parse().ok().or_else(plain)
    }

    /// What is to be said of its end now. The words change with the stage only, so that each is told
    /// once.
    pub(super) fn warning(&self, now: Timestamp) -> Option<Warning> {
        let name = &self.name;
        let Some(end) = self.instant() else {
            let what = format!(
                "the client `{name}` ends at `{}`, which can't be read",
                self.ends
            );
            return Some(Warning::new(what, "see its end in Iris"));
        };
        Some(Warning::new(
            ending(&format!("the client `{name}`"), end, now)?,
            "make a new one in Iris (Profile, Superfacility API Clients) and put its key in the place of the old one; no restart is needed",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn client(ends: &str) -> Client {
        Client {
            name: "daq".into(),
            ends: ends.into(),
        }
    }

    #[test]
    fn the_end_is_told_at_three_stages() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
        let words = |ends: &str| client(ends).warning(now).map(|warning| warning.what);
        for (ends, part) in [
            (
                "2026-11-14T23:00:00Z",
                "in less than 14 days, at 2026-11-14T23:00:00Z",
            ),
            ("2026-11-03T23:00:00-08:00", "in less than 14 days"),
            ("2026-11-03T15:00:00-08:00", "in less than 3 days"),
            ("2026-11-01 11:00:00", "in less than 12 hours"),
            ("2026-10-30", "has ended, at 2026-10-30T00:00:00Z"),
            ("next week", "can't be read"),
        ] {
            let told = words(ends).expect(ends);
            assert!(told.contains(part), "{ends}: {told}");
        }
        assert_eq!(words("2026-11-15T01:00:00Z"), None);
    }

    #[test]
    fn its_own_client_is_the_one_of_its_id_or_the_only_one() {
        let one = json!([{"name": "daq", "clientId": "a", "expiresAt": "2026-11-15"}]);
        let two = json!([{"name": "other", "clientId": "b"}, one[0]]);
        assert_eq!(own(&one, None), Some(client("2026-11-15")));
        assert_eq!(own(&two, Some("a")), Some(client("2026-11-15")));
        assert_eq!(own(&two, None), None);
        assert_eq!(own(&one, Some("b")), None);
        assert_eq!(own(&json!({}), None), None);
        let end = client("2026-11-15").end().expect("an end");
        assert_eq!(end, "2026-11-15T00:00:00Z");
    }
}
