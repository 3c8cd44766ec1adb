//! The readers of bytes that somebody else may have written, and what they read from, for `fuzz-targets/`.

use crate::event::{Draft, EventRecord, Lane, Token};
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::Revision;
use crate::seal::canonical::{Canonical, Fields};
use crate::seal::{KeyId, Mac, StoreId};
use crate::time::Timestamp;
use crate::value::SecretValue;

const LABEL: &[u8] = b"secretkit/fuzz/1\0";

/// The canonical encoding of these fields, whose tags are their places from 1. More than 255 have no tags.
#[must_use]
pub fn encoded(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let numbered = (1..=u8::MAX).zip(fields);
    numbered.fold(Canonical::new(LABEL), |canonical, (tag, field)| canonical.optional(tag, *field)).finish()
}

/// As many fields as [`encoded`] encoded, if these are bytes that it wrote.
#[must_use]
pub fn decoded(bytes: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut fields = Fields::of(LABEL, bytes)?;
    let mut found = Vec::new();
    for tag in 1..=u8::MAX {
        if fields.is_read() {
            break;
        }
        found.push(fields.optional(tag)?);
    }
    fields.is_read().then_some(found)
}

/// What a value's record is bound to.
#[must_use]
pub fn context(store: [u8; 16], id: &SecretId, secret: &StableId, revision: Revision) -> Vec<u8> {
    crate::seal::value_context(&StoreId::from_bytes(store), id, secret, revision)
}

/// The body of an event of this org, read and written again.
#[must_use]
pub fn event_body(org: &Part, body: &[u8]) -> Option<Vec<u8>> {
    let event = EventRecord {
        org: org.clone(),
        lane: Lane::FIRST,
        seq: 1,
        token: Token::from_bytes([0; 16]),
        at: Timestamp::from_micros(0),
        body: body.into(),
        mac: Mac { key: KeyId::from_bytes([0; 16]), tag: [0; 32] },
    };
    let (action, by, subject) = event.read(None)?;
    Some(Draft { action, by: &by, subject }.body())
}

/// The bytes of a keyset, read and written again.
#[must_use]
pub fn keyset(bytes: &SecretValue) -> Option<SecretValue> {
    crate::seal::keyset_again(bytes)
}
