//! A primary is lost and its standby promoted, over and over, while clients work.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_postgres::{Commits, PostgresStore};
use secretkit_test_postgres::{Durability, Options, Server};

use super::{Faults, Size, database_for, named};
use crate::fleet::{Fleet, Room, end};
use crate::home::Home;
use crate::script::Random;

/// Takes primaries from under processes that write, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where an acknowledged write is lost, an outcome is told wrong, or a client does not go on within its time-outs.
pub fn failover(program: &Path, size: Size) {
    let Some(mut cluster) = Cluster::start() else { return };
    let (rounds, in_transactions) = if size == Size::Whole { (10, 5) } else { (1, 1) };
    lost(program, &mut cluster, size, Commits::Transaction, in_transactions);
    lost(program, &mut cluster, size, Commits::Function, rounds);
    teeth(program, cluster);
}

fn lost(program: &Path, cluster: &mut Cluster, size: Size, commits: Commits, rounds: usize) {
    let campaign = named("failover", commits);
    let (home, mut faults, mut random) = (Home::new(), Faults::default(), Random::new(7));
    let room = cluster.room(&home, commits);
    let fleet = Fleet::start(program, &room, PROCESSES, THREADS);
    let (mut since, mut slowest) = (Instant::now(), Duration::ZERO);
    for round in 0..rounds {
        fleet.progress(since, &mut faults);
        std::thread::sleep(Duration::from_millis(20 + random.below(400) as u64));
        // The one that is hardest on tokens first, for the short form has no other.
        cluster.lose_primary(LOSSES[round % LOSSES.len()]);
        since = Instant::now();
        slowest = fleet.progress(since, &mut faults).max(slowest);
        cluster.bring_up_another();
        since = Instant::now();
    }
    fleet.progress(since, &mut faults);
    let ledger = fleet.stop(&mut faults);
    let lost = ledger.compare(&room.open("the judge").unwrap(), &room, &mut faults);
    if slowest > LONGEST {
        faults.add(format!("a client went on after {slowest:?}, and its time-outs are {LONGEST:?} together"));
    }
    println!(
        "{campaign}: {rounds} times, {PROCESSES} processes: {}, {} faults; slowest client on after {slowest:.1?}; errors: {}",
        ledger.summary(lost),
        faults.count,
        ledger.failures()
    );
    end(size, &campaign, &cluster.primary, &room, faults);
}

/// Where the primary waits for nobody, the same is a loss.
fn teeth(program: &Path, mut cluster: Cluster) {
    cluster.primary.set("synchronous_standby_names", Some(""));
    let (home, mut noticed) = (Home::new(), Faults::default());
    let room = cluster.room(&home, Commits::Function);
    let fleet = Fleet::start(program, &room, PROCESSES, THREADS);
    fleet.progress(Instant::now(), &mut noticed);
    cluster.part();
    fleet.progress(Instant::now(), &mut noticed);
    cluster.primary.kill();
    cluster.take_over();
    fleet.progress(Instant::now(), &mut noticed);
    let ledger = fleet.stop(&mut noticed);
    let lost = ledger.compare(&room.open("the judge").unwrap(), &room, &mut noticed);
    println!(
        "failover: teeth: where the primary does not wait for its standby, {lost} acknowledged writes of {} were found lost",
        ledger.acknowledged()
    );
    assert!(lost > 0, "a failover that loses what was acknowledged goes unnoticed");
}

const PROCESSES: usize = 2;
const THREADS: usize = 3;

/// What the time-outs of a call allow together: to notice that the primary is silent, to find the other one, and the
/// same once more.
const LONGEST: Duration = Duration::from_secs(2 * (2 + 2) + 2 * 2 * 2 + 5);

/// How a primary is lost.
#[derive(Clone, Copy)]
enum Loss {
    /// It crashes with its machine.
    Killed,
    Stopped,
    /// It says nothing any more, and its connections stand.
    Silent,
    /// The standby has been away for a moment, so that everybody waits.
    Waiting,
    /// The same, and the primary has come back once in between: then what nobody was told stands in its tables.
    CameBack,
}

const LOSSES: [Loss; 5] = [Loss::CameBack, Loss::Killed, Loss::Silent, Loss::Stopped, Loss::Waiting];

/// A primary, and a standby that each commit waits for.
struct Cluster {
    primary: Server,
    standby: Server,
}

impl Cluster {
    fn start() -> Option<Self> {
        // What was committed is safe on two servers; a disk of theirs fails nowhere here.
        let primary = Options::new().durability(Durability::Relaxed).start()?;
        let standby = primary.standby();
        let cluster = Self { primary, standby };
        cluster.wait_for_each_other();
        Some(cluster)
    }

    /// A fresh store, with both servers in its URL.
    fn room(&self, home: &Home, commits: Commits) -> Room {
        let database = database_for(&self.primary, commits);
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", self.primary.port(), self.standby.port());
        let url = database.address().hosts(&hosts).with("target_session_attrs", "read-write");
        let url = url.with("statement_timeout", "2s").with("lock_timeout", "1s").with("connect_timeout", "2");
        // The file of the server goes with it.
        let authority = home.path().join("authority.pem");
        std::fs::copy(self.primary.authority(), &authority).unwrap();
        let url = url.with("sslrootcert", &authority.display().to_string());
        let url = url.with("pool_size", &THREADS.to_string()).to_string();
        drop(PostgresStore::create(&url.parse().unwrap()).unwrap());
        // It goes with its servers.
        std::mem::forget(database);
        Room::make(home.path(), &url)
    }

    fn wait_for_each_other(&self) {
        self.primary.set("synchronous_standby_names", Some("standby"));
        let holds = |question: &str| {
            let end = Instant::now() + crate::fleet::PATIENCE;
            while self.primary.sql(question) != "t" {
                assert!(Instant::now() < end, "the standby does not keep up: {}", self.standby.log());
            }
        };
        holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync';");
        // What was committed before, while nobody waited, is there as well.
        std::thread::sleep(Duration::from_millis(200));
        let now = self.primary.sql("SELECT pg_current_wal_lsn();");
        holds(&format!("SELECT flush_lsn >= '{now}' FROM pg_stat_replication;"));
    }

    fn lose_primary(&mut self, loss: Loss) {
        match loss {
            Loss::Killed => self.primary.kill(),
            Loss::Stopped => self.primary.stop_immediately(),
            Loss::Silent => self.primary.pause(),
            Loss::Waiting => {
                self.part();
                std::thread::sleep(Duration::from_millis(500));
                self.primary.kill();
            }
            Loss::CameBack => {
                self.part();
                std::thread::sleep(Duration::from_millis(500));
                self.primary.stop_immediately();
                self.primary.start_again();
                std::thread::sleep(Duration::from_secs(2));
                self.primary.kill();
            }
        }
        self.take_over();
    }

    fn take_over(&mut self) {
        self.standby.promote();
        self.standby.set("primary_conninfo", None);
    }

    /// Ends the stream from the primary. To halt the standby would not do: what its kernel has taken it reads later.
    fn part(&self) {
        self.standby.set("primary_conninfo", Some(""));
        let streams = "SELECT count(*) FROM pg_stat_replication;";
        while self.primary.sql(streams) != "0" {}
    }

    /// In the place of the one that was lost.
    fn bring_up_another(&mut self) {
        self.primary.kill();
        std::mem::swap(&mut self.primary, &mut self.standby);
        self.standby = self.primary.standby_at(self.standby.port());
        self.wait_for_each_other();
    }
}
