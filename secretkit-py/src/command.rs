//! The command line, the same one that the Rust binary runs.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs one command line, whose first argument is the program's name, and returns its exit code.
#[pyfunction]
#[pyo3(signature = (argv, /))]
fn main(py: Python<'_>, argv: Vec<OsString>) -> u8 {
    py.detach(|| secretkit_cli::run(argv))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(main, module)?)
}
