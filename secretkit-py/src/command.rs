//! The command line, the same one that the Rust binary runs, and the tasks that `run --task` names.

use std::ffi::OsString;

use pyo3::prelude::*;
use secretkit::ErrorKind;
use secretkit_cli::{Ending, PythonTask};

use crate::error::Result;
use crate::secrets::Secrets;
use crate::store;

/// Runs one command line, whose first argument is the program's name, and returns its exit code; or the task that is to
/// be run.
#[pyfunction]
#[pyo3(signature = (argv, /))]
fn main(py: Python<'_>, argv: Vec<OsString>) -> PyResult<Py<PyAny>> {
    match py.detach(|| secretkit_cli::run_up_to_a_task(argv)) {
        Ending::Code(code) => Ok(code.into_pyobject(py)?.into_any().unbind()),
        Ending::Task(task) => Ok(Py::new(py, CalledTask(task))?.into_any()),
    }
}

/// Keeps the memory of this process out of core dumps: for the console script, whose process is its own.
#[pyfunction]
fn keep_out_of_dumps() {
    secretkit_cli::keep_out_of_dumps();
}

/// What `secretkit run --task FILE:FUNCTION` asks for.
#[pyclass(frozen, module = "secretkit._secretkit", name = "CalledTask")]
struct CalledTask(Box<PythonTask>);

#[pymethods]
impl CalledTask {
    /// The file that holds the task.
    #[getter]
    fn file(&self) -> OsString {
        self.0.file.clone().into_os_string()
    }

    /// The name of the task in it.
    #[getter]
    fn function(&self) -> &str {
        &self.0.function
    }

    /// What stands behind `--`.
    #[getter]
    fn arguments(&self) -> Vec<OsString> {
        self.0.arguments.clone()
    }

    /// The store, seen from the scope that the options and variables name.
    fn secrets(&self, py: Python<'_>) -> Result<Secrets> {
        store::open(py, self.0.settings.clone())
    }

    /// Says on standard error why the task cannot be run, and returns the exit code.
    fn fail(&self, kind: &str, message: &str, hint: &str) -> u8 {
        let known = ErrorKind::ALL.iter().find(|known| known.as_str() == kind);
        self.0.fail(known.copied().unwrap_or(ErrorKind::Other), message, Some(hint).filter(|hint| !hint.is_empty()))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(keep_out_of_dumps, module)?)?;
    module.add_class::<CalledTask>()
}
