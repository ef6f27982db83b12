//! `nbcourier backup` and `restore`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use url::Url;

use super::{Context, Stop, exit};
use crate::config::Config;
use crate::config::checked::LedgerUrl;
use crate::ledger::{self, Copied, Restored, StateLock};
use crate::status::time;

#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    /// A file that `backup` wrote, of this version or an older one
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn backup(context: &Context, arguments: &BackupArguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let to = std::path::absolute(&arguments.file)?;
    let ledger = sqlite(&config, |url| {
        format!("pg_dump --format=custom --file={} {url}", quoted(&to))
    })?;
    if to.symlink_metadata().is_ok() {
        let message = format!("{} is there already", to.display());
        let hint = "nothing is overwritten: name a new file, as with $(date +%F) in it";
        return Err(Stop::new(exit::ARGUMENTS, message).hint(hint));
    }
    if !ledger.exists() {
        return Err(super::no_ledger(&config));
    }
    let copied = ledger::backup(ledger, &to).await?;
    if context.output.json {
        context.output.value(&to_json(&to, &copied));
    } else {
        let (runs, size) = (copied.runs, size(copied.bytes));
        context
            .output
            .note(format!("{runs} runs, {size}, in {}", to.display()));
    }
    Ok(exit::DONE)
}

pub(super) async fn restore(context: &Context, arguments: &RestoreArguments) -> Result<u8, Stop> {
    let config = context.load()?;
    let from = std::path::absolute(&arguments.file)?;
    let ledger = sqlite(&config, |url| {
        let options = "--clean --if-exists --single-transaction";
        format!("pg_restore {options} --dbname={url} {}", quoted(&from))
    })?;
    if let Err(error) = from.metadata() {
        let message = format!("{}: {error}", from.display());
        return Err(Stop::new(exit::ARGUMENTS, message));
    }
    let lock = StateLock::take(&config.state)?;
    let restored = ledger::restore(&lock, ledger, &from).await?;
    if context.output.json {
        let mut value = to_json(&from, &restored.copied);
        value["set_aside"] = json!(restored.set_aside);
        context.output.value(&value);
    } else {
        tell(context, &restored);
    }
    Ok(exit::DONE)
}

fn tell(context: &Context, restored: &Restored) {
    let copied = &restored.copied;
    let newest = copied.newest.map_or_else(|| "never".into(), time);
    let note = |line: String| context.output.note(line);
    note(format!(
        "{} runs restored; the newest record is of {newest}",
        copied.runs
    ));
    if let Some(aside) = &restored.set_aside {
        note(format!(
            "the ledger that was there is now {}",
            aside.display()
        ));
    }
    note(
        "runs that were delivered after that record are found again as new, and get a copy beside \
         the old one; start the daemon: sudo systemctl start nbcourier"
            .into(),
    );
}

/// The ledger's file; for `PostgreSQL` an end that says what to type instead.
fn sqlite(config: &Config, instead: impl FnOnce(String) -> String) -> Result<&Path, Stop> {
    match &config.ledger.url {
        LedgerUrl::Sqlite(file) => Ok(file),
        LedgerUrl::Postgres(url) => {
            let message = "the ledger is a PostgreSQL database, which has tools of its own";
            let hint = format!("type: {}", instead(shell_word(url)));
            Err(Stop::new(exit::CONFIGURATION, message).hint(hint))
        }
    }
}

fn shell_word(url: &Url) -> String {
    quoted(Path::new(url.as_str()))
}

/// As a POSIX shell takes it for one word.
fn quoted(text: &Path) -> String {
    format!("'{}'", text.display().to_string().replace('\'', "'\\''"))
}

fn to_json(file: &Path, copied: &Copied) -> Value {
    json!({
        "file": file,
        "bytes": copied.bytes,
        "runs": copied.runs,
        "newest_at": copied.newest.map(time),
    })
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}
