//! An opened store: what a host, an application or a test holds.

mod call;

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::{Access, Consumer, Error, MemoryStore, PutMode, Resolved, RootKey, Scope, SecretName, SecretRequest};
use secretkit_exchange::{Existing, Reach, Template};

use self::call::{consumer_named, expected, given};
use crate::edit::Edit;
use crate::error::Result;
use crate::examine::{self, StoreCheck};
use crate::exchange::{Choice, ExchangeFile, Imported, Unavailable};
use crate::gate::detached;
use crate::info::{ConsumerInfo, RevisionInfo, SecretInfo, datetime};
use crate::keywords::{self, Keywords};
use crate::listing::{self, Effectives, SecretInfos};
use crate::moment::Moment;
use crate::store::{Store, default_scope};
use crate::text;
use crate::value::{self, SecretValue};

/// A store with its root key, seen from a scope. `secretkit.open` makes one.
///
/// A name is `key` or `group/key` at exactly this scope, or a full address such as `acme/etl:db/password`. In place of
/// the name every call but `create` and `put` takes `id=`, the id of a secret of this org, which stays the same while
/// the secret lives. It is safe to use from many threads.
///
/// `create`, `put`, `update` and `edit` take what people keep about a secret. What is not given stays as it is, and
/// `None` takes it away:
///
/// - `description`: free text of up to 1 KiB. It is not encrypted; whoever can read the store can read it.
/// - `tags`: all labels at once, up to 32; `add_tags` and `remove_tags` change some. They are not encrypted either.
/// - `expires`: from when on it cannot be read: a `datetime` with a time zone, a `date` (to its end, UTC), a
///   `timedelta` from now, or the text that the command takes, such as `"90d"`.
/// - `active`: `False` switches it off at once, `True` on again.
/// - `keep`: how many superseded values to keep; `None` is the standard of the store, 10 unless
///   `open(keep=…)` or `SECRETKIT_KEEP` says otherwise.
///
/// A value has up to 64 KiB unless `open(value_limit=…)` or `SECRETKIT_VALUE_LIMIT` says otherwise.
///
/// What breaks their rules raises `InvalidMetadata`, as does an expiry that has passed.
#[pyclass(frozen, module = "secretkit", name = "Secrets")]
pub(crate) struct Secrets {
    store: Arc<Store>,
    scope: Scope,
    options: DeliveryOptions,
}

#[pymethods]
impl Secrets {
    /// A store in this process's memory, with a key of its own and these secrets in it, for tests.
    ///
    /// Names without a scope belong to the org, where tasks at every scope of it see them.
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

    /// The scope that names without one are at.
    #[getter]
    fn scope(&self) -> String {
        self.scope.to_string()
    }

    /// Whether what others commit is heard of, so that the cache drops it within a second; `None` without a cache.
    #[getter]
    fn cache_told(&self, py: Python<'_>) -> Option<bool> {
        detached(py, || self.store.cache_state()).map(|state| state.told)
    }

    /// Since when the store cannot be reached and what was true before is given; `None` where it is not.
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

    /// Gives an existing secret a new value, and with it new metadata. Raises `NotFound` if there is none.
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
        generation: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        let (secret, value) = (self.secret(py, name, id)?, value::from_python(given("value", value)?)?);
        let (expected, edit) = (expected(generation)?, Edit::of(Keywords::new(metadata))?);
        self.with(py, |secrets| secrets.update_with(secret, &value, &edit.now(secrets)?, expected)).map(SecretInfo)
    }

    /// Changes what is kept about a secret beside its value. Value, digest, id and history stay.
    ///
    /// It makes a new generation and no new revision; where nothing would change, it writes nothing. `generation` is
    /// that of `update`.
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
        generation: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> Result<SecretInfo> {
        let secret = self.secret(py, name, id)?;
        let (expected, edit) = (expected(generation)?, Edit::of(Keywords::new(metadata))?);
        self.with(py, |secrets| secrets.edit(secret, &edit.now(secrets)?, expected)).map(SecretInfo)
    }

    /// The value, or with `revision` the one that it had then. Using it is recorded, see `SecretInfo.last_used_at`.
    ///
    /// Raises `NotFound`, `Inactive` or `Expired`, or `Corrupt` if it was tampered with.
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
    ///
    /// Args:
    ///     scope: Exactly there, `acme/etl/production`.
    ///     within: In a project with all its domains, `acme/etl`; or in an org.
    ///     search: Those with this text in the name, the description or a tag. ASCII letters match in either case.
    ///     tags: Those that have each of these tags.
    ///     expiring: Those that expire from now until then: a `date`, a `datetime`, a `timedelta` from now, or `"30d"`.
    ///     expired: Those whose expiry has passed; with `expiring`, both.
    ///     active: Those that are active, or with `False` those that are switched off.
    ///     unused_since: Those of which no use since then is recorded, and that are themselves older: a `datetime`, a
    ///         `date` (from its beginning, UTC), or a `timedelta` before now, also written as `"90d"`.
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

    /// The same one by one: it reads a page at a time, and keeps no more than that, however many there are.
    ///
    /// A secret that is there all the time appears exactly once.
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

    /// What a task gets at this scope or the one given: for each name the nearest secret, and what it hides.
    ///
    /// The conditions are those of `list` and hold for the secret that answers. It reads a page at a time as `iterate`
    /// does.
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

    /// Removes a secret with its history, and returns what it was.
    ///
    /// Raises `InUse` while it has consumers, whose names are its `consumers`. There is no override: remove them first,
    /// or switch the secret off.
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

    /// Looks at the store from outside and says in plain words what was found and what to do, as `secretkit doctor`
    /// does. It changes nothing and opens nothing that is sealed.
    ///
    /// Of an SQLite file it is what SQLite finds to be wrong with it; of a PostgreSQL store how its server is reached,
    /// who logs in, and what the server does with what it gets. Raises `NoStore` where there is no file, and
    /// `Unavailable` where there is no server.
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

    /// Every value of the secret that is kept, the current one first: when it was set, by whom, and its digest.
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

    /// Sets the value of an earlier revision again, as a new revision. `generation` is that of `update`.
    #[pyo3(signature = (name=None, *, to, id=None, generation=None))]
    fn rollback(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        to: &Bound<'_, PyAny>,
        id: Option<&Bound<'_, PyString>>,
        generation: Option<&Bound<'_, PyAny>>,
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
    ///
    /// A task does that by itself where `configure(register_consumers=True)` says so.
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
    ///
    /// `unseen_since` is what `unused_since` is to `list`.
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

    /// Puts the secrets of a file into exactly this scope, in one commit: all of them or none.
    ///
    /// `format` is `"dotenv"`, `"json"`, `"nextflow"` or `"directory"`; without it the path tells. Raises
    /// `AlreadyExists` with all that are there, unless `overwrite` is true: then they get new values and keep whatever
    /// else is kept about them. With `dry_run` nothing is written or made.
    ///
    /// Raises `InvalidInput` with the place where the file is not what its format says, never with its content, and
    /// `TooLarge`.
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

    /// Writes the secrets at exactly this scope into a file of mode 0600, and returns their addresses.
    ///
    /// The file is not encrypted. `names` are the only ones; with `effective` it is what a task at this scope would get.
    /// An inactive or expired secret raises `Inactive` or `Expired`, unless `skip_unavailable` is true. Raises
    /// `Undeliverable` where the format cannot hold a secret, and where something stands at `path` and `overwrite` is
    /// false. Each secret counts as used.
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

    /// Records now which secrets were read since the last time, as far as that is possible at once.
    ///
    /// It happens by itself when a task ends, when the process exits, and about once a minute while reads go on.
    fn record_uses(&self, py: Python<'_>) {
        detached(py, || self.store.record_uses());
    }

    /// A template filled with what a task at this scope would get.
    ///
    /// `{{ secret.NAME }}` prints a secret, `{{ secret.GROUP.NAME }}` one of a group. With `dry_run` no value is
    /// opened, and `<SECRET:NAME>` stands in its place. Raises `InvalidTemplate`, `NotFound`, `Inactive` or `Expired`.
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
}

const REVISION: &str = "a revision is a number from 1";

const fn existing(overwrite: bool) -> Existing {
    if overwrite { Existing::Replace } else { Existing::Refuse }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Secrets>()
}
