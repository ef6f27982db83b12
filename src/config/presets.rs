//! The presets: watch tables for the acquisition systems of the field.

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
