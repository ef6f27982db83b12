//! The presets: watch tables for the acquisition systems of the field.

use std::path::Path;

use super::checked::Watch;
use super::sheet::Sheet;
use super::table::Table;
use super::watch::watch;

macro_rules! presets {
    ($($name:literal)*) => {
        /// Each preset's name and text.
        pub(super) const PRESETS: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!("../../config/presets/", $name, ".toml")),
        ),)*];
    };
}

presets! {
    "generic-dir"
    "generic-date"
    "artdaq"
    "bluesky-jsonl"
    "cern-h4daq"
    "compass-caen"
    "eudaq2"
    "gwf"
    "illumina"
    "isis"
    "midas"
    "nanopore"
    "rcdaq"
    "singular-g4"
    "spool"
}

/// The preset of a table that names none.
pub(super) const USUAL: &str = "generic-dir";

/// The text of a preset.
pub(super) fn text(name: &str) -> Option<&'static str> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// The names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The watch that a preset makes of a directory.
#[must_use]
pub fn preset(name: &str, directory: &Path) -> Option<Watch> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let text = format!(
        "directory = {}\npreset = {}\n",
        quoted(&directory.to_string_lossy()),
        quoted(name)
    );
    let sheet = Sheet::new(Path::new("/preset"), text);
    let tree = sheet.tree();
    watch(Table::top(&sheet, &tree)).filter(|_| !sheet.is_mistaken())
}
