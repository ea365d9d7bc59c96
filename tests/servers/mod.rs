//! Real servers for tests: a throwaway PostgreSQL, a throwaway NATS and throwaway S3-compatible storage, started from the installed binaries on free
//! ports of the loopback interface, with their data in a temporary directory, and ended when dropped.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub mod disk;
pub mod s3;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// PostgreSQL refuses to run as root, so it runs as the first of these users that exists.
const OTHER_USERS: [&str; 2] = ["postgres", "nobody"];

/// What has to be installed for a server to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub &'static str);

/// A program of this name, from the search path or from where Debian keeps it.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    places.sort();
    places.reverse();
    places.extend(std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/bin".into()]));
    places.into_iter().map(|place| place.join(name)).find(|program| program.is_file())
}

/// Whether Node.js and its package manager are there.
pub fn node_js() -> Result<(), Missing> {
    let found = program("node").and(program("npm"));
    found.map(drop).ok_or(Missing("Node.js is not installed: apt-get install nodejs npm"))
}

/// A port that nobody listens on now, and that the system gives to no outgoing connection: clients that try again and
/// again while a server is away would otherwise take its port sooner or later.
pub fn free_port() -> u16 {
    let random = || getrandom::u32().expect("the system gives random numbers") % 22_000;
    let mut ports = std::iter::repeat_with(|| 10_000 + u16::try_from(random()).expect("below 22,000"));
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.expect("a port is free")
}

/// Waits until somebody listens on the port.
fn wait_for(port: u16, child: &mut Child, what: &str) {
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("{what} ended at once: {status}");
        }
        assert!(started.elapsed() < START_TIMEOUT, "{what} didn't start in {START_TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A PostgreSQL server.
pub struct Postgres {
    dir: TempDir,
    port: u16,
    binary: PathBuf,
    child: Option<Child>,
}

impl Postgres {
    /// Whether the binaries are there.
    pub fn installed() -> Result<(), Missing> {
        let found = program("initdb").and(program("postgres"));
        found.map(drop).ok_or(Missing("PostgreSQL is not installed: apt-get install postgresql"))
    }

    /// Starts a server without any database but its own. `durable`: commits are synced to disk, as in production; what
    /// is not to survive a crash is faster without.
    pub fn start(durable: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (initdb, binary) =
            (program("initdb").expect("initdb is there"), program("postgres").expect("postgres is there"));
        if let Some(user) = other_user() {
            chown(dir.path(), Some(user.0), Some(user.1)).expect("the data directory can be given away");
        }
        let data = dir.path().join("data");
        let made = as_other_user(&initdb)
            .args([OsStr::new("-D"), data.as_os_str()])
            .args(["--username=parlor", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb runs").success(), "initdb failed");
        if !durable {
            let settings = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
            append(&data.join("postgresql.conf"), settings).expect("the settings can be written");
        }
        let mut server = Self { dir, port: free_port(), binary, child: None };
        server.run();
        server
    }

    /// Starts a standby that follows this server asynchronously.
    pub fn standby(&self) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        if let Some(user) = other_user() {
            chown(dir.path(), Some(user.0), Some(user.1)).expect("the data directory can be given away");
        }
        let copied = as_other_user(&program("pg_basebackup").expect("pg_basebackup is there"))
            .args([OsStr::new("-D"), dir.path().join("data").as_os_str()])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "parlor"])
            .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .status();
        assert!(copied.expect("pg_basebackup runs").success(), "pg_basebackup failed");
        let mut standby = Self { dir, port: free_port(), binary: self.binary.clone(), child: None };
        standby.run();
        standby
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the server at once, without a word to anybody ("immediate" shutdown): what is not synced is gone.
    pub fn stop_at_once(&mut self) {
        end(self.child.take(), "-QUIT");
    }

    /// Starts the server again, on the same port.
    pub fn resume(&mut self) {
        self.run();
    }

    fn run(&mut self) {
        let data = self.dir.path().join("data");
        let mut command = as_other_user(&self.binary);
        command.args([OsStr::new("-D"), data.as_os_str(), OsStr::new("-k"), self.dir.path().as_os_str()]);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-c", "max_connections=500"]);
        let mut child = command
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        wait_for(self.port, &mut child, "PostgreSQL");
        self.child = Some(child);
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://parlor@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_at_once();
    }
}

/// A `PgBouncer` before a PostgreSQL server.
pub struct Pooler {
    _dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Pooler {
    /// Whether the binary is there.
    pub fn installed() -> Result<(), Missing> {
        program("pgbouncer").map(drop).ok_or(Missing("PgBouncer is not installed: apt-get install pgbouncer"))
    }

    /// Starts a pooler in this `pool_mode` before the server on this port.
    pub fn start(mode: &str, server: u16) -> Self {
        let binary = program("pgbouncer").expect("pgbouncer is there");
        let (dir, port) = (tempfile::tempdir().expect("a temporary directory can be made"), free_port());
        let (users, settings) = (dir.path().join("users"), dir.path().join("pgbouncer.ini"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 50\n",
            users.display()
        );
        std::fs::write(&users, "\"parlor\" \"\"\n").expect("the users can be written");
        std::fs::write(&settings, text).expect("the settings can be written");
        if let Some(user) = other_user() {
            for path in [dir.path(), &users, &settings] {
                chown(path, Some(user.0), Some(user.1)).expect("the directory can be given away");
            }
        }
        let mut child = as_other_user(&binary)
            .arg(&settings)
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer runs");
        wait_for(port, &mut child, "PgBouncer");
        Self { _dir: dir, port, child: Some(child) }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        end(self.child.take(), "-KILL");
    }
}

/// The library that gives a program another time, from where Debian keeps it.
pub fn faketime() -> Result<PathBuf, Missing> {
    let dirs = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places = dirs.map(|dir| dir.path().join("faketime/libfaketime.so.1"));
    places.find(|place| place.is_file()).ok_or(Missing("libfaketime is not installed: apt-get install libfaketime"))
}

/// A NATS server.
pub struct Nats {
    port: u16,
    binary: PathBuf,
    child: Option<Child>,
}

impl Nats {
    /// Whether the binary is there.
    pub fn installed() -> Result<(), Missing> {
        program("nats-server").map(drop).ok_or(Missing("NATS is not installed: apt-get install nats-server"))
    }

    /// Starts a server.
    pub fn start() -> Self {
        let binary = program("nats-server").expect("nats-server is there");
        let mut server = Self { port: free_port(), binary, child: None };
        server.resume();
        server
    }

    /// Starts the server again, on the same port.
    pub fn resume(&mut self) {
        let mut child = Command::new(&self.binary)
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server runs");
        wait_for(self.port, &mut child, "NATS");
        self.child = Some(child);
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        end(self.child.take(), "-KILL");
    }

    /// The address of this server.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}

fn end(child: Option<Child>, signal: &str) {
    let Some(mut child) = child else { return };
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    if !sent.is_ok_and(|status| status.success()) {
        let _ = child.kill();
    }
    let _ = child.wait();
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    use io::Write;
    std::fs::OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}

/// The user and group to run as instead of root. None: this is not root.
fn other_user() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    OTHER_USERS.iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(*name))?;
        let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    })
}

fn as_other_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}
