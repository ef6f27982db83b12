//! The configuration: TOML as written becomes checked values, with every mistake at once.

pub mod checked;
pub mod secret;

pub use checked::Config;
