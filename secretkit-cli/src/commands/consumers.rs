//! `secretkit use`.

use secretkit::{Consumer, ConsumerInfo, SecretInfo, SecretRef};

use super::Session;
use crate::arguments::{Consumers, NameArguments, OneConsumer, StaleConsumers, Use};
use crate::failure::Stop;
use crate::json::ConsumerObject;
use crate::metadata;
use crate::rows::{self, Column, Row};
use crate::times::to_the_second;

pub(super) fn run(session: &Session, command: Use) -> Result<(), Stop> {
    match command {
        Use::Add(arguments) => {
            let (secret, consumer) = secret_and_consumer(session, arguments)?;
            let info = session.existing()?.add_consumer(secret, &consumer)?;
            wrote(session, &format!("{consumer} uses"), &info)
        }
        Use::Remove(arguments) => {
            let (secret, consumer) = secret_and_consumer(session, arguments)?;
            let info = session.existing()?.remove_consumer(secret, &consumer)?;
            wrote(session, &format!("{consumer} no longer uses"), &info)
        }
        Use::List(Consumers { name, id }) => {
            let secret = session.reference(name.or_id(&id)?);
            let consumers = session.existing()?.consumers(secret)?;
            if consumers.is_empty() {
                session.console.notice("the secret has no consumers");
            }
            print(session, &consumers)
        }
        Use::Prune(arguments) => prune(session, &arguments),
    }
}

fn prune(session: &Session, arguments: &StaleConsumers) -> Result<(), Stop> {
    let secret = session.reference(arguments.name.or_id(&arguments.id)?);
    let span = metadata::span(&arguments.unseen_since)?;
    let secrets = session.existing()?;
    let removed = secrets.prune_consumers(secret, secrets.clock().now().saturating_sub(span))?;
    session.console.notice(&match removed.len() {
        0 => "no consumer was removed".to_owned(),
        1 => "removed 1 consumer".to_owned(),
        several => format!("removed {several} consumers"),
    });
    print(session, &removed)
}

/// Behind an option that names the secret, the one argument is the consumer.
fn secret_and_consumer(session: &Session, arguments: OneConsumer) -> Result<(SecretRef, Consumer), Stop> {
    let OneConsumer { name: NameArguments { name, name_option }, consumer, id } = arguments;
    let by_option = id.id.is_some() || name_option.is_some();
    let (name, consumer) = if by_option && consumer.is_none() { (None, name) } else { (name, consumer) };
    let secret = session.reference(NameArguments { name, name_option }.or_id(&id)?);
    let consumer = consumer.ok_or_else(|| {
        Stop::usage("no consumer is named", "give it behind the secret, as in: use add NAME CONSUMER".to_owned())
    })?;
    Ok((secret, metadata::plain("consumer", &consumer)?.parse()?))
}

fn wrote(session: &Session, what: &str, info: &SecretInfo) -> Result<(), Stop> {
    session.console.notice(&format!("{what} {}", info.address));
    session.print_object(info)
}

fn print(session: &Session, consumers: &[ConsumerInfo]) -> Result<(), Stop> {
    let seen: Vec<_> = consumers.iter().map(ConsumerObject::from).collect();
    rows::print(&session.console, &seen)
}

impl Row<3> for ConsumerObject<'_> {
    const COLUMNS: [Column; 3] = [Column::Text("CONSUMER"), Column::Date("LAST SEEN"), Column::Text("BY")];

    fn cells(&self) -> [String; 3] {
        [self.name.to_string(), to_the_second(self.seen_at), self.seen_by.to_owned()]
    }
}
