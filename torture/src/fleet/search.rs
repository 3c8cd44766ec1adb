//! A search for values in everything that a server keeps.

use std::path::PathBuf;

use secretkit_core::conformance::Needles;
use secretkit_test_postgres::Server;

use super::room::Room;
use crate::campaign::{Faults, Size};

/// What was searched, and where something was found.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    pub(crate) bytes: usize,
    pub(crate) found: Vec<(PathBuf, String)>,
    /// Whether part of an address, which may stand there, was found.
    has_addresses: bool,
}

/// Looks in every file of a server, its write-ahead log and its own log among them, for the sign that every value bears,
/// in every form in which a leak has been seen.
pub(crate) fn look(server: &Server, room: &Room) -> Searched {
    let (sign, address) = (Needles::of([room.sign()]), Needles::of([b"worker-"]));
    let mut searched = Searched::default();
    for path in server.files() {
        let Ok(content) = std::fs::read(&path) else { continue };
        searched.bytes += content.len();
        searched.has_addresses |= !searched.has_addresses && address.find(&content).is_some();
        if let Some(what) = sign.find(&content) {
            searched.found.push((path, what));
        }
    }
    searched
}

/// The same, where each that is found is a fault. What may stand there must be found by the same search.
pub(crate) fn search(server: &Server, room: &Room, faults: &mut Faults) -> usize {
    server.sql("CHECKPOINT;");
    let searched = look(server, room);
    searched.found.iter().for_each(|(path, what)| faults.add(format!("{}: {what}", path.display())));
    if !searched.has_addresses {
        faults.add("the search does not find the addresses that are there".to_owned());
    }
    searched.bytes
}

/// Ends a campaign: a whole one with a search of its server.
///
/// # Panics
/// Where anything was found at all.
pub(crate) fn end(size: Size, campaign: &str, server: &Server, room: &Room, mut faults: Faults) {
    if size == Size::Whole {
        let searched = search(server, room, &mut faults) >> 20;
        println!("{campaign}: {searched} MiB of its server's files searched for values, {} faults", faults.count());
    }
    faults.none(campaign);
}
