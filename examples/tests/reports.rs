//! Tests of an application in memory, as `docs/tutorial-rust.md` shows them.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;
use std::time::Duration;

use secretkit::{Access, ErrorKind, ManualClock, MemoryStore, RootKey, Scope, SecretValue, Secrets, Timestamp};
use secretkit_examples::reports::{keep_password, password_length, tagged};

fn in_memory(clock: &Arc<ManualClock>) -> Secrets {
    let key = RootKey::generate().unwrap();
    Secrets::new(Arc::new(MemoryStore::new()), Arc::new(key), Access::Unrestricted).with_clock(clock.clone())
}

#[test]
fn the_password_lasts_for_90_days() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    let secrets = in_memory(&clock);
    keep_password(&secrets, &SecretValue::copied_from(b"hunter2")).unwrap();
    let scope: Scope = "acme/etl/production".parse().unwrap();
    assert_eq!(password_length(&secrets, &scope).unwrap(), 7);
    assert_eq!(tagged(&secrets, scope.org(), "postgres").unwrap(), ["acme/etl:db/password"]);

    clock.advance(Duration::from_secs(90 * 24 * 60 * 60));
    assert_eq!(password_length(&secrets, &scope).unwrap_err().kind(), ErrorKind::Expired);
}
