//! Files that are announced and sent.

use serde_json::json;

use super::{TestUser, within};

impl TestUser {
    /// Announces a file and sends it. Returns its id.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> String {
        const ANNOUNCE: &str = "mutation($name: String!, $size: Int!) {
            createUpload(input: { name: $name, size: $size }) { attachment { id } uploadUrl } }";
        let announced = self.graphql(ANNOUNCE, json!({ "name": name, "size": bytes.len() })).await;
        let url = self.endpoint().url(announced.text("/createUpload/uploadUrl"));
        let sent = within("the answer to a file", self.endpoint().http.put(url).body(bytes.to_vec()).send()).await;
        assert_eq!(sent.expect("the server responds").status(), 200, "{name}");
        announced.text("/createUpload/attachment/id").to_owned()
    }
}
