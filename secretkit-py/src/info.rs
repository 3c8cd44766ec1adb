//! What a listing shows. It has no field that could hold a value.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use secretkit::{Part, Timestamp};

/// Everything about a secret but its value: what a listing shows. It was checked against tampering.
#[pyclass(frozen, module = "secretkit", name = "SecretInfo")]
pub(crate) struct SecretInfo(pub(crate) secretkit::SecretInfo);

#[pymethods]
impl SecretInfo {
    #[getter]
    fn id(&self) -> String {
        self.0.id.to_string()
    }

    #[getter]
    fn address(&self) -> String {
        self.0.address.to_string()
    }

    #[getter]
    fn scope(&self) -> String {
        self.0.address.scope().to_string()
    }

    #[getter]
    fn name(&self) -> String {
        self.0.address.name().to_string()
    }

    #[getter]
    fn org(&self) -> &str {
        self.0.address.org().as_str()
    }

    #[getter]
    fn project(&self) -> Option<&str> {
        self.0.address.scope().project().map(Part::as_str)
    }

    #[getter]
    fn domain(&self) -> Option<&str> {
        self.0.address.scope().domain().map(Part::as_str)
    }

    #[getter]
    fn group(&self) -> Option<&str> {
        self.0.address.name().group().map(Part::as_str)
    }

    #[getter]
    fn key(&self) -> &str {
        self.0.address.name().key().as_str()
    }

    #[getter]
    fn revision(&self) -> u64 {
        self.0.revision.number()
    }

    #[getter]
    fn generation(&self) -> u64 {
        self.0.generation.number()
    }

    #[getter]
    fn digest(&self) -> String {
        self.0.digest.to_string()
    }

    #[getter]
    fn active(&self) -> bool {
        self.0.metadata.is_active()
    }

    #[getter]
    fn expires_at(&self) -> PyResult<Option<jiff::Timestamp>> {
        self.0.metadata.expires_at.map(datetime).transpose()
    }

    #[getter]
    fn description(&self) -> Option<&str> {
        self.0.metadata.description.as_ref().map(secretkit::Description::as_str)
    }

    #[getter]
    fn tags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.metadata.tags.iter().collect::<Vec<_>>())
    }

    #[getter]
    fn created_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.created.at)
    }

    #[getter]
    fn created_by(&self) -> &str {
        self.0.created.by.as_str()
    }

    #[getter]
    fn updated_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.updated.at)
    }

    #[getter]
    fn updated_by(&self) -> &str {
        self.0.updated.by.as_str()
    }

    #[getter]
    fn value_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.valued.at)
    }

    #[getter]
    fn value_by(&self) -> &str {
        self.0.valued.by.as_str()
    }

    fn __repr__(&self) -> String {
        format!("SecretInfo('{}', revision={})", self.0.address, self.0.revision)
    }
}

/// A timestamp that Python's calendar may or may not reach: a row can hold any integer.
fn datetime(at: Timestamp) -> PyResult<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_err(|_| pyo3::exceptions::PyOverflowError::new_err("the time is outside every calendar"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SecretInfo>()
}
