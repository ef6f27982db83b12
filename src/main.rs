//! nbcourier puts a notebook for every finished run into its physicist's own Jupyter.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The only crypto provider; two at once would make rustls panic at first use.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    nbcourier::cli::main()
}
