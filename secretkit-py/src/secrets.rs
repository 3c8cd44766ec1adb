//! An opened store: what a host, an application or a test holds.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::store::Within;
use secretkit::{
    Access, Created, Error, Generation, MemoryStore, PartKind, PutMode, Resolved, RootKey, Scope, SecretId, SecretName,
    SecretRequest,
};

use crate::error::Result;
use crate::gate::detached;
use crate::info::SecretInfo;
use crate::store::{Store, announce, default_scope};
use crate::text;
use crate::value::{self, SecretValue};

/// A store with its root key, seen from a scope. `secretkit.open` makes one.
///
/// A name is `key` or `group/key` at exactly this scope, or a full address such as `acme/etl:db/password`. It is safe
/// to use from many threads.
#[pyclass(frozen, module = "secretkit", name = "Secrets")]
pub(crate) struct Secrets {
    store: Arc<Store>,
    scope: Scope,
    options: DeliveryOptions,
}

#[pymethods]
impl Secrets {
    /// A store in this process's memory with a key of its own, and these secrets in it.
    #[staticmethod]
    #[pyo3(signature = (secrets=None, /, *, org=None, project=None, domain=None))]
    fn in_memory(
        py: Python<'_>,
        secrets: Option<&Bound<'_, PyMapping>>,
        org: Option<&Bound<'_, PyString>>,
        project: Option<&Bound<'_, PyString>>,
        domain: Option<&Bound<'_, PyString>>,
    ) -> Result<Self> {
        let store = Arc::new(MemoryStore::new());
        let opened = secretkit::Secrets::new(store, Arc::new(RootKey::generate()?), Access::Unrestricted);
        let opened = Self::new(Store::opened(opened), default_scope()?);
        let at_org = opened._at(org, None, None, None, None)?;
        for item in secrets.map(|secrets| secrets.items()).transpose()?.iter().flatten() {
            let (name, value): (Bound<'_, PyString>, Bound<'_, PyAny>) = item.extract()?;
            at_org.create(py, &name, &value)?;
        }
        if project.is_none() && domain.is_none() { Ok(at_org) } else { opened._at(org, project, domain, None, None) }
    }

    #[pyo3(signature = (org=None, project=None, domain=None, env_prefix=None, mount_base=None))]
    fn _at(
        &self,
        org: Option<&Bound<'_, PyString>>,
        project: Option<&Bound<'_, PyString>>,
        domain: Option<&Bound<'_, PyString>>,
        env_prefix: Option<&Bound<'_, PyString>>,
        mount_base: Option<PathBuf>,
    ) -> Result<Self> {
        let mut options = self.options.clone();
        if let Some(prefix) = env_prefix {
            options.variable_prefix = text::field("env_prefix", prefix)?.to_owned();
        }
        if let Some(base) = mount_base {
            options.mount_bases = vec![base];
        }
        Ok(Self { store: Arc::clone(&self.store), scope: scope_with(&self.scope, org, project, domain)?, options })
    }

    #[getter]
    fn scope(&self) -> String {
        self.scope.to_string()
    }

    /// Keeps a new secret. Raises `AlreadyExists` if there is one of that name.
    fn create(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> Result<SecretInfo> {
        self.write(py, name, value, PutMode::Create)
    }

    /// Keeps a secret, whether there is one of that name or not. An existing one keeps its id and history.
    fn put(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> Result<SecretInfo> {
        self.write(py, name, value, PutMode::Overwrite)
    }

    /// Gives an existing secret a new value. Raises `NotFound` if there is none.
    ///
    /// With `generation`, only if nobody has changed it since it was at that generation; else raises `Conflict`.
    #[pyo3(signature = (name, value, *, generation=None))]
    fn update(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        generation: Option<u64>,
    ) -> Result<SecretInfo> {
        if let Some(number) = generation {
            let generation = Generation::new(number).ok_or(Error::InvalidRequest("generation is a number from 1"))?;
            return self.write(py, name, value, PutMode::Update(generation));
        }
        let (id, value) = (self.address(name)?, value::from_python(value)?);
        Ok(SecretInfo(detached(py, || self.store.existing()?.update(&id, &value))?))
    }

    /// The value. Raises `NotFound`, `Inactive` or `Expired`, or `Corrupt` if it was tampered with.
    ///
    /// Do not return secret values from tasks, as this will expose secrets to whatever runs them.
    fn get(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> Result<Py<SecretValue>> {
        let id = self.address(name)?;
        let Resolved { value, .. } = detached(py, || self.store.existing()?.get(&id))?;
        Ok(value::to_python(py, value)?)
    }

    /// Everything but the value, also of an inactive or expired secret.
    fn info(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> Result<SecretInfo> {
        let id = self.address(name)?;
        Ok(SecretInfo(detached(py, || self.store.existing()?.info(&id))?))
    }

    /// The secrets of the whole org or, if given, at exactly one scope; ordered by name, then scope.
    #[pyo3(signature = (scope=None))]
    fn list(&self, py: Python<'_>, scope: Option<&Bound<'_, PyString>>) -> Result<Vec<SecretInfo>> {
        let within = match scope {
            Some(scope) => Within::Exactly(text::part(PartKind::Org, scope)?.parse()?),
            None => Within::Org(self.scope.org().clone()),
        };
        detached(py, || {
            let mut infos = Vec::new();
            for page in self.store.existing()?.list(within, 1000) {
                infos.extend(page?.into_iter().map(SecretInfo));
            }
            Ok(infos)
        })
    }

    /// Removes a secret with its history, and returns what it was.
    fn delete(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> Result<SecretInfo> {
        let id = self.address(name)?;
        Ok(SecretInfo(detached(py, || self.store.existing()?.delete(&id))?))
    }

    /// Whether this is the current value. Tells nothing else.
    fn verify_value(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> Result<bool> {
        let (id, value) = (self.address(name)?, value::from_python(value)?);
        Ok(detached(py, || self.store.existing()?.verify_value(&id, &value))?)
    }

    fn __repr__(&self) -> String {
        format!("<Secrets at {}>", self.scope)
    }
}

impl Secrets {
    pub(crate) fn new(store: Store, scope: Scope) -> Self {
        Self { store: Arc::new(store), scope, options: DeliveryOptions::default() }
    }

    pub(crate) fn deliver(&self, requests: &[SecretRequest]) -> secretkit::Result<Delivery> {
        Delivery::prepare(&*self.store.existing()?, &self.scope, requests, &self.options)
    }

    pub(crate) fn resolve(&self, request: &SecretRequest) -> secretkit::Result<Resolved> {
        self.store.existing()?.resolve(&self.scope, request)
    }

    pub(crate) fn variable_prefix(&self) -> &str {
        &self.options.variable_prefix
    }

    fn write(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        mode: PutMode,
    ) -> Result<SecretInfo> {
        let (id, value) = (self.address(name)?, value::from_python(value)?);
        let made_by_put = matches!(mode, PutMode::Create | PutMode::Overwrite);
        let (outcome, created) = detached(py, || {
            let (secrets, created) = match made_by_put {
                true => self.store.or_create()?,
                false => (self.store.existing()?, Created::default()),
            };
            Ok::<_, Error>((secrets.put(&id, &value, mode), created))
        })?;
        announce(py, &created);
        Ok(SecretInfo(outcome?))
    }

    /// The address that a name means here: at this scope, unless it names its own as in `acme/etl:db/password`.
    fn address(&self, name: &Bound<'_, PyString>) -> Result<SecretId> {
        let text = text::part(PartKind::Key, name)?;
        if text.contains(':') {
            return Ok(text.parse()?);
        }
        Ok(SecretId::new(self.scope.clone(), text.parse::<SecretName>()?))
    }
}

/// The scope that these parts make. One that names any part is whole, but for its org: half a scope from here and half
/// from there is nobody's wish.
fn scope_with(
    scope: &Scope,
    org: Option<&Bound<'_, PyString>>,
    project: Option<&Bound<'_, PyString>>,
    domain: Option<&Bound<'_, PyString>>,
) -> Result<Scope> {
    if org.is_none() && project.is_none() && domain.is_none() {
        return Ok(scope.clone());
    }
    let org = org.map_or(Ok(scope.org().as_str()), |org| text::part(PartKind::Org, org))?;
    let project = project.map(|project| text::part(PartKind::Project, project)).transpose()?;
    let domain = domain.map(|domain| text::part(PartKind::Domain, domain)).transpose()?;
    Ok(Scope::from_parts(org, project, domain)?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Secrets>()
}
