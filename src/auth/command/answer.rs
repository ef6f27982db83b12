//! What a program gave, told apart by content.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

use super::LARGEST;
use crate::auth::cookies::Cookies;

/// A credential as a program gave it.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) value: String,
    /// Where the value is a cookie file.
    pub(super) cookies: Option<Cookies>,
    /// From now on; `None` is not told.
    pub(super) life: Option<Duration>,
}

impl Found {
    /// The same with these of its cookies.
    pub(super) fn of(self, cookies: Cookies) -> Self {
        let left = |end: SystemTime| end.duration_since(SystemTime::now()).ok();
        Self {
            life: cookies.end().and_then(left),
            cookies: Some(cookies),
            ..self
        }
    }
}

/// What was printed, as a credential; an error never holds any of it.
pub(super) fn understand(text: &str, now: SystemTime) -> Result<Found, String> {
    if let Some(cookies) = Cookies::parse(text, now) {
        return of_cookies(text, cookies, now);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    match text {
        "" => Err("it printed nothing".into()),
        json if json.starts_with('{') => of_json(json, now),
        path if path.starts_with('/') && !path.contains('\n') => of_file(path, now),
        token => of_token(token, None),
    }
}

fn of_token(token: &str, life: Option<Duration>) -> Result<Found, String> {
    match token {
        "" => Err("its token is empty".into()),
        token if token.contains(char::is_whitespace) => {
            Err("it printed more than one word, and neither JSON nor a cookie file".into())
        }
        token if token.chars().any(char::is_control) => Err("its token is no plain text".into()),
        token => Ok(Found {
            value: token.to_owned(),
            cookies: None,
            life,
        }),
    }
}

fn of_cookies(text: &str, cookies: Cookies, now: SystemTime) -> Result<Found, String> {
    if cookies.is_empty() {
        return Err("no cookie in its file is valid any more".into());
    }
    Ok(Found {
        value: text.to_owned(),
        life: cookies.end().and_then(|end| end.duration_since(now).ok()),
        cookies: Some(cookies),
    })
}

/// The cookie file that it named.
fn of_file(path: &str, now: SystemTime) -> Result<Found, String> {
    let wrong = |why: &str| format!("{path}, which it names, {why}");
    let facts =
        std::fs::metadata(path).map_err(|error| wrong(&format!("can't be read: {error}")))?;
    if !facts.is_file() || facts.len() > LARGEST as u64 {
        return Err(wrong("is no file of at most 64 KiB"));
    }
    if facts.permissions().mode() & 0o004 != 0 {
        return Err(wrong("can be read by everybody: chmod o-rwx"));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| wrong(&format!("can't be read: {error}")))?;
    let cookies = Cookies::parse(&text, now).ok_or_else(|| wrong("is no cookie file"))?;
    of_cookies(&text, cookies, now)
}

/// JSON, in the form of Kubernetes' `ExecCredential`, of AWS' `credential_process`, or of a token
/// endpoint's answer.
fn of_json(text: &str, now: SystemTime) -> Result<Found, String> {
    let json: Value = serde_json::from_str(text).map_err(|_| "it printed broken JSON")?;
    let (from, tokens, ends) = match (json["kind"].as_str(), json["Version"].as_u64()) {
        (Some("ExecCredential"), _) => {
            (&json["status"], ["token"].as_slice(), "expirationTimestamp")
        }
        // The keys that stand there too sign requests in a way of AWS' own, and are no token.
        (_, Some(1)) => (&json, ["SessionToken", "Token"].as_slice(), "Expiration"),
        _ => (&json, ["access_token", "token"].as_slice(), "expires_at"),
    };
    let token = tokens.iter().find_map(|name| from[*name].as_str());
    let token = token.ok_or_else(|| format!("its JSON has no `{}`", tokens.join("` and no `")))?;
    let life = match (&from["expires_in"], &from[ends]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, end) => {
            Some(until(end, now).ok_or_else(|| format!("its `{ends}` is no time"))?)
        }
        (life, _) => Some(seconds(life).ok_or("its `expires_in` is no number of seconds")?),
    };
    match life {
        Some(Duration::ZERO) => Err("its token has ended already".into()),
        life => of_token(token.trim(), life),
    }
}

/// A number, or a text of one; nothing below zero.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(number.max(0.0)).ok()
}

/// How long it is until a time: RFC 3339, or seconds since 1970.
fn until(end: &Value, now: SystemTime) -> Option<Duration> {
    let end = match end.as_str().map(str::parse::<Timestamp>) {
        Some(Ok(end)) => SystemTime::from(end),
        _ => SystemTime::UNIX_EPOCH.checked_add(seconds(end)?)?,
    };
    Some(end.duration_since(now).unwrap_or_default())
}
