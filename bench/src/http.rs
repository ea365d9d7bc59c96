//! HTTP/1.1 with as little work as possible, so that the server is what is measured.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// One connection, kept alive, with one request at a time.
pub struct Client {
    stream: BufStream<TcpStream>,
    authorization: String,
}

impl Client {
    /// Connects; with a token, every request carries it.
    pub async fn connect(addr: SocketAddr, token: Option<&str>) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        Ok(Self { stream: BufStream::new(stream), authorization })
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

    async fn request(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.authorization,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body.as_bytes()).await?;
        self.stream.flush().await?;
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        String::from_utf8(answer).map_err(io::Error::other)
    }
}
