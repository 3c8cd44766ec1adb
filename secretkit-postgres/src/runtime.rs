//! The thread that makes connections, and the pool that callers take them from.
//!
//! The client is asynchronous, and its runtime has a thread of its own. Callers wait for a connection by parking, and for an
//! answer on its socket (`talk`): both work in a plain thread and inside somebody else's runtime, whose own ways to wait
//! would panic there.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType, Timeouts};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use secretkit_core::seal::StoreId;
use secretkit_core::store::{Listener, Token, Want};
use secretkit_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::asked::Asked;
use crate::connect::Connector;
use crate::counted::{self, InUse};
use crate::error::Failure;
use crate::listening::{self, Ears};
use crate::session::Asking;
use crate::settings::{Host, Settings};
use crate::wire::MOST_ADDRESSES;

/// The connections of one process.
pub(crate) struct Engine {
    /// The process that it was made in. Its thread is in no other, and its sockets must be used by no other.
    process: u32,
    settings: Arc<Settings>,
    runtime: Handle,
    pool: Pool<Connector>,
    listening: OnceLock<Listening>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Whoever is told of the commits of others, and what tells them.
struct Listening {
    listener: Arc<dyn Listener>,
    asked: Arc<Asked>,
    leave: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Engine {
    /// Starts the thread. No connection is made yet.
    ///
    /// # Errors
    /// [`Error::Store`] where the system gives no thread.
    pub(crate) fn start(settings: &Arc<Settings>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Store {
            store: settings.to_string(),
            source: format!("no thread can be started for it: {error}").into(),
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = without_signals(|| {
            thread::Builder::new().name("secretkit-postgres".to_owned()).spawn(move || {
                // Until the other end is gone.
                let _ = runtime.block_on(stopped);
                // A host's name that is still being looked up must not hold up whoever closes the store.
                runtime.shutdown_background();
            })
        });
        let thread = thread.map_err(|error| failed(&error))?;
        let making = making(settings);
        let pool = Pool::builder(Connector::new(Arc::clone(settings), handle.clone()))
            .max_size(settings.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.pool_timeout))
            .create_timeout(Some(making))
            .build()
            .map_err(|error| failed(&error))?;
        let process = std::process::id();
        let listening = OnceLock::new();
        Ok(Self { process, settings: Arc::clone(settings), runtime: handle, pool, listening, stop, thread })
    }

    /// Whether it was made in this process.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// Begins to listen, if it does not yet.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn listen(&self, store: StoreId, listener: &Arc<dyn Listener>) -> Result<()> {
        if self.listening.get().is_some() {
            return Ok(());
        }
        let id = Token::generate()?;
        self.listening.get_or_init(|| {
            let settings = Arc::clone(&self.settings);
            let (listener, asked) = (Arc::clone(listener), Arc::new(Asked::of(store)));
            let ears = Ears { settings, store, id, listener: Arc::clone(&listener), asked: Arc::clone(&asked) };
            let (leave, left) = oneshot::channel();
            let task = self.runtime.spawn(listening::listen(ears, left));
            Listening { listener, asked, leave, task }
        });
        Ok(())
    }

    /// Notes what is about to be asked for: from now on it is told what becomes of it.
    pub(crate) fn note(&self, wants: &[Want]) {
        if let Some(Listening { listener, asked, .. }) = self.listening.get() {
            asked.note(wants, &**listener);
        }
    }

    /// Runs `work` on a connection from the pool, and waits for it no longer than an answer may take. A connection on
    /// which something was lost is not used again.
    pub(crate) fn run<T>(&self, work: impl AsyncFnOnce(&Asking) -> Result<T, Failure>) -> Result<T, Failure> {
        self.run_within(patience(&self.settings), work)
    }

    /// The same for what may take longer than an answer.
    pub(crate) fn run_within<T>(
        &self,
        patience: Duration,
        work: impl AsyncFnOnce(&Asking) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.run_on(self.pool.timeouts(), patience, work)
    }

    /// The same for what nobody asked for, and nobody is to wait for: on a connection that is idle, for a moment.
    pub(crate) fn run_aside<T>(&self, work: impl AsyncFnOnce(&Asking) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.pool.status().available == 0 {
            return Err(Failure::Crowded);
        }
        // One that is broken is made anew, as far as that can be done in that time.
        self.run_on(Timeouts { wait: Some(Duration::ZERO), create: Some(ASIDE), recycle: None }, ASIDE, work)
    }

    fn run_on<T>(
        &self,
        timeouts: Timeouts,
        patience: Duration,
        work: impl AsyncFnOnce(&Asking) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let session = self.session(&timeouts);
        counted::taking(begun, &session);
        let mut session = session?;
        let _in_use = InUse::new();
        let outcome = session.run(work, patience).unwrap_or(Err(Failure::Silent));
        if outcome.as_ref().is_err_and(Failure::spoils_connection) {
            Object::take(session).abandon();
            // Whatever happened to this one most likely happened to those that are idle.
            drop(self.pool.retain(|_, _| false));
        }
        outcome
    }

    fn session(&self, timeouts: &Timeouts) -> Result<Object<Connector>, Failure> {
        // The pool's timers are the runtime's.
        let _runtime = self.runtime.enter();
        let patience = [timeouts.wait, timeouts.create].into_iter().flatten().fold(GRACE, Duration::saturating_add);
        match wait(self.pool.timeout_get(timeouts), patience) {
            Some(Ok(session)) => Ok(session),
            Some(Err(PoolError::Backend(error))) => Err(Failure::Connect(error)),
            Some(Err(PoolError::Timeout(TimeoutType::Wait))) => Err(Failure::Crowded),
            Some(Err(_)) | None => {
                let why = "does not answer; no connection could be made in time".to_owned();
                Err(Failure::Connect(Error::Unavailable { store: self.settings.to_string(), why }))
            }
        }
    }

    /// Ends it: closes the connections and waits for the thread. In a process that is not the one that made it, nothing of
    /// that may happen: to close a connection there would be to say goodbye in the parent's name.
    pub(crate) fn end(self) {
        let Self { process, settings: _, runtime, pool, listening, stop, thread } = self;
        if process != std::process::id() {
            std::mem::forget((runtime, pool, listening, stop, thread));
            return;
        }
        if let Some(Listening { leave, task, .. }) = listening.into_inner() {
            drop(leave);
            let _ = wait(task, listening::GOODBYE * 2);
        }
        drop(pool);
        drop(stop);
        let _ = thread.join();
    }
}

/// How long an answer may take: the server ends what takes too long, unless it is not there any more.
pub(crate) fn patience(settings: &Settings) -> Duration {
    settings.statement_timeout.saturating_add(GRACE)
}

/// How long it may take to make a connection: each host is tried at each of its addresses, some of them twice.
fn making(settings: &Settings) -> Duration {
    // To ask for the addresses of a name takes its time as well.
    let places = |host: &Host| if host.has_one_place() { 1 } else { MOST_ADDRESSES + 1 };
    let attempts = settings.hosts.all.iter().map(places).sum::<usize>().saturating_mul(2);
    settings.connect_timeout.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX))
}

/// Starts something that takes no signals: those are for the host's own threads.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut before = SigSet::empty();
    let held = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    let started = start();
    if held.is_ok() {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    started
}

/// Waits for a future in this thread, whatever else the thread is. `None` where that takes too long: the future is dropped.
fn wait<F: Future>(future: F, patience: Duration) -> Option<F::Output> {
    // A task of the host's may have used up its turns: then its runtime would let ours wait until that task does.
    let mut future = pin!(tokio::task::coop::unconstrained(future));
    let sleeper = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    let end = Instant::now().checked_add(patience);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        while !sleeper.woken.swap(false, Ordering::Acquire) {
            match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }
}

/// A thread that waits.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What nobody waits for is given no more time than this.
const ASIDE: Duration = Duration::from_secs(1);

/// What an answer may take beyond the time that the server has for it.
const GRACE: Duration = Duration::from_secs(2);
