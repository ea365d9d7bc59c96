//! What the command line may set.

use std::path::PathBuf;

use serde::Serialize;

/// The settings that the command line may set.
#[derive(Clone, Default, Serialize, clap::Args)]
pub struct Flags {
    /// File of settings [default: parlor.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:4000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Directory of the secrets and the SQLite file [default: ./parlor-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// postgres://… or sqlite:… [default: parlor.db in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Connections for reading at most [default: 8]
    #[arg(long, global = true, value_name = "N")]
    pub database_connections: Option<String>,
    /// The broker by which nodes notify each other [default: none]
    #[arg(long, global = true, value_name = "URL")]
    pub nats_url: Option<String>,
    /// Credentials file for the broker [default: none]
    #[arg(long, global = true, value_name = "FILE")]
    pub nats_credentials: Option<String>,
    /// Certificate authorities to trust for the broker [default: the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub nats_ca: Option<String>,
    /// Websites whose scripts may call the API, separated by commas [default: none]
    #[arg(long, global = true, value_name = "ORIGINS")]
    pub allowed_origins: Option<String>,
    /// Headers that those scripts may send beside the usual ones, separated by commas [default: none]
    #[arg(long, global = true, value_name = "HEADERS")]
    pub allowed_headers: Option<String>,
    /// Whether browsers are shown GraphiQL at /graphql: on or off [default: on for this machine alone]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub playground: Option<String>,
    /// Whether browsers are shown a chat at /: on or off [default: on for this machine alone]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub sample_app: Option<String>,
    /// Whether people sign up and in with passwords: on or off [default: on]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub accounts: Option<String>,
    /// Whether users change their own names and pictures: on or off [default: as --accounts]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub profiles: Option<String>,
    /// Whom a user finds: all, sharers of a room, or none [default: all]
    #[arg(long, global = true, value_name = "WHO")]
    pub directory: Option<String>,
    /// Proxies that are believed about the client's address, separated by commas [default: none]
    #[arg(long, global = true, value_name = "NETWORKS")]
    pub trusted_proxies: Option<String>,
    /// Largest room whose members are notified of each other's reading [default: 250]
    #[arg(long, global = true, value_name = "MEMBERS")]
    pub receipts_max_members: Option<String>,
    /// For how many days a client can catch up from the log [default: 30]
    #[arg(long, global = true, value_name = "DAYS")]
    pub keep_events_days: Option<String>,
    /// For how many days nobody else may have the username of a deleted account [default: 30]
    #[arg(long, global = true, value_name = "DAYS")]
    pub username_hold_days: Option<String>,
    /// A file with words that are refused, masked or reported in messages
    #[arg(long, global = true, value_name = "FILE")]
    pub words: Option<String>,
    /// Where files are kept: `file:///directory` or `s3://bucket/prefix` [default: `files` in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    pub files_url: Option<String>,
    /// Whether the directory of files is the same on all nodes: on or off [default: off]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub files_shared: Option<String>,
    /// The most MiB of a file [default: 25]
    #[arg(long, global = true, value_name = "MIB")]
    pub files_max_mib: Option<String>,
    /// Where S3-compatible storage is [default: Amazon's]
    #[arg(long, global = true, value_name = "URL")]
    pub files_s3_endpoint: Option<String>,
    /// The region of the bucket [default: us-east-1]
    #[arg(long, global = true, value_name = "REGION")]
    pub files_s3_region: Option<String>,
    /// Networks that receivers of webhooks may be in though they aren't public, separated by commas [default: none]
    #[arg(long, global = true, value_name = "NETWORKS")]
    pub webhook_allow: Option<String>,
    /// Whom push services may turn to, a `mailto:` or `https:` address
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub push_contact: Option<String>,
    /// Hosts of push services besides those of browsers' makers, separated by commas
    #[arg(long, global = true, value_name = "HOSTS")]
    pub push_hosts: Option<String>,
    /// What notifications show: full, author or none [default: full]
    #[arg(long, global = true, value_name = "WHAT")]
    pub push_text: Option<String>,
    /// A file with the key of a Google service account that may send by Firebase Cloud Messaging
    #[arg(long, global = true, value_name = "FILE")]
    pub fcm_account: Option<String>,
    /// Where Firebase Cloud Messaging is [default: `https://fcm.googleapis.com`]
    #[arg(long, global = true, value_name = "URL")]
    pub fcm_url: Option<String>,
    /// Seconds over which a stopping server closes its sockets [default: 5]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub drain_secs: Option<String>,
    /// About how often a socket is pinged, in seconds [default: 25]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub keepalive_secs: Option<String>,
    /// After how many milliseconds the log is read without a doorbell [default: 250]
    #[arg(long, global = true, value_name = "MILLISECONDS")]
    pub poll_ms: Option<String>,
    /// Whether requests are limited by user and address: on or off [default: on]
    #[arg(long, global = true, value_name = "SWITCH")]
    pub limits: Option<String>,
    /// What is logged, as a tracing filter [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
}
