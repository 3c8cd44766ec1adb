//! Keyword arguments of calls that take many. One that is not given leaves things as they are, and `None` takes away:
//! a default could not tell the two apart.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyString};
use secretkit::{Error, Fault};

use crate::error::Result;
use crate::text;

/// Hands out one keyword after the other, and then knows which nobody asked for.
pub(crate) struct Keywords<'py>(Option<Bound<'py, PyDict>>);

impl<'py> Keywords<'py> {
    /// Those of one call; the dict is its own.
    pub(crate) fn new(given: Option<&Bound<'py, PyDict>>) -> Self {
        Self(given.cloned())
    }

    /// One that is `...` was not given: that is the default which the signatures show, for whoever passes one on.
    pub(crate) fn take(&self, name: &str) -> Result<Option<Bound<'py, PyAny>>> {
        let Some(given) = &self.0 else { return Ok(None) };
        let value = given.get_item(name)?;
        if value.is_some() {
            given.del_item(name)?;
        }
        Ok(value.filter(|value| !value.is(given.py().Ellipsis())))
    }

    /// The same where `None` says no more than nothing.
    pub(crate) fn some(&self, name: &str) -> Result<Option<Bound<'py, PyAny>>> {
        Ok(self.take(name)?.filter(|value| !value.is_none()))
    }

    /// All have been handed out.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.and_then(|left| left.keys().iter().next()) {
            None => Ok(()),
            Some(name) => Err(PyTypeError::new_err(format!("unexpected keyword argument {}", name.repr()?)).into()),
        }
    }
}

/// A text of this field.
pub(crate) fn string(field: &'static str, value: &Bound<'_, PyAny>) -> Result<String> {
    match value.cast::<PyString>() {
        Ok(value) => Ok(text::field(field, value)?.to_owned()),
        Err(_) => Err(wrong(field, "str", value)?.into()),
    }
}

/// Texts of this field. One string is not several: Python would take it for its letters.
pub(crate) fn strings(field: &'static str, value: &Bound<'_, PyAny>) -> Result<Vec<String>> {
    if value.is_instance_of::<PyString>() {
        return Err(wrong(field, "a list of str", value)?.into());
    }
    let Ok(items) = value.try_iter() else { return Err(wrong(field, "a list of str", value)?.into()) };
    items.map(|item| string(field, &item?)).collect()
}

pub(crate) fn boolean(field: &'static str, value: &Bound<'_, PyAny>) -> Result<bool> {
    match value.cast::<PyBool>() {
        Ok(value) => Ok(value.is_true()),
        Err(_) => Err(wrong(field, "bool", value)?.into()),
    }
}

/// How many superseded values to keep.
pub(crate) fn count(field: &'static str, value: &Bound<'_, PyAny>) -> Result<u32> {
    if !value.is_exact_instance_of::<PyInt>() {
        return Err(wrong(field, "int", value)?.into());
    }
    let fault = Fault::Shape("it is a number from 0 to 4294967295");
    value.extract().map_err(|_| Error::InvalidMetadata { field, fault }.into())
}

/// Something of another type. Tells the type and never the value: people paste secrets anywhere.
pub(crate) fn wrong(field: &'static str, expected: &str, value: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    Ok(PyTypeError::new_err(format!("{field} is {expected}, not {}", value.get_type().name()?)))
}
