//! A Python task that `run --task` names: found and described here, run by the Python package.

use std::ffi::OsString;
use std::path::PathBuf;

use secretkit::{ErrorKind, Settings};

use crate::RUN_FAILED;
use crate::console::Console;
use crate::failure::Failure;

/// What `secretkit run --task FILE:FUNCTION` asks for. The console script of the Python package runs it.
pub struct PythonTask {
    /// The file that holds the task.
    pub file: PathBuf,
    /// The name of the task in it.
    pub function: String,
    /// What stands behind `--`, for the task's parameters.
    pub arguments: Vec<OsString>,
    /// Which store, key, scope and actor, as the options and variables say.
    pub settings: Settings,
    pub(crate) console: Console,
}

impl PythonTask {
    /// Says on standard error why the task cannot be run, in the form that was asked for, and returns the exit code.
    #[must_use]
    pub fn fail(&self, kind: ErrorKind, message: &str, hint: Option<&str>) -> u8 {
        self.console.failure(&Failure { kind, message: message.to_owned(), hint: hint.map(str::to_owned) });
        RUN_FAILED
    }

    /// The same of a command without Python.
    pub(crate) fn unsupported(&self) -> u8 {
        let message = "unsupported: this secretkit has no Python to run a task with";
        self.fail(ErrorKind::Unsupported, message, Some("run the `secretkit` command of the Python package"))
    }
}

/// By its names: the arguments may be anything.
impl std::fmt::Debug for PythonTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonTask").field("file", &self.file).field("function", &self.function).finish_non_exhaustive()
    }
}
