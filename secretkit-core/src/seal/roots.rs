//! Several root keys behind one provider.

use std::collections::HashMap;
use std::sync::Arc;

use super::provider::{Binding, KeyProvider, Wrapped, WrappingKey};
use crate::error::{Error, ErrorKind, Result};
use crate::part::Part;

/// The root key of today, those of before, and those of single orgs.
///
/// New keyrings are wrapped with the primary root key, or with the org's own where it has one. That one opens them, and
/// so do those of before. After [`Keys::rewrap`](crate::Keys::rewrap) those of before can be left out.
///
/// An org with a root key of its own is not opened by the primary one: otherwise who holds that one, and can write the
/// store, could put a keyring of theirs in its place. To give an org its own, name the primary one as one of before,
/// too, until it is rewrapped.
#[derive(Debug)]
pub struct RootKeys {
    primary: Arc<dyn KeyProvider>,
    previous: Vec<Arc<dyn KeyProvider>>,
    own: HashMap<Part, Arc<dyn KeyProvider>>,
}

impl RootKeys {
    /// One root key for all orgs.
    #[must_use]
    pub fn new(primary: Arc<dyn KeyProvider>) -> Self {
        Self { primary, previous: Vec::new(), own: HashMap::new() }
    }

    /// Also opens what this one has wrapped, of every org.
    #[must_use]
    pub fn with_previous(mut self, provider: Arc<dyn KeyProvider>) -> Self {
        self.previous.push(provider);
        self
    }

    /// This org has a root key of its own.
    #[must_use]
    pub fn with_own(mut self, org: Part, provider: Arc<dyn KeyProvider>) -> Self {
        self.own.insert(org, provider);
        self
    }
}

impl KeyProvider for RootKeys {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        self.own.get(bound_to.org).unwrap_or(&self.primary).wrap(key, bound_to)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        let own = self.own.get(bound_to.org);
        let mut refused = None;
        for provider in [own.unwrap_or(&self.primary)].into_iter().chain(&self.previous) {
            match provider.unwrap(wrapped, bound_to) {
                Err(error) if error.kind() == ErrorKind::WrongRootKey => {
                    refused.get_or_insert(error);
                }
                outcome => return outcome,
            }
        }
        Err(match refused {
            // It may be that nobody has rewrapped it since the org was given its own.
            Some(Error::WrongRootKey { org, expected, given }) if own.is_some() => {
                Error::NotOwnRootKey { org, expected, given }
            }
            Some(refused) => refused,
            None => Error::corrupt(&format!("the keyring of org {}", bound_to.org)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::PartKind;
    use crate::seal::{RootKey, StoreId};

    /// A provider that is out of reach.
    #[derive(Debug)]
    struct Unreachable;

    impl KeyProvider for Unreachable {
        fn wrap(&self, _: &WrappingKey, _: &Binding<'_>) -> Result<Wrapped> {
            Err(Error::NoRootKey("out of reach".to_owned()))
        }

        fn unwrap(&self, _: &Wrapped, _: &Binding<'_>) -> Result<WrappingKey> {
            Err(Error::NoRootKey("out of reach".to_owned()))
        }
    }

    /// Only what another root key wrapped is a matter of the next one: whoever is out of reach now must not be passed over
    /// in silence.
    #[test]
    fn a_root_key_that_fails_is_told_of_and_not_passed_over() {
        let (org, store) = (Part::parse(PartKind::Org, "acme").unwrap(), StoreId::from_bytes([7; 16]));
        let (bound_to, root) =
            (Binding { store: &store, org: &org, version: 1 }, Arc::new(RootKey::generate().unwrap()));
        let wrapping = WrappingKey::try_init_with(|_| Ok::<(), Error>(())).unwrap();
        let wrapped = root.wrap(&wrapping, &bound_to).unwrap();
        let opened = |roots: RootKeys| roots.unwrap(&wrapped, &bound_to).map(drop).map_err(|error| error.kind());
        let stranger = || Arc::new(RootKey::generate().unwrap());
        assert_eq!(opened(RootKeys::new(stranger()).with_previous(Arc::clone(&root) as _)), Ok(()));
        assert_eq!(opened(RootKeys::new(Arc::new(Unreachable)).with_previous(root)), Err(ErrorKind::NoRootKey));
        let none_fits = RootKeys::new(stranger()).with_previous(Arc::new(Unreachable));
        assert_eq!(opened(none_fits), Err(ErrorKind::NoRootKey));
        assert_eq!(opened(RootKeys::new(stranger()).with_previous(stranger())), Err(ErrorKind::WrongRootKey));
    }
}
