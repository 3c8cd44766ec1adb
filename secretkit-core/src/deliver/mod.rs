//! Delivery: from what a task requested to values, environment variables and files.

mod environment;
mod mount;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::SecretName;
use crate::record::Revision;
use crate::request::{Mount, SecretRequest, VariableName};
use crate::scope::Scope;
use crate::secrets::{Resolved, Secrets, UseRecorder};
use crate::time::Clock;
use crate::usage::Consumer;

pub use environment::{EnvironmentPlan, EnvironmentVariable};
pub use mount::FileMount;

/// How a host delivers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeliveryOptions {
    /// What stands before group and key in a variable whose request names none; `_FSEC_` as in flytekit.
    pub variable_prefix: String,
    /// Where the directory of files is made: in the first of these that can be used.
    pub mount_bases: Vec<PathBuf>,
    /// Who takes delivery: registered as a consumer of every secret that is delivered, so that none of them can be
    /// deleted. Nobody is unless the host says so.
    pub consumer: Option<Consumer>,
}

/// The prefix of flytekit; files under `XDG_RUNTIME_DIR`, `/dev/shm` or the temporary directory. The variables that
/// name these places are read here and not at each delivery, when other threads may be setting variables. Places are
/// absolute: the XDG Base Directory Specification has others passed over, and the working directory may change.
impl Default for DeliveryOptions {
    fn default() -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let temporary = std::env::temp_dir();
        let temporary = std::path::absolute(&temporary).unwrap_or(temporary);
        let mount_bases = runtime.into_iter().chain([PathBuf::from("/dev/shm"), temporary]).collect();
        Self { variable_prefix: "_FSEC_".to_owned(), mount_bases, consumer: None }
    }
}

/// Everything that one task requested, fetched once at its start and kept until it ends.
///
/// So the task sees one revision throughout; expiry is judged again at each [`get`](Self::get). Dropping it removes
/// its files and wipes its values.
///
/// ```
/// # use std::sync::Arc;
/// # use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretRequest, SecretValue, Secrets};
/// use secretkit_core::deliver::{Delivery, DeliveryOptions};
///
/// # let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
/// secrets.put(&"acme/etl:api_key".parse()?, &SecretValue::copied_from(b"k3y"), PutMode::Create)?;
/// let requests = [
///     SecretRequest::new("api_key".parse()?).with_variable("API_KEY".parse()?),
///     SecretRequest::new("api_key".parse()?).as_file(),
/// ];
/// let delivery = Delivery::prepare(&secrets, &"acme/etl/production".parse()?, &requests, &DeliveryOptions::default())?;
///
/// let mut job = std::process::Command::new("true");
/// delivery.environment().apply_to(&mut job);
/// assert_eq!(std::fs::read(delivery.file(&"api_key".parse()?)?).unwrap(), b"k3y");
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Delivery {
    entries: Vec<Entry>,
    environment: EnvironmentPlan,
    files: Option<FileMount>,
    clock: Arc<dyn Clock>,
    registration: Result<()>,
    uses: Option<Arc<UseRecorder>>,
}

#[derive(Debug)]
struct Entry {
    request: SecretRequest,
    outcome: Result<Resolved, Arc<Error>>,
    path: Option<PathBuf>,
}

impl Delivery {
    /// Fetches everything requested in one round trip, writes the files and plans the environment.
    ///
    /// A request for a variable or a file that cannot be met fails here, with every missing one named; any other
    /// fails at [`get`](Self::get). Where it fails, no file is left.
    ///
    /// # Errors
    /// [`Error::SeveralNotFound`] for missing secrets that must be delivered now, [`Error::VariableClaimedTwice`],
    /// [`Error::Undeliverable`], and those of [`Secrets::resolve`].
    pub fn prepare(
        secrets: &Secrets,
        scope: &Scope,
        requests: &[SecretRequest],
        options: &DeliveryOptions,
    ) -> Result<Self> {
        let variables = requests
            .iter()
            .map(|request| request.variable_with_prefix(&options.variable_prefix))
            .collect::<Result<Vec<_>>>()?;
        let outcomes = secrets.resolve_many(scope, requests)?;
        let mut delivery = Self {
            entries: Vec::with_capacity(requests.len()),
            environment: EnvironmentPlan::default(),
            files: None,
            clock: Arc::clone(secrets.clock()),
            registration: Ok(()),
            uses: secrets.use_recorder(),
        };
        let mut missing = Vec::new();
        for ((request, variable), outcome) in requests.iter().zip(variables).zip(outcomes) {
            let due_now = variable.is_some() || request.mount == Mount::File;
            let (outcome, path) = match outcome {
                Ok(resolved) => {
                    let path = delivery.deliver(request, variable, &resolved, options)?;
                    (Ok(resolved), path)
                }
                Err(Error::NotFound { name, searched }) if due_now => {
                    missing.push((name, searched));
                    continue;
                }
                Err(error) if due_now => return Err(error),
                Err(error) => (Err(Arc::new(error)), None),
            };
            delivery.entries.push(Entry { request: request.clone(), outcome, path });
        }
        if !missing.is_empty() {
            return Err(Error::SeveralNotFound { missing });
        }
        if let Some(consumer) = &options.consumer {
            let found = delivery.entries.iter().filter_map(|entry| entry.outcome.as_ref().ok());
            let secrets_found: Vec<_> = found.map(|resolved| resolved.info.id).collect();
            delivery.registration = secrets.consumer_seen(scope.org(), &secrets_found, consumer);
        }
        Ok(delivery)
    }

    fn deliver(
        &mut self,
        request: &SecretRequest,
        variable: Option<VariableName>,
        resolved: &Resolved,
        options: &DeliveryOptions,
    ) -> Result<Option<PathBuf>> {
        let path = match (request.mount, &mut self.files) {
            (Mount::Any | Mount::Variable, _) => None,
            (Mount::File, Some(files)) => Some(files.write(request.name.key(), &resolved.value)?),
            (Mount::File, files @ None) => {
                let created = files.insert(FileMount::create(&options.mount_bases)?);
                Some(created.write(request.name.key(), &resolved.value)?)
            }
        };
        if let Some(variable) = variable {
            self.environment.claim(variable, resolved, path.as_deref())?;
        }
        Ok(path)
    }

    /// The secret that was requested by this name and revision.
    ///
    /// # Errors
    /// [`Error::NotRequested`], [`Error::Expired`] where its expiry passed since the start, and whatever its
    /// resolution met.
    pub fn get(&self, name: &SecretName, revision: Option<Revision>) -> Result<&Resolved, Arc<Error>> {
        let entry = self.entry(name, |request| request.revision == revision)?;
        let resolved = entry.outcome.as_ref().map_err(Arc::clone)?;
        match resolved.info.metadata.expires_at {
            Some(since) if self.clock.now() >= since => {
                Err(Arc::new(Error::Expired { id: resolved.info.address.clone(), since }))
            }
            _ => Ok(resolved),
        }
    }

    /// The file that the first request of this name for a file got.
    ///
    /// # Errors
    /// [`Error::NotRequested`] where none asked for a file.
    pub fn file(&self, name: &SecretName) -> Result<&Path> {
        self.file_where(name, |_| true)
    }

    /// The same for a request that named this revision, or none.
    ///
    /// # Errors
    /// [`Error::NotRequested`] where none asked for a file.
    pub fn file_at(&self, name: &SecretName, revision: Option<Revision>) -> Result<&Path> {
        self.file_where(name, |request| request.revision == revision)
    }

    fn file_where(&self, name: &SecretName, fits: impl Fn(&SecretRequest) -> bool) -> Result<&Path> {
        let mut files = self.entries.iter().filter(|entry| entry.request.name == *name && entry.path.is_some());
        let what = if files.clone().next().is_some() { IN_THIS_REVISION } else { "as a file" };
        files
            .find(|entry| fits(&entry.request))
            .and_then(|entry| entry.path.as_deref())
            .ok_or_else(|| Error::NotRequested { name: name.clone(), what })
    }

    /// The variables to set, for the host to put into a child process or its own.
    #[must_use]
    pub const fn environment(&self) -> &EnvironmentPlan {
        &self.environment
    }

    /// Wipes the values and keeps the files, for a host that has given the environment to a child process. Dropping what
    /// it returns, or its `close`, removes them.
    #[must_use]
    pub fn into_files(mut self) -> Option<FileMount> {
        self.files.take()
    }

    /// Whether the consumer that the options name could be registered. A task gets its secrets all the same, for
    /// instance from a store that can only be read.
    ///
    /// # Errors
    /// What the store said.
    pub const fn registration(&self) -> Result<(), &Error> {
        match &self.registration {
            Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the files now, and says whether that worked; dropping does the same without a word.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn close(mut self) -> Result<()> {
        self.files.take().map_or(Ok(()), FileMount::close)
    }

    fn entry(&self, name: &SecretName, fits: impl Fn(&SecretRequest) -> bool) -> Result<&Entry, Arc<Error>> {
        let mut of_name = self.entries.iter().filter(|entry| entry.request.name == *name);
        let what = if of_name.clone().next().is_some() { IN_THIS_REVISION } else { "by this task" };
        of_name
            .find(|entry| fits(&entry.request))
            .ok_or_else(|| Arc::new(Error::NotRequested { name: name.clone(), what }))
    }
}

/// How a secret was not requested that was, but in another revision, or in none.
const IN_THIS_REVISION: &str = "in this revision";

/// The end of a task is a good moment to record what it used.
impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(uses) = &self.uses {
            uses.record();
        }
    }
}
