//! Files that come in, beside the same bytes written to the same disk by a program that does nothing else.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::databases::Kind;
use crate::http::Client;
use crate::server::{Server, parlor, sibling};
use crate::table::{Section, Table, Target, figure};

/// The bytes of a MiB.
const MIB: usize = 1024 * 1024;

/// How much is written at a time, by either side.
const PIECE: usize = 256 * 1024;

/// How often each is done, in turn.
const ROUNDS: usize = 3;

/// The share of the disk's speed at which files come in at least.
const ASKED: f64 = 0.7;

/// How much more memory the server may hold, in MiB, while a thousand times as much comes in: the parts of four files.
const ASKED_MEMORY: f64 = 48.0;

/// Between two looks at the server's memory.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

const SIGN_UP: &str = "mutation { signUp(input: { username: \"bench\", displayName: \"B\", password: \"only for measuring\" }) { accessToken } }";
const CREATE: &str = "mutation($size: Int!) { createUpload(input: { name: \"a.bin\", size: $size }) { uploadUrl } }";

/// Files that come in: so many of so many MiB, so many at a time.
#[derive(Clone, Copy)]
struct Load {
    files: usize,
    mib: usize,
    at_once: usize,
}

impl Load {
    fn total(self) -> f64 {
        (self.files * self.mib) as f64
    }
}

/// Sends so many MiB as one file and as many, after one MiB.
pub async fn run(mib: usize) -> io::Result<Section> {
    let created = Kind::Sqlite.create().await?;
    let max = mib.to_string();
    let settings = [("PARLOR_FILES_MAX_MIB", max.as_str())];
    let server = Server::start(parlor(&sibling("parlor"), created.dir.path(), None, &settings)).await?;
    let mut client = Client::connect(server.addr, None).await?;
    let signed_up = client.graphql(SIGN_UP, json!({})).await?;
    let token = signed_up["signUp"]["accessToken"].as_str().ok_or(io::ErrorKind::InvalidData)?.to_owned();
    let bytes: Arc<[u8]> = noise(PIECE).into();
    let (many, small) = (mib.div_ceil(25), 25.min(mib));
    let loads = [
        ("one small file", Load { files: 1, mib: 1, at_once: 1 }),
        ("one large file", Load { files: 1, mib, at_once: 1 }),
        ("many, one at a time", Load { files: many, mib: small, at_once: 1 }),
        ("many, four at a time", Load { files: many, mib: small, at_once: 4 }),
    ];
    let mut table =
        Table::new(["files", "MiB", "disk, MiB/s", "Parlor, MiB/s", "ratio", "CPU, ms/MiB", "memory at most, MiB"]);
    let (mut slowest, mut held) = (f64::INFINITY, Vec::new());
    for (name, load) in loads {
        let (mut disk, mut ours, mut memory, mut cpu) = (Duration::MAX, Duration::MAX, 0.0_f64, Duration::ZERO);
        for _ in 0..ROUNDS {
            disk = disk.min(write(created.dir.path(), load, &bytes).await?);
            let used = server.cpu()?;
            let (took, most) = send(&server, &token, load, &bytes).await?;
            (ours, memory) = (ours.min(took), memory.max(most));
            cpu += server.cpu()?.saturating_sub(used);
        }
        let speeds = [disk, ours].map(|took| load.total() / took.as_secs_f64());
        let ratio = speeds[1] / speeds[0];
        table.row([
            name.to_owned(),
            figure(load.total()),
            figure(speeds[0]),
            figure(speeds[1]),
            figure(ratio),
            figure(cpu.as_secs_f64() * 1e3 / (load.total() * ROUNDS as f64)),
            figure(memory),
        ]);
        if load.mib > 1 {
            slowest = slowest.min(ratio);
        }
        held.push(memory);
    }
    server.stop().await?;
    let more = held.iter().fold(0.0_f64, |most, memory| most.max(*memory)) - held[0];
    Ok(Section {
        title: "Uploads".to_owned(),
        text: format!(
            "Bytes that no packing makes smaller are sent over HTTP and kept in a directory, each file synced; beside that, in turn \
             and on the same disk, they are written and synced by a program that does nothing else. {ROUNDS} rounds, of which the best \
             counts on either side; of memory the most, looked at every {} ms.",
            BETWEEN_LOOKS.as_millis()
        ),
        tables: vec![table],
        targets: vec![
            Target {
                asked: format!("files come in at {ASKED} of the disk's speed at least"),
                measured: format!("the slowest at {}", figure(slowest)),
                met: slowest >= ASKED,
            },
            Target {
                asked: format!("memory flat: {mib} MiB take no more than {ASKED_MEMORY} MiB more than 1 MiB does"),
                measured: format!("{} MiB more", figure(more)),
                met: more <= ASKED_MEMORY,
            },
        ],
    })
}

/// Bytes that look like nothing.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let words = (0..count / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

/// How long it takes to write and sync these files, which are deleted then.
async fn write(dir: &Path, load: Load, bytes: &Arc<[u8]>) -> io::Result<Duration> {
    let began = Instant::now();
    let writers = (0..load.at_once).map(|writer| {
        let (dir, bytes) = (dir.to_owned(), bytes.clone());
        tokio::task::spawn_blocking(move || -> io::Result<()> {
            for file in (writer..load.files).step_by(load.at_once) {
                let mut file = File::create(dir.join(format!("plain-{file}")))?;
                for _ in 0..load.mib * MIB / PIECE {
                    file.write_all(&bytes)?;
                }
                file.sync_all()?;
            }
            Ok(())
        })
    });
    for written in try_join_all(writers).await? {
        written?;
    }
    let took = began.elapsed();
    (0..load.files).try_for_each(|file| std::fs::remove_file(dir.join(format!("plain-{file}"))))?;
    Ok(took)
}

/// How long it takes to send these files, and how many MiB the server held meanwhile at most.
async fn send(server: &Server, token: &str, load: Load, bytes: &Arc<[u8]>) -> io::Result<(Duration, f64)> {
    let (over, mut is_over) = watch::channel(false);
    let looking = async {
        // What comes in before the next look is over by then.
        let mut most = server.resident_kib()?;
        while tokio::time::timeout(BETWEEN_LOOKS, is_over.changed()).await.is_err() {
            most = server.resident_kib()?.max(most);
        }
        Ok::<_, io::Error>(most)
    };
    let sending = async {
        let began = Instant::now();
        let senders = (0..load.at_once).map(async |sender| {
            let mut client = Client::connect(server.addr, Some(token)).await?;
            for _ in (sender..load.files).step_by(load.at_once) {
                let created = client.graphql(CREATE, json!({ "size": load.mib * MIB })).await?;
                let url = created["createUpload"]["uploadUrl"].as_str().ok_or(io::ErrorKind::InvalidData)?;
                put(server, url, load.mib * MIB, bytes).await?;
            }
            Ok::<_, io::Error>(())
        });
        let sent = try_join_all(senders).await;
        over.send_replace(true);
        sent.map(|_| began.elapsed())
    };
    let (took, most) = tokio::try_join!(sending, looking)?;
    Ok((took, most as f64 / 1024.0))
}

async fn put(server: &Server, url: &str, size: usize, bytes: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(server.addr).await?;
    let head = format!("PUT {url} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..size / bytes.len() {
        stream.write_all(bytes).await?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(answer)) }
}
