//! How logins get and lose their roles, and what that takes.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use secretkit_core::{Error, ErrorKind, PutMode, SecretValue};
use secretkit_postgres::{PostgresStore, PostgresUrl, StoreRole, grant, grants, migrate, revoke, roles_sql};
use secretkit_test_postgres::Address;
use support::tenants::{Tenants, part};
use support::{Home, get, id, put, url};

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, words: &str) {
    let error = outcome.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains(words), "{error}");
}

/// Groups of its own, although all tests share a server.
fn prefix(home: &Home) -> Option<&str> {
    Some(home.database.name())
}

#[test]
fn what_is_granted_holds_until_it_is_revoked() {
    let Some(tenants) = Tenants::new() else { return };
    let (login, url) = (tenants.home.database.role(), tenants.home.url());
    let name = login.user_name();
    let open = || PostgresStore::open(&url_of(&login));
    refused(open(), "secretkit store grant");
    assert!(tenants.grant(&login, StoreRole::Writer, "acme"));
    assert!(!tenants.grant(&login, StoreRole::Writer, "acme"));
    assert!(tenants.grant(&login, StoreRole::Writer, "beta"));
    // What the groups are called is known from now on.
    assert!(!grant(&url, name, StoreRole::Writer, &part("beta"), None).unwrap());
    let all = grants(&url).unwrap();
    let told: Vec<_> = all.iter().map(|grant| (grant.login.as_str(), grant.role, grant.org.as_str())).collect();
    assert_eq!(told, [(name, Some(StoreRole::Writer), "acme"), (name, Some(StoreRole::Writer), "beta")]);

    let secrets = tenants.secrets(&login);
    assert_eq!(get(&secrets, "beta:token"), b"t0k3n");
    assert_eq!(revoke(&url, name, Some(&part("beta"))).unwrap(), 1);
    // At once, for who is logged in and has read it before.
    assert_eq!(secrets.get(&id("beta:token")).unwrap_err().kind(), ErrorKind::NotFound);
    let update = secrets.put(&id("beta:token"), &SecretValue::copied_from(b"no"), PutMode::Overwrite);
    assert!(matches!(update, Err(Error::StoreDenied { .. })), "{update:?}");
    put(&secrets, "acme:token", b"yes");
    assert_eq!(revoke(&url, name, None).unwrap(), 1);
    refused(secrets.get(&id("acme:token")), "secretkit store grant");
    refused(open(), "secretkit store grant");
    assert_eq!((revoke(&url, name, None).unwrap(), grants(&url).unwrap().len()), (0, 0));
    // It may be given another role now.
    assert!(tenants.grant(&login, StoreRole::Auditor, "acme"));
    assert_eq!(get(&tenants.secrets(&login), "acme:token"), b"yes");
}

#[test]
fn who_gets_the_name_of_a_login_that_was_dropped_is_somebody_else() {
    let Some(tenants) = Tenants::new() else { return };
    let (database, url) = (&tenants.home.database, tenants.home.url());
    let sees = |login: &Address| {
        database.sql_as(login, "SELECT string_agg(DISTINCT org, ' ') FROM secretkit.secrets;").unwrap()
    };
    let rows = || database.sql("SELECT count(*) FROM secretkit.logins;");
    let login = tenants.login(StoreRole::Reader, &["acme"]);
    let name = login.user_name();
    let again = format!("CREATE ROLE {name} LOGIN PASSWORD '{}';", login.password_text());
    database.sql(&format!("DROP ROLE {name}; {again}"));
    assert_eq!((rows().as_str(), grants(&url).unwrap().len()), ("1", 0), "what is left is nobody's");
    assert!(tenants.grant(&login, StoreRole::Reader, "beta"));
    assert_eq!((sees(&login).as_str(), rows().as_str()), ("beta", "1"));
    assert_eq!(tenants.secrets(&login).get(&id("acme:token")).unwrap_err().kind(), ErrorKind::NotFound);

    // A login that is called otherwise stays who it is, whatever it is called, and its name is free.
    let called = format!("{name}.\"Other\" r\u{f4}le");
    database.sql(&format!("ALTER ROLE {name} RENAME TO \"{}\"; {again}", called.replace('"', "\"\"")));
    let renamed = login.clone().user(&called);
    assert!(tenants.grant(&login, StoreRole::Reader, "acme"));
    assert_eq!((sees(&renamed).as_str(), sees(&login).as_str()), ("beta", "acme"));
    let told: Vec<_> = grants(&url).unwrap().into_iter().map(|grant| (grant.login, grant.org.to_string())).collect();
    assert_eq!(told, [(name.to_owned(), "acme".to_owned()), (called.clone(), "beta".to_owned())]);
    assert!(!tenants.grant(&renamed, StoreRole::Reader, "beta"));
    assert_eq!(revoke(&url, &called, None).unwrap(), 1);
    refused(PostgresStore::open(&url_of(&renamed)), "secretkit store grant");
    assert_eq!(sees(&login), "acme");
    // What a revocation finds of somebody who is gone goes with it.
    database.sql(&format!("DROP ROLE {name};"));
    assert_eq!((revoke(&url, name, None).unwrap(), rows().as_str()), (0, "0"));
}

#[test]
fn nobody_holds_up_their_own_revocation() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Writer, &["acme", "beta"]);
    let address = login.clone().with("application_name", "holds");
    std::thread::scope(|scope| {
        let holds = scope.spawn(|| {
            let everything = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('secretkit migrate', 0)); \
                SELECT pg_advisory_xact_lock(secretkit.lock_key('org', org)) FROM secretkit.logins; \
                SELECT count(*) FROM secretkit.migrations; SELECT FROM secretkit.secrets FOR UPDATE; \
                SELECT secretkit.listen(decode(repeat('00', 16), 'hex')); SELECT pg_sleep(90);";
            tenants.home.database.sql_as(&address, everything)
        });
        let state =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holds' AND wait_event = 'PgSleep';";
        while tenants.home.database.sql(state) == "0" {
            assert!(!holds.is_finished());
        }
        let (url, name) = (tenants.home.url(), login.user_name());
        assert_eq!(grants(&url).unwrap().len(), 2);
        assert_eq!(revoke(&url, name, Some(&part("beta"))).unwrap(), 1);
        assert_eq!(revoke(&url, name, None).unwrap(), 1);
        tenants.login(StoreRole::Reader, &["beta"]);
        assert!(migrate(&url).unwrap().is_current());
        assert!(!holds.is_finished());
        tenants.home.database.terminate_backends();
        holds.join().unwrap().unwrap_err();
    });
}

fn url_of(address: &Address) -> PostgresUrl {
    url(address)
}

#[test]
fn a_login_that_nothing_restricts_gets_no_role() {
    let Some(tenants) = Tenants::new() else { return };
    let (home, name) = (&tenants.home, tenants.home.database.name());
    let give = |login: &str, role| grant(&home.url(), login, role, &part("acme"), prefix(home));
    refused(give("nobody_of_that_name", StoreRole::Reader), "no login nobody_of_that_name");
    refused(give(name, StoreRole::Reader), "owns the tables");
    for (attribute, words) in [
        ("SUPERUSER", "superuser"),
        ("BYPASSRLS", "BYPASSRLS"),
        ("CREATEROLE", "CREATEROLE"),
        ("REPLICATION", "log"),
        ("NOLOGIN", "nobody logs in"),
        ("NOINHERIT", "NOINHERIT"),
    ] {
        let login = home.database.role();
        home.database.sql(&format!("ALTER ROLE {} {attribute};", login.user_name()));
        refused(give(login.user_name(), StoreRole::Reader), words);
    }
    let member = home.database.role();
    home.database.sql(&format!("GRANT {name} TO {};", member.user_name()));
    refused(give(member.user_name(), StoreRole::Reader), "can become who does");
    let superuser = home.database.superuser();
    for (group, words) in [("pg_read_server_files", "files"), (superuser.user_name(), "superuser")] {
        let member = home.database.role();
        home.database.sql(&format!("GRANT {group} TO {};", member.user_name()));
        refused(give(member.user_name(), StoreRole::Reader), words);
    }
    // Nor one that may put something of its own beside the tables.
    let creator = home.database.role();
    let creator = creator.user_name();
    for (given, taken) in [
        (
            "GRANT CREATE ON SCHEMA secretkit TO PUBLIC".to_owned(),
            "REVOKE CREATE ON SCHEMA secretkit FROM PUBLIC".to_owned(),
        ),
        (
            format!(
                "CREATE ROLE {name}_group NOINHERIT; GRANT {name}_group TO {creator}; \
                     GRANT CREATE ON SCHEMA secretkit TO {name}_group"
            ),
            format!("REVOKE {name}_group FROM {creator}"),
        ),
        (
            format!("ALTER SCHEMA secretkit OWNER TO {creator}; GRANT ALL ON SCHEMA secretkit TO {name}"),
            format!("ALTER SCHEMA secretkit OWNER TO {name}"),
        ),
    ] {
        home.database.sql(&format!("{given};"));
        refused(give(creator, StoreRole::Reader), "may create in the schema");
        home.database.sql(&format!("{taken};"));
    }
    // Nor one that needs no role to write.
    for (given, taken) in [
        (format!("GRANT pg_write_all_data TO {creator}"), format!("REVOKE pg_write_all_data FROM {creator}")),
        (
            format!("GRANT TRUNCATE ON secretkit.events TO {creator}"),
            format!("REVOKE TRUNCATE ON secretkit.events FROM {creator}"),
        ),
        (
            format!(
                "CREATE ROLE {name}_others; GRANT DELETE ON secretkit.logins TO {name}_others; \
                 GRANT {name}_others TO {creator}"
            ),
            format!("REVOKE {name}_others FROM {creator}"),
        ),
        (
            "GRANT UPDATE ON secretkit.store TO PUBLIC".to_owned(),
            "REVOKE UPDATE ON secretkit.store FROM PUBLIC".to_owned(),
        ),
    ] {
        home.database.sql(&format!("{given};"));
        refused(give(creator, StoreRole::Reader), "may write to the tables whatever its role is");
        home.database.sql(&format!("{taken};"));
    }
    let reader = tenants.login(StoreRole::Reader, &["acme"]);
    refused(give(reader.user_name(), StoreRole::Writer), "one login has one role");
    // Nothing of all that has been done by halves.
    assert_eq!(grants(&home.url()).unwrap().len(), 1);
    let members = format!(
        "SELECT count(*) FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member \
         WHERE r.rolname LIKE '{name}\\_%' AND m.roleid::regrole::text LIKE '{name}\\_%';"
    );
    assert_eq!(home.database.sql(&members), "1");
}

#[test]
fn who_may_not_make_groups_is_told_and_an_administrator_makes_them() {
    let Some(home) = Home::filled() else { return };
    let login = home.database.role();
    let give = || grant(&home.url(), login.user_name(), StoreRole::Reader, &part("acme"), prefix(&home));
    refused(give(), "CREATEROLE");
    assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.roles;"), "0");
    let sql = roles_sql(&home.url(), prefix(&home)).unwrap();
    // The groups without the right to hand them out: what is missing is told.
    let (made, _) = sql.split_once("GRANT ").unwrap();
    home.database.sql(made);
    refused(give(), "ADMIN OPTION");
    assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.logins;"), "0");
    home.database.sql(&sql[made.len()..]);
    assert!(give().unwrap());
    assert_eq!(get(&home.secrets(PostgresStore::open(&url(&login)).unwrap()), "acme:token"), b"t0k3n");
    assert_eq!(revoke(&home.url(), login.user_name(), None).unwrap(), 1);
    refused(PostgresStore::open(&url(&login)), "secretkit store grant");
    // The owner was made no superuser, and nobody else gives or shows anything.
    let other = home.database.role();
    assert!(give().unwrap());
    for outsider in [&other, &login] {
        refused(grant(&url(outsider), other.user_name(), StoreRole::Reader, &part("acme"), None), "");
        refused(revoke(&url(outsider), login.user_name(), None), "");
        refused(grants(&url(outsider)), "");
    }
    refused(grants(&url(&login)), &format!("log in as {}", home.database.name()));
}

#[test]
fn groups_are_called_by_the_schema_unless_they_are_called_otherwise() {
    let Some(home) = Home::new() else { return };
    home.database.sql(&format!("ALTER ROLE {} CREATEROLE;", home.database.name()));
    let login = home.database.role();
    // A name that has to be quoted everywhere. It begins with that of the database, with which it goes.
    let schema = format!("{} \"X\" @reader@", home.database.name());
    let address = home.database.address().with("schema", &schema);
    put(&home.secrets(PostgresStore::create(&url(&address)).unwrap()), "acme:token", b"1");
    let give = |prefix| grant(&url(&address), login.user_name(), StoreRole::Reader, &part("acme"), prefix);
    assert!(give(None).unwrap());
    let there =
        format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{} \"X\" @reader@\\_%';", home.database.name());
    assert_eq!(home.database.sql(&there), "4");
    let opened = home.secrets(PostgresStore::open(&url(&login.clone().with("schema", &schema))).unwrap());
    assert_eq!(get(&opened, "acme:token"), b"1");
    let otherwise = give(Some("other")).unwrap_err();
    assert!(otherwise.kind() == ErrorKind::Unsupported && otherwise.to_string().contains("already"), "{otherwise}");
    for bad in ["", "pg_x", &"x".repeat(60)] {
        let home = Home::filled().unwrap();
        let refused = roles_sql(&home.url(), Some(bad)).unwrap_err();
        assert!(refused.kind() == ErrorKind::Unsupported && refused.to_string().contains("prefix"), "{refused}");
    }
}

#[test]
fn the_printed_sql_is_all_it_takes() {
    let Some(home) = Home::filled() else { return };
    let name = home.database.name();
    home.database.sql(&roles_sql(&home.url(), prefix(&home)).unwrap());
    // It may be run again, but for the groups that are there.
    let rights = roles_sql(&home.url(), None).unwrap();
    home.database.sql(&rights[rights.find("\nGRANT ").unwrap()..]);
    let login = home.database.role();
    let user = login.user_name();
    home.database.sql(&format!(
        "INSERT INTO secretkit.logins (login, org) VALUES ('{user}', 'acme'); GRANT {name}_reader TO {user};"
    ));
    let secrets = home.secrets(PostgresStore::open(&url(&login)).unwrap());
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    assert_eq!(secrets.get(&id("other:token")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(migrate(&home.url()).unwrap().is_current());
    assert_eq!(grants(&home.url()).unwrap()[0].role, Some(StoreRole::Reader));
}
