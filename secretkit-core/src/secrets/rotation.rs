//! The keys of each org over their life: their status, and the steps of a rotation.

use std::sync::Arc;

use super::Secrets;
use super::batch::BatchBuilder;
use super::keys::lost_keyring;
use super::lanes::Lease;
use super::reencrypt::Reencryption;
use crate::error::{Error, Result};
use crate::event::{Action, Subject, Token};
use crate::part::Part;
use crate::seal::{KekId, KeyId, KeyInfo, KeyState, KeyUse, KeyringRow, OrgKeys, Step};
use crate::store::{Batch, Change, Commit, Expect, Found};

/// The keys of a store's orgs: their status, and the steps of a rotation. [`Secrets::keys`] gives it.
///
/// Two different things are called rotation, and each has its own call:
/// - [`rewrap`](Self::rewrap): the *root key* changes. Only the keyrings are written anew; no value is touched.
/// - [`add`](Self::add), [`promote`](Self::promote), [`reencrypt`](Self::reencrypt), [`retire`](Self::retire),
///   [`destroy`](Self::destroy), in this order: a *data, meta or digest key* changes, because it is old or was stolen.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    secrets: &'a Secrets,
}

/// The keyring of one org.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The org.
    pub org: Part,
    /// Counts every change of the keyring.
    pub version: u64,
    /// The root key that it is wrapped with.
    pub root_key: KekId,
    /// Every key, in the order in which they were made, with the number of stored items under it.
    pub keys: Vec<(KeyInfo, u64)>,
}

impl Secrets {
    /// The keys of this store's orgs.
    #[must_use]
    pub const fn keys(&self) -> Keys<'_> {
        Keys { secrets: self }
    }
}

impl<'a> Keys<'a> {
    /// The orgs that this user of the store sees and that have a keyring, and the root key that each is wrapped with. Opens none of them.
    ///
    /// # Errors
    /// What the store says.
    pub fn orgs(&self) -> Result<Vec<(Part, KekId)>> {
        self.secrets.authorize()?;
        let rows = self.secrets.store.keyrings()?;
        Ok(rows.into_iter().map(|row| (row.org, row.wrapped.kek)).collect())
    }

    /// The keyring of an org.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it has none, and what the store and the root key say.
    pub fn status(&self, org: &Part) -> Result<KeyStatus> {
        self.secrets.authorize()?;
        let (row, keys) = self.current(org)?;
        let uses = self.secrets.store.key_uses(org)?;
        let counted = |info: KeyInfo| {
            let rows = uses.get(&info.id).copied().unwrap_or_default();
            (info, rows)
        };
        let keys = keys.infos().into_iter().map(counted).collect();
        Ok(KeyStatus { org: org.clone(), version: row.version, root_key: row.wrapped.kek, keys })
    }

    /// The root key that the org's keyring would be wrapped with today. Where it is another than that of its
    /// [`status`](Self::status), a [`rewrap`](Self::rewrap) is due.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub fn root_key_for(&self, org: &Part) -> Result<KekId> {
        self.secrets.authorize()?;
        let (_, keys) = self.current(org)?;
        let (_, next) = keys.after(&[], &*self.secrets.provider()?, self.secrets.clock.now())?;
        Ok(next.wrapped.kek)
    }

    /// Wraps the keyrings of all orgs anew with the root key of today, in one commit. Returns how many there were.
    ///
    /// The provider of this [`Secrets`] must still know the root key of before, see
    /// [`RootKeys`](crate::seal::RootKeys); once this has returned, nothing in the store needs it any more. Backups do,
    /// and so do orgs that this user of the store does not see, see
    /// [`sees_all_orgs`](crate::SecretStore::sees_all_orgs).
    ///
    /// # Errors
    /// [`Error::WrongRootKey`] for an org whose root key is not known, [`Error::Contended`], and what the store says.
    pub fn rewrap(&self) -> Result<usize> {
        self.secrets.authorize()?;
        let provider = self.secrets.provider()?;
        self.retried(|| {
            let known = self.secrets.keyring_versions();
            let rows = self.secrets.store.keyrings()?;
            let mut held = Vec::with_capacity(rows.len());
            // One for all of them: a commit is found by the token that its events carry.
            let token = Token::generate()?;
            let mut all = Batch { token: Some(token), ..Batch::default() };
            for row in &rows {
                if known.get(&row.org).is_some_and(|known| row.version < *known) {
                    return Err(self.secrets.rolled_back(&row.org));
                }
                let keys = match self.secrets.check_anchor(&row.org)? > row.version {
                    // Others have changed it since, or it is an old one.
                    true => self.current(&row.org)?.1,
                    false => OrgKeys::open(self.secrets.store_id()?, row, &*provider)?,
                };
                let (_, next) = keys.after(&[], &*provider, self.secrets.clock.now())?;
                let (batch, lane) = self.changed(Arc::new(keys), next, token)?;
                held.push(lane);
                all.expectations.extend(batch.expectations);
                all.changes.extend(batch.changes);
                all.events.extend(batch.events);
            }
            let committed = self.secrets.store.commit(&all)?;
            match committed {
                Commit::Applied => self.secrets.committed(&all),
                Commit::Refused { .. } => rows.iter().for_each(|row| self.secrets.forget_lanes(&row.org)),
            }
            rows.iter().for_each(|row| self.secrets.forget(&row.org));
            Ok(matches!(committed, Commit::Applied).then_some(rows.len()))
        })
    }

    /// Makes a new key for this use. It is pending: every process should have read the keyring once more before it is
    /// promoted. A process that has not is no danger: it meets an unknown key, reads the keyring and goes on.
    ///
    /// # Errors
    /// [`Error::KeyStep`] where one is pending already, and what the store and the root key say.
    pub fn add(&self, org: &Part, used_for: KeyUse) -> Result<KeyInfo> {
        let keys = self.take(org, Step::Add(used_for), None)?;
        keys.infos().pop().ok_or_else(|| lost_keyring(org))
    }

    /// Makes a pending key the one that writers use. The one before it only opens from now on.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`], [`Error::KeyStep`], and what the store and the root key say.
    pub fn promote(&self, org: &Part, key: KeyId) -> Result<()> {
        self.take(org, Step::Promote(key), None).map(drop)
    }

    /// Writes anew, under the org's primary keys, whatever stands under another: values, superseded values, heads,
    /// digests, consumers and uses. Readers and writers go on meanwhile; no revision or generation changes.
    ///
    /// It is an iterator of batches, so that the caller shows progress, pauses between them, or stops. What was done
    /// stays done, and the next run passes over it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretValue, Secrets, seal::KeyUse};
    /// # let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
    /// # let id = "acme:token".parse::<secretkit_core::SecretId>()?;
    /// # secrets.put(&id, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
    /// # let org = id.org();
    /// let keys = secrets.keys();
    /// let old = keys.status(org)?.keys[0].0.id;
    /// keys.promote(org, keys.add(org, KeyUse::Data)?.id)?;
    /// for progress in keys.reencrypt(org, 100) {
    ///     println!("{} of the secrets are done", progress?.checked);
    /// }
    /// keys.retire(org, old)?;
    /// keys.destroy(org, old)?;
    /// # Ok::<(), secretkit_core::Error>(())
    /// ```
    #[must_use]
    pub fn reencrypt(&self, org: &Part, batch: usize) -> Reencryption<'a> {
        Reencryption::new(self.secrets, org, batch)
    }

    /// Takes a key out of use. That nothing stands under it is checked in the commit that does it.
    ///
    /// # Errors
    /// [`Error::KeyInUse`] where anything does, [`Error::KeyNotFound`], [`Error::KeyStep`], and what the store and the
    /// root key say.
    pub fn retire(&self, org: &Part, key: KeyId) -> Result<()> {
        self.take(org, Step::Retire(key), Some(key)).map(drop)
    }

    /// Wipes a retired key for ever. A backup from before that holds records under it cannot be read any more.
    ///
    /// # Errors
    /// As [`retire`](Self::retire).
    pub fn destroy(&self, org: &Part, key: KeyId) -> Result<()> {
        self.take(org, Step::Destroy(key), Some(key)).map(drop)
    }

    /// Wipes every key of an org for ever, and with them all its secrets and digests: the way to erase a tenant. Its
    /// rows stay, and nobody can open them again; backups that hold its old keyring still can be opened with the root
    /// key.
    ///
    /// # Errors
    /// What the store and the root key say.
    pub fn destroy_all(&self, org: &Part) -> Result<()> {
        self.take(org, Step::DestroyAll, None).map(drop)
    }

    /// Takes one step, if the keyring is still the one that it was decided on, and `unused` is.
    fn take(&self, org: &Part, step: Step, unused: Option<KeyId>) -> Result<Arc<OrgKeys>> {
        self.secrets.authorize()?;
        self.retried(|| {
            let (row, keys) = self.current(org)?;
            let (next, next_row) = keys.after(&[step], &*self.secrets.provider()?, self.secrets.clock.now())?;
            debug_assert_eq!(row.stamp(), keys.stamp());
            let (mut batch, _held) = self.changed(Arc::new(keys), next_row, Token::generate()?)?;
            batch.expectations.extend(unused.map(|key| Expect::KeyUnused(org.clone(), key)));
            match (self.secrets.store.commit(&batch)?, unused) {
                (Commit::Applied, _) => {
                    self.secrets.committed(&batch);
                    let next = Arc::new(next);
                    self.secrets.remember(Arc::clone(&next), org);
                    Ok(Some(next))
                }
                (Commit::Refused { found: Found::Items(rows), .. }, Some(key)) => {
                    Err(Error::KeyInUse { org: org.clone(), key, rows })
                }
                (Commit::Refused { .. }, _) => {
                    self.secrets.forget_lanes(org);
                    Ok(None)
                }
            }
        })
    }

    /// `next` in the place of the keyring with these keys, which is recorded under them: they can be read when it is
    /// there.
    fn changed(&self, keys: Arc<OrgKeys>, next: KeyringRow, token: Token) -> Result<(Batch, Option<Lease>)> {
        let org = next.org.clone();
        let erased = keys.infos().iter().all(|info| info.state == KeyState::Destroyed);
        let mut batch = BatchBuilder::under(self.secrets, &org, keys, token);
        // An erased org has no key left to chain an event with; its keyring is wrapped anew like every other.
        if !erased {
            batch.record(Action::ChangeKeyring, Subject::Keyring { version: next.version })?;
        }
        batch.changes.push(Change::Keyring(next));
        Ok(batch.finish().into_parts())
    }

    /// The keyring as it stands in the store now, opened.
    fn current(&self, org: &Part) -> Result<(KeyringRow, OrgKeys)> {
        self.secrets.open_keyring(org)?.ok_or_else(|| lost_keyring(org))
    }

    /// Until nobody comes in between. Keyrings change a few times a year; whoever loses this often meets a fault.
    fn retried<T>(&self, attempt: impl Fn() -> Result<Option<T>>) -> Result<T> {
        for _ in 0..100 {
            if let Some(outcome) = attempt()? {
                return Ok(outcome);
            }
        }
        Err(Error::Contended { store: self.secrets.store.to_string() })
    }
}

impl KeyStatus {
    /// The keys of this use in this state.
    pub fn in_state(&self, used_for: KeyUse, state: KeyState) -> impl Iterator<Item = &KeyInfo> {
        self.keys.iter().map(|(info, _)| info).filter(move |info| (info.used_for, info.state) == (used_for, state))
    }
}
