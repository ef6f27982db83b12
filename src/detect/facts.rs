//! What the file system says of a place.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statfs, statx};

use super::identity::{Found, identity};

/// The types of file systems (`statfs(2)`, linux/magic.h) on which every change is noticed by this
/// machine: ext2 to ext4, xfs, btrfs, tmpfs, zfs, f2fs. On all others changes may come from
/// elsewhere, or from behind (overlay, FUSE).
const LOCAL: [i64; 6] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0x0102_1994,
    0x2FC1_2FC1,
    0xF2F5_2010,
];

/// A watched directory as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// Device, inode and mount: differ once another directory or mount is in its place.
    key: (u32, u32, u64, u64),
    /// Its identity across mounts, where the file system tells.
    pub(super) identity: Option<String>,
    /// Whether all changes in it are noticed here.
    pub(super) local: bool,
}

impl Root {
    /// The directory at that path, through symbolic links.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let facts = stat(path)?;
        let kind = statfs(path)?.f_type;
        Ok(Self {
            key: (
                facts.stx_dev_major,
                facts.stx_dev_minor,
                facts.stx_ino,
                facts.stx_mnt_id,
            ),
            identity: born(&facts).map(|(identity, _)| identity),
            local: LOCAL.contains(&kind),
        })
    }
}

fn stat(path: &Path) -> rustix::io::Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    statx(CWD, path, AtFlags::empty(), wanted)
}

fn born(facts: &Statx) -> Option<(String, i64)> {
    let known = StatxFlags::from_bits_retain(facts.stx_mask).contains(StatxFlags::BTIME);
    let birth = facts.stx_btime;
    let told = known && (birth.tv_sec, birth.tv_nsec) != (0, 0);
    told.then(|| {
        let at = birth.tv_sec * 1000 + i64::from(birth.tv_nsec / 1_000_000);
        (identity(facts.stx_ino, birth.tv_sec, birth.tv_nsec), at)
    })
}

/// What is at that path, through symbolic links.
pub(super) fn found(path: &Path) -> Found {
    match stat(path) {
        Err(_) => Found::Nothing,
        Ok(facts) => match born(&facts) {
            Some((identity, at)) => Found::Born(identity, at),
            None => Found::Unborn,
        },
    }
}

/// The identity of what is at that path.
pub(super) fn identity_of(path: &Path) -> Option<String> {
    match found(path) {
        Found::Born(identity, _) => Some(identity),
        Found::Nothing | Found::Unborn => None,
    }
}

/// When a directory's entries changed last: equal to itself as long as none came or went.
pub(super) fn changed(path: &Path) -> std::io::Result<(i64, u32)> {
    let facts = stat(path)?;
    Ok((facts.stx_mtime.tv_sec, facts.stx_mtime.tv_nsec))
}
