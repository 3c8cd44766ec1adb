//! The values of before that secrets keep, as they are stored.

use super::Secrets;
use crate::error::{Error, Result};
use crate::record::{Generation, Revision, SecretInfo};
use crate::revision::RevisionRecord;
use crate::store::{Fetched, Target, Want};

/// This many are held at a time, unless one secret alone has more.
const VALUES: usize = 256;

impl Secrets {
    /// Those of one secret, oldest first. Where somebody wrote in between, not all of them: whoever writes what follows from
    /// them is met by the commit.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where one is gone that the head says is kept; what the store says.
    pub(super) fn superseded(&self, info: &SecretInfo) -> Result<Vec<RevisionRecord>> {
        self.superseded_of(&[info])?.pop().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// The same of the first of these secrets, as many as are held at a time, and at least one: asked for together. What is
    /// wrong with one is its own error.
    ///
    /// # Errors
    /// What the store says of all. Where one row makes no sense, that is an error of the whole call.
    pub(super) fn superseded_of(&self, infos: &[&SecretInfo]) -> Result<Vec<Result<Vec<RevisionRecord>>>> {
        let (mut wants, mut counts) = (Vec::new(), Vec::with_capacity(infos.len()));
        for info in infos {
            let before = wants.len();
            wants.extend(kept(info));
            if !counts.is_empty() && wants.len() > VALUES {
                wants.truncate(before);
                break;
            }
            counts.push(wants.len() - before);
        }
        let mut answers = Vec::with_capacity(wants.len());
        for wants in wants.chunks(VALUES) {
            // Each answer has the record beside the value.
            answers.extend(self.latest(wants)?.into_iter().map(|fetched| {
                let Fetched { record, superseded } = fetched?;
                Some((record.head.generation, superseded))
            }));
        }
        let mut answers = answers.into_iter();
        // All that are a secret's own are taken, also where the first tells enough.
        let of_each = infos.iter().zip(counts).map(|(info, count)| (info, answers.by_ref().take(count).collect()));
        Ok(of_each.map(|(info, answers)| rows(info, answers)).collect())
    }
}

fn kept(info: &SecretInfo) -> impl Iterator<Item = Want> {
    let target = Target::Id(info.address.org().clone(), info.id);
    let numbers = info.first_revision.number()..info.revision.number();
    numbers.map(move |number| Want { target: target.clone(), revision: Revision::new(number) })
}

fn rows(info: &SecretInfo, answers: Vec<Option<(Generation, Option<RevisionRecord>)>>) -> Result<Vec<RevisionRecord>> {
    let mut rows = Vec::with_capacity(answers.len());
    for (answer, number) in answers.into_iter().zip(info.first_revision.number()..) {
        match answer {
            Some((generation, superseded)) if generation == info.generation => match superseded {
                Some(row) => rows.push(row),
                None => return Err(Error::corrupt(&format!("revision {number} of {}, which is gone,", info.address))),
            },
            // Somebody wrote in between.
            _ => break,
        }
    }
    Ok(rows)
}
