//! What a listing shows. It has no field that could hold a value.

use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use secretkit::{Generation, Part, Timestamp};

/// Everything about a secret but its value: what a listing shows. It was checked against tampering.
///
/// Two are equal where all of it is the same but for the last use, which a write does not tell.
#[pyclass(frozen, module = "secretkit", name = "SecretInfo")]
pub(crate) struct SecretInfo(pub(crate) secretkit::SecretInfo);

#[pymethods]
impl SecretInfo {
    /// What stays the same while the secret lives.
    #[getter]
    fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// `scope:name`, as in `acme/etl:db/password`.
    #[getter]
    fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// `org`, `org/project`, `org/*/domain` or `org/project/domain`.
    #[getter]
    fn scope(&self) -> String {
        self.0.address.scope().to_string()
    }

    /// `key` or `group/key`.
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

    /// Counts the secret's values: 1, 2, 3, …
    #[getter]
    fn revision(&self) -> u64 {
        self.0.revision.number()
    }

    /// Counts every change of the secret; `update(..., generation=...)` takes it.
    #[getter]
    fn generation(&self) -> u64 {
        self.0.generation.number()
    }

    /// The oldest revision that is kept.
    #[getter]
    fn first_revision(&self) -> u64 {
        self.0.first_revision.number()
    }

    /// How many superseded values it keeps; `None` is the standard of the store.
    #[getter]
    fn keep(&self) -> Option<u32> {
        self.0.keep
    }

    /// A keyed fingerprint of the value. Equal values at two addresses have different ones.
    #[getter]
    fn digest(&self) -> String {
        self.0.digest.to_string()
    }

    #[getter]
    fn active(&self) -> bool {
        self.0.metadata.is_active()
    }

    /// When it was switched off; `None` while it is active.
    #[getter]
    fn inactive_since(&self) -> PyResult<Option<jiff::Timestamp>> {
        self.0.metadata.inactive_since.map(datetime).transpose()
    }

    /// From when on it cannot be read.
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

    /// When the value was last set.
    #[getter]
    fn value_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.valued.at)
    }

    #[getter]
    fn value_by(&self) -> &str {
        self.0.valued.by.as_str()
    }

    /// When its value was last delivered or read, to the minute, as far as that was recorded.
    ///
    /// `info`, `list`, `iterate` and `effective` tell it. What a write returns does not: there it is `None`.
    #[getter]
    fn last_used_at(&self) -> PyResult<Option<jiff::Timestamp>> {
        self.0.last_used().map(|used| datetime(used.at)).transpose()
    }

    /// Who did that: the actor.
    #[getter]
    fn last_used_by(&self) -> Option<&str> {
        self.0.last_used().map(|used| used.by.as_str())
    }

    /// Whether all of it is the same but for the last use, which a write does not tell.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.state() == other.get().state())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.state().hash(&mut hasher);
        hasher.finish()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("SecretInfo('{}', revision={})", self.0.address, self.0.revision)
    }
}

impl SecretInfo {
    /// What tells each state of a secret from every other: any change makes a generation, but for a key or a store that is
    /// another, which makes a digest.
    fn state(&self) -> (String, Generation, String) {
        (self.0.id.to_string(), self.0.generation, self.0.digest.to_string())
    }
}

/// One value of a secret, as a history shows it. It was checked against tampering.
#[pyclass(frozen, module = "secretkit", name = "RevisionInfo")]
pub(crate) struct RevisionInfo(pub(crate) secretkit::RevisionInfo);

#[pymethods]
impl RevisionInfo {
    #[getter]
    fn revision(&self) -> u64 {
        self.0.revision.number()
    }

    /// The keyed fingerprint of the value. Equal digests of one secret are equal values.
    #[getter]
    fn digest(&self) -> String {
        self.0.digest.to_string()
    }

    /// When it was set.
    #[getter]
    fn value_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.valued.at)
    }

    #[getter]
    fn value_by(&self) -> &str {
        self.0.valued.by.as_str()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("RevisionInfo({})", self.0.revision)
    }
}

/// A named thing that uses a secret and so blocks its deletion. It was checked against tampering.
#[pyclass(frozen, module = "secretkit", name = "ConsumerInfo")]
pub(crate) struct ConsumerInfo(pub(crate) secretkit::ConsumerInfo);

#[pymethods]
impl ConsumerInfo {
    #[getter]
    fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// When it was last seen.
    #[getter]
    fn seen_at(&self) -> PyResult<jiff::Timestamp> {
        datetime(self.0.seen.at)
    }

    /// Who said so: the actor.
    #[getter]
    fn seen_by(&self) -> &str {
        self.0.seen.by.as_str()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("ConsumerInfo({})", PyString::new(py, self.name()).repr()?))
    }
}

/// What a task gets for one name, and what that hides.
#[pyclass(frozen, module = "secretkit", name = "Effective")]
pub(crate) struct Effective {
    /// The secret that answers, also where it is inactive or expired: then the task gets an error.
    #[pyo3(get)]
    info: Py<SecretInfo>,
    /// The secrets of the same name that it hides, nearest first.
    #[pyo3(get)]
    hides: Py<PyTuple>,
}

#[pymethods]
impl Effective {
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Effective('{}', hides={})", self.info.get().0.address, self.hides.bind(py).len())
    }
}

impl Effective {
    pub(crate) fn new(py: Python<'_>, effective: secretkit::Effective) -> PyResult<Self> {
        let secretkit::Effective { info, hides, .. } = effective;
        let hides = hides.into_iter().map(SecretInfo).collect::<Vec<_>>();
        Ok(Self { info: Py::new(py, SecretInfo(info))?, hides: PyTuple::new(py, hides)?.unbind() })
    }
}

/// A timestamp that Python's calendar may or may not reach: a row can hold any integer.
pub(crate) fn datetime(at: Timestamp) -> PyResult<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_err(|_| pyo3::exceptions::PyOverflowError::new_err("the time is outside every calendar"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SecretInfo>()?;
    module.add_class::<RevisionInfo>()?;
    module.add_class::<ConsumerInfo>()?;
    module.add_class::<Effective>()
}
