//! Signs of life of users whom a hub would forget, and their tokens with them (`keep_alive`).

use super::Jupyter;
use super::mint::Mint;
use crate::config::checked::Hub;
use crate::failure::Failure;

impl Jupyter {
    /// Asks the hub something in the name of each user whose token is held, which it takes for a sign
    /// of life.
    pub(crate) async fn beat(&self) {
        let minting = match self.minting().await {
            Ok(Some(minting)) => minting,
            Ok(None) => return self.told(self.beat_of_owner().await),
            Err(failure) => return self.told(Err(failure)),
        };
        for user in minting.1.users() {
            self.told(self.beat_of(minting, &user).await);
        }
    }

    async fn beat_of_owner(&self) -> Result<(), Failure> {
        let token = self.credential.token().await?;
        self.who_am_i(&token, None).await.map(drop)
    }

    async fn beat_of(&self, minting: (&Hub, &Mint), user: &str) -> Result<(), Failure> {
        let (_, token) = self.minted_for(minting, Some(user)).await?;
        self.who_am_i(&token, None).await.map(drop)
    }

    fn told(&self, beat: Result<(), Failure>) {
        if let Err(failure) = beat {
            tracing::warn!(destination = self.name, "no sign of life: {failure}");
        }
    }
}
