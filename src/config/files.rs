//! The settings of files.

use super::Config;

impl Config {
    /// Where files are kept. `None`: nowhere.
    #[must_use]
    pub fn files_url(&self) -> Option<String> {
        if self.files_url.is_some() || self.has_postgres() {
            return self.files_url.clone();
        }
        let directory = std::path::absolute(self.data_dir.join("files")).ok()?;
        url::Url::from_directory_path(directory).ok().map(String::from)
    }

    /// Whether the database is one that several nodes can have.
    fn has_postgres(&self) -> bool {
        self.database_url.as_ref().is_some_and(|url| url.starts_with("postgres"))
    }

    /// The setting of files that can't be, and what is wrong with it.
    pub(super) fn files_problem(&self) -> Option<(&'static str, &'static str)> {
        let url = self.files_url.as_deref().unwrap_or("file:///");
        if !url.starts_with("file:///") && !url.starts_with("s3://") {
            return Some(("files_url", "must begin with `file:///` or `s3://`"));
        }
        let is_directory = self.files_url.is_some() && url.starts_with("file:");
        if is_directory && self.has_postgres() && self.files_shared != Some(true) {
            let problem = "with PostgreSQL, a directory must be the same on all nodes: say so by `files_shared = on`";
            return Some(("files_url", problem));
        }
        if self.files_s3_key.is_some() != self.files_s3_secret.is_some() {
            return Some(("files_s3_key", "needs `files_s3_secret` beside it, and the other way round"));
        }
        if !(1..=2_047).contains(&self.files_max_mib) {
            return Some(("files_max_mib", "must be 1 to 2,047"));
        }
        None
    }
}
