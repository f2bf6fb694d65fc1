//! Commands as an operator types them.
use std::path::Path;
use std::process::{Command, Output};

use super::{MASTER_KEY, TestApp};

/// The program in a folder, with settings in its environment.
pub struct Shell<'a> {
    folder: &'a Path,
    pub variables: Vec<(&'static str, String)>,
}

impl<'a> Shell<'a> {
    pub fn new(folder: &'a Path, database_url: &str) -> Self {
        let master = hex::encode(MASTER_KEY);
        let variables =
            vec![("MINGFEN_DATABASE_URL", database_url.to_string()), ("MINGFEN_MASTER_KEY", master)];
        Shell { folder, variables }
    }

    pub fn of(app: &'a TestApp) -> Self {
        Shell::new(app.dir(), app.database_url())
    }

    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mingfen"))
            .args(arguments)
            .current_dir(self.folder)
            .envs(self.variables.iter().map(|(k, v)| (k, v)))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Stdout of a command that must end well.
    pub fn good(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.run(arguments);
        assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
        out
    }

    /// The sentence of a command that could not run.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.run(arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}");
        assert_eq!(err.lines().count(), 1, "{err}");
        err.trim().replace(&self.folder.display().to_string(), "DIR")
    }
}

/// The rest of the line that begins so.
pub fn word_after<'a>(text: &'a str, label: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(label)).unwrap().trim()
}
