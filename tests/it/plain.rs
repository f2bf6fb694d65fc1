//! A build whose libpq has no TLS goes to no server but this machine's, unless the URL says that plain text is meant.
use mingfen::db::{Create, Db, far_host};

fn far(url: &str) -> Option<String> {
    far_host(url, |_| None)
}

fn far_with(url: &str, name: &str, value: &str) -> Option<String> {
    far_host(url, |asked| (asked == name).then(|| value.to_owned()))
}

#[test]
fn this_machine_is_reached_in_plain_text() {
    for url in [
        "postgres://",
        "postgres:///mingfen",
        "postgres://mingfen@/mingfen",
        "postgres://localhost",
        "postgres://LocalHost:5433/mingfen",
        "postgres://u:p@127.0.0.1:5432/mingfen?connect_timeout=5",
        "postgresql://u:p@[::1]:5432/mingfen",
        "postgres://u@[::ffff:127.0.0.1]/mingfen",
        "postgres://u@%6Cocalhost/mingfen",
        "postgres://u@%2Fvar%2Frun%2Fpostgresql/mingfen",
        "postgres://u@/mingfen?host=/var/run/postgresql",
        "postgres://u@/mingfen?host=%2Fvar%2Frun%2Fpostgresql",
        "postgres://u@db.example.com/mingfen?hostaddr=127.0.0.1",
        "postgres://u@db.example.com/mingfen?host=localhost",
        "postgres://u@127.0.0.1,localhost:5433/mingfen",
    ] {
        assert_eq!(far(url), None, "{url}");
    }
}

#[test]
fn any_other_host_is_refused_however_it_is_written() {
    for (url, host) in [
        ("postgres://db.example.com/mingfen", "db.example.com"),
        ("postgresql://u:p@10.0.0.5:5432/mingfen", "10.0.0.5"),
        ("postgres://u@DB.Example.COM/mingfen", "DB.Example.COM"),
        ("postgres://u@%64b.example.com/mingfen", "db.example.com"),
        ("postgres://u@[2001:db8::1]:5432/mingfen", "2001:db8::1"),
        ("postgres://u@0.0.0.0/mingfen", "0.0.0.0"),
        ("postgres://u@localhost.example.com/mingfen", "localhost.example.com"),
        ("postgres://u@127.0.0.1.example.com/mingfen", "127.0.0.1.example.com"),
        ("postgres://u@localhost,db.example.com/mingfen", "db.example.com"),
        ("postgres://u@localhost%2Cdb.example.com/mingfen", "db.example.com"),
        ("postgres://u@localhost/mingfen?host=db.example.com", "db.example.com"),
        ("postgres://u@localhost/mingfen?%68ost=db.example.com", "db.example.com"),
        ("postgres://u@localhost?host=db.example.com", "db.example.com"),
        ("postgres:///mingfen?hostaddr=10.0.0.5", "10.0.0.5"),
        ("postgres://localhost/mingfen?hostaddr=10.0.0.5", "10.0.0.5"),
        ("postgres://localhost,db.example.com/mingfen?hostaddr=127.0.0.1,", "db.example.com"),
        ("postgres://u:p@localhost@db.example.com/mingfen", "db.example.com"),
        ("postgres://db.example.com/mingfen@127.0.0.1", "db.example.com"),
        ("postgres://db.example.com/mingfen?application_name=sslmode=disable", "db.example.com"),
        ("postgres://localhost/mingfen?service=far", "of the service far"),
    ] {
        assert_eq!(far(url).as_deref(), Some(host), "{url}");
    }
}

#[test]
fn only_the_url_itself_says_that_plain_text_is_meant() {
    let url = "postgres://u:p@db.example.com/mingfen";
    assert_eq!(far(&format!("{url}?sslmode=disable")), None);
    assert_eq!(far(&format!("{url}?sslmode=require&sslmode=disable")), None);
    for other in ["sslmode=prefer", "sslmode=DISABLE", "sslmode=require", "sslmode=disable&sslmode=prefer"] {
        assert_eq!(far(&format!("{url}?{other}")).as_deref(), Some("db.example.com"), "{other}");
    }
    assert!(far(&format!("{url}?sslmode=disable&ssl=true")).is_some());
    assert!(far_with(url, "PGSSLMODE", "disable").is_some());
}

#[test]
fn libpqs_environment_is_asked_where_the_url_is_silent() {
    for (name, value) in [("PGHOST", "db.example.com"), ("PGHOSTADDR", "10.0.0.5")] {
        assert_eq!(far_with("postgres:///mingfen", name, value).as_deref(), Some(value));
    }
    assert_eq!(far_with("postgres:///mingfen", "PGHOST", "/tmp"), None);
    assert_eq!(far_with("postgres://localhost/mingfen", "PGHOST", "db.example.com"), None);
    // An address goes before a host, wherever either was said.
    assert!(far_with("postgres://localhost/mingfen", "PGHOSTADDR", "10.0.0.5").is_some());
    assert_eq!(far_with("postgres://db.example.com/mingfen", "PGHOSTADDR", "127.0.0.1"), None);
    assert!(far_with("postgres://localhost/mingfen", "PGSERVICE", "far").is_some());
    assert_eq!(far_with("postgres://localhost/mingfen?sslmode=disable", "PGSERVICE", "far"), None);
}

#[test]
fn the_refusal_is_one_sentence_that_says_what_to_build_and_shows_no_password() {
    let url = "postgres://mingfen:topsecret@db.invalid/mingfen";
    let told = Db::open(url, Create::No).err().unwrap().to_string();
    assert!(!told.contains("topsecret") && told.lines().count() == 1, "{told}");
    let refused =
        told.contains("without TLS") && told.contains("system-libpq") && told.contains("vendored-tls");
    assert_eq!(refused, cfg!(feature = "bundled-libpq"), "{told}");
    // Then it is the resolver that does not find it.
    let told = Db::open(&format!("{url}?sslmode=disable"), Create::No).err().unwrap().to_string();
    assert!(!told.contains("TLS") && !told.contains("topsecret"), "{told}");
}
