//! HTTP/1.1 with as little work as possible, so that the server is what is measured.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// One connection, kept alive, with one request at a time.
pub struct Client {
    addr: SocketAddr,
    stream: BufStream<TcpStream>,
    /// Those of every request, each with the end of its line.
    headers: String,
}

impl Client {
    /// Connects; with a token, every request carries it.
    pub async fn connect(addr: SocketAddr, token: Option<&str>) -> io::Result<Self> {
        let headers = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        Ok(Self { addr, stream: open(addr).await?, headers })
    }

    /// The same client, as a proxy would forward it for this address.
    pub fn forwarded_for(mut self, address: &str) -> Self {
        self.headers.extend(["x-forwarded-for: ", address, "\r\n"]);
        self
    }

    /// The answer to an operation, whatever it is.
    pub async fn post(&mut self, body: &str) -> io::Result<String> {
        self.request("POST", "/graphql", body).await
    }

    /// The `data` of one operation; errors of any kind are errors here.
    pub async fn graphql(&mut self, query: &str, variables: Value) -> io::Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let answer = self.request("POST", "/graphql", &body).await?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(io::Error::other)?;
        match answer["errors"].as_array() {
            Some(errors) if !errors.is_empty() => Err(io::Error::other(answer["errors"].to_string())),
            _ => Ok(answer["data"].take()),
        }
    }

    /// The body of a GET.
    pub async fn get(&mut self, path: &str) -> io::Result<String> {
        self.request("GET", path, "").await
    }

    /// The answer's body. Servers end connections that are idle for a while; it is then sent on a new one.
    pub async fn request(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let answer = self.attempt(method, path, body).await;
        match answer {
            Err(error) if is_over(&error) => {
                self.stream = open(self.addr).await?;
                self.attempt(method, path, body).await
            }
            answer => answer,
        }
    }

    async fn attempt(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.headers,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body.as_bytes()).await?;
        self.stream.flush().await?;
        let (mut length, mut is_chunked, mut line) = (0, false, String::new());
        while !self.line(&mut line).await?.is_empty() {
            let Some((name, value)) = line.trim_end().split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            is_chunked |=
                name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
        }
        let mut answer = Vec::new();
        if is_chunked {
            loop {
                let size = usize::from_str_radix(self.line(&mut line).await?, 16).map_err(io::Error::other)?;
                self.take(size, &mut answer).await?;
                self.line(&mut line).await?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.take(length, &mut answer).await?;
        }
        String::from_utf8(answer).map_err(io::Error::other)
    }

    /// The next line, without its end.
    async fn line<'l>(&mut self, line: &'l mut String) -> io::Result<&'l str> {
        line.clear();
        match self.stream.read_line(line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end()),
        }
    }

    /// So many bytes more.
    async fn take(&mut self, bytes: usize, answer: &mut Vec<u8>) -> io::Result<()> {
        let had = answer.len();
        answer.resize(had + bytes, 0);
        self.stream.read_exact(&mut answer[had..]).await.map(drop)
    }
}

async fn open(addr: SocketAddr) -> io::Result<BufStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(BufStream::new(stream))
}

fn is_over(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}
