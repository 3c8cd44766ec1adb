//! One public error, which carries kinds and addresses and never a byte of a value.

mod kind;
mod words;

use std::path::{Path, PathBuf};

pub use kind::ErrorKind;
use words::{AtLine, Each, FoundAt, Named, Searched, Several, io_words};

use crate::id::{SecretId, SecretName, StableId};
use crate::part::PartKind;
use crate::record::{Generation, Revision};
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::usage::Consumer;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a text was refused, in words fit for the person who typed it. Never holds the text itself: people paste
/// secrets where names belong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing was given.
    Empty,
    /// Longer than the limit.
    TooLong {
        /// Bytes that were given.
        length: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// A character that may not stand there.
    Character {
        /// Its place, counted in bytes from 0.
        at: usize,
    },
    /// Two dots in a row.
    DotDot {
        /// Place of the first, counted in bytes from 0.
        at: usize,
    },
    /// Anything else, said in words.
    Shape(&'static str),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { length, limit } => write!(f, "it has {length} bytes, and {limit} are allowed"),
            Self::Character { at } => write!(f, "the character at offset {at} is not allowed there"),
            Self::DotDot { at } => write!(f, "`..` at offset {at} is not allowed"),
            Self::Shape(words) => f.write_str(words),
        }
    }
}

/// Everything that can go wrong.
///
/// [`kind`](Self::kind) is the stable token to decide on; the message says what was wrong and what to do.
/// Failures of cryptography are opaque on purpose; failures of look-ups are generous.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name, group, org, project or domain breaks the rules of [`Part`](crate::Part).
    #[error("invalid {part}: {fault}; use 1 to 128 of A-Z a-z 0-9 _ . -, beginning with a letter, a digit or _")]
    InvalidName {
        /// Which part.
        part: PartKind,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A scope's text form is none of the four.
    #[error("invalid scope: {fault}; write org, org/project, org/*/domain or org/project/domain")]
    InvalidScope {
        /// What is wrong with it.
        fault: Fault,
    },
    /// A description, tag, actor or expiry breaks its rules.
    #[error("invalid {field}: {fault}")]
    InvalidMetadata {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// An environment variable's name is no valid name.
    #[error("invalid environment variable name for {name}: {fault}; use A-Z a-z 0-9 and _, not beginning with a digit")]
    InvalidVariable {
        /// The secret it was meant for, or the variable itself where it is known to be printable.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Two secrets claim one environment variable.
    #[error("environment variable {variable} is claimed by both {first} and {second}; give one of them another name")]
    VariableClaimedTwice {
        /// The variable.
        variable: String,
        /// Who claimed it first.
        first: String,
        /// Who claimed it second.
        second: String,
    },
    /// The text is not what its encoding says.
    #[error("the value is not {encoding}: invalid at offset {offset}")]
    InvalidEncoding {
        /// The encoding that was promised.
        encoding: crate::Encoding,
        /// Where it is broken, in bytes from 0.
        offset: usize,
    },
    /// The value is longer than the limit.
    #[error("the value has {length} bytes, and {limit} are allowed")]
    TooLarge {
        /// Its length in bytes; where reading stopped early, the least it can be.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The same of one of several secrets.
    #[error("the value of {name} has {length} bytes, and {limit} are allowed")]
    ValueTooLarge {
        /// Whose value.
        name: SecretName,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Several things failed together. Its kind is that of the first.
    #[error("{}", Each(_0))]
    Several(Vec<Self>),
    /// A secret request is not complete or contradicts itself.
    #[error("invalid secret request: {0}")]
    InvalidRequest(&'static str),
    /// What is to be imported is not what its format says. Never quotes it.
    #[error("invalid {format} at {place}: {what}")]
    InvalidInput {
        /// The format.
        format: &'static str,
        /// Where: a line, an entry, a path that the person named.
        place: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A template cannot be understood. Never quotes it.
    #[error("invalid template{}: {what}", AtLine(*line))]
    InvalidTemplate {
        /// The line, from 1; 0 where it cannot be told.
        line: usize,
        /// What is wrong and what to do.
        what: String,
    },
    /// No secret of that name at the scopes searched.
    #[error("not found: {name}; searched {}", Searched(searched))]
    NotFound {
        /// The name.
        name: SecretName,
        /// The scopes, in the order they were searched.
        searched: Vec<Scope>,
    },
    /// No secret with that id in the org.
    #[error("not found: no secret with id {id} in org {org}")]
    IdNotFound {
        /// The org that was searched.
        org: crate::Part,
        /// The id.
        id: StableId,
    },
    /// The secret has no such revision, or does not keep it any more.
    #[error("not found: revision {revision} of {id}; it keeps {first} to {last}")]
    RevisionNotFound {
        /// The secret.
        id: SecretId,
        /// What was asked for.
        revision: Revision,
        /// The oldest that is kept.
        first: Revision,
        /// The current one.
        last: Revision,
    },
    /// Several requests of one task failed together.
    #[error("not found: {}", Several(missing))]
    SeveralNotFound {
        /// Each missing name with the scopes searched for it.
        missing: Vec<(SecretName, Vec<Scope>)>,
    },
    /// A secret of that name exists at that scope already.
    #[error("already exists: {id}")]
    AlreadyExists {
        /// Its address.
        id: SecretId,
    },
    /// Somebody else changed the secret in between.
    #[error(
        "conflict: {id} was expected at generation {expected} and {}; read it again and decide anew",
        FoundAt(found)
    )]
    Conflict {
        /// The secret.
        id: SecretId,
        /// What the caller expected.
        expected: Generation,
        /// What is there now.
        found: Option<Generation>,
    },
    /// Writers kept getting in between until the deadline.
    #[error("busy: others changed the same secret in {store} under every attempt to write it; try again")]
    Contended {
        /// The store.
        store: String,
    },
    /// The secret has consumers, and so must not be deleted.
    #[error(
        "in use: {id} is used by {}; remove its consumers first, or switch it off, which is always allowed",
        Named(consumers)
    )]
    InUse {
        /// The secret.
        id: SecretId,
        /// Its consumers by name.
        consumers: Vec<Consumer>,
    },
    /// The secret has no consumer of that name.
    #[error("not found: {id} has no consumer of that name")]
    ConsumerNotFound {
        /// The secret.
        id: SecretId,
    },
    /// The secret is switched off.
    #[error("inactive: {id} was switched off at {since}")]
    Inactive {
        /// The secret.
        id: SecretId,
        /// When that was.
        since: Timestamp,
    },
    /// The secret's expiry has passed.
    #[error("expired: {id} expired at {since}")]
    Expired {
        /// The secret.
        id: SecretId,
        /// Its expiry.
        since: Timestamp,
    },
    /// The task did not request this secret, or not in this form.
    #[error("not requested: {name} was not requested {what}; add it to the task's secret_requests")]
    NotRequested {
        /// The name.
        name: SecretName,
        /// In which form.
        what: &'static str,
    },
    /// No root key is configured, and one is needed.
    #[error("no root key: {0}")]
    NoRootKey(String),
    /// The root key is not the one that the org's keyring was wrapped with.
    #[error(
        "wrong root key: the keyring of org {org} names root key {expected}, and the one given is {given}; give the \
         other, unless the store was altered"
    )]
    WrongRootKey {
        /// The org.
        org: crate::Part,
        /// Public id of the root key that is needed.
        expected: String,
        /// Public id of the root key that was given.
        given: String,
    },
    /// The org has a root key of its own, and another one has wrapped its keyring.
    #[error(
        "wrong root key: org {org} has a root key of its own, {given}, and its keyring names {expected}; to give it its \
         own, name the other as a previous root key until it is rewrapped, also where that is the one of all orgs; \
         otherwise the store was altered"
    )]
    NotOwnRootKey {
        /// The org.
        org: crate::Part,
        /// Public id of the root key that the keyring names.
        expected: String,
        /// Public id of the org's own.
        given: String,
    },
    /// The passphrase does not open the org's keyring. Whether it is another one or the keyring was altered cannot be told.
    #[error(
        "wrong passphrase: the keyring of org {org} does not open with the one given; give the other, unless the \
         store was altered, which cannot be told from here"
    )]
    WrongPassphrase {
        /// The org.
        org: crate::Part,
    },
    /// What keeps the root key does not give it.
    #[error("root key unavailable: {place} {why}")]
    RootKeyUnavailable {
        /// What keeps it: a command's name, the desktop's keyring.
        place: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The root key is not one line of 44 characters of standard base64.
    #[error("malformed root key in {place}: it must be one line of 44 characters of standard base64 (32 bytes)")]
    MalformedRootKey {
        /// Where it was read: a path or a variable's name.
        place: String,
    },
    /// The root key file is not safe to use.
    #[error("exposed root key: {} {why}", path.display())]
    ExposedRootKey {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// A record names a key that the org's keyring does not hold, even after it was read again.
    #[error("unknown key {key} in org {org}: the store's keyring is older than its records, or was replaced")]
    UnknownKey {
        /// The org.
        org: crate::Part,
        /// Public id of the key.
        key: crate::seal::KeyId,
    },
    /// The key that a record names was retired or destroyed, or the org has no key left to write with.
    #[error("key destroyed: what stands under it in org {org} cannot be opened again by anybody")]
    KeyDestroyed {
        /// The org.
        org: crate::Part,
    },
    /// The org's keyring has no key with that id.
    #[error("not found: org {org} has no key {key}")]
    KeyNotFound {
        /// The org.
        org: crate::Part,
        /// Public id of the key.
        key: crate::seal::KeyId,
    },
    /// A key's state does not allow that step.
    #[error("key {key} of org {org} is {state}: it {why}")]
    KeyStep {
        /// The org.
        org: crate::Part,
        /// Public id of the key.
        key: crate::seal::KeyId,
        /// Where it stands.
        state: crate::seal::KeyState,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// Rows still stand under the key.
    #[error("in use: {rows} stored items of org {org} stand under key {key}; run reencrypt first")]
    KeyInUse {
        /// The org.
        org: crate::Part,
        /// Public id of the key.
        key: crate::seal::KeyId,
        /// How many.
        rows: u64,
    },
    /// A stored record, head or keyring was altered or does not belong where it stands. Never says why.
    #[error("corrupt: {what} does not open; it was altered or does not belong where it stands")]
    Corrupt {
        /// The address, as far as it can be trusted.
        what: String,
    },
    /// The store is behind what its anchor remembers of it, or its keyring behind what this process has met.
    #[error(
        "rolled back: {store} is behind its anchor, or what this process knew of it, in org {org}: an old copy was put \
         in its place, or a part of it; restore a newer one, or accept the loss by removing the anchor and starting anew"
    )]
    RolledBack {
        /// The store.
        store: String,
        /// The org.
        org: crate::Part,
    },
    /// A record written by a newer version.
    #[error("unsupported: {what} has format version {found}, and this secretkit reads up to {supported}; upgrade it")]
    NewerFormat {
        /// What was read.
        what: String,
        /// The version found.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// The store was busy for longer than its time-out.
    #[error("busy: {store} did not answer within its time-out; try again")]
    Busy {
        /// The store.
        store: String,
    },
    /// The store cannot be reached.
    #[error("unavailable: {store} {why}")]
    Unavailable {
        /// The store.
        store: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The store does not let this user of it in, or not do this.
    #[error("denied: {store} {why}")]
    StoreDenied {
        /// The store.
        store: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The store can be read and not written.
    #[error("read-only: {store} cannot be written")]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// The store has no room left.
    #[error("full: {store} has no room left; free some and try again")]
    Full {
        /// The store.
        store: String,
    },
    /// The write may or may not have taken effect.
    #[error("outcome unknown: {store} did not confirm the write; read the secret to see whether it took effect")]
    OutcomeUnknown {
        /// The store.
        store: String,
        /// Names the write, to ask for it with [`Secrets::outcome`](crate::Secrets::outcome).
        token: Option<crate::Token>,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no store at that place.
    #[error("no store at {store}; the first `secretkit create` makes one")]
    NoStore {
        /// The place.
        store: String,
    },
    /// The file is no store of ours, or written by a newer version.
    #[error("not a secretkit store: {store} {why}")]
    NotAStore {
        /// The place.
        store: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The store's file or place is not safe to use.
    #[error("unsafe store: {store} {why}")]
    UnsafeStore {
        /// The place.
        store: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// No store, key or form of that kind is known here.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// A file could not be read or written.
    #[error("{}: {}", path.display(), io_words(source))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A value cannot be delivered the way it was asked for.
    #[error("cannot deliver {what}: {why}")]
    Undeliverable {
        /// The secret or the variable.
        what: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// The store failed in a way that no other variant names.
    #[error("{store} failed: {source}")]
    Store {
        /// The store.
        store: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl Error {
    /// The stable token to decide on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidName { .. } => ErrorKind::InvalidName,
            Self::InvalidScope { .. } => ErrorKind::InvalidScope,
            Self::InvalidMetadata { .. } => ErrorKind::InvalidMetadata,
            Self::InvalidVariable { .. } | Self::VariableClaimedTwice { .. } => ErrorKind::InvalidVariable,
            Self::InvalidEncoding { .. } => ErrorKind::InvalidEncoding,
            Self::TooLarge { .. } | Self::ValueTooLarge { .. } => ErrorKind::TooLarge,
            Self::Several(errors) => errors.first().map_or(ErrorKind::Other, Self::kind),
            Self::InvalidRequest(_) => ErrorKind::InvalidRequest,
            Self::InvalidInput { .. } => ErrorKind::InvalidInput,
            Self::InvalidTemplate { .. } => ErrorKind::InvalidTemplate,
            Self::NotFound { .. }
            | Self::IdNotFound { .. }
            | Self::RevisionNotFound { .. }
            | Self::ConsumerNotFound { .. }
            | Self::KeyNotFound { .. }
            | Self::SeveralNotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::InUse { .. } | Self::KeyInUse { .. } => ErrorKind::InUse,
            Self::KeyStep { .. } => ErrorKind::InvalidRequest,
            Self::KeyDestroyed { .. } => ErrorKind::UnknownKey,
            Self::Inactive { .. } => ErrorKind::Inactive,
            Self::Expired { .. } => ErrorKind::Expired,
            Self::NotRequested { .. } => ErrorKind::NotRequested,
            Self::NoRootKey(_) => ErrorKind::NoRootKey,
            Self::WrongRootKey { .. } | Self::NotOwnRootKey { .. } | Self::WrongPassphrase { .. } => {
                ErrorKind::WrongRootKey
            }
            Self::RootKeyUnavailable { .. } => ErrorKind::RootKeyUnavailable,
            Self::MalformedRootKey { .. } => ErrorKind::MalformedRootKey,
            Self::ExposedRootKey { .. } => ErrorKind::ExposedRootKey,
            Self::UnknownKey { .. } => ErrorKind::UnknownKey,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Busy { .. } | Self::Contended { .. } => ErrorKind::Busy,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::StoreDenied { .. } => ErrorKind::Denied,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::Full { .. } => ErrorKind::Full,
            Self::OutcomeUnknown { .. } => ErrorKind::OutcomeUnknown,
            Self::RolledBack { .. } => ErrorKind::RolledBack,
            Self::NoStore { .. } => ErrorKind::NoStore,
            Self::NotAStore { .. } => ErrorKind::NotAStore,
            Self::UnsafeStore { .. } => ErrorKind::UnsafeStore,
            Self::NewerFormat { .. } | Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::File { source, .. } => file_kind(source),
            Self::Undeliverable { .. } => ErrorKind::Undeliverable,
            Self::Store { .. } | Self::NoRandomness => ErrorKind::Other,
        }
    }

    /// A file that could not be read or written.
    #[must_use]
    pub fn file(path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::File { path: path.to_owned(), source: source.into() }
    }

    /// A record, head or keyring that does not open.
    pub(crate) fn corrupt(what: &impl ToString) -> Self {
        Self::Corrupt { what: what.to_string() }
    }
}

fn file_kind(source: &std::io::Error) -> ErrorKind {
    match source.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::FileMissing,
        std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        std::io::ErrorKind::IsADirectory => ErrorKind::FileIsDirectory,
        std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        _ => ErrorKind::Other,
    }
}
