//! A server in a process of its own, which tests can stop and kill.

use std::process::Output;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;

use super::database::Database;
use super::endpoint::Endpoint;
use super::within;

/// A running `parlor serve`, on a port that the system chose.
pub struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Takes what it logs as it does: a pipe that is full would hold the server up.
    errors: JoinSet<String>,
    /// What it has printed so far.
    pub printed: String,
    endpoint: Endpoint,
}

impl Process {
    /// Starts a server on this data, with these settings in its environment.
    pub async fn start(database: &Database, settings: &[(&str, &str)]) -> Self {
        let mut command = database.parlor(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied()).env("PARLOR_DRAIN_SECS", "0");
        let mut child = command.spawn().expect("the program can be run");
        let mut stdout = BufReader::new(child.stdout.take().expect("the program has an output")).lines();
        let mut stderr = child.stderr.take().expect("the program has an error output");
        let mut errors = JoinSet::new();
        errors.spawn(async move {
            let mut logged = String::new();
            stderr.read_to_string(&mut logged).await.expect("the error output can be read");
            logged
        });
        let mut printed = String::new();
        let addr = loop {
            let line = within("the server to say where it listens", stdout.next_line()).await;
            let line = line.expect("the output can be read").unwrap_or_else(|| panic!("it ended after {printed}"));
            printed.push_str(&line);
            printed.push('\n');
            if let Some((_, addr)) = line.split_once("listening on ") {
                break addr.trim().parse().expect("an address");
            }
        };
        Self { child, stdout, errors, printed, endpoint: Endpoint::new(addr) }
    }

    /// Its address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its number, by which the system knows it.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// Kills it, so that it can't shut down in good order.
    pub async fn kill(mut self) {
        within("the process to be gone", self.child.kill()).await.expect("it was there");
    }

    /// Asks it to stop, and waits until it has. Returns its whole output.
    pub async fn terminate(mut self) -> Output {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(within("the signal to be sent", sent).await.expect("there is a kill program").success());
        within("the process to stop", async {
            let mut stdout = std::mem::take(&mut self.printed);
            let rest = async {
                while let Some(line) = self.stdout.next_line().await.expect("the output can be read") {
                    stdout.push_str(&line);
                    stdout.push('\n');
                }
            };
            let ((), logged) = tokio::join!(rest, self.errors.join_next());
            let stderr = logged.expect("it is read once").expect("the error output can be read");
            let status = self.child.wait().await.expect("the process ends");
            Output { status, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() }
        })
        .await
    }
}
