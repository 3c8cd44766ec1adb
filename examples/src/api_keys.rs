//! An application that keeps the API keys of the services it talks to.

use secretkit::{PutMode, Result, SecretId, SecretValue, Secrets};

/// The keys of one application, wherever `Secrets` keeps them.
#[derive(Debug)]
pub struct ApiKeys(Secrets);

impl ApiKeys {
    /// Over these secrets: a file in `main`, memory in tests.
    #[must_use]
    pub const fn new(secrets: Secrets) -> Self {
        Self(secrets)
    }

    /// Keeps `key` as the one for `service`, new or in place of the last.
    ///
    /// # Errors
    /// What secretkit says.
    pub fn keep(&self, service: &str, key: &SecretValue) -> Result<()> {
        self.0.put(&Self::id(service)?, key, PutMode::Overwrite).map(drop)
    }

    /// The value of the header that `service` wants.
    ///
    /// # Errors
    /// What secretkit says; `not_found` where none is kept.
    pub fn authorization(&self, service: &str) -> Result<String> {
        let key = self.0.get(&Self::id(service)?)?.value;
        Ok(format!("Bearer {}", String::from_utf8_lossy(key.expose_secret())))
    }

    fn id(service: &str) -> Result<SecretId> {
        format!("my-app:api-keys/{service}").parse()
    }
}
