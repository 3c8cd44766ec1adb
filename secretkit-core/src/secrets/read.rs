//! Reading: fetch, check the head, judge, open.

use super::Secrets;
use super::keys::{Freshness, is_out_of_use};
use super::reference::SecretRef;
use crate::error::{Error, Result};
use crate::id::{SecretId, SecretName};
use crate::record::{Revision, SecretInfo, SecretRecord};
use crate::request::SecretRequest;
use crate::scope::Scope;
use crate::seal::SealedValue;
use crate::store::{Fetched, Superseded, Target, Want};
use crate::value::SecretValue;

/// A secret that was found, judged and opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// Everything but the value; `info.address` says at which scope it was found.
    pub info: SecretInfo,
    /// Which of the secret's values this is.
    pub revision: Revision,
    /// The value.
    pub value: SecretValue,
}

impl Secrets {
    /// The current value of the secret at exactly this address, or with this id.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdNotFound`], [`Error::Inactive`], [`Error::Expired`], [`Error::Corrupt`], and
    /// what the store and the root key say.
    pub fn get(&self, secret: impl Into<SecretRef>) -> Result<Resolved> {
        self.open(secret.into().target(), None)
    }

    /// A given value of it, current or superseded.
    ///
    /// # Errors
    /// [`Error::RevisionNotFound`] and those of [`get`](Self::get).
    pub fn get_revision(&self, secret: impl Into<SecretRef>, revision: Revision) -> Result<Resolved> {
        self.open(secret.into().target(), Some(revision))
    }

    /// What a task at `scope` gets for this request: the first secret of that name that exists along the scope's
    /// chain. An inactive or expired one there is an error and not a descent.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the scopes searched, [`Error::RevisionNotFound`], [`Error::InvalidRequest`], and
    /// those of [`get`](Self::get).
    pub fn resolve(&self, scope: &Scope, request: &SecretRequest) -> Result<Resolved> {
        self.open(target_of(scope, request)?, request.revision)
    }

    /// The same for many requests, from one snapshot of the store and in one round trip. Each has its own outcome.
    ///
    /// # Errors
    /// What the store says of the fetch as a whole.
    pub fn resolve_many(&self, scope: &Scope, requests: &[SecretRequest]) -> Result<Vec<Result<Resolved>>> {
        self.authorize()?;
        let targets: Vec<_> = requests.iter().map(|request| target_of(scope, request)).collect();
        let wants: Vec<_> = targets
            .iter()
            .zip(requests)
            .filter_map(|(target, request)| {
                Some(Want { target: target.as_ref().ok()?.clone(), revision: request.revision })
            })
            .collect();
        let all = |freshness| -> Result<Vec<_>> {
            let fetched = self.fetched(&wants, freshness)?;
            Ok(wants
                .iter()
                .zip(fetched)
                .map(|(want, fetched)| self.judge_and_open(&want.target, want.revision, fetched))
                .collect())
        };
        let mut opened = all(Freshness::AtHand)?;
        if opened.iter().any(|outcome| outcome.as_ref().is_err_and(is_out_of_use)) {
            // All of them, so that they are of one snapshot.
            opened = all(Freshness::Latest)?;
        }
        let mut opened = opened.into_iter();
        let outcome = |target: Result<Target>| target.and_then(|_| opened.next().ok_or_else(|| self.wrong_count())?);
        Ok(targets.into_iter().map(outcome).collect())
    }

    /// Everything but the value of a secret, also of an inactive or expired one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdNotFound`], [`Error::Corrupt`], and what the store and the root key say.
    pub fn info(&self, secret: impl Into<SecretRef>) -> Result<SecretInfo> {
        self.authorize()?;
        let target = secret.into().target();
        self.reread(|_| {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            Ok(self.with_last_use(target.org(), vec![info])?.remove(0))
        })
    }

    /// The same for the secrets of these names at exactly this scope, in two round trips; `None` where there is none.
    /// Their sealed values come along: ask for thousands of them by parts.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store and the root key say.
    pub fn infos(&self, scope: &Scope, names: &[SecretName]) -> Result<Vec<Option<SecretInfo>>> {
        self.authorize()?;
        let want = |name: &SecretName| {
            let target = Target::Exact(SecretId::new(scope.clone(), name.clone()));
            Want { target, revision: None }
        };
        let wants: Vec<_> = names.iter().map(want).collect();
        self.reread(|_| {
            let mut is_there = Vec::with_capacity(wants.len());
            let mut infos = Vec::new();
            for (fetched, want) in self.latest(&wants)?.into_iter().zip(&wants) {
                is_there.push(fetched.is_some());
                if let Some(fetched) = fetched {
                    infos.push(self.checked(&want.target, fetched.record)?.0);
                }
            }
            let mut infos = self.with_last_use(scope.org(), infos)?.into_iter();
            Ok(is_there.into_iter().map(|is_there| if is_there { infos.next() } else { None }).collect())
        })
    }

    /// Whether `value` is the current value of a secret. Reveals nothing else, and works for an inactive or expired
    /// one.
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn verify_value(&self, secret: impl Into<SecretRef>, value: &SecretValue) -> Result<bool> {
        self.authorize()?;
        let target = secret.into().target();
        self.reread(|_| {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            self.with_keys(target.org(), |keys| {
                let of_value = keys.digest(&info.address, value, Some(info.digest.0.key))?;
                Ok(crate::seal::equal(&of_value.tag, &info.digest.0.tag))
            })
        })
    }

    fn open(&self, target: Target, revision: Option<Revision>) -> Result<Resolved> {
        self.authorize()?;
        let want = Want { target, revision };
        self.reread(|freshness| {
            let fetched = self.fetched(std::slice::from_ref(&want), freshness)?.pop().flatten();
            self.judge_and_open(&want.target, revision, fetched)
        })
    }

    fn fetched(&self, wants: &[Want], freshness: Freshness) -> Result<Vec<Option<Fetched>>> {
        match freshness {
            Freshness::AtHand => self.counted(wants, self.store.fetch(wants)?),
            Freshness::Latest => self.latest(wants),
        }
    }

    /// The checked head of what stands at `target` now, with its record.
    pub(super) fn current(&self, target: &Target) -> Result<Option<(SecretInfo, SealedValue)>> {
        let want = Want { target: target.clone(), revision: None };
        match self.latest_one(&want)? {
            Some(fetched) => self.checked(target, fetched.record).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn latest_one(&self, want: &Want) -> Result<Option<Fetched>> {
        Ok(self.latest(std::slice::from_ref(want))?.pop().flatten())
    }

    /// What stands there now, for whoever decides by it. Only what is delivered may come from a cache.
    pub(super) fn latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        // A secret with one value has no superseded ones; that need not be asked.
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        self.counted(wants, self.store.fetch_latest(wants)?)
    }

    /// One answer for each want: a store that gives fewer must not make a secret look absent, and neither must an old copy.
    fn counted(&self, wants: &[Want], answers: Vec<Option<Fetched>>) -> Result<Vec<Option<Fetched>>> {
        if answers.len() != wants.len() {
            return Err(self.wrong_count());
        }
        if let Some((want, _)) = wants.iter().zip(&answers).find(|(_, answer)| answer.is_none()) {
            // All of one call are of one org.
            self.check_absence(want.target.org())?;
        }
        Ok(answers)
    }

    /// A store that does not answer what it was asked.
    pub(super) fn wrong_count(&self) -> Error {
        let source = "it gave another number of answers than it was asked for".into();
        Error::Store { store: self.store.to_string(), source }
    }

    pub(super) fn checked(&self, target: &Target, record: SecretRecord) -> Result<(SecretInfo, SealedValue)> {
        let (info, sealed) = record.verify(|check| self.with_keys(target.org(), check))?;
        self.answers(target, &info)?;
        Ok((info, sealed))
    }

    /// An authentic row in answer to another question is still a false answer.
    pub(super) fn answers(&self, target: &Target, info: &SecretInfo) -> Result<()> {
        let answers = match target {
            Target::Exact(id) => info.address == *id,
            Target::Nearest(scope, name) => info.address.name() == name && info.address.scope().includes(scope),
            Target::Id(org, id) => info.id == *id && info.address.org() == org,
        };
        if answers { Ok(()) } else { Err(Error::corrupt(&info.address)) }
    }

    fn judge_and_open(&self, target: &Target, wanted: Option<Revision>, fetched: Option<Fetched>) -> Result<Resolved> {
        let Fetched { record, superseded } = fetched.ok_or_else(|| not_found(target))?;
        let (info, sealed) = self.checked(target, record)?;
        self.judge(&info)?;
        let revision = wanted.unwrap_or(info.revision);
        let value = self.open_revision(&info, &sealed, revision, superseded.as_ref())?;
        self.note_use(&info);
        Ok(Resolved { info, revision, value })
    }

    /// The value of one of the secret's revisions, which is `sealed` or `superseded`.
    pub(super) fn open_revision(
        &self,
        info: &SecretInfo,
        sealed: &SealedValue,
        revision: Revision,
        superseded: Option<&Superseded>,
    ) -> Result<SecretValue> {
        self.with_keys(info.address.org(), |keys| {
            if revision == info.revision {
                return keys.open_value(&info.address, &info.id, revision, sealed);
            }
            if !(info.first_revision..info.revision).contains(&revision) {
                let (first, last) = (info.first_revision, info.revision);
                return Err(Error::RevisionNotFound { id: info.address.clone(), revision, first, last });
            }
            match superseded {
                Some(superseded) => superseded.clone().open(info, revision, keys),
                None => Err(Error::corrupt(&format!("revision {revision} of {}, which is gone,", info.address))),
            }
        })
    }

    /// Whether a secret may be read now.
    ///
    /// # Errors
    /// [`Error::Inactive`], [`Error::Expired`].
    pub fn judge(&self, info: &SecretInfo) -> Result<()> {
        if let Some(since) = info.metadata.inactive_since {
            return Err(Error::Inactive { id: info.address.clone(), since });
        }
        match info.metadata.expires_at {
            Some(since) if self.clock.now() >= since => Err(Error::Expired { id: info.address.clone(), since }),
            _ => Ok(()),
        }
    }
}

fn target_of(scope: &Scope, request: &SecretRequest) -> Result<Target> {
    match &request.pinned {
        None => Ok(Target::Nearest(scope.clone(), request.name.clone())),
        Some(pinned) if pinned.includes(scope) => {
            Ok(Target::Exact(SecretId::new(pinned.clone(), request.name.clone())))
        }
        Some(_) => Err(Error::InvalidRequest("it is pinned to a scope that does not include the task's")),
    }
}

pub(super) fn not_found(target: &Target) -> Error {
    match target {
        Target::Exact(id) => Error::NotFound { name: id.name().clone(), searched: vec![id.scope().clone()] },
        Target::Nearest(scope, name) => Error::NotFound { name: name.clone(), searched: scope.chain().collect() },
        Target::Id(org, id) => Error::IdNotFound { org: org.clone(), id: *id },
    }
}
