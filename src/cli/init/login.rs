//! `nbcourier init --login`.

use super::super::{Context, Stop, check, exit};
use crate::auth::oauth::Provider;
use crate::auth::oauth::device::Prompt;
use crate::config::Config;
use crate::config::checked::{Auth, Destination, OAuth};
use crate::failure::Failure;

/// Has a person log in for the destination of this name.
pub(super) async fn run(context: &Context, name: &str) -> Result<u8, Stop> {
    let config = context.load()?;
    let (table, oauth) = find(&config, name)?;
    let stop = |failure: Failure| {
        let stop = Stop::new(check::exit_code(failure.code), failure.what.clone());
        stop.hint(failure.advice())
    };
    let provider = Provider::new(&config, table, oauth).map_err(stop)?;
    let login = provider.login(|prompt| tell(context, prompt)).await;
    login.map_err(stop)?;
    context.output.note(format!(
        "logged in; the refresh token is kept in {}, and a running daemon takes it by itself",
        config.state.join("tokens").display()
    ));
    Ok(exit::DONE)
}

/// The destination, which must have what a login is for.
fn find<'a>(config: &'a Config, name: &str) -> Result<(&'a Destination, &'a OAuth), Stop> {
    let Some(table) = config.destination(name) else {
        let known: Vec<&str> = config
            .destinations
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let message = format!("there is no [destination.{name}]");
        return Err(
            Stop::new(exit::ARGUMENTS, message).hint(format!("known: {}", known.join(", ")))
        );
    };
    match table.auth() {
        Some(Auth::OAuth(oauth)) if oauth.refresh_token.is_some() => Ok((table, oauth)),
        _ => {
            let message = format!("[destination.{name}] has no `refresh_token` in `auth.oauth`");
            Err(Stop::new(exit::CONFIGURATION, message).hint(
                "write auth.oauth = { issuer = \"https://…\", client_id = \"…\", refresh_token = { file = \"…\" } }; the file need not be there",
            ))
        }
    }
}

fn tell(context: &Context, prompt: &Prompt) {
    let minutes = prompt.time.as_secs().div_ceil(60);
    context
        .output
        .note(format!("open {} in a browser anywhere,", prompt.url));
    context.output.note(format!(
        "type the code {} and agree within {minutes} min",
        prompt.code
    ));
    if let Some(whole) = &prompt.whole {
        context.output.note(format!("or open {whole}"));
    }
}
