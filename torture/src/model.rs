//! What a store should hold after a script, in a few lines that anybody can check.

use std::collections::BTreeMap;

use secretkit_core::seal::{KeyState, KeyUse};
use secretkit_core::{ErrorKind, Secrets};
use secretkit_sqlite::Existing;

use crate::script::{Op, Value, org_of};

/// All that a store tells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct State {
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) keyrings: BTreeMap<String, Keyring>,
    /// Whether there is a store at all.
    pub(crate) exists: bool,
    /// What its backup holds.
    pub(crate) backup: Option<Box<Self>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Secret {
    pub(crate) generation: u64,
    /// By revision, the current one last.
    pub(crate) values: BTreeMap<u64, Vec<u8>>,
    pub(crate) description: String,
    pub(crate) consumers: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Keyring {
    pub(crate) version: u64,
    /// The number of the root key that it is wrapped with.
    pub(crate) root: usize,
    pub(crate) keys: Vec<(KeyUse, KeyState)>,
    /// Whether everything but events stands under the primary keys. An observation that it does is always welcome.
    pub(crate) reencrypted: bool,
}

impl State {
    /// What the operation makes of it. `None` where it could not have succeeded.
    fn after(&self, op: &Op, root: usize) -> Option<Self> {
        let mut next = self.clone();
        next.exists = true;
        match op {
            Op::Open => {}
            Op::Create(address, value) => {
                (!self.secrets.contains_key(*address)).then(|| next.put(address, *value, root))?;
            }
            Op::Put(address, value) => next.put(address, *value, root),
            Op::Update(address, value) => {
                self.secrets.contains_key(*address).then(|| next.put(address, *value, root))?;
            }
            Op::PutAll(addresses, value) => addresses.iter().for_each(|address| next.put(address, *value, root)),
            Op::Edit(address, description) => {
                let secret = next.secrets.get_mut(*address)?;
                if secret.description != *description {
                    secret.generation += 1;
                    secret.description = (*description).to_owned();
                }
            }
            Op::Rollback(address, to) => {
                let secret = next.secrets.get_mut(*address)?;
                let value = secret.values.get(to)?.clone();
                secret.push(value);
            }
            Op::Delete(address) => {
                let gone = next.secrets.remove(*address)?;
                gone.consumers.is_empty().then_some(())?;
            }
            Op::AddConsumer(address, name) => {
                let consumers = &mut next.secrets.get_mut(*address)?.consumers;
                if !consumers.iter().any(|known| known == name) {
                    consumers.push((*name).to_owned());
                    consumers.sort();
                }
            }
            Op::RemoveConsumer(address, name) => {
                let consumers = &mut next.secrets.get_mut(*address)?.consumers;
                let at = consumers.iter().position(|known| known == name)?;
                consumers.remove(at);
            }
            Op::Get(address) => drop(self.secrets.get(*address)?),
            Op::Rewrap(to) => next.keyrings.values_mut().for_each(|keyring| {
                keyring.version += 1;
                keyring.root = *to;
            }),
            Op::AddKey(org, used_for) => {
                let keyring = next.keyrings.get_mut(*org)?;
                if keyring.find(*used_for, KeyState::Pending).is_none() {
                    keyring.version += 1;
                    keyring.keys.push((*used_for, KeyState::Pending));
                }
            }
            Op::Promote(org, used_for) => next.keyrings.get_mut(*org)?.promote(*used_for),
            // Of an org that has nothing, nothing is to be done.
            Op::Reencrypt(org) => {
                next.keyrings.get_mut(*org).into_iter().for_each(|keyring| keyring.reencrypted = true)
            }
            Op::Retire(org, used_for) => {
                next.keyrings.get_mut(*org)?.step(*used_for, KeyState::DecryptOnly, KeyState::Retired);
            }
            Op::Destroy(org, used_for) => {
                next.keyrings.get_mut(*org)?.step(*used_for, KeyState::Retired, KeyState::Destroyed);
            }
            Op::Backup(existing) => {
                (self.backup.is_none() || *existing == Existing::Replace).then_some(())?;
                next.backup = Some(Box::new(Self { exists: true, backup: None, ..self.clone() }));
            }
            Op::Verify(_) => {}
        }
        Some(next)
    }

    fn put(&mut self, address: &str, value: Value, root: usize) {
        self.keyrings.entry(org_of(address).to_owned()).or_insert_with(|| Keyring {
            version: 1,
            root,
            keys: KeyUse::ALL.map(|used_for| (used_for, KeyState::Primary)).to_vec(),
            reencrypted: true,
        });
        self.secrets.entry(address.to_owned()).or_insert_with(Secret::new).push(value.bytes());
    }

    /// Whether a store that tells this may be one that should hold `self`.
    pub(crate) fn allows(&self, seen: &Self) -> bool {
        // That there is a store but nobody was told so is no fault.
        let exists = seen.exists || !self.exists;
        let welcome = |(org, keyring): (&String, &Keyring)| {
            self.keyrings.get(org).is_some_and(|expected| {
                let same = Keyring { reencrypted: expected.reencrypted, ..keyring.clone() } == *expected;
                same && (keyring.reencrypted || !expected.reencrypted)
            })
        };
        let backup = match (&self.backup, &seen.backup) {
            (Some(expected), Some(seen)) => expected.allows(seen),
            (expected, seen) => expected.is_none() && seen.is_none(),
        };
        exists
            && backup
            && seen.secrets == self.secrets
            && seen.keyrings.len() == self.keyrings.len()
            && seen.keyrings.iter().all(welcome)
    }
}

impl Secret {
    const fn new() -> Self {
        Self { generation: 0, values: BTreeMap::new(), description: String::new(), consumers: Vec::new() }
    }

    fn push(&mut self, value: Vec<u8>) {
        let revision = self.values.last_key_value().map_or(0, |(revision, _)| *revision) + 1;
        self.values.insert(revision, value);
        self.generation += 1;
        while self.values.len() > Secrets::DEFAULT_KEEP as usize + 1 {
            self.values.pop_first();
        }
    }
}

impl Keyring {
    fn find(&self, used_for: KeyUse, state: KeyState) -> Option<usize> {
        self.keys.iter().position(|key| *key == (used_for, state))
    }

    fn promote(&mut self, used_for: KeyUse) {
        let (Some(pending), Some(primary)) =
            (self.find(used_for, KeyState::Pending), self.find(used_for, KeyState::Primary))
        else {
            return;
        };
        self.keys[primary].1 = KeyState::DecryptOnly;
        self.keys[pending].1 = KeyState::Primary;
        self.version += 1;
        self.reencrypted = false;
    }

    fn step(&mut self, used_for: KeyUse, from: KeyState, to: KeyState) {
        if let Some(at) = self.find(used_for, from) {
            self.keys[at].1 = to;
            self.version += 1;
        }
    }
}

/// All that a store may hold after what its worker has said.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    states: Vec<Possible>,
    /// How many operations have ended.
    ended: usize,
    /// The operation under way, of which nobody knows whether it was done.
    under_way: Option<Op>,
    root: usize,
}

/// One state that a store may be in.
#[derive(Clone, Debug)]
struct Possible {
    state: State,
    /// What may come instead when the log is read anew: writes of unknown outcome that were not seen. Their bytes may
    /// be in the log, until the next write takes their place.
    ghosts: Vec<State>,
}

impl Possible {
    const fn certain(state: State) -> Self {
        Self { state, ghosts: Vec::new() }
    }

    fn after(&self, op: &Op, root: usize) -> Option<Self> {
        let state = self.state.after(op, root)?;
        if matches!(op, Op::Backup(_)) {
            // It writes to another file, and sees what everybody sees.
            let ghost = |ghost: &State| State { backup: state.backup.clone(), ..ghost.clone() };
            return Some(Self { ghosts: self.ghosts.iter().map(ghost).collect(), state });
        }
        // To find everything under its keys of today writes nothing.
        let written = !state.allows(&self.state) && !self.state.allows(&state);
        let ghosts = if written { Vec::new() } else { self.ghosts.clone() };
        Some(Self { state, ghosts })
    }
}

impl Expected {
    pub(crate) fn nothing() -> Self {
        Self { states: vec![Possible::certain(State::default())], ended: 0, under_way: None, root: 0 }
    }

    pub(crate) fn begin(&mut self, op: &Op) {
        if let Op::Rewrap(root) = op {
            self.root = *root;
        }
        let ghosts: Vec<State> = self.states.iter().flat_map(|possible| possible.ghosts.iter().cloned()).collect();
        for ghost in ghosts {
            if self.states.iter().all(|possible| possible.state != ghost) {
                self.states.push(Possible::certain(ghost));
            }
        }
        self.under_way = Some(op.clone());
    }

    /// The operation under way has ended. Says whether what its worker said can be true.
    pub(crate) fn end(&mut self, outcome: Result<(), ErrorKind>) -> bool {
        let Some(op) = self.under_way.take() else { return false };
        self.ended += 1;
        let root = self.root;
        match outcome {
            Ok(()) => self.states = self.states.iter().filter_map(|possible| possible.after(&op, root)).collect(),
            Err(ErrorKind::OutcomeUnknown) => {
                let mut done = Vec::new();
                for possible in &mut self.states {
                    if let Some(state) = possible.state.after(&op, root) {
                        possible.ghosts.push(state.clone());
                        done.push(Possible::certain(state));
                    }
                }
                self.states.extend(done);
            }
            // It was whole, or it did not get its name; which of the two is not told.
            Err(_) if matches!(op, Op::Backup(_)) => {
                let done: Vec<_> = self.states.iter().filter_map(|possible| possible.after(&op, root)).collect();
                self.states.extend(done);
            }
            // A verification that finds what is not there.
            Err(ErrorKind::Corrupt) if matches!(op, Op::Verify(_)) => return false,
            // Nothing was changed.
            Err(_) => {}
        }
        !self.states.is_empty()
    }

    /// Tells one moment from another.
    pub(crate) const fn progress(&self) -> (usize, bool) {
        (self.ended, self.under_way.is_some())
    }

    pub(crate) const fn under_way(&self) -> Option<&Op> {
        self.under_way.as_ref()
    }

    /// All of them: those before and after the operation under way, and the ghosts.
    pub(crate) fn states(&self) -> Vec<State> {
        let mut states: Vec<State> = Vec::new();
        for Possible { state, ghosts } in &self.states {
            states.push(state.clone());
            states.extend(ghosts.iter().cloned());
            states.extend(self.under_way.as_ref().and_then(|op| state.after(op, self.root)));
        }
        states
    }
}
