//! The statements of one transaction, as many at once as can be.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use bytes::BytesMut;
use secretkit_core::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, Statement};

use crate::error::Failure;
use crate::runtime::patience;
use crate::schema::SchemaName;
use crate::session::Asking;
use crate::settings::Settings;

/// A statement with what people choose beside it.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    text: &'static str,
    values: Vec<Value<'a>>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(text: &'static str, values: impl Into<Vec<Value<'a>>>) -> Self {
        Self { text, values: values.into() }
    }
}

impl From<&'static str> for Ask<'_> {
    fn from(text: &'static str) -> Self {
        Self::new(text, [])
    }
}

/// A parameter, which shows nothing of itself, and has one type wherever it stands.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(Option<&'a str>),
    Number(Option<i64>),
    Bytes(Option<&'a [u8]>),
}

impl Value<'_> {
    const fn kind(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT,
            Self::Number(_) => Type::INT8,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(kind, out),
            Self::Number(number) => number.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

/// Statements by their text.
type Prepared = HashMap<&'static str, Statement>;

/// A transaction on one connection.
pub(super) struct Steps<'a> {
    session: &'a Asking,
    schema: &'a SchemaName,
    /// Milliseconds without a word after which the server ends it: what it holds, others wait for, and where a machine is gone
    /// without a sign the system may take hours to notice.
    unattended: String,
}

impl<'a> Steps<'a> {
    pub(super) fn new(session: &'a Asking, settings: &'a Settings) -> Self {
        // Nobody waits any more by then.
        let unattended = patience(settings).saturating_mul(2).as_millis().to_string();
        Self { session, schema: &settings.schema, unattended }
    }

    /// Begins it, and asks these in it.
    ///
    /// # Errors
    /// What the server says; [`Error::Unsupported`] where it gives less than was asked for.
    pub(super) async fn begin(&self, asks: &[Ask<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        let first = [Ask::from(BEGIN), Ask::new(ISOLATION, [self.unattended.as_str().into()]), DURABLE.into()];
        let mut rows = match self.all(&[first.as_slice(), asks].concat()).await {
            Err(Failure::Stale(code)) if code == SqlState::FEATURE_NOT_SUPPORTED => {
                return Err(self.without_serializable(code).await);
            }
            outcome => outcome?,
        };
        let isolation = rows.get(1).and_then(|rows| rows.first()).and_then(|row| row.try_get::<_, &str>(0).ok());
        if isolation != Some("serializable") {
            return Err(unserializable());
        }
        Ok(rows.split_off(first.len()))
    }

    /// Why a server refuses to begin. A standby gives no SERIALIZABLE transactions, and others may: this one only reads.
    async fn without_serializable(&self, code: SqlState) -> Failure {
        let told = self.one(&"SELECT pg_catalog.pg_is_in_recovery()".into()).await;
        match told.ok().and_then(|rows| rows.first().and_then(|row| row.try_get(0).ok())) {
            Some(true) => Failure::Stale(SqlState::READ_ONLY_SQL_TRANSACTION),
            Some(false) => unserializable(),
            None => Failure::Stale(code),
        }
    }

    /// Asks these, one after the other, and waits for all of them at once.
    ///
    /// # Errors
    /// What the server says of the first that fails.
    pub(super) async fn all(&self, asks: &[Ask<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        let mut answers = Vec::with_capacity(asks.len());
        let prepared = self.prepared(asks).await?;
        for some in asks.chunks(MOST_AT_ONCE) {
            let mut asked: Vec<_> = some.iter().map(|ask| Box::pin(self.asked(ask, &prepared))).collect();
            let mut told = Vec::with_capacity(asked.len());
            // Each is sent when it is looked at first, and so in their order.
            poll_fn(|context| {
                told.extend(asked.iter_mut().map(|ask| ask.as_mut().poll(context)));
                Poll::Ready(())
            })
            .await;
            // The answers come in that order, too: whoever is woken looks at one of them.
            for (ask, answer) in asked.into_iter().zip(told) {
                answers.push(match answer {
                    Poll::Ready(answer) => answer?,
                    Poll::Pending => ask.await?,
                });
            }
        }
        Ok(answers)
    }

    /// Asks this alone.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn one(&self, ask: &Ask<'_>) -> Result<Vec<Row>, Failure> {
        self.asked(ask, &Prepared::new()).await
    }

    async fn asked(&self, Ask { text, values }: &Ask<'_>, prepared: &Prepared) -> Result<Vec<Row>, Failure> {
        let client = self.session.client();
        if let Some(statement) = prepared.get(text) {
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            return Ok(client.query(statement, &values).await?);
        }
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = values.iter().map(|value| (value as _, value.kind())).collect();
        Ok(client.query_typed(&self.schema.fill(text), &typed).await?)
    }

    /// What many of these say, which the server makes ready once. For few that would be a round trip more and no less work.
    async fn prepared(&self, asks: &[Ask<'_>]) -> Result<Prepared, Failure> {
        let mut alike: HashMap<&'static str, (usize, &Ask<'_>)> = HashMap::new();
        for ask in asks {
            alike.entry(ask.text).or_insert((0, ask)).0 += 1;
        }
        let mut prepared = Prepared::new();
        for (text, (_, ask)) in alike.into_iter().filter(|(_, (count, _))| *count >= MANY) {
            let types: Vec<Type> = ask.values.iter().map(Value::kind).collect();
            prepared.insert(text, self.session.client().prepare_typed(&self.schema.fill(text), &types).await?);
        }
        Ok(prepared)
    }

    /// Ends it. What it wrote is kept wherever the server keeps it.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn commit(&self) -> Result<(), Failure> {
        self.session.kept(self.one(&"COMMIT".into())).await.map(drop)
    }

    /// Ends it without a trace.
    pub(super) async fn roll_back(&self) {
        self.session.roll_back().await;
    }
}

fn unserializable() -> Failure {
    let why = "this server gives no SERIALIZABLE transactions, and this store can do with no others".to_owned();
    Error::Unsupported(why).into()
}

/// So many of one kind are worth being made ready.
const MANY: usize = 20;

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// What it is by now. Beside that, it is not kept for somebody who is gone, unless something else is said of that already; and
/// that the server gives up waiting for its standbys is a warning, which has to be heard.
const ISOLATION: &str = "SELECT pg_catalog.current_setting('transaction_isolation'), \
     CASE pg_catalog.current_setting('idle_in_transaction_session_timeout') WHEN '0' \
     THEN pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true) END, \
     CASE pg_catalog.current_setting('client_min_messages') WHEN 'error' \
     THEN pg_catalog.set_config('client_min_messages', 'warning', true) END";

/// A commit that was acknowledged survives a crash, whatever the role's default is.
const DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
     WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

/// On their way to the server. It keeps what it answers until it is read.
const MOST_AT_ONCE: usize = 1_000;
