//! Which certificates are trusted, and what a person can do about one that is not.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::failure::{Code, Failure};

/// The SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` tells it.
pub type Pin = [u8; 32];

/// Whom a client trusts.
#[derive(Debug)]
enum Trust {
    /// This one certificate, whoever signed it and whatever it says.
    Pinned(Pin),
    /// What these authorities have signed.
    Known(Arc<WebPkiServerVerifier>),
    /// Nobody: no authority is known.
    Nobody,
}

/// How a client speaks TLS: it trusts the system's authorities and those in `ca_file`, or `pin` and
/// nothing else.
///
/// # Errors
/// `tls-untrusted` if `ca_file` can't be read, or holds no certificate.
pub(super) fn config(ca_file: Option<&Path>, pin: Option<Pin>) -> Result<ClientConfig, Failure> {
    let trust = match pin {
        Some(pin) => Trust::Pinned(pin),
        None => known(roots(ca_file)?)?,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier {
        trust,
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Code::Internal.failure(error.to_string()))?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn known(roots: RootCertStore) -> Result<Trust, Failure> {
    if roots.is_empty() {
        return Ok(Trust::Nobody);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build();
    Ok(Trust::Known(verifier.map_err(|error| {
        Code::TlsUntrusted.failure(error.to_string())
    })?))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    // They are read once: that takes longer than a delivery.
    static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();
    let system = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    };
    let mut roots = SYSTEM.get_or_init(system).clone();
    if let Some(file) = ca_file {
        let wrong =
            |why: &str| Code::TlsUntrusted.failure(format!("`ca_file` {}: {why}", file.display()));
        let pem = std::fs::read(file).map_err(|error| wrong(&error.to_string()))?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate.map(|certificate| roots.add(certificate));
            let added = added.map_err(|error| wrong(&error.to_string()))?;
            added.map_err(|error| wrong(&error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            let advice = "it begins with -----BEGIN CERTIFICATE-----; make that of a binary one by: openssl x509 -inform der";
            return Err(wrong("there is no certificate in it").advise(advice));
        }
    }
    Ok(roots)
}

/// Checks certificates as usual, and says which one it refused.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let sha256: Pin = Sha256::digest(certificate).into();
        let cause = match &self.trust {
            Trust::Pinned(pin) if *pin == sha256 => return Ok(ServerCertVerified::assertion()),
            Trust::Pinned(_) => Cause::OtherThanPinned,
            Trust::Nobody => Cause::Nobody,
            Trust::Known(known) => {
                match known.verify_server_cert(certificate, others, name, ocsp, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => Cause::of(&error),
                }
            }
        };
        let distrust = Arc::new(Distrust { cause, sha256 });
        Err(CertificateError::Other(OtherError(distrust)).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Why a certificate was refused.
#[derive(Debug)]
enum Cause {
    OtherThanPinned,
    Nobody,
    /// An authority's own, in a server's place: what `openssl req -x509` makes.
    Authority,
    UnknownIssuer,
    /// Over, or not yet begun.
    Time(String),
    Other(String),
}

impl Cause {
    fn of(error: &rustls::Error) -> Self {
        let words = error.to_string();
        let words = words
            .strip_prefix("invalid peer certificate: ")
            .unwrap_or(&words)
            .to_owned();
        match error {
            _ if words.contains("CaUsedAsEndEntity") => Self::Authority,
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                Self::UnknownIssuer
            }
            _ if words.contains("expired") || words.contains("not valid yet") => Self::Time(words),
            _ => Self::Other(words),
        }
    }
}

/// A certificate that was refused.
#[derive(Debug)]
pub(super) struct Distrust {
    cause: Cause,
    sha256: Pin,
}

impl std::fmt::Display for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cause {
            Cause::OtherThanPinned => write!(
                f,
                "it is another one than `pin_sha256` says; its own SHA-256 is {}",
                shown(&self.sha256)
            ),
            Cause::Nobody => f.write_str("no authority is known: the system has none"),
            Cause::Authority => {
                f.write_str("it is self-signed, and made for an authority (CaUsedAsEndEntity)")
            }
            Cause::UnknownIssuer => f.write_str("nobody known has signed it (UnknownIssuer)"),
            Cause::Time(words) | Cause::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Distrust {}

impl Distrust {
    /// What a person should do.
    fn advice(&self) -> Option<String> {
        let pin = format!("pin_sha256 = \"{}\"", shown(&self.sha256));
        let compare = "if `openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE` on the hub's own machine says the same";
        match self.cause {
            Cause::OtherThanPinned => Some(format!(
                "if it was renewed, set {pin}, {compare}, then `nbcourier reload`; else somebody stands in between"
            )),
            Cause::Nobody => Some(
                "install the package ca-certificates, or set `ca_file` to the site's certificate authority; then `nbcourier reload`".into(),
            ),
            Cause::Authority => Some(format!("set {pin}, {compare}; then `nbcourier reload`")),
            Cause::UnknownIssuer => Some(format!(
                "set `ca_file` to the site's certificate authority; for a self-signed one set {pin}, {compare}; then `nbcourier reload`"
            )),
            Cause::Time(_) => Some(
                "have the certificate renewed; or is this machine's clock wrong?".into(),
            ),
            Cause::Other(_) => None,
        }
    }

    /// The failure that it stands for.
    pub(super) fn failure(&self, url: &str) -> Failure {
        let what = format!("the certificate of {url} is not trusted: {self}");
        let failure = Code::TlsUntrusted.failure(what);
        match self.advice() {
            Some(advice) => failure.advise(advice),
            None => failure,
        }
    }

    /// The refused certificate behind an error, if that is what it comes from.
    pub(super) fn behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            let inner = error.downcast_ref::<std::io::Error>();
            let inner = inner.and_then(std::io::Error::get_ref);
            let tls = match inner {
                Some(inner) => inner.downcast_ref::<rustls::Error>(),
                None => error.downcast_ref::<rustls::Error>(),
            };
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = tls {
                return other.0.downcast_ref::<Self>();
            }
            // An error within an error of the same kind is no source of it.
            next = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}

/// As `openssl` prints it.
fn shown(pin: &Pin) -> String {
    let bytes: Vec<String> = pin.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::assert_told;

    #[test]
    fn every_distrust_says_what_would_end_it() {
        let causes = [
            Cause::OtherThanPinned,
            Cause::Nobody,
            Cause::Authority,
            Cause::UnknownIssuer,
            Cause::Time("certificate expired".into()),
            Cause::Other("certificate not valid for name".into()),
        ];
        let told = causes.map(|cause| {
            let met = format!("{cause:?}");
            let sha256 = [7; 32];
            (
                met,
                Distrust { cause, sha256 }.failure("https://hub.example/"),
            )
        });
        assert_told("certificates", told);
    }
}
