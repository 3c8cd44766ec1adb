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
        let mut next = Some(first);
        for _ in 0..MOST_AT_ONCE {
            let Some(text) = next else { break };
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
            next = said.try_recv().ok();
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
                let names: Vec<_> = found.iter().filter_map(rows::name).collect();
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
