//! Who is told what.

use crate::config::secret::SecretRef;

/// Tells somebody what has happened.
#[derive(Clone, Debug)]
pub struct Announcer {
    /// Its name.
    pub name: String,
    /// Whom it tells.
    pub to: Receiver,
    /// What it tells.
    pub on: Vec<News>,
}

/// Who is told.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// Who listens at a URL, which is a secret.
    Webhook(SecretRef),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something needs a person.
    Held,
    /// It doesn't any more.
    Recovered,
    /// A notebook stands at its destination.
    Delivered,
    /// A notebook was given up.
    Failed,
}

impl News {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Held, Self::Recovered, Self::Delivered, Self::Failed];

    /// The word used in the configuration, in messages and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Recovered => "recovered",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}
