//! Answers over HTTP that go on: server-sent events and Apollo's multipart protocol.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{TestUser, within};

/// The media type of server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// What Apollo Client accepts as the answer to a subscription.
pub const MULTIPART: &str = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json";

const BOUNDARY: &str = "\r\n--graphql";

/// An answer that goes on.
pub struct Stream {
    response: Response,
    /// What has come and was not taken.
    text: Vec<u8>,
    /// Whether the first boundary was taken.
    has_begun: bool,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSent {
    /// Its name.
    pub event: String,
    /// The cursor.
    pub id: Option<String>,
    /// Its JSON; null if it has none.
    pub data: Value,
}

impl TestUser {
    /// The answer to one operation, in the form that `accept` asks for.
    pub async fn stream(&self, accept: &str, document: &str, variables: Value) -> Stream {
        self.stream_with(accept, &json!({ "query": document, "variables": variables }), &[]).await
    }

    /// As [`Self::stream`], with this body and these headers.
    pub async fn stream_with(&self, accept: &str, body: &Value, headers: &[(&str, &str)]) -> Stream {
        let endpoint = self.endpoint();
        let mut request = endpoint.http.post(endpoint.url("/graphql")).header("accept", accept);
        request = request.bearer_auth(&self.access_token).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = within("the head of an answer", request.send()).await.expect("the server responds");
        Stream { response, text: Vec::new(), has_begun: false }
    }
}

impl Stream {
    /// The answer's status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The answer's headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The whole answer, which is JSON.
    pub async fn json(self) -> Value {
        within("the answer", self.response.json()).await.expect("the answer is JSON")
    }

    /// Takes everything up to this text, and the text. `None` if the stream ends before.
    async fn until(&mut self, text: &str) -> Option<String> {
        loop {
            if let Some(at) = self.text.windows(text.len()).position(|window| window == text.as_bytes()) {
                let rest = self.text.split_off(at + text.len());
                let mut taken = std::mem::replace(&mut self.text, rest);
                taken.truncate(at);
                return Some(String::from_utf8(taken).expect("what is sent is UTF-8"));
            }
            let chunk = within(format_args!("{text:?} in a stream"), self.response.chunk()).await;
            self.text.extend(chunk.ok().flatten()?);
        }
    }

    /// The next block of a stream of server-sent events; comments and `retry`, too.
    pub async fn next_block(&mut self) -> Option<String> {
        self.until("\n\n").await
    }

    /// The next server-sent event. `None` when the stream has ended.
    pub async fn next_event(&mut self) -> Option<ServerSent> {
        loop {
            if let Some(event) = ServerSent::parse(&self.next_block().await?) {
                return Some(event);
            }
        }
    }

    /// The payload of the next `next`.
    pub async fn next_payload(&mut self) -> Value {
        let event = self.next_event().await.expect("the stream goes on");
        assert_eq!(event.event, "next", "{event:?}");
        event.data
    }

    /// The server-sent events that are whole within the next so many bytes, after which the client is cut off; or up to
    /// an event that ends with this text.
    pub async fn cut(mut self, bytes: usize, last: &str) -> Vec<ServerSent> {
        let last = format!("{last}\n\n");
        while self.text.len() < bytes && !self.text.ends_with(last.as_bytes()) {
            match within("more of a stream", self.response.chunk()).await {
                Ok(Some(chunk)) => self.text.extend(chunk),
                Ok(None) | Err(_) => break,
            }
        }
        self.text.truncate(bytes);
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
        whole.split("\n\n").filter_map(ServerSent::parse).collect()
    }

    /// The JSON of the next part of a multipart answer. `None` when the last boundary has come.
    pub async fn next_part(&mut self) -> Option<Value> {
        if !std::mem::replace(&mut self.has_begun, true) {
            assert_eq!(self.until(BOUNDARY).await.as_deref(), Some(""), "nothing comes before the first boundary");
        }
        // What follows a boundary says whether it is the last.
        let after = self.until("\r\n").await.expect("the answer ends with the last boundary");
        if after == "--" {
            return None;
        }
        let part = self.until(BOUNDARY).await.expect("a part ends with a boundary");
        let (headers, json) = part.split_once("\r\n\r\n").expect("a part has headers");
        assert_eq!((&*after, headers), ("", "content-type: application/json"));
        Some(serde_json::from_str(json).expect("a part is JSON"))
    }

    /// The payload of the next part that is no heartbeat.
    pub async fn next_part_payload(&mut self) -> Value {
        loop {
            let part = self.next_part().await.expect("the answer goes on");
            if part != json!({}) {
                return part["payload"].clone();
            }
        }
    }
}

impl ServerSent {
    fn parse(block: &str) -> Option<Self> {
        let mut event = Self { event: String::new(), id: None, data: Value::Null };
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => value.clone_into(&mut event.event),
                "id" => event.id = Some(value.to_owned()),
                "data" if !value.is_empty() => event.data = serde_json::from_str(value).expect("data is JSON"),
                "" | "data" | "retry" => {}
                other => panic!("no field of a server-sent event: {other:?}"),
            }
        }
        (!event.event.is_empty()).then_some(event)
    }
}
