//! A PostgreSQL server says nothing, has no room, refuses, or cannot prove who it is; and the way to it breaks at any byte.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secretkit_core::ErrorKind;
use secretkit_postgres::{Commits, PostgresStore};
use secretkit_test_postgres::{Database, Durability, Options, Proxy, Server, Shown, skip};

use super::{Faults, Size, database_for, named};
use crate::fleet::{Fleet, Ledger, Room, Worker, search};
use crate::home::Home;

/// Lets servers stall while processes write, cuts connections, and prints how often. `program` is the one that this
/// crate builds.
///
/// # Panics
/// Where a call fails with another kind of error than it should, or too late, a client needs a restart, or an
/// acknowledged write is lost.
pub fn stalls(program: &Path, size: Size) {
    let quick = || Options::new().durability(Durability::Relaxed);
    let small = quick().small_disk(48 << 20).start();
    let has_small_disk = small.is_some();
    let Some(server) = small.or_else(|| quick().start()) else { return };
    let mut faults = Faults::default();
    for trouble in TROUBLES {
        if trouble.what == "full" && !has_small_disk {
            skip("the server's disk cannot be filled");
            continue;
        }
        endure(program, &server, trouble, size, &mut faults);
    }
    for commits in [Commits::Function, Commits::Transaction] {
        cuts(&server, size, commits, &mut faults);
    }
    faults.none("stalls");
}

/// What happens to a server, and what calls may fail with meanwhile. The first of these they must meet.
struct Trouble {
    what: &'static str,
    begin: fn(&Server, &Database, &Room),
    end: fn(&Server, &Database, &Room),
    kinds: &'static [ErrorKind],
}

/// Whoever has to wait for a connection, or finds it broken.
const ALSO: [ErrorKind; 2] = [ErrorKind::Unavailable, ErrorKind::Busy];

const TROUBLES: &[Trouble] = &[
    Trouble { what: "halted", begin: |server, _, _| server.pause(), end: |server, _, _| server.resume(), kinds: &ALSO },
    Trouble {
        what: "full",
        begin: |server, _, _| server.fill_disk(),
        end: |server, _, _| server.free_disk(),
        kinds: &[ErrorKind::Full],
    },
    Trouble {
        what: "password changed",
        begin: |server, database, _| change_password(server, database, "another"),
        end: |_, database, room| write_password(database, room, "another"),
        kinds: &[ErrorKind::Denied, ALSO[0], ALSO[1]],
    },
    Trouble {
        what: "certificate of another authority",
        begin: |server, _, _| show(server, Shown::OfAnotherAuthority),
        end: |server, _, _| server.show(Shown::Right),
        kinds: &[ErrorKind::UnsafeStore, ALSO[0], ALSO[1]],
    },
    Trouble {
        what: "certificate of another host",
        begin: |server, _, _| show(server, Shown::OfAnotherHost),
        end: |server, _, _| server.show(Shown::Right),
        kinds: &[ErrorKind::UnsafeStore, ALSO[0], ALSO[1]],
    },
    Trouble {
        what: "certificate expired",
        begin: |server, _, _| show(server, Shown::Expired),
        end: |server, _, _| server.show(Shown::Right),
        kinds: &[ErrorKind::UnsafeStore, ALSO[0], ALSO[1]],
    },
];

fn change_password(server: &Server, database: &Database, password: &str) {
    server.sql(&format!("ALTER ROLE {} PASSWORD '{password}';", database.name()));
    server.terminate_backends();
}

/// Into the file that clients are told of, which is read anew for each connection.
fn write_password(database: &Database, room: &Room, password: &str) {
    let path = room.path().join("passwords");
    let next = room.path().join("passwords.new");
    std::fs::write(&next, format!("127.0.0.1:*:*:{}:{password}\n", database.name())).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn show(server: &Server, shown: Shown) {
    server.show(shown);
    // A certificate is shown once, to those who connect.
    server.terminate_backends();
}

const PROCESSES: usize = 2;
const THREADS: usize = 2;

/// What no call takes longer than: the time-outs below of a read, of a commit and of a second attempt at each, and the
/// processor is not theirs alone.
const LONGEST: Duration = Duration::from_secs(30);

fn room(server: &Server, port: u16, commits: Commits) -> (Database, Home, Room) {
    let (database, home) = (database_for(server, commits), Home::new());
    let url = database.address().port(port).with("statement_timeout", "1s").with("lock_timeout", "500ms");
    let url = url.with("connect_timeout", "2").with("pool_timeout", "1s").with("pool_size", &THREADS.to_string());
    let passwords = home.path().join("passwords").display().to_string();
    let password = url.password_text().to_owned();
    let url = url.password("").with("passfile", &passwords);
    let room = Room::make(home.path(), &url.to_string());
    write_password(&database, &room, &password);
    drop(PostgresStore::create(&url.to_string().parse().unwrap()).unwrap());
    (database, home, room)
}

/// Lets clients work before, during and after a trouble.
fn endure(program: &Path, server: &Server, trouble: &Trouble, size: Size, faults: &mut Faults) {
    let lasts = match (size, trouble.what) {
        (Size::Whole, "halted") => Duration::from_secs(30),
        (Size::Whole, _) => Duration::from_secs(10),
        // Longer than the first attempt of a call waits, and the second.
        (Size::Short, "halted") => Duration::from_secs(9),
        (Size::Short, _) => Duration::from_millis(500),
    };
    let (database, _home, room) = room(server, server.port(), Commits::Function);
    let fleet = Fleet::start(program, &room, PROCESSES, THREADS);
    fleet.progress(Instant::now(), faults);
    (trouble.begin)(server, &database, &room);
    std::thread::sleep(lasts);
    (trouble.end)(server, &database, &room);
    let back = fleet.progress(Instant::now(), faults);
    let ledger = fleet.stop(faults);
    let found = faults.count;
    let lost = ledger.compare(&room.open("the judge").unwrap(), &room, faults);
    ledger.failed_with(trouble.kinds, faults);
    if ledger.slowest() > LONGEST || back > LONGEST {
        faults.add(format!("{}: a call took {:?}, the clients went on after {back:?}", trouble.what, ledger.slowest()));
    }
    println!(
        "stalls: {} for {lasts:.1?}: {}, {} faults; slowest call {:.1?}, clients on after {back:.1?}; errors: {}",
        trouble.what,
        ledger.summary(lost),
        faults.count - found,
        ledger.slowest(),
        ledger.failures()
    );
    if size == Size::Whole {
        search(server, &room, faults);
    }
}

/// Cuts the conversation of one write, from the first byte of its connection, after more and more bytes: once so that
/// the next connection stands, and once so that it does not.
fn cuts(server: &Server, size: Size, commits: Commits, faults: &mut Faults) {
    let step = if size == Size::Whole { 7 } else { 331 };
    let proxy = Proxy::to(server.port());
    let (_database, _home, room) = room(server, proxy.port(), commits);
    let (found, noted) = (faults.count, Mutex::new(Ledger::default()));
    let note = |said| noted.lock().unwrap_or_else(PoisonError::into_inner).note(said);
    let secrets = room.open_with("the one that is cut", &[("pool_size", "1")]).unwrap();
    let mut worker = Worker::new(&room, &secrets, &note, 0);
    let (mut cuts, mut whole) = (0, 0);
    for refusals in [0, 1] {
        let mut bytes = 1;
        // Conversations differ in their length; where several in a row were over before, there is no more to cut.
        let mut over = 0;
        while over < 10 {
            proxy.cut();
            proxy.cut_after(bytes, refusals);
            worker.write();
            if proxy.has_cut() {
                (cuts, over) = (cuts + 1, 0);
            } else {
                (whole, over) = (whole + 1, over + 1);
            }
            bytes += step;
        }
        // What is left over cuts nothing more.
        proxy.cut_after(u64::MAX, 0);
    }
    drop(worker);
    let ledger = noted.into_inner().unwrap_or_else(PoisonError::into_inner);
    let lost = ledger.compare(&secrets, &room, faults);
    ledger.failed_with(&[ErrorKind::Unavailable], faults);
    if ledger.slowest() > LONGEST {
        faults.add(format!("a call whose connection was cut took {:?}", ledger.slowest()));
    }
    println!(
        "{}: {cuts} connections cut, {whole} conversations over before: {}, {} faults; slowest call {:.1?}; errors: {}",
        named("stalls", commits),
        ledger.summary(lost),
        faults.count - found,
        ledger.slowest(),
        ledger.failures()
    );
}
