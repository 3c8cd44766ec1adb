//! What a server and its wire can be put through.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use secretkit_test_postgres::{Durability, Options, Proxy, Server, Shown, database};

fn quick() -> Options {
    Options::new().durability(Durability::Relaxed)
}

#[test]
fn it_is_reached_by_tls_and_a_password_only() {
    let Some(server) = Server::start() else { return };
    let database = server.database();
    let right = database.address();
    let cipher = "SELECT ssl AND version = 'TLSv1.3' FROM pg_stat_ssl WHERE pid = pg_backend_pid();";
    assert_eq!(database.sql_as(&right, cipher).unwrap(), "t");
    let refused = |address, reason: &str| {
        let error = database.sql_as(&address, "SELECT 1;").unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(right.clone().with("sslmode", "disable"), "no encryption");
    refused(right.clone().password("wrong"), "password authentication failed");
    let other = server.other_authority().display().to_string();
    refused(right.clone().with("sslrootcert", &other), "certificate verify failed");
    server.show(Shown::OfAnotherHost);
    refused(right.clone(), "does not match host name");
    server.show(Shown::OfAnotherAuthority);
    refused(right.clone(), "certificate verify failed");
    server.show(Shown::Expired);
    refused(right.clone(), "certificate verify failed");
    server.show(Shown::Right);
    assert_eq!(database.sql_as(&right, cipher).unwrap(), "t");
}

#[test]
fn a_role_can_be_known_by_its_certificate() {
    let Some(server) = quick().access("hostssl all certified all cert").start() else { return };
    let database = server.database();
    server.sql("CREATE ROLE certified LOGIN;");
    let (certificate, key) = server.client_certificate("certified");
    let address = database.address().user("certified").password("");
    let address = address.with("sslcert", &certificate.display().to_string());
    let address = address.with("sslkey", &key.display().to_string());
    assert_eq!(database.sql_as(&address, "SELECT current_user;").unwrap(), "certified");
    assert!(database.sql_as(&address.without("sslcert").without("sslkey"), "SELECT 1;").is_err());
}

#[test]
fn it_logs_the_statements_of_clients_and_takes_settings_while_it_runs() {
    let Some(server) = quick().log_statements().start() else { return };
    let database = server.database();
    database.sql_as(&database.address(), "SELECT 'seen';").unwrap();
    assert!(server.log().contains("statement: SELECT 'seen';"), "{}", server.log());
    server.set("log_statement", Some("none"));
    database.sql_as(&database.address(), "SELECT 'unseen';").unwrap();
    assert!(!server.log().contains("unseen"), "{}", server.log());

    // Once in the log, and once in a table, in the write-ahead log and not only in memory.
    server.set("log_statement", Some("all"));
    database.sql("CREATE TABLE things (name text); INSERT INTO things VALUES ('a-name-that-is-found'); CHECKPOINT;");
    let files = server.files_with(b"a-name-that-is-found");
    for part in ["/log", "/data/base/", "/data/pg_wal/"] {
        assert!(files.iter().any(|file| file.to_string_lossy().contains(part)), "not in {part}: {files:?}");
    }
    assert!(server.files_with(b"a-name-that-is-not-found").is_empty());
}

#[test]
fn a_paused_server_says_nothing_and_goes_on() {
    let Some(server) = quick().start() else { return };
    let database = server.database();
    std::thread::scope(|scope| {
        let asked = |text| database.sql_as(&database.address().with("connect_timeout", "60"), text);
        let asking = scope.spawn(move || asked("SELECT 1 FROM pg_sleep(0.3);"));
        while database.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT 1 FROM pg_sleep%';") != "1" {
        }
        server.pause();
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(!asking.is_finished(), "a paused server answers");
        server.resume();
        assert_eq!(asking.join().unwrap().unwrap(), "1");
    });
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_until_there_is_room() {
    let Some(server) = quick().small_disk(48 << 20).start() else { return };
    let database = server.database();
    database.sql("CREATE TABLE things (bytes text); ALTER TABLE things ALTER bytes SET STORAGE EXTERNAL;");
    server.fill_disk();
    let insert = "INSERT INTO things SELECT repeat('x', 5000) FROM generate_series(1, 100);";
    let error = database.sql_as(&database.superuser(), insert).unwrap_err();
    assert!(error.contains("No space left on device"), "{error}");
    server.free_disk();
    database.sql_as(&database.superuser(), insert).unwrap();
}

#[test]
fn an_answer_can_be_lost_after_the_work_is_done_and_a_request_before() {
    let Some(database) = database() else { return };
    let port = database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let through = database.superuser().port(proxy.port());
    database.sql_as(&through, "CREATE TABLE things (number int);").unwrap();
    assert!(proxy.round_trips() > 2, "{}", proxy.round_trips());
    // psql says nothing of its own once connected, so that its own sleep is what the wire next carries.
    let told = |number: u32| {
        let statement = format!("INSERT INTO things VALUES ({number});");
        std::thread::scope(|scope| {
            let script = format!("SELECT pg_sleep(0.5);\n\\! sleep 1\n{statement}\n");
            let (database, through) = (&database, &through);
            let asking = scope.spawn(move || database.sql_as(through, &script));
            let slept =
                "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(0.5);' AND state = 'idle';";
            while database.sql(slept) != "1" && !asking.is_finished() {}
            if number == 1 {
                proxy.lose_next_answer()
            } else {
                proxy.lose_next_request()
            }
            asking.join().unwrap().unwrap_err()
        })
    };
    told(1);
    told(2);
    assert_eq!(database.sql("SELECT number FROM things;"), "1");
    proxy.refuse();
    assert!(database.sql_as(&through, "SELECT 1;").is_err());
    proxy.flow();
    assert_eq!(database.sql_as(&through, "SELECT 1;").unwrap(), "1");
}
