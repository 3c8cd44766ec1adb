//! Manual pages, from the definition of the command line itself.

use std::io::{Error, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// Every page with its file's name. The same version gives the same bytes: nothing of the day or the machine is in
/// them.
///
/// # Errors
/// None that memory could give.
pub(crate) fn pages(command: Command) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    writeln!(page, r#".TH "{name}" 1 "" "secretkit {}" "secretkit manual""#, env!("CARGO_PKG_VERSION"))?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    notes(command).to_writer(&mut page)?;
    pages.push((format!("{name}.1"), page));
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.try_for_each(|command| add(command, pages))
}

/// As the help has it: every option by its name would be longer than what the page says of them.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    as_it_stands(&mut roff, usage.trim_start_matches("Usage:").lines().map(str::trim));
    roff
}

/// What stands behind the options in the help; most of it are examples.
fn notes(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (notes, examples) = text.split_once("Examples:\n").unwrap_or((&text, ""));
    for (heading, text) in [("NOTES", notes.trim()), ("EXAMPLES", examples)] {
        if !text.is_empty() {
            roff.control("SH", [heading]);
            as_it_stands(&mut roff, text.lines());
        }
    }
    roff
}

/// Line by line.
fn as_it_stands<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
