//! A socket that is waited for in two ways: by the runtime's thread, and by the thread that wants the answer.
//!
//! What is asked is answered within some ten microseconds where the server is near. To wake one thread for what came and
//! another for whom it came to would double that. So who asks waits on the socket itself, as libpq does.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::settings::{Host, Settings};
use crate::spin::{self, Pace};

/// The end of a socket that a connection reads and writes.
pub(crate) struct Wire {
    line: Arc<Line>,
    /// The same socket as the runtime has it, until whoever has the line waits himself.
    awaited: Option<Awaited>,
}

enum Awaited {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

/// The end that can be waited on.
pub(crate) struct Line {
    socket: Socket,
    /// Whoever reads and writes also waits: here, and not in the runtime.
    is_taken: AtomicBool,
    /// There may be something to read.
    is_readable: AtomicBool,
    /// What is to be written did not fit.
    is_full: AtomicBool,
    /// The next read waits.
    is_patient: AtomicBool,
    /// Whether a read can wait.
    blocks: OnceLock<bool>,
    pace: Pace,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Where a server may be met.
#[derive(Debug)]
pub(crate) enum Place {
    Socket(PathBuf),
    Address(SocketAddr),
}

impl Place {
    /// Where a host may be met: at its socket, or at each address that its name has. Within the runtime.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) async fn all(host: &Host) -> io::Result<Vec<Self>> {
        if let Some(directory) = host.socket() {
            return Ok(vec![Self::Socket(directory.join(format!(".s.PGSQL.{}", host.port)))]);
        }
        if let Some(address) = host.address {
            return Ok(vec![Self::Address((address, host.port).into())]);
        }
        let found = tokio::net::lookup_host((host.name.as_str(), host.port)).await?;
        Ok(found.map(Self::Address).collect())
    }
}

impl Wire {
    /// Connects. Within the runtime.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) async fn to(settings: &Settings, place: &Place) -> io::Result<Self> {
        let (socket, awaited) = match place {
            Place::Socket(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                (Socket::Unix(stream.as_fd().try_clone_to_owned()?.into()), Awaited::Unix(stream))
            }
            Place::Address(address) => {
                let stream = tokio::net::TcpStream::connect(address).await?;
                configure(&stream, settings)?;
                (Socket::Tcp(stream.as_fd().try_clone_to_owned()?.into()), Awaited::Tcp(stream))
            }
        };
        Ok(Self { line: Arc::new(Line::of(socket)), awaited: Some(awaited) })
    }

    pub(crate) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }

    /// As the runtime has it, unless somebody waits himself.
    fn awaited(&mut self) -> Option<&mut Awaited> {
        if self.line.is_taken.load(Ordering::Relaxed) {
            self.awaited = None;
        }
        self.awaited.as_mut()
    }
}

fn configure(stream: &tokio::net::TcpStream, settings: &Settings) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if let Some(keepalives) = settings.keepalives {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, keepalives.idle.unwrap_or(IDLE))?;
        if let Some(interval) = keepalives.interval {
            sockopt::set_tcp_keepintvl(stream, interval)?;
        }
        if let Some(count) = keepalives.count {
            sockopt::set_tcp_keepcnt(stream, count)?;
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(timeout) = settings.tcp_user_timeout {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX))?;
    }
    Ok(())
}

impl Line {
    fn of(socket: Socket) -> Self {
        let [is_taken, is_readable, is_full, is_patient] = [(); 4].map(|()| AtomicBool::new(false));
        Self { socket, is_taken, is_readable, is_full, is_patient, blocks: OnceLock::new(), pace: Pace::default() }
    }

    /// From now on whoever reads and writes waits here.
    pub(crate) fn take(&self) {
        self.is_taken.store(true, Ordering::Relaxed);
        self.is_readable.store(true, Ordering::Relaxed);
    }

    /// Has the next read wait for what comes, which saves asking first whether something has. It waits no longer than
    /// [`MOMENT`]: most answers come sooner. False where that cannot be, or is too long: whoever wants to wait calls
    /// [`wait`](Self::wait).
    pub(crate) fn wait_in_next_read(&self, patience: Duration) -> bool {
        let may = !self.is_full.load(Ordering::Relaxed)
            && patience >= MOMENT
            && *self.blocks.get_or_init(|| self.block(MOMENT));
        self.is_patient.store(may, Ordering::Relaxed);
        may
    }

    /// No read waits any more.
    pub(crate) fn wait_no_more(&self) {
        self.is_patient.store(false, Ordering::Relaxed);
    }

    /// Lets reads wait so long, those that want to. False where the system does not do that.
    fn block(&self, moment: Duration) -> bool {
        let set = match &self.socket {
            Socket::Tcp(stream) => stream.set_read_timeout(Some(moment)).and_then(|()| stream.set_nonblocking(false)),
            Socket::Unix(stream) => stream.set_read_timeout(Some(moment)).and_then(|()| stream.set_nonblocking(false)),
        };
        set.is_ok()
    }

    /// Waits until there is something to read, or room for what did not fit. False where that takes too long.
    pub(crate) fn wait(&self, end: Option<Instant>) -> bool {
        let room = if self.is_full.load(Ordering::Relaxed) { PollFlags::OUT } else { PollFlags::empty() };
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut waiting = [PollFd::new(self, PollFlags::IN | room)];
            match poll(&mut waiting, timeout.as_ref()) {
                Ok(0) if left.is_none_or(|left| !left.is_zero()) => {}
                Ok(0) => return false,
                Err(Errno::INTR) => {}
                // What is wrong with it is said by whoever reads.
                Ok(_) | Err(_) => {
                    if waiting[0].revents() != PollFlags::OUT {
                        self.is_readable.store(true, Ordering::Relaxed);
                    }
                    return true;
                }
            }
        }
    }

    fn poll_read(&self, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let is_patient = self.is_patient.swap(false, Ordering::Relaxed);
        if !is_patient && !self.is_readable.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let outcome = if is_patient { self.await_bytes(into) } else { self.take_bytes(into) };
        // What is less than there was room for was all.
        let is_all = outcome.is_ok_and(|read| read > 0 && read < into.len());
        let is_none = matches!(outcome, Err(Errno::AGAIN | Errno::INTR));
        self.is_readable.store(!is_all && !is_none, Ordering::Relaxed);
        if is_none { Poll::Pending } else { Poll::Ready(outcome.map_err(io::Error::from)) }
    }

    /// What there is.
    fn take_bytes(&self, into: &mut [u8]) -> Result<usize, Errno> {
        loop {
            match recv(self, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                outcome => return outcome.map(|(read, _)| read),
            }
        }
    }

    /// What comes. Where a signal comes first, whoever waits looks at the clock before waiting on.
    fn await_bytes(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let mut wait = self.pace.wait(&spin::OF_THIS_PROCESS);
        while wait.stays_awake() {
            match self.take_bytes(into) {
                Err(Errno::AGAIN) => {}
                outcome => {
                    wait.was_in_time();
                    return outcome;
                }
            }
        }
        recv(self, into, RecvFlags::empty()).map(|(read, _)| read)
    }

    fn poll_write(&self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = loop {
            match send(self, bytes, AT_ONCE_OR_NOT) {
                Err(Errno::INTR) => {}
                outcome => break outcome,
            }
        };
        let is_full = matches!(outcome, Err(Errno::AGAIN));
        self.is_full.store(is_full, Ordering::Relaxed);
        if is_full { Poll::Pending } else { Poll::Ready(outcome.map_err(io::Error::from)) }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.awaited() {
            Some(Awaited::Tcp(stream)) => Pin::new(stream).poll_read(context, buffer),
            Some(Awaited::Unix(stream)) => Pin::new(stream).poll_read(context, buffer),
            None => {
                let length = buffer.remaining().min(AT_ONCE);
                let read = ready!(this.line.poll_read(buffer.initialize_unfilled_to(length)))?;
                buffer.advance(read);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.awaited() {
            Some(Awaited::Tcp(stream)) => Pin::new(stream).poll_write(context, bytes),
            Some(Awaited::Unix(stream)) => Pin::new(stream).poll_write(context, bytes),
            None => this.line.poll_write(bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match &self.line.socket {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        })
    }
}

/// Of one name. More are not tried.
pub(crate) const MOST_ADDRESSES: usize = 8;

/// As libpq and the client have it.
const IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// Nothing that is written waits for room, and nobody dies of a connection that is closed.
#[cfg(target_os = "linux")]
const AT_ONCE_OR_NOT: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// Here the socket itself was told so when it was made.
#[cfg(not(target_os = "linux"))]
const AT_ONCE_OR_NOT: SendFlags = SendFlags::DONTWAIT;

/// How long a read waits that does. One for all: to tell the system of another costs as much as to look first.
const MOMENT: Duration = Duration::from_secs(1);

/// No more is read at once.
const AT_ONCE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn whoever_waits_is_awake_at_first_and_sleeps_where_nothing_comes() {
        if !spin::has_processors() {
            return secretkit_test_postgres::skip("there is one processor, and nobody stays awake on it");
        }
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let line = Line::of(Socket::Unix(ours));
        // Other tests of this process may wait at the same moment, and then nobody stays awake.
        let begun = Instant::now();
        while line.pace.missed() == 0 {
            let before = Instant::now();
            assert!(line.wait_in_next_read(LONG));
            assert!(line.poll_read(&mut [0; 8]).is_pending(), "nothing was sent");
            assert!(before.elapsed() >= MOMENT, "it did not sleep");
            assert!(begun.elapsed() < LONG, "it never stays awake");
        }
        while line.pace.missed() > 0 {
            theirs.write_all(b"answer").unwrap();
            assert!(line.wait_in_next_read(MOMENT));
            let mut read = [0; 8];
            assert!(matches!(line.poll_read(&mut read), Poll::Ready(Ok(6))) && read.starts_with(b"answer"));
            assert!(begun.elapsed() < LONG, "no answer comes while it is awake");
        }
    }

    #[test]
    fn no_read_waits_for_longer_than_it_is_given() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let line = Line::of(Socket::Unix(ours));
        let patience = Duration::from_millis(20);
        assert!(!line.wait_in_next_read(patience));
        assert!(line.poll_read(&mut [0; 8]).is_pending(), "nothing was sent");
        assert!(!line.wait(Some(Instant::now() + patience)));
        // Nor does it keep those from waiting that have more time.
        assert!(line.wait_in_next_read(LONG));
    }

    const LONG: Duration = Duration::from_secs(60);
}
