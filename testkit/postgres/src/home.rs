//! A server's directory, and the process that keeps it.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::account::Account;

const KEEPER: &str = include_str!("keeper.sh");

/// A fresh directory that the server's account owns, and its keeper (`keeper.sh`), which outlives a test that is killed.
#[derive(Debug)]
pub(crate) struct Home {
    account: Account,
    directory: PathBuf,
    programs: PathBuf,
    keeper: Mutex<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Home {
    /// Makes the directory and starts its keeper; with `disk`, a small disk of that many bytes is at `small` inside.
    pub(crate) fn new(programs: &Path, disk: Option<u64>) -> Self {
        let account = Account::of_servers();
        // Short, for the path of a socket inside it must fit into a hundred bytes.
        let directory =
            tempfile::Builder::new().prefix("secretkit-pg-").tempdir().expect("a temporary directory").keep();
        account.own(&directory);
        for name in ["run", "small", "tls"] {
            let inner = directory.join(name);
            fs::create_dir(&inner)
                .and_then(|()| fs::set_permissions(&inner, Permissions::from_mode(0o700)))
                .expect(name);
            account.own(&inner);
        }
        let brought = account.is_other() && !reachable(programs);
        let used = if brought { directory.join("postgresql/bin") } else { programs.to_owned() };
        let keeper = Mutex::new(Keeper::start(account, &used, &directory, disk));
        if brought {
            // The tree lies where only we may go, as /root often is.
            let whole = programs.parent().expect("programs lie beside their libraries");
            copy(whole, &directory.join("postgresql"), account);
        }
        Self { account, directory, programs: used, keeper }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// Writes a file that only the server's account and we can read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o600)))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        self.account.own(&path);
    }

    /// Has the keeper do something, and waits for its answer, a number.
    pub(crate) fn order(&self, order: &str) -> i32 {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = String::new();
        let orders = keeper.orders.as_mut().expect("open until the end");
        let done = writeln!(orders, "{order}").and_then(|()| keeper.answers.read_line(&mut answer));
        done.ok().and_then(|_| answer.trim().parse().ok()).unwrap_or_else(|| {
            panic!("the keeper of {} does not answer `{order}`: {}", self.directory.display(), self.log())
        })
    }

    /// What the server and its programs have said so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("log")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its orders has the keeper clean up.
        drop(keeper.orders.take());
        let _ = keeper.process.wait();
        // Where the temporary directory is ours alone, the server's account can empty its directory but not remove it.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Keeper {
    fn start(account: Account, programs: &Path, directory: &Path, disk: Option<u64>) -> Self {
        let mut command = if disk.is_some() { alone(account) } else { plain(account, "sh") };
        command.args(["-c", KEEPER, "keeper"]).arg(programs).arg(directory);
        command.arg(disk.map(|bytes| bytes.to_string()).unwrap_or_default());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("`sh` can be run");
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, orders, answers }
    }
}

/// Whether a process can have a disk that nobody else sees, as any user where the system allows user namespaces.
pub(crate) fn small_disks() -> bool {
    alone(Account::of_servers())
        .args(["-c", "mount -t tmpfs none /mnt"])
        .output()
        .is_ok_and(|done| done.status.success())
}

/// A shell with mounts of its own.
fn alone(account: Account) -> Command {
    let mut command = plain(account, "unshare");
    command.args(["--user", "--map-current-user", "--keep-caps", "--mount", "sh"]);
    command
}

/// A program with nothing of our environment, and out of reach of what a terminal or a runner sends to our process group.
fn plain(account: Account, program: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", format!("{path}:/usr/bin:/bin:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    command.current_dir("/").process_group(0);
    account.run(&mut command);
    command
}

/// Whether every user can run what is in a directory.
fn reachable(programs: &Path) -> bool {
    let allows = |path: &Path, bits| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == bits);
    programs.ancestors().all(|directory| allows(directory, 0o001)) && allows(&programs.join("postgres"), 0o005)
}

fn copy(from: &Path, to: &Path, account: Account) {
    if from.is_dir() {
        fs::create_dir(to).expect("a directory can be made");
        account.own(to);
        for entry in fs::read_dir(from).expect("a directory can be read").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()), account);
        }
    } else {
        fs::copy(from, to).unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
        account.own(to);
    }
}
