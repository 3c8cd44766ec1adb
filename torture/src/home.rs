//! Where a store lives during a campaign, and the root keys beside it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit_core::seal::{KekId, KeyProvider, RootKeys};
use secretkit_core::{Access, MemoryStore, PutMode, Result, RootKey, SecretStore, SecretValue, Secrets};
use tempfile::TempDir;

/// Two root keys, and a directory for them and for everything else that a campaign needs.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    keys: [Arc<RootKey>; 2],
    /// What keyrings call the first of them.
    first: KekId,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = fresh_directory();
        let keys = ["0", "1"].map(|name| {
            let (path, key) = (directory.path().join(name), RootKey::generate().unwrap());
            std::fs::write(&path, key.to_text().expose_secret()).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            Arc::new(key)
        });
        let probe = Secrets::new(Arc::new(MemoryStore::new()), Arc::clone(&keys[0]) as _, Access::Unrestricted);
        probe.put(&"a:a".parse().unwrap(), &SecretValue::copied_from(b""), PutMode::Create).unwrap();
        let (_, first) = probe.keys().orgs().unwrap().remove(0);
        Self { directory, keys, first }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// An empty directory for one store.
    pub(crate) fn room(&self) -> TempDir {
        tempfile::Builder::new().prefix("room-").tempdir_in(self.path()).unwrap()
    }

    /// Which of the two root keys has this name.
    pub(crate) fn number_of(&self, name: &KekId) -> usize {
        usize::from(*name != self.first)
    }

    /// The secrets of a store, with root key `root` as the one of today.
    pub(crate) fn secrets(&self, store: impl SecretStore + 'static, root: usize) -> Secrets {
        secrets(store, &self.keys, root)
    }
}

/// The store in a directory.
pub(crate) fn store_in(directory: &Path) -> PathBuf {
    directory.join("secrets.db")
}

/// Its backup in the same directory.
pub(crate) fn backup_in(directory: &Path) -> PathBuf {
    directory.join("backup.db")
}

/// The root keys that a [`Home`] has written down.
pub(crate) fn keys_in(directory: &Path) -> Result<[Arc<RootKey>; 2]> {
    let key = |name: &str| RootKey::from_file(&directory.join(name)).map(Arc::new);
    Ok([key("0")?, key("1")?])
}

pub(crate) fn secrets(store: impl SecretStore + 'static, keys: &[Arc<RootKey>; 2], root: usize) -> Secrets {
    let provider = |at: usize| Arc::clone(&keys[at]) as Arc<dyn KeyProvider>;
    let both = RootKeys::new(provider(root)).with_previous(provider(1 - root));
    Secrets::new(Arc::new(store), Arc::new(both), Access::Unrestricted)
}

/// In memory where there is such a place: what is under test is what reaches the kernel, and not a disk.
fn fresh_directory() -> TempDir {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("torture-");
        builder
    };
    let in_memory = builder().tempdir_in("/dev/shm");
    in_memory.or_else(|_| builder().tempdir()).unwrap()
}

/// Runs `work` on each item, on as many threads as there are processors, and returns what came of each in order.
pub(crate) fn on_all_processors<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let take = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(item) = items.get(at) else { return done };
                done.push((at, work(item)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
