//! `nbcourier check`: one destination.

use super::{Check, State, exit};
use crate::config::Config;
use crate::config::checked;
use crate::destination::{Accepted, Destination, Report, TOKEN_ENDS, Wanted, Warning};
use crate::failure::{Class, Code, Failure};
use crate::ledger::Ledger;

/// Its lines, for each of its users.
pub(super) async fn destination(
    config: &Config,
    table: &checked::Destination,
    ledger: Option<&Ledger>,
    deliver: bool,
) -> Vec<Check> {
    let name = format!("destination {}", table.name);
    // A person asks for the starts of `--deliver`: they are not the daemon's.
    let opened = match Destination::new(config, table, None) {
        Ok(opened) => opened,
        Err(failure) => return vec![Check::failed(&name, &failure, exit_code(failure.code))],
    };
    let memory = match ledger {
        Some(ledger) => ledger.last_accepted(&table.name).await.ok().flatten(),
        None => None,
    };
    let memory = memory.map(|(fingerprint, at, _)| Accepted {
        fingerprint,
        at: crate::status::time(at),
    });
    let mut users: Vec<Option<&str>> = table.users.iter().map(|user| Some(user.as_str())).collect();
    if users.is_empty() {
        users.push(table.user.as_deref());
    }
    let (mut checks, mut is_reached) = (Vec::new(), false);
    for user in users {
        match opened.probe(user, memory.as_ref()).await {
            Ok(report) => {
                checks.extend(reported(&name, &report));
                // They are the same for all of its users.
                if !std::mem::replace(&mut is_reached, true) {
                    checks.extend(choices(&name, &opened).await);
                }
            }
            Err(failure) => {
                checks.push(Check::failed(&name, &failure, exit_code(failure.code)));
                continue;
            }
        }
        if deliver && matches!(opened, Destination::Program(_)) {
            let what = "a command can't take a test notebook back, so it was not run";
            let advice = "run it by hand on a notebook of a test run";
            checks.push(Check::trouble(&name, State::Warning, what, advice));
        } else if deliver {
            checks.push(try_delivery(&name, table, &opened, user, memory.as_ref()).await);
        }
    }
    checks
}

fn reported(name: &str, report: &Report) -> Vec<Check> {
    let mut words = vec![report.version.clone()];
    if !report.user.is_empty() {
        words.push(format!("user {}", report.user));
    }
    words.push(report.server.clone());
    if let Some(end) = &report.token_expires_at {
        words.push(format!("token expires {end}"));
    }
    let mut warnings = Vec::new();
    if let Some(ending) = report.ending(jiff::Timestamp::now()) {
        warnings.push(Check::trouble(name, State::Warning, ending, TOKEN_ENDS));
    }
    let told = report.troubles().chain(&report.remarks);
    warnings.extend(told.map(|one| warned(name, one)));
    let who = Some(report.credential.as_str()).filter(|who| !who.is_empty());
    [Check::ok(name, words.join(", "))]
        .into_iter()
        .chain(who.map(|who| Check::ok(name, who)))
        .chain(warnings)
        .collect()
}

fn warned(name: &str, warning: &Warning) -> Check {
    Check::trouble(name, State::Warning, &warning.what, &warning.advice)
}

/// What there is to choose from, and what is chosen wrongly.
async fn choices(name: &str, destination: &Destination) -> Vec<Check> {
    let choices = destination.choices().await.unwrap_or_default();
    let offered = choices
        .offered
        .into_iter()
        .map(|line| Check::ok(name, line));
    let warnings = choices.warnings.iter().map(|one| warned(name, one));
    offered.chain(warnings).collect()
}

/// Uploads a notebook of its own under a name of its own, and removes it.
async fn try_delivery(
    name: &str,
    table: &checked::Destination,
    destination: &Destination,
    user: Option<&str>,
    memory: Option<&Accepted>,
) -> Check {
    let id = uuid::Uuid::now_v7().to_string();
    match deliver_test(destination, user, memory, &id).await {
        Ok(what) => Check::ok(name, what),
        Err(failure) => {
            let what = format!(
                "test delivery to [destination.{}]: {}",
                table.name, failure.what
            );
            Check::failed(
                name,
                &Failure {
                    what,
                    ..failure.clone()
                },
                exit_code(failure.code),
            )
        }
    }
}

async fn deliver_test(
    destination: &Destination,
    user: Option<&str>,
    memory: Option<&Accepted>,
    id: &str,
) -> Result<String, Failure> {
    const NOTEBOOK: &[u8] =
        b"{\"cells\": [], \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 5}\n";
    let place = destination.open(user, memory).await?;
    let path = place.test_path(id);
    let sha256 = crate::notebook::sha256(NOTEBOOK);
    place
        .place(
            &path,
            &Wanted {
                job: id,
                bytes: NOTEBOOK,
                sha256: &sha256,
                recorded: Some(&path),
                about: None,
            },
        )
        .await?;
    let removed = place.remove(&path).await?;
    let whose = match place.user() {
        "" => "this directory",
        user => user,
    };
    Ok(if removed {
        format!("a test notebook was created and removed again for {whose}")
    } else {
        format!("a test notebook was created for {whose}, and stays: /{path}")
    })
}

/// The exit status that a failure of a destination stands for.
pub(in crate::cli) fn exit_code(code: Code) -> u8 {
    match code {
        Code::CredentialUnreadable
        | Code::CredentialCommandFailed
        | Code::TokenUnknown
        | Code::TokenExpired
        | Code::TokenRefused
        | Code::ClientRefused
        | Code::GrantRefused
        | Code::CredentialInDoubt
        | Code::TokenRequestRefused
        | Code::AudienceRefused
        | Code::KerberosMissing
        | Code::NoTicket
        | Code::TicketExpired
        | Code::NeedOtp
        | Code::NeedWebauthn
        | Code::Consent
        | Code::IdpError
        | Code::NoButton
        | Code::Denied
        | Code::TokenOfTheServer
        | Code::TokenOfOtherUser
        | Code::ScopeMissing
        | Code::LoginNeeded
        | Code::UserUnknown => exit::REFUSED,
        _ => match code.row().class {
            Class::Retry(_) => exit::UNREACHABLE,
            _ => exit::NOT_WELL,
        },
    }
}
