//! A search for values in everything that a server keeps.

use secretkit_core::conformance::Needles;
use secretkit_test_postgres::Server;

use super::room::Room;
use crate::campaign::Faults;

/// Looks in every file of a server, its write-ahead log and its own log among them, for the sign that every value bears.
/// Returns how many bytes were searched.
///
/// The same search must find what is there: an address, and a text that was put there behind the store's back.
pub(crate) fn search(server: &Server, room: &Room, faults: &mut Faults) -> usize {
    let planted = b"Planted-4f7c21d9e0";
    server.sql("DROP TABLE IF EXISTS planted; CREATE TABLE planted (bytes bytea);");
    server.sql("INSERT INTO planted VALUES (convert_to('Planted-4f7c21d9e0', 'UTF8')); CHECKPOINT;");
    let (sign, controls) = (Needles::of([room.sign()]), [b"worker-".as_slice(), planted].map(|it| Needles::of([it])));
    let (mut bytes, mut found) = (0, [0, 0]);
    for path in server.files() {
        let Ok(content) = std::fs::read(&path) else { continue };
        bytes += content.len();
        if let Some(what) = sign.find(&content) {
            faults.add(format!("{}: {what}", path.display()));
        }
        for (control, found) in controls.iter().zip(&mut found) {
            *found += usize::from(control.find(&content).is_some());
        }
    }
    if found.contains(&0) {
        faults.add(format!("the search finds nothing that is there: {found:?} files"));
    }
    bytes
}
