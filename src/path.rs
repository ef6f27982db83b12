//! A directory as a destination: created whole and never over anything, also across a kill.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{Access, CWD, RenameFlags, access, renameat_with};
use rustix::io::Errno;

use crate::destination::terms::{Found, Report, Wanted, embedded_job, temporary};
use crate::failure::{Code, Failure};

/// What a path segment of a URL keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Larger files are somebody else's without a look inside, bytes.
const LARGEST: u64 = 64 << 20;

/// A directory on this machine or mounted on it.
pub struct Directory {
    root: PathBuf,
    open: Option<String>,
}

impl Directory {
    /// A destination below `root`; `open` is the pattern of the link shown.
    #[must_use]
    pub fn new(root: &Path, open: Option<&str>) -> Self {
        Self {
            root: root.to_owned(),
            open: open.map(str::to_owned),
        }
    }

    /// Whether the root is there and can be written. It is never made: an unmounted share must not
    /// be shadowed by a local directory of its name.
    pub(crate) fn probe(&self) -> Result<Report, Failure> {
        let shown = self.root.display();
        if !self.root.is_dir() {
            let what = format!("the directory {shown} is not there");
            return Err(Code::NotWritable
                .failure(what)
                .advise("make it, or mount what it lies on; nbcourier goes on by itself"));
        }
        access(&self.root, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| failure("write into", &self.root, &error.into()))?;
        Ok(Report {
            version: format!("directory {shown}"),
            server: "writable".into(),
            ..Report::default()
        })
    }

    pub(crate) fn look(&self, path: &str, wanted: &Wanted<'_>) -> Result<Found, Failure> {
        let temporary = self.root.join(temporary(path, wanted.job));
        let path = self.root.join(path);
        let Some(bytes) = read(&path).map_err(|error| failure("read", &path, &error))? else {
            return Ok(Found::Absent);
        };
        let whole = crate::notebook::sha256(&bytes) == wanted.sha256;
        if whole || embedded_job(&bytes).as_deref() == Some(wanted.job) {
            return Ok(Found::Ours);
        }
        let torso = is_torso(&path, &temporary, wanted.bytes)
            .map_err(|error| failure("read", &path, &error))?;
        Ok(if torso { Found::Absent } else { Found::Taken })
    }

    /// The bytes of a file below the root; `None` where there is none.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.root.join(path);
        read(&path).map_err(|error| failure("read", &path, &error))
    }

    pub(crate) fn place(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        if path.split('/').any(|name| name.len() > 200) {
            let what = format!("`{path}` has a name of more than 200 bytes");
            return Err(Code::NameUnusable.failure(what));
        }
        self.probe()?;
        let temporary = self.root.join(temporary(path, wanted.job));
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        let torso = is_torso(&target, &temporary, wanted.bytes).unwrap_or(false);
        let outcome = fs::create_dir_all(folder)
            .and_then(|()| write(&temporary, wanted.bytes))
            .and_then(|()| match torso {
                true => fs::rename(&temporary, &target),
                false => give_name(&temporary, &target, wanted.bytes),
            });
        if outcome.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        }
        outcome.map_err(|error| failure("create", &target, &error))?;
        self.flush(folder)
    }

    /// Makes the names durable: of the file, and of the folders that were made for it.
    fn flush(&self, folder: &Path) -> Result<(), Failure> {
        for folder in folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.root))
        {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| failure("flush", folder, &error))?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, path: &str) -> Result<(), Failure> {
        let path = self.root.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failure("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn list(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let path = self.root.join(directory);
        match fs::read_dir(&path) {
            Ok(entries) => Ok(entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failure("list", &path, &error)),
        }
    }

    pub(crate) fn url(&self, path: &str) -> Option<String> {
        self.open.as_ref().map(|open| link(open, path))
    }
}

/// The link that the pattern `open` makes of a path.
pub(crate) fn link(open: &str, path: &str) -> String {
    let path = utf8_percent_encode(path, KEPT).to_string();
    open.replace("{path}", &path)
}

/// The file's bytes; empty for what is no readable notebook of ours: a link, a directory, a pipe.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    if facts.is_file() && facts.len() <= LARGEST {
        File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    }
    Ok(Some(bytes))
}

/// The name is the job's own: what stands there is a torso of an earlier attempt, or a link that
/// somebody has planted, and is never followed.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives the file its final name, where nothing may stand: renames without replacing, or links; on
/// file systems that know neither, creates the final file exclusively.
fn give_name(from: &Path, to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let renamed = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    if !matches!(renamed, Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)) {
        return Ok(renamed?);
    }
    match fs::hard_link(from, to).map_err(|error| (Errno::from_io_error(&error), error)) {
        Ok(()) => fs::remove_file(from),
        Err((Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS), _)) => {
            create_exclusively(from, to, bytes)
        }
        Err((_, error)) => Err(error),
    }
}

fn create_exclusively(from: &Path, to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(to)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::remove_file(from)
}

/// Whether a killed [`create_exclusively`] has left this: the beginning of our bytes under the final
/// name, and the job's temporary file, whole, beside it. That one is replaced; nothing else ever is.
fn is_torso(path: &Path, temporary: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    let regular = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file());
    if !regular || read(temporary)?.as_deref() != Some(bytes) {
        return Ok(false);
    }
    Ok(read(path)?.is_some_and(|found| found.len() < bytes.len() && bytes.starts_with(&found)))
}

fn failure(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::EXIST | Errno::NOTEMPTY) => Code::NameTaken,
        Some(Errno::NOSPC | Errno::DQUOT) => Code::StorageFull,
        Some(
            Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR,
        ) => Code::NotWritable,
        Some(Errno::NAMETOOLONG) => Code::NameUnusable,
        Some(Errno::NOENT) => Code::DirectoryVanished,
        _ => Code::HubError,
    };
    let failure = code.failure(format!("can't {verb} {}: {error}", path.display()));
    match Errno::from_io_error(error) {
        // Under the shipped unit everything is read-only that is not named.
        Some(Errno::ROFS) => failure.advise("name the directory in `ReadWritePaths=` (sudo systemctl edit nbcourier, then restart it), or have it mounted writable"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> (tempfile::TempDir, Directory) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let directory = Directory::new(dir.path(), Some("https://x/{path}"));
        (dir, directory)
    }

    fn wanted<'a>(job: &'a str, bytes: &'a [u8]) -> Wanted<'a> {
        Wanted {
            job,
            bytes,
            sha256: "unknown",
            recorded: None,
            about: None,
        }
    }

    #[test]
    fn a_notebook_is_created_whole_and_recognised_again() {
        let (dir, directory) = room();
        let bytes = br#"{"metadata": {"nbcourier": {"job": "j1"}}}"#;
        assert_eq!(
            directory
                .look("a/b/n.ipynb", &wanted("j1", b"x"))
                .expect("looked"),
            Found::Absent
        );
        directory
            .place("a/b/n.ipynb", &wanted("j1", bytes))
            .expect("created");
        assert_eq!(
            fs::read(dir.path().join("a/b/n.ipynb")).expect("read"),
            bytes
        );
        assert_eq!(
            directory
                .look("a/b/n.ipynb", &wanted("j1", b"x"))
                .expect("looked"),
            Found::Ours
        );
        assert_eq!(
            directory
                .look("a/b/n.ipynb", &wanted("j2", b"x"))
                .expect("looked"),
            Found::Taken
        );
        assert_eq!(directory.list("a/b").expect("listed"), ["n.ipynb"]);
        assert_eq!(
            directory.url("a/b c.ipynb").as_deref(),
            Some("https://x/a/b%20c.ipynb")
        );
    }

    #[test]
    fn what_exists_is_never_replaced_and_nothing_temporary_stays() {
        let (dir, directory) = room();
        fs::write(dir.path().join("n.ipynb"), "a person's").expect("write");
        std::os::unix::fs::symlink("/nowhere", dir.path().join("link.ipynb")).expect("link");
        for name in ["n.ipynb", "link.ipynb"] {
            let refused = directory
                .place(name, &wanted("j1", b"ours"))
                .expect_err("refused");
            assert_eq!(refused.code, Code::NameTaken);
            assert_eq!(
                directory.look(name, &wanted("j1", b"x")).expect("looked"),
                Found::Taken
            );
        }
        assert_eq!(
            fs::read(dir.path().join("n.ipynb")).expect("read"),
            b"a person's"
        );
        assert_eq!(directory.list("").expect("listed").len(), 2);
    }

    #[test]
    fn a_planted_link_is_not_followed_and_a_torso_of_ours_is_completed() {
        let (dir, directory) = room();
        fs::write(dir.path().join("precious"), "a person's").expect("write");
        let part = dir.path().join(temporary("n.ipynb", "j1"));
        std::os::unix::fs::symlink(dir.path().join("precious"), &part).expect("link");
        directory
            .place("n.ipynb", &wanted("j1", b"ours"))
            .expect("created");
        assert_eq!(
            fs::read(dir.path().join("precious")).expect("read"),
            b"a person's"
        );

        for (torso, found) in [("ou", Found::Absent), ("their", Found::Taken)] {
            fs::write(dir.path().join("m.ipynb"), torso).expect("write");
            assert_eq!(
                directory
                    .look("m.ipynb", &wanted("j1", b"ours"))
                    .expect("looked"),
                Found::Taken
            );
            fs::write(&part, "ours").expect("write");
            assert_eq!(
                directory
                    .look("m.ipynb", &wanted("j1", b"ours"))
                    .expect("looked"),
                found
            );
            let placed = directory.place("m.ipynb", &wanted("j1", b"ours"));
            assert_eq!(placed.is_ok(), found == Found::Absent);
            let stands = fs::read(dir.path().join("m.ipynb")).expect("read");
            assert_eq!(
                stands,
                if placed.is_ok() {
                    b"ours".as_slice()
                } else {
                    b"their"
                }
            );
        }
        fs::write(&part, "ours").expect("write");
        assert!(create_exclusively(&part, &dir.path().join("m.ipynb"), b"ours").is_err());
        create_exclusively(&part, &dir.path().join("o.ipynb"), b"ours").expect("created");
        assert!(!part.exists());
    }

    #[test]
    fn a_missing_root_is_not_made() {
        let (dir, _) = room();
        let directory = Directory::new(&dir.path().join("share"), None);
        let refused = directory
            .place("n.ipynb", &wanted("j1", b"ours"))
            .expect_err("refused");
        assert_eq!(refused.code, Code::NotWritable);
        assert!(!dir.path().join("share").exists());
    }
}
