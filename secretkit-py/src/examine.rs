//! A look at a store from outside.

use pyo3::prelude::*;

use crate::error::Result;
use crate::gate::detached;
use crate::store::Store;

/// One thing that was looked at in a store from outside, in plain words. No value and no password is in it.
#[pyclass(frozen, module = "secretkit", name = "StoreCheck")]
pub(crate) struct StoreCheck(secretkit::store::StoreCheck);

#[pymethods]
impl StoreCheck {
    /// What was looked at, in a word or two that stay the same.
    #[getter]
    fn check(&self) -> &str {
        self.0.check
    }

    /// `secure`, `weak` or `insecure`.
    #[getter]
    fn rating(&self) -> &str {
        self.0.rating.as_str()
    }

    #[getter]
    fn finding(&self) -> &str {
        &self.0.finding
    }

    /// What to do, where something is to be done.
    #[getter]
    fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("StoreCheck('{}', '{}')", self.0.check, self.0.rating)
    }
}

/// Looks at the store, which may not be open.
pub(crate) fn examine(py: Python<'_>, store: &Store) -> Result<Vec<StoreCheck>> {
    let found = detached(py, || store.examine())?;
    Ok(found.into_iter().map(StoreCheck).collect())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<StoreCheck>()
}
