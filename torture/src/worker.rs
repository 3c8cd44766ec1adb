//! The process that is killed: it does what a script says and reports each operation on its standard output.
//!
//! `= 7 begin`, then `= 7 done` or `= 7 failed KIND`, each in one write, after the call has returned.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit_core::seal::{KeyState, KeyUse};
use secretkit_core::{
    Consumer, Description, Error, ErrorKind, MetadataEdit, PutItem, PutMode, Result, Revision, RootKey, SecretId,
    SecretValue, Secrets, Setting, Verified,
};
use secretkit_sqlite::SqliteStore;

use crate::home::{backup_in, keys_in, secrets, store_in};
use crate::script::{Op, Value, long_script, script};
use crate::trap::{self, Plan};

/// What a worker is told on its command line.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// Where the store is, alone.
    pub(crate) room: PathBuf,
    /// Where the root keys are.
    pub(crate) keys: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) plan: Plan,
    pub(crate) script: Script,
    pub(crate) honesty: Honesty,
}

/// Which script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Script {
    Short,
    Long,
}

/// Whether a worker tells the truth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Honesty {
    /// It reports what a call returned.
    Honest,
    /// It reports every call as done before it makes it: what a harness with teeth must notice.
    Liar,
}

impl Script {
    pub(crate) fn ops(self) -> Vec<Op> {
        match self {
            Self::Short => script(),
            Self::Long => long_script(),
        }
    }
}

/// The exit code of a worker on a machine where it cannot be watched.
pub(crate) const NO_TRAP: i32 = 77;

impl Orders {
    pub(crate) fn arguments(&self) -> [String; 7] {
        let path = |path: &Path| path.display().to_string();
        let (script, honesty) = (format!("{:?}", self.script), format!("{:?}", self.honesty));
        let plan = self.plan.to_string();
        ["worker".to_owned(), path(&self.room), path(&self.keys), path(&self.journal), plan, script, honesty]
    }

    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let [room, keys, journal, plan, script, honesty] = arguments else { return None };
        Some(Self {
            room: room.into(),
            keys: keys.into(),
            journal: journal.into(),
            plan: plan.parse().ok()?,
            script: if script == "Long" { Script::Long } else { Script::Short },
            honesty: if honesty == "Liar" { Honesty::Liar } else { Honesty::Honest },
        })
    }

    /// Does the work. Returns the exit code.
    pub(crate) fn carry_out(&self) -> i32 {
        let ops = self.script.ops();
        let keys = keys_in(&self.keys).unwrap();
        let journal = File::options().append(true).create_new(true).open(&self.journal).unwrap();
        if let Err(error) = trap::install(self.plan, &self.room, journal) {
            say(&format!("no trap: {error}"));
            return NO_TRAP;
        }
        let room = self.room.clone();
        let mut work = Work { path: store_in(&self.room), room, keys, root: 0, secrets: None };
        for (number, op) in ops.iter().enumerate() {
            say(&format!("{number} begin"));
            if self.honesty == Honesty::Liar {
                say(&format!("{number} done"));
            }
            let outcome = work.step(op);
            if self.honesty == Honesty::Honest {
                match work.settled(op, outcome) {
                    Ok(()) => say(&format!("{number} done")),
                    Err(error) => say(&format!("{number} failed {}", error.kind())),
                }
            }
        }
        0
    }
}

/// At once, in one piece: a process that is killed must not have said half a line.
fn say(line: &str) {
    std::io::stdout().write_all(format!("= {line}\n").as_bytes()).unwrap();
}

struct Work {
    room: PathBuf,
    path: PathBuf,
    keys: [Arc<RootKey>; 2],
    /// The number of the root key of today.
    root: usize,
    secrets: Option<Secrets>,
}

impl Work {
    fn step(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Open => {
                self.secrets = None;
                return self.open().map(drop);
            }
            Op::Backup(existing) => {
                return SqliteStore::open(&self.path)?.backup(&backup_in(&self.room), *existing);
            }
            Op::Rewrap(to) => {
                self.root = *to;
                self.secrets = None;
            }
            _ => {}
        }
        perform(self.open()?, op)
    }

    /// Asks what became of an operation of unknown outcome, as a host does.
    fn settled(&self, op: &Op, outcome: Result<()>) -> Result<()> {
        let (Err(Error::OutcomeUnknown { token: Some(token), .. }), Some(secrets)) = (&outcome, &self.secrets) else {
            return outcome;
        };
        match secrets.outcome(id(&format!("{}:a", op.org())).org(), token) {
            // A reencrypt is many commits, and this was one of them.
            Ok(true) if !matches!(op, Op::Reencrypt(_)) => Ok(()),
            Ok(_) => Err(Error::InvalidRequest("it did not take effect")),
            Err(_) => outcome,
        }
    }

    fn open(&mut self) -> Result<&Secrets> {
        if self.secrets.is_none() {
            let store = SqliteStore::create(&self.path)?;
            self.secrets = Some(secrets(store, &self.keys, self.root));
        }
        self.secrets.as_ref().ok_or(Error::InvalidRequest("unreachable"))
    }
}

fn id(address: &str) -> SecretId {
    address.parse().unwrap()
}

fn value(value: Value) -> SecretValue {
    value.bytes().into()
}

fn perform(secrets: &Secrets, op: &Op) -> Result<()> {
    match op {
        Op::Open | Op::Backup(_) => Ok(()),
        Op::Create(address, new) => secrets.put(&id(address), &value(*new), PutMode::Create).map(drop),
        Op::Put(address, new) => secrets.put(&id(address), &value(*new), PutMode::Overwrite).map(drop),
        Op::Update(address, new) => secrets.update(&id(address), &value(*new)).map(drop),
        Op::PutAll(addresses, new) => {
            let new = value(*new);
            let items: Vec<_> = addresses.iter().map(|address| PutItem { id: id(address), value: &new }).collect();
            secrets.put_all(&items, PutMode::Overwrite).map(drop)
        }
        Op::Edit(address, description) => {
            let mut edit = MetadataEdit::default();
            edit.description = Setting::Set(Description::parse(description)?);
            secrets.edit(&id(address), &edit, None).map(drop)
        }
        Op::Rollback(address, to) => {
            let to = Revision::new(*to).unwrap_or(Revision::FIRST);
            secrets.rollback(&id(address), to, None).map(drop)
        }
        Op::Delete(address) => secrets.delete(&id(address)).map(drop),
        Op::AddConsumer(address, name) => secrets.add_consumer(&id(address), &consumer(name)?).map(drop),
        Op::RemoveConsumer(address, name) => secrets.remove_consumer(&id(address), &consumer(name)?).map(drop),
        Op::Get(address) => {
            secrets.get(&id(address))?;
            secrets.record_uses();
            Ok(())
        }
        Op::Rewrap(_) => secrets.keys().rewrap().map(drop),
        Op::AddKey(org, used_for) => match key(secrets, org, *used_for, KeyState::Pending)? {
            Some(_) => Ok(()),
            None => secrets.keys().add(id(&format!("{org}:a")).org(), *used_for).map(drop),
        },
        Op::Promote(org, used_for) => {
            on_key(secrets, org, *used_for, KeyState::Pending, |org, key| secrets.keys().promote(org, key))
        }
        Op::Reencrypt(org) => {
            secrets.keys().reencrypt(id(&format!("{org}:a")).org(), 2).try_for_each(|batch| batch.map(drop))
        }
        Op::Retire(org, used_for) => {
            on_key(secrets, org, *used_for, KeyState::DecryptOnly, |org, key| secrets.keys().retire(org, key))
        }
        Op::Destroy(org, used_for) => {
            on_key(secrets, org, *used_for, KeyState::Retired, |org, key| secrets.keys().destroy(org, key))
        }
        Op::Verify(org) => secrets.verify(id(&format!("{org}:a")).org()).try_for_each(|told| {
            let wrong = told?.into_iter().find(|told| matches!(told, Verified::Wrong(_)));
            wrong.map_or(Ok(()), |wrong| Err(Error::Corrupt { what: format!("{wrong:?}") }))
        }),
    }
}

fn consumer(name: &str) -> Result<Consumer> {
    name.parse()
}

type KeyId = secretkit_core::seal::KeyId;

/// The first key of this use in this state.
fn key(secrets: &Secrets, org: &str, used_for: KeyUse, state: KeyState) -> Result<Option<KeyId>> {
    let status = secrets.keys().status(id(&format!("{org}:a")).org())?;
    Ok(status.in_state(used_for, state).next().map(|info| info.id))
}

/// Takes a step with the first key of this use in this state, where there is one.
fn on_key(
    secrets: &Secrets,
    org: &str,
    used_for: KeyUse,
    state: KeyState,
    step: impl FnOnce(&secretkit_core::Part, KeyId) -> Result<()>,
) -> Result<()> {
    let Some(key) = key(secrets, org, used_for, state)? else { return Ok(()) };
    step(id(&format!("{org}:a")).org(), key)
}

/// The kind that a worker has named.
pub(crate) fn kind_named(name: &str) -> ErrorKind {
    let known = ErrorKind::ALL.iter().find(|kind| kind.as_str() == name);
    *known.unwrap_or_else(|| panic!("no kind of error: {name}"))
}
