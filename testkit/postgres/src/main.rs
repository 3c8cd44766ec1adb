//! A server by itself, for people and for tests in other languages. It lives until its standard input ends.
//!
//! The first two lines of output are the URL of a fresh database's owner and that of its superuser. After that every line of
//! input does something and answers with a line: `database` (answers with the same two URLs in two lines), `stop`,
//! `start`, `kill`, `pause`, `resume`.

#![forbid(unsafe_code)]

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use secretkit_test_postgres::{Database, Durability, Options};

fn main() -> io::Result<ExitCode> {
    let mut databases = Vec::new();
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return Ok(ExitCode::from(3)) };
    present(&mut databases, server.database())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.trim() {
            "database" => {
                present(&mut databases, server.database())?;
                continue;
            }
            "stop" => server.stop_immediately(),
            "start" => server.start_again(),
            "kill" => server.kill(),
            "pause" => server.pause(),
            "resume" => server.resume(),
            other => writeln!(io::stderr(), "`{other}` is not known")?,
        }
        writeln!(io::stdout(), "{line}")?;
    }
    // The server goes with all its databases; to drop each before would only take time.
    databases.into_iter().for_each(std::mem::forget);
    Ok(ExitCode::SUCCESS)
}

fn present(databases: &mut Vec<Database>, database: Database) -> io::Result<()> {
    writeln!(io::stdout(), "{}\n{}", database.url(), database.superuser())?;
    databases.push(database);
    io::stdout().flush()
}
