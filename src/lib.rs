//! nbcourier puts a notebook for every finished run into its physicist's own Jupyter.

pub mod account;
pub mod auth;
#[cfg(test)]
mod catalogue;
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod destination;
pub mod detect;
pub mod failure;
pub mod health;
pub mod http;
pub mod job;
pub mod jupyter;
pub mod ledger;
pub mod measure;
pub mod notebook;
pub mod path;
pub mod process;
pub mod pulse;
pub mod redact;
pub mod retry;
pub mod run;
pub mod spawns;
pub mod status;
pub mod superfacility;
pub mod text;
pub mod worker;
