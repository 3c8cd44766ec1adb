//! Rows that somebody else may have written.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;

use proptest::prelude::*;
use secretkit_core::store::{Columns, Head, Row, Target, Want, or_empty};
use secretkit_core::{
    Access, Description, ErrorKind, MemoryStore, MetadataEdit, PutMode, Revision, RootKey, SecretId, SecretRecord,
    SecretStore, SecretValue, Secrets, Setting, Tags, Timestamp,
};

/// A column as a database may hand it out.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

use Value::{Blob, Integer, Null, Text};

struct Answer(Vec<Value>);

impl<'r> Row<'r> for &'r Answer {
    fn integer(&self, column: usize) -> Option<Option<i64>> {
        match self.0.get(column)? {
            Null => Some(None),
            Integer(integer) => Some(Some(*integer)),
            Text(_) | Blob(_) => None,
        }
    }

    fn text(&self, column: usize) -> Option<&'r str> {
        match self.0.get(column)? {
            Text(text) => Some(text),
            Null | Integer(_) | Blob(_) => None,
        }
    }

    fn blob(&self, column: usize) -> Option<&'r [u8]> {
        match self.0.get(column)? {
            Blob(bytes) => Some(bytes),
            Null | Integer(_) | Text(_) => None,
        }
    }
}

/// The columns of a secret, in the order that [`Columns`] documents.
fn row(record: &SecretRecord) -> Answer {
    let SecretRecord { head, mac, sealed } = record;
    let Head { id, address, generation, revision, first_revision, keep, metadata, created, updated, valued, digest } =
        head;
    let (scope, name) = (address.scope(), address.name());
    let text = |text: &str| Text(text.to_owned());
    let moment = |time: Option<Timestamp>| time.map_or(Null, |time| Integer(time.as_micros()));
    let counter = |number: u64| Integer(i64::try_from(number).unwrap());
    let mut columns = vec![
        text(scope.org().as_str()),
        text(or_empty(scope.project())),
        text(or_empty(scope.domain())),
        text(or_empty(name.group())),
        text(name.key().as_str()),
        Blob(id.as_bytes().to_vec()),
        counter(generation.number()),
        counter(revision.number()),
        counter(first_revision.number()),
        keep.map_or(Null, |keep| Integer(keep.into())),
        moment(metadata.inactive_since),
        moment(metadata.expires_at),
        text(metadata.description.as_ref().map_or("", |description| description.as_str())),
        text(&metadata.tags.to_column()),
    ];
    for stamp in [created, updated, valued] {
        columns.extend([Integer(stamp.at.as_micros()), text(stamp.by.as_str())]);
    }
    columns.extend([digest.to_bytes().to_vec(), mac.to_bytes().to_vec(), sealed.as_bytes().to_vec()].map(Blob));
    Answer(columns)
}

/// A secret with something in each column, as a store has it.
fn record(address: &str) -> (SecretId, SecretRecord) {
    let address: SecretId = address.parse().unwrap();
    let store = Arc::new(MemoryStore::new());
    let secrets = Secrets::new(store.clone(), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted);
    secrets.put(&address, &SecretValue::copied_from(b"k3y"), PutMode::Create).unwrap();
    let mut edit = MetadataEdit::default();
    edit.description = Setting::Set(Description::parse("what it is for").unwrap());
    edit.tags = Setting::Set(Tags::parse(["blue", "green"]).unwrap());
    edit.expires_at = Setting::Set(Timestamp::from_micros(4_000_000_000_000_000));
    edit.keep = Setting::Set(3);
    secrets.edit(&address, &edit, None).unwrap();
    let want = Want { target: Target::Exact(address.clone()), revision: None };
    let found = store.fetch(&[want]).unwrap().remove(0).unwrap();
    (address, found.record)
}

fn hostile() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Null),
        any::<i64>().prop_map(Integer),
        (-1_i64..3).prop_map(Integer),
        ".{0,6}".prop_map(Text),
        "[a-z]{1,4}(/|\\.\\.|\u{202e}|\n| )[a-z]{0,4}".prop_map(Text),
        "[a-z]{129,200}".prop_map(Text),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Blob),
    ]
}

#[test]
fn what_was_written_is_what_is_read() {
    for address in ["acme/etl/production:db/password", "acme/etl:password", "acme/*/production:password", "acme:key"] {
        let (address, record) = record(address);
        let (written, id, org) = (row(&record), record.head.id, address.org().clone());
        let nearest = Target::Nearest(address.scope().clone(), address.name().clone());
        for target in [Target::Exact(address.clone()), nearest, Target::Id(org.clone(), id)] {
            assert_eq!(row(&Columns::of(&written).secret(&target).unwrap()).0, written.0);
        }
        // What is shared with the row before says the same.
        for before in [None, Some(&record.head)] {
            assert_eq!(row(&Columns::of(&written).next_secret(&org, before).unwrap()).0, written.0);
        }
        assert_eq!(record.head.revision, Revision::FIRST);
    }
}

#[test]
fn a_row_that_ends_too_soon_is_damage() {
    let (address, record) = record("acme/etl/production:db/password");
    let whole = row(&record);
    for length in 0..whole.0.len() {
        let cut = Answer(whole.0[..length].to_vec());
        let error = Columns::of(&cut).secret(&Target::Exact(address.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
        // Its name where that could be read, and else its org's.
        assert_eq!(error.to_string().contains("etl/production:db/password"), length >= 5, "{length}: {error}");
    }
}

proptest! {
    /// Whatever stands in a column, it is read as just that, or the row is damage: never as something else.
    #[test]
    fn an_altered_column_is_read_as_it_is_or_is_damage(column in 0..23_usize, value in hostile(), after in any::<bool>()) {
        let (address, record) = record("acme/etl/production:db/password");
        let mut altered = row(&record);
        altered.0[column] = value;
        let mut columns = Columns::of(&altered);
        let read = match after {
            true => columns.next_secret(address.org(), Some(&record.head)),
            false => columns.secret(&Target::Exact(address)),
        };
        match read {
            Ok(read) => prop_assert_eq!(row(&read).0, altered.0),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
    }
}
