//! From what the server says to notices.

use std::collections::{BTreeMap, BTreeSet};

use secretkit_core::store::Notice;
use secretkit_core::{Part, StableId};
use tokio::sync::mpsc;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Failure;
use crate::listening::{Ears, in_time};
use crate::rows;
use crate::said::{Said, What};

impl Ears {
    /// Passes on what was said, and what else has come by now.
    pub(crate) async fn pass_on(
        &self,
        client: &Client,
        said: &mut mpsc::Receiver<String>,
        first: String,
    ) -> Result<(), Failure> {
        let mut made: BTreeMap<Part, BTreeSet<StableId>> = BTreeMap::new();
        // One more is taken only where there is room for it: what is taken is passed on.
        let more = std::iter::from_fn(|| said.try_recv().ok()).take(MOST_AT_ONCE - 1);
        for text in std::iter::once(first).chain(more) {
            if let Some(Said { topic, what }) = Said::parse(&text)
                && let Some(org) = self.asked.org(&topic)
            {
                match what {
                    What::All => self.listener.hear(&Notice::Org(org)),
                    What::Secrets { changed, made: new } => {
                        // One that is new may have been asked for by its id before: a copy keeps the ids.
                        let all = changed.into_iter().chain(new.iter().copied());
                        all.for_each(|id| self.listener.hear(&Notice::Secret(org.clone(), id)));
                        if !new.is_empty() {
                            made.entry(org).or_default().extend(new);
                        }
                    }
                }
            }
        }
        for (org, ids) in made {
            self.name(client, org, &ids).await?;
        }
        Ok(())
    }

    /// A new secret can hide another one of its name. Its name is for those alone who may read it, so it is asked for.
    async fn name(&self, client: &Client, org: Part, ids: &BTreeSet<StableId>) -> Result<(), Failure> {
        let everything = || self.listener.hear(&Notice::Org(org.clone()));
        if ids.len() > MOST_NAMED {
            everything();
            return Ok(());
        }
        let text = self.settings.schema.fill("SELECT grp, key FROM @schema@.secrets WHERE org = $1 AND id = ANY ($2)");
        let given: Vec<_> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let parameters = [(&org.as_str() as _, Type::TEXT), (&given as _, Type::BYTEA_ARRAY)];
        match in_time(async { Ok(client.query_typed(&text, &parameters).await?) }).await {
            Ok(found) => {
                let names: Vec<_> = found.iter().filter_map(|row| rows::of(row).name()).collect();
                if names.len() == ids.len() {
                    names.into_iter().for_each(|name| self.listener.hear(&Notice::Name(org.clone(), name)));
                } else {
                    // Some are gone already, or cannot be read.
                    everything();
                }
                Ok(())
            }
            Err(failure) => {
                everything();
                if failure.spoils_connection() { Err(failure) } else { Ok(()) }
            }
        }
    }
}

/// Notifications, before anything else has its turn.
const MOST_AT_ONCE: usize = 1000;

/// Secrets of one org that are asked for by one statement.
const MOST_NAMED: usize = 1000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use secretkit_core::seal::StoreId;
    use secretkit_core::store::{Listener, Target, Token, Want};
    use secretkit_core::{PartKind, StableId};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::asked::Asked;
    use crate::connect;
    use crate::settings::Settings;
    use crate::url::PostgresUrl;

    #[derive(Debug, Default)]
    struct Heard(Mutex<BTreeSet<StableId>>);

    impl Listener for Heard {
        fn hear(&self, notice: &Notice) {
            if let Notice::Secret(_, id) = notice {
                self.0.lock().unwrap().insert(*id);
            }
        }
    }

    #[test]
    fn all_of_what_came_at_once_is_passed_on() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.address().with("target_session_attrs", "any").to_string().parse().unwrap();
        let settings = Arc::new(Settings::complete(url.given()).unwrap());
        let store = StoreId::generate().unwrap();
        let (heard, asked) = (Arc::new(Heard::default()), Arc::new(Asked::of(store)));
        let org = Part::parse(PartKind::Org, "acme").unwrap();
        let target = Target::Id(org.clone(), StableId::from_bytes([0; 16]));
        asked.note(&[Want { target, revision: None }], &*heard);
        let listener = Arc::clone(&heard) as Arc<dyn Listener>;
        let ears = Ears { settings: Arc::clone(&settings), store, id: Token::generate().unwrap(), listener, asked };

        let topic = Sha256::new().chain_update(store.as_bytes()).chain_update("acme").finalize();
        let topic: String = topic[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let count = 2 * MOST_AT_ONCE as u128 + 500;
        let (say, mut said) = mpsc::channel(count as usize);
        (0..count).for_each(|number| say.try_send(format!("{topic}~{number:032x}")).unwrap());
        drop(say);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, _talk) = connect::working(&settings).await.unwrap();
            while let Some(text) = said.recv().await {
                ears.pass_on(&client, &mut said, text).await.unwrap();
            }
        });
        let all: BTreeSet<_> = (0..count).map(|number| StableId::from_bytes(number.to_be_bytes())).collect();
        assert_eq!(*heard.0.lock().unwrap(), all);
    }
}
