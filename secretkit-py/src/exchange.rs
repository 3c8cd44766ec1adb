//! Files in and out. No value of theirs becomes a Python object on the way.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::{Error, Scope, SecretId, SecretName};
use secretkit_exchange::{Existing, Format, Reach, Selected};

use crate::error::{Result, usage};
use crate::gate::detached;
use crate::store::{Store, announce, warn_of};
use crate::text;

/// What `Secrets.import_file` did, or with `dry_run` would do.
#[pyclass(frozen, module = "secretkit", name = "Imported")]
pub(crate) struct Imported(secretkit_exchange::Imported);

#[pymethods]
impl Imported {
    /// The addresses of the secrets that are new.
    #[getter]
    fn created(&self) -> Vec<String> {
        self.0.created.iter().map(SecretId::to_string).collect()
    }

    /// The addresses of the secrets that were there, and have a new value.
    #[getter]
    fn updated(&self) -> Vec<String> {
        self.0.updated.iter().map(SecretId::to_string).collect()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("Imported(created={}, updated={})", self.0.created.len(), self.0.updated.len())
    }
}

/// A file, or a directory of files, and how secrets are written in it.
pub(crate) struct ExchangeFile {
    path: PathBuf,
    format: Format,
}

/// What an export takes.
pub(crate) struct Choice {
    pub(crate) names: Vec<SecretName>,
    pub(crate) reach: Reach,
    pub(crate) unavailable: Unavailable,
}

/// What to do about inactive and expired secrets.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Unavailable {
    Refuse,
    Skip,
}

impl ExchangeFile {
    /// The format is the one that is named, or that the path tells.
    pub(crate) fn new(py: Python<'_>, path: PathBuf, format: Option<&Bound<'_, PyString>>) -> Result<Self> {
        // In Rust that is standard input, and in Python a file's name like any other.
        let path = if path == Path::new("-") { PathBuf::from("./-") } else { path };
        let format = match format {
            Some(format) => text::field("format", format)?.parse().ok(),
            None => Format::of_path(&path),
        };
        let formats = Format::ALL.map(|format| format!("\"{format}\"")).join(", ");
        let format =
            format.ok_or_else(|| usage(py, &format!("the path does not tell a format; give one of {formats}")));
        Ok(Self { path, format: format? })
    }

    pub(crate) fn import(self, py: Python<'_>, store: &Store, scope: &Scope, existing: Existing) -> Result<Imported> {
        let (outcome, created, anchor_lag) = detached(py, || {
            let entries = self.format.read_path(&self.path)?;
            if entries.is_empty() {
                return Ok((Ok(secretkit_exchange::Imported::default()), secretkit::Created::default(), None));
            }
            // What the file alone can be wrong about is said before anything is made.
            secretkit_exchange::check_lengths(&entries, store.value_limit())?;
            let (secrets, created) = store.or_create()?;
            let outcome = secretkit_exchange::import(&secrets, scope, &entries, existing);
            Ok::<_, Error>((outcome, created, store.new_anchor_lag(&secrets)))
        })?;
        announce(py, &created);
        warn_of(py, anchor_lag);
        Ok(Imported(outcome?))
    }

    /// Where there is no store yet, everything would be new.
    pub(crate) fn plan(self, py: Python<'_>, store: &Store, scope: &Scope, existing: Existing) -> Result<Imported> {
        let planned = detached(py, || {
            let entries = self.format.read_path(&self.path)?;
            secretkit_exchange::check_lengths(&entries, store.value_limit())?;
            match store.existing() {
                Err(Error::NoStore { .. }) => Ok(secretkit_exchange::Imported::all_new(scope, &entries)),
                secrets => secretkit_exchange::plan(&*secrets?, scope, &entries, existing, |_| {}),
            }
        });
        Ok(Imported(planned?))
    }

    /// The addresses of what was written.
    pub(crate) fn export(
        self,
        py: Python<'_>,
        store: &Store,
        scope: &Scope,
        choice: &Choice,
        existing: Existing,
    ) -> Result<Vec<String>> {
        let exported = detached(py, || {
            secretkit_exchange::check_place(&self.path, existing)?;
            let secrets = store.existing()?;
            let selected = secretkit_exchange::select(&secrets, scope, &choice.names, choice.reach)?;
            let Selected { available, refused, .. } = selected;
            if !refused.is_empty() && choice.unavailable == Unavailable::Refuse {
                return Err(Error::Several(refused));
            }
            let entries = secretkit_exchange::values(&secrets, scope, &available, |_| {})?;
            self.format.write_path(&self.path, &entries, existing)?;
            Ok(available.iter().map(|info| info.address.to_string()).collect())
        });
        Ok(exported?)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Imported>()
}
