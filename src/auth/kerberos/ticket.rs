//! Where tickets come from, and what it means that there is none.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::gssapi::{Trouble, Wish, ticket};
use crate::auth::SET_CLOCK;
use crate::auth::engine::Version;
use crate::config::checked::{Kerberos, Tickets};
use crate::config::secret::{Secret, SecretRef};
use crate::failure::{Code, Failure};

/// Of the library's words, those for a KDC that could not be asked.
const UNREACHABLE: [&str; 5] = [
    "Cannot contact any KDC",
    "Cannot find KDC",
    "Cannot resolve network address for KDC",
    "Resource temporarily unavailable",
    "Connection timed out",
];

/// Words that say that something has expired which is no ticket.
const NO_TICKETS: [&str; 2] = ["entry in database has expired", "assword has expired"];

/// What to do about a key that is no longer the account's.
const NEW_KEY: &str = "the account has another key by now: make a new keytab (at CERN by `cern-get-keytab`); no restart is needed";

/// Words whose cause is known, and what to do.
const ADVICE: [(&str, &str); 5] = [
    ("Clock skew", SET_CLOCK),
    // With and without preauthentication.
    ("reauthentication failed", NEW_KEY),
    ("ecrypt integrity check failed", NEW_KEY),
    (
        "erver not found in Kerberos database",
        "set `rdns = false` and `dns_canonicalize_hostname = false` in /etc/krb5.conf: the sign-on's host is known to Kerberos by the name in its address only",
    ),
    (
        "lient not found in Kerberos database",
        "correct `principal`, or make a new keytab: there is no such account",
    ),
];

/// What to do about a cache that `kinit` has put where it always does.
const HIDDEN: &str = "the service has a /tmp of its own: let the cache be elsewhere (`kinit -c FILE`, `k5start -k FILE`), where its user can read it";

/// Where the tickets of a destination come from.
pub(super) struct Drawer {
    principal: Option<String>,
    tickets: Tickets,
    destination: String,
    /// How long the KDC may take.
    patience: Duration,
}

impl Drawer {
    pub(super) fn new(kerberos: &Kerberos, destination: &str, patience: Duration) -> Self {
        Self {
            principal: kerberos.principal.clone(),
            tickets: kerberos.tickets.clone(),
            destination: destination.to_owned(),
            patience,
        }
    }

    /// In words.
    pub(super) fn origin(&self) -> String {
        let place = match &self.tickets {
            Tickets::Keytab(SecretRef::File(path)) => format!("the keytab {}", path.display()),
            Tickets::Keytab(file) => format!("the keytab in {file}"),
            Tickets::Cache(cache) => format!("the ticket cache {cache}"),
        };
        match &self.principal {
            Some(principal) => format!("{principal}, from {place}"),
            None => place,
        }
    }

    /// What could be better about the place of the keys.
    pub(super) fn remark(&self) -> Option<String> {
        match &self.tickets {
            Tickets::Keytab(file) => file.remark(),
            Tickets::Cache(_) => None,
        }
    }

    /// A ticket as it is shown to the web server of this host.
    pub(super) async fn ticket(&self, host: &str) -> Result<Secret, Failure> {
        let wish = Wish {
            principal: self.principal.clone(),
            store: self.store()?,
            host: host.to_owned(),
        };
        let task = tokio::task::spawn_blocking(move || ticket(&wish));
        let trouble = match tokio::time::timeout(self.patience, task).await {
            Ok(Ok(Ok(bytes))) => return Ok(shown(&bytes)),
            Ok(Ok(Err(trouble))) => trouble,
            Ok(Err(error)) => return Err(Code::Internal.failure(error.to_string())),
            Err(_) => Trouble::Refused("Cannot contact any KDC in time".into()),
        };
        Err(self.failure(trouble))
    }

    fn store(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let file = match &self.tickets {
            Tickets::Cache(cache) => return Ok(vec![("ccache", cache.clone())]),
            Tickets::Keytab(file) => file,
        };
        let path = readable(file)?;
        // Tickets are kept in memory, apart from others': so each start asks the KDC once, and a
        // new keytab does.
        let version = file.version().unwrap_or((UNIX_EPOCH, 0));
        let age = version.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let cache = format!(
            "MEMORY:nbcourier-{}-{}-{}",
            self.destination,
            age.as_nanos(),
            version.1
        );
        let keytab = format!("FILE:{}", path.display());
        Ok(vec![("client_keytab", keytab), ("ccache", cache)])
    }

    /// Whether the service, as its unit starts it, sees another directory of that name.
    fn is_hidden(&self) -> bool {
        matches!(&self.tickets, Tickets::Cache(cache) if cache.starts_with("FILE:/tmp/"))
    }

    fn failure(&self, trouble: Trouble) -> Failure {
        let words = match trouble {
            Trouble::Absent(why) => {
                let what = format!("the library of MIT Kerberos can't be loaded: {why}");
                return Code::KerberosMissing.failure(what);
            }
            Trouble::Refused(words) => words,
        };
        let what = format!("there is no Kerberos ticket of {}: {words}", self.origin());
        let failure = code(&words).failure(what);
        match ADVICE.iter().find(|(part, _)| words.contains(part)) {
            Some((_, advice)) => failure.advise(*advice),
            None if self.is_hidden() => failure.advise(HIDDEN),
            None => failure,
        }
    }
}

/// When and how large a keytab, or a cache that is a file, is.
pub(super) fn version(tickets: &Tickets) -> Version {
    match tickets {
        Tickets::Keytab(file) => file.version(),
        Tickets::Cache(cache) => {
            let facts = std::fs::metadata(cache.strip_prefix("FILE:")?).ok()?;
            Some((facts.modified().ok()?, facts.len()))
        }
    }
}

/// The library says of a keytab that it can't open only that there is none.
fn readable(keytab: &SecretRef) -> Result<PathBuf, Failure> {
    let Some(path) = keytab.path() else {
        return Err(keytab.unreadable("there is no readable file of that name"));
    };
    match File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(keytab.unreadable(&error.to_string())),
    }
}

fn shown(bytes: &[u8]) -> Secret {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    Secret::new(text.as_str().to_owned())
}

fn code(words: &str) -> Code {
    let has = |part: &&str| words.contains(*part);
    match () {
        () if words.contains("expired") && !NO_TICKETS.iter().any(has) => Code::TicketExpired,
        () if UNREACHABLE.iter().any(has) => Code::KdcUnreachable,
        () => Code::NoTicket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::assert_told;

    fn drawer(tickets: Tickets) -> Drawer {
        let kerberos = Kerberos {
            principal: Some("daq@CERN.CH".into()),
            tickets,
            login_url: None,
            mint: Duration::from_secs(1),
        };
        Drawer::new(&kerberos, "swan", Duration::from_secs(5))
    }

    #[test]
    fn the_librarys_words_are_told_apart() {
        let table = [
            ("Ticket expired", Code::TicketExpired, "k5start"),
            (
                "The referenced credential has expired",
                Code::TicketExpired,
                "kinit",
            ),
            (
                "Client's entry in database has expired",
                Code::NoTicket,
                "klist",
            ),
            ("Password has expired", Code::NoTicket, "klist"),
            (
                "No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)",
                Code::NoTicket,
                "klist",
            ),
            (
                "Preauthentication failed",
                Code::NoTicket,
                "cern-get-keytab",
            ),
            ("Clock skew too great", Code::NoTicket, "NTP"),
            (
                "Decrypt integrity check failed",
                Code::NoTicket,
                "cern-get-keytab",
            ),
            (
                "Server not found in Kerberos database",
                Code::NoTicket,
                "rdns = false",
            ),
            (
                "Cannot contact any KDC for realm 'CERN.CH'",
                Code::KdcUnreachable,
                "nothing yet",
            ),
        ];
        let mut met = Vec::new();
        for (words, code, advice) in table {
            let cache = Tickets::Cache("KCM:".into());
            let failure = drawer(cache).failure(Trouble::Refused(words.into()));
            assert_eq!(failure.code, code, "{words}");
            assert!(
                failure.advice().contains(advice),
                "{words}: {}",
                failure.advice()
            );
            let what = format!(
                "there is no Kerberos ticket of daq@CERN.CH, from the ticket cache KCM:: {words}"
            );
            assert_eq!(failure.what, what);
            met.push((words.to_owned(), failure));
        }
        let usual = drawer(Tickets::Cache("FILE:/tmp/krb5cc_1000".into()));
        let failure = usual.failure(Trouble::Refused("No credentials cache found".into()));
        assert!(failure.advice().contains("/tmp of its own"), "{failure}");
        met.push(("a cache in /tmp".into(), failure));
        let absent = Trouble::Absent("no such file".into());
        let failure = drawer(Tickets::Cache("KCM:".into())).failure(absent);
        assert_eq!(failure.code, Code::KerberosMissing);
        met.push(("no library".into(), failure));
        assert_told("kerberos", met);
    }

    #[test]
    fn another_keytab_gets_a_cache_of_its_own_and_one_that_is_not_there_is_told() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("daq.keytab");
        let drawer = drawer(Tickets::Keytab(SecretRef::File(path.clone())));
        let failure = drawer.store().expect_err("no keytab");
        assert_eq!(failure.code, Code::CredentialUnreadable);
        std::fs::write(&path, "a").expect("write");
        let first = drawer.store().expect("a store");
        assert_eq!(
            first[0],
            ("client_keytab", format!("FILE:{}", path.display()))
        );
        assert!(
            first[1].1.starts_with("MEMORY:nbcourier-swan-"),
            "{first:?}"
        );
        assert_eq!(drawer.store().expect("a store"), first);
        std::fs::write(&path, "ab").expect("write");
        assert_ne!(drawer.store().expect("a store"), first);
    }

    #[test]
    fn only_a_cache_in_a_file_has_a_version() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ticket");
        let of_file = Tickets::Cache(format!("FILE:{}", path.display()));
        assert_eq!(version(&of_file), None);
        std::fs::write(&path, "a").expect("write");
        assert!(version(&of_file).is_some());
        assert_eq!(version(&Tickets::Cache("KCM:1000".into())), None);
    }
}
