//! A store that outlives its process, of whichever kind.

use std::sync::Arc;

use secretkit_core::{Result, SecretStore};
#[cfg(feature = "postgres")]
use secretkit_postgres::PostgresStore;
use secretkit_sqlite::SqliteStore;

use crate::caching::Caching;
use crate::url::StoreUrl;

/// A store that outlives its process.
pub(crate) enum Kept {
    Sqlite(SqliteStore),
    #[cfg(feature = "postgres")]
    Postgres(Arc<PostgresStore>),
}

impl Kept {
    /// The store that is there; `None` where the URL names one in memory.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(url: &StoreUrl) -> Result<Option<Self>> {
        Ok(match url {
            StoreUrl::Sqlite(path) => Some(Self::Sqlite(SqliteStore::open(path)?)),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => Some(Self::Postgres(Arc::new(PostgresStore::open(url)?))),
            StoreUrl::Memory => None,
        })
    }

    /// The same, made where there is none.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn create(url: &StoreUrl) -> Result<Option<Self>> {
        Ok(match url {
            StoreUrl::Sqlite(path) => Some(Self::Sqlite(SqliteStore::create(path)?)),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => Some(Self::Postgres(Arc::new(PostgresStore::create(url)?))),
            StoreUrl::Memory => None,
        })
    }

    /// Whether it holds nothing that a root key would be needed for.
    pub(crate) fn is_empty(&self) -> Result<bool> {
        match self {
            Self::Sqlite(store) => store.is_empty(),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.is_empty(),
        }
    }

    /// As people are told of it.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Sqlite(store) => store.to_string(),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.to_string(),
        }
    }

    pub(crate) fn shared(self) -> Arc<dyn SecretStore> {
        match self {
            Self::Sqlite(store) => Arc::new(store),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store,
        }
    }

    /// The same behind a cache, which is told of what others commit if the store can tell.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn behind(self, caching: Option<&Caching>) -> Result<Arc<dyn SecretStore>> {
        let Some(caching) = caching else { return Ok(self.shared()) };
        match self {
            Self::Sqlite(store) => Ok(cached(Arc::new(store), Some(caching))),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                let Some(cached) = caching.around(Arc::clone(&store) as _) else { return Ok(store) };
                store.tell(cached.listener())?;
                Ok(cached)
            }
        }
    }
}

/// A store that tells nothing, behind a cache if there is to be one.
pub(crate) fn cached(store: Arc<dyn SecretStore>, caching: Option<&Caching>) -> Arc<dyn SecretStore> {
    match caching.and_then(|caching| caching.around(Arc::clone(&store))) {
        Some(cached) => cached,
        None => store,
    }
}
