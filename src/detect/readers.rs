//! Reading a run's metadata files, whatever state they are in.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::config::checked::ParameterFile;
use crate::run::Parameters;

/// Larger metadata files are refused, bytes.
const LARGEST: u64 = 4 << 20;

/// Merges the files over `parameters`, in order.
///
/// # Errors
/// What is missing or wrong, in a sentence; it may heal by itself, as a file is being written.
pub(super) fn merge(
    run: &Path,
    files: &[ParameterFile],
    parameters: &mut Parameters,
) -> Result<(), String> {
    for file in files {
        match read(&run.join(&file.file)) {
            Ok(Some(found)) => parameters.extend(found),
            Ok(None) if file.optional => {}
            Ok(None) => return Err(format!("{} is not there yet", file.file)),
            Err(why) => return Err(format!("{}: {why}", file.file)),
        }
    }
    Ok(())
}

/// The file's object; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Parameters>, String> {
    // Neither a link out of the run nor a pipe that would block.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => std::fs::File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => {
            return Err("it is a symbolic link; a regular file is needed".into());
        }
        Err(error) => return Err(format!("it can't be read: {}", std::io::Error::from(error))),
    };
    let before = file.metadata().map_err(|error| error.to_string())?;
    if !before.is_file() {
        return Err("it is no regular file".into());
    }
    if before.len() > LARGEST {
        return Err(format!(
            "it has {} MiB; at most {} MiB are read",
            before.len() >> 20,
            LARGEST >> 20
        ));
    }
    let mut bytes = Vec::new();
    (&file)
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let after = file.metadata().map_err(|error| error.to_string())?;
    let changed = (before.len(), before.mtime_nsec(), before.mtime())
        != (after.len(), after.mtime_nsec(), after.mtime());
    if changed || bytes.len() as u64 != after.len() {
        return Err("it is being written".into());
    }
    parse(&bytes).map(Some)
}

fn parse(bytes: &[u8]) -> Result<Parameters, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| format!("no JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, optional: bool) -> ParameterFile {
        ParameterFile {
            file: name.into(),
            optional,
        }
    }

    #[test]
    fn files_merge_in_order_and_optional_ones_may_be_missing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("a.json"), "\u{feff}{\"x\": 1, \"y\": 1}").expect("write");
        std::fs::write(dir.path().join("b.json"), "{\"y\": 2.50}").expect("write");
        let mut parameters = Parameters::new();
        let files = [
            file("a.json", false),
            file("none.json", true),
            file("b.json", false),
        ];
        merge(dir.path(), &files, &mut parameters).expect("merged");
        assert_eq!(
            serde_json::to_string(&parameters).expect("JSON"),
            "{\"x\":1,\"y\":2.50}"
        );
    }

    #[test]
    fn whatever_is_no_whole_object_is_told_and_never_blocks() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("run.json");
        let told = |expected: &str| {
            let why = merge(
                dir.path(),
                &[file("run.json", false)],
                &mut Parameters::new(),
            )
            .expect_err(expected);
            assert!(why.contains(expected), "{why}");
        };
        told("is not there yet");
        for (text, expected) in [
            ("{\"x\":", "line 1 column 5"),
            ("[]", "no JSON object"),
            ("", "no JSON object"),
        ] {
            std::fs::write(&path, text).expect("write");
            told(expected);
        }
        std::fs::write(&path, vec![b' '; 64 << 20]).expect("write");
        told("it has 64 MiB; at most 4 MiB are read");
        std::fs::write(&path, "[".repeat(100_000)).expect("write");
        told("no JSON object");
        std::fs::remove_file(&path).expect("remove");
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        told("no regular file");
        std::fs::remove_file(&path).expect("remove");
        std::os::unix::fs::symlink("/etc/hostname", &path).expect("a link");
        told("symbolic link");
    }
}
