//! A wire between client and server that can be cut at the worst moment.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A port of 127.0.0.1 that leads to another, byte for byte, so that TLS goes through it: see [`Address::port`].
///
/// [`Address::port`]: crate::Address::port
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    wire: Arc<Wire>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Flows,
    Stalls,
    /// What is connected flows, and nobody new is.
    Full,
    Refused,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

#[derive(Debug)]
struct Wire {
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    traffic: Traffic,
    /// What is lost when it next comes, and its connection with it.
    lost: Option<Direction>,
    /// How many requests from now the one is that is held back.
    held: Option<u64>,
    /// How many of its bytes are not.
    begun: usize,
    /// How many bytes more go through, in both directions together, before a connection is cut.
    left: Option<u64>,
    /// How many new connections are refused after that.
    refusals: u64,
    open: Vec<TcpStream>,
    round_trips: u64,
}

impl Proxy {
    /// Leads to a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = State {
            traffic: Traffic::Flows,
            lost: None,
            held: None,
            begun: 0,
            left: None,
            refusals: 0,
            open: Vec::new(),
            round_trips: 0,
        };
        let wire = Arc::new(Wire { target, state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&wire);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut state = accepting.state();
                let traffic = state.traffic;
                if state.left == Some(0) && state.refusals > 0 && traffic != Traffic::Over {
                    state.refusals -= 1;
                    continue;
                }
                drop(state);
                match traffic {
                    Traffic::Over => return,
                    Traffic::Full | Traffic::Refused => drop(client),
                    Traffic::Flows | Traffic::Stalls => accepting.connect(client),
                }
            }
        });
        Self { port, wire }
    }

    /// Where clients connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.wire.state().cut();
    }

    /// Holds back whatever comes, in both directions, without breaking anything.
    pub fn stall(&self) {
        self.wire.turn(Traffic::Stalls);
    }

    /// Breaks every new connection at once, and none of those there are.
    pub fn refuse_new(&self) {
        self.wire.turn(Traffic::Full);
    }

    /// Lets so many bytes more through, in both directions together, and then cuts the connection of the last of them. After
    /// that so many new connections are broken at once, and all others flow.
    pub fn cut_after(&self, bytes: u64, refusals: u64) {
        let mut state = self.wire.state();
        (state.left, state.refusals) = (Some(bytes), refusals);
    }

    /// Whether [`Proxy::cut_after`] has cut.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.wire.state().left == Some(0)
    }

    /// Holds back the request of this number, from now and from 1, as a slow way through the network does: it comes to the
    /// server when [`Proxy::release`] says so, also where its client is gone by then. All other connections go on.
    pub fn hold_request(&self, number: u64) {
        self.hold_request_after(number, 0);
    }

    /// The same for all but so many first bytes of it: the server begins to read it, and waits for the rest.
    pub fn hold_request_after(&self, number: u64, bytes: usize) {
        let mut state = self.wire.state();
        (state.held, state.begun) = (Some(number), bytes);
    }

    /// Whether the request of [`Proxy::hold_request`] has come.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.wire.state().held == Some(0)
    }

    /// Lets through what was held back.
    pub fn release(&self) {
        self.wire.state().held = None;
        self.wire.changed.notify_all();
    }

    /// Breaks every connection there is and every new one at once.
    pub fn refuse(&self) {
        self.wire.turn(Traffic::Refused);
        self.cut();
    }

    /// Lets everything through again, what was held back first.
    pub fn flow(&self) {
        self.wire.turn(Traffic::Flows);
    }

    /// Breaks the next connection on which a client says something, before the server hears it.
    pub fn lose_next_request(&self) {
        self.wire.state().lost = Some(Direction::Request);
    }

    /// Breaks the next connection on which the server says something, before the client hears it: the server has done what
    /// the client will never know of.
    pub fn lose_next_answer(&self) {
        self.wire.state().lost = Some(Direction::Answer);
    }

    /// How often a server has begun to answer what a client said.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.wire.state().round_trips
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wire.turn(Traffic::Over);
        self.cut();
        // Wakes the thread that waits for connections, so that it sees the end.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, traffic: Traffic) {
        self.state().traffic = traffic;
        self.changed.notify_all();
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        // A server that does not listen breaks the client's connection, too.
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target)) else { return };
        let speaker = Arc::new(Mutex::new(Direction::Answer));
        let copies = [client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone()];
        let [Ok(from), Ok(to), Ok(kept), Ok(also_kept)] = copies else { return };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        self.state().open.extend([kept, also_kept]);
        for (direction, from, to) in [(Direction::Request, from, to), (Direction::Answer, server, client)] {
            let (wire, speaker) = (Arc::clone(self), Arc::clone(&speaker));
            thread::spawn(move || {
                let _ = wire.carry(direction, &from, &to, &speaker);
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }

    fn carry(
        &self,
        direction: Direction,
        mut from: &TcpStream,
        mut to: &TcpStream,
        speaker: &Mutex<Direction>,
    ) -> io::Result<()> {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = from.read(&mut bytes)?;
            let stalls = |state: &mut State| state.traffic == Traffic::Stalls;
            let mut state = self.changed.wait_while(self.state(), stalls).unwrap_or_else(PoisonError::into_inner);
            if length == 0 {
                return Ok(());
            }
            let mut begun = 0;
            let before = std::mem::replace(&mut *speaker.lock().unwrap_or_else(PoisonError::into_inner), direction);
            if direction == Direction::Answer && before == Direction::Request {
                state.round_trips += 1;
            }
            if let (Direction::Request, Direction::Answer, Some(left @ 1..)) = (direction, before, &mut state.held) {
                *left -= 1;
                if *left == 0 {
                    begun = state.begun.min(length);
                    to.write_all(&bytes[..begun])?;
                    let holds = |state: &mut State| state.held == Some(0) && state.traffic != Traffic::Over;
                    state = self.changed.wait_while(state, holds).unwrap_or_else(PoisonError::into_inner);
                }
            }
            if state.lost == Some(direction) {
                state.lost = None;
                return Ok(());
            }
            let passing = match &mut state.left {
                // Cut already: those that come after are whole.
                None | Some(0) => length,
                Some(left) => {
                    let passing = length.min(usize::try_from(*left).unwrap_or(length));
                    *left -= passing as u64;
                    if *left == 0 {
                        drop(state);
                        return to.write_all(&bytes[..passing]);
                    }
                    passing
                }
            };
            drop(state);
            to.write_all(&bytes[begun..passing.max(begun)])?;
        }
    }
}
