//! One client: a process of its own that works until its standard input ends.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::report::Said;
use super::room::Room;
use super::work::Worker;

/// `client ROOM NUMBER THREADS`.
pub(crate) fn client(arguments: &[String]) -> i32 {
    let [path, number, threads] = arguments else { return 2 };
    let (number, threads): (u64, u64) = (number.parse().unwrap(), threads.parse().unwrap());
    let room = Room::enter(Path::new(path));
    let secrets = match room.open(&format!("client {number}")) {
        Ok(secrets) => secrets,
        Err(error) => {
            Said::Wrong(format!("the store cannot be opened: {error}")).say();
            return 1;
        }
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (room, secrets, stop) = (&room, &secrets, &stop);
            scope.spawn(move || Worker::new(room, secrets, &|said| said.say(), number * 100 + thread).work(stop));
        }
        wait_for_the_end();
        stop.store(true, Ordering::Relaxed);
    });
    0
}

/// Also where whoever started this is gone.
pub(crate) fn wait_for_the_end() {
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}
