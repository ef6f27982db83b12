//! The one probe: behind `check`, the release of holds and the page. Writes nothing.

use super::Superfacility;
use super::answers::Call;
use super::clients::{self, Client};
use crate::destination::terms::{Report, Warning};
use crate::failure::Failure;

impl Superfacility {
    pub(crate) async fn probe(&self) -> Result<Report, Failure> {
        let state = self.ask_machine().await?;
        let user = self.ask_user().await?;
        self.ask_root().await?;
        let client = self.client().await;
        let now = jiff::Timestamp::now();
        let ending = client.as_ref().and_then(|client| client.warning(now));
        let remark = self.credential.remark().map(Warning::from);
        let token = self.credential.token().await?;
        Ok(Report {
            user,
            version: format!("Superfacility API, {state}"),
            server: format!("directory /{}", self.root),
            warnings: ending.into_iter().chain(remark).collect(),
            token_fingerprint: Some(token.secret().fingerprint()),
            token_expires_at: client.and_then(|client| client.end()),
            credential: format!("the token from {} is accepted", token.origin()),
            // The warning is about the client: tokens are renewed by themselves.
            is_renewed: true,
            ..Report::default()
        })
    }

    /// The client behind the credential. Its own is sometimes missing from the list, and which it is
    /// can't always be told: neither is a trouble.
    async fn client(&self) -> Option<Client> {
        let listed = self.ask(Call::Clients, "account/clients").await.ok()?;
        clients::own(&listed, self.credential.client_id().await.as_deref())
    }
}
