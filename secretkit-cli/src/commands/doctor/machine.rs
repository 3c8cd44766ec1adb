//! What the machine adds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use secretkit::SqliteStore;
use secretkit::deliver::DeliveryOptions;

use super::Check;
use super::store::{State, beginning_with, file_system};
use crate::dumps;

pub(super) fn check(checks: &mut Vec<Check>) {
    checks.push(swap());
    checks.push(core_dumps());
    checks.extend(secret_files());
    checks.push(left_by_tasks());
}

/// A server tells its own.
pub(super) fn versions(store: &State) -> Check {
    let ours = concat!("secretkit ", env!("CARGO_PKG_VERSION"));
    let versions = match store.path {
        Some(_) => {
            format!("{ours}, SQLite {}, schema {}", SqliteStore::sqlite_version(), SqliteStore::schema_version())
        }
        None => ours.to_owned(),
    };
    Check::secure("versions", versions)
}

fn swap() -> Check {
    const CHECK: &str = "swap";
    match fs::read_to_string("/proc/swaps") {
        Err(_) => Check::secure(CHECK, "this system does not tell; macOS encrypts it"),
        Ok(text) => {
            let devices: Vec<_> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
            let on_disk: Vec<_> = devices.iter().filter(|device| !device.contains("zram")).copied().collect();
            match (devices.is_empty(), on_disk.is_empty()) {
                (true, _) => Check::secure(CHECK, "none in use"),
                (false, true) => Check::secure(CHECK, "in memory only (zram)"),
                (false, false) => Check::weak(
                    CHECK,
                    format!("in use on {}: opened values and keys may reach the disk", on_disk.join(", ")),
                    "encrypt it, or let applications call harden_process, which locks their memory",
                ),
            }
        }
    }
}

fn core_dumps() -> Check {
    const CHECK: &str = "core dumps";
    let allowed = getrlimit(Resource::Core).current != Some(0);
    // What is piped to a program is not held by the limit.
    let piped = fs::read_to_string("/proc/sys/kernel/core_pattern").is_ok_and(|pattern| pattern.starts_with('|'));
    let own = if dumps::is_kept_out() {
        "this command keeps its own memory out of them"
    } else {
        "the memory of this command is in them, too"
    };
    let finding = match (allowed, piped) {
        (false, false) => return Check::secure(CHECK, "switched off by the limit"),
        (_, true) => format!("handed to a program of the system, whatever the limit; {own}"),
        (true, false) => format!("allowed by the limit; {own}"),
    };
    Check::weak(CHECK, finding, "let applications call harden_process; ulimit -c 0 helps where nothing takes them over")
}

/// Where the files of tasks go.
fn bases() -> Vec<PathBuf> {
    DeliveryOptions::default().mount_bases
}

fn secret_files() -> Option<Check> {
    let base = bases().into_iter().find(|base| base.is_dir())?;
    let place = base.display();
    Some(match file_system(&base) {
        Some("tmpfs" | "ramfs") => Check::secure("secret files", format!("in memory, in {place}")),
        _ => Check::weak(
            "secret files",
            format!("those of tasks go to {place}, which may be a disk"),
            "set XDG_RUNTIME_DIR to a directory in memory",
        ),
    })
}

/// Directories of tasks that were killed: their files hold values. A living one holds a lock.
fn left_by_tasks() -> Check {
    const CHECK: &str = "tasks";
    let user = rustix::process::geteuid().as_raw();
    let of_task = |base: PathBuf| beginning_with(&base.join(format!("secretkit-{user}")), &["task-"]);
    let left: Vec<_> = bases().into_iter().flat_map(of_task).filter(|path| is_left(path)).collect();
    match left.first() {
        None => Check::secure(CHECK, "none that began more than a minute ago has left files behind"),
        Some(first) => Check::weak(
            CHECK,
            format!("{} that were killed have left files with values, such as {}", left.len(), first.display()),
            "remove them; the next task with files does it too",
        ),
    }
}

fn is_left(directory: &Path) -> bool {
    // One that has just begun may not hold its lock yet, and must not find it taken.
    let age = directory.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > Duration::from_secs(60))
        && File::open(directory.join("lock")).map_or(true, |lock| lock.try_lock_shared().is_ok())
}
