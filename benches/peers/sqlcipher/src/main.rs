//! SQLCipher with a raw key: opens the file and reads one of 10,000 values, each time anew.

#[path = "../../serve.rs"]
mod serve;

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};
use serve::{Result, serve};

const COUNT: u32 = 10_000;
const STEP: u32 = 7_919;
const KEY: &str = "PRAGMA key = \"x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\"";

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sqlcipher.db");
    fill(&path)?;
    let mut number = 0;
    serve("open-and-get", |times| {
        let start = Instant::now();
        for _ in 0..times {
            number = (number + STEP) % COUNT;
            std::hint::black_box(open_and_get(&path, number)?);
        }
        Ok(start.elapsed())
    })
}

fn open_and_get(path: &Path, number: u32) -> Result<Vec<u8>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(KEY)?;
    let mut select = connection.prepare("SELECT value FROM secrets WHERE name = ?1")?;
    Ok(select.query_row([name(number)], |row| row.get(0))?)
}

fn fill(path: &Path) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(KEY)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    )?;
    let filling = connection.transaction()?;
    for number in 0..COUNT {
        filling.execute("INSERT INTO secrets VALUES (?1, ?2)", (name(number), [7_u8; 32]))?;
    }
    Ok(filling.commit()?)
}

fn name(number: u32) -> String {
    format!("acme/etl/production/db/key{number:07}")
}
