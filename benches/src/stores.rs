//! SQLite stores to measure on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, Params, Statement};
use secretkit::{Access, Description, MetadataEdit, RootKey, Scope, SecretStore, Secrets, Setting, SqliteStore, Tags};

use crate::Result;
use crate::fill::{TASK, address, fill, org, use_all};

/// Where what is measured lies on a disk: the folder for temporary files may be memory.
pub(crate) const BESIDE_THE_BUILDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");

/// A store in a folder, with its root key beside it, which is for benches only.
#[derive(Debug)]
pub(crate) struct OnDisk {
    pub(crate) store: PathBuf,
    pub(crate) key: PathBuf,
}

impl OnDisk {
    /// A new one in this folder, with so many secrets of 32 bytes at each of these scopes.
    pub(crate) fn filled(folder: &Path, count: u32, scopes: &[&str]) -> Result<Self> {
        Self::filled_with(folder, count, scopes, &MetadataEdit::default())
    }

    fn filled_with(folder: &Path, count: u32, scopes: &[&str], metadata: &MetadataEdit) -> Result<Self> {
        let new = Self::within(folder);
        let root = Arc::new(secretkit::create_root_key(&new.key)?);
        let store = Arc::new(SqliteStore::create(&new.store)?) as Arc<dyn SecretStore>;
        for scope in scopes {
            fill(&store, root.clone(), &scope.parse()?, count, 32, metadata)?;
        }
        Ok(new)
    }

    /// The one of that many secrets at the task's scope that an earlier run has left beside the builds, or a new one.
    pub(crate) fn kept(count: u32) -> Result<Self> {
        Self::kept_in(&format!("{count}-secrets"), count, |folder| Self::filled(folder, count, &[TASK]))
    }

    /// The same with what people write about a secret, and each used once.
    pub(crate) fn kept_and_used(count: u32) -> Result<Self> {
        Self::kept_in(&format!("{count}-used"), count, |folder| {
            let mut metadata = MetadataEdit::default();
            metadata.description = Setting::Set(Description::parse("Password of the reporting database, read only")?);
            metadata.add_tags = Tags::parse(["payroll", "reporting"])?;
            let new = Self::filled_with(folder, count, &[TASK], &metadata)?;
            let (store, root) = (SqliteStore::open(&new.store)?, RootKey::from_file(&new.key)?);
            use_all(Arc::new(store), Arc::new(root), &TASK.parse()?, count)?;
            Ok(new)
        })
    }

    fn kept_in(name: &str, count: u32, make: impl FnOnce(&Path) -> Result<Self>) -> Result<Self> {
        let folder = Path::new(BESIDE_THE_BUILDS).join("bench").join(name);
        let kept = Self::within(&folder);
        if kept.is_whole(count) {
            return Ok(kept);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        make(&folder)
    }

    /// A copy in another folder, to write to. Nobody has the store open.
    pub(crate) fn copied(&self, folder: &Path) -> Result<Self> {
        let copy = Self::within(folder);
        std::fs::create_dir(folder)?;
        std::fs::set_permissions(folder, std::fs::metadata(self.store.parent().ok_or("no folder")?)?.permissions())?;
        std::fs::copy(&self.store, &copy.store)?;
        std::fs::copy(&self.key, &copy.key)?;
        Ok(copy)
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
                secrets.store().lanes(&org()?)?.first().ok_or("it tells of no event")?;
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

/// Those of [`COLUMNS`] that a listing shows.
pub(crate) const LISTED: &str = "org, project, domain, grp, key, id, generation, revision, first_revision, keep, \
    inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, \
    digest, head_mac, substr(record, 69, 32)";

/// The columns of a secret's row, for a baseline that reads or writes what the store does.
pub(crate) const COLUMNS: &str = "org, project, domain, grp, key, id, generation, revision, first_revision, keep, \
    inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, \
    digest, head_mac, record";

pub(crate) const EXACT: &str = "org = ?1 AND project = ?2 AND domain = ?3 AND grp = ?4 AND key = ?5";

/// Reads every column of every row, as rusqlite hands it out: nothing is copied and nothing is checked. Fails where
/// there are more or fewer than `count`.
pub(crate) fn read_rows(select: &mut Statement<'_>, parameters: impl Params, count: usize) -> Result<()> {
    let (columns, mut rows, mut read) = (select.column_count(), select.query(parameters)?, 0);
    while let Some(row) = rows.next()? {
        read += 1;
        for column in 0..columns {
            std::hint::black_box(row.get_ref(column)?);
        }
    }
    if read == count { Ok(()) } else { Err("the store has lost a row".into()) }
}
