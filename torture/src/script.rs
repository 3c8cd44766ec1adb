//! What a worker does, one operation after the other.

use std::fmt;

use secretkit_core::seal::KeyUse;
use secretkit_sqlite::Existing;

/// One call of an application's, or one command of an operator's.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Opens the store, and makes it where there is none; closes it first where it is open.
    Open,
    Create(&'static str, Value),
    Put(&'static str, Value),
    Update(&'static str, Value),
    PutAll(&'static [&'static str], Value),
    Edit(&'static str, &'static str),
    Rollback(&'static str, u64),
    Delete(&'static str),
    AddConsumer(&'static str, &'static str),
    RemoveConsumer(&'static str, &'static str),
    /// Reads, and has it recorded.
    Get(&'static str),
    /// To the root key of this number.
    Rewrap(usize),
    AddKey(&'static str, KeyUse),
    Promote(&'static str, KeyUse),
    Reencrypt(&'static str),
    Retire(&'static str, KeyUse),
    Destroy(&'static str, KeyUse),
    /// Into a file beside the store.
    Backup(Existing),
    /// Of one org. That it finds anything is a failure.
    Verify(&'static str),
}

impl Op {
    /// An org whose events tell of it.
    pub(crate) fn org(&self) -> &'static str {
        match self {
            Self::Create(address, _)
            | Self::Put(address, _)
            | Self::Update(address, _)
            | Self::Edit(address, _)
            | Self::Rollback(address, _)
            | Self::Delete(address)
            | Self::AddConsumer(address, _)
            | Self::RemoveConsumer(address, _)
            | Self::Get(address) => org_of(address),
            Self::PutAll(addresses, _) => org_of(addresses[0]),
            Self::AddKey(org, _)
            | Self::Promote(org, _)
            | Self::Reencrypt(org)
            | Self::Retire(org, _)
            | Self::Destroy(org, _)
            | Self::Verify(org) => org,
            Self::Open | Self::Rewrap(_) | Self::Backup(_) => "acme",
        }
    }
}

/// What stands before all else in an address.
pub(crate) fn org_of(address: &str) -> &str {
    address.split(['/', ':']).next().unwrap_or_default()
}

/// A value that is told by what made it: its number, and its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Value(pub(crate) u64, pub(crate) usize);

impl Value {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut random = Random::new(self.0);
        (0..self.1).map(|_| random.next().to_le_bytes()[0]).collect()
    }
}

/// What a report calls it.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create(..) | Self::Put(..) => "put",
            Self::Update(..) => "update",
            Self::PutAll(..) => "import",
            Self::Edit(..) => "edit",
            Self::Rollback(..) => "rollback",
            Self::Delete(..) => "delete",
            Self::AddConsumer(..) | Self::RemoveConsumer(..) => "use",
            Self::Get(..) => "get",
            Self::Rewrap(..) => "rewrap",
            Self::AddKey(..) => "key add",
            Self::Promote(..) => "promote",
            Self::Reencrypt(..) => "reencrypt",
            Self::Retire(..) => "retire",
            Self::Destroy(..) => "destroy",
            Self::Backup(..) => "backup",
            Self::Verify(..) => "verify",
        })
    }
}

const DB: &str = "acme/etl/production:db/password";
const TOKEN: &str = "acme:token";
const BIG: &str = "acme/web:certificate";
const OTHER: &str = "other:token";
const IMPORT: &[&str] = &["acme/etl:a", "acme/etl:b", "acme/etl:c", DB];

/// Every operation, at least once, in 300 calls or so.
pub(crate) fn script() -> Vec<Op> {
    use KeyUse::{Data, Digest, Meta};
    let value = |number| Value(number, 20 + number as usize);
    vec![
        Op::Open,
        Op::Create(DB, value(1)),
        Op::Create(OTHER, value(2)),
        Op::Update(DB, value(3)),
        Op::PutAll(IMPORT, value(4)),
        Op::Edit(DB, "of the warehouse"),
        Op::Open,
        Op::Create(TOKEN, value(5)),
        Op::AddConsumer(DB, "nightly"),
        Op::Get(DB),
        Op::Put(TOKEN, value(6)),
        Op::Edit(DB, "of the lake"),
        Op::Rewrap(1),
        Op::Delete(TOKEN),
        Op::Create(TOKEN, value(7)),
        Op::AddKey("acme", Data),
        Op::Promote("acme", Data),
        Op::Put(DB, value(8)),
        Op::Reencrypt("acme"),
        Op::Retire("acme", Data),
        Op::Destroy("acme", Data),
        Op::Backup(Existing::Refuse),
        Op::Get("acme/etl:b"),
        Op::Open,
        Op::AddKey("acme", Meta),
        Op::Promote("acme", Meta),
        Op::AddKey("acme", Digest),
        Op::Promote("acme", Digest),
        Op::Reencrypt("acme"),
        Op::Retire("acme", Meta),
        Op::Rewrap(0),
        Op::RemoveConsumer(DB, "nightly"),
        Op::Rollback(DB, 1),
        Op::Delete(DB),
        Op::Create(BIG, Value(9, 20_000)),
        Op::Put(BIG, value(10)),
        Op::Delete("acme/etl:a"),
        Op::Open,
        Op::Verify("acme"),
        Op::Backup(Existing::Replace),
        Op::Put(TOKEN, value(11)),
    ]
}

/// The same several times over, with values that make the write-ahead log reach its limit, so that it is written back
/// in the middle of everything.
pub(crate) fn long_script() -> Vec<Op> {
    let mut ops = script();
    for round in 0..40 {
        ops.push(Op::Put(BIG, Value(100 + round, 60_000)));
        match round % 10 {
            2 => ops.push(Op::PutAll(IMPORT, Value(200 + round, 5_000))),
            4 => ops.push(Op::Delete("acme/etl:b")),
            5 => ops.push(Op::Put(OTHER, Value(300 + round, 100))),
            6 => ops.push(Op::Get(OTHER)),
            7 => ops.extend([Op::AddKey("other", KeyUse::Data), Op::Promote("other", KeyUse::Data)]),
            8 => ops.push(Op::Reencrypt("acme")),
            9 => ops.push(Op::Open),
            _ => {}
        }
    }
    ops
}

/// Numbers that look random and are the same each time (xorshift64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit.max(1)
    }
}
