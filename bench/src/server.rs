//! The server under load: the release binary, on fresh data, in a process of its own.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::http::Client;

/// A running server; ends when dropped.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    _child: Child,
    /// Kept open, for the server has more to say.
    _output: Lines<BufReader<ChildStdout>>,
    _data: TempDir,
}

impl Server {
    /// Starts the binary at `program` on data below `directory`, or below the system's directory for temporary files.
    /// What is measured depends on the disk below it.
    pub async fn start(program: &Path, directory: Option<&Path>, database: Option<&str>) -> io::Result<Self> {
        let data = match directory {
            Some(directory) => tempfile::tempdir_in(directory)?,
            None => tempfile::tempdir()?,
        };
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]).arg(data.path());
        command.args(database.map(|url| ["--database-url", url]).into_iter().flatten());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(|error| {
            io::Error::other(format!("{} can't be run ({error}): cargo build --release", program.display()))
        })?;
        let mut lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, addr)) = line.split_once("listening on ") {
                let addr = addr.trim().parse().map_err(io::Error::other)?;
                return Ok(Self { addr, _child: child, _output: lines, _data: data });
            }
        }
        Err(io::Error::other("the server didn't start"))
    }

    /// One metric's samples: name with labels, and value.
    pub async fn metric(&self, name: &str) -> io::Result<Vec<(String, f64)>> {
        let text = Client::connect(self.addr, None).await?.get("/metrics").await?;
        let samples = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            Some((key.to_owned(), value.parse().ok()?))
        });
        Ok(samples.collect())
    }
}

/// Where cargo puts the release binary of this workspace.
pub fn release_binary() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name("parlor")
}
