//! Whole-program tests that need nothing but Rust, python3 and util-linux.

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod announce;
mod backlog;
mod backup;
mod bad_input;
mod burst;
mod changes;
mod chaos;
mod clock;
mod commands;
mod echo;
mod hostile;
mod init;
mod kill;
mod layouts;
mod learn;
mod ledger_faults;
mod ledgers;
mod limits;
mod mass;
mod metadata;
mod model;
mod order;
mod poison;
mod presets;
mod prune;
mod readers;
mod reload;
mod render;
mod roots;
mod runs;
mod service;
mod show;
mod spool;
mod starved;
mod told;
mod web;
mod window;
