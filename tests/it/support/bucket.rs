//! S3-compatible storage, where a server keeps files instead of in a directory.

use std::sync::OnceLock;

use parlor::config::Config;
use serde_json::Value;

use super::within;
use crate::servers::s3::S3;

/// The variable in which `tests/postgres.rs` says where its storage is. Without it, a process starts one for all its tests.
const S3_STORAGE: &str = "PARLOR_TEST_S3";

/// The bit by which a folder is known ([`os.FileMode`](https://pkg.go.dev/io/fs#FileMode)).
const FOLDER: u64 = 1 << 31;

/// A bucket, in which the test keeps files below `of/parlor`.
#[derive(Clone)]
pub struct Bucket {
    endpoint: String,
    filer: String,
    /// Its name.
    pub name: String,
    /// With what a server signs.
    pub secret: String,
}

impl Bucket {
    /// A bucket of its own, in the storage that all tests have.
    pub async fn new() -> Self {
        static OWN: OnceLock<S3> = OnceLock::new();
        let (endpoint, filer) = if let Ok(storage) = std::env::var(S3_STORAGE) {
            let (endpoint, filer) = storage.split_once(' ').expect("two addresses");
            (endpoint.to_owned(), filer.to_owned())
        } else {
            let start = || OWN.get_or_init(|| S3::start(true));
            let own = tokio::task::spawn_blocking(start).await.expect("the storage starts");
            (own.endpoint(), own.filer_url())
        };
        Self::at(endpoint, filer).await
    }

    /// A bucket in this storage, which the test has for itself.
    pub async fn on(storage: &S3) -> Self {
        Self::at(storage.endpoint(), storage.filer_url()).await
    }

    async fn at(endpoint: String, filer: String) -> Self {
        let name = format!("it-{}", uuid::Uuid::now_v7().simple());
        let bucket = Self { endpoint, filer, name, secret: S3::SECRET.to_owned() };
        bucket.make().await;
        bucket
    }

    /// Makes it.
    pub async fn make(&self) {
        let made = http().post(format!("{}/buckets/{}/", self.filer, self.name)).send();
        assert_eq!(within("a bucket", made).await.expect("the storage answers").status(), 201);
    }

    /// Deletes what has this name.
    pub async fn delete_file(&self, path: &str) {
        let deleted = http().delete(format!("{}{path}", self.filer)).send();
        assert!(within("no file", deleted).await.expect("the storage answers").status().is_success());
    }

    /// Puts a file there that no server has.
    pub async fn put_file(&self, name: &str) {
        let put = http().put(format!("{}/buckets/{}/of/parlor/{name}", self.filer, self.name)).body("x").send();
        assert!(within("a file", put).await.expect("the storage answers").status().is_success());
    }

    /// Has a server keep its files here.
    pub fn configure(&self, config: &mut Config) {
        config.files_url = Some(self.url());
        config.files_shared = None;
        config.files_s3_endpoint = Some(self.endpoint.clone());
        config.files_s3_key = Some(S3::KEY.to_owned());
        config.files_s3_secret = Some(self.secret.clone());
    }

    /// The settings by which a process keeps its files here.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("PARLOR_FILES_URL", self.url()),
            ("PARLOR_FILES_S3_ENDPOINT", self.endpoint.clone()),
            ("PARLOR_FILES_S3_KEY", S3::KEY.to_owned()),
            ("PARLOR_FILES_S3_SECRET", self.secret.clone()),
        ]
    }

    fn url(&self) -> String {
        format!("s3://{}/of/parlor", self.name)
    }

    /// The paths of all files, and of parts of some that aren't whole.
    pub async fn files(&self) -> Vec<String> {
        let (mut folders, mut files) = (vec![format!("/buckets/{}", self.name)], Vec::new());
        while let Some(folder) = folders.pop() {
            let asked = http().get(format!("{}{folder}/?limit=10000", self.filer)).header("accept", "application/json");
            let listed: Value = within("a listing", async { asked.send().await?.json().await }).await.expect("JSON");
            for entry in listed["Entries"].as_array().into_iter().flatten() {
                let path = entry["FullPath"].as_str().expect("a path").to_owned();
                let is_folder = entry["Mode"].as_u64().is_some_and(|mode| mode & FOLDER != 0);
                if is_folder { &mut folders } else { &mut files }.push(path);
            }
        }
        files
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}
