//! Reading: fetch, check the head, judge, open.

use super::Secrets;
use crate::error::{Error, Result};
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::{Revision, SecretInfo, SecretRecord};
use crate::request::SecretRequest;
use crate::scope::Scope;
use crate::seal::SealedValue;
use crate::store::{Fetched, Query, Target, Want, Within};
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
    /// The current value of the secret at exactly this address.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Inactive`], [`Error::Expired`], [`Error::Corrupt`], and what the store and the
    /// root key say.
    pub fn get(&self, id: &SecretId) -> Result<Resolved> {
        self.open(Target::Exact(id.clone()), None)
    }

    /// The current value of the secret with this id, if it is in this org.
    ///
    /// # Errors
    /// [`Error::IdNotFound`] and those of [`get`](Self::get).
    pub fn get_by_id(&self, org: &Part, id: StableId) -> Result<Resolved> {
        self.open(Target::Id(org.clone(), id), None)
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
        let mut fetched = self.fetch(&wants)?.into_iter();
        Ok(targets
            .into_iter()
            .zip(requests)
            .map(|(target, request)| {
                let target = target?;
                let fetched = fetched.next().flatten();
                self.judge_and_open(&target, request.revision, fetched)
            })
            .collect())
    }

    /// Everything but the value of the secret at exactly this address, also of an inactive or expired one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], and what the store and the root key say.
    pub fn info(&self, id: &SecretId) -> Result<SecretInfo> {
        self.authorize()?;
        let target = Target::Exact(id.clone());
        self.current(&target)?.map(|(info, _)| info).ok_or_else(|| not_found(&target))
    }

    /// The same for the secret with this id, if it is in this org.
    ///
    /// # Errors
    /// [`Error::IdNotFound`] and those of [`info`](Self::info).
    pub fn info_by_id(&self, org: &Part, id: StableId) -> Result<SecretInfo> {
        self.authorize()?;
        let target = Target::Id(org.clone(), id);
        self.current(&target)?.map(|(info, _)| info).ok_or_else(|| not_found(&target))
    }

    /// Whether `value` is the current value of the secret at exactly this address. Reveals nothing else, and works for
    /// an inactive or expired one.
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn verify_value(&self, id: &SecretId, value: &SecretValue) -> Result<bool> {
        let info = self.info(id)?;
        self.with_keys(id.org(), |keys| {
            let of_value = keys.digest(id, value, Some(info.digest.0.key))?;
            Ok(crate::seal::equal(&of_value.tag, &info.digest.0.tag))
        })
    }

    /// The secrets in one place, ordered by name and then scope, `page` at a time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretValue, Secrets, store::Within};
    /// # let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
    /// secrets.put(&"acme:token".parse()?, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
    /// for page in secrets.list(Within::Exactly("acme".parse()?), 100) {
    ///     for info in page? {
    ///         println!("{} {}", info.address, info.digest);
    ///     }
    /// }
    /// # Ok::<(), secretkit_core::Error>(())
    /// ```
    ///
    /// Each page is a snapshot of its own: a secret that is there all the time appears exactly once.
    pub fn list(&self, within: Within, page: usize) -> Pages<'_> {
        Pages { secrets: self, query: Some(Query { within, after: None, limit: page.max(1) }) }
    }

    fn open(&self, target: Target, revision: Option<Revision>) -> Result<Resolved> {
        self.authorize()?;
        let want = Want { target, revision };
        let fetched = self.fetch(std::slice::from_ref(&want))?.pop().flatten();
        self.judge_and_open(&want.target, revision, fetched)
    }

    /// The checked head of what stands at `target`, with its record.
    pub(super) fn current(&self, target: &Target) -> Result<Option<(SecretInfo, SealedValue)>> {
        let want = Want { target: target.clone(), revision: None };
        match self.fetch(std::slice::from_ref(&want))?.pop().flatten() {
            Some(fetched) => self.checked(target, fetched.record).map(Some),
            None => Ok(None),
        }
    }

    /// One answer for each want: a store that gives fewer must not make a secret look absent.
    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        let answers = self.store.fetch(wants)?;
        if answers.len() == wants.len() {
            return Ok(answers);
        }
        let source = format!("{} answers to {} wants", answers.len(), wants.len()).into();
        Err(Error::Store { store: self.store.to_string(), source })
    }

    fn checked(&self, target: &Target, record: SecretRecord) -> Result<(SecretInfo, SealedValue)> {
        let (info, sealed) = record.verify(|check| self.with_keys(target.org(), check))?;
        // An authentic row in answer to another question is still a false answer.
        let answers = match target {
            Target::Exact(id) => info.address == *id,
            Target::Nearest(scope, name) => {
                info.address.name() == name && scope.chain().any(|scope| scope == *info.address.scope())
            }
            Target::Id(org, id) => info.id == *id && info.address.org() == org,
        };
        if answers { Ok((info, sealed)) } else { Err(Error::corrupt(&info.address)) }
    }

    fn judge_and_open(&self, target: &Target, wanted: Option<Revision>, fetched: Option<Fetched>) -> Result<Resolved> {
        let Fetched { record, superseded } = fetched.ok_or_else(|| not_found(target))?;
        let (info, sealed) = self.checked(target, record)?;
        self.judge(&info)?;
        let revision = wanted.unwrap_or(info.revision);
        let value = self.with_keys(info.address.org(), |keys| {
            if revision == info.revision {
                return keys.open_value(&info.address, &info.id, revision, &sealed);
            }
            if revision < info.first_revision || revision > info.revision {
                let (first, last) = (info.first_revision, info.revision);
                return Err(Error::RevisionNotFound { id: info.address.clone(), revision, first, last });
            }
            match &superseded {
                Some(superseded) => superseded.clone().open(&info, revision, keys),
                None => Err(Error::corrupt(&format!("revision {revision} of {}, which is gone,", info.address))),
            }
        })?;
        Ok(Resolved { info, revision, value })
    }

    /// Whether a secret may be read now.
    ///
    /// # Errors
    /// [`Error::Inactive`], [`Error::Expired`].
    pub fn judge(&self, info: &SecretInfo) -> Result<()> {
        if !info.metadata.active {
            return Err(Error::Inactive { id: info.address.clone() });
        }
        match info.metadata.expires_at {
            Some(since) if self.clock.now() >= since => Err(Error::Expired { id: info.address.clone(), since }),
            _ => Ok(()),
        }
    }
}

/// The pages of a listing. An error ends it.
#[derive(Debug)]
pub struct Pages<'a> {
    secrets: &'a Secrets,
    query: Option<Query>,
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<SecretInfo>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut query = self.query.take()?;
        let page = self.secrets.page(&query);
        if let Ok(infos) = &page {
            if infos.is_empty() {
                return None;
            }
            if infos.len() == query.limit {
                query.after = infos.last().map(|info| info.address.clone());
                self.query = Some(query);
            }
        }
        Some(page)
    }
}

impl Secrets {
    fn page(&self, query: &Query) -> Result<Vec<SecretInfo>> {
        self.authorize()?;
        let listed = self.store.list(query)?;
        let within = |info: &SecretInfo| match &query.within {
            Within::Org(org) => info.address.org() == org,
            Within::Exactly(scope) => info.address.scope() == scope,
        };
        listed
            .into_iter()
            .map(|row| {
                let info = row.verify(|check| self.with_keys(query.within.org(), check))?;
                if within(&info) { Ok(info) } else { Err(Error::corrupt(&info.address)) }
            })
            .collect()
    }
}

fn target_of(scope: &Scope, request: &SecretRequest) -> Result<Target> {
    match &request.pinned {
        None => Ok(Target::Nearest(scope.clone(), request.name.clone())),
        Some(pinned) if scope.chain().any(|seen| seen == *pinned) => {
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
