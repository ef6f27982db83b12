//! Whole-program tests that need nothing but Rust and python3.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod burst;
mod commands;
mod kill;
mod learn;
mod presets;
mod readers;
mod render;
