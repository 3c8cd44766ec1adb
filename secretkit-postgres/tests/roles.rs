//! What each role can do through the front door, and what it cannot.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;

use secretkit_core::deliver::{Delivery, DeliveryOptions};
use secretkit_core::seal::{KeyState, KeyUse, RootKeys};
use secretkit_core::store::{Listener, Notice, Target, Want, Within};
use secretkit_core::{
    Description, Error, ErrorKind, MetadataEdit, PutMode, Result, Revision, RootKey, SecretRequest, SecretStore,
    SecretValue, Secrets, Setting, Verified,
};
use secretkit_postgres::{PostgresStore, StoreRole};
use support::ears::Ears;
use support::tenants::{OF_ORGS, OF_SECRETS, Tenants, consumer, part, with_keys};
use support::{get, id, put, url};

const PASSWORD: &str = "acme/etl:db/password";

fn new() -> SecretValue {
    SecretValue::copied_from(b"new")
}

fn described(text: &str) -> MetadataEdit {
    let mut edit = MetadataEdit::default();
    edit.description = Setting::Set(Description::parse(text).unwrap());
    edit
}

/// Everything that only reads, in the org that the login sees; and that it sees no other.
fn reads(secrets: &Secrets) {
    let (scope, password) = ("acme/etl/production".parse().unwrap(), id(PASSWORD));
    let requests = ["db/password", "token", "gone"].map(|name| SecretRequest::new(name.parse().unwrap()));
    let resolved = secrets.resolve_many(&scope, &requests).unwrap();
    let values: Vec<_> = resolved.iter().flatten().map(|resolved| resolved.value.expose_secret().to_vec()).collect();
    assert_eq!(values, [b"second".to_vec(), b"t0k3n".to_vec()]);
    assert_eq!(get(secrets, PASSWORD), b"second");
    let first = secrets.get_revision(&password, Revision::FIRST).unwrap();
    assert_eq!(first.value.expose_secret(), b"first");
    let info = secrets.info(&password).unwrap();
    assert!(info.last_used().is_some());
    let listed =
        |org: &str| secrets.list(Within::Org(part(org)), 2).collect::<Result<Vec<_>>>().unwrap().concat().len();
    assert_eq!((listed("acme"), listed("beta")), (3, 0));
    assert_eq!(secrets.history(&password).unwrap().len(), 2);
    assert_eq!(secrets.consumers(&password).unwrap().len(), 1);
    assert!(secrets.verify_value(&password, &SecretValue::copied_from(b"second")).unwrap());
    assert_eq!(secrets.keys().orgs().unwrap().len(), 1);
    assert!(!secrets.store().sees_all_orgs().unwrap());
    assert!(secrets.keys().status(&part("acme")).unwrap().keys.iter().any(|(_, items)| *items > 0));
    let events: Vec<_> = secrets.events(&part("acme")).collect::<Result<_>>().unwrap();
    assert!(events.len() > 5, "{}", events.len());
    let told: Vec<_> = secrets.verify(&part("acme")).flat_map(Result::unwrap).collect();
    assert!(told.iter().all(|told| matches!(told, Verified::Progress(_))), "{told:?}");

    let hidden = id("beta/etl:db/password");
    assert_eq!(secrets.get(&hidden).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(secrets.history(&hidden).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(secrets.keys().status(&part("beta")).is_err());
    assert_eq!(secrets.events(&part("beta")).count(), 0);
}

/// What it takes a writer for.
fn writes(secrets: &Secrets) -> Vec<(&'static str, Result<()>)> {
    let (password, token) = (id(PASSWORD), id("acme:token"));
    vec![
        ("create", secrets.put(&id("acme:new"), &new(), PutMode::Create).map(drop)),
        ("overwrite", secrets.put(&token, &new(), PutMode::Overwrite).map(drop)),
        ("update", secrets.update(&password, &new()).map(drop)),
        ("edit", secrets.edit(&password, &described("changed"), None).map(drop)),
        ("rollback", secrets.rollback(&password, Revision::FIRST, None).map(drop)),
        ("prune", secrets.prune(&password, 0).map(drop)),
        ("delete", secrets.delete(&id("acme:spare")).map(drop)),
        ("add a consumer", secrets.add_consumer(&token, &consumer("billing")).map(drop)),
        ("remove a consumer", secrets.remove_consumer(&password, &consumer("payroll")).map(drop)),
    ]
}

/// What it takes a rotator for.
fn rotations(secrets: &Secrets) -> Vec<(&'static str, Result<()>)> {
    let (keys, org) = (secrets.keys(), part("acme"));
    vec![
        ("add a key", keys.add(&org, KeyUse::Data).map(drop)),
        ("rewrap", keys.rewrap().map(drop)),
        ("destroy all", keys.destroy_all(&org)),
    ]
}

#[track_caller]
fn all_denied(tenants: &Tenants, outcomes: impl FnOnce() -> Vec<(&'static str, Result<()>)>, role: StoreRole) {
    let before = ["acme", "beta"].map(|org| tenants.rows(org));
    for (what, outcome) in outcomes() {
        match outcome {
            Err(error @ Error::StoreDenied { .. }) => {
                let told = error.to_string();
                assert!(told.contains(&format!("the role {role} in acme")), "{what}: {told}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(["acme", "beta"].map(|org| tenants.rows(org)), before, "something was done by halves");
}

#[test]
fn a_reader_reads_records_uses_and_changes_nothing() {
    let Some(tenants) = Tenants::new() else { return };
    let secrets = tenants.secrets(&tenants.login(StoreRole::Reader, &["acme"]));
    reads(&secrets);
    let used = || tenants.home.database.sql("SELECT count(*) FROM secretkit.usage;");
    assert_eq!(used(), "2");
    secrets.record_uses();
    assert_eq!(used(), "3", "the token was read, too");
    assert!(secrets.info(&id("acme:token")).unwrap().last_used().is_some());
    all_denied(&tenants, || writes(&secrets), StoreRole::Writer);
    all_denied(&tenants, || rotations(&secrets), StoreRole::Rotator);

    // A task gets what it asked for, and is told that it could not be noted as a consumer.
    let mut options = DeliveryOptions::default();
    options.consumer = Some(consumer("nightly"));
    let request = SecretRequest::new("token".parse().unwrap()).with_variable("TOKEN".parse().unwrap());
    let delivery = Delivery::prepare(&secrets, &"acme/etl".parse().unwrap(), &[request], &options).unwrap();
    assert!(matches!(delivery.registration(), Err(Error::StoreDenied { .. })), "{:?}", delivery.registration());
    assert_eq!(delivery.get(&"token".parse().unwrap(), None).unwrap().value.expose_secret(), b"t0k3n");
}

#[test]
fn a_reader_who_spoils_last_uses_holds_up_nobody() {
    let Some(tenants) = Tenants::new() else { return };
    let (login, org) = (tenants.login(StoreRole::Reader, &["acme"]), part("acme"));
    let owner = &tenants.owner;
    owner.get(&id("acme:token")).unwrap();
    tenants.secrets(&login).get(&id("acme:spare")).unwrap();
    owner.record_uses();
    let old = |used_for| {
        let status = owner.keys().status(&org).unwrap();
        status.in_state(used_for, KeyState::Primary).map(|key| key.id).next().unwrap()
    };
    for mac in ["'\\x00'", "decode(md5('x'), 'hex')", "substr(mac, 1, 17) || sha256('x')"] {
        let spoil = format!("UPDATE secretkit.usage SET used_at = 9223372036854775807, mac = {mac};");
        tenants.home.database.sql_as(&login, &spoil).unwrap();
        let listed = owner.list(Within::Org(org.clone()), 2).collect::<Result<Vec<_>>>().unwrap().concat();
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|info| info.last_used().is_none()), "{listed:?}");
        assert!(owner.info(&id(PASSWORD)).unwrap().last_used().is_none());
        owner.add_consumer(&id(PASSWORD), &consumer("nightly")).unwrap();
        let before = old(KeyUse::Meta);
        owner.keys().promote(&org, owner.keys().add(&org, KeyUse::Meta).unwrap().id).unwrap();
        let progress = owner.keys().reencrypt(&org, 2).collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(progress.last().unwrap().rewritten, 3);
        owner.keys().retire(&org, before).unwrap();
        owner.keys().destroy(&org, before).unwrap();
        let told = owner.verify(&org).flat_map(Result::unwrap);
        assert!(told.into_iter().any(|told| matches!(told, Verified::Wrong(_))), "it is found all the same");
    }
    // The owner can take them away, and then uses are recorded again.
    tenants.home.database.sql("DELETE FROM secretkit.usage;");
    let again = tenants.secrets(&login);
    again.get(&id("acme:token")).unwrap();
    again.record_uses();
    assert!(owner.info(&id("acme:token")).unwrap().last_used().is_some());
    assert!(owner.verify(&org).flat_map(Result::unwrap).all(|told| matches!(told, Verified::Progress(_))));
}

#[test]
fn every_role_hears_of_changes() {
    let Some(tenants) = Tenants::new() else { return };
    for role in StoreRole::ALL {
        let store = PostgresStore::open(&url(&tenants.login(role, &["acme"]))).unwrap();
        let ears = Ears::new();
        store.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
        ears.wait_for(&Notice::Regained, 1);
        let token = id("acme:token");
        store.fetch(&[Want { target: Target::Exact(token.clone()), revision: None }]).unwrap();
        let changed = put(&tenants.owner, "acme:token", b"changed").id;
        ears.wait_for(&Notice::Secret(part("acme"), changed), 1);
    }
}

#[test]
fn a_writer_writes_secrets_and_no_keys() {
    let Some(tenants) = Tenants::new() else { return };
    let secrets = tenants.secrets(&tenants.login(StoreRole::Writer, &["acme", "fresh"]));
    reads(&secrets);
    all_denied(&tenants, || rotations(&secrets), StoreRole::Rotator);
    let others = tenants.rows("beta");
    for (what, outcome) in writes(&secrets) {
        outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(get(&tenants.owner, "acme:new"), b"new");
    assert_eq!(tenants.owner.get(&id("acme:spare")).unwrap_err().kind(), ErrorKind::NotFound);
    // The first secret of an org makes its keyring, where the org is this login's.
    put(&secrets, "fresh:token", b"1");
    assert_eq!(get(&tenants.owner, "fresh:token"), b"1");
    for address in ["beta:new", "nobody:new"] {
        let refused = secrets.put(&id(address), &new(), PutMode::Create).unwrap_err();
        assert!(matches!(refused, Error::StoreDenied { .. }), "{refused:?}");
    }
    assert_eq!(tenants.rows("beta"), others);
    assert_eq!(tenants.home.database.sql("SELECT count(*) FROM secretkit.keyring;"), "3");
}

#[test]
fn a_rotator_changes_keys_and_no_secret() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Rotator, &["acme"]);
    let secrets = tenants.secrets(&login);
    reads(&secrets);
    all_denied(&tenants, || writes(&secrets), StoreRole::Writer);
    let (org, others) = (part("acme"), tenants.rows("beta"));
    for used_for in [KeyUse::Data, KeyUse::Meta, KeyUse::Digest] {
        let old: Vec<_> =
            secrets.keys().status(&org).unwrap().in_state(used_for, KeyState::Primary).map(|key| key.id).collect();
        let added = secrets.keys().add(&org, used_for).unwrap();
        secrets.keys().promote(&org, added.id).unwrap();
        secrets.record_uses();
        let progress: Vec<_> = secrets.keys().reencrypt(&org, 2).collect::<Result<_>>().unwrap();
        assert_eq!(progress.last().unwrap().rewritten, 3);
        for key in old {
            secrets.keys().retire(&org, key).unwrap();
            secrets.keys().destroy(&org, key).unwrap();
        }
    }
    let second = Arc::new(RootKey::generate().unwrap());
    let both = RootKeys::new(Arc::clone(&second) as _).with_previous(Arc::clone(&tenants.home.key) as _);
    assert_eq!(with_keys(&login, Arc::new(both)).keys().rewrap().unwrap(), 1);
    reads(&with_keys(&login, second));
    assert_eq!(tenants.rows("beta"), others);
}

#[test]
fn an_auditor_reads_everything_and_leaves_no_trace() {
    let Some(tenants) = Tenants::new() else { return };
    let secrets = tenants.secrets(&tenants.login(StoreRole::Auditor, &["acme"]));
    let before = tenants.rows("acme");
    reads(&secrets);
    secrets.record_uses();
    assert_eq!(tenants.rows("acme"), before);
    all_denied(&tenants, || writes(&secrets), StoreRole::Writer);
    all_denied(&tenants, || rotations(&secrets), StoreRole::Rotator);
}

#[test]
fn nobody_has_more_than_is_written_down() {
    let Some(tenants) = Tenants::new() else { return };
    for role in StoreRole::ALL {
        tenants.login(role, &["acme"]);
    }
    let prefix = tenants.home.database.name();
    // Of every table, what each may do with whole rows, and which columns they may change.
    let rights = tenants.home.database.sql(&format!(
        "SELECT replace(r.rolname, '{prefix}_', ''), c.relname, \
            (SELECT string_agg(p, ' ') FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p \
             WHERE has_table_privilege(r.oid, c.oid, p)), \
            (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 \
             AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')) \
         FROM pg_roles AS r, pg_class AS c WHERE c.relnamespace = 'secretkit'::regnamespace AND c.relkind = 'r' \
            AND r.rolname LIKE '{prefix}\\_%er' OR c.relnamespace = 'secretkit'::regnamespace AND c.relkind = 'r' \
            AND r.rolname LIKE '{prefix}\\_%or' ORDER BY 1, 2;"
    ));
    let some: Vec<_> = rights.lines().filter(|line| !line.ends_with("||0")).collect();
    assert_eq!(
        some,
        [
            "reader|usage|INSERT|3",
            "rotator|consumers||1",
            "rotator|events|INSERT|0",
            "rotator|keyring||4",
            "rotator|lanes|INSERT|2",
            "rotator|revisions||3",
            "rotator|secrets||3",
            "rotator|settled|INSERT|1",
            "rotator|usage|INSERT|3",
            "writer|consumers|INSERT DELETE|3",
            "writer|events|INSERT|0",
            "writer|keyring|INSERT|0",
            "writer|lanes|INSERT|2",
            "writer|revisions|INSERT DELETE|0",
            "writer|secrets|INSERT DELETE|17",
            "writer|settled|INSERT|1",
            "writer|usage|INSERT|3",
        ]
    );
    // A table that is added is thought of: it belongs to orgs, or to nobody.
    let tables = tenants.home.database.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'secretkit'::regnamespace AND relkind IN ('r', 'v', 'm', 'p') \
         AND NOT (relrowsecurity AND NOT relforcerowsecurity) ORDER BY 1;",
    );
    assert_eq!(tables, "migrations\nstore");
    let protected = tenants
        .home
        .database
        .sql("SELECT relname FROM pg_class WHERE relnamespace = 'secretkit'::regnamespace AND relrowsecurity;");
    for table in protected.lines() {
        assert!(
            OF_ORGS.contains(&table)
                || OF_SECRETS.contains(&table)
                || ["listeners", "logins", "roles"].contains(&table),
            "{table}"
        );
    }
    // And nobody is given anything by being there.
    let everybody = tenants.home.database.sql(
        "SELECT count(*) FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a \
         WHERE pronamespace = 'secretkit'::regnamespace AND a.grantee = 0;",
    );
    assert_eq!(everybody, "0");
}
