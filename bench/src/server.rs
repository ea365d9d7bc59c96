//! A server under load: a process of its own, whose CPU and memory the system is asked for.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

use crate::http::Client;

/// What Parlor's tokens are signed with here.
pub const SECRET: &str = "for measuring only, and at least 32 bytes long";

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two looks at whether a server listens.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Clock ticks per second in `/proc/PID/stat`: `USER_HZ`, which Linux has fixed at 100 for programs
/// ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)).
const TICKS_PER_SEC: u64 = 100;

/// A running server; ends when dropped.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
    /// Kept open, for the server may have more to say.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a program, which says on standard output that it is `listening on` an address.
    pub async fn start(command: Command) -> io::Result<Self> {
        let (program, child, mut lines) = spawn(command)?;
        let failed = |why: &str| io::Error::other(format!("{program}: {why}"));
        let listening = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, addr)) = line.split_once("listening on ") {
                    return addr.trim().parse().map_err(io::Error::other);
                }
            }
            Err(failed("it ended before it listened"))
        };
        let addr = tokio::time::timeout(START_TIMEOUT, listening).await.map_err(|_| failed("it doesn't start"))??;
        Ok(Self { addr, child, _output: lines })
    }

    /// Starts a program that is to listen on this address, and doesn't say when it does.
    pub async fn start_at(command: Command, addr: SocketAddr) -> io::Result<Self> {
        let (program, mut child, lines) = spawn(command)?;
        let failed = |why: &str| io::Error::other(format!("{program}: {why}"));
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(addr).await.is_err() {
            if child.try_wait()?.is_some() {
                return Err(failed("it ended before it listened"));
            }
            if Instant::now() > end {
                return Err(failed("it doesn't start"));
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Ok(Self { addr, child, _output: lines })
    }

    /// Ends it and waits for its end, so that the next one has the machine to itself.
    pub async fn stop(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// CPU time that the process has used, user and system, to 10 ms.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu(self.pid()?)
    }

    /// Memory that the process holds, in KiB.
    pub fn resident_kib(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or(io::ErrorKind::InvalidData)?;
        line.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)
    }

    fn pid(&self) -> io::Result<u32> {
        self.child.id().ok_or_else(|| io::Error::other("the server has ended"))
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

/// Starts a program: its name, its process, and what it says on standard output.
fn spawn(mut command: Command) -> io::Result<(String, Child, Lines<BufReader<ChildStdout>>)> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    let lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    Ok((program, child, lines))
}

/// CPU time of a process, to 10 ms.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may hold anything; user and system time are the 14th and 15th field.
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).ok_or(io::ErrorKind::InvalidData)?;
    let mut times = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let mut time = || times.next().ok_or(io::ErrorKind::InvalidData)?.map_err(io::Error::other);
    Ok(Duration::from_millis((time()? + time()?) * 1_000 / TICKS_PER_SEC))
}

/// The command that starts Parlor on the data in this directory, or on that database.
pub fn parlor(program: &Path, data_dir: &Path, database_url: Option<&str>, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]).arg(data_dir);
    command.args(database_url.map(|url| ["--database-url", url]).into_iter().flatten());
    command.env("PARLOR_TOKEN_SECRET", SECRET).env("PARLOR_LIMITS", "off").envs(settings.iter().copied());
    command
}

/// A binary of this workspace, where cargo has put it beside this one.
pub fn sibling(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(name)
}
