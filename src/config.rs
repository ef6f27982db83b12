//! The configuration: TOML as written becomes checked values, with every mistake at once.
//!
//! Only the configuration's own files are touched here: whether a watch, a template or a hub is
//! there is the business of `check` and of the daemon, which goes on without it.

mod announce;
mod auth;
pub mod checked;
mod command;
mod condition;
mod destination;
mod file;
mod item;
mod kerberos;
mod ledger;
mod mask;
mod mistakes;
mod oauth;
mod parameters;
mod pattern;
mod presets;
pub mod secret;
mod sheet;
mod status;
mod superfacility;
mod swan;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod watch;

use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use checked::Config;
pub use mistakes::{Mistake, Mistakes};
use sheet::Sheet;
pub(crate) use swan::mistakes as swan_mistakes;
pub(crate) use values::is_loopback;
pub use watch::{preset, preset_names};

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// Reads a configuration and the `conf.d/*.toml` beside it.
///
/// # Errors
/// Every mistake in any of the files.
pub fn load(file: &Path) -> Result<Config, Mistakes> {
    let mut sheets = vec![read(file)?];
    let mut unreadable = vec![];
    match parts(file) {
        Err(mistakes) => unreadable.extend(mistakes.0),
        Ok(parts) => {
            for part in parts.iter().map(|part| read(part)) {
                match part {
                    Ok(sheet) => sheets.push(sheet),
                    Err(mistakes) => unreadable.extend(mistakes.0),
                }
            }
        }
    }
    let mut config = checked(file, &sheets, unreadable)?;
    let pace = std::env::var("NBCOURIER_TEST_PACE").ok();
    let factor: Option<f64> = pace.and_then(|factor| factor.parse().ok());
    if let Some(factor) = factor.filter(|factor| *factor > 0.0 && factor.is_finite()) {
        config.paces = config.paces.scaled(factor);
    }
    Ok(config)
}

/// The state directory that a configuration names, whatever else is wrong with it; the usual one
/// where it can't be read.
#[must_use]
pub fn state(file: &Path) -> PathBuf {
    let text = bytes(file)
        .ok()
        .map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
    file::state(&Sheet::new(file, text.unwrap_or_default()))
}

/// Reads a configuration from a text; `file` is where it would be.
///
/// # Errors
/// Every mistake in it.
pub fn parse(text: &str, file: &Path) -> Result<Config, Mistakes> {
    checked(file, &[Sheet::new(file, text.to_owned())], vec![])
}

fn checked(file: &Path, sheets: &[Sheet], mut mistakes: Vec<Mistake>) -> Result<Config, Mistakes> {
    let config = file::read(sheets);
    mistakes.extend(sheets.iter().flat_map(Sheet::take_mistakes));
    match config {
        Some(mut config) if mistakes.is_empty() => {
            config.file = std::path::absolute(file).unwrap_or(config.file);
            Ok(config)
        }
        _ => Err(Mistakes(mistakes)),
    }
}

/// The files of `conf.d`, sorted.
fn parts(file: &Path) -> Result<Vec<PathBuf>, Mistakes> {
    let directory = file.with_file_name("conf.d");
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => {
            return Err(unreadable(
                &directory,
                &error.to_string(),
                "check who may read it",
            ));
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_part(path)).collect();
    paths.sort();
    Ok(paths)
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".toml") && !name.starts_with('.')
}

fn read(file: &Path) -> Result<Sheet, Mistakes> {
    let (bytes, whole) = bytes(file).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "`nbcourier init` writes one",
            _ => "check who may read it; `nbcourier init` writes a new one",
        };
        unreadable(file, &error.to_string(), hint)
    })?;
    if !whole {
        let hint = "a configuration has at most 1 MiB; is it another file?";
        return Err(unreadable(file, "it is too large", hint));
    }
    String::from_utf8(bytes)
        .map(|text| Sheet::new(file, text))
        .map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid]
                .split(|byte| *byte == b'\n')
                .count();
            let why = format!("line {line} is not UTF-8");
            unreadable(file, &why, "save it as UTF-8 in the editor")
        })
}

/// The file's content, and whether that is all of it.
fn bytes(file: &Path) -> std::io::Result<(Vec<u8>, bool)> {
    // A FIFO would block for ever.
    if !std::fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut bytes = vec![];
    let size = std::fs::File::open(file)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes, size as u64 <= LARGEST))
}

fn unreadable(file: &Path, why: &str, hint: &str) -> Mistakes {
    let message = format!("the configuration can't be read: {why}");
    Mistakes(vec![Mistake::whole(
        &file.display().to_string(),
        message,
        hint,
    )])
}
