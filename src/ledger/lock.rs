//! One daemon for one state directory.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock, statfs};

use super::LedgerError;

/// Network and user-space file systems, on which `SQLite`'s write-ahead log is not safe
/// (`f_type` of statfs(2), linux/magic.h).
const UNSAFE: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x6573_5546, "FUSE"),
];

/// Held as long as the daemon lives; the kernel frees it however the daemon ends.
#[derive(Debug)]
pub struct StateLock(#[expect(dead_code, reason = "closing the file frees the lock")] File);

impl StateLock {
    /// Makes the state directory where it is missing, closes it to others and locks it.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] if another daemon holds it, naming its pid, or if it lies on a
    /// network file system; [`LedgerError::Io`] if it can't be made or opened.
    pub fn take(state: &Path) -> Result<Self, LedgerError> {
        let io = |error: std::io::Error| {
            LedgerError::Io(format!("the state directory {}: {error}", state.display()))
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state)
            .map_err(io)?;
        let directory = File::open(state).map_err(io)?;
        tighten(state, &directory).map_err(io)?;
        refuse_network(state)?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(directory)),
            Err(_) => Err(LedgerError::Unusable(format!(
                "another nbcourier daemon{} uses the state directory {}; stop it first, or set another `[daemon] state`",
                holder(&directory)
                    .map(|pid| format!(" (pid {pid})"))
                    .unwrap_or_default(),
                state.display()
            ))),
        }
    }
}

fn tighten(state: &Path, directory: &File) -> std::io::Result<()> {
    let mode = directory.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            "{} was open to others (mode {mode:o}); set to 700",
            state.display()
        );
        directory.set_permissions(std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn refuse_network(state: &Path) -> Result<(), LedgerError> {
    let Ok(facts) = statfs(state) else {
        return Ok(());
    };
    // The type is a signed word on some platforms; its low 32 bits are the magic number.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a magic number"
    )]
    let kind = facts.f_type as u32;
    match UNSAFE.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(LedgerError::Unusable(format!(
            "the state directory {} lies on {name}, where the ledger is not safe; set `[daemon] state` to a local disk",
            state.display()
        ))),
    }
}

/// The pid that holds the lock, from `/proc/locks` (proc(5)).
fn holder(directory: &File) -> Option<String> {
    let inode = format!(":{}", directory.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let line = locks.lines().find(|line| {
        line.contains("FLOCK") && line.split_whitespace().any(|word| word.ends_with(&inode))
    })?;
    line.split_whitespace().nth(4).map(str::to_owned)
}
