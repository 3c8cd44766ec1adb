//! Small files that stand beside a store: root keys and anchors.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secretkit::FileAnchor;
use secretkit_core::seal::{Mac, StoreId};
use secretkit_core::store::{Lane, LaneHead};
use secretkit_core::{Advance, Anchored, Error, Part, PartKind, RollbackAnchor, RootKey};

/// A directory that is gone afterwards, in memory where there is such a place: thousands of them are made.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&Path) -> T) -> T {
    let memory = Path::new("/dev/shm");
    let within: PathBuf = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let directory = tempfile::Builder::new().prefix("secretkit-fuzz-").tempdir_in(within).unwrap();
    work(directory.path())
}

fn written(path: &Path, data: &[u8]) {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(data).unwrap();
}

/// The text of a root key is a key's own, but for the end of its line, or no key.
pub(crate) fn root_key(data: &[u8]) {
    with_scratch(|scratch| {
        let path = scratch.join("root.key");
        written(&path, data);
        match RootKey::from_file(&path) {
            Ok(key) => {
                let text = key.to_text();
                let line = text.expose_secret();
                assert!(data == line || data == &line[..line.len() - 1]);
            }
            Err(Error::MalformedRootKey { place }) => assert_eq!(place, path.display().to_string()),
            Err(other) => panic!("{other:?}"),
        }
    });
}

/// An anchor's file is read, or refused and left as it is; what is read is kept when an org moves on.
pub(crate) fn anchor(data: &[u8]) {
    let (store, org) = (StoreId::from_bytes([7; 16]), Part::parse(PartKind::Org, "acme").unwrap());
    with_scratch(|scratch| {
        let path = scratch.join("anchor");
        written(&path, data);
        let anchor = FileAnchor::new(path.clone());
        let before = anchor.load(&store, &org);
        let moved = (Lane::new(3).unwrap(), LaneHead { seq: 9, mac: [5; Mac::BYTES] });
        let saved = anchor.save(&store, &org, &Anchored { keyring: 9, lanes: vec![moved] });
        let advance =
            before.as_ref().ok().map(|before| before.clone().advance(&Anchored { keyring: 9, lanes: vec![moved] }));
        let is_taken = advance.is_some_and(|advance| advance != Advance::AnotherWay);
        assert_eq!(is_taken, saved.is_ok(), "both read it, and it goes no other way");
        if !is_taken {
            assert_eq!(fs::read(&path).unwrap(), data, "what was refused is left as it is");
        }
        let Ok(mut expected) = before else { return };
        if is_taken {
            expected.keyring = expected.keyring.max(9);
            expected.lanes.retain(|(lane, known)| *lane != moved.0 || known.seq >= moved.1.seq);
            if expected.lanes.iter().all(|(lane, _)| *lane != moved.0) {
                expected.lanes.push(moved);
            }
            expected.lanes.sort_by_key(|(lane, _)| *lane);
        }
        assert_eq!(anchor.load(&store, &org).unwrap(), expected);
        let other = StoreId::from_bytes([8; 16]);
        assert!(anchor.load(&other, &org).is_err(), "it belongs to one store");
    });
}
