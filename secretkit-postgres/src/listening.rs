//! Hearing of the commits of others: a connection of its own that listens, for as long as the store is open.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use secretkit_core::Error;
use secretkit_core::seal::StoreId;
use secretkit_core::store::{Listener, Notice, Token};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use tracing::{debug, info, warn};

use crate::asked::Asked;
use crate::connect;
use crate::error::Failure;
use crate::settings::Settings;

/// What listens, and for whom.
pub(crate) struct Ears {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: StoreId,
    /// As whom it has its lease, on whichever connection.
    pub(crate) id: Token,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) asked: Arc<Asked>,
}

/// Listens until it is to leave, on one connection after the other.
pub(crate) async fn listen(ears: Ears, leave: oneshot::Receiver<()>) {
    let mut leave = pin!(leave);
    let mut pause = SHORTEST_PAUSE;
    loop {
        let connection = OnceLock::new();
        let ended = unless(leave.as_mut(), ears.listen_once(&connection)).await;
        ears.listener.hear(&Notice::Lost);
        let Some(End { why, was_told }) = ended else {
            if let Some(Connection { client, .. }) = connection.get() {
                // So that nobody has to tell us any more. Where that is not heard, the lease ends by itself.
                let _ = timeout(GOODBYE, ears.unlisten(client)).await;
            }
            return;
        };
        if was_told {
            warn!(store = %ears.settings, why, "the commits of others are not heard any more");
            pause = SHORTEST_PAUSE;
        } else {
            debug!(store = %ears.settings, why, "the commits of others are not heard");
        }
        if unless(leave.as_mut(), sleep(spread(pause))).await.is_none() {
            return;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// What comes of `work`, unless it is to leave before.
async fn unless<T>(mut leave: Pin<&mut oneshot::Receiver<()>>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match leave.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(context).map(Some),
    })
    .await
}

/// Between half of it and once and a half, so that a fleet that lost its server does not come back as one.
fn spread(pause: Duration) -> Duration {
    let thousandths = u32::try_from(RandomState::new().hash_one(0) % 1000).unwrap_or_default();
    pause / 2 + pause * thousandths / 1000
}

/// Why it listens no more.
struct End {
    why: String,
    was_told: bool,
}

/// The connection that listens. What serves it ends with it, whatever it waits for.
struct Connection {
    client: Client,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ears {
    async fn listen_once(&self, connection: &OnceLock<Connection>) -> End {
        let mut was_told = false;
        let why = match self.hear_all(connection, &mut was_told).await {
            Ok(why) => why.to_owned(),
            Err(failure) => failure.named(&*self.settings).to_string(),
        };
        End { why, was_told }
    }

    /// The steps that `notices.sql` tells of.
    async fn hear_all(&self, connection: &OnceLock<Connection>, was_told: &mut bool) -> Result<&'static str, Failure> {
        if !self.settings.reads_what_is_committed() {
            return Ok(FROM_STANDBYS);
        }
        let (say, mut said) = mpsc::channel(MOST_WAITING);
        let (client, task) = connect::listening(&self.settings, say).await.map_err(Failure::Connect)?;
        let Connection { client, .. } = connection.get_or_init(|| Connection { client, task });
        self.asked.begin();
        let listen = format!("LISTEN \"{}\"", self.channel());
        in_time(async { Ok(client.batch_execute(&listen).await?) }).await?;
        if self.lease(client).await?.is_none() {
            return Ok(HALF_FULL);
        }
        if !self.comes_through(client, &mut said).await? {
            return Ok(
                "what is notified does not come through; where a pooler stands between, name a way past it with \
                       listen=HOST:PORT",
            );
        }
        self.wait_for_writers(client).await?;
        if !self.asked.regain(&*self.listener) {
            return Ok(FORGOTTEN);
        }
        *was_told = true;
        info!(store = %self.settings, "the commits of others are heard");
        let mut beat = Instant::now() + BEAT;
        loop {
            if Instant::now() >= beat {
                match self.lease(client).await? {
                    Some(true) => beat = Instant::now() + BEAT,
                    Some(false) => return Ok("its lease was over"),
                    None => return Ok(HALF_FULL),
                }
            }
            match timeout_at(beat, said.recv()).await {
                Ok(Some(text)) => self.pass_on(client, &mut said, text).await?,
                Ok(None) => return Ok("the connection that listens is closed"),
                Err(_) => {}
            }
            if self.asked.has_forgotten() {
                return Ok(FORGOTTEN);
            }
        }
    }

    /// Whether there was a lease all the time; `None` where none is to be had.
    async fn lease(&self, client: &Client) -> Result<Option<bool>, Failure> {
        let text = self.settings.schema.fill("SELECT @schema@.listen($1)");
        let parameters = [(&self.id.as_bytes().as_slice() as _, Type::BYTEA)];
        let rows = in_time(async { Ok(client.query_typed(&text, &parameters).await?) }).await?;
        Ok(rows.first().and_then(|row| row.try_get(0).ok()).flatten())
    }

    async fn unlisten(&self, client: &Client) -> Result<(), Failure> {
        let text = self.settings.schema.fill("SELECT @schema@.unlisten($1)");
        client.query_typed(&text, &[(&self.id.as_bytes().as_slice(), Type::BYTEA)]).await?;
        Ok(())
    }

    /// Notifies by the way by which this process writes, and waits for it. A pooler that lends a connection for one
    /// transaction alone takes what is notified between two of them, and says nothing.
    async fn comes_through(&self, client: &Client, said: &mut mpsc::Receiver<String>) -> Result<bool, Failure> {
        let nonce = hex("probe ", Token::generate()?.as_bytes());
        let (notifier, mut talk) = connect::working(&self.settings).await.map_err(Failure::Connect)?;
        let channel = self.channel();
        let parameters = [(&channel as _, Type::TEXT), (&nonce as _, Type::TEXT)];
        let notified = notifier.query_typed("SELECT pg_catalog.pg_notify($1, $2)", &parameters);
        in_time(async { Ok(talk.during(notified).await?) }).await?;
        drop(notifier);
        let end = Instant::now() + PATIENCE;
        loop {
            match timeout_at(end, said.recv()).await {
                Ok(Some(text)) if text == nonce => return Ok(true),
                Ok(Some(text)) => self.pass_on(client, said, text).await?,
                Ok(None) => return Err(Failure::Lost("the connection that listens is closed".to_owned())),
                Err(_) => return Ok(false),
            }
        }
    }

    /// Waits for everybody who may have looked for leases before there was this one.
    async fn wait_for_writers(&self, client: &Client) -> Result<(), Failure> {
        let text = self.settings.schema.fill("SELECT @schema@.writing()");
        let writing = async || {
            let rows = in_time(async { Ok(client.query_typed(&text, &[]).await?) }).await?;
            let found: Option<Vec<String>> = rows.first().and_then(|row| row.try_get(0).ok());
            let senseless = || Failure::Answer(Error::Corrupt { what: "an answer of the store".to_owned() });
            found.map(BTreeSet::from_iter).ok_or_else(senseless)
        };
        let mut before: BTreeSet<String> = writing().await?;
        let (mut beat, mut pause) = (Instant::now() + BEAT, Duration::from_millis(2));
        while !before.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(250));
            if Instant::now() >= beat {
                if self.lease(client).await? != Some(true) {
                    return Err(Failure::Lost("its lease was over".to_owned()));
                }
                beat = Instant::now() + BEAT;
            }
            let now = writing().await?;
            before.retain(|writer| now.contains(writer));
        }
        Ok(())
    }

    fn channel(&self) -> String {
        hex("secretkit_", self.store.as_bytes())
    }
}

fn hex(before: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(before.to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(PATIENCE, work).await.unwrap_or(Err(Failure::Silent))
}

const HALF_FULL: &str = "the server's queue of notifications is half full: somebody listens and takes none";
const FROM_STANDBYS: &str = "what is read may come from a standby, which knows of a commit later than who is told of it; say \
                             target_session_attrs=read-write";
const FORGOTTEN: &str = "more orgs were asked about than are kept in mind";

/// A lease is 30 seconds long. It is asked for again this often, which also tells whether the connection lives.
const BEAT: Duration = Duration::from_secs(3);

/// How long an answer may take: so a connection that died in silence is noticed within this and a [`BEAT`].
const PATIENCE: Duration = Duration::from_secs(3);

/// Before it is tried again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long whoever closes the store waits for the lease to be given back.
pub(crate) const GOODBYE: Duration = Duration::from_millis(250);

/// Notifications that have come and were not looked at yet. Where more come, the connection is given up.
const MOST_WAITING: usize = 10_000;
