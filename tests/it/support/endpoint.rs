//! The address of a server, and plain requests to it.

use std::net::SocketAddr;

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::{Answer, within};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of a server, and a client for it. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    /// The client for all requests.
    pub http: reqwest::Client,
    /// Address and port.
    pub addr: SocketAddr,
    /// The address that requests claim to come from, as a proxy would add it.
    pub forwarded_for: Option<String>,
}

impl Endpoint {
    /// The server at this address.
    pub fn new(addr: SocketAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("the client can be built");
        Self { http, addr, forwarded_for: None }
    }

    /// The same server, as somebody at this address reaches it through a proxy, by a client of its own.
    pub fn calling_from(&self, address: &str) -> Self {
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, address.parse().expect("an address is a header"))]);
        let http = reqwest::Client::builder().no_proxy().default_headers(headers).build();
        let http = http.expect("the client can be built");
        Self { http, addr: self.addr, forwarded_for: Some(address.to_owned()) }
    }

    /// The URL of this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The response to a GET. A server may close a kept connection just when this uses it again, above all one that was frozen
    /// for longer than it keeps idle connections; then it is asked once more, as browsers do.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        let sent = async {
            let mut response = self.http.get(self.url(path)).send().await;
            if response.as_ref().is_err_and(|error| error.is_request() && !error.is_connect()) {
                response = self.http.get(self.url(path)).send().await;
            }
            response
        };
        within(format_args!("the response to GET {path}"), sent).await.expect("the server responds")
    }

    /// The answer to one operation.
    pub async fn graphql(&self, token: Option<&str>, document: &str, variables: Value) -> Answer {
        self.try_graphql(token, document, variables).await.expect("the server responds")
    }

    /// The answer to one operation, from a server that may go away in the meantime.
    pub async fn try_graphql(
        &self,
        token: Option<&str>,
        document: &str,
        variables: Value,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.post(self.url("/graphql")).header("accept", "application/graphql-response+json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let request = request.json(&json!({ "query": document, "variables": variables }));
        within(format_args!("the answer to {document}"), async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok(Answer { status, body: response.json().await? })
        })
        .await
    }
}
