use std::path::Path;

use diesel::{RunQueryDsl, sql_query, sql_types::Text};

use super::conn::Conn;
use super::open::{Access, OpenError};
use super::pool::Db;

impl Db {
    /// Writes a consistent copy of a SQLite database into a new file while others go on writing; `false` when this is
    /// no SQLite database.
    pub fn copy_to(&self, file: &Path) -> Result<bool, OpenError> {
        let Conn::Sqlite(mut conn) = self.backend().connect(Access::Open)? else { return Ok(false) };
        sql_query("VACUUM INTO ?")
            .bind::<Text, _>(file.display().to_string())
            .execute(&mut conn)
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        Ok(true)
    }
}
