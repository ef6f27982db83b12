//! What all kinds of destination speak of.

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The user that a delivery would act for; empty for a directory.
    pub user: String,
    /// What answered, with its version.
    pub version: String,
    /// The state of the user's server, in words.
    pub server: String,
    /// What works, but should be otherwise.
    pub warnings: Vec<String>,
    /// Tells the accepted token from others; see [`crate::config::secret::Secret::fingerprint`].
    pub token_fingerprint: Option<String>,
    /// When the token ends (RFC 3339), if the hub tells.
    pub token_expires_at: Option<String>,
}

/// The credential that was accepted last: a hub refuses an expired and an unknown token alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Of the token.
    pub fingerprint: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A notebook that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The job's public id, which the notebook carries.
    pub job: &'a str,
    /// Its exact bytes.
    pub bytes: &'a [u8],
    /// Their sha256.
    pub sha256: &'a str,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// This job's notebook.
    Ours,
    /// Something else.
    Taken,
}

/// The job's temporary name beside `path`. Visible, since Jupyter refuses hidden names; derived from
/// the job, so that two attempts use the same one.
#[must_use]
pub fn temporary(path: &str, job: &str) -> String {
    let name = format!("nbcourier-{job}.part");
    match path.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{name}"),
        None => name,
    }
}

/// The job that a notebook's bytes say they belong to.
pub(crate) fn embedded_job(bytes: &[u8]) -> Option<String> {
    let notebook: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    notebook
        .pointer("/metadata/nbcourier/job")?
        .as_str()
        .map(str::to_owned)
}
