//! A way to a server that takes time, as one through a network does.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// A port of 127.0.0.1 that leads to another, and where everything arrives so much later than it was sent. What was sent
/// together arrives together: it takes longer, and it is no narrower.
///
/// It takes connections until the process ends.
pub(crate) fn to(target: u16, one_way: Duration) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Whoever is not led on sees the end of the connection.
            let _ = lead(client, target, one_way);
        }
    });
    Ok(port)
}

fn lead(client: TcpStream, target: u16, one_way: Duration) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let (sent, arriving) = channel();
        thread::spawn(move || take(from, &sent, one_way));
        thread::spawn(move || {
            let _ = deliver(&to, &arriving);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

/// What is on its way, and when it arrives.
type Sent = (Instant, Vec<u8>);

fn take(mut from: TcpStream, sent: &Sender<Sent>, one_way: Duration) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if sent.send((Instant::now() + one_way, bytes[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn deliver(mut to: &TcpStream, arriving: &Receiver<Sent>) -> io::Result<()> {
    for (due, bytes) in arriving {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        to.write_all(&bytes)?;
    }
    Ok(())
}
