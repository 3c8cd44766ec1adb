//! What secretkit costs, as one table of ratios. Each baseline is taken in the same run and in turn with ours, because
//! a machine is rarely quiet; so a ratio says something where a time would not.
//!
//! `secretkit-benches [--peers FOLDER] [--command PATH] [--python PATH] [WORD]…` runs the rows whose name
//! holds one of the words, or all. It fails where something does not work, and never because something is slow.

mod bare;
mod bare_postgres;
mod distance;
mod fill;
mod measure;
mod plan;
mod rows;
mod server;
mod stores;
mod syncs;
mod table;
mod worker;

use std::error::Error;

use plan::Plan;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [rows::RESIDENT_PROBE, store] => println!("{}", rows::resident_after_opening(store.as_ref())?),
        [rows::PEAK_PROBE, store, key, pages] => {
            println!("{}", rows::peak_while_listing(store.as_ref(), key.as_ref(), pages.parse()?)?);
        }
        _ => measure(arguments)?,
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn measure(arguments: Vec<String>) -> Result<()> {
    let plan = Plan::parse(arguments)?;
    let mut table = Table::new();
    rows::run(&plan, &mut table)?;
    println!("\n{table}");
    Ok(())
}
