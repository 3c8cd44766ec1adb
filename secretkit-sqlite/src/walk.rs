//! Looking up many ids at once: where their rows stand side by side, one statement walks over all of them.

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};
use secretkit_core::{Error, Result, StableId};

use crate::error::Named;
use crate::place::Place;

/// Ids in their order, each with its place in the question.
pub(crate) struct Wanted(Vec<(StableId, usize)>);

impl Wanted {
    pub(crate) fn of(ids: impl Iterator<Item = StableId>) -> Self {
        let mut wanted: Vec<_> = ids.zip(0..).collect();
        wanted.sort_unstable();
        Self(wanted)
    }

    /// Gives every row of a wanted id to `each`, with the id and its place in the question.
    ///
    /// The statement has the id in this column. It gives rows in the order of their ids, from the one that is its only
    /// parameter; it is read on while its rows are wanted, and begun anew where others lie in between: what is asked for
    /// may be all that is there, or a few of a million.
    ///
    /// # Errors
    /// Those of `each`; [`Error::Corrupt`] where the rows are not in that order.
    pub(crate) fn find(
        &self,
        (statement, column): (&mut Statement<'_>, usize),
        place: &Place,
        mut each: impl FnMut(StableId, usize, &Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut left = &self.0[..];
        while let [(from, _), ..] = left {
            statement.raw_bind_parameter(1, from.as_bytes()).at(place)?;
            let mut rows = statement.raw_query();
            loop {
                let Some(row) = rows.next().at(place)? else { return Ok(()) };
                let ValueRef::Blob(id) = row.get_ref(column).at(place)? else { return Err(disordered(place)) };
                let absent = left.iter().take_while(|(wanted, _)| &wanted.as_bytes()[..] < id).count();
                left = &left[absent..];
                let asked = left.iter().take_while(|(wanted, _)| wanted.as_bytes() == id).count();
                left[..asked].iter().try_for_each(|(id, place)| each(*id, *place, row))?;
                match (absent, asked) {
                    // It stands before the one that was looked for. Who goes on here may go round in a circle.
                    (0, 0) => return Err(disordered(place)),
                    (_, 0) => break,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn disordered(place: &Place) -> Error {
    Error::Corrupt { what: format!("the file {place}") }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const STATEMENT: &str = "SELECT word, id FROM words WHERE id >= ?1 ORDER BY id";

    #[test]
    fn finds_each_row_of_each_wanted_id_wherever_it_stands() {
        let ids = [1, 2, 2, 3, 5, 8, 9];
        let questions: [&[u8]; 7] =
            [&[], &[2], &[9, 2, 2], &[4], &[0, 6, 7], &[200, 8, 1, 5, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]];
        for wanted in questions {
            let expected: Vec<_> = (0..)
                .zip(wanted)
                .flat_map(|(place, id)| ids.iter().filter(move |other| *other == id).map(move |id| (place, *id)))
                .collect();
            assert_eq!(found(&words(&ids), STATEMENT, wanted).unwrap(), expected, "{wanted:?}");
        }
    }

    #[test]
    fn passes_over_ids_of_another_length() {
        let connection = words(&[2, 4]);
        connection.execute("INSERT INTO words VALUES (x'02', 99), (zeroblob(17), 99), (x'ff', 99)", ()).unwrap();
        assert_eq!(found(&connection, STATEMENT, &[0, 2, 3, 4, 250]).unwrap(), [(1, 2), (3, 4)]);
    }

    #[test]
    fn refuses_rows_that_are_not_in_their_order() {
        let backwards = "SELECT word, id FROM words WHERE ?1 IS NOT NULL ORDER BY id DESC";
        let no_ids = "SELECT word, word FROM words WHERE ?1 IS NOT NULL";
        for statement in [backwards, no_ids] {
            let outcome = found(&words(&[1, 5, 7]), statement, &[5, 6, 7]);
            assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{statement}: {outcome:?}");
        }
    }

    fn words(ids: &[u8]) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE words (id BLOB NOT NULL, word INTEGER NOT NULL)").unwrap();
        for number in ids {
            connection.execute("INSERT INTO words VALUES (?1, ?2)", (id(*number).as_bytes(), number)).unwrap();
        }
        connection
    }

    /// The place of each that was found in the question, and what stands in its row.
    fn found(connection: &Connection, statement: &str, wanted: &[u8]) -> Result<Vec<(usize, u8)>> {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        let mut found = Vec::new();
        let mut statement = connection.prepare(statement).at(&place)?;
        Wanted::of(wanted.iter().copied().map(id)).find((&mut statement, 1), &place, |id_found, at, row| {
            assert_eq!(id_found, id(wanted[at]));
            found.push((at, row.get(0).at(&place)?));
            Ok(())
        })?;
        found.sort_unstable();
        Ok(found)
    }

    fn id(number: u8) -> StableId {
        StableId::from_bytes([number; 16])
    }
}
