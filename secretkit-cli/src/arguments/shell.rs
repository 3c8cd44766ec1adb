//! What a person's shell and manual need: commands that open no store, but for the names that are offered.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Shell {
    /// Print the completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Write the manual pages into a directory
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
    /// What fits at the end of the command line on standard input; for the scripts that `completions` prints
    #[command(hide = true)]
    Complete,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    pub(crate) shell: OsString,
}

#[derive(Args)]
pub(crate) struct Man {
    /// Where to write them; it is made where there is none
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: OsString,
}

const COMPLETIONS_EXAMPLES: &str = "\
Completes commands, options, files and the names of secrets. Asks for nothing
and makes nothing.

Examples:
  source <(secretkit completions bash)      in ~/.bashrc
  source <(secretkit completions zsh)       in ~/.zshrc, after compinit
  secretkit completions fish | source       in ~/.config/fish/config.fish";

const MAN_EXAMPLES: &str = "\
Writes secretkit.1 and one page for each command, such as secretkit-create.1.

Examples:
  secretkit man ~/.local/share/man/man1     then: man secretkit
  secretkit man \"$DESTDIR/usr/share/man/man1\"";
