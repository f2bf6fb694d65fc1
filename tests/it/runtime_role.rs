//! The role of `serve` and `work` on PostgreSQL: it does the whole work, owns nothing and can spoil nothing.
use std::sync::atomic::{AtomicU32, Ordering};

use mingfen::check;
use mingfen::db::{Create, Db};

use crate::support::database::{Kind, Raw, TestDatabase};
use crate::support::finished_day::{FinishedDay, NOW};

/// A role of one test. It goes when its database has gone: make it before.
struct Role {
    name: String,
    admin: Raw,
}

impl Role {
    fn new(url: &str, attributes: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("mingfen_role_{}_{number}", std::process::id());
        let mut admin = Raw::open(&format!("{}/postgres", url.rsplit_once('/').unwrap().0));
        admin.execute(&format!("CREATE ROLE {name} LOGIN {attributes}")).unwrap();
        Role { name, admin }
    }

    /// The same database as this role.
    fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_username(&self.name).unwrap();
        url.to_string()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.admin.execute(&format!("DROP ROLE {}", self.name));
    }
}

#[actix_web::test]
async fn it_does_a_whole_day_and_check_finds_nothing_broken() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let mut role = None;
    let demo = FinishedDay::on(40, NOW, |url| {
        let role = role.insert(Role::new(url, ""));
        assert_eq!(Db::let_in(url, Some(&role.name)).unwrap().join(" "), role.name);
        role.url(url)
    })
    .await;
    for kind in ["SPL", "STL"] {
        assert!(demo.out(&format!("{kind}_SANDBOX_DEMO_{}_0001.txt.ok", demo.day())).exists());
    }
    let app = demo.world.app.clone();
    let breaks = tokio::task::spawn_blocking(move || check::breaks(&app)).await.unwrap();
    assert_eq!(breaks.unwrap(), Vec::<String>::new());
    every_way_to_spoil_the_record_is_refused(&role.as_ref().unwrap().url(demo.database.url()));
    demo.stop().await;
}

fn every_way_to_spoil_the_record_is_refused(url: &str) {
    let mut runtime = Raw::open(url);
    // Days that were attached belong to the owner like all else.
    let attached = runtime.texts(
        "SELECT inhrelid::regclass::text AS v FROM pg_inherits WHERE inhparent = 'split_order'::regclass",
    );
    for table in ["payment", "payment_default", "split_order", "audit", "session"]
        .into_iter()
        .chain(attached.iter().map(String::as_str))
    {
        for attempt in [
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table} CASCADE"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("ALTER TABLE {table} ADD COLUMN more INT"),
            format!("ALTER TABLE {table} OWNER TO CURRENT_USER"),
            format!(
                "CREATE TRIGGER mine BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            ),
            format!("CREATE INDEX ON {table} ((1))"),
        ] {
            refused(&mut runtime, &attempt);
        }
    }
    for (table, column) in [
        ("payment", "paid"),
        ("payment_default", "paid"),
        ("split_order", "n"),
        ("audit", "at"),
        ("pay_order", "amount"),
        ("exchanged_file", "size"),
    ] {
        refused(&mut runtime, &format!("DELETE FROM {table}"));
        refused(&mut runtime, &format!("UPDATE {table} SET {column} = 1"));
    }
    for attempt in [
        "ALTER TABLE payment DETACH PARTITION payment_default",
        "CREATE TABLE mine (v INT)",
        "CREATE TABLE payment_mine PARTITION OF payment FOR VALUES FROM (1) TO (2)",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION refuse_change() CASCADE",
        "SET session_replication_role = replica",
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('9')",
        "DROP SCHEMA public CASCADE",
        "ALTER SCHEMA public RENAME TO mine",
        "SET ROLE mingfen",
    ] {
        refused(&mut runtime, attempt);
    }
}

fn refused(runtime: &mut Raw, attempt: &str) {
    let why = runtime.execute(attempt).expect_err(attempt);
    assert!(why.contains("permission denied") || why.contains("must be owner"), "{attempt}: {why}");
}

#[test]
fn letting_in_can_be_repeated_reaches_later_tables_and_refuses_who_must_not() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let database = TestDatabase::new(Kind::Postgres);
    let url = database.url();
    let role = Role::new(url, "");
    for (unfit, why) in [
        ("nobody_of_this_name", "there is no role"),
        ("mingfen", "a superuser"),
        ("a'b", "no name for a role"),
    ] {
        let told = Db::let_in(url, Some(unfit)).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    for named in [Some(role.name.as_str()), Some(&role.name), None] {
        assert_eq!(Db::let_in(url, named).unwrap().join(" "), role.name);
    }
    // What a later migration brings: to be read and added to at once, and changed after the next `migrate`.
    let mut owner = database.raw();
    owner
        .execute(
            "CREATE TABLE later (v INT); CREATE FUNCTION later_f() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
        )
        .unwrap();
    let mut runtime = Raw::open(&role.url(url));
    runtime.execute("INSERT INTO later VALUES (1); SELECT later_f()").unwrap();
    refused(&mut runtime, "UPDATE later SET v = 2");
    Db::let_in(url, None).unwrap();
    runtime.execute("UPDATE later SET v = 2; DELETE FROM later").unwrap();
    refused(&mut runtime, "TRUNCATE later");
    // Nobody else may call our functions.
    let stranger = Role::new(url, "");
    refused(&mut Raw::open(&stranger.url(url)), "SELECT later_f()");
    Db::open(&role.url(url), Create::No).unwrap();
    drop((owner, runtime));
    drop(database);
}

#[test]
fn an_ordinary_owner_migrates_lets_a_role_in_and_later_migrations_remember_it() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let cluster = TestDatabase::new(Kind::Postgres);
    let (mut owner, runtime) = (Role::new(cluster.url(), ""), Role::new(cluster.url(), ""));
    let name = format!("mingfen_owned_{}", std::process::id());
    owner.admin.execute(&format!("CREATE DATABASE {name} OWNER {}", owner.name)).unwrap();
    let of = |role: &Role| {
        let url = role.url(cluster.url());
        format!("{}/{name}", url.rsplit_once('/').unwrap().0)
    };
    let mingfen = |url: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mingfen"));
        command.args(arguments).current_dir(cluster.dir()).env("MINGFEN_DATABASE_URL", url);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let let_in = format!("the role {} may use it and owns nothing", runtime.name);
    for arguments in [&["migrate", "--runtime-role", &runtime.name][..], &["migrate"]] {
        let (status, said) = mingfen(&of(&owner), arguments);
        assert!(status == 0 && said.contains(&let_in), "{said}");
    }
    assert_eq!(mingfen(&of(&runtime), &["migrate", "--check"]).0, 0);
    assert!(!Db::open(&of(&runtime), Create::No).unwrap().is_owner().unwrap());
    assert!(Db::open(&of(&owner), Create::No).unwrap().is_owner().unwrap());
    every_way_to_spoil_the_record_is_refused(&of(&runtime));
    owner.admin.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
}
