//! The refresh token: which one is the newest, and what becomes of it when it is used.

use super::answer::Answer;
use super::discovery::Metadata;
use super::store::{Locked, Stored, hash};
use super::{Fate, Provider, Trouble};
use crate::config::secret::{Secret, SecretRef};
use crate::failure::{Code, Failure};

impl Provider {
    /// Asks with the newest refresh token, and keeps the one that replaces it before the answer is
    /// used. After a lost answer it asks once more, since the server may not have seen the first.
    pub(super) async fn refreshed(
        &self,
        metadata: &Metadata,
        source: &SecretRef,
    ) -> Result<Answer, Failure> {
        let mut lock = self.store.lock().await?;
        self.save(&lock)?;
        let current = current(&lock, source).await?;
        let was_in_doubt = lock.is_marked(&current.token)?;
        lock.mark(Some(&current.token))?;
        let (first, lost_before) = match self.refresh(metadata, &current.token).await {
            Err(trouble) if trouble.fate == Fate::Lost => {
                (self.refresh(metadata, &current.token).await, true)
            }
            other => (other, was_in_doubt),
        };
        match first {
            Ok(answer) => {
                self.keep(&mut lock, &current, &answer)?;
                Ok(answer)
            }
            Err(trouble) => Err(doubt(&mut lock, trouble, lost_before, source)?),
        }
    }

    async fn refresh(&self, metadata: &Metadata, token: &Secret) -> Result<Answer, Trouble> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
        ];
        self.ask(metadata, &fields).await
    }

    /// Keeps the new token of an answer, if it has one: without, the old one goes on (RFC 6749 §6).
    fn keep(&self, lock: &mut Locked<'_>, old: &Stored, answer: &Answer) -> Result<(), Failure> {
        let new = answer.refresh_token.clone();
        if let Some(token) = new.filter(|token| *token != old.token) {
            let seed = old.seed.clone();
            *self.unsaved() = Some(Stored { token, seed });
            self.save(lock)?;
        }
        lock.mark(None)
    }

    /// Writes down a token that a full disk has kept from it; until then it is here only.
    fn save(&self, lock: &Locked<'_>) -> Result<(), Failure> {
        let mut unsaved = self.unsaved();
        if let Some(stored) = unsaved.as_ref() {
            lock.write(stored, false)?;
            *unsaved = None;
        }
        Ok(())
    }
}

/// The newest token: the kept one, unless the operator has written another one since.
async fn current(lock: &Locked<'_>, source: &SecretRef) -> Result<Stored, Failure> {
    let kept = lock.read()?;
    let seed = match (source.read().await, &kept) {
        (Ok(seed), _) => seed,
        // It may be gone once it was used, or have come by a login and never been there.
        (Err(_), Some(kept)) if !is_there(source) => return Ok(kept.clone()),
        (Err(failure), _) if is_there(source) => return Err(failure),
        (Err(failure), _) => return Err(failure.advise(lock.advice())),
    };
    let of_operator = hash(&seed);
    Ok(match kept {
        Some(kept) if kept.seed.as_ref() == Some(&of_operator) => kept,
        _ => Stored {
            token: seed,
            seed: Some(of_operator),
        },
    })
}

pub(super) fn is_there(source: &SecretRef) -> bool {
    source.path().is_some_and(|path| path.exists())
}

/// What a refusal means after a lost answer, and whether the next one will be in doubt too.
fn doubt(
    lock: &mut Locked<'_>,
    trouble: Trouble,
    lost_before: bool,
    source: &SecretRef,
) -> Result<Failure, Failure> {
    let refused = trouble.failure.code == Code::GrantRefused;
    let unclear = matches!(trouble.fate, Fate::Lost | Fate::Unclear);
    if !unclear && !lost_before {
        lock.mark(None)?;
    }
    if !refused || !lost_before {
        return Ok(trouble.failure);
    }
    Ok(in_doubt(source, &trouble.failure))
}

/// A refusal after an answer that was lost.
pub(super) fn in_doubt(source: &SecretRef, refusal: &Failure) -> Failure {
    let what = format!(
        "the refresh token from {source} was replaced by the server in an answer that was lost, or has ended meanwhile: {}",
        refusal.what
    );
    Code::CredentialInDoubt.failure(what)
}
