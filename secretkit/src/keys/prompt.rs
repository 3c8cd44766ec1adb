//! A passphrase that the host asks somebody for, when it is first needed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secretkit_core::seal::{Binding, PassphraseKey, Wrapped, WrappingKey};
use secretkit_core::{Error, ErrorKind, KeyProvider, Part, Result, SecretValue};

/// A host that can ask for a passphrase: the command at its terminal, an application in a window.
pub trait AskPassphrase: fmt::Debug + Send + Sync {
    /// Asks. A [new](PassphraseQuestion::New) one should be typed twice: nobody can open what a typing error closed.
    ///
    /// # Errors
    /// Whatever the host meets; [`Error::NoRootKey`] where there is nobody to ask.
    fn ask(&self, question: PassphraseQuestion<'_>) -> Result<SecretValue>;
}

/// Which passphrase is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PassphraseQuestion<'a> {
    /// The one that a keyring in the store was made with.
    Known(&'a KeyRole),
    /// The one for a keyring that is about to be made, and that opened none before.
    New(&'a KeyRole),
}

/// What a root key is for, among several.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyRole {
    /// The root key of today.
    Primary,
    /// One of before.
    Previous,
    /// One org's own.
    Org(Part),
}

/// The provider behind `passphrase:`.
#[derive(Debug)]
pub(crate) struct Prompted {
    role: KeyRole,
    ask: Option<Arc<dyn AskPassphrase>>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    key: Arc<PassphraseKey>,
    standing: Standing,
}

/// What is known of an answer.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// It opened nothing yet.
    Unproven,
    /// Neither it nor any other root key opened what it was asked for.
    Refused(Instant),
    /// It opened a keyring or was typed twice: only then may a new keyring stand under it.
    Sure,
}

/// Who gave a wrong answer is asked again, but not within what may be one call: that asks once, however many secrets it
/// is about.
const ONE_CALL: Duration = Duration::from_secs(1);

/// Root keys of which some are asked for.
#[derive(Debug)]
pub(crate) struct Asking {
    keys: Arc<dyn KeyProvider>,
    prompted: Vec<Arc<Prompted>>,
}

impl Asking {
    /// These keys, among which those are asked for.
    pub(crate) fn around(keys: Arc<dyn KeyProvider>, prompted: Vec<Arc<Prompted>>) -> Arc<dyn KeyProvider> {
        if prompted.is_empty() { keys } else { Arc::new(Self { keys, prompted }) }
    }
}

impl KeyProvider for Asking {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        self.keys.wrap(key, bound_to)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        self.keys.unwrap(wrapped, bound_to).inspect_err(|error| {
            // Only where no other opened it either: among several, each but one is refused every time.
            if error.kind() == ErrorKind::WrongRootKey {
                self.prompted.iter().for_each(|prompted| prompted.refused());
            }
        })
    }
}

impl Prompted {
    pub(crate) const fn new(role: KeyRole, ask: Option<Arc<dyn AskPassphrase>>) -> Self {
        Self { role, ask, known: Mutex::new(None) }
    }

    /// Asks for a new passphrase now, unless one is known: for a store that is about to be made, so that nothing is left
    /// of it where the answer does not come.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn ask_before_anything_is_made(&self) -> Result<()> {
        self.for_wrapping().map(drop)
    }

    fn for_wrapping(&self) -> Result<Arc<PassphraseKey>> {
        let mut known = self.lock();
        match &*known {
            Some(Known { key, standing: Standing::Sure }) => Ok(Arc::clone(key)),
            Some(_) | None => {
                let key = self.asked(PassphraseQuestion::New(&self.role))?;
                *known = Some(Known { key: Arc::clone(&key), standing: Standing::Sure });
                Ok(key)
            }
        }
    }

    fn for_opening(&self) -> Result<Arc<PassphraseKey>> {
        let mut known = self.lock();
        match &*known {
            Some(Known { standing: Standing::Refused(at), .. }) if at.elapsed() >= ONE_CALL => {}
            Some(Known { key, .. }) => return Ok(Arc::clone(key)),
            None => {}
        }
        let key = self.asked(PassphraseQuestion::Known(&self.role))?;
        *known = Some(Known { key: Arc::clone(&key), standing: Standing::Unproven });
        Ok(key)
    }

    /// What it gave opened nothing. One that opened another keyring stays.
    fn refused(&self) {
        if let Some(known) = self.lock().as_mut().filter(|known| !matches!(known.standing, Standing::Sure)) {
            known.standing = Standing::Refused(Instant::now());
        }
    }

    fn asked(&self, question: PassphraseQuestion<'_>) -> Result<Arc<PassphraseKey>> {
        let Some(ask) = &self.ask else {
            return Err(Error::NoRootKey(
                "passphrase: needs somebody to ask, and this program asks nobody; use passphrase:file:PATH or \
                 passphrase:env:NAME"
                    .to_owned(),
            ));
        };
        PassphraseKey::new(ask.ask(question)?).map(Arc::new)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyProvider for Prompted {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        self.for_wrapping()?.wrap(key, bound_to)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        if !PassphraseKey::made(wrapped) {
            // Nobody is asked for a passphrase that cannot help.
            let (expected, given) = (wrapped.kek.to_string(), "a passphrase".to_owned());
            return Err(Error::WrongRootKey { org: bound_to.org.clone(), expected, given });
        }
        let key = self.for_opening()?;
        let opened = key.unwrap(wrapped, bound_to)?;
        if let Some(known) = self.lock().as_mut().filter(|known| Arc::ptr_eq(&known.key, &key)) {
            known.standing = Standing::Sure;
        }
        Ok(opened)
    }
}
