//! The board of present troubles that concern no single job: rooms put notices up and take them
//! down, `status` and the page read them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// One present trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A stable name, such as `watch-unreadable`.
    pub code: String,
    /// What happened, where.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// The board. A key is whatever its owner can name the trouble by again.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<String, Notice>>);

/// The event of which a notice tells, for those who look for it in the journal.
fn event(code: &str) -> Option<&'static str> {
    match code {
        "ledger-unwritable" => Some("ledger.error"),
        "token-expires" => Some("credential.expires_soon"),
        _ => None,
    }
}

impl Health {
    /// Puts a notice up, in place of the one under the same key; logs it when it is new.
    pub fn raise(&self, key: &str, code: &str, what: impl Into<String>, advice: impl Into<String>) {
        let notice = Notice {
            code: code.into(),
            what: what.into(),
            advice: advice.into(),
        };
        let mut board = self.board();
        if board.get(key) != Some(&notice) {
            let advice = &notice.advice;
            match event(code) {
                Some(event @ "ledger.error") => {
                    tracing::error!(event, code, advice, "{}", notice.what)
                }
                event => tracing::warn!(event, code, advice, "{}", notice.what),
            }
            board.insert(key.into(), notice);
        }
    }

    /// Takes a notice down; logs it when there was one.
    pub fn clear(&self, key: &str) {
        if let Some(notice) = self.board().remove(key) {
            tracing::info!(code = notice.code, "over: {}", notice.what);
        }
    }

    /// Whether there is a notice under this key.
    #[must_use]
    pub fn is_up(&self, key: &str) -> bool {
        self.board().contains_key(key)
    }

    /// All present notices.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.board().values().cloned().collect()
    }

    fn board(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Notice>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
