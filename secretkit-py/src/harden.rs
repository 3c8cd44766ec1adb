//! What the kernel keeps of this process.

use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(harden_process, module)?)
}

/// Keeps the memory of this process, with its keys and values, from the disk and from other processes.
///
/// Call it once, early, and only where this process is yours: there are no core dumps and no debugger from then on. It
/// never fails. Returns "done" or why not for `no_core_dumps`, `untraceable` and `locked_memory`. Memory is locked only
/// where RLIMIT_MEMLOCK sets no limit.
#[pyfunction]
fn harden_process(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let measures = PyDict::new(py);
    for (name, measure) in secretkit::harden_process().measures() {
        measures.set_item(name, measure.to_string())?;
    }
    Ok(measures)
}
