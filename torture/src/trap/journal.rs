//! What a process did with its files, in order, as the trap writes it down.

use std::path::Path;

/// One call, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) event: Event,
    /// What the call returned: less than zero for an error, whether the kernel's or the plan's.
    pub(crate) outcome: i64,
}

/// What was called.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Open {
        path: String,
        flags: i32,
    },
    Close {
        descriptor: i32,
    },
    /// The bytes are those that were written.
    Write {
        descriptor: i32,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Truncate {
        descriptor: i32,
        length: u64,
    },
    Sync {
        descriptor: i32,
    },
    Unlink {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    /// A read that failed; the others are not written down.
    Read,
    /// What the process told its parent.
    Said {
        bytes: Vec<u8>,
    },
}

/// What each event is called in the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Tag {
    Open = 1,
    Close,
    Write,
    Truncate,
    Sync,
    Unlink,
    Rename,
    Link,
    Read,
    Said,
}

/// Before the two byte strings of an entry: tag, number, position, outcome, two lengths.
pub(super) const HEADER: usize = 1 + 4 + 8 + 8 + 4 + 4;

/// Where a write has no position of its own.
pub(super) const NOWHERE: i64 = -1;

pub(super) fn header(tag: Tag, number: i32, position: i64, outcome: i64, lengths: [usize; 2]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[0] = tag as u8;
    bytes[1..5].copy_from_slice(&number.to_le_bytes());
    bytes[5..13].copy_from_slice(&position.to_le_bytes());
    bytes[13..21].copy_from_slice(&outcome.to_le_bytes());
    bytes[21..25].copy_from_slice(&(lengths[0] as u32).to_le_bytes());
    bytes[25..29].copy_from_slice(&(lengths[1] as u32).to_le_bytes());
    bytes
}

/// Everything that a process has written down before it ended.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let whole = std::fs::read(path).unwrap_or_else(|error| panic!("the journal of a worker: {error}"));
    let mut rest = whole.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        entries.push(entry(&mut rest));
    }
    entries
}

fn entry(rest: &mut &[u8]) -> Entry {
    let tag = take(rest, 1)[0];
    let number = i32::from_le_bytes(array(rest));
    let position = i64::from_le_bytes(array(rest));
    let outcome = i64::from_le_bytes(array(rest));
    let lengths = [u32::from_le_bytes(array(rest)) as usize, u32::from_le_bytes(array(rest)) as usize];
    let first = take(rest, lengths[0]).to_vec();
    let second = take(rest, lengths[1]).to_vec();
    let path = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|_| panic!("a path that is no text"));
    let event = match tag {
        tag if tag == Tag::Open as u8 => Event::Open { path: path(first), flags: number },
        tag if tag == Tag::Close as u8 => Event::Close { descriptor: number },
        tag if tag == Tag::Write as u8 => {
            Event::Write { descriptor: number, at: u64::try_from(position).ok(), bytes: first }
        }
        tag if tag == Tag::Truncate as u8 => Event::Truncate { descriptor: number, length: position.unsigned_abs() },
        tag if tag == Tag::Sync as u8 => Event::Sync { descriptor: number },
        tag if tag == Tag::Unlink as u8 => Event::Unlink { path: path(first) },
        tag if tag == Tag::Rename as u8 => Event::Rename { from: path(first), to: path(second) },
        tag if tag == Tag::Link as u8 => Event::Link { from: path(first), to: path(second) },
        tag if tag == Tag::Read as u8 => Event::Read,
        tag if tag == Tag::Said as u8 => Event::Said { bytes: first },
        other => panic!("a journal entry of kind {other}"),
    };
    Entry { event, outcome }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}

fn array<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(take(rest, N));
    bytes
}
