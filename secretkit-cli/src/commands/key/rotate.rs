//! `secretkit key rotate`: the steps of a rotation, one after the other.

use secretkit::seal::{KeyInfo, KeyState, KeyUse};
use secretkit::{Error, ErrorKind, Part};

use super::reencrypt::{Pace, one_org};
use super::{print_if_json, retired, short, use_of_key};
use crate::arguments::RotateKeys;
use crate::commands::Session;
use crate::failure::Stop;

pub(super) fn run(session: &Session, arguments: &RotateKeys) -> Result<(), Stop> {
    let named = arguments.used_for.iter().map(use_of_key).collect::<Result<Vec<_>, _>>()?;
    // Each once, however often it is named.
    let uses: Vec<_> = KeyUse::ALL.into_iter().filter(|used_for| named.contains(used_for)).collect();
    let pace = Pace::new(&arguments.pace)?;
    let secrets = session.existing()?;
    let status = session.keys_of_org(&secrets)?;
    // Before anything is done: a repetition would make one key more of each use before this one.
    if let Some(key) = uses.iter().find_map(|used_for| status.in_state(*used_for, KeyState::Pending).next()) {
        return Err(is_pending(key, &status.org));
    }
    let (keys, org) = (secrets.keys(), status.org);
    for used_for in &uses {
        let key = keys.add(&org, *used_for)?;
        keys.promote(&org, key.id)?;
        session.console.notice(&format!("the {used_for} key {} of org {org} is written with from now on", key.id));
    }
    let is_rewritten = |used_for: &KeyUse| *used_for != KeyUse::Audit;
    if !uses.iter().any(is_rewritten) {
        return print_if_json(session, &serde_json::Value::Null);
    }
    let mut done = one_org(session, &secrets, org.clone(), &pace)?;
    let status = keys.status(&org)?;
    let mut rounds = MOST_ROUNDS;
    for used_for in uses.iter().filter(|used_for| is_rewritten(used_for)) {
        for key in status.in_state(*used_for, KeyState::DecryptOnly) {
            loop {
                match keys.retire(&org, key.id) {
                    // A secret that somebody writes at the moment of its turn is passed over, and one that was restored is
                    // back under it: their turn comes again.
                    Err(Error::KeyInUse { .. }) if rounds > 0 => {
                        rounds -= 1;
                        done.add(&one_org(session, &secrets, org.clone(), &pace)?);
                    }
                    outcome => break outcome?,
                }
            }
            session.console.notice(&retired(key, &org));
        }
    }
    print_if_json(session, &done)
}

fn is_pending(key: &KeyInfo, org: &Part) -> Stop {
    let KeyInfo { id, used_for, .. } = key;
    let message = format!("the {used_for} key {id} of org {org} is pending already, and nothing was done");
    let hint = format!(
        "first put it to use, or give it up: secretkit key promote {short} --org {org}, or key retire {short}",
        short = short(*id)
    );
    Stop::failed(ErrorKind::InvalidRequest, message, hint)
}

/// Of writing anew what still stands under a key of before.
const MOST_ROUNDS: usize = 10;
