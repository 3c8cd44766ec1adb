//! What was done to an org's secrets and keys, chained so that nothing of it can vanish unnoticed.
//!
//! Each org has 16 lanes, so that writers do not queue on one: who writes chooses a lane that nobody else uses, and takes
//! another where two meet. An event is committed together with its change. Its authenticator covers the one before it in
//! its lane.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::id::{SecretId, SecretName, StableId};
use crate::part::{Part, PartKind};
use crate::people::Actor;
use crate::record::{Generation, Revision};
use crate::scope::Scope;
use crate::seal::canonical::{Canonical, Fields};
use crate::seal::{Mac, OrgKeys, part_bytes, random};
use crate::time::Timestamp;
use crate::usage::Consumer;

#[cfg(test)]
mod tests;

/// One of an org's 16 chains of events.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Lane(u8);

impl Lane {
    /// How many there are.
    pub const COUNT: u8 = 16;

    /// The one with number 0.
    pub(crate) const FIRST: Self = Self(0);

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The one with this number, 0 to 15.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end of a lane: its last event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store compares both")]
pub struct LaneHead {
    /// The number of the last event, from 1.
    pub seq: u64,
    /// Its authenticator.
    pub mac: [u8; Mac::BYTES],
}

/// 16 random bytes that name one commit, so that it takes effect once at the most and can be asked for later.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Token([u8; 16]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn generate() -> Result<Self> {
        random().map(Self)
    }

    /// From the bytes a store keeps.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes a store keeps.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

/// An event as a store keeps it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct EventRecord {
    /// The org.
    pub org: Part,
    /// The lane.
    pub lane: Lane,
    /// Its number in the lane, from 1, dense.
    pub seq: u64,
    /// The commit that it belongs to.
    pub token: Token,
    /// When it was.
    pub at: Timestamp,
    /// What it was, see `docs/format.md`; without a value, like everything in it.
    pub body: Box<[u8]>,
    /// The authenticator over all of these and the event before it in the lane.
    pub mac: Mac,
}

impl EventRecord {
    /// The end of its lane, once it is the last.
    #[must_use]
    pub fn head(&self) -> LaneHead {
        LaneHead { seq: self.seq, mac: self.mac.to_bytes() }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[repr(u8)]
pub enum Action {
    /// A secret was made.
    Create = 1,
    /// It got a new value, perhaps with other metadata.
    Update = 2,
    /// Its metadata or what it keeps changed.
    Edit = 3,
    /// It got the value of an earlier revision.
    Rollback = 4,
    /// It was deleted.
    Delete = 5,
    /// It was written anew under other keys.
    Reencrypt = 6,
    /// A consumer was registered, by hand or for the first time, or brought from another store.
    AddConsumer = 7,
    /// A consumer was removed.
    RemoveConsumer = 8,
    /// It was brought from another store as it was there, or brought up to what it is there now.
    Copy = 9,
    /// The org got its keyring.
    CreateKeyring = 32,
    /// The keyring changed: it was wrapped anew, or a key of it took a step.
    ChangeKeyring = 33,
}

impl Action {
    const ALL: [Self; 11] = [
        Self::Create,
        Self::Update,
        Self::Edit,
        Self::Rollback,
        Self::Delete,
        Self::Reencrypt,
        Self::AddConsumer,
        Self::RemoveConsumer,
        Self::Copy,
        Self::CreateKeyring,
        Self::ChangeKeyring,
    ];

    /// In words, lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Edit => "edit",
            Self::Rollback => "rollback",
            Self::Delete => "delete",
            Self::Reencrypt => "reencrypt",
            Self::AddConsumer => "add-consumer",
            Self::RemoveConsumer => "remove-consumer",
            Self::Copy => "copy",
            Self::CreateKeyring => "create-keyring",
            Self::ChangeKeyring => "change-keyring",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An event that was checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The lane.
    pub lane: Lane,
    /// Its number in the lane.
    pub seq: u64,
    /// When it was.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub subject: Subject,
}

impl Event {
    /// The secret that it tells of.
    const fn address(&self) -> Option<&SecretId> {
        match &self.subject {
            Subject::Secret { address, .. } => Some(address),
            Subject::Keyring { .. } => None,
        }
    }
}

/// What an event was done to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// A secret.
    Secret {
        /// Its id.
        id: StableId,
        /// Its address.
        address: SecretId,
        /// The generation that this made, or the last one.
        generation: Generation,
        /// Its revision then.
        revision: Revision,
        /// The authenticator of its head then; none where it was deleted, or only its consumers changed.
        head: Option<[u8; 32]>,
        /// The consumer that it was about.
        consumer: Option<Consumer>,
    },
    /// The org's keyring.
    Keyring {
        /// The version that this made.
        version: u64,
    },
}

/// What is to be recorded of a change, before it has its place in a lane.
pub(crate) struct Draft<'a> {
    pub(crate) action: Action,
    pub(crate) by: &'a Actor,
    pub(crate) subject: Subject,
}

impl Draft<'_> {
    /// The event that follows `previous` in its lane.
    pub(crate) fn chained(
        &self,
        org: &Part,
        (lane, previous): (Lane, Option<&LaneHead>),
        token: Token,
        at: Timestamp,
        keys: &OrgKeys,
    ) -> Result<EventRecord> {
        let body = self.body().into_boxed_slice();
        let seq = previous.map_or(0, |head| head.seq).saturating_add(1);
        let mut event = EventRecord { org: org.clone(), lane, seq, token, at, body, mac: keys.unchained() };
        event.mac = keys.chain(&event.canonical(keys, previous))?;
        Ok(event)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let Self { action, by, subject } = self;
        let body = Canonical::new(b"secretkit/event/1\0").bytes(1, &[*action as u8]).text(2, by.as_str());
        match subject {
            Subject::Secret { id, address, generation, revision, head, consumer } => body
                .bytes(3, id.as_bytes())
                .optional(4, address.scope().project().map(part_bytes))
                .optional(5, address.scope().domain().map(part_bytes))
                .optional(6, address.name().group().map(part_bytes))
                .text(7, address.name().key().as_str())
                .integer(8, generation.number())
                .integer(9, revision.number())
                .optional(10, head.as_ref().map(|head| &head[..]))
                .optional(11, consumer.as_ref().map(|consumer| consumer.as_str().as_bytes()))
                .finish(),
            Subject::Keyring { version } => body.integer(12, *version).finish(),
        }
    }
}

impl EventRecord {
    fn canonical(&self, keys: &OrgKeys, previous: Option<&LaneHead>) -> Vec<u8> {
        let Self { org, lane, seq, token, at, body, mac: _ } = self;
        Canonical::new(b"secretkit/chain/1\0")
            .bytes(1, keys.store().as_bytes())
            .text(2, org.as_str())
            .bytes(3, &[lane.number()])
            .integer(4, *seq)
            .bytes(5, token.as_bytes())
            .bytes(6, &at.as_micros().to_be_bytes())
            .bytes(7, body)
            .optional(8, previous.map(|head| &head.mac[..]))
            .finish()
    }

    /// Checks that this follows `previous` in its lane, and reads it. What it has in common with `before`, any event, is
    /// shared.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(&self, previous: Option<&LaneHead>, before: Option<&Event>, keys: &OrgKeys) -> Result<Event> {
        let corrupt = || Error::corrupt(&format!("event {} in lane {} of org {}", self.seq, self.lane, self.org));
        let follows = Some(self.seq) == previous.map_or(0, |head| head.seq).checked_add(1);
        if !follows || !keys.is_chained(&self.mac, &self.canonical(keys, previous))? {
            return Err(corrupt());
        }
        // Whoever has a key that was replaced could go on with a lane otherwise.
        let key_before = previous.map(|head| Mac::from_bytes(&head.mac)).transpose()?.map(|mac| mac.key_id());
        if key_before.is_some_and(|before| keys.is_older(self.mac.key_id(), before)) {
            return Err(corrupt());
        }
        let (action, by, subject) = self.read(before).ok_or_else(corrupt)?;
        let Self { lane, seq, at, .. } = *self;
        Ok(Event { lane, seq, at, by, action, subject })
    }

    /// The secret that it tells of. Nothing of it is checked here.
    pub(crate) fn address(&self) -> Option<SecretId> {
        match self.read(None)?.2 {
            Subject::Secret { address, .. } => Some(address),
            Subject::Keyring { .. } => None,
        }
    }

    pub(crate) fn read(&self, before: Option<&Event>) -> Option<(Action, Actor, Subject)> {
        let mut fields = Fields::of(b"secretkit/event/1\0", &self.body)?;
        let code = fields.exact::<1>(1)?[0];
        let action = Action::ALL.into_iter().find(|action| *action as u8 == code)?;
        let by = match (fields.text(2)?, before) {
            (text, Some(Event { by, .. })) if by.as_str() == text => by.clone(),
            (text, _) => Actor::parse(text).ok()?,
        };
        if matches!(action, Action::CreateKeyring | Action::ChangeKeyring) {
            let version = u64::from_be_bytes(fields.exact(12)?);
            return fields.is_read().then_some((action, by, Subject::Keyring { version }));
        }
        let id = StableId::from_bytes(fields.exact(3)?);
        let known = before.and_then(Event::address);
        let project = part(PartKind::Project, fields.optional_text(4)?, known.and_then(|id| id.scope().project()))?;
        let domain = part(PartKind::Domain, fields.optional_text(5)?, known.and_then(|id| id.scope().domain()))?;
        let group = part(PartKind::Group, fields.optional_text(6)?, known.and_then(|id| id.name().group()))?;
        let key = Part::parse(PartKind::Key, fields.text(7)?).ok()?;
        let address = SecretId::new(Scope::new(self.org.clone(), project, domain), SecretName::new(group, key));
        let generation = Generation::new(u64::from_be_bytes(fields.exact(8)?))?;
        let revision = Revision::new(u64::from_be_bytes(fields.exact(9)?))?;
        let head = fields.optional(10)?.map(TryInto::try_into).transpose().ok()?;
        let consumer = fields.optional_text(11)?.map(str::parse).transpose().ok()?;
        let subject = Subject::Secret { id, address, generation, revision, head, consumer };
        fields.is_read().then_some((action, by, subject))
    }
}

/// The part that an optional field holds, perhaps a known one; `None` where what it holds is none.
fn part(kind: PartKind, text: Option<&str>, known: Option<&Part>) -> Option<Option<Part>> {
    match (text, known) {
        (Some(text), Some(known)) if known.as_str() == text => Some(Some(known.clone())),
        _ => text.map(|text| Part::parse(kind, text)).transpose().ok(),
    }
}
