//! One environment variable of a task. Its value stays here, out of the sight of Python's tracebacks.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use secretkit::deliver::EnvironmentVariable;
use secretkit::{Revision, SecretId, SecretValue};

use crate::value;

#[pyclass(frozen, module = "secretkit._secretkit", name = "Variable")]
pub(crate) struct Variable {
    name: String,
    value: SecretValue,
    source: SecretId,
    revision: Revision,
    /// What was there before; outer `None` while it is not set by us.
    before: Mutex<Option<Option<SecretValue>>>,
}

impl Variable {
    pub(crate) fn new(planned: &EnvironmentVariable) -> Self {
        let EnvironmentVariable { name, value, source, revision, .. } = planned;
        let (name, source) = (name.to_string(), source.clone());
        Self { name, value: value.clone(), source, revision: *revision, before: Mutex::new(None) }
    }

    fn in_environment(&self, environ: &Bound<'_, PyAny>) -> PyResult<Option<SecretValue>> {
        let value = environ.call_method1("get", (self.name_bytes(environ.py()),))?;
        Ok(value.cast::<PyBytes>().ok().map(|bytes| SecretValue::copied_from(bytes.as_bytes())))
    }

    fn name_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.name.as_bytes())
    }
}

#[pymethods]
impl Variable {
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The secret that it shows, with the number of its value.
    #[getter]
    fn source(&self) -> String {
        format!("{} (revision {})", self.source, self.revision)
    }

    /// Whether both want the same of the environment. Two files of one secret are two: each is one task's own.
    fn same_as(&self, other: &Bound<'_, Self>) -> bool {
        let other = other.get();
        self.name == other.name
            && self.source == other.source
            && self.revision == other.revision
            && value::equal(&self.value, &other.value)
    }

    /// Whether both are of the same secret and revision, each run with a file of its own.
    fn is_other_file_of(&self, other: &Bound<'_, Self>) -> bool {
        let other = other.get();
        self.source == other.source && self.revision == other.revision
    }

    /// Sets it in this environment, and remembers what was there.
    fn set_in(&self, environ: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = self.in_environment(environ)?;
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        environ.set_item(self.name_bytes(environ.py()), value::bytes(environ.py(), &self.value))
    }

    /// Puts back what was there, unless somebody has set it to something else since.
    fn restore_in(&self, environ: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(before) = before else { return Ok(()) };
        if !self.in_environment(environ)?.is_some_and(|now| value::equal(&now, &self.value)) {
            return Ok(());
        }
        let name = self.name_bytes(environ.py());
        match before {
            Some(before) => environ.set_item(name, value::bytes(environ.py(), &before)),
            None => environ.del_item(name),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Variable {} for {}>", self.name, self.source())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Variable>()
}
