//! The plaintext of a secret, owned by Rust and wiped when Python lets go of it.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice, PyString};
use secretkit::{Encoding, Error};
use subtle::ConstantTimeEq;

use crate::error::Result;

const REDACTED: &str = "SecretValue('***')";

/// The bytes of a secret, in memory that is wiped when the object goes away.
///
/// It prints as `SecretValue('***')`, cannot be pickled or hashed, and is compared in constant time and only with its
/// like. What `text` and `bytes` return are copies in Python's memory, which nobody can wipe; `expose` avoids them.
#[pyclass(frozen, module = "secretkit", name = "SecretValue")]
pub(crate) struct SecretValue(secretkit::SecretValue);

#[pymethods]
impl SecretValue {
    #[new]
    fn new(value: &Bound<'_, PyAny>) -> Result<Self> {
        from_python(value).map(Self)
    }

    /// The value as text. Raises `InvalidEncoding` if it is not UTF-8, without a byte of it.
    fn text<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyString>> {
        text(py, &self.0)
    }

    /// The value as bytes.
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0)
    }

    /// The value for as long as a block runs: `with value.expose() as view`. `view` is wiped at its end.
    fn expose(slf: Py<Self>) -> Exposed {
        Exposed { value: slf, buffer: std::sync::Mutex::new(None) }
    }

    fn __eq__(&self, other: &Bound<'_, Self>) -> bool {
        equal(&self.0, &other.get().0)
    }

    fn __repr__(&self) -> &'static str {
        REDACTED
    }

    fn __str__(&self) -> &'static str {
        REDACTED
    }

    fn __format__(&self, _spec: &Bound<'_, PyAny>) -> &'static str {
        REDACTED
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a SecretValue cannot be pickled; hand over the secret's name and read it there"))
    }
}

/// What `SecretValue.expose` returns.
#[pyclass(frozen, module = "secretkit._secretkit", name = "Exposed")]
pub(crate) struct Exposed {
    value: Py<SecretValue>,
    buffer: std::sync::Mutex<Option<(Py<PyByteArray>, Py<PyMemoryView>)>>,
}

#[pymethods]
impl Exposed {
    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        let bytes = PyByteArray::new(py, self.value.get().0.expose_secret());
        // As long as the view is there, Python cannot move the bytes and leave a copy behind.
        let view = PyMemoryView::from(bytes.as_any())?;
        let before = self.take().replace((bytes.unbind(), view.clone().unbind()));
        wipe(py, before)?;
        Ok(view)
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        let exposed = self.take().take();
        wipe(py, exposed)
    }
}

impl Exposed {
    fn take(&self) -> std::sync::MutexGuard<'_, Option<(Py<PyByteArray>, Py<PyMemoryView>)>> {
        self.buffer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn wipe(py: Python<'_>, exposed: Option<(Py<PyByteArray>, Py<PyMemoryView>)>) -> PyResult<()> {
    let Some((bytes, view)) = exposed else { return Ok(()) };
    let bytes = bytes.bind(py);
    let zeros = PyByteArray::new_with(py, bytes.len(), |_| Ok(()))?;
    bytes.as_any().set_item(PySlice::full(py), zeros)?;
    // Somebody may hold a view of the view. It shows zeros, which is what counts.
    let _ = view.bind(py).call_method0("release");
    Ok(())
}

/// A value that Python gives.
pub(crate) fn from_python(value: &Bound<'_, PyAny>) -> Result<secretkit::SecretValue> {
    use secretkit::SecretValue as Value;
    if let Ok(text) = value.cast::<PyString>() {
        // A lone surrogate: Python's own error would quote the value.
        let text = text.to_str().map_err(|_| Error::InvalidEncoding { encoding: Encoding::Text, offset: 0 })?;
        return Ok(Value::copied_from(text.as_bytes()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Value::copied_from(bytes.as_bytes()));
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    if let Ok(own) = value.cast::<SecretValue>() {
        return Ok(own.get().0.clone());
    }
    if let Ok(view) = value.cast::<PyMemoryView>() {
        let copy = view.call_method0("tobytes")?;
        return Ok(Value::copied_from(copy.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes()));
    }
    let of = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("a value is str, bytes, bytearray, memoryview or SecretValue, not {of}")).into())
}

/// A value that Python gets.
pub(crate) fn to_python(py: Python<'_>, value: secretkit::SecretValue) -> PyResult<Py<SecretValue>> {
    Py::new(py, SecretValue(value))
}

/// Whether both are the same bytes, in a time that tells nothing but their lengths.
pub(crate) fn equal(one: &secretkit::SecretValue, other: &secretkit::SecretValue) -> bool {
    one.expose_secret().ct_eq(other.expose_secret()).into()
}

pub(crate) fn text<'py>(py: Python<'py>, value: &secretkit::SecretValue) -> Result<Bound<'py, PyString>> {
    match std::str::from_utf8(value.expose_secret()) {
        Ok(text) => Ok(PyString::new(py, text)),
        Err(fault) => Err(Error::InvalidEncoding { encoding: Encoding::Text, offset: fault.valid_up_to() }.into()),
    }
}

pub(crate) fn bytes<'py>(py: Python<'py>, value: &secretkit::SecretValue) -> Bound<'py, PyBytes> {
    PyBytes::new(py, value.expose_secret())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SecretValue>()?;
    module.add_class::<Exposed>()
}
