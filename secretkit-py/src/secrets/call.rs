//! What each call does: reads what it was given, and does it with the store, detached from Python.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use secretkit::{Consumer, Error, Generation, PartKind, PutMode, SecretId, SecretName, SecretRef, StableId};

use super::Secrets;
use crate::edit::Edit;
use crate::error::{Result, usage};
use crate::gate::detached;
use crate::info::SecretInfo;
use crate::keywords::{self, Keywords};
use crate::listing::Selection;
use crate::store::{announce, warn_of};
use crate::{text, value};

impl Secrets {
    /// Does this with the store that is there.
    pub(super) fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&secretkit::Secrets) -> secretkit::Result<T> + Send,
    ) -> Result<T> {
        let (outcome, anchor_lag) = detached(py, || {
            let secrets = self.store.existing()?;
            let outcome = work(&secrets);
            Ok::<_, Error>((outcome, self.store.new_anchor_lag(&secrets)))
        })?;
        warn_of(py, anchor_lag);
        Ok(outcome?)
    }

    pub(super) fn put_value(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        mode: PutMode,
        edit: Edit,
    ) -> Result<SecretInfo> {
        let (id, value) = (self.address(name)?, value::from_python(value)?);
        let (outcome, created, anchor_lag) = detached(py, || {
            let (secrets, created) = self.store.or_create()?;
            let edit = edit.now(&secrets);
            let outcome = edit.and_then(|edit| secrets.put_with(&id, &value, mode, &edit));
            Ok::<_, Error>((outcome, created, self.store.new_anchor_lag(&secrets)))
        })?;
        announce(py, &created);
        warn_of(py, anchor_lag);
        Ok(SecretInfo(outcome?))
    }

    pub(super) fn select(
        &self,
        py: Python<'_>,
        conditions: Option<&Bound<'_, PyDict>>,
    ) -> Result<(Arc<secretkit::Secrets>, Selection)> {
        let secrets = detached(py, || self.store.existing())?;
        let selection = Selection::of(Keywords::new(conditions), secrets.clock().now())?;
        Ok((secrets, selection))
    }

    /// The secret that a call names, one way or the other. An id is looked for in this org.
    pub(super) fn secret(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretRef> {
        match (name, id) {
            (Some(name), None) => Ok(self.address(name)?.into()),
            (None, Some(id)) => Ok((self.scope.org(), text::field("id", id)?.parse::<StableId>()?).into()),
            (Some(_), Some(_)) => Err(usage(py, "give a name or an id, not both")),
            (None, None) => Err(usage(py, "give a name, or an id with id=")),
        }
    }

    /// The address that a name means here: at this scope, unless it names its own as in `acme/etl:db/password`.
    pub(super) fn address(&self, name: &Bound<'_, PyString>) -> Result<SecretId> {
        let text = text::part(PartKind::Key, name)?;
        if text.contains(':') {
            return Ok(text.parse()?);
        }
        Ok(SecretId::new(self.scope.clone(), text.parse::<SecretName>()?))
    }
}

pub(super) fn expected(generation: Option<&Bound<'_, PyAny>>) -> Result<Option<Generation>> {
    let from_one = |number| {
        let otherwise = || Error::InvalidRequest("generation is a number from 1").into();
        text::whole(number).and_then(Generation::new).ok_or_else(otherwise)
    };
    generation.map(from_one).transpose()
}

/// What stands behind a name that may be left out, and so seems to Python as if it might be left out, too.
pub(super) fn given<'a, 'py>(argument: &str, value: Option<&'a Bound<'py, PyAny>>) -> Result<&'a Bound<'py, PyAny>> {
    value.ok_or_else(|| PyTypeError::new_err(format!("missing required argument '{argument}'")).into())
}

pub(super) fn consumer_named(consumer: Option<&Bound<'_, PyAny>>) -> Result<Consumer> {
    Ok(keywords::string("consumer", given("consumer", consumer)?)?.parse()?)
}
