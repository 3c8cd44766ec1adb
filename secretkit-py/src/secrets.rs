//! An opened store: what a host, an application or a test holds.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::{
    Access, Consumer, Error, Generation, MemoryStore, PartKind, PutMode, Resolved, RootKey, Scope, SecretId,
    SecretName, SecretRef, SecretRequest, StableId,
};
use secretkit_exchange::{Existing, Reach, Template};

use crate::edit::Edit;
use crate::error::{Result, usage};
use crate::examine::{self, StoreCheck};
use crate::exchange::{Choice, ExchangeFile, Imported, Unavailable};
use crate::gate::detached;
use crate::info::{ConsumerInfo, RevisionInfo, SecretInfo, datetime};
use crate::keywords::{self, Keywords};
use crate::listing::{self, Effectives, SecretInfos, Selection};
use crate::moment::Moment;
use crate::store::{Store, announce, default_scope, warn_of};
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
            at_org.create(py, &name, &value, None)?;
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
        Ok(Self {
            store: Arc::clone(&self.store),
            scope: text::scope_with(&self.scope, org, project, domain)?,
            options,
        })
    }

    #[getter]
    fn scope(&self) -> String {
        self.scope.to_string()
    }

    #[getter]
    fn cache_told(&self, py: Python<'_>) -> Option<bool> {
        detached(py, || self.store.cache_state()).map(|state| state.told)
    }

    #[getter]
    fn cache_stale_since(&self, py: Python<'_>) -> PyResult<Option<jiff::Timestamp>> {
        let staleness = detached(py, || self.store.cache_state()).and_then(|state| state.staleness);
        staleness.map(|staleness| datetime(staleness.since)).transpose()
    }

    /// Keeps a new secret. Raises `AlreadyExists` if there is one of that name.
    #[pyo3(
        signature = (name, value, **metadata),
        text_signature = "($self, name, value, *, description=..., tags=..., expires=..., active=..., keep=...)"
    )]
    fn create(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        self.put_value(py, name, value, PutMode::Create, Edit::of_new(Keywords::new(metadata))?)
    }

    /// Keeps a secret, whether there is one of that name or not. An existing one keeps its id, its history, and the
    /// metadata that is not given.
    #[pyo3(
        signature = (name, value, **metadata),
        text_signature = "($self, name, value, *, description=..., tags=..., add_tags=..., remove_tags=..., \
                          expires=..., active=..., keep=...)"
    )]
    fn put(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        self.put_value(py, name, value, PutMode::Overwrite, Edit::of(Keywords::new(metadata))?)
    }

    /// Gives an existing secret a new value. Raises `NotFound` if there is none.
    ///
    /// With `generation`, only if nobody has changed it since it was at that generation; else raises `Conflict`.
    #[pyo3(
        signature = (name=None, value=None, *, id=None, generation=None, **metadata),
        text_signature = "($self, name=None, value=..., *, id=None, generation=None, description=..., tags=..., \
                          add_tags=..., remove_tags=..., expires=..., active=..., keep=...)"
    )]
    fn update(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        value: Option<&Bound<'_, PyAny>>,
        id: Option<&Bound<'_, PyString>>,
        generation: Option<u64>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        let (secret, value) = (self.secret(py, name, id)?, value::from_python(given("value", value)?)?);
        let (expected, edit) = (expected(generation)?, Edit::of(Keywords::new(metadata))?);
        self.with(py, |secrets| secrets.update_with(secret, &value, &edit.now(secrets)?, expected)).map(SecretInfo)
    }

    /// Changes what is kept about a secret beside its value. Value, digest, id and history stay.
    #[pyo3(
        signature = (name=None, *, id=None, generation=None, **metadata),
        text_signature = "($self, name=None, *, id=None, generation=None, description=..., tags=..., add_tags=..., \
                          remove_tags=..., expires=..., active=..., keep=...)"
    )]
    fn edit(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
        generation: Option<u64>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        let secret = self.secret(py, name, id)?;
        let (expected, edit) = (expected(generation)?, Edit::of(Keywords::new(metadata))?);
        self.with(py, |secrets| secrets.edit(secret, &edit.now(secrets)?, expected)).map(SecretInfo)
    }

    /// The value. Raises `NotFound`, `Inactive` or `Expired`, or `Corrupt` if it was tampered with.
    ///
    /// Do not return secret values from tasks, as this will expose secrets to whatever runs them.
    #[pyo3(signature = (name=None, *, id=None, revision=None))]
    fn get(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
        revision: Option<&Bound<'_, PyAny>>,
    ) -> Result<Py<SecretValue>> {
        let secret = self.secret(py, name, id)?;
        let revision = revision.map(|number| text::number(number, REVISION)).transpose()?;
        let Resolved { value, .. } = self.with(py, |secrets| match revision {
            None => secrets.get(secret),
            Some(revision) => secrets.get_revision(secret, revision),
        })?;
        Ok(value::to_python(py, value)?)
    }

    /// Everything but the value, also of an inactive or expired secret.
    #[pyo3(signature = (name=None, *, id=None))]
    fn info(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretInfo> {
        let secret = self.secret(py, name, id)?;
        self.with(py, |secrets| secrets.info(secret)).map(SecretInfo)
    }

    /// The secrets of the whole org or, if given, at exactly one scope; ordered by name, then scope.
    #[pyo3(
        signature = (scope=None, *, within=None, **conditions),
        text_signature = "($self, scope=None, *, within=None, search=None, tags=None, expiring=None, expired=False, \
                          active=None, unused_since=None)"
    )]
    fn list(
        &self,
        py: Python<'_>,
        scope: Option<&Bound<'_, PyString>>,
        within: Option<&Bound<'_, PyString>>,
        conditions: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<SecretInfo>> {
        let within = listing::within(py, &self.scope, scope, within)?;
        let (secrets, selection) = self.select(py, conditions)?;
        detached(py, || {
            let mut infos = Vec::new();
            for page in selection.pages(&secrets, within) {
                infos.extend(page?.into_iter().map(SecretInfo));
            }
            Ok(infos)
        })
    }

    /// The same one by one: it reads a page at a time, and keeps no more than that.
    #[pyo3(
        signature = (scope=None, *, within=None, **conditions),
        text_signature = "($self, scope=None, *, within=None, search=None, tags=None, expiring=None, expired=False, \
                          active=None, unused_since=None)"
    )]
    fn iterate(
        &self,
        py: Python<'_>,
        scope: Option<&Bound<'_, PyString>>,
        within: Option<&Bound<'_, PyString>>,
        conditions: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfos> {
        let within = listing::within(py, &self.scope, scope, within)?;
        let (secrets, selection) = self.select(py, conditions)?;
        Ok(SecretInfos::new(secrets, within, selection))
    }

    /// What a task gets at this scope or the one that is given: for each name the nearest secret, and what it hides.
    #[pyo3(
        signature = (scope=None, **conditions),
        text_signature = "($self, scope=None, *, search=None, tags=None, expiring=None, expired=False, active=None, \
                          unused_since=None)"
    )]
    fn effective(
        &self,
        py: Python<'_>,
        scope: Option<&Bound<'_, PyString>>,
        conditions: Option<&Bound<'_, PyDict>>,
    ) -> Result<Effectives> {
        let scope = scope.map_or_else(|| Ok(self.scope.clone()), text::scope)?;
        let (secrets, selection) = self.select(py, conditions)?;
        Ok(Effectives::new(secrets, scope, selection))
    }

    /// Removes a secret with its history, and returns what it was. Raises `InUse` while it has consumers.
    #[pyo3(signature = (name=None, *, id=None))]
    fn delete(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretInfo> {
        let secret = self.secret(py, name, id)?;
        self.with(py, |secrets| secrets.delete(secret)).map(SecretInfo)
    }

    /// Looks at the store from outside and says in plain words what was found and what to do, as `secretkit doctor` does.
    /// It changes nothing and opens nothing that is sealed.
    fn examine(&self, py: Python<'_>) -> Result<Vec<StoreCheck>> {
        examine::examine(py, &self.store)
    }

    /// Whether this is the current value. Tells nothing else.
    #[pyo3(
        signature = (name=None, value=None, *, id=None),
        text_signature = "($self, name=None, value=..., *, id=None)"
    )]
    fn verify_value(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        value: Option<&Bound<'_, PyAny>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<bool> {
        let (secret, value) = (self.secret(py, name, id)?, value::from_python(given("value", value)?)?);
        self.with(py, |secrets| secrets.verify_value(secret, &value))
    }

    /// Every value of the secret that is kept, the current one first.
    #[pyo3(signature = (name=None, *, id=None))]
    fn history(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<Vec<RevisionInfo>> {
        let secret = self.secret(py, name, id)?;
        Ok(self.with(py, |secrets| secrets.history(secret))?.into_iter().map(RevisionInfo).collect())
    }

    /// Sets the value of an earlier revision again, as a new revision.
    #[pyo3(signature = (name=None, *, to, id=None, generation=None))]
    fn rollback(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        to: &Bound<'_, PyAny>,
        id: Option<&Bound<'_, PyString>>,
        generation: Option<u64>,
    ) -> Result<SecretInfo> {
        let (secret, to) = (self.secret(py, name, id)?, text::number(to, REVISION)?);
        let expected = expected(generation)?;
        self.with(py, |secrets| secrets.rollback(secret, to, expected)).map(SecretInfo)
    }

    /// Removes superseded values now, all but the last `keep` of them.
    #[pyo3(signature = (name=None, *, keep, id=None))]
    fn prune(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        keep: &Bound<'_, PyAny>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretInfo> {
        let (secret, keep) = (self.secret(py, name, id)?, keywords::count("keep", keep)?);
        self.with(py, |secrets| secrets.prune(secret, keep)).map(SecretInfo)
    }

    /// Registers a consumer of a secret, or notes that it was seen again. From now on the secret cannot be deleted.
    #[pyo3(
        signature = (name=None, consumer=None, *, id=None),
        text_signature = "($self, name=None, consumer=..., *, id=None)"
    )]
    fn add_consumer(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        consumer: Option<&Bound<'_, PyAny>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretInfo> {
        let (secret, consumer) = (self.secret(py, name, id)?, consumer_named(consumer)?);
        self.with(py, |secrets| secrets.add_consumer(secret, &consumer)).map(SecretInfo)
    }

    /// Removes a consumer of a secret. Raises `NotFound` if it is none.
    #[pyo3(
        signature = (name=None, consumer=None, *, id=None),
        text_signature = "($self, name=None, consumer=..., *, id=None)"
    )]
    fn remove_consumer(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        consumer: Option<&Bound<'_, PyAny>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<SecretInfo> {
        let (secret, consumer) = (self.secret(py, name, id)?, consumer_named(consumer)?);
        self.with(py, |secrets| secrets.remove_consumer(secret, &consumer)).map(SecretInfo)
    }

    /// The consumers of a secret by name, with when each was last seen.
    #[pyo3(signature = (name=None, *, id=None))]
    fn consumers(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<Vec<ConsumerInfo>> {
        let secret = self.secret(py, name, id)?;
        Ok(self.with(py, |secrets| secrets.consumers(secret))?.into_iter().map(ConsumerInfo).collect())
    }

    /// Removes the consumers of a secret that were not seen since then, and returns them.
    #[pyo3(signature = (name=None, *, unseen_since, id=None))]
    fn prune_consumers(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        unseen_since: &Bound<'_, PyAny>,
        id: Option<&Bound<'_, PyString>>,
    ) -> Result<Vec<ConsumerInfo>> {
        let secret = self.secret(py, name, id)?;
        let since = Moment::since("unseen_since", unseen_since)?;
        let pruned =
            self.with(py, |secrets| secrets.prune_consumers(secret, since.at("unseen_since", secrets.clock().now())?))?;
        Ok(pruned.into_iter().map(ConsumerInfo).collect())
    }

    /// Puts the secrets of a file into this scope, all of them or none. Raises `AlreadyExists` unless `overwrite` is true.
    /// With `dry_run` it only tells what would happen.
    #[pyo3(signature = (path, format=None, *, overwrite=false, dry_run=false))]
    fn import_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        format: Option<&Bound<'_, PyString>>,
        overwrite: bool,
        dry_run: bool,
    ) -> Result<Imported> {
        let (file, existing) = (ExchangeFile::new(py, path, format)?, existing(overwrite));
        if dry_run {
            file.plan(py, &self.store, &self.scope, existing)
        } else {
            file.import(py, &self.store, &self.scope, existing)
        }
    }

    /// Writes the secrets at exactly this scope into a file of mode 0600, in plain, and returns their addresses.
    #[pyo3(signature = (path, format=None, *, names=None, overwrite=false, effective=false, skip_unavailable=false))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn export_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        format: Option<&Bound<'_, PyString>>,
        names: Option<&Bound<'_, PyAny>>,
        overwrite: bool,
        effective: bool,
        skip_unavailable: bool,
    ) -> Result<Vec<String>> {
        let file = ExchangeFile::new(py, path, format)?;
        let names = names.map(|names| keywords::strings("names", names)).transpose()?.unwrap_or_default();
        let names = names.iter().map(|name| name.parse()).collect::<secretkit::Result<Vec<SecretName>>>()?;
        let reach = if effective { Reach::Effective } else { Reach::Exactly };
        let unavailable = if skip_unavailable { Unavailable::Skip } else { Unavailable::Refuse };
        let choice = Choice { names, reach, unavailable };
        file.export(py, &self.store, &self.scope, &choice, existing(overwrite))
    }

    /// Records now which secrets were read since the last time. It happens by itself when a task ends, when the
    /// process exits, and about once a minute.
    fn record_uses(&self, py: Python<'_>) {
        detached(py, || self.store.record_uses());
    }

    /// A template filled with what a task at this scope would get. With `dry_run` no value is opened, and
    /// `<SECRET:NAME>` stands in its place.
    #[pyo3(signature = (template, *, dry_run=false))]
    fn render<'py>(
        &self,
        py: Python<'py>,
        template: &Bound<'py, PyString>,
        dry_run: bool,
    ) -> Result<Bound<'py, PyString>> {
        let not_unicode = |_| Error::InvalidTemplate { line: 1, what: "it is not Unicode".to_owned() };
        let source = template.to_str().map_err(not_unicode)?;
        if dry_run {
            let text = detached(py, || Ok::<_, Error>(Template::parse(source)?.dry_run()))?;
            return Ok(PyString::new(py, &text));
        }
        let template = detached(py, || Template::parse(source))?;
        let text = self.with(py, |secrets| template.fill(secrets, &self.scope))?;
        value::text(py, &text)
    }

    fn __repr__(&self) -> String {
        format!("<Secrets at {}>", self.scope)
    }
}

impl Secrets {
    pub(crate) fn new(store: Store, scope: Scope) -> Self {
        Self { store: Arc::new(store), scope, options: DeliveryOptions::default() }
    }

    pub(crate) fn deliver(
        &self,
        requests: &[SecretRequest],
        consumer: Option<Consumer>,
    ) -> secretkit::Result<Delivery> {
        let mut options = self.options.clone();
        options.consumer = consumer;
        Delivery::prepare(&*self.store.existing()?, &self.scope, requests, &options)
    }

    pub(crate) fn resolve(&self, request: &SecretRequest) -> secretkit::Result<Resolved> {
        self.store.existing()?.resolve(&self.scope, request)
    }

    pub(crate) fn variable_prefix(&self) -> &str {
        &self.options.variable_prefix
    }

    /// Does this with the store that is there.
    fn with<T: Send>(
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

    fn put_value(
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

    fn select(
        &self,
        py: Python<'_>,
        conditions: Option<&Bound<'_, PyDict>>,
    ) -> Result<(Arc<secretkit::Secrets>, Selection)> {
        let secrets = detached(py, || self.store.existing())?;
        let selection = Selection::of(Keywords::new(conditions), secrets.clock().now())?;
        Ok((secrets, selection))
    }

    /// The secret that a call names, one way or the other. An id is looked for in this org.
    fn secret(
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
    fn address(&self, name: &Bound<'_, PyString>) -> Result<SecretId> {
        let text = text::part(PartKind::Key, name)?;
        if text.contains(':') {
            return Ok(text.parse()?);
        }
        Ok(SecretId::new(self.scope.clone(), text.parse::<SecretName>()?))
    }
}

const REVISION: &str = "a revision is a number from 1";

const fn existing(overwrite: bool) -> Existing {
    if overwrite { Existing::Replace } else { Existing::Refuse }
}

fn expected(generation: Option<u64>) -> Result<Option<Generation>> {
    let from_one = |number| Generation::new(number).ok_or(Error::InvalidRequest("generation is a number from 1"));
    Ok(generation.map(from_one).transpose()?)
}

/// What stands behind a name that may be left out, and so seems to Python as if it might be left out, too.
fn given<'a, 'py>(argument: &str, value: Option<&'a Bound<'py, PyAny>>) -> Result<&'a Bound<'py, PyAny>> {
    value.ok_or_else(|| PyTypeError::new_err(format!("missing required argument '{argument}'")).into())
}

fn consumer_named(consumer: Option<&Bound<'_, PyAny>>) -> Result<Consumer> {
    Ok(keywords::string("consumer", given("consumer", consumer)?)?.parse()?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Secrets>()
}
