//! What a batch changes and records, as statements.

use std::collections::BTreeMap;

use super::steps::{Ask, Value};
use crate::batch::{Changed, Encoded, Event};

/// How many rows a statement must have written.
#[derive(Clone, Copy)]
pub(super) enum Writes {
    One,
    /// What is not there any more needs not be removed.
    Any,
}

impl Writes {
    pub(super) const fn fits(self, rows: usize) -> bool {
        match self {
            Self::One => rows == 1,
            Self::Any => true,
        }
    }
}

/// All of them, in their order.
pub(super) fn asks<'a>(encoded: &'a Encoded<'_>) -> Vec<(Ask<'a>, Writes)> {
    let mut asks: Vec<_> = encoded.changes.iter().flat_map(|changed| of_change(encoded, changed)).collect();
    asks.extend(lanes(encoded));
    asks.extend(encoded.events.iter().map(|event| of_event(encoded, event)));
    asks
}

/// Moves each lane on once, past all its events: to write the same row over and over in one transaction takes ever longer.
fn lanes<'a>(encoded: &'a Encoded<'_>) -> Vec<(Ask<'a>, Writes)> {
    let mut ends: BTreeMap<(&str, u8), (i64, &Event<'_>)> = BTreeMap::new();
    for event in &encoded.events {
        let (_, last) = ends.entry((event.org, event.lane)).or_insert((event.seq, event));
        // Each follows the one before; the first is its own.
        if !std::ptr::eq(*last, event) && last.seq.checked_add(1) != Some(event.seq) {
            return vec![(NOTHING.into(), Writes::One)];
        }
        *last = event;
    }
    let move_on = |((org, lane), (first, last)): ((&'a str, u8), (i64, &'a Event<'_>))| {
        let mac = Value::Bytes(encoded.at(Some(last.mac)));
        (Ask::new(LANE, [org.into(), i64::from(lane).into(), first.into(), last.seq.into(), mac]), Writes::One)
    };
    ends.into_iter().map(move_on).collect()
}

fn of_change<'a>(encoded: &'a Encoded<'_>, changed: &'a Changed<'_>) -> Vec<(Ask<'a>, Writes)> {
    let (org, id) = (Value::Text(changed.org), Value::Bytes(encoded.at(changed.id)));
    let one = |text, values| vec![(Ask::new(text, values), Writes::One)];
    match changed.kind {
        "insert" => one(INSERT, secret(encoded, changed)),
        "replace" | "reseal" => vec![
            (Ask::new(REPLACE, secret(encoded, changed)), Writes::One),
            (Ask::new(DROP_BEFORE, vec![id, Value::Number(changed.first_revision)]), Writes::Any),
        ],
        "keep" => one(KEEP, revision(encoded, changed)),
        "replace_revision" => one(REPLACE_REVISION, [revision(encoded, changed), vec![org]].concat()),
        "delete" => one(DELETE, vec![id, org]),
        "register" => {
            let seen = [Value::Text(changed.key), Value::Number(changed.value_at), Value::Text(changed.value_by)];
            one(REGISTER, [vec![id, org], seen.to_vec(), vec![Value::Bytes(encoded.at(changed.mac))]].concat())
        }
        "unregister" => vec![(Ask::new(UNREGISTER, vec![id, org, Value::Text(changed.key)]), Writes::Any)],
        "keyring" => {
            let (version, kek) = (Value::Number(changed.revision), Value::Text(changed.key));
            let bytes = [changed.mac, changed.record].map(|at| Value::Bytes(encoded.at(at)));
            one(KEYRING, [vec![org, version, kek], bytes.to_vec()].concat())
        }
        // Nothing writes no row, and so does not fit.
        _ => one(NOTHING, Vec::new()),
    }
}

fn of_event<'a>(encoded: &'a Encoded<'_>, event: &'a Event<'_>) -> (Ask<'a>, Writes) {
    let [token, body, mac] = [event.token, event.body, event.mac].map(|at| Value::Bytes(encoded.at(Some(at))));
    let values = [event.org.into(), i64::from(event.lane).into(), event.seq.into(), token, event.at.into(), body, mac];
    (Ask::new(EVENT, values), Writes::One)
}

/// The columns of a secret, in the order of `INSERT`.
fn secret<'a>(encoded: &'a Encoded<'_>, changed: &'a Changed<'_>) -> Vec<Value<'a>> {
    let address = [changed.org, changed.project, changed.domain, changed.grp, changed.key].map(Value::Text);
    let numbers = [
        changed.generation,
        changed.revision,
        changed.first_revision,
        changed.keep.map(i64::from),
        changed.inactive_since,
        changed.expires_at,
    ];
    let texts = [changed.description, changed.tags.as_deref()].map(Value::Text);
    let stamps = [
        (changed.created_at, changed.created_by),
        (changed.updated_at, changed.updated_by),
        (changed.value_at, changed.value_by),
    ];
    let bytes = [changed.digest, changed.mac, changed.record].map(|at| Value::Bytes(encoded.at(at)));
    let mut values = vec![Value::Bytes(encoded.at(changed.id))];
    values.extend(address);
    values.extend(numbers.map(Value::Number));
    values.extend(texts);
    values.extend(stamps.into_iter().flat_map(|(at, by)| [Value::Number(at), Value::Text(by)]));
    values.extend(bytes);
    values
}

/// The columns of a superseded value, in the order of `KEEP`.
fn revision<'a>(encoded: &'a Encoded<'_>, changed: &'a Changed<'_>) -> Vec<Value<'a>> {
    let bytes = [changed.digest, changed.mac, changed.record].map(|at| Value::Bytes(encoded.at(at)));
    let mut values = vec![Value::Bytes(encoded.at(changed.id)), Value::Number(changed.revision)];
    values.extend([Value::Number(changed.value_at), Value::Text(changed.value_by)]);
    values.extend(bytes);
    values
}

const INSERT: &str = "INSERT INTO @schema@.secrets (id, org, project, domain, grp, key, generation, revision, first_revision, \
     keep, inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, \
     value_by, digest, head_mac, record) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) \
     ON CONFLICT DO NOTHING RETURNING 1";

/// The address is in the condition and not among what is set: a secret never moves.
const REPLACE: &str = "UPDATE @schema@.secrets SET generation = $7, revision = $8, first_revision = $9, keep = $10, \
     inactive_since = $11, expires_at = $12, description = $13, tags = $14, created_at = $15, created_by = $16, \
     updated_at = $17, updated_by = $18, value_at = $19, value_by = $20, digest = $21, head_mac = $22, record = $23 \
     WHERE id = $1 AND org = $2 AND project = $3 AND domain = $4 AND grp = $5 AND key = $6 RETURNING 1";

const DROP_BEFORE: &str = "DELETE FROM @schema@.revisions WHERE secret_id = $1 AND revision < $2";

const KEEP: &str = "INSERT INTO @schema@.revisions (secret_id, revision, value_at, value_by, digest, mac, record) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING 1";

const REPLACE_REVISION: &str = "UPDATE @schema@.revisions SET value_at = $3, value_by = $4, digest = $5, mac = $6, record = $7 \
     WHERE secret_id = (SELECT id FROM @schema@.secrets WHERE id = $1 AND org = $8) AND revision = $2 RETURNING 1";

/// Its superseded values and its last use go with it, by their foreign keys.
const DELETE: &str = "DELETE FROM @schema@.secrets WHERE id = $1 AND org = $2 \
     AND NOT EXISTS (SELECT 1 FROM @schema@.consumers WHERE secret_id = $1) RETURNING 1";

const REGISTER: &str = "INSERT INTO @schema@.consumers (secret_id, name, seen_at, seen_by, mac) \
     SELECT id, $3, $4, $5, $6 FROM @schema@.secrets WHERE id = $1 AND org = $2 \
     ON CONFLICT (secret_id, name) DO UPDATE SET seen_at = excluded.seen_at, seen_by = excluded.seen_by, \
     mac = excluded.mac RETURNING 1";

const UNREGISTER: &str = "DELETE FROM @schema@.consumers \
     WHERE secret_id = (SELECT id FROM @schema@.secrets WHERE id = $1 AND org = $2) AND name = $3";

const KEYRING: &str = "INSERT INTO @schema@.keyring (org, version, kek_id, wrapped_key, keyset) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (org) DO UPDATE SET version = excluded.version, kek_id = excluded.kek_id, \
     wrapped_key = excluded.wrapped_key, keyset = excluded.keyset RETURNING 1";

/// What begins with `$3` follows the end of the lane, or is the first of it.
const LANE: &str = "INSERT INTO @schema@.lanes AS l (org, lane, seq, mac) SELECT $1, $2, $4, $5 \
     WHERE $3 = 1 OR EXISTS (SELECT 1 FROM @schema@.lanes WHERE org = $1 AND lane = $2) \
     ON CONFLICT (org, lane) DO UPDATE SET seq = excluded.seq, mac = excluded.mac WHERE l.seq = $3 - 1 \
     RETURNING 1";

const EVENT: &str = "INSERT INTO @schema@.events (org, lane, seq, token, at, body, mac) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING 1";

const NOTHING: &str = "SELECT 1 WHERE false";
