//! nbcourier puts a notebook for every finished run into its physicist's own Jupyter.

pub mod config;
pub mod failure;
pub mod health;
pub mod job;
pub mod ledger;
pub mod notebook;
pub mod retry;
pub mod run;
