//! One connection, and what it has prepared.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

use crate::counted::Open;
use crate::error::Failure;
use crate::statements::{COUNT, Lookup, Query, Statements};
use crate::talk::Talk;

/// One connection to the server.
pub(crate) struct Session {
    asking: Asking,
    /// Behind the client: it says goodbye when that is gone.
    talk: Talk,
    /// When it last gave an answer.
    heard: Instant,
}

/// What asks on it.
pub(crate) struct Asking {
    client: Client,
    lookup: Lookup,
    prepared: [Prepared; COUNT],
    /// Set where the server gave up waiting for its standbys.
    gave_up: Arc<AtomicBool>,
    /// Set where a transaction may still be open on it.
    is_left_open: AtomicBool,
    _open: Open,
}

#[derive(Default)]
struct Prepared {
    used: AtomicBool,
    statement: OnceLock<Statement>,
}

impl Session {
    /// Leaves the runtime: from here on whoever asks also waits.
    pub(crate) fn new(client: Client, talk: Talk) -> Self {
        talk.take();
        let prepared = std::array::from_fn(|_| Prepared::default());
        Self {
            asking: Asking {
                client,
                lookup: talk.lookup(),
                prepared,
                gave_up: talk.gave_up(),
                is_left_open: AtomicBool::new(false),
                _open: Open::new(),
            },
            talk,
            heard: Instant::now(),
        }
    }

    /// Runs `work`, and waits for it in this thread. `None` where that takes too long: what becomes of it is not known, and
    /// the connection must not be used again.
    pub(crate) fn run<T>(&mut self, work: impl AsyncFnOnce(&Asking) -> T, patience: Duration) -> Option<T> {
        let Self { asking, talk, heard } = self;
        let answer = talk.wait(work(asking), patience);
        *heard = Instant::now();
        answer
    }

    /// Whether nobody can use it any more. That it is closed is known by now or was a moment ago: to ask the system each time
    /// would cost those who ask one thing after the other, and what closes between this and the next question is met there.
    pub(crate) fn is_over(&mut self) -> bool {
        if self.heard.elapsed() >= A_MOMENT {
            self.talk.catch_up();
        }
        self.asking.client.is_closed() || self.asking.is_left_open.load(Ordering::Relaxed)
    }

    /// Closes it without a word: nobody may be there to hear it.
    pub(crate) fn abandon(mut self) {
        self.talk.abandon();
    }
}

impl Asking {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends a transaction without a trace, or where there is none any more does nothing. A server may cancel even that, and
    /// whoever came next would be within that transaction: then nobody uses this connection again.
    pub(crate) async fn roll_back(&self) {
        if self.client.query_typed("ROLLBACK", &[]).await.is_err() {
            self.is_left_open.store(true, Ordering::Relaxed);
        }
    }

    /// Asks in one round trip: what is asked once is not prepared. What is asked again is, for that one round trip more,
    /// and no work for all that follow.
    pub(crate) async fn query(
        &self,
        statements: &Statements,
        query: Query,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let (text, types) = statements.of(query, self.lookup);
        let prepared = &self.prepared[query as usize];
        if let Some(statement) = prepared.statement.get() {
            return Ok(self.client.query(statement, parameters).await?);
        }
        if !prepared.used.swap(true, Ordering::Relaxed) {
            let typed: Vec<_> = parameters.iter().copied().zip(types.iter().cloned()).collect();
            return Ok(self.client.query_typed(text, &typed).await?);
        }
        let statement = self.client.prepare_typed(text, types).await?;
        let rows = self.client.query(prepared.statement.get_or_init(|| statement), parameters).await?;
        Ok(rows)
    }

    /// The same for what is true only once it is kept wherever the server keeps it. A server that is told to wait no longer
    /// for its standbys warns, and goes on as if they had it.
    pub(crate) async fn query_kept(
        &self,
        statements: &Statements,
        query: Query,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        self.kept(self.query(statements, query, parameters)).await
    }

    /// What is asked, once it is kept.
    pub(crate) async fn kept<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.gave_up.store(false, Ordering::Relaxed);
        let answer = asked.await?;
        if self.gave_up.load(Ordering::Relaxed) {
            return Err(Failure::Lost("somebody ended the wait for its standbys".to_owned()));
        }
        Ok(answer)
    }
}

/// After that, what was heard is no longer news.
const A_MOMENT: Duration = Duration::from_millis(5);

/// A parameter that shows nothing of itself: the client writes parameters into the log, where somebody asks for that.
pub(crate) struct Bound<T>(pub(crate) T);

impl<T> fmt::Debug for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl<T: ToSql> ToSql for Bound<T> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        T::accepts(kind)
    }

    fn encode_format(&self, kind: &Type) -> Format {
        self.0.encode_format(kind)
    }

    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql_checked(kind, out)
    }
}
