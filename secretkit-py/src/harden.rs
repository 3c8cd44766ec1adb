//! What the kernel keeps of this process.

use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(harden_process, module)?)
}

/// Each measure by its name, with "done" or why it was not.
#[pyfunction]
fn harden_process(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let measures = PyDict::new(py);
    for (name, measure) in secretkit::harden_process().measures() {
        measures.set_item(name, measure.to_string())?;
    }
    Ok(measures)
}
