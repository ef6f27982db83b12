//! What went wrong, where, and what to do: the one table of failure codes.
//!
//! Code that talks to the outside reports a [`Failure`] with a [`Code`]; it never decides what
//! follows. The table says for each code whether to try again or to hold, for whom, how a hold is
//! probed, and what a person is told. [`crate::job::advance`] reads it. Pure: no IO, no clock.

use std::time::Duration;

use crate::redact::cleaned;

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The world will heal; the job is tried again at this pace.
    Retry(Pace),
    /// A person must act; this probe tells when they have.
    Hold(Probe),
    /// This job can never succeed unchanged.
    GiveUp,
}

impl Class {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::Hold(_) => "hold",
            Self::GiveUp => "give-up",
        }
    }
}

/// How fast a retried job comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// About a second: the state is known and the next step mends it.
    Soon,
    /// `[retry] first` doubling to `[retry] longest`; the age of the job counts.
    Ordinary,
    /// As `Ordinary`, but an outage of theirs: the time does not count towards giving up.
    Outage,
    /// A hub that throttles without saying for how long: minutes. An outage too.
    Throttled,
    /// Starting the server failed: 30 s doubling to 10 min, since a hub may exit after a few.
    Spawn,
    /// Nbcourier itself must not go on yet: as long as the failure says. The time does not count
    /// towards giving up, and nothing is wrong with the destination.
    Told,
}

impl Pace {
    /// Whether waiting at this pace is excused from the age at which a job is given up.
    #[must_use]
    pub fn is_excused(self) -> bool {
        matches!(self, Self::Outage | Self::Throttled | Self::Told)
    }
}

/// How it is found out that the cause of a hold is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Ask the destination, as `check` does.
    Destination,
    /// Read the template again.
    Template,
    /// Let one of the held jobs try.
    Try,
    /// Only a changed template can help, or `nbcourier retry`.
    Changed,
    /// Only a changed configuration (reload or restart) or `nbcourier retry` can help.
    Restart,
    /// Only a person can tell: `nbcourier retry`.
    Person,
}

/// Whom a failure concerns beside its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The job alone.
    Job,
    /// All jobs for this user at this destination.
    User,
    /// All jobs for this destination.
    Destination,
    /// All jobs of this notebook table.
    Notebook,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The stable name of the failure, as in JSON, log and page.
    pub name: &'static str,
    /// What follows.
    pub class: Class,
    /// Whom it concerns.
    pub scope: Scope,
    /// What a person should do; empty where there is nothing to do.
    pub advice: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:expr, $scope:ident, $advice:literal;)*) => {
        /// Every failure that a job or a destination can meet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $name] $variant,)* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The line of the table.
            #[must_use]
            pub fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row { name: $name, class: $class, scope: Scope::$scope, advice: $advice },)*
                }
            }
        }
    };
}

use Class::{GiveUp, Hold, Retry};

codes! {
    // Outages: nothing to do for a person until they last.
    HubUnreachable "hub-unreachable" Retry(Pace::Outage), Destination, "nothing yet; if it lasts, see whether the URL opens in a browser on this machine, and whether a firewall or proxy lies between";
    HubDown "hub-down" Retry(Pace::Outage), Destination, "nothing yet; the hub is down or restarting, and nbcourier goes on when it is back";
    HubBusy "hub-busy" Retry(Pace::Throttled), User, "nothing; the hub is throttling and nbcourier waits as told";
    ServerUnreachable "server-unreachable" Retry(Pace::Outage), User, "nothing yet; if it lasts, restart the user's server in the browser";
    NoRoute "no-route" Retry(Pace::Outage), User, "if it lasts more than 6 minutes tell the hub's administrator: the hub says that the server is ready but its proxy has no route to it";
    MachineUnavailable "machine-unavailable" Retry(Pace::Outage), Destination, "nothing; nbcourier goes on when the machine is available again (https://www.nersc.gov/live-status/motd/)";
    ServerNotRunning "server-not-running" Retry(Pace::Outage), User, "start the server in the browser; or set `spawn = true`, then `nbcourier reload`";
    TokenEndpointDown "token-endpoint-down" Retry(Pace::Outage), Destination, "nothing yet; the service that issues tokens is down, restarting or throttling";
    CredentialCommandFailed "credential-command-failed" Retry(Pace::Outage), Destination, "run the command of `auth.command` by hand, as the service's user and with little more than PATH and HOME, and see what it says";
    KdcUnreachable "kdc-unreachable" Retry(Pace::Outage), Destination, "nothing yet; if it lasts, see whether `kinit` works on this machine, and what /etc/krb5.conf says of the realm";
    CommandUnavailable "command-unavailable" Retry(Pace::Outage), Destination, "nothing yet; the command says that what it delivers to is down or busy";
    // Retried.
    ServerStopped "server-stopped" Retry(Pace::Soon), Job, "nothing; the server is started again";
    AnswerLost "answer-lost" Retry(Pace::Soon), Job, "nothing; nbcourier looks whether the notebook arrived";
    DirectoryVanished "directory-vanished" Retry(Pace::Soon), Job, "nothing; the directory is made again";
    NameTaken "name-taken" Retry(Pace::Soon), Job, "nothing; the next free number is taken";
    HubError "hub-error" Retry(Pace::Ordinary), Job, "nothing yet; if it lasts, give the message to the hub's administrator";
    SpawnFailed "spawn-failed" Retry(Pace::Spawn), User, "start the server in the browser and see what the hub says there; if the options are meant, compare `spawn_options` with the hub's own start page";
    SpawnTimeout "spawn-timeout" Retry(Pace::Spawn), User, "start the server in the browser and see how long it takes: if the site is slow, raise `spawn_timeout`, then `nbcourier reload`; else tell the hub's administrator";
    SpawnLimited "spawn-limited" Retry(Pace::Told), User, "nothing; servers are started at a bounded rate, and nbcourier waits as told";
    CommandFailed "command-failed" Retry(Pace::Ordinary), Job, "nothing yet; if it lasts, see what the command says: run it by hand as the service's user";
    LedgerUnwritable "ledger-unwritable" Retry(Pace::Outage), Job, "free space on the disk of the state directory, or restore its permissions; nothing is lost";
    LeaseLost "lease-lost" Retry(Pace::Soon), Job, "nothing; another machine goes on with it";
    Internal "internal" Retry(Pace::Ordinary), Job, "please report it, with `journalctl -u nbcourier` of that time; nbcourier tries again by itself";
    // The destination needs a person.
    CredentialUnreadable "credential-unreadable" Hold(Probe::Destination), Destination, "put the token where the configuration says, readable by the service only";
    TokenUnknown "token-unknown" Hold(Probe::Destination), Destination, "make a token at HUB/hub/token and put it where the configuration says; no restart is needed";
    TokenExpired "token-expired" Hold(Probe::Destination), Destination, "make a new token at HUB/hub/token and replace the old one; no restart is needed";
    ClientRefused "client-refused" Hold(Probe::Destination), Destination, "see whether the client has expired or was disabled, whether this machine's address is among those it may come from, and whether `client_id` and its secret or key belong together; a new secret or key needs no restart";
    GrantRefused "grant-refused" Hold(Probe::Destination), Destination, "get a new refresh token (`nbcourier init --login DESTINATION`, or into the file that the configuration names), or have the client's right to tokens restored; no restart is needed";
    CredentialInDoubt "credential-in-doubt" Hold(Probe::Destination), Destination, "get a new refresh token: `nbcourier init --login DESTINATION`, or put one into the file that the configuration names; no restart is needed";
    TokenRequestRefused "token-request-refused" Hold(Probe::Destination), Destination, "correct `auth.oauth` of the destination, then `nbcourier reload`";
    AudienceRefused "audience-refused" Hold(Probe::Destination), Destination, "correct `audience` (the client id of the service that the token is for), then `nbcourier reload`; or ask its owner to permit this client";
    TokenRefused "token-refused" Hold(Probe::Destination), Destination, "see whether `audience` and `scope` name this service, and whether it knows the account that the token is of; after a correction `nbcourier reload`";
    KerberosMissing "kerberos-missing" Hold(Probe::Destination), Destination, "install it: libgssapi-krb5-2 (Debian, Ubuntu) or krb5-libs (AlmaLinux, Red Hat); no restart is needed";
    NoTicket "no-ticket" Hold(Probe::Destination), Destination, "see `klist -k FILE` for what a keytab holds, `klist FILE` for a cache, as the service's user; a new one needs no restart";
    TicketExpired "ticket-expired" Hold(Probe::Destination), Destination, "renew it (`kinit`, or `k5start` for good), or use a keytab, with which tickets are had as needed; no restart is needed";
    NeedOtp "need-otp" Hold(Probe::Destination), Destination, "an unattended login can't give a one-time code: use an account without a second factor (at CERN a service account), or the person's own hub token in `auth.token`; then `nbcourier retry --held`";
    NeedWebauthn "need-webauthn" Hold(Probe::Destination), Destination, "an unattended login can't touch a security key: use an account without a second factor (at CERN a service account), or the person's own hub token in `auth.token`; then `nbcourier retry --held`";
    Consent "consent" Hold(Probe::Destination), Destination, "log in to the hub once in a browser as that account and agree to what is asked; then `nbcourier retry --held`";
    IdpError "idp-error" Hold(Probe::Destination), Destination, "log in to the hub in a browser as that account and see what the sign-on says; nbcourier tries again by itself";
    NoButton "no-button" Hold(Probe::Destination), Destination, "see whether the hub's sign-on offers Kerberos in a browser; if not, use `auth.token` or `auth.command`, then `nbcourier reload`";
    Denied "denied" Hold(Probe::Destination), Destination, "ask the hub's administrator to let that account in, or use another one; then `nbcourier retry --held`";
    TokenOfTheServer "token-of-the-server" Hold(Probe::Destination), Destination, "make a token at HUB/hub/token; the token of a single server can't start it and is gone when it stops";
    TokenOfOtherUser "token-of-other-user" Hold(Probe::Destination), User, "put a token of the user for whom the notebooks are in its place, or a service token whose scopes cover them; no restart is needed";
    ScopeMissing "scope-missing" Hold(Probe::Destination), User, "make a token with that scope and put it in the place of the old one; no restart is needed";
    UserUnknown "user-unknown" Hold(Probe::Destination), User, "let the user log in to the hub once; if they have, the token's scopes must cover them";
    LoginNeeded "login-needed" Hold(Probe::Try), User, "let the user log in to the hub once in a browser; delivery goes on by itself";
    NotAHub "not-a-hub" Hold(Probe::Destination), Destination, "correct `hub` (the address without `/hub`), or use `server` for a plain Jupyter Server; then `nbcourier reload`";
    NotAServer "not-a-server" Hold(Probe::Destination), Destination, "correct `server`, or use `hub` for a JupyterHub; then `nbcourier reload`";
    PageInsteadOfApi "page-instead-of-api" Hold(Probe::Destination), Destination, "a web page (login, proxy) answered in place of the API: correct the address, then `nbcourier reload`; or ask for a route without single sign-on for tokens";
    NotASuperfacility "not-a-superfacility" Hold(Probe::Destination), Destination, "correct `superfacility` (https://api.nersc.gov/api/v1.2) and `machine` (such as perlmutter), then `nbcourier reload`";
    TlsUntrusted "tls-untrusted" Hold(Probe::Destination), Destination, "set `ca_file` to the site's certificate authority, then `nbcourier reload`; or have the certificate mended";
    SpawnRefused "spawn-refused" Hold(Probe::Try), User, "correct `server_name` or `spawn_options` as the hub's message says, then `nbcourier reload`";
    StorageFull "storage-full" Hold(Probe::Try), User, "free space, or have the quota raised, where the notebook goes; delivery goes on by itself";
    NotWritable "not-writable" Hold(Probe::Try), User, "give the right to write there; or set another `directory`, then `nbcourier reload`";
    DirectoryMissing "directory-missing" Hold(Probe::Try), Job, "make the directory; delivery goes on by itself";
    CommandMissing "command-missing" Hold(Probe::Destination), Destination, "install the program, and let the service's user execute it; delivery goes on by itself";
    CommandRefused "command-refused" Hold(Probe::Try), Destination, "correct what the command complains of; delivery goes on by itself";
    UserRefused "user-refused" Hold(Probe::Restart), Job, "add the user to `users` of the destination, then `nbcourier reload`; or `nbcourier skip` the run";
    // The job or its notebook needs a person.
    TemplateInvalid "template-invalid" Hold(Probe::Template), Notebook, "mend the template; delivery goes on by itself";
    TemplateUnusable "template-unusable" Hold(Probe::Try), Job, "add or mend the template for this run's parameters; delivery goes on by itself";
    TemplateNotThere "template-not-there" Hold(Probe::Try), User, "put the template there in Jupyter, or mend it; delivery goes on by itself";
    WhenInvalid "when-invalid" Hold(Probe::Restart), Job, "correct `when`, then `nbcourier reload`; or `nbcourier skip` the run";
    ParameterUnknown "parameter-unknown" Hold(Probe::Try), Job, "declare it in the template's `parameters` cell, and delivery goes on by itself; or set `unknown_parameters`, then `nbcourier reload`";
    ParameterMissing "parameter-missing" Hold(Probe::Restart), Job, "correct the placeholder: in the configuration, then `nbcourier reload`, or in the template, then `nbcourier retry --held`; or deliver by hand with `nbcourier submit PATH -p NAME VALUE`";
    ParameterInvalid "parameter-invalid" Hold(Probe::Restart), Job, "rename the parameter or correct its value at its source, then `nbcourier retry` the run";
    NameUnusable "name-unusable" Hold(Probe::Restart), Job, "set another `name` or `directory` (at most 200 bytes for each name), then `nbcourier reload`";
    DestinationRemoved "destination-removed" Hold(Probe::Restart), Destination, "put the table back into the configuration, then `nbcourier reload`; or `nbcourier skip --held` what waits for it";
    NotebookRemoved "notebook-removed" Hold(Probe::Restart), Notebook, "put the table back into the configuration, then `nbcourier reload`; or `nbcourier skip --held` what waits for it";
    MassChange "mass-change" Hold(Probe::Person), Job, "see `nbcourier runs --state held`: `nbcourier retry --held` delivers them, `nbcourier skip RUN` never does";
    Poison "poison" Hold(Probe::Changed), Job, "report it, with `journalctl -u nbcourier` and the template; a changed template is tried again by itself, `nbcourier retry` tries this one once more";
    // Never.
    NotWanted "not-wanted" GiveUp, Job, "nothing, if `when` is meant so; else correct it, then `nbcourier reload` and `nbcourier retry` the run";
    NotebookTooLarge "notebook-too-large" GiveUp, Job, "clear the outputs of the template or make it smaller, or raise `max_bytes` as far as the service allows and `nbcourier reload`; then `nbcourier retry` the run";
    NotebookRejected "notebook-rejected" GiveUp, Job, "clear the outputs of the template if it is too large, else correct it as the message says; then `nbcourier retry --fresh` the run";
}

impl Code {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The code of that name, for reading the ledger.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// A failure of this code. Should `what` hold a secret, somebody has sent it back: it is taken
    /// out.
    pub fn failure(self, what: impl Into<String>) -> Failure {
        Failure {
            code: self,
            what: cleaned(&what.into()).into_owned(),
            retry_after: None,
            advice: None,
        }
    }
}

/// One failure: what happened and where, in words that may be shown; never a secret, never a
/// whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which line of the table.
    pub code: Code,
    /// What happened, where.
    pub what: String,
    /// The other side's wish not to be asked before.
    pub retry_after: Option<Duration>,
    /// Advice more exact than the table's.
    pub advice: Option<String>,
}

impl Failure {
    /// What a person should do.
    #[must_use]
    pub fn advice(&self) -> &str {
        self.advice.as_deref().unwrap_or(self.code.row().advice)
    }

    /// The same with more exact advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(cleaned(&advice.into()).into_owned());
        self
    }

    /// The same with the other side's `Retry-After`.
    #[must_use]
    pub fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.code.as_str())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_advice() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.as_str()), Some(*code));
            assert!(!code.row().advice.is_empty(), "{code:?}");
        }
    }
}
