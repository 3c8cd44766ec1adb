//! `current_context().secrets`: what one task requested, or what the process may read outside of any task.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::deliver::Delivery;
use secretkit::{Error, Resolved, Revision, SecretName, SecretRequest, SecretValue, VariableName};

use crate::error::{Result, no_task};
use crate::gate::detached;
use crate::request::Request;
use crate::secrets::Secrets;
use crate::variable::Variable;
use crate::{text, value};

/// `current_context().secrets`: what the running task requested.
///
/// Of `group` and `key`, one alone is the key. `group_version` is the number of a revision; a secret that was
/// requested with one is read with it. `secrets.GROUP.KEY` is short for `secrets.get("GROUP", "KEY")`.
///
/// Outside of any task, `get` reads whatever the process is configured to read, each time anew.
#[pyclass(frozen, module = "secretkit", name = "TaskSecrets")]
pub(crate) struct TaskSecrets(Source);

enum Source {
    /// What a task requested.
    Task { asked: Vec<Asked>, delivered: Mutex<Delivered>, unregistered: Option<String> },
    /// What the session that this function returns can read.
    Session(Py<PyAny>),
}

/// A request with the variable that it sets, as `get` looks for it.
struct Asked {
    name: SecretName,
    revision: Option<Revision>,
    variable: Option<VariableName>,
}

enum Delivered {
    /// The task requested nothing, so no store was asked.
    Nothing,
    Fetched(Box<Delivery>),
    /// The task has ended: values are wiped and files are gone.
    Ended,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Bytes,
}

#[pymethods]
impl TaskSecrets {
    /// Fetches what a task requested, and registers it as a consumer of that if it has a name.
    #[staticmethod]
    #[pyo3(signature = (secrets, requests, consumer=None))]
    fn _of_task(
        py: Python<'_>,
        secrets: &Bound<'_, Secrets>,
        requests: Vec<Py<Request>>,
        consumer: Option<&Bound<'_, PyString>>,
    ) -> Result<Self> {
        let requests: Vec<SecretRequest> = requests.iter().map(|request| request.get().0.clone()).collect();
        let secrets = secrets.get();
        let asked = requests.iter().map(|request| Asked::new(request, secrets)).collect::<Result<_>>()?;
        let consumer = consumer.map(|name| text::consumer(name));
        // A name that is none ends no task: it is not registered, and that is all.
        let (consumer, no_name) = match consumer.transpose() {
            Ok(consumer) => (consumer, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let delivery = detached(py, || secrets.deliver(&requests, consumer))?;
        let unregistered = no_name.or_else(|| delivery.registration().err().map(ToString::to_string));
        let delivered = Mutex::new(Delivered::Fetched(Box::new(delivery)));
        Ok(Self(Source::Task { asked, delivered, unregistered }))
    }

    /// Of a task that requested nothing.
    #[staticmethod]
    fn _of_nothing() -> Self {
        Self(Source::Task { asked: Vec::new(), delivered: Mutex::new(Delivered::Nothing), unregistered: None })
    }

    /// Whatever the session that `session` returns can read.
    #[staticmethod]
    fn _of_session(session: Py<PyAny>) -> Self {
        Self(Source::Session(session))
    }

    /// The value of a secret: `str`, or `bytes` with `encode_mode="rb"`.
    ///
    /// Nothing is stripped from it. Raises `NotRequested` if the task did not request the secret, `NotFound` if there
    /// is none, `Expired` if it has expired since the task started, and `InvalidEncoding` if text was asked for and it
    /// is none.
    ///
    /// Do not return secret values from tasks, as this will expose secrets to whatever runs them: its logs, its
    /// database, its control plane.
    #[pyo3(
        signature = (group=None, key=None, group_version=None, encode_mode=None),
        text_signature = "($self, group=None, key=None, group_version=None, encode_mode='r')"
    )]
    fn get<'py>(
        &self,
        py: Python<'py>,
        group: Option<&Bound<'py, PyString>>,
        key: Option<&Bound<'py, PyString>>,
        group_version: Option<&Bound<'py, PyAny>>,
        encode_mode: Option<&Bound<'py, PyString>>,
    ) -> Result<Bound<'py, PyAny>> {
        let form = encode_mode.map_or(Ok(Form::Text), Form::of)?;
        let (group, key) = text::group_and_key(group, key)?;
        let revision = group_version.map(text::revision).transpose()?;
        match &self.0 {
            Source::Task { asked, delivered, .. } => {
                let unasked;
                let name = match asked.iter().find(|asked| asked.is(group, key, revision)) {
                    Some(asked) => &asked.name,
                    // Not asked for, unless it is no name at all: either is an error, and this finds out which.
                    None => {
                        unasked = SecretName::from_parts(group, key)?;
                        &unasked
                    }
                };
                match &*lock(delivered) {
                    Delivered::Fetched(delivery) => form.of_value(py, &delivery.get(name, revision)?.value),
                    Delivered::Nothing => Err(not_requested(name.clone(), "by this task").into()),
                    Delivered::Ended => Err(ended().into()),
                }
            }
            Source::Session(session) => {
                let mut request = SecretRequest::new(SecretName::from_parts(group, key)?);
                request.revision = revision;
                let session = session.call0(py)?;
                let session = session.cast_bound::<Secrets>(py).map_err(PyErr::from)?.get();
                let Resolved { value, .. } = detached(py, || session.resolve(&request))?;
                form.of_value(py, &value)
            }
        }
    }

    /// The name of the environment variable that the task requested the secret in.
    #[pyo3(signature = (group=None, key=None, group_version=None))]
    fn get_secrets_env_var(
        &self,
        py: Python<'_>,
        group: Option<&Bound<'_, PyString>>,
        key: Option<&Bound<'_, PyString>>,
        group_version: Option<&Bound<'_, PyAny>>,
    ) -> Result<String> {
        let name = text::name(group, key)?;
        let revision = group_version.map(text::revision).transpose()?;
        let Source::Task { asked, .. } = &self.0 else {
            return Err(no_task(py, &name, "as an environment variable"));
        };
        let mut in_variables = asked.iter().filter(|asked| asked.name == name && asked.variable.is_some());
        let is_there = in_variables.clone().next().is_some();
        let what = if is_there { "in this revision" } else { "as an environment variable" };
        in_variables
            .find(|asked| asked.revision == revision)
            .and_then(|asked| asked.variable.as_ref().map(ToString::to_string))
            .ok_or_else(|| not_requested(name, what).into())
    }

    /// The path of the file that the task requested the secret as. It is gone when the task ends.
    #[pyo3(signature = (group=None, key=None, group_version=None))]
    fn get_secrets_file<'py>(
        &self,
        py: Python<'py>,
        group: Option<&Bound<'_, PyString>>,
        key: Option<&Bound<'_, PyString>>,
        group_version: Option<&Bound<'_, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let name = text::name(group, key)?;
        let revision = group_version.map(text::revision).transpose()?;
        let path: PathBuf = match &self.0 {
            Source::Task { delivered, .. } => match &*lock(delivered) {
                Delivered::Fetched(delivery) => delivery.file_at(&name, revision)?.to_owned(),
                Delivered::Nothing => return Err(not_requested(name, "as a file").into()),
                Delivered::Ended => return Err(ended().into()),
            },
            Source::Session(_) => return Err(no_task(py, &name, "as a file")),
        };
        // Python's str of a path, as `open` and `os` take it.
        let Ok(path) = path.into_os_string().into_pyobject(py);
        Ok(path.into_any())
    }

    /// The environment variables that the task requested.
    fn _variables(&self) -> Vec<Variable> {
        let Source::Task { delivered, .. } = &self.0 else { return Vec::new() };
        let Delivered::Fetched(delivery) = &*lock(delivered) else { return Vec::new() };
        delivery.environment().iter().map(Variable::new).collect()
    }

    /// Why the task could not be registered as a consumer, if it was to be and could not.
    #[getter]
    fn _unregistered(&self) -> Option<&str> {
        match &self.0 {
            Source::Task { unregistered, .. } => unregistered.as_deref(),
            Source::Session(_) => None,
        }
    }

    /// Ends the task: wipes the values and removes the files.
    fn _end(&self, py: Python<'_>) -> Result<()> {
        let Source::Task { delivered, .. } = &self.0 else { return Ok(()) };
        let delivered = std::mem::replace(&mut *lock(delivered), Delivered::Ended);
        match delivered {
            Delivered::Fetched(delivery) => Ok(detached(py, || delivery.close())?),
            Delivered::Nothing | Delivered::Ended => Ok(()),
        }
    }

    /// The group of this name, as in `secrets.GROUP.KEY`.
    fn __getattr__(slf: Py<Self>, name: &Bound<'_, PyString>) -> Result<Group> {
        let group = attribute(name)?;
        Ok(Group { secrets: slf, group: group.clone().unbind() })
    }

    fn __repr__(&self) -> String {
        match &self.0 {
            Source::Task { asked, .. } => {
                let names: Vec<_> = asked.iter().map(|asked| asked.name.to_string()).collect();
                format!("<TaskSecrets: {}>", names.join(", "))
            }
            Source::Session(_) => "<TaskSecrets outside of a task>".to_owned(),
        }
    }
}

/// The first half of `secrets.GROUP.KEY`.
#[pyclass(frozen, module = "secretkit._secretkit", name = "Group")]
pub(crate) struct Group {
    secrets: Py<TaskSecrets>,
    group: Py<PyString>,
}

#[pymethods]
impl Group {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> Result<Bound<'py, PyAny>> {
        let key = attribute(name)?;
        self.secrets.get().get(py, Some(self.group.bind(py)), Some(key), None, None)
    }
}

impl Asked {
    fn new(request: &SecretRequest, secrets: &Secrets) -> Result<Self> {
        let variable = request.variable_with_prefix(secrets.variable_prefix())?;
        Ok(Self { name: request.name.clone(), revision: request.revision, variable })
    }

    fn is(&self, group: Option<&str>, key: &str, revision: Option<Revision>) -> bool {
        self.name.key().as_str() == key
            && self.name.group().map(secretkit::Part::as_str) == group
            && self.revision == revision
    }
}

impl Form {
    fn of(mode: &Bound<'_, PyString>) -> Result<Self> {
        match mode.to_str() {
            Ok("r") => Ok(Self::Text),
            Ok("rb") => Ok(Self::Bytes),
            _ => Err(Error::InvalidRequest("encode_mode is \"r\" for str or \"rb\" for bytes").into()),
        }
    }

    fn of_value<'py>(self, py: Python<'py>, value: &SecretValue) -> Result<Bound<'py, PyAny>> {
        match self {
            Self::Text => Ok(value::text(py, value)?.into_any()),
            Self::Bytes => Ok(value::bytes(py, value).into_any()),
        }
    }
}

/// Names that begin with an underscore are asked for by Python and its tools, not by people: such a secret is read
/// with `get`.
fn attribute<'a, 'py>(name: &'a Bound<'py, PyString>) -> Result<&'a Bound<'py, PyString>> {
    match name.to_str() {
        Ok(text) if !text.starts_with('_') => Ok(name),
        _ => Err(PyAttributeError::new_err("no such attribute; read a secret of this name with get()").into()),
    }
}

fn not_requested(name: SecretName, what: &'static str) -> Error {
    Error::NotRequested { name, what }
}

fn ended() -> Error {
    Error::InvalidRequest("its task has ended, and the values are wiped")
}

/// Held for a moment and never while detached, so that no fork can find it held.
fn lock(delivered: &Mutex<Delivered>) -> MutexGuard<'_, Delivered> {
    delivered.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TaskSecrets>()?;
    module.add_class::<Group>()
}
