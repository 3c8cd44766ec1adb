//! What to run, and with which programs.

use std::path::PathBuf;

use crate::Result;

/// What the command line asked for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Only rows whose name holds one of these; all where there are none.
    words: Vec<String>,
    /// The peers' folder, where they are to be raced.
    pub(crate) peers: Option<PathBuf>,
    /// The command `secretkit`, built for release.
    pub(crate) command: Option<PathBuf>,
    /// A Python that has the release wheel.
    pub(crate) python: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn parse(arguments: Vec<String>) -> Result<Self> {
        let mut plan = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut path = || Some(PathBuf::from(arguments.next()?));
            match argument.as_str() {
                "--peers" => plan.peers = path(),
                "--command" => plan.command = path(),
                "--python" => plan.python = path(),
                option if option.starts_with('-') => return Err(format!("no such option: {option}").into()),
                _ => plan.words.push(argument),
            }
        }
        Ok(plan)
    }

    pub(crate) fn wants(&self, operation: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| operation.contains(word.as_str()))
    }
}
