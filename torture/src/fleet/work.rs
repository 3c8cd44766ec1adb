//! What a client does all the time: it writes secrets that are its own, and knows after each call what must be there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use secretkit_core::{
    Action, Description, Error, ErrorKind, MetadataEdit, PutItem, PutMode, Result, SecretId, SecretInfo, Secrets,
    Setting,
};

use super::report::{Change, Said};
use super::room::{PATIENCE, Room, org};
use crate::script::Random;

/// One thread of one client.
pub(crate) struct Worker<'a> {
    room: &'a Room,
    secrets: &'a Secrets,
    say: &'a (dyn Fn(Said) + Sync),
    random: Random,
    own: Vec<Own>,
    /// The number of the next value, which no other worker has.
    next: u64,
}

/// A secret that nobody else writes.
struct Own {
    address: SecretId,
    held: Option<(SecretInfo, u64)>,
}

/// What a call would do to one of them.
#[derive(Clone, Copy, Debug)]
enum Intent {
    Value(u64),
    Edit,
    Delete,
}

const NAMES: usize = 12;

impl<'a> Worker<'a> {
    pub(crate) fn new(room: &'a Room, secrets: &'a Secrets, say: &'a (dyn Fn(Said) + Sync), number: u64) -> Self {
        let address = |name| format!("acme/own/worker-{number}:group/name-{name}").parse().unwrap();
        let own = (0..NAMES).map(|name| Own { address: address(name), held: None }).collect();
        Self { room, secrets, say, random: Random::new(number + 1), own, next: number << 32 }
    }

    /// Until it is told to stop.
    pub(crate) fn work(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.write();
        }
    }

    /// Once.
    pub(crate) fn write(&mut self) {
        if self.random.below(5) == 0 { self.write_several() } else { self.write_one() }
    }

    fn write_one(&mut self) {
        let at = self.random.below(self.own.len());
        self.next += 1;
        let (intent, choice) = (self.next, self.random.below(8));
        let Own { address, held } = &self.own[at];
        let started = Instant::now();
        let (intent, outcome) = match (held, choice) {
            (None, _) => (Intent::Value(intent), self.put(address, intent, PutMode::Create)),
            (Some(_), 0) => (Intent::Delete, self.secrets.delete(address)),
            (Some(_), 1 | 2) => (Intent::Edit, self.edit(address, intent)),
            (Some((info, _)), 3..6) => {
                (Intent::Value(intent), self.put(address, intent, PutMode::Update(info.generation)))
            }
            (Some(_), _) => (Intent::Value(intent), self.put(address, intent, PutMode::Overwrite)),
        };
        self.took(started);
        self.settle(&[(at, intent)], outcome.map(|info| vec![info]));
    }

    fn put(&self, address: &SecretId, value: u64, mode: PutMode) -> Result<SecretInfo> {
        self.secrets.put(address, &self.room.value(value), mode)
    }

    fn edit(&self, address: &SecretId, number: u64) -> Result<SecretInfo> {
        let mut edit = MetadataEdit::default();
        edit.description = Setting::Set(Description::parse(&format!("number {number}"))?);
        self.secrets.edit(address, &edit, None)
    }

    /// Three at once, all of them or none.
    fn write_several(&mut self) {
        let first = self.random.below(self.own.len());
        self.next += 1;
        let (number, places) = (self.next, [0, 1, 2].map(|more| (first + more * 5) % self.own.len()));
        let value = self.room.value(number);
        let items = places.map(|at| PutItem { id: self.own[at].address.clone(), value: &value });
        let started = Instant::now();
        let outcome = self.secrets.put_all(&items, PutMode::Overwrite);
        self.took(started);
        self.settle(&places.map(|at| (at, Intent::Value(number))), outcome);
    }

    fn took(&self, started: Instant) {
        (self.say)(Said::Most("call".to_owned(), started.elapsed().as_millis() as u64));
    }

    /// Says what came of a call, and sees to it that the store says the same.
    fn settle(&mut self, intents: &[(usize, Intent)], outcome: Result<Vec<SecretInfo>>) {
        let applied = match outcome {
            Ok(infos) => {
                for ((at, intent), info) in intents.iter().zip(infos) {
                    self.acknowledge(*at, *intent, info);
                }
                return;
            }
            Err(Error::OutcomeUnknown { token: Some(token), .. }) => {
                let Some(applied) = self.patiently("outcome", || self.secrets.outcome(&org(), &token)) else { return };
                (self.say)(Said::Told(applied));
                applied
            }
            Err(error) if EXPECTED.contains(&error.kind()) => {
                (self.say)(Said::Failed(error.kind()));
                std::thread::sleep(Duration::from_millis(10));
                false
            }
            Err(error) => {
                (self.say)(Said::Wrong(format!("{intents:?} failed: {error} ({})", error.kind())));
                false
            }
        };
        for (at, intent) in intents {
            let own = &self.own[*at];
            let there = self.patiently("get", || match self.secrets.get(&own.address) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                found => found.map(Some),
            });
            let Some(there) = there else { return };
            let generation = there.as_ref().map(|found| found.info.generation.number());
            let before = own.held.as_ref().map(|(info, _)| info.generation.number());
            let wanted = match (applied, intent) {
                (false, _) => before,
                (true, Intent::Delete) => None,
                (true, _) => Some(before.unwrap_or(0) + 1),
            };
            if generation != wanted {
                let what = format!(
                    "{}, {intent:?}: applied {applied}, from generation {before:?}, and there is {generation:?}",
                    own.address
                );
                (self.say)(Said::Wrong(what));
            }
            match (there, intent) {
                (Some(found), _) if applied => self.acknowledge(*at, *intent, found.info),
                (None, Intent::Delete) if applied => {
                    if let Some((info, _)) = self.own[*at].held.clone() {
                        self.acknowledge(*at, *intent, info);
                    }
                }
                // What must not be was said; from here on it is so.
                (None, _) => self.own[*at].held = None,
                (Some(found), _) => {
                    let value = self.own[*at].held.as_ref().map_or(0, |(_, value)| *value);
                    self.own[*at].held = Some((found.info, value));
                }
            }
        }
    }

    fn acknowledge(&mut self, at: usize, intent: Intent, info: SecretInfo) {
        let own = &mut self.own[at];
        let (action, written) = match intent {
            Intent::Value(value) if own.held.is_none() => (Action::Create, Some(value)),
            Intent::Value(value) => (Action::Update, Some(value)),
            Intent::Edit => (Action::Edit, None),
            Intent::Delete => (Action::Delete, None),
        };
        (self.say)(Said::Changed(Change::of(action, &info), written));
        let before = own.held.take().map_or(0, |(_, value)| value);
        if !matches!(intent, Intent::Delete) {
            own.held = Some((info, written.unwrap_or(before)));
        }
    }

    /// Asks until there is an answer.
    fn patiently<T>(&self, what: &str, ask: impl Fn() -> Result<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            match ask() {
                Ok(answer) => return Some(answer),
                Err(error) if EXPECTED.contains(&error.kind()) && Instant::now() < end => {
                    (self.say)(Said::Failed(error.kind()));
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => {
                    (self.say)(Said::Wrong(format!("{what}: {error} ({})", error.kind())));
                    return None;
                }
            }
        }
    }
}

/// What a call may fail with while something is wrong with its server. Which of them are right is for the campaign to say.
const EXPECTED: [ErrorKind; 5] =
    [ErrorKind::Busy, ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::Full, ErrorKind::UnsafeStore];
