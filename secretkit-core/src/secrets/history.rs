//! The values that a secret had before.

use super::Secrets;
use super::reference::SecretRef;
use super::write::meets_generation;
use crate::error::{Error, Result};
use crate::event::Action;
use crate::record::{Generation, Revision, SecretInfo};
use crate::revision::{ListedRevision, RevisionInfo};
use crate::store::{History, Target, Want};

use super::batch::{Attempt, BatchBuilder};
use super::read::not_found;

impl Secrets {
    /// Every value of the secret that is kept, the current one first: when it was set, by whom, and its digest.
    ///
    /// # Errors
    /// Those of [`info`](Self::info); [`Error::Corrupt`] also where a revision that should be kept is gone.
    pub fn history(&self, secret: impl Into<SecretRef>) -> Result<Vec<RevisionInfo>> {
        self.authorize()?;
        let target = secret.into().target();
        self.reread(|_| self.history_of_now(&target))
    }

    fn history_of_now(&self, target: &Target) -> Result<Vec<RevisionInfo>> {
        let Some(History { current, superseded }) = self.store.history(target)? else {
            self.check_absence(target.org())?;
            return Err(not_found(target));
        };
        let info = current.verify(|check| self.with_keys(target.org(), check))?;
        self.answers(target, &info)?;
        let mut wanted = info.first_revision;
        let mut revisions = Vec::with_capacity(superseded.len() + 1);
        for kept in superseded {
            let verified =
                self.with_keys(target.org(), |keys| ListedRevision::clone(&kept).verify(&info, wanted, keys))?;
            revisions.push(verified);
            wanted = wanted.next();
        }
        if wanted != info.revision {
            return Err(Error::corrupt(&format!("revision {wanted} of {}, which is gone,", info.address)));
        }
        let (revision, valued, digest) = (info.revision, info.valued.clone(), info.digest);
        revisions.push(RevisionInfo { revision, valued, digest });
        revisions.reverse();
        Ok(revisions)
    }

    /// Sets the value of an earlier revision again, as a new revision; only at the expected generation if one is
    /// given. It works for an inactive or expired secret, too.
    ///
    /// # Errors
    /// [`Error::RevisionNotFound`], [`Error::InvalidRequest`] for the current revision, [`Error::Conflict`] at
    /// another generation, and those of [`update`](Self::update).
    pub fn rollback(
        &self,
        secret: impl Into<SecretRef>,
        to: Revision,
        expected: Option<Generation>,
    ) -> Result<SecretInfo> {
        self.authorize()?;
        let want = Want { target: secret.into().target(), revision: Some(to) };
        self.until_committed(want.target.org(), || {
            let fetched = self.latest_one(&want)?.ok_or_else(|| not_found(&want.target))?;
            let (info, sealed) = self.checked(&want.target, fetched.record)?;
            meets_generation(&info, expected)?;
            if to == info.revision {
                return Err(Error::InvalidRequest("this is the current revision; there is nothing to roll back"));
            }
            let value = self.open_revision(&info, &sealed, to, fetched.superseded.as_ref())?;
            let mut batch = BatchBuilder::begin(self, info.address.org())?;
            let head = batch.replace_value(info, sealed, &value, None, Action::Rollback)?;
            Ok(Attempt::Commit(batch.finish(), head))
        })
        .map(SecretInfo::committed)
    }

    /// Removes superseded values now, all but the last `keep` of them. What is kept from now on stays as it is set.
    ///
    /// # Errors
    /// Those of [`edit`](Self::edit).
    pub fn prune(&self, secret: impl Into<SecretRef>, keep: u32) -> Result<SecretInfo> {
        self.authorize()?;
        let target = secret.into().target();
        self.until_committed(target.org(), || {
            let (info, sealed) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let first = info.revision.earlier(keep).max(info.first_revision);
            if first == info.first_revision {
                return Ok(Attempt::Unchanged(info));
            }
            let mut batch = BatchBuilder::begin(self, info.address.org())?;
            let head = batch.replace_head(info, sealed, |head| head.first_revision = first)?;
            Ok(Attempt::Commit(batch.finish(), SecretInfo::committed(head)))
        })
    }
}
