//! Which store, which key, which scope and who: said by the host, by variables, or by the user's own directories.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit_core::seal::RootKeys;
use secretkit_core::{
    Access, Actor, Error, ErrorKind, Fault, KeyProvider, MemoryStore, Part, PartKind, Result, RootKey, Scope,
    SecretStore, SecretValue, Secrets,
};

use crate::anchor::FileAnchor;
use crate::caching::Caching;
use crate::first_use::NewRootKey;
use crate::kept::{self, Kept};
use crate::keys::{AskPassphrase, Asking, Deferred, KeyRole, KeyUrl, Prompted, org_keys_from, previous_keys_from};
use crate::places;
use crate::url::{StoreUrl, unsupported};
use crate::wrap::StoreWrapper;

/// Which store, which root key, which scope and who writes.
///
/// What is `None` has a default:
/// - the store is `secretkit/secrets.db` in the user's data directory (`XDG_DATA_HOME`, else `~/.local/share`),
/// - the root key is the file `secretkit/root.key` in the user's configuration directory (`XDG_CONFIG_HOME`, else
///   `~/.config`),
/// - the org is `default`; there is no default project or domain,
/// - the actor is `user@host`.
///
/// ```
/// use secretkit::{Settings, StoreUrl};
///
/// let mut settings = Settings::default();
/// settings.store = Some("memory:".parse()?);
/// let secrets = settings.open_existing()?;
/// assert_eq!(settings.scope()?.to_string(), "default");
/// # Ok::<(), secretkit::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The store; `SECRETKIT_STORE`.
    pub store: Option<StoreUrl>,
    /// The root key; `SECRETKIT_KEY`, or `SECRETKIT_KEY_FILE` for the path of a file.
    pub key: Option<KeyUrl>,
    /// The root keys of before, which open what they wrapped until [`Keys::rewrap`](crate::Keys::rewrap) has run;
    /// `SECRETKIT_PREVIOUS_KEYS`, one URL on each line. Each is read when it is first needed.
    pub previous_keys: Vec<KeyUrl>,
    /// Orgs that have a root key of their own; `SECRETKIT_ORG_KEYS`, one `ORG=URL` on each line. Each is read when it is
    /// first needed.
    pub org_keys: Vec<(Part, KeyUrl)>,
    /// Who is asked for the passphrase of `passphrase:`; nobody, unless the host says whom.
    pub ask: Option<Arc<dyn AskPassphrase>>,
    /// The org; `SECRETKIT_ORG`.
    pub org: Option<Part>,
    /// The project; `SECRETKIT_PROJECT`.
    pub project: Option<Part>,
    /// The domain; `SECRETKIT_DOMAIN`.
    pub domain: Option<Part>,
    /// Who writes are recorded as by; `SECRETKIT_ACTOR`.
    pub actor: Option<Actor>,
    /// How many superseded values a secret keeps that does not say otherwise; `SECRETKIT_KEEP`, else 10.
    pub keep: Option<u32>,
    /// How many bytes a value may have; `SECRETKIT_VALUE_LIMIT`, else [`Secrets::DEFAULT_VALUE_LIMIT`]. More than
    /// [`SecretValue::MAX_BYTES`] is that.
    pub value_limit: Option<usize>,
    /// The file that remembers how far the store was, see [`FileAnchor`]; `SECRETKIT_ANCHOR`, else none.
    pub anchor: Option<PathBuf>,
    /// For how long sealed records are kept in front of the store; `SECRETKIT_CACHE`, as `30s`, and
    /// `SECRETKIT_CACHE_STALE` for how much longer while the store cannot be reached. Else they are not kept.
    pub cache: Option<Caching>,
    /// What stands around the store, and around its cache if it has one; nothing, unless the host says what.
    pub wrapper: Option<StoreWrapper>,
}

/// What opening made, to be announced to whoever asked: nothing appears on a disk unsaid.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Created {
    /// The store, as errors name it.
    pub store: Option<String>,
    /// The root key's file.
    pub key: Option<PathBuf>,
}

impl Settings {
    /// What the `SECRETKIT_*` variables say. An empty variable counts as one that is not set.
    ///
    /// # Errors
    /// What the variable that cannot be understood stands for: [`Error::Unsupported`], [`Error::InvalidName`],
    /// [`Error::InvalidMetadata`], [`Error::InvalidVariable`].
    pub fn from_environment() -> Result<Self> {
        Self::default().or_environment()
    }

    /// What is set here, and for the rest what the variables say.
    ///
    /// Where an org, project or domain is set here, the variables for project and domain are not read: half a scope
    /// from here and half from there is nobody's wish.
    ///
    /// # Errors
    /// Those of [`from_environment`](Self::from_environment), for the variables that are read.
    pub fn or_environment(mut self) -> Result<Self> {
        let scoped = self.org.is_some() || self.project.is_some() || self.domain.is_some();
        if self.store.is_none() {
            self.store = text("SECRETKIT_STORE")?.map(|url| url.parse()).transpose()?;
        }
        if self.key.is_none() {
            self.key = key_from_environment()?;
        }
        if self.previous_keys.is_empty() {
            self.previous_keys = several("SECRETKIT_PREVIOUS_KEYS", previous_keys_from)?;
        }
        if self.org_keys.is_empty() {
            self.org_keys = several("SECRETKIT_ORG_KEYS", org_keys_from)?;
        }
        if self.org.is_none() {
            self.org = part("SECRETKIT_ORG", PartKind::Org)?;
        }
        if !scoped {
            self.project = part("SECRETKIT_PROJECT", PartKind::Project)?;
            self.domain = part("SECRETKIT_DOMAIN", PartKind::Domain)?;
        }
        if self.actor.is_none() {
            self.actor = text("SECRETKIT_ACTOR")?.map(|actor| Actor::parse(&actor)).transpose()?;
        }
        if self.keep.is_none() {
            self.keep = text("SECRETKIT_KEEP")?.map(|number| keep(&number)).transpose()?;
        }
        if self.value_limit.is_none() {
            self.value_limit = text("SECRETKIT_VALUE_LIMIT")?.map(|number| value_limit(&number)).transpose()?;
        }
        if self.anchor.is_none() {
            self.anchor = variable("SECRETKIT_ANCHOR").map(PathBuf::from);
        }
        if self.cache.is_none() {
            self.cache = Caching::from_environment()?;
        }
        Ok(self)
    }

    /// The scope, in the org `default` where no org is named.
    ///
    /// # Errors
    /// None in practice; the default org is parsed as any other.
    pub fn scope(&self) -> Result<Scope> {
        let org = match &self.org {
            Some(org) => org.clone(),
            None => Part::parse(PartKind::Org, Scope::DEFAULT_ORG)?,
        };
        Ok(Scope::new(org, self.project.clone(), self.domain.clone()))
    }

    /// The store and its root key as they are, for everything but the first write. Makes nothing.
    ///
    /// # Errors
    /// [`Error::NoStore`] and [`Error::NoRootKey`] where there is none yet, [`Error::UnsafeStore`] where the defaults
    /// lie in somebody else's home, and what the store and the key say.
    pub fn open_existing(&self) -> Result<Secrets> {
        let (store, default_key): (Arc<dyn SecretStore>, _) = match Kept::open(&self.store_url()?)? {
            None => (kept::cached(Arc::new(MemoryStore::new()), self.cache.as_ref()), DefaultKey::Generated),
            Some(kept) => (kept.behind(self.cache.as_ref())?, DefaultKey::File),
        };
        let key = match (&self.key, default_key) {
            (Some(key), _) => self.named_key(key)?,
            (None, DefaultKey::Generated) => Known::Read(Arc::new(RootKey::generate()?)),
            (None, DefaultKey::File) => {
                let path = places::root_key()?;
                Known::Read(Arc::new(existing(&path)?.ok_or_else(|| no_root_key(&path))?))
            }
        };
        self.join(store, key)
    }

    /// The store and its root key, each made where there is none: the SQLite file or the PostgreSQL tables, and the
    /// user's own root key file if no key is named and the store holds nothing yet.
    ///
    /// A key that is named must exist. A store that holds anything never gets a new key. Two that write first at once
    /// end with one key. Where one of the two cannot be made, none is left behind.
    ///
    /// # Errors
    /// [`Error::NoRootKey`] where the store holds secrets and the user's root key file is gone, and those of
    /// [`open_existing`](Self::open_existing).
    pub fn open_or_create(&self) -> Result<(Secrets, Created)> {
        let mut created = Created::default();
        let url = self.store_url()?;
        if url == StoreUrl::Memory {
            return Ok((self.open_existing()?, created));
        }
        // A key that is named and cannot be read ends it here, before anything is made.
        let known = self.known_key()?;
        // Where both are new, the key is written before the store is made and gets its name after that: what fails at
        // either leaves nothing of the other behind.
        let (kept, new_key) = match Kept::open(&url) {
            Err(Error::NoStore { .. }) => {
                let new_key = match &known {
                    Some(Known::Asked(key)) => key.ask_before_anything_is_made().map(|()| None)?,
                    Some(Known::Read(_)) => None,
                    None => Some(NewRootKey::write(&places::root_key()?)?),
                };
                let kept = Kept::create(&url)?;
                created.store = kept.as_ref().map(Kept::told);
                (kept, new_key)
            }
            outcome => (outcome?, None),
        };
        let Some(kept) = kept else { return Ok((self.open_existing()?, created)) };
        let key = match known {
            Some(known) => known,
            None => Known::Read(Arc::new(first_key(&kept, new_key, &places::root_key()?, &mut created)?)),
        };
        Ok((self.join(kept.behind(self.cache.as_ref())?, key)?, created))
    }

    /// The store that is meant: the one that is set here, or the user's own. Opens nothing.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`] where the defaults lie in somebody else's home.
    pub fn store_url(&self) -> Result<StoreUrl> {
        match &self.store {
            Some(store) => Ok(store.clone()),
            None => places::store().map(StoreUrl::Sqlite),
        }
    }

    /// The root key that is meant: the one that is set here, or the user's own. Reads nothing of it.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`] where the defaults lie in somebody else's home.
    pub fn key_url(&self) -> Result<KeyUrl> {
        match &self.key {
            Some(key) => Ok(key.clone()),
            None => places::root_key().map(KeyUrl::File),
        }
    }

    /// The same with every relative path as it is from the working directory of now.
    ///
    /// # Errors
    /// [`Error::File`] where there is no working directory.
    pub fn absolute(mut self) -> Result<Self> {
        let store = match &mut self.store {
            Some(StoreUrl::Sqlite(path)) => Some(path),
            #[cfg(feature = "postgres")]
            Some(StoreUrl::Postgres(_)) => None,
            Some(StoreUrl::Memory) | None => None,
        };
        let keys = self.key.iter_mut().chain(&mut self.previous_keys);
        let keys = keys.chain(self.org_keys.iter_mut().map(|(_, key)| key)).filter_map(KeyUrl::path_mut);
        for path in keys.chain(store).chain(&mut self.anchor) {
            *path = std::path::absolute(&*path).map_err(|source| Error::file(path, source))?;
        }
        Ok(self)
    }

    /// The root key that is there, read as far as it can be without asking anybody.
    fn known_key(&self) -> Result<Option<Known>> {
        Ok(match &self.key {
            Some(key) => Some(self.named_key(key)?),
            None => existing(&places::root_key()?)?.map(|key| Known::Read(Arc::new(key))),
        })
    }

    fn named_key(&self, key: &KeyUrl) -> Result<Known> {
        Ok(match key.needs_asking() {
            true => Known::Asked(Arc::new(Prompted::new(KeyRole::Primary, self.ask.clone()))),
            false => Known::Read(key.load()?),
        })
    }

    /// The root key among those of before and those of single orgs.
    fn provider(&self, primary: Known) -> Result<Arc<dyn KeyProvider>> {
        let (primary, mut prompted): (Arc<dyn KeyProvider>, _) = match primary {
            Known::Read(key) => (key, Vec::new()),
            Known::Asked(key) => (Arc::clone(&key) as _, vec![key]),
        };
        if self.previous_keys.is_empty() && self.org_keys.is_empty() {
            return Ok(Asking::around(primary, prompted));
        }
        let mut deferred = |url: &KeyUrl, role| -> Arc<dyn KeyProvider> {
            if !url.needs_asking() {
                return Arc::new(Deferred::new(url.clone()));
            }
            let key = Arc::new(Prompted::new(role, self.ask.clone()));
            prompted.push(Arc::clone(&key));
            key
        };
        let mut keys = RootKeys::new(primary);
        for url in &self.previous_keys {
            keys = keys.with_previous(deferred(url, KeyRole::Previous));
        }
        for (at, (org, url)) in self.org_keys.iter().enumerate() {
            if self.org_keys[..at].iter().any(|(other, _)| other == org) {
                return Err(unsupported(&format!("two root keys are named for org {org}; name one")));
            }
            keys = keys.with_own(org.clone(), deferred(url, KeyRole::Org(org.clone())));
        }
        Ok(Asking::around(Arc::new(keys), prompted))
    }

    fn join(&self, store: Arc<dyn SecretStore>, key: Known) -> Result<Secrets> {
        let store = self.wrapper.iter().fold(store, |store, wrapper| wrapper.around(store));
        let mut secrets = Secrets::new(store, self.provider(key)?, Access::Unrestricted);
        if let Some(actor) = &self.actor {
            secrets = secrets.with_actor(actor.clone());
        }
        if let Some(revisions) = self.keep {
            secrets = secrets.with_keep(revisions);
        }
        if let Some(bytes) = self.value_limit {
            secrets = secrets.with_value_limit(bytes);
        }
        if let Some(path) = &self.anchor {
            secrets = secrets.with_anchor(Arc::new(FileAnchor::new(path.clone())));
        }
        Ok(secrets)
    }
}

/// A root key that is there before anything is made.
enum Known {
    /// Read.
    Read(Arc<dyn KeyProvider>),
    /// To be asked for.
    Asked(Arc<Prompted>),
}

/// Which root key stands where none is named.
enum DefaultKey {
    /// The user's own file.
    File,
    /// One that lives as long as the store: in memory.
    Generated,
}

/// The user's own root key for a store that may be new.
fn first_key(store: &Kept, new_key: Option<NewRootKey>, path: &Path, created: &mut Created) -> Result<RootKey> {
    if !store.is_empty()? {
        // Somebody who wrote first a moment ago made the key before the rows: it is there now, or it is lost.
        return existing(path)?.ok_or_else(|| no_root_key(path));
    }
    let (key, made) = new_key.map_or_else(|| NewRootKey::write(path), Ok)?.publish_or_load()?;
    created.key = Some(path.to_owned()).filter(|_| made);
    Ok(key)
}

fn existing(path: &Path) -> Result<Option<RootKey>> {
    match RootKey::from_file(path) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == ErrorKind::FileMissing => Ok(None),
        Err(error) => Err(error),
    }
}

fn no_root_key(path: &Path) -> Error {
    Error::NoRootKey(format!(
        "there is none at {}; put the file with which the store was written there, or name the key with \
         SECRETKIT_KEY_FILE or SECRETKIT_KEY",
        path.display()
    ))
}

fn key_from_environment() -> Result<Option<KeyUrl>> {
    match (text("SECRETKIT_KEY")?, variable("SECRETKIT_KEY_FILE")) {
        (Some(_), Some(_)) => {
            Err(Error::Unsupported("SECRETKIT_KEY and SECRETKIT_KEY_FILE are both set; unset one of them".to_owned()))
        }
        (Some(url), None) => url.parse().map(Some),
        (None, Some(path)) => KeyUrl::file(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn several<T>(name: &'static str, parse: impl FnOnce(&str) -> Result<Vec<T>>) -> Result<Vec<T>> {
    text(name)?.map_or_else(|| Ok(Vec::new()), |text| parse(&text))
}

fn keep(number: &str) -> Result<u32> {
    let fault = Fault::Shape("it is no number of superseded values to keep");
    number.parse().map_err(|_| Error::InvalidMetadata { field: "SECRETKIT_KEEP", fault })
}

fn value_limit(number: &str) -> Result<usize> {
    let fault = Fault::Shape("it is no number of bytes from 1 to 1048576");
    let limit = number.parse().ok().filter(|bytes| (1..=SecretValue::MAX_BYTES).contains(bytes));
    limit.ok_or(Error::InvalidMetadata { field: "SECRETKIT_VALUE_LIMIT", fault })
}

fn part(name: &'static str, kind: PartKind) -> Result<Option<Part>> {
    text(name)?.map(|text| Part::parse(kind, &text)).transpose()
}

pub(crate) fn text(name: &'static str) -> Result<Option<String>> {
    let Some(value) = variable(name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(fault) => Err(Error::InvalidMetadata { field: name, fault: Fault::Character { at: fault.valid_up_to() } }),
    }
}

/// Empty counts as not set: `VARIABLE= command` is how a shell takes one away.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
