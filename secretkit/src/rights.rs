//! What logins of a store's server may do.

use secretkit_core::{Error, Part, Result};
use secretkit_postgres::{PostgresUrl, StoreGrant, StoreRole};

use crate::url::{StoreUrl, unsupported};

impl StoreUrl {
    /// Lets a login of the store's server see an org, with the rights of a role. False where it could do so already.
    ///
    /// # Errors
    /// Those of [`secretkit_postgres::grant`], and [`Error::Unsupported`] for a store without a server.
    pub fn grant(&self, login: &str, role: StoreRole, org: &Part, prefix: Option<&str>) -> Result<bool> {
        secretkit_postgres::grant(self.of_server()?, login, role, org, prefix)
    }

    /// Lets a login see an org no more, or none at all. Returns how many it saw.
    ///
    /// # Errors
    /// Those of [`secretkit_postgres::revoke`], and [`Error::Unsupported`] for a store without a server.
    pub fn revoke(&self, login: &str, org: Option<&Part>) -> Result<u64> {
        secretkit_postgres::revoke(self.of_server()?, login, org)
    }

    /// Who sees what, by login and org.
    ///
    /// # Errors
    /// Those of [`secretkit_postgres::grants`], and [`Error::Unsupported`] for a store without a server.
    pub fn grants(&self) -> Result<Vec<StoreGrant>> {
        secretkit_postgres::grants(self.of_server()?)
    }

    /// What an administrator runs where the owner of the tables may not make groups.
    ///
    /// # Errors
    /// Those of [`secretkit_postgres::roles_sql`], and [`Error::Unsupported`] for a store without a server.
    pub fn roles_sql(&self, prefix: Option<&str>) -> Result<String> {
        secretkit_postgres::roles_sql(self.of_server()?, prefix)
    }

    fn of_server(&self) -> Result<&PostgresUrl, Error> {
        match self {
            Self::Postgres(url) => Ok(url),
            Self::Sqlite(_) | Self::Memory => {
                Err(unsupported("roles are a server's, and this store has none; a file has its owner and mode"))
            }
        }
    }
}
