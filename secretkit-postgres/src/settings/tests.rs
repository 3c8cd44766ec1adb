use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::*;

use crate::url::PostgresUrl;

/// What a URL means where nothing surrounds it but these variables, a home and a user.
fn within(url: &str, variables: &[(&str, &str)], home: &Path) -> Result<Settings> {
    let url: PostgresUrl = url.parse()?;
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    let around = Surroundings { variable: &variable, home: Some(home.to_owned()), user: Some("somebody".to_owned()) };
    Settings::within(url.given(), &around)
}

fn of(url: &str) -> Result<Settings> {
    within(url, &[], Path::new("/nonexistent"))
}

#[track_caller]
fn refused(url: &str) -> String {
    match of(url) {
        Ok(_) => panic!("{url} was taken"),
        Err(error) => {
            assert_eq!(error.kind(), secretkit_core::ErrorKind::Unsupported, "{error}");
            format!("{error} {error:?}")
        }
    }
}

fn host(name: &str, address: Option<&str>, port: u16) -> Host {
    Host { name: name.to_owned(), address: address.map(|text| text.parse().unwrap()), port }
}

#[test]
fn hosts_ports_and_addresses_are_lists() {
    let hosts = |url| of(url).unwrap().hosts.all;
    assert_eq!(hosts("postgres://db/x"), [host("db", None, 5432)]);
    assert_eq!(hosts("postgres://a:1,b,c:3/x"), [host("a", None, 1), host("b", None, 5432), host("c", None, 3)]);
    assert_eq!(hosts("postgres://[::1]:7,[fe80::1]/x"), [host("::1", None, 7), host("fe80::1", None, 5432)]);
    assert_eq!(hosts("postgres:///x?host=a,b&port=9"), [host("a", None, 9), host("b", None, 9)]);
    assert_eq!(hosts("postgres://%2Frun%2Fpg/x?port=9"), [host("/run/pg", None, 9)]);
    assert_eq!(hosts("postgres:///x?hostaddr=10.0.0.7"), [host("", Some("10.0.0.7"), 5432)]);
    assert_eq!(hosts("postgres://db/x?hostaddr=10.0.0.7"), [host("db", Some("10.0.0.7"), 5432)]);
    for url in [
        "postgres://a,b/x?hostaddr=10.0.0.7",
        "postgres://a:1,b:2/x?host=a,b,c",
        "postgres://a:0/x",
        "postgres://a:port/x",
        "postgres://a/x?hostaddr=db",
        "postgres://[::1/x",
        "postgres://[::1]7/x",
        "postgres://@/x?host=@abstract",
    ] {
        refused(url);
    }
}

#[test]
fn a_url_wins_over_a_service_and_a_service_over_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let services = "[team]\nhost=service\nuser=service\nport=7\n";
    std::fs::write(home.path().join(".pg_service.conf"), services).unwrap();
    let variables =
        [("PGHOST", "environment"), ("PGUSER", "environment"), ("PGDATABASE", "environment"), ("PGAPPNAME", "app")];
    let settings = within("postgres://url/?service=team", &variables, home.path()).unwrap();
    assert_eq!(settings.to_string(), "postgres://service@url:7/environment");
    assert_eq!(settings.application_name, "app");
    let settings = within("postgres:///", &[("PGSERVICE", "team")], home.path()).unwrap();
    assert_eq!(settings.to_string(), "postgres://service@service:7/service");
    let elsewhere = home.path().join("services");
    std::fs::write(&elsewhere, "[team]\nhost=other\n").unwrap();
    let named = ("PGSERVICEFILE", elsewhere.to_str().unwrap());
    let settings = within("postgres:///?service=team", &[named], home.path()).unwrap();
    assert_eq!(settings.to_string(), "postgres://somebody@other:5432/somebody");
    let settings = within("postgres://db/", &[], home.path()).unwrap();
    assert_eq!(
        (settings.to_string().as_str(), &*settings.application_name),
        ("postgres://somebody@db:5432/somebody", "secretkit")
    );
}

#[test]
fn what_is_not_supported_is_refused_by_name_wherever_it_stands() {
    for (url, name) in [
        ("postgres://db/x?sslcrl=a.pem", "sslcrl"),
        ("postgres://db/x?require_auth=scram-sha-256", "require_auth"),
        ("postgres://db/x?requirepeer=postgres", "requirepeer"),
        ("postgres://db/x?gssencmode=require", "gssencmode"),
        ("postgres://db/x?client_encoding=LATIN1", "client_encoding"),
        ("postgres://db/x?sslmode=allow", "sslmode"),
        ("postgres://db/x?target_session_attrs=best", "target_session_attrs"),
        ("postgres://db/x?options=-csearch_path%3Da%2Cb", "schema="),
        ("postgres://db/x?sslrootcert=system&sslmode=require", "sslmode"),
        ("postgres://db/x?sslnegotiation=direct&sslmode=prefer", "sslmode"),
        ("postgres://db/x?sslcert=a.pem", "sslkey"),
        ("postgres://db/x?pool_size=0", "pool_size"),
        ("postgres://db/x?keepalives=yes", "keepalives"),
        ("postgres://db/x?connect_timeout=soon", "connect_timeout"),
        ("postgres://db/x?schema=pg_mine", "schema"),
        (
            "postgres://db/x?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
            "ssl_max_protocol_version",
        ),
        ("postgres://db/x?service=nobody", "service"),
    ] {
        assert!(refused(url).contains(name), "{url}: {}", refused(url));
    }
    let variable = within("postgres://db/x", &[("PGREQUIREAUTH", "md5")], Path::new("/nonexistent"));
    assert!(variable.err().unwrap().to_string().contains("PGREQUIREAUTH"));
    // What asks for nothing is no matter.
    of("postgres://db/x?gssencmode=disable&sslcompression=0&client_encoding=UTF8&sslcrl=&requirepeer=").unwrap();
}

#[test]
fn no_part_of_a_password_is_ever_shown() {
    let password = "hUnter2-canary";
    let wrong = [
        format!("postgres://user:{password}@db:99999/x"),
        format!("postgres://user:{password}%@db/x"),
        format!("postgres://user:{password}%f@db/x"),
        format!("postgres://user:{password}%ff@db/x"),
        format!("postgres://user:{password}%00@db/x"),
        // A question mark and an ampersand that were not encoded.
        format!("postgres://user:a?b&{password}=c@db/x"),
        format!("postgres://user:a?{password}@db/x"),
        format!("postgres://user@db/x?password={password}&sslmode={password}"),
        format!("postgres://user@db/x?port={password}"),
        format!("postgres://user@db/x?{password}={password}"),
        format!("mysql://user:{password}@db/x"),
        // What is not encoded and ends where something else begins.
        format!("postgres://user:123/{password}@db/x"),
        format!("postgres://user:{password}/5@db/x"),
        format!("postgres://user:a@{password}/b@db/x"),
        format!("postgres://user@db/x&password={password}"),
    ];
    for url in wrong {
        let told = match url.parse::<PostgresUrl>().and_then(|url| of(&url.to_string()).map(|_| url)) {
            Ok(url) => panic!("{url:?} was taken"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains(password), "{told}");
    }
    let right = format!("postgres://user:{password}@db/x?application_name=app&schema=s");
    let url: PostgresUrl = right.parse().unwrap();
    assert_eq!(url.to_string(), "postgres://user@db/x?application_name=app&schema=s");
    assert!(!format!("{url:?} {}", of(&right).unwrap()).contains(password));
}

#[test]
fn a_socket_that_anybody_may_have_made_is_not_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join(".s.PGSQL.5432");
    assert!(!is_trusted(&socket), "there is none");
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let everybodys = |mode| std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    everybodys(0o755);
    assert!(is_trusted(&socket));
    everybodys(0o1777);
    assert!(is_trusted(&socket), "it is our own");
    if !rustix::process::geteuid().is_root() {
        return secretkit_test_postgres::skip("a socket of somebody else: only root can give one away");
    }
    std::os::unix::fs::lchown(&socket, Some(65_534), None).unwrap();
    assert!(!is_trusted(&socket));
    everybodys(0o755);
    assert!(is_trusted(&socket));
}

#[test]
fn urls_print_as_they_parse() {
    for text in [
        "postgres:///",
        "postgres://db/",
        "postgres://user@db:5433/x",
        "postgres://user%3A%40@db/with%20blank%25/x",
        "postgres://a:1,b,c:3/x?target_session_attrs=any",
        "postgres:///x?host=/run/pg",
        "postgres:///x?host=%3A%3A1",
        "postgres://db/x?options=-c%20jit%3Doff",
    ] {
        let url: PostgresUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), text);
        assert!(text.replacen("postgres:", "postgresql:", 1).parse::<PostgresUrl>().unwrap() == url);
    }
    let javas: PostgresUrl = "postgresql://db/x?ssl=true&user=u&password=p&dbname=y".parse().unwrap();
    assert_eq!(javas.to_string(), "postgres://u@db/y?sslmode=require");
    // An at sign that was not encoded is the password's.
    assert_eq!("postgres://u:p@ss@db/x".parse::<PostgresUrl>().unwrap().to_string(), "postgres://u@db/x");
}

#[test]
fn whoever_is_not_on_this_machine_proves_who_it_is() {
    let mode = |url: &str| {
        let settings = of(url).unwrap();
        settings.tls.mode_for(&settings.hosts.all[0])
    };
    assert_eq!(mode("postgres://db/x"), TlsMode::VerifyFull);
    assert_eq!(mode("postgres://10.0.0.7/x"), TlsMode::VerifyFull);
    assert_eq!(mode("postgres://localhost/x?hostaddr=10.0.0.7"), TlsMode::VerifyFull);
    for here in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(mode(&format!("postgres://{here}/x")), TlsMode::Prefer);
        assert_eq!(mode(&format!("postgres://{here}/x?sslnegotiation=direct")), TlsMode::VerifyFull);
    }
    assert_eq!(mode("postgres://%2Frun%2Fpg/x?sslmode=verify-full"), TlsMode::Disable, "nobody is between");
    assert_eq!(mode("postgres://db/x?sslmode=prefer"), TlsMode::Prefer, "who says so gets it");
    assert_eq!(mode("postgres://db/x?sslmode=require"), TlsMode::Require);
    assert_eq!(mode("postgres://db/x?sslmode=require&sslrootcert=a.pem"), TlsMode::VerifyAuthority);
    assert_eq!(mode("postgres://localhost/x?sslrootcert=system"), TlsMode::VerifyFull);
    // Whoever has a certificate of any authority in the world would be believed.
    assert!(refused("postgres://db/x?sslmode=verify-ca").contains("names an authority where sslmode is verify-ca"));
    refused("postgres://%2Frun%2Fpg/x?sslmode=verify-ca&listen=db:5432");
    assert_eq!(mode("postgres://db/x?sslmode=verify-ca&sslrootcert=a.pem"), TlsMode::VerifyAuthority);
    assert_eq!(mode("postgres://%2Frun%2Fpg/x?sslmode=verify-ca"), TlsMode::Disable);
}

#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name() {
    let variable = |name: &str| (name == "PGSSLROOTCERT").then(|| OsStr::from_bytes(b"/tmp/\xff.pem").to_owned());
    let around = Surroundings { variable: &variable, home: None, user: None };
    let url: PostgresUrl = "postgres://app@db/x".parse().unwrap();
    let refused = Settings::within(url.given(), &around).err().unwrap();
    assert!(refused.to_string().contains("PGSSLROOTCERT is not UTF-8"), "{refused}");
}

#[test]
fn nobody_is_told_of_commits_who_may_read_from_a_standby() {
    let told = |url: &str| of(url).unwrap().reads_what_is_committed();
    assert!(told("postgres://db/x") && told("postgres://a,b/x?target_session_attrs=primary"));
    for attributes in ["any", "read-only", "standby", "prefer-standby"] {
        // One name, too, may be that of several servers.
        for hosts in ["db", "a,b"] {
            assert!(!told(&format!("postgres://{hosts}/x?target_session_attrs={attributes}")), "{hosts} {attributes}");
        }
    }
}

#[test]
fn a_password_comes_from_the_file_when_it_is_needed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("passwords");
    let variables = [("PGPASSFILE", path.to_str().unwrap())];
    let settings = within("postgres://app@a,b:7,%2Ftmp/x", &variables, home.path()).unwrap();
    let password =
        |place: usize| settings.password_for(&settings.hosts.all[place]).unwrap().map(|password| password.to_string());
    assert_eq!(password(0), None);
    std::fs::write(&path, "a:5432:x:app:one\nb:7:x:app:two\nlocalhost:*:*:*:three\n").unwrap();
    rustix::fs::chmod(&path, rustix::fs::Mode::RUSR).unwrap();
    assert_eq!([password(0), password(1), password(2)], ["one", "two", "three"].map(|text| Some(text.to_owned())));
    let given = within("postgres://app:mine@a/x", &variables, home.path()).unwrap();
    assert_eq!(given.password_for(&given.hosts.all[0]).unwrap().unwrap().as_str(), "mine");
}
