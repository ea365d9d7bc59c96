//! Connections that take no answer, or never finish a request, or send a file as slowly as they may.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Form;
use super::bystander::Bystander;
use super::outcome::Outcome;
use super::server::Server;
use crate::support::TestUser;

const CONNECTIONS: usize = 200;

/// All of the schema, several times.
const INTROSPECTION: &str = "{ __schema { types { name description fields { name description args { name description } \
    type { name description ofType { name description fields { name description type { name ofType { name } } } } } } } } }";

async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(1).expect("it can be small");
    socket.connect(address).await.expect("the server accepts")
}

/// Waits until the server has ended the connection, which takes nothing from it.
async fn until_ended(mut stream: TcpStream) {
    while stream.write_all(b"\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

pub async fn connections_that_read_no_answer(form: Form) -> Outcome {
    let server = Server::start().await;
    let mut bystander = Bystander::arrive(&server).await;
    server.forget_peak();
    let before = server.resident();
    let body = serde_json::json!({ "query": INTROSPECTION }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // One answer fits into the system's buffers; ten on one connection don't.
    let (request, begun) = (request.repeat(10), Instant::now());
    let streams = join_all((0..CONNECTIONS).map(|_| async {
        let mut stream = narrow(server.endpoint().addr).await;
        let _ = stream.write_all(request.as_bytes()).await;
        stream
    }))
    .await;
    let experience = bystander.live(&server, form.rounds).await;
    let peak = server.peak() - before;
    join_all(streams.into_iter().map(until_ended)).await;
    let ended = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    experience
        .judge(Outcome::default())
        .mib("memory on top at most", peak, 400)
        .mib("after they were ended", server.resident().saturating_sub(before), 200)
        .within("all 200 ended after", ended, Duration::from_mins(1))
}

pub async fn connections_that_send_half_a_request(form: Form) -> Outcome {
    let server = Server::start().await;
    let mut bystander = Bystander::arrive(&server).await;
    let begun = Instant::now();
    let halves = [
        "GET /livez HTTP/1.1\r\nHost: a\r\nX: ",
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{",
    ];
    let streams = (0..CONNECTIONS).map(|n| {
        let endpoint = server.endpoint().addr;
        async move {
            let mut stream = TcpStream::connect(endpoint).await.expect("the server accepts");
            stream.write_all(halves[n % 2].as_bytes()).await.expect("the server reads");
            stream
        }
    });
    let streams = join_all(streams).await;
    let experience = bystander.live(&server, form.rounds).await;
    join_all(streams.into_iter().map(|mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }))
    .await;
    let ended = begun.elapsed();
    experience.judge(Outcome::default()).within("all 200 ended after", ended, Duration::from_secs(30))
}

/// The link to send a file of so many bytes to.
async fn link(user: &TestUser, size: usize) -> String {
    let announce = "mutation($size: Int!) { createUpload(input: { name: \"a\", size: $size }) { uploadUrl } }";
    user.graphql(announce, serde_json::json!({ "size": size })).await.text("/createUpload/uploadUrl").to_owned()
}

/// Begins a picture of 25 MiB there, and goes on with 20 KiB a second, again and again.
async fn drip(address: SocketAddr, link: &str, size: usize) {
    let head = format!("PUT {link} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
    let mut piece = vec![0; 20 * 1024];
    loop {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        piece[..3].copy_from_slice(&[0xff, 0xd8, 0xff]);
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(&piece).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// The status that this file is answered with.
async fn send(address: SocketAddr, link: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    let head =
        format!("PUT {link} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", bytes.len());
    let mut answer = String::new();
    stream.write_all(&[head.as_bytes(), bytes].concat()).await.expect("the server reads");
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer.lines().next().unwrap_or_default().to_owned()
}

pub async fn files_that_come_as_slowly_as_they_may(form: Form) -> Outcome {
    const LARGE: usize = 25 * 1024 * 1024;
    let server = Server::start().await;
    let address = server.endpoint().addr;
    let mut bystander = Bystander::arrive(&server).await;
    let sender = server.user("sender").await;
    let mut links = Vec::new();
    for name in ["eve", "mallory", "oscar", "trudy"] {
        let user = server.user(name).await;
        for _ in 0..4 {
            links.push(link(&user, LARGE).await);
        }
    }
    server.forget_peak();
    let before = server.resident();
    let dripping = join_all(links.iter().map(|link| drip(address, link, LARGE)));
    let others = async {
        let experience = bystander.live(&server, form.rounds).await;
        let (mut slowest, mut refused) = (Duration::ZERO, Vec::new());
        for _ in 0..3 {
            let link = link(&sender, 1024 * 1024).await;
            let begun = Instant::now();
            let status = send(address, &link, &vec![b'x'; 1024 * 1024]).await;
            slowest = slowest.max(begun.elapsed());
            refused.extend((!status.contains(" 200 ")).then_some(status));
        }
        (experience, slowest, refused)
    };
    let (experience, slowest, refused) = tokio::select! {
        _ = dripping => unreachable!("it drips for ever"),
        others = others => others,
    };
    let outcome = experience.judge(Outcome::default()).mib("memory on top at most", server.peak() - before, 400);
    outcome.expect(refused.is_empty(), format_args!("{} of 3 files refused", refused.len())).expect(
        slowest < Duration::from_secs(30),
        format_args!("the slowest after {} ms (≤ 30000)", slowest.as_millis()),
    )
}
