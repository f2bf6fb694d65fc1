//! The role of PostgreSQL that `serve` and `work` use: it owns nothing, so that nothing of what is kept can be
//! dropped, emptied, detached or freed of its triggers by it.
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Bool, Text};
use diesel::{Connection, OptionalExtension, PgConnection, QueryableByName, RunQueryDsl, sql_query};

use super::conn::Conn;
use super::open::OpenError;

/// What a role may, all of it made anew: read and add everywhere; change only tables without the append-only trigger;
/// execute our functions; and the same for what later migrations and staged partitions bring. `{r}` is the role as an
/// identifier, `{s}` the schema.
const GRANTS: &str = r#"
REVOKE CREATE ON SCHEMA {s} FROM PUBLIC, {r};
GRANT USAGE ON SCHEMA {s} TO {r};
REVOKE ALL ON ALL TABLES IN SCHEMA {s} FROM {r};
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {s} TO {r};
REVOKE INSERT ON __diesel_schema_migrations FROM {r};
ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT, INSERT ON TABLES TO {r};
ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT EXECUTE ON FUNCTIONS TO {r};
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
DO $grants$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname <> '__diesel_schema_migrations'
        AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgrelid = c.oid AND p.proname = 'refuse_change')
    LOOP
        EXECUTE format('GRANT UPDATE, DELETE ON %s TO {r}', one.name);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.proowner = current_user::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', one.name);
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO {r}', one.name);
    END LOOP;
END
$grants$;
"#;

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    v: String,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Standing {
    #[diesel(sql_type = Bool)]
    too_mighty: bool,
}

/// Lets in the named role, or without one all that were let in before. Their names.
pub(super) fn let_in(conn: &mut Conn, role: Option<&str>) -> Result<Vec<String>, OpenError> {
    let conn = match (conn, role) {
        (Conn::Pg(conn), _) => conn,
        (Conn::Sqlite(_), None) => return Ok(Vec::new()),
        (Conn::Sqlite(_), Some(_)) => {
            return Err(OpenError::Role("SQLite has no roles: leave --runtime-role out".into()));
        }
    };
    if let Some(role) = role {
        refuse_unfit(conn, role)?;
    }
    let granted = conn.transaction(|conn| {
        let mut roles = known(conn)?;
        roles.extend(role.filter(|role| !roles.iter().any(|known| known == role)).map(str::to_owned));
        let schema = sql_query("SELECT quote_ident(current_schema()::text) AS v").get_result::<Word>(conn)?;
        for role in &roles {
            let quoted = format!("\"{}\"", role.replace('"', "\"\""));
            conn.batch_execute(&GRANTS.replace("{r}", &quoted).replace("{s}", &schema.v))?;
        }
        Ok(roles)
    });
    granted
        .map_err(|error: diesel::result::Error| OpenError::Role(format!("no rights were changed: {error}")))
}

/// Roles that were let in before: those to whom our later tables would be open.
fn known(conn: &mut PgConnection) -> diesel::QueryResult<Vec<String>> {
    let words: Vec<Word> = sql_query(
        "SELECT DISTINCT r.rolname::text AS v FROM pg_default_acl d, aclexplode(d.defaclacl) a \
         JOIN pg_roles r ON r.oid = a.grantee WHERE d.defaclrole = current_user::regrole \
         AND d.defaclnamespace = current_schema()::regnamespace AND d.defaclobjtype = 'r' \
         AND a.privilege_type = 'INSERT' ORDER BY 1",
    )
    .load(conn)?;
    Ok(words.into_iter().map(|word| word.v).collect())
}

/// Whether this connection's role owns tables of ours.
pub(super) fn owns(conn: &mut PgConnection) -> diesel::QueryResult<bool> {
    let owned = sql_query(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
         AND pg_has_role(relowner, 'MEMBER')) AS yes",
    );
    Ok(owned.get_result::<Found>(conn)?.yes)
}

fn refuse_unfit(conn: &mut PgConnection, role: &str) -> Result<(), OpenError> {
    if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) {
        return Err(OpenError::Role(format!("`{role}` is no name for a role: use A-Z a-z 0-9 _ - .")));
    }
    let standing = sql_query(
        "SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') AS too_mighty FROM pg_roles WHERE rolname = $1",
    )
    .bind::<Text, _>(role)
    .get_result::<Standing>(conn)
    .optional();
    match standing.map_err(|error| OpenError::Role(error.to_string()))? {
        None => Err(OpenError::Role(format!("there is no role {role}: make it with CREATE ROLE … LOGIN"))),
        Some(Standing { too_mighty: true }) => Err(OpenError::Role(format!(
            "the role {role} is a superuser or may act for the owner of the tables: name another"
        ))),
        Some(Standing { too_mighty: false }) => Ok(()),
    }
}
