//! Whole-program tests against the real thing; `tests/run` installs it and says where it is.

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::print_stderr, reason = "a failed test shows the logs")]

#[path = "../support/mod.rs"]
mod support;

mod announcers;
mod answers;
mod commands;
mod confusion;
mod cookies;
mod delivery;
mod disk;
mod examples;
mod faults;
mod fuse;
mod group;
mod handover;
mod hub;
mod journal;
mod jumps;
mod kills;
mod line;
mod link;
mod literals;
mod machines;
mod metrics;
mod mint;
mod model;
mod mounts;
mod network;
mod oauth;
mod papermill;
mod percent;
mod postgres;
mod proxy;
mod service;
mod spawns;
mod squirro;
mod stop;
mod superfacility;
mod swan;
mod tls;
mod tokens;
mod web;
mod world;
