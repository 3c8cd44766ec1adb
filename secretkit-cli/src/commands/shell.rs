//! `secretkit completions` and `secretkit man`.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::CommandFactory;
use secretkit::Error;

use crate::arguments::{Arguments, Shell};
use crate::console::{self, Console};
use crate::failure::Stop;
use crate::{completion, manual};

pub(super) fn run(command: &Shell, console: &Console) -> Result<(), Stop> {
    match command {
        Shell::Completions(arguments) => completions(&arguments.shell),
        Shell::Man(arguments) => man(Path::new(&arguments.directory), console),
        Shell::Complete => {
            completion::answer();
            Ok(())
        }
    }
}

fn completions(shell: &OsString) -> Result<(), Stop> {
    let script = match shell.as_bytes() {
        b"bash" => include_str!("../completion/secretkit.bash"),
        b"zsh" => include_str!("../completion/secretkit.zsh"),
        b"fish" => include_str!("../completion/secretkit.fish"),
        _ => return Err(Stop::usage("there are no completions for that shell; it is bash, zsh or fish", None)),
    };
    console::standard_output()?.write_all(script.as_bytes()).map_err(Stop::output)
}

fn man(directory: &Path, console: &Console) -> Result<(), Stop> {
    std::fs::create_dir_all(directory).map_err(|error| Error::file(directory, error))?;
    let pages = manual::pages(Arguments::command()).map_err(Stop::output)?;
    for (name, page) in &pages {
        let path = directory.join(name);
        std::fs::write(&path, page).map_err(|error| Error::file(&path, error))?;
    }
    console.notice(&format!("wrote {} manual pages into {}", pages.len(), directory.display()));
    Ok(())
}
