//! What a store consists of on its server: tables and functions, or tables alone where the server cannot do with functions
//! what a commit needs.

use std::fmt;
use std::sync::LazyLock;

use crate::migrations::{Applied, MIGRATIONS, Migration, checksum};

/// How commits are made on a store. Settled when it is made, by what its server can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Commits {
    /// By one call of a function on the server, which holds what it judges by locks.
    Function,
    /// By SERIALIZABLE transactions of single statements, on a server that has no PL/pgSQL, or does not hold its locks or
    /// show who does. Nobody is told of them, and there are no roles.
    Transaction,
}

impl Commits {
    /// `function` or `transaction`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Transaction => "transaction",
        }
    }
}

impl fmt::Display for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a store consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    Functions,
    /// The same tables, without what is PostgreSQL's own.
    Tables,
    /// The same, where texts are compared byte by byte unless something else is said, and nothing else can be.
    PlainTables,
}

impl Layout {
    /// The one of a store in which this is applied.
    pub(crate) fn of(applied: &Applied) -> Self {
        let first = applied.first().map(|(_, checksum)| checksum.as_str());
        let is_made_by =
            |migrations: &[Migration]| migrations.first().map(|one| checksum(one.text)).as_deref() == first;
        [Self::Tables, Self::PlainTables]
            .into_iter()
            .find(|layout| is_made_by(layout.migrations(MIGRATIONS)))
            .unwrap_or(Self::Functions)
    }

    /// The numbered files of this layout, where these are those with functions.
    pub(crate) fn migrations(self, functions: &[Migration]) -> &[Migration] {
        match self {
            Self::Functions => functions,
            Self::Tables => TABLES.as_slice(),
            Self::PlainTables => PLAIN_TABLES.as_slice(),
        }
    }

    pub(crate) const fn commits(self) -> Commits {
        match self {
            Self::Functions => Commits::Function,
            Self::Tables | Self::PlainTables => Commits::Transaction,
        }
    }
}

static TABLES: LazyLock<[Migration; 1]> = LazyLock::new(|| [Migration { name: "tables", text: &TABLES_TEXT }]);
static PLAIN_TABLES: LazyLock<[Migration; 1]> =
    LazyLock::new(|| [Migration { name: "tables", text: &PLAIN_TABLES_TEXT }]);
static TABLES_TEXT: LazyLock<String> = LazyLock::new(|| portable(MIGRATIONS.first().map_or("", |tables| tables.text)));
static PLAIN_TABLES_TEXT: LazyLock<String> = LazyLock::new(|| TABLES_TEXT.replace(" COLLATE \"C\"", ""));

/// These tables without what only says how PostgreSQL is to store them.
fn portable(tables: &str) -> String {
    let mut text = String::with_capacity(tables.len());
    for line in tables.lines().filter(|line| !line.starts_with("--") && !line.contains(" SET STORAGE ")) {
        let kept = line.find(" WITH (fillfactor").and_then(|place| line.get(..place));
        text.push_str(kept.unwrap_or(line));
        text.push_str(if kept.is_some() { ";\n" } else { "\n" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_every_other_store() {
        let tables = MIGRATIONS[0].text;
        let sql: Vec<_> = tables.lines().filter(|line| !line.starts_with("--")).collect();
        let count = |text: &str, words: &str| text.matches(words).count();
        for layout in [Layout::Tables, Layout::PlainTables] {
            let [Migration { text, .. }] = layout.migrations(MIGRATIONS) else { panic!("it is one file") };
            for words in ["CREATE TABLE", "CREATE INDEX", "KEY", " NOT NULL", " text", " bytea", " bigint", "UNIQUE"] {
                assert_eq!(count(text, words), count(&sql.join("\n"), words), "{words}: {text}");
            }
            assert!(!text.contains("fillfactor") && !text.contains("STORAGE"), "{text}");
            let collations = if layout == Layout::Tables { count(tables, "COLLATE") } else { 0 };
            assert_eq!(count(text, "COLLATE"), collations);
            assert_eq!(Layout::of(&vec![(1, checksum(text))]), layout);
        }
        assert_eq!(Layout::of(&vec![(1, checksum(tables))]), Layout::Functions);
        assert_eq!(Layout::of(&Vec::new()), Layout::Functions);
    }

    /// What is applied on servers never changes.
    #[test]
    fn the_tables_of_stores_that_were_made_stay_what_they_are() {
        let sums = [Layout::Tables, Layout::PlainTables].map(|layout| checksum(layout.migrations(MIGRATIONS)[0].text));
        assert_eq!(
            sums,
            [
                "aa081ee9a8e17193a92c6e84804552b84de470a6f6f3b0417d2c27bbcd558c20",
                "398107505363d25ab740c663517ede1cfa4c0384872ac73cf8e7ebfd428fcc37"
            ]
        );
    }
}
