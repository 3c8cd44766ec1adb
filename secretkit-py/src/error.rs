//! Errors on their way to Python: one table by kind, which is written in Python.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use secretkit::{Consumer, Error, ErrorKind, SecretName};

/// The result of everything here that Python calls.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error of ours, kept as it is until it reaches Python, or one that Python raised.
pub(crate) enum Failure {
    Ours(Arc<Error>),
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(Arc::new(error))
    }
}

impl From<Arc<Error>> for Failure {
    fn from(error: Arc<Error>) -> Self {
        Self::Ours(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Ours(error) => Python::attach(|py| of(py, &error)),
            Failure::Python(error) => error,
        }
    }
}

/// The exception of this error. What stands in the way of a delete is also there for programs.
fn of(py: Python<'_>, error: &Error) -> PyErr {
    let raised = raised(py, error.kind(), message(error));
    let Error::InUse { consumers, .. } = error else { return raised };
    let names = PyTuple::new(py, consumers.iter().map(Consumer::as_str));
    match names.and_then(|names| raised.value(py).setattr("consumers", names)) {
        Ok(()) => raised,
        Err(error) => error,
    }
}

/// A call that makes no sense as written.
pub(crate) fn usage(py: Python<'_>, message: &str) -> Failure {
    Failure::Python(raised(py, ErrorKind::Usage, format!("usage: {message}")))
}

/// A variable or file is asked for, and there is no task that could have requested it.
pub(crate) fn no_task(py: Python<'_>, name: &SecretName, what: &str) -> Failure {
    let message = format!(
        "not requested: no task runs here, and only a task gets {name} {what}; read it with get(), or call this in the \
         task, and in threads that it starts by secretkit.wrap"
    );
    Failure::Python(raised(py, ErrorKind::NotRequested, message))
}

/// The exception of this kind. Only its message crosses: the error itself and its sources stay here.
fn raised(py: Python<'_>, kind: ErrorKind, message: String) -> PyErr {
    static BY_KIND: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let exception = || {
        let table = BY_KIND.import(py, "secretkit.exceptions", "BY_KIND")?;
        table.as_any().get_item(kind.as_str())?.call1((message,))
    };
    exception().map_or_else(|error| error, PyErr::from_value)
}

/// What a person reads. In Python a request is written in the decorator, so that is what the words name.
fn message(error: &Error) -> String {
    match error {
        Error::NotRequested { name, what: "in this revision" } => {
            format!(
                "not requested: {name} was requested with another group_version or with none; read it with the same"
            )
        }
        Error::NotRequested { name, what } => {
            format!(
                "not requested: {name} was not requested {what}; add it to the task: @task(secret_requests=[{}])",
                request(name, what)
            )
        }
        _ => error.to_string(),
    }
}

fn request(name: &SecretName, what: &str) -> String {
    let group = name.group().map(|group| format!("group=\"{group}\", ")).unwrap_or_default();
    let mount = match what {
        "as a file" => ", mount_requirement=Secret.MountType.FILE",
        "as an environment variable" => ", mount_requirement=Secret.MountType.ENV_VAR",
        _ => "",
    };
    format!("Secret({group}key=\"{}\"{mount})", name.key())
}

/// The kinds that the exceptions are a table of.
#[pyfunction]
fn error_kinds() -> Vec<&'static str> {
    ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(error_kinds, module)?)
}
