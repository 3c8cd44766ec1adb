//! Store files: whatever somebody made of one, nothing wrong comes out of it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use secretkit_core::store::Within;
use secretkit_core::{Error, ErrorKind, SecretId, SecretInfo, Secrets, Verified};
use secretkit_sqlite::SqliteStore;
use serde_json::Value;

use crate::files::with_scratch;
use crate::golden::{GOLDEN, ORGS, opened, part, told_of_head, told_of_rest};

/// A script of changes to the golden store's file, see [`changed`]; or a file of its own, where it begins as SQLite's do.
pub(crate) fn store(data: &[u8]) {
    let (file, changes) = if data.starts_with(b"SQLite") { (data.to_vec(), usize::MAX) } else { changed(data) };
    with_scratch(|scratch| {
        let path = scratch.join("secrets.db");
        let mut open = File::options();
        open.write(true).create_new(true).mode(0o600).open(&path).unwrap().write_all(&file).unwrap();
        if let Some((complaints, seen)) = read(&path) {
            // One byte cannot hide a row from `verify`; a change of the whole file can be an older file, which needs an
            // anchor to be noticed.
            let vanished = GOLDEN.contents.keys().find(|address| !seen.contains(address));
            assert!(changes > 1 || complaints || vanished.is_none(), "{vanished:?} vanished, and nothing says so");
        }
    });
}

/// Changes of six bytes each: where (three bytes), what to do, how far, and with which byte. How many bytes differ then,
/// as well.
fn changed(script: &[u8]) -> (Vec<u8>, usize) {
    let golden = &GOLDEN.file;
    let mut file = golden.clone();
    for change in script.chunks_exact(6).take(64) {
        let at = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let (at, length, byte) = (at % file.len().max(1), usize::from(change[4]), change[5]);
        let end = (at + length + 1).min(file.len());
        let (page, pages) = (at / 512 * 512, file.len() / 512);
        match change[3] % 8 {
            0 | 1 => file.iter_mut().skip(at).take(1).for_each(|old| *old ^= 1 << (byte % 8)),
            2 => file.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
            3 => file[at..end].fill(byte),
            4 => drop(file.drain(at..end)),
            5 => drop(file.splice(at..at, std::iter::repeat_n(byte, length))),
            6 => file.truncate(at.max(1)),
            // A page in the place of another.
            _ if pages > 0 && page + 512 <= file.len() => {
                let from = usize::from(u16::from_be_bytes([change[4], change[5]])) % pages * 512;
                file.copy_within(from..from + 512, page);
            }
            _ => {}
        }
    }
    let differing = if file.len() == golden.len() {
        file.iter().zip(golden).filter(|(one, other)| one != other).count()
    } else {
        usize::MAX
    };
    (file, differing)
}

/// Whether anything was an error or found wrong, and the addresses that were listed; `None` where it cannot be opened.
fn read(path: &Path) -> Option<(bool, Vec<String>)> {
    let secrets = opened(Arc::new(SqliteStore::open(path).ok()?), Arc::clone(&GOLDEN.root));
    let (mut complaints, mut seen) = (false, Vec::new());
    for address in GOLDEN.contents.keys() {
        let id: SecretId = address.parse().unwrap();
        match secrets.info(&id).and_then(|info| is_genuine(&secrets, &info)) {
            Ok(()) => {}
            // That there is no such secret cannot be authenticated on a read.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => complaints = true,
        }
    }
    for org in ORGS.map(part) {
        for page in secrets.list(Within::Org(org.clone()), 100) {
            complaints |= page.is_err();
            for info in page.into_iter().flatten() {
                same(&told_of_head(&info), &info.address);
                seen.push(info.address.to_string());
            }
        }
        for event in secrets.events(&org) {
            complaints |= event.is_err();
        }
        complaints |= secrets.keys().status(&org).is_err();
        for told in secrets.verify(&org) {
            complaints |= match told {
                Ok(told) => told.iter().any(|told| matches!(told, Verified::Wrong(_))),
                Err(_) => true,
            };
        }
    }
    Some((complaints, seen))
}

/// Consumers and a last use that are gone: absence cannot be authenticated on a read.
fn is_genuine(secrets: &Secrets, info: &SecretInfo) -> Result<(), Error> {
    same(&told_of_head(info), &info.address);
    let mut rest = told_of_rest(secrets, info)?;
    let genuine = &GOLDEN.contents[&info.address.to_string()];
    let rows = |told: &Value| told["consumers"].as_array().cloned().unwrap_or_default();
    let then = rows(genuine);
    assert!(rows(&rest).iter().all(|row| then.contains(row)), "consumers of {}", info.address);
    rest["consumers"] = genuine["consumers"].clone();
    if rest["last_used"].is_null() {
        rest["last_used"] = genuine["last_used"].clone();
    }
    same(&rest, &info.address);
    Ok(())
}

/// Everything that is told is what the golden store holds.
fn same(told: &Value, address: &SecretId) {
    let genuine = GOLDEN.contents.get(&address.to_string());
    let genuine = genuine.unwrap_or_else(|| panic!("there is no {address} in the golden store"));
    for (field, value) in told.as_object().unwrap() {
        assert_eq!(value, &genuine[field], "{field} of {address}");
    }
}
