//! What goes over one connection, and who sees to it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Connection, Error};

use crate::statements::Lookup;
use crate::wire::{Line, Wire};

/// The half of a connection that reads and writes. It is ended in order when it is dropped after its client.
pub(crate) struct Talk {
    /// Until it is over.
    connection: Option<Box<dyn Messages>>,
    line: Arc<Line>,
    flag: Arc<Flag>,
    waker: Waker,
    lookup: Lookup,
    gave_up: Arc<AtomicBool>,
}

/// A connection, with TLS or without.
trait Messages: Send {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Messages for Connection<Wire, T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        self.poll_message(context)
    }
}

/// What is set where there is something to be done at once. Everything that sets it is done by the thread that looks at it.
#[derive(Default)]
struct Flag(AtomicBool);

impl Talk {
    pub(crate) fn new<T>(connection: Connection<Wire, T>, line: Arc<Line>) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let flag = Arc::new(Flag::default());
        let lookup = Lookup::of_version(connection.parameter("server_version"));
        let (waker, gave_up) = (Waker::from(Arc::clone(&flag)), Arc::default());
        Self { connection: Some(Box::new(connection)), line, waker, flag, lookup, gave_up }
    }

    /// What is set where the server gave up waiting for its standbys.
    pub(crate) fn gave_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.gave_up)
    }

    /// What suits the server that it leads to.
    pub(crate) const fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// What the server says by itself, within the runtime. `None` when it is over.
    pub(crate) fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<AsyncMessage>> {
        let polled = self.connection.as_mut().map_or(Poll::Ready(None), |connection| connection.poll(context));
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Some(message)),
            // Whoever still waits for an answer hears of it by this.
            Poll::Ready(Some(Err(_)) | None) => {
                self.connection = None;
                Poll::Ready(None)
            }
        }
    }

    /// Goes on within the runtime while somebody there waits for an answer.
    pub(crate) async fn during<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        poll_fn(|context| {
            let polled = answer.as_mut().poll(context);
            if polled.is_ready() {
                return polled;
            }
            self.go_on(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// From here on nobody but the thread that waits for an answer sees to it.
    pub(crate) fn take(&self) {
        self.line.take();
    }

    /// Waits in this thread for an answer. `None` where that takes too long: the answer is dropped.
    pub(crate) fn wait<F: Future>(&mut self, answer: F, patience: Duration) -> Option<F::Output> {
        // A task of the host's may have used up its turns: then its runtime would let ours wait until that task does.
        let mut answer = pin!(tokio::task::coop::unconstrained(answer));
        let end = Instant::now().checked_add(patience);
        let waker = self.waker.clone();
        let mut context = Context::from_waker(&waker);
        // Most answers come whole, and a read that waits for them is all that it takes.
        let mut has_waited = false;
        loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
                return Some(answer);
            }
            // A server that never stops to send has no longer than one that says nothing.
            if end.is_some_and(|end| Instant::now() >= end) {
                return None;
            }
            self.flag.0.store(false, Ordering::Relaxed);
            self.go_on(&mut context);
            self.line.wait_no_more();
            if self.connection.is_none() {
                // It is over, and that is the answer.
                return match answer.as_mut().poll(&mut context) {
                    Poll::Ready(answer) => Some(answer),
                    Poll::Pending => None,
                };
            }
            if self.flag.0.load(Ordering::Relaxed) {
                continue;
            }
            let waits = !std::mem::replace(&mut has_waited, true) && self.line.wait_in_next_read(patience);
            if !waits && !self.line.wait(end) {
                return None;
            }
        }
    }

    /// Hears what was said while nobody listened: that it is over, most of all.
    pub(crate) fn catch_up(&mut self) {
        if self.line.wait(Some(Instant::now())) {
            let waker = self.waker.clone();
            self.go_on(&mut Context::from_waker(&waker));
        }
    }

    /// Ends it without a word: nobody may be there to hear it.
    pub(crate) fn abandon(&mut self) {
        self.connection = None;
    }

    /// Reads and writes what there is; of what a server says by itself nothing is kept but that it gave up, and so much is
    /// read at a time.
    fn go_on(&mut self, context: &mut Context<'_>) {
        for _ in 0..MOST_AT_ONCE {
            match self.poll_message(context) {
                Poll::Ready(Some(AsyncMessage::Notice(notice))) if gives_up(&notice) => {
                    self.gave_up.store(true, Ordering::Relaxed);
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
        context.waker().wake_by_ref();
    }
}

/// Whether it warns that it gave up waiting for its standbys. The words are in its own language, and it may warn of much else:
/// the place in its source stands beside them.
fn gives_up(notice: &DbError) -> bool {
    notice.routine() == Some("SyncRepWaitForLSN")
}

/// Notices and the like, before somebody looks at the clock.
const MOST_AT_ONCE: usize = 100;

/// Says goodbye, if there is room for that. Its client is gone by now.
impl Drop for Talk {
    fn drop(&mut self) {
        self.go_on(&mut Context::from_waker(Waker::noop()));
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
