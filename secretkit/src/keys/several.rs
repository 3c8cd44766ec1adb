//! Root keys beside the primary one: those of before, and those of single orgs.

use std::sync::{Arc, OnceLock};

use secretkit_core::seal::{Binding, Wrapped, WrappingKey};
use secretkit_core::{KeyProvider, Part, PartKind, Result};

use super::KeyUrl;
use crate::url::unsupported;

/// A root key that is read when it is first needed: most processes never need one of before, nor that of every org.
#[derive(Debug)]
pub(crate) struct Deferred {
    url: KeyUrl,
    loaded: OnceLock<Arc<dyn KeyProvider>>,
}

impl Deferred {
    pub(crate) const fn new(url: KeyUrl) -> Self {
        Self { url, loaded: OnceLock::new() }
    }

    /// What fails is tried again at the next need: a keyring may have been unlocked by then.
    fn provider(&self) -> Result<&Arc<dyn KeyProvider>> {
        match self.loaded.get() {
            Some(loaded) => Ok(loaded),
            None => {
                let loaded = self.url.load()?;
                Ok(self.loaded.get_or_init(|| loaded))
            }
        }
    }
}

impl KeyProvider for Deferred {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        self.provider()?.wrap(key, bound_to)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        self.provider()?.unwrap(wrapped, bound_to)
    }
}

/// One URL on each line: a path or a command may hold blanks, and so may the whole list.
pub(crate) fn previous_keys_from(text: &str) -> Result<Vec<KeyUrl>> {
    lines(text).map(str::parse).collect()
}

/// One `ORG=URL` on each line.
pub(crate) fn org_keys_from(text: &str) -> Result<Vec<(Part, KeyUrl)>> {
    lines(text).map(KeyUrl::of_org).collect()
}

impl KeyUrl {
    /// An org's own root key, `ORG=URL`.
    ///
    /// # Errors
    /// [`Error::Unsupported`](secretkit_core::Error::Unsupported) for another form, and what org and URL say.
    pub fn of_org(text: &str) -> Result<(Part, Self)> {
        // Neither half comes back in an error: it may be a key that stands in the wrong place.
        let Some((org, url)) = text.split_once('=').filter(|(org, _)| !org.contains(':')) else {
            return Err(unsupported("the root key of an org is written ORG=URL, as in acme=file:/etc/app/acme.key"));
        };
        Ok((Part::parse(PartKind::Org, org)?, url.parse()?))
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}
