//! The storage trait: pure data in, pure data out. A store never sees plaintext and never needs a key.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Result;
use crate::id::{SecretId, SecretName, StableId};
use crate::part::Part;
use crate::record::{Generation, ListedSecret, Revision, SecretRecord};
use crate::scope::Scope;
use crate::seal::{KeyId, KeyringRow, KeyringStamp, StoreId};
use crate::time::Timestamp;
use crate::usage::Consumer;

pub use crate::check::{Rating, StoreCheck};
pub use crate::columns::{Columns, Row, or_empty};
pub use crate::event::{EventRecord, Lane, LaneHead, Token};
pub use crate::filter::Filter;
pub use crate::head::{Head, Stamp};
pub use crate::notice::{Listener, Notice};
pub use crate::record::ListedSecret as Listed;
pub use crate::revision::{History, ListedRevision, RevisionRecord as Superseded};
pub use crate::usage::{ConsumerRecord, UsageRecord};

/// Keeps sealed records.
///
/// # Contract
/// - Every method takes and returns plain data. No method has a default body: a wrapper cannot miss one.
/// - [`commit`](Self::commit) checks all expectations in the same transaction that applies the changes. It applies
///   all of them or none, and what it acknowledged survives a crash if the store is durable at all.
/// - [`fetch`](Self::fetch) answers all wants from one snapshot, in one round trip where there is a network. It may be
///   answered by a cache or a copy that is a little behind; [`fetch_latest`](Self::fetch_latest) may not.
/// - Names are compared byte by byte. Absent parts are kept apart from every possible part.
/// - A row whose columns no constructor of this crate accepts is [`Error::Corrupt`](crate::Error::Corrupt), never a
///   panic and never skipped.
/// - `Display` names the store as errors show it; it holds no credential.
///
/// `secretkit_core::conformance` (feature `conformance`) is this contract as tests, to run against your own store.
pub trait SecretStore: fmt::Debug + fmt::Display + Send + Sync {
    /// What the store was born with.
    ///
    /// # Errors
    /// The store's own.
    fn info(&self) -> Result<StoreInfo>;

    /// The keyring of an org, if it has one.
    ///
    /// # Errors
    /// The store's own.
    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>>;

    /// The keyrings of all orgs that this user of the store may see, ordered by org.
    ///
    /// # Errors
    /// The store's own.
    fn keyrings(&self) -> Result<Vec<KeyringRow>>;

    /// Whether no org is hidden from this user of the store: whether [`keyrings`](Self::keyrings) leaves out none, and
    /// what is said of them all is said of the whole store.
    ///
    /// # Errors
    /// The store's own.
    fn sees_all_orgs(&self) -> Result<bool>;

    /// How many stored items of an org stand under each key: records, authenticators and digests, each for itself, but
    /// for last uses. Those are written by whoever may read a secret, and must hold up nobody who changes keys. Keys
    /// under which nothing stands are left out.
    ///
    /// # Errors
    /// The store's own.
    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>>;

    /// An answer for each want, in their order.
    ///
    /// # Errors
    /// The store's own. What does not exist is `None` and no error.
    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>>;

    /// The same for whoever decides something by the answers: as they are now, with every commit that was acknowledged
    /// before the call, and from no cache.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch).
    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>>;

    /// At most `query.limit` secrets of one org that match `query.filter`, after `query.after`, ordered by group, key,
    /// project and domain, byte by byte, absent first. Fewer than the limit means that there are no more.
    ///
    /// # Errors
    /// The store's own.
    fn list(&self, query: &Query) -> Result<Vec<ListedSecret>>;

    /// A secret with its superseded values, oldest first; from one snapshot.
    ///
    /// # Errors
    /// The store's own. What does not exist is `None` and no error.
    fn history(&self, target: &Target) -> Result<Option<History>>;

    /// The consumers of each of these secrets of one org, in their order; each secret's by name, byte by byte. None
    /// for a secret that is not in the org.
    ///
    /// # Errors
    /// The store's own.
    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>>;

    /// The last use of each of these secrets of one org, in their order; `None` where none is recorded or the secret
    /// is not in the org.
    ///
    /// # Errors
    /// The store's own.
    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>>;

    /// Records uses of secrets of one org, if its keyring is still the one that they are authenticated with: each in place of
    /// one of that secret that is not later. One of a secret that is not in the org is passed over, and so is one that is
    /// older than what is recorded.
    ///
    /// It is called where somebody waits for a value. So it must not wait for anybody: where others are writing, it gives up,
    /// and where the store is away, it does so within a second or two. It needs not be durable.
    ///
    /// # Errors
    /// The store's own. Whoever calls it goes on without.
    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()>;

    /// The ends of an org's lanes that hold any event, ordered by lane.
    ///
    /// # Errors
    /// The store's own.
    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>>;

    /// At most `limit` events of a lane after number `after`, in their order.
    ///
    /// # Errors
    /// The store's own.
    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>>;

    /// At most `limit` ids of an org's secrets after `after`, ordered byte by byte: also of rows that make no sense
    /// otherwise, so that whoever looks for those can walk past them.
    ///
    /// # Errors
    /// The store's own.
    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>>;

    /// Whether the commit with this token took effect. Only one that has events can be found again. A no holds for
    /// ever: a commit that did not take effect does not do so later.
    ///
    /// # Errors
    /// The store's own; [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) where it can promise neither.
    fn outcome(&self, org: &Part, token: &Token) -> Result<bool>;

    /// Applies all changes and adds all events if all expectations hold, and nothing otherwise. A batch whose token
    /// is there already has taken effect: it is not applied again.
    ///
    /// # Errors
    /// The store's own; [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) where it cannot tell whether the
    /// changes are there. An expectation that does not hold is no error but [`Commit::Refused`].
    fn commit(&self, batch: &Batch) -> Result<Commit>;
}

/// What a store was born with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these are the columns; a store must not miss a new one")]
pub struct StoreInfo {
    /// 16 random bytes that every record is bound to.
    pub id: StoreId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One secret to fetch.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must not miss a condition")]
pub struct Want {
    /// Which secret.
    pub target: Target,
    /// Also the superseded value of this number, if it is kept.
    pub revision: Option<Revision>,
}

/// Which secret.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a store must answer every one")]
pub enum Target {
    /// The one at exactly this address.
    Exact(SecretId),
    /// The first that exists along the scope's chain, see [`Scope::chain`].
    Nearest(Scope, SecretName),
    /// The one with this id, if it is in this org.
    Id(Part, StableId),
}

impl Target {
    /// The org it is in; every target is in exactly one.
    #[must_use]
    pub const fn org(&self) -> &Part {
        match self {
            Self::Exact(id) => id.org(),
            Self::Nearest(scope, _) => scope.org(),
            Self::Id(org, _) => org,
        }
    }

    /// The addresses it may be at, nearest first; none where it is named by its id.
    #[must_use]
    pub fn addresses(&self) -> Vec<SecretId> {
        match self {
            Self::Exact(id) => vec![id.clone()],
            Self::Nearest(scope, name) => SecretId::chain(scope, name).collect(),
            Self::Id(..) => Vec::new(),
        }
    }
}

/// A secret that a store found.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store fills both")]
pub struct Fetched {
    /// The secret.
    pub record: SecretRecord,
    /// The superseded value that was wanted, if it is kept.
    pub superseded: Option<Superseded>,
}

/// Which secrets to list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must not miss a condition")]
pub struct Query {
    /// Where.
    pub within: Within,
    /// Only those that match.
    pub filter: Filter,
    /// Only those after this address in the listing's order: name first, then scope.
    pub after: Option<SecretId>,
    /// How many at the most; at least 1.
    pub limit: usize,
}

impl Query {
    /// The first `limit` of all that is there.
    #[must_use]
    pub fn first(within: Within, limit: usize) -> Self {
        Self { within, filter: Filter::default(), after: None, limit }
    }
}

/// Where to list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a store must answer every one")]
pub enum Within {
    /// Everywhere in this org.
    Org(Part),
    /// Exactly at this scope.
    Exactly(Scope),
    /// In a project: at it and at all its domains.
    Project {
        /// The org.
        org: Part,
        /// The project.
        project: Part,
    },
    /// At every scope that a task at this one sees, see [`Scope::chain`].
    Along(Scope),
}

impl Within {
    /// The org.
    #[must_use]
    pub const fn org(&self) -> &Part {
        match self {
            Self::Org(org) | Self::Project { org, .. } => org,
            Self::Exactly(scope) | Self::Along(scope) => scope.org(),
        }
    }

    /// Whether a secret at this scope is there.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        match self {
            Self::Org(org) => scope.org() == org,
            Self::Exactly(exact) => scope == exact,
            Self::Project { org, project } => scope.org() == org && scope.project() == Some(project),
            Self::Along(task) => scope.includes(task),
        }
    }
}

/// Changes that happen together or not at all.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a store must not miss a part")]
pub struct Batch {
    /// Names this commit, where it has events.
    pub token: Option<Token>,
    /// What must hold when the changes are applied.
    pub expectations: Vec<Expect>,
    /// What to change, in this order.
    pub changes: Vec<Change>,
    /// What is recorded of it, in this order: each follows the end of its lane, and is its end then.
    pub events: Vec<EventRecord>,
}

/// What must hold when a batch is applied.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a store that does not check a new one must not compile")]
pub enum Expect {
    /// There is no secret at this address.
    Absent(SecretId),
    /// The secret with this id is in this org, at this generation.
    Generation(Part, StableId, Generation),
    /// The secret with this id is in this org.
    Exists(Part, StableId),
    /// The secret with this id has no consumer.
    NoConsumers(Part, StableId),
    /// The secret with this id has a consumer of this name that was last seen at this time; `None` where it has none.
    ConsumerSeen(Part, StableId, Consumer, Option<Timestamp>),
    /// The org's keyring is this one; `None` where it has no keyring yet.
    Keyring(Part, Option<KeyringStamp>),
    /// The lane of the org ends with this event; `None` where it has none yet.
    Lane(Part, Lane, Option<LaneHead>),
    /// Nothing of the org stands under this key, see [`SecretStore::key_uses`].
    KeyUnused(Part, KeyId),
    /// The org has no secret at all: an org whose keyring is gone must not get another.
    NoSecrets(Part),
}

/// One change.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store that does not apply a new one must not compile")]
pub enum Change {
    /// Writes an org's keyring, new or in place of the one that is there.
    Keyring(KeyringRow),
    /// Adds a secret.
    Insert(SecretRecord),
    /// Writes a secret's row in place of the one with the same id, keeps the value it supersedes if one is given, and
    /// drops superseded values before the head's `first_revision`.
    Replace(SecretRecord, Option<Superseded>),
    /// Writes a superseded value in place of the one of the same secret and revision.
    ReplaceRevision(Part, Superseded),
    /// Removes the secret with this id from this org, with its superseded values and its last use. It fits only where
    /// the secret has no consumer.
    Delete(Part, StableId),
    /// Adds a consumer to a secret of this org, or writes it in place of the one with the same name.
    Register(Part, ConsumerRecord),
    /// Removes the consumer of this name from a secret of this org, if it is there.
    Unregister(Part, StableId, Consumer),
}

/// How a commit ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is no third end")]
pub enum Commit {
    /// Every change took effect.
    Applied,
    /// No change took effect, because an expectation does not hold.
    Refused {
        /// Its place among the expectations, from 0.
        expectation: usize,
        /// What is there instead.
        found: Found,
    },
}

/// What stands where something else was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "one answer for each kind of expectation")]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A secret at this generation; any one of them where none was expected.
    Secret(Generation),
    /// This keyring.
    Keyring(KeyringStamp),
    /// At least one consumer; the one of the name, seen at another time.
    Consumer,
    /// The lane ends with this.
    Lane(LaneHead),
    /// This many items under the key.
    Items(u64),
}
