//! nbcourier puts a notebook for every finished run into its physicist's own Jupyter.
fn main() {}
