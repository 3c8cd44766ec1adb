//! Where a server listens.

use std::net::{Ipv4Addr, TcpListener};

/// A port that nobody listens on, below those that systems give to clients: a client that connects again and again to a
/// stopped server could otherwise be given the server's port, and be connected to itself.
pub(crate) fn free_port() -> u16 {
    for _ in 0..1000 {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).expect("the system gives random bytes");
        let port = 15_000 + u16::from_le_bytes(bytes) % 17_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of 127.0.0.1 is free");
}
