//! A Kerberos ticket in the form in which web servers take it (SPNEGO, RFC 4559), from MIT
//! Kerberos' library.
//!
//! The library is loaded when it is first needed: only who logs in by Kerberos needs it, and
//! nothing of it to build. What stands here of its interface is RFC 2744 and MIT's `gssapi_ext.h`.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null_mut, slice_from_raw_parts};
use std::sync::OnceLock;

use libloading::Library;
use zeroize::Zeroizing;

/// The name that it has had since 2007.
const LIBRARY: &str = "libgssapi_krb5.so.2";

/// Of a status, the bits that say that a call has failed.
const ERRORS: u32 = 0xffff_0000;
/// Only the initiator's side is wanted of a credential.
const INITIATE: c_int = 1;
/// A status of the library itself.
const MAJOR: c_int = 1;
/// A status of the mechanism.
const MINOR: c_int = 2;

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.2.840.113554.1.2.2
const KRB5: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// A service at a host, such as `HTTP@auth.cern.ch`: 1.2.840.113554.1.2.1.4
const OF_SERVICE: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
/// A principal: 1.2.840.113554.1.2.2.1
const OF_PRINCIPAL: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

type Object = *mut c_void;

#[repr(C)]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

#[repr(C)]
struct Oid {
    length: u32,
    elements: *mut c_void,
}

#[repr(C)]
struct OidSet {
    count: usize,
    elements: *mut Oid,
}

#[repr(C)]
struct Pair {
    key: *const c_char,
    value: *const c_char,
}

#[repr(C)]
struct Store {
    count: u32,
    elements: *mut Pair,
}

type Release = unsafe extern "C" fn(*mut u32, *mut Object) -> u32;
type ImportName = unsafe extern "C" fn(*mut u32, *mut Buffer, *mut Oid, *mut Object) -> u32;
type AcquireCredFrom = unsafe extern "C" fn(
    *mut u32,
    Object,
    u32,
    *mut OidSet,
    c_int,
    *const Store,
    *mut Object,
    *mut *mut OidSet,
    *mut u32,
) -> u32;
type SetNegMechs = unsafe extern "C" fn(*mut u32, Object, *const OidSet) -> u32;
type InitSecContext = unsafe extern "C" fn(
    *mut u32,
    Object,
    *mut Object,
    Object,
    *mut Oid,
    u32,
    u32,
    *mut c_void,
    *mut Buffer,
    *mut *mut Oid,
    *mut Buffer,
    *mut u32,
    *mut u32,
) -> u32;
type DeleteSecContext = unsafe extern "C" fn(*mut u32, *mut Object, *mut Buffer) -> u32;
type DisplayStatus =
    unsafe extern "C" fn(*mut u32, u32, c_int, *mut Oid, *mut u32, *mut Buffer) -> u32;
type ReleaseBuffer = unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32;

/// The functions that are used.
struct Api {
    import_name: ImportName,
    release_name: Release,
    acquire_cred_from: AcquireCredFrom,
    set_neg_mechs: SetNegMechs,
    release_cred: Release,
    init_sec_context: InitSecContext,
    delete_sec_context: DeleteSecContext,
    display_status: DisplayStatus,
    release_buffer: ReleaseBuffer,
    /// They are gone with it.
    _library: Library,
}

/// What a ticket is wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Whose it is; `None` is whoever the store is of.
    pub(super) principal: Option<String>,
    /// Where it is had from: MIT's keys `client_keytab` and `ccache`, and their values.
    pub(super) store: Vec<(&'static str, String)>,
    /// The host to whose web server it is shown.
    pub(super) host: String,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The library isn't there, or lacks something.
    Absent(String),
    /// In the library's words.
    Refused(String),
}

/// The ticket as bytes; asks the KDC where need be, and waits for it.
pub(super) fn ticket(wish: &Wish) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let api = api()?;
    let target = api.name(&format!("HTTP@{}", wish.host), OF_SERVICE)?;
    let principal = wish.principal.as_deref();
    let principal = principal
        .map(|name| api.name(name, OF_PRINCIPAL))
        .transpose()?;
    let credential = |mechanism| api.credential(principal.as_ref(), &wish.store, mechanism);
    // Of what Kerberos complains of, SPNEGO only says that there is nothing to negotiate; the
    // ticket for the target is in the cache afterwards.
    api.first_token(&credential(KRB5)?, &target, KRB5)?;
    let credential = credential(SPNEGO)?;
    api.restrict(&credential)?;
    api.first_token(&credential, &target, SPNEGO)
}

/// The library; asked for again as long as it isn't there, since it may be installed meanwhile.
fn api() -> Result<&'static Api, Trouble> {
    static API: OnceLock<Api> = OnceLock::new();
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let api = Api::load().map_err(|error| Trouble::Absent(error.to_string()))?;
    Ok(API.get_or_init(|| api))
}

/// An object of the library, given back when it goes.
struct Held {
    object: Object,
    release: Release,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: it is an object of the library that nothing else refers to, and `release` is
        // the function for its kind.
        unsafe { (self.release)(&raw mut minor, &raw mut self.object) };
    }
}

impl Api {
    fn load() -> Result<Self, libloading::Error> {
        // SAFETY: the system's own library, whose initialisation does nothing but set up its
        // locks; the types of the functions are those of its headers.
        unsafe {
            let library = Library::new(LIBRARY)?;
            Ok(Self {
                import_name: *library.get(b"gss_import_name\0")?,
                release_name: *library.get(b"gss_release_name\0")?,
                acquire_cred_from: *library.get(b"gss_acquire_cred_from\0")?,
                set_neg_mechs: *library.get(b"gss_set_neg_mechs\0")?,
                release_cred: *library.get(b"gss_release_cred\0")?,
                init_sec_context: *library.get(b"gss_init_sec_context\0")?,
                delete_sec_context: *library.get(b"gss_delete_sec_context\0")?,
                display_status: *library.get(b"gss_display_status\0")?,
                release_buffer: *library.get(b"gss_release_buffer\0")?,
                _library: library,
            })
        }
    }

    fn name(&self, text: &str, kind: &'static [u8]) -> Result<Held, Trouble> {
        let (mut minor, mut object) = (0, null_mut());
        let mut text = Buffer {
            length: text.len(),
            value: text.as_ptr().cast_mut().cast(),
        };
        let mut kind = oid(kind);
        // SAFETY: all pointers are to living values; the library copies what it keeps, and
        // changes neither text nor kind.
        let major = unsafe {
            (self.import_name)(
                &raw mut minor,
                &raw mut text,
                &raw mut kind,
                &raw mut object,
            )
        };
        self.judge(major, minor)?;
        Ok(Held {
            object,
            release: self.release_name,
        })
    }

    /// What tickets are had with. The store is of this call only: the process's environment, which
    /// all destinations share, stays as it is.
    fn credential(
        &self,
        principal: Option<&Held>,
        store: &[(&str, String)],
        mechanism: &'static [u8],
    ) -> Result<Held, Trouble> {
        let texts = texts(store)?;
        let mut pairs: Vec<Pair> = texts
            .iter()
            .map(|(key, value)| Pair {
                key: key.as_ptr(),
                value: value.as_ptr(),
            })
            .collect();
        let store = Store {
            count: u32::try_from(pairs.len()).unwrap_or_default(),
            elements: pairs.as_mut_ptr(),
        };
        let (mut minor, mut object) = (0, null_mut());
        let mut mechanism = oid(mechanism);
        let mut wanted = only(&mut mechanism);
        // SAFETY: all pointers are to living values, or null where the interface allows that.
        let major = unsafe {
            (self.acquire_cred_from)(
                &raw mut minor,
                principal.map_or(null_mut(), |principal| principal.object),
                0,
                &raw mut wanted,
                INITIATE,
                &raw const store,
                &raw mut object,
                null_mut(),
                null_mut(),
            )
        };
        self.judge(major, minor)?;
        Ok(Held {
            object,
            release: self.release_cred,
        })
    }

    /// Kerberos and nothing else: another mechanism that is installed may tell a stranger more.
    fn restrict(&self, credential: &Held) -> Result<(), Trouble> {
        let mut minor = 0;
        let mut kerberos = oid(KRB5);
        let wanted = only(&mut kerberos);
        // SAFETY: the credential is one of SPNEGO, and the set lives until the call is over.
        let major =
            unsafe { (self.set_neg_mechs)(&raw mut minor, credential.object, &raw const wanted) };
        self.judge(major, minor)
    }

    /// What is shown to the target. Its answer is not waited for: TLS has told who it is. The
    /// ticket itself is not handed over with it (no delegation).
    fn first_token(
        &self,
        credential: &Held,
        target: &Held,
        mechanism: &'static [u8],
    ) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let (mut minor, mut context) = (0, null_mut());
        let mut mechanism = oid(mechanism);
        let mut token = nothing();
        // SAFETY: all pointers are to living values, or null where the interface allows that.
        let major = unsafe {
            (self.init_sec_context)(
                &raw mut minor,
                credential.object,
                &raw mut context,
                target.object,
                &raw mut mechanism,
                0,
                0,
                null_mut(),
                null_mut(),
                null_mut(),
                &raw mut token,
                null_mut(),
                null_mut(),
            )
        };
        let told = self.judge(major, minor);
        let bytes = self.taken(token);
        let mut minor = 0;
        // SAFETY: nothing else refers to the context; a null one is allowed.
        unsafe { (self.delete_sec_context)(&raw mut minor, &raw mut context, null_mut()) };
        told?;
        match bytes.is_empty() {
            true => Err(Trouble::Refused("the ticket is empty".into())),
            false => Ok(bytes),
        }
    }

    fn judge(&self, major: u32, minor: u32) -> Result<(), Trouble> {
        if major & ERRORS == 0 {
            return Ok(());
        }
        let general = self.words(major, MAJOR);
        let exact = self.words(minor, MINOR);
        let is_vague = exact.is_empty() || exact == "Success" || exact.starts_with("Unknown");
        Err(Trouble::Refused(if is_vague { general } else { exact }))
    }

    /// A status in words; of the same thread's last call, or else they may be another's.
    fn words(&self, status: u32, kind: c_int) -> String {
        let (mut minor, mut more) = (0, 0);
        let mut spnego = oid(SPNEGO);
        let mut texts = Vec::new();
        // It has never been more than two.
        for _ in 0..8 {
            let mut text = nothing();
            // SAFETY: all pointers are to living values.
            let major = unsafe {
                (self.display_status)(
                    &raw mut minor,
                    status,
                    kind,
                    &raw mut spnego,
                    &raw mut more,
                    &raw mut text,
                )
            };
            let bytes = self.taken(text);
            let text = String::from_utf8_lossy(&bytes);
            texts.push(text.trim_end_matches('\0').trim().to_owned());
            if major & ERRORS != 0 || more == 0 {
                break;
            }
        }
        texts.join("; ")
    }

    /// The bytes of a buffer that the library has filled, which is given back.
    fn taken(&self, mut buffer: Buffer) -> Zeroizing<Vec<u8>> {
        if buffer.value.is_null() {
            return Zeroizing::default();
        }
        let bytes = slice_from_raw_parts(buffer.value.cast::<u8>(), buffer.length);
        // SAFETY: the library has filled so many bytes there, and frees them by the second call.
        let bytes = unsafe { &*bytes }.to_vec();
        let mut minor = 0;
        // SAFETY: as above; the bytes were copied.
        unsafe { (self.release_buffer)(&raw mut minor, &raw mut buffer) };
        Zeroizing::new(bytes)
    }
}

fn texts(store: &[(&str, String)]) -> Result<Vec<(CString, CString)>, Trouble> {
    let text = |text: &str| {
        let refused = |_| Trouble::Refused("its name has a zero byte".into());
        CString::new(text).map_err(refused)
    };
    let pairs = store
        .iter()
        .map(|(key, value)| Ok((text(key)?, text(value)?)));
    pairs.collect()
}

fn oid(bytes: &'static [u8]) -> Oid {
    Oid {
        length: u32::try_from(bytes.len()).unwrap_or_default(),
        elements: bytes.as_ptr().cast_mut().cast(),
    }
}

fn only(mechanism: &mut Oid) -> OidSet {
    OidSet {
        count: 1,
        elements: mechanism,
    }
}

fn nothing() -> Buffer {
    Buffer {
        length: 0,
        value: null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_not_there_gives_no_ticket_and_a_reason() {
        let wish = Wish {
            principal: None,
            store: vec![("ccache", "FILE:/nowhere/nbcourier-ticket".into())],
            host: "localhost".into(),
        };
        match ticket(&wish) {
            Err(Trouble::Refused(words)) => {
                assert_eq!(words, "No credentials cache found");
            }
            // Without the library there is nothing else to show.
            Err(Trouble::Absent(words)) => assert!(words.contains(LIBRARY), "{words}"),
            Ok(_) => panic!("a ticket from nowhere"),
        }
    }

    #[test]
    fn a_store_whose_name_has_a_zero_byte_is_refused() {
        let refused = texts(&[("ccache", "FILE:a\0b".into())]);
        assert!(matches!(refused, Err(Trouble::Refused(_))));
    }
}
