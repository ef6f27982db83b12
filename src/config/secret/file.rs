//! A secret in a file: who else may read it.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{getegid, geteuid};
use zeroize::Zeroizing;

/// The largest secret, bytes.
pub(super) const LARGEST: usize = 64 << 10;

/// Who asks: effective user and group.
type Me = (u32, u32);

/// Where an administrator keeps replaceable credentials.
pub(super) const CREDENTIALS: &str = "/etc/nbcourier/credentials";

/// The directory in which systemd hands credentials over.
pub(super) fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// The bytes of a file that nobody else can read.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    // A pipe must not keep it waiting.
    let file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(|error| error.to_string())?;
    let facts = file.metadata().map_err(|error| error.to_string())?;
    judged(path, &facts)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    let limit = LARGEST as u64 + 1;
    let read = file.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    match bytes.len() > LARGEST {
        true => Err("it is larger than 64 KiB".into()),
        false => Ok(bytes),
    }
}

/// What could be better about a file that is read all the same.
pub(super) fn remark(path: &Path) -> Option<String> {
    let facts = std::fs::metadata(path).ok()?;
    let remark = judged(path, &facts).ok()?;
    let remark = remark.or_else(|| late(Path::new(CREDENTIALS), path, &facts))?;
    Some(format!("{}: {remark}", path.display()))
}

/// A credential that the service gets from systemd only, which takes it from root at the start.
fn late(directory: &Path, path: &Path, facts: &Metadata) -> Option<String> {
    let kept = std::fs::metadata(directory).ok()?;
    let is_late = path.parent() == Some(directory)
        && facts.uid() == 0
        && kept.gid() != 0
        && (facts.gid() != kept.gid() || facts.mode() & 0o040 == 0);
    is_late.then(|| {
        let (path, directory) = (path.display(), directory.display());
        format!(
            "a replaced one counts after a restart only, since the service can't read it itself; \
             type: chgrp --reference={directory} {path} && chmod 640 {path}"
        )
    })
}

/// Whether only the group of a directory that is closed to all others reads a file in it, as the
/// package sets up the directory of the credentials.
fn is_kept(directory: &Path, path: &Path, facts: &Metadata) -> bool {
    path.parent() == Some(directory)
        && std::fs::metadata(directory).is_ok_and(|kept| {
            let own = [kept.uid(), kept.gid()] == [facts.uid(), facts.gid()];
            own && kept.mode() & 0o027 == 0 && facts.mode() & 0o027 == 0
        })
}

fn judged(path: &Path, facts: &Metadata) -> Result<Option<String>, String> {
    if !facts.is_file() {
        return Err("it is no regular file".into());
    }
    // What systemd hands over belongs to root and has an access list, which shows as rights of the group.
    let handed = credentials_directory().is_some_and(|directory| path.starts_with(directory));
    let handed = handed || is_kept(Path::new(CREDENTIALS), path, facts);
    let me = (geteuid().as_raw(), getegid().as_raw());
    let type_this = |mode: &str| format!("; type: chmod {mode} {}", path.display());
    judge(
        facts.mode(),
        (facts.uid(), facts.gid()),
        me,
        handed,
        type_this,
    )
}

/// Whether others may read or replace it: refused, or a remark.
fn judge(
    mode: u32,
    (uid, gid): (u32, u32),
    (me, my_group): Me,
    handed: bool,
    type_this: impl Fn(&str) -> String,
) -> Result<Option<String>, String> {
    if mode & 0o007 != 0 {
        return Err(format!("everybody can read it{}", type_this("o-rwx")));
    }
    // Root checks for a service that runs as another user: what is wrong for root may be right.
    let is_root = me == 0;
    if handed {
        return Ok(None);
    }
    if uid != me && uid != 0 && !is_root {
        return Err(format!(
            "it belongs to the user {uid}, who is neither root nor the one that nbcourier runs as ({me})"
        ));
    }
    if mode & 0o070 == 0 {
        return Ok(None);
    }
    if gid != my_group && !is_root {
        return Err(format!("the group {gid} can read it{}", type_this("g-rwx")));
    }
    Ok(Some(format!(
        "its group can read it too{}",
        type_this("g-rwx")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::SecretRef;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_for_the_service_and_root_and_at_most_for_its_group() {
        let service = (990, 980);
        // Mode, owner and group, handed over by systemd: the beginning of the refusal or remark.
        let table: [(u32, Me, Me, bool, &str); 15] = [
            (0o600, (990, 980), service, false, ""),
            (0o400, (990, 980), service, false, ""),
            (0o600, (0, 0), service, false, ""),
            (0o644, (990, 980), service, false, "no: everybody"),
            (0o604, (0, 0), service, false, "no: everybody"),
            (0o602, (0, 0), service, false, "no: everybody"),
            (
                0o600,
                (1000, 980),
                service,
                false,
                "no: it belongs to the user 1000",
            ),
            (0o640, (0, 980), service, false, "its group"),
            (0o660, (990, 980), service, false, "its group"),
            (0o640, (990, 100), service, false, "no: the group 100"),
            (0o440, (0, 0), service, true, ""),
            (0o444, (0, 0), service, true, "no: everybody"),
            (0o600, (990, 980), (0, 0), false, ""),
            (0o640, (0, 980), (0, 0), false, "its group"),
            (0o644, (0, 0), (0, 0), false, "no: everybody"),
        ];
        for (mode, owner, me, handed, expected) in table {
            let told = match judge(mode, owner, me, handed, |_| String::new()) {
                Ok(remark) => remark.unwrap_or_default(),
                Err(why) => format!("no: {why}"),
            };
            let as_expected = told.starts_with(expected) && told.is_empty() == expected.is_empty();
            assert!(as_expected, "{mode:o} {owner:?} {me:?}: {told}");
        }
    }

    #[test]
    fn a_credential_in_the_group_of_its_closed_directory_is_as_the_package_sets_it_up() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let directory = dir.path().join("credentials");
        std::fs::create_dir(&directory).expect("a directory");
        let path = directory.join("hub");
        std::fs::write(&path, "abc").expect("write");
        let set = |path: &Path, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("chmod");
        };
        for (closed, mode, kept) in [
            (0o2750, 0o640, true),
            (0o2750, 0o600, true),
            (0o2750, 0o660, false),
            (0o2750, 0o644, false),
            (0o2755, 0o640, false),
            (0o2770, 0o640, false),
        ] {
            set(&directory, closed);
            set(&path, mode);
            let facts = path.metadata().expect("there");
            let found = is_kept(&directory, &path, &facts);
            assert_eq!(found, kept, "{closed:o} {mode:o}");
            assert!(!is_kept(dir.path(), &path, &facts), "elsewhere");
        }
    }

    #[tokio::test]
    async fn a_files_mode_is_looked_at_before_each_use() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        std::fs::write(&path, " abc\n").expect("write");
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        let secret = SecretRef::File(path.clone());
        for (mode, remark) in [(0o600, false), (0o400, false), (0o640, true)] {
            set(mode).expect("chmod");
            assert_eq!(secret.read().await.expect("readable").expose(), "abc");
            assert_eq!(secret.remark().is_some(), remark, "{mode:o}");
        }
        set(0o644).expect("chmod");
        let refused = secret.read().await.expect_err("refused");
        assert!(refused.what.contains("type: chmod o-rwx /"), "{refused}");
        set(0o600).expect("chmod");
        std::fs::write(&path, "x".repeat(LARGEST + 1)).expect("write");
        let refused = secret.read().await.expect_err("refused");
        assert!(refused.what.ends_with("larger than 64 KiB"), "{refused}");
        let folder = SecretRef::File(dir.path().into()).read().await;
        assert!(
            folder
                .expect_err("refused")
                .what
                .ends_with("no regular file")
        );
    }

    #[tokio::test]
    async fn a_pipe_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("a pipe");
        let refused = SecretRef::File(path).read().await.expect_err("refused");
        assert!(refused.what.ends_with("no regular file"), "{refused}");
    }
}
