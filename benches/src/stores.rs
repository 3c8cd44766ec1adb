//! SQLite stores to measure on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use secretkit::{Access, RootKey, Scope, SecretStore, Secrets, SqliteStore};

use crate::Result;
use crate::fill::{TASK, address, fill};

/// A store in a folder, with its root key beside it, which is for benches only.
#[derive(Debug)]
pub(crate) struct OnDisk {
    pub(crate) store: PathBuf,
    pub(crate) key: PathBuf,
}

impl OnDisk {
    /// A new one in this folder, with so many secrets of 32 bytes at each of these scopes.
    pub(crate) fn filled(folder: &Path, count: u32, scopes: &[&str]) -> Result<Self> {
        let new = Self::within(folder);
        let root = Arc::new(secretkit::create_root_key(&new.key)?);
        let store = Arc::new(SqliteStore::create(&new.store)?) as Arc<dyn SecretStore>;
        for scope in scopes {
            fill(&store, root.clone(), &scope.parse()?, count, 32)?;
        }
        Ok(new)
    }

    /// The one of that many secrets at the task's scope that an earlier run has left beside the builds, or a new one.
    pub(crate) fn kept(count: u32) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/bench/{count}-secrets"));
        let kept = Self::within(&folder);
        if kept.is_whole(count) {
            return Ok(kept);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        Self::filled(&folder, count, &[TASK])
    }

    fn within(folder: &Path) -> Self {
        Self { store: folder.join("secrets.db"), key: folder.join("root.key") }
    }

    /// Whether it opens with its last secret: an older format, or a run that was interrupted, is made anew.
    fn is_whole(&self, count: u32) -> bool {
        let last = || -> Result<()> {
            let (secrets, _) = self.open()?;
            if let Some(last) = count.checked_sub(1) {
                secrets.get(&address(&TASK.parse::<Scope>()?, last)?)?;
            }
            Ok(())
        };
        last().is_ok()
    }

    pub(crate) fn open(&self) -> Result<(Secrets, Arc<RootKey>)> {
        let (store, root) = (Arc::new(SqliteStore::open(&self.store)?), Arc::new(RootKey::from_file(&self.key)?));
        Ok((Secrets::new(store, root.clone(), Access::Unrestricted), root))
    }

    /// A connection of nobody's, with what the store's own have: it is the baseline.
    pub(crate) fn bare(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.store, flags)?;
        connection.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; \
             PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA cache_size=-16384",
        )?;
        Ok(connection)
    }
}

/// The columns of a secret's row, for a baseline that reads or writes what the store does.
pub(crate) const COLUMNS: &str = "org, project, domain, grp, key, id, generation, revision, first_revision, keep, \
    inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, \
    digest, head_mac, record";

pub(crate) const EXACT: &str = "org = ?1 AND project = ?2 AND domain = ?3 AND grp = ?4 AND key = ?5";
