//! The store behind a `Secrets` object: opened when it is first needed, made by the first write.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::{
    Actor, CacheState, Caching, Created, Error, ErrorKind, Fault, KeyUrl, Part, PartKind, Scope, SecretName,
    SecretValue, Settings, StoreUrl, VariableName, cache_time,
};

use crate::error::{Result, usage};
use crate::gate::detached;
use crate::keywords;
use crate::secrets::Secrets;
use crate::text;

/// A store and its root key, shared by all `Secrets` objects that look at it from different scopes.
pub(crate) struct Store {
    settings: Settings,
    opened: Mutex<Option<Arc<secretkit::Secrets>>>,
    /// Why the anchor is behind, as it was last told.
    told: Mutex<Option<String>>,
}

impl Store {
    /// One in this process's memory, that is open already.
    pub(crate) fn opened(secrets: secretkit::Secrets) -> Self {
        let mut settings = Settings::default();
        settings.store = Some(StoreUrl::Memory);
        Self { settings, opened: Mutex::new(Some(Arc::new(secrets))), told: Mutex::default() }
    }

    /// Makes nothing. To be called detached: it may wait.
    pub(crate) fn existing(&self) -> secretkit::Result<Arc<secretkit::Secrets>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secrets) = &*opened {
            return Ok(Arc::clone(secrets));
        }
        let secrets = Arc::new(self.settings.open_existing()?);
        *opened = Some(Arc::clone(&secrets));
        remember(&secrets);
        Ok(secrets)
    }

    /// Makes the store where there is none, and says what it made that nobody named. To be called detached: it may wait.
    pub(crate) fn or_create(&self) -> secretkit::Result<(Arc<secretkit::Secrets>, Created)> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secrets) = &*opened {
            return Ok((Arc::clone(secrets), Created::default()));
        }
        let (secrets, mut created) = self.settings.open_or_create()?;
        created.store = created.store.filter(|_| self.settings.store.is_none());
        let secrets = Arc::new(secrets);
        *opened = Some(Arc::clone(&secrets));
        remember(&secrets);
        Ok((secrets, created))
    }

    /// How many bytes a value may have.
    pub(crate) fn value_limit(&self) -> usize {
        self.settings.value_limit.unwrap_or(secretkit::Secrets::DEFAULT_VALUE_LIMIT)
    }

    /// How it is with the cache in front of it, if there is one.
    pub(crate) fn cache_state(&self) -> Option<CacheState> {
        self.settings.cache.as_ref()?.state()
    }

    /// Looks at it from outside. To be called detached: it may wait.
    pub(crate) fn examine(&self) -> secretkit::Result<Vec<secretkit::store::StoreCheck>> {
        self.settings.store_url()?.examine()
    }

    /// Why the anchor is behind, where that was not told yet.
    pub(crate) fn new_anchor_lag(&self, secrets: &secretkit::Secrets) -> Option<String> {
        let lag = secrets.anchor_lag();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let new = lag.clone().filter(|_| *told != lag);
        *told = lag;
        new
    }

    /// Records what was read of it, if it is open. To be called detached: it may wait.
    pub(crate) fn record_uses(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secrets) = &*opened {
            secrets.record_uses();
        }
    }
}

/// What is open in this process, to record at its exit what was read of it. Python drops no object at exit.
static OPEN: Mutex<Vec<Weak<secretkit::Secrets>>> = Mutex::new(Vec::new());

fn remember(secrets: &Arc<secretkit::Secrets>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|secrets| secrets.strong_count() > 0);
    open.push(Arc::downgrade(secrets));
}

/// Records what was read and is not recorded yet, as far as that is possible at once: for the exit of the process.
#[pyfunction]
fn record_uses(py: Python<'_>) {
    detached(py, || {
        let open: Vec<_> =
            OPEN.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|secrets| secrets.record_uses());
    });
}

/// What a host configured: understood, and not looked for yet.
#[pyclass(frozen, module = "secretkit._secretkit")]
struct Configured(Settings);

#[pymethods]
impl Configured {
    #[new]
    #[pyo3(signature = (store, key, key_file, actor, previous_keys, org_keys, anchor, keep, value_limit, cache, cache_stale, /))]
    #[expect(clippy::too_many_arguments, reason = "what a host may say, each as it is")]
    fn new(
        py: Python<'_>,
        store: Option<&Bound<'_, PyString>>,
        key: Option<&Bound<'_, PyString>>,
        key_file: Option<PathBuf>,
        actor: Option<&Bound<'_, PyString>>,
        previous_keys: Vec<Bound<'_, PyString>>,
        org_keys: Vec<(Bound<'_, PyString>, Bound<'_, PyString>)>,
        anchor: Option<PathBuf>,
        keep: Option<&Bound<'_, PyAny>>,
        value_limit: Option<&Bound<'_, PyAny>>,
        cache: Option<&Bound<'_, PyString>>,
        cache_stale: Option<&Bound<'_, PyString>>,
    ) -> Result<Self> {
        let mut settings = Settings::default();
        let cache = match cache {
            Some(age) => Some(text::field("cache", age)?.parse::<Caching>()?),
            None => None,
        };
        settings.cache = match (cache, cache_stale) {
            (cache, None) => cache,
            (Some(cache), Some(time)) => {
                Some(cache.with_stale_while_away(cache_time(text::field("cache_stale", time)?)?))
            }
            (None, Some(_)) => return Err(usage(py, "cache_stale is for how much longer than cache; give both")),
        };
        if anchor.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(usage(py, "the anchor has no path"));
        }
        if key_file.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(usage(py, "the root key file has no path"));
        }
        settings.anchor = anchor;
        settings.keep = keep.map(|number| keywords::count("keep", number)).transpose()?;
        settings.value_limit = value_limit.map(bytes_of_a_value).transpose()?;
        if let Some(url) = store {
            settings.store = Some(text::field("store", url)?.parse()?);
        }
        settings.key = match (key, key_file) {
            (Some(url), _) => Some(text::field("key", url)?.parse()?),
            (None, Some(path)) => Some(KeyUrl::file(path)?),
            (None, None) => None,
        };
        for url in &previous_keys {
            settings.previous_keys.push(text::field("previous_keys", url)?.parse()?);
        }
        for (org, url) in &org_keys {
            let org = Part::parse(PartKind::Org, text::field("org_keys", org)?)?;
            settings.org_keys.push((org, text::field("org_keys", url)?.parse()?));
        }
        if let Some(name) = actor {
            settings.actor = Some(Actor::parse(text::field("actor", name)?)?);
        }
        Ok(Self(settings))
    }

    /// Opens it, with what the `SECRETKIT_*` variables say now for the rest.
    fn open(&self, py: Python<'_>) -> Result<Secrets> {
        open(py, self.0.clone().or_environment()?)
    }
}

fn bytes_of_a_value(number: &Bound<'_, PyAny>) -> Result<usize> {
    let bytes = keywords::count("value_limit", number)? as usize;
    if !(1..=SecretValue::MAX_BYTES).contains(&bytes) {
        let fault = Fault::Shape("it is a number of bytes from 1 to 1048576");
        return Err(Error::InvalidMetadata { field: "value_limit", fault }.into());
    }
    Ok(bytes)
}

/// Whether these parts of a scope make sense, and whether this prefix can begin the names of variables.
#[pyfunction]
#[pyo3(signature = (org, project, domain, env_prefix, /))]
fn judge_place(
    org: Option<&Bound<'_, PyString>>,
    project: Option<&Bound<'_, PyString>>,
    domain: Option<&Bound<'_, PyString>>,
    env_prefix: Option<&Bound<'_, PyString>>,
) -> Result<()> {
    // The org that is not named here is named elsewhere, and judged there.
    text::scope_with(&Scope::from_parts("default", None, None)?, org, project, domain)?;
    if let Some(prefix) = env_prefix {
        let prefix = text::field("env_prefix", prefix)?;
        VariableName::for_secret(prefix, &SecretName::from_parts(None, "name")?)?;
    }
    Ok(())
}

/// What these settings name, which is not looked for elsewhere.
pub(crate) fn open(py: Python<'_>, settings: Settings) -> Result<Secrets> {
    // A relative path begins at the directory where it was said, wherever the process is when the store is made.
    let settings = settings.absolute()?;
    let scope = settings.scope()?;
    let store = Store { settings, opened: Mutex::default(), told: Mutex::default() };
    // What is wrong with a store that is there should be said now; one that is not there may be made yet.
    match detached(py, || store.existing()) {
        Err(error) if !matches!(error.kind(), ErrorKind::NoStore | ErrorKind::NoRootKey) => Err(error.into()),
        Ok(_) | Err(_) => Ok(Secrets::new(store, scope)),
    }
}

/// Says on standard error what a write made in a place that nobody named: nothing appears on a disk unsaid. Where
/// nobody listens it stays unsaid, because the write is done.
pub(crate) fn announce(py: Python<'_>, created: &Created) {
    let say = |line: String| {
        let said = || py.import("sys")?.getattr("stderr")?.call_method1("write", (line,)).map(drop);
        let _: PyResult<()> = said();
    };
    if let Some(store) = &created.store {
        say(format!("secretkit: made the store {store}\n"));
    }
    if let Some(path) = &created.key {
        let advice = "keep a copy of it, apart from the store: without it no secret opens again";
        say(format!("secretkit: made the root key {}; {advice}\n", path.display()));
    }
}

/// Says that the anchor is behind. Where nobody listens it stays unsaid, because the write is done.
pub(crate) fn warn_of(py: Python<'_>, anchor_lag: Option<String>) {
    if let Some(why) = anchor_lag {
        let said = || py.import("secretkit._anchor")?.call_method1("warn", (why,)).map(drop);
        let _: PyResult<()> = said();
    }
}

/// Makes a root key file that only its owner can read, and its directory. It never writes over one that is there: that
/// raises `AlreadyExists`.
///
/// Keep a copy in a safe place and apart from the store: without it no value of the store opens again.
#[pyfunction]
#[pyo3(signature = (path, /))]
fn create_root_key(py: Python<'_>, path: PathBuf) -> Result<()> {
    detached(py, || secretkit::create_root_key(&path))?;
    Ok(())
}

pub(crate) fn default_scope() -> Result<Scope> {
    Ok(Settings::default().scope()?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(record_uses, module)?)?;
    module.add_class::<Configured>()?;
    module.add_function(wrap_pyfunction!(judge_place, module)?)?;
    module.add_function(wrap_pyfunction!(create_root_key, module)?)
}
