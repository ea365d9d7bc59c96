//! Every setting: its default, its unit, and its name in the environment.
//!
//! Each source overrides the ones before it: the defaults, the file `parlor.toml`, the environment, the command line.
//! The environment's names are the settings' own in capitals after `PARLOR_`. The server doesn't start with a name or
//! value that isn't understood: a server that runs with another setting than was meant is worse than one that doesn't
//! run.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use ipnet::IpNet;
use serde::Deserialize;

use crate::issuers::{self, IssuerSettings};
use crate::limits::LimitSettings;
use crate::secret::Secret;
use crate::telemetry::{self, LogFormat};
use values::{is_header, is_origin, is_service_link, list, networks, switch, tables, whole_number};

mod files;
mod flags;
#[cfg(test)]
mod tests;
mod values;

pub use flags::Flags;
pub use values::{Directory, PushText};

const FILE: &str = "parlor.toml";
const PREFIX: &str = "PARLOR_";
/// The one table of the settings file; its settings are `PARLOR_LIMITS_…` in the environment.
const LIMITS: &str = "limits";
/// The setting of that table whose name in the environment is the table's: `PARLOR_LIMITS`.
const ENABLED: &str = "enabled";

/// The settings of one server. Has no `Debug`, because its URLs may hold passwords.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `PARLOR_LISTEN`: the address and port to listen on. Default: `127.0.0.1:4000`.
    pub listen: SocketAddr,
    /// `PARLOR_DATA_DIR`: the directory of the secrets and the SQLite file. Default: `./parlor-data`.
    pub data_dir: PathBuf,
    /// `PARLOR_DATABASE_URL`: `postgres://…` or `sqlite:…`. Default: the file `parlor.db` in the data directory.
    pub database_url: Option<String>,
    /// `PARLOR_DATABASE_CONNECTIONS`: the most connections for reading, 1 to 1,000. Default: 8.
    #[serde(deserialize_with = "whole_number")]
    pub database_connections: u32,
    /// `PARLOR_NATS_URL`: the broker by which nodes notify each other that the log has grown, and of presence and
    /// typing. Default: none, for a single node.
    pub nats_url: Option<String>,
    /// `PARLOR_NATS_CREDENTIALS`: a credentials file for the broker, as `nsc` makes them. Default: none; a user and
    /// password or a token may stand in the URL.
    pub nats_credentials: Option<PathBuf>,
    /// `PARLOR_NATS_CA`: a PEM file with certificate authorities to trust for the broker. Default: the system's alone.
    pub nats_ca: Option<PathBuf>,
    /// `PARLOR_TOKEN_SECRET`: what tokens are signed with, at least 32 bytes of text. Several nodes on one database
    /// must have the same. Default: generated on first start and kept in the data directory.
    pub token_secret: Option<String>,
    /// `PARLOR_ISSUER`: who else issues tokens for users, as a list in JSON; in the file a table `[[issuer]]` for each.
    /// Default: nobody.
    #[serde(deserialize_with = "tables")]
    pub issuer: Vec<IssuerSettings>,
    /// `PARLOR_ALLOWED_ORIGINS`: websites whose scripts may call the API, separated by commas; `*` allows any. Default:
    /// none but the server's own.
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
    /// `PARLOR_ALLOWED_HEADERS`: headers that those scripts may send beside those that clients usually do, separated by
    /// commas; `*` allows any. Default: none.
    #[serde(deserialize_with = "list")]
    pub allowed_headers: Vec<String>,
    /// `PARLOR_PLAYGROUND`: `on` or `off`, whether a browser is shown GraphiQL at `/graphql`. Default: on where
    /// `listen` is a loopback address and no proxy is trusted, else off.
    #[serde(deserialize_with = "switch")]
    pub playground: Option<bool>,
    /// `PARLOR_SAMPLE_APP`: `on` or `off`, whether a browser is shown a chat at `/`. Default: as of `playground`.
    #[serde(deserialize_with = "switch")]
    pub sample_app: Option<bool>,
    /// `PARLOR_ACCOUNTS`: `on` or `off`, whether people sign up and in with names and passwords of this server. `off` is
    /// for an app that has its users already. Default: on.
    #[serde(deserialize_with = "switch")]
    pub accounts: Option<bool>,
    /// `PARLOR_PROFILES`: `on` or `off`, whether users change their own names and pictures. Default: as of `accounts`.
    #[serde(deserialize_with = "switch")]
    pub profiles: Option<bool>,
    /// `PARLOR_DIRECTORY`: whom a user finds: `all` users; `sharers`, those with whom the user shares a room; or `none`,
    /// where `sharers` are still seen, and only a server key opens rooms. Default: `all`.
    pub directory: Directory,
    /// `PARLOR_TRUSTED_PROXIES`: addresses or networks (`10.0.0.0/8`) of proxies that are believed about the address of
    /// the client in `X-Forwarded-For`, separated by commas. Default: none.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// `PARLOR_RECEIPTS_MAX_MEMBERS`: the largest room, in members, whose members are notified of each other's reading.
    /// Default: 250.
    #[serde(deserialize_with = "whole_number")]
    pub receipts_max_members: u32,
    /// `PARLOR_KEEP_EVENTS_DAYS`: for how many days a client that was away can catch up from the log. Default: 30.
    #[serde(deserialize_with = "whole_number")]
    pub keep_events_days: u32,
    /// `PARLOR_USERNAME_HOLD_DAYS`: for how many days nobody else may have the username of a deleted account. 0: it is free
    /// immediately. Default: 30.
    #[serde(deserialize_with = "whole_number")]
    pub username_hold_days: u32,
    /// `PARLOR_WORDS`: a file with words that are refused, masked or reported in messages: a line for each, of the action
    /// (`refuse`, `mask` or `report`), a tab and the word; `word*` is every word that begins so. Default: none.
    pub words: Option<PathBuf>,
    /// `PARLOR_FILES_URL`: where files are kept: `file:///directory` or `s3://bucket/prefix`. Default: the directory `files` in the
    /// data directory; with PostgreSQL, none.
    pub files_url: Option<String>,
    /// `PARLOR_FILES_SHARED`: `on` says that the directory of files is the same on all nodes, which a directory must be with
    /// PostgreSQL. Default: off.
    #[serde(deserialize_with = "switch")]
    pub files_shared: Option<bool>,
    /// `PARLOR_FILES_MAX_MIB`: the most MiB of a file, 1 to 2,047. Default: 25.
    #[serde(deserialize_with = "whole_number")]
    pub files_max_mib: u32,
    /// `PARLOR_FILES_S3_ENDPOINT`: where S3-compatible storage is: `https://host` or `http://host:port`. Default: Amazon's.
    pub files_s3_endpoint: Option<String>,
    /// `PARLOR_FILES_S3_REGION`: the region of the bucket. Default: `us-east-1`.
    pub files_s3_region: Option<String>,
    /// `PARLOR_FILES_S3_KEY`: the id of the key for the bucket. Default: none, for what the machine's role allows.
    pub files_s3_key: Option<String>,
    /// `PARLOR_FILES_S3_SECRET`: the secret of that key. Default: none.
    pub files_s3_secret: Option<String>,
    /// `PARLOR_WEBHOOK_ALLOW`: networks (`10.0.0.0/8`) that receivers of webhooks may be in though their addresses aren't
    /// public, and without TLS, separated by commas. Default: none.
    #[serde(deserialize_with = "networks")]
    pub webhook_allow: Vec<IpNet>,
    /// `PARLOR_PUSH_CONTACT`: whom push services may turn to, as a `mailto:` or `https:` address; Apple's requires one.
    /// Default: none.
    pub push_contact: Option<String>,
    /// `PARLOR_PUSH_HOSTS`: hosts of push services besides those of browsers' makers, separated by commas; `*.example.com` is
    /// every name below. An address among them is reached without TLS, too, and though it isn't public. Default: none.
    #[serde(deserialize_with = "list")]
    pub push_hosts: Vec<String>,
    /// `PARLOR_PUSH_TEXT`: what notifications show: `full`, who has said what; `author`, who; or `none`, that somebody has.
    /// Default: `full`.
    pub push_text: PushText,
    /// `PARLOR_FCM_ACCOUNT`: a file with the key, in JSON, of a Google account that may send by Firebase Cloud Messaging. Default: none.
    pub fcm_account: Option<PathBuf>,
    /// `PARLOR_FCM_URL`: where Firebase Cloud Messaging is. Default: `https://fcm.googleapis.com`.
    pub fcm_url: String,
    /// `PARLOR_DRAIN_SECS`: the seconds over which a stopping server spreads the closing of its sockets, 0 to 3,600.
    /// Default: 5.
    #[serde(deserialize_with = "whole_number")]
    pub drain_secs: u32,
    /// `PARLOR_KEEPALIVE_SECS`: about how often a socket is pinged, in seconds, 1 to 3,600. A proxy in front must let
    /// connections be silent for longer. Default: 25.
    #[serde(deserialize_with = "whole_number")]
    pub keepalive_secs: u32,
    /// `PARLOR_POLL_MS`: the milliseconds after which the log is read without a doorbell, 50 to 60,000: how late an
    /// event of another node comes when there is no broker, or it is away. Default: 250.
    #[serde(deserialize_with = "whole_number")]
    pub poll_ms: u32,
    /// How much users and addresses may do: the table `[limits]`.
    pub limits: LimitSettings,
    /// `PARLOR_LOG`: what is logged, as a `tracing` filter such as `info,parlor=debug`. Default: `info`.
    pub log: String,
    /// `PARLOR_LOG_FORMAT`: `text` or `json`. Default: `text`.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 4000).into(),
            data_dir: PathBuf::from("./parlor-data"),
            database_url: None,
            database_connections: 8,
            nats_url: None,
            nats_credentials: None,
            nats_ca: None,
            token_secret: None,
            issuer: Vec::new(),
            allowed_origins: Vec::new(),
            allowed_headers: Vec::new(),
            playground: None,
            sample_app: None,
            accounts: None,
            profiles: None,
            directory: Directory::All,
            trusted_proxies: Vec::new(),
            receipts_max_members: 250,
            keep_events_days: 30,
            username_hold_days: 30,
            words: None,
            files_url: None,
            files_shared: None,
            files_max_mib: 25,
            files_s3_endpoint: None,
            files_s3_region: None,
            files_s3_key: None,
            files_s3_secret: None,
            webhook_allow: Vec::new(),
            push_contact: None,
            push_hosts: Vec::new(),
            push_text: PushText::Full,
            fcm_account: None,
            fcm_url: "https://fcm.googleapis.com".into(),
            drain_secs: 5,
            keepalive_secs: 25,
            poll_ms: 250,
            limits: LimitSettings::default(),
            log: "info".into(),
            log_format: LogFormat::Text,
        }
    }
}

/// The settings can't be used; the text names the setting and where it was set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// The settings of a server that is started in `working_dir`.
    ///
    /// An empty variable counts as unset. Variables that Kubernetes makes for a service named `parlor`
    /// (`PARLOR_SERVICE_HOST`, `PARLOR_PORT_…`) are not settings and are ignored.
    ///
    /// # Errors
    /// When a file can't be read, a name isn't known, or a value isn't acceptable.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
        working_dir: &Path,
    ) -> Result<Self, ConfigError> {
        let file = working_dir.join(flags.config.as_deref().unwrap_or(Path::new(FILE)));
        if flags.config.is_some() && !file.is_file() {
            return Err(ConfigError(format!("there is no file {}", file.display())));
        }
        let environment = Source::environment(environment);
        let flags = Source::flags(flags);
        let figment = if file.is_file() { Figment::from(Toml::file_exact(file)) } else { Figment::new() };
        let figment = figment.merge(&environment).merge(&flags);
        let config: Self = figment.extract().map_err(|error| explain(&error, &environment))?;
        config.check()?;
        Ok(config)
    }

    /// Whether a browser is shown GraphiQL.
    #[must_use]
    pub fn shows_playground(&self) -> bool {
        self.playground.unwrap_or_else(|| self.is_for_this_machine())
    }

    /// Whether a browser is shown the sample app.
    #[must_use]
    pub fn shows_sample_app(&self) -> bool {
        self.sample_app.unwrap_or_else(|| self.is_for_this_machine())
    }

    /// Whether people sign up and in with names and passwords of this server.
    #[must_use]
    pub fn has_accounts(&self) -> bool {
        self.accounts.unwrap_or(true)
    }

    /// Whether users change their own names and pictures.
    #[must_use]
    pub fn has_profiles(&self) -> bool {
        self.profiles.unwrap_or(self.has_accounts())
    }

    /// Whether nobody calls but programs of this machine, as far as the settings tell: not even a proxy of it.
    fn is_for_this_machine(&self) -> bool {
        self.listen.ip().is_loopback() && self.trusted_proxies.is_empty()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key: &str, problem: String| Err(ConfigError(format!("{}: {problem}", named(key))));
        let starts = |url: &str, schemes: &[&str]| schemes.iter().any(|scheme| url.starts_with(scheme));
        if self.database_url.as_ref().is_some_and(|url| !starts(url, &["sqlite:", "postgres:", "postgresql:"])) {
            return refuse("database_url", "must begin with `postgres:` or `sqlite:`".into());
        }
        if self.nats_url.as_ref().is_some_and(|url| !starts(url, &["nats:", "tls:", "ws:", "wss:"])) {
            return refuse("nats_url", "must begin with `nats:` or `tls:`".into());
        }
        if let Some((key, problem)) = self.files_problem() {
            return refuse(key, problem.into());
        }
        if let Some(Err(too_short)) = self.token_secret.as_deref().map(Secret::new) {
            return refuse("token_secret", too_short.to_string());
        }
        if let Some(problem) = issuers::problem(&self.issuer) {
            return refuse("issuer", problem);
        }
        if !(1..=1_000).contains(&self.database_connections) {
            return refuse("database_connections", "must be 1 to 1,000".into());
        }
        if self.keep_events_days == 0 {
            return refuse("keep_events_days", "must be at least 1".into());
        }
        if self.drain_secs > 3_600 {
            return refuse("drain_secs", "must be 0 to 3,600".into());
        }
        if !(1..=3_600).contains(&self.keepalive_secs) {
            return refuse("keepalive_secs", "must be 1 to 3,600".into());
        }
        if !(50..=60_000).contains(&self.poll_ms) {
            return refuse("poll_ms", "must be 50 to 60,000".into());
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let problem = format!("`{origin}` is not an origin; one looks like `https://chat.example.com`");
            return refuse("allowed_origins", problem);
        }
        if let Some(name) = self.allowed_headers.iter().find(|name| !is_header(name)) {
            return refuse("allowed_headers", format!("`{name}` is not a header's name"));
        }
        telemetry::parse_filter(&self.log).map(drop).or_else(|error| refuse("log", error.to_string()))
    }
}

fn named(key: &str) -> String {
    let in_environment = key.strip_suffix(".enabled").unwrap_or(key).replace('.', "_").to_uppercase();
    format!("setting `{key}` ({PREFIX}{in_environment})")
}

fn explain(error: &figment::Error, environment: &Source) -> ConfigError {
    let path = error.path.join(".");
    ConfigError(match &error.kind {
        Kind::UnknownField(name, known) => {
            let known = known.join(", ");
            let table = if path == LIMITS || path.starts_with("limits.") { "limits." } else { "" };
            let key = format!("{table}{name}");
            if environment.has(&key) {
                let variable = key.replace('.', "_").to_uppercase();
                format!("unknown variable {PREFIX}{variable}; the settings are: {known}")
            } else {
                format!("unknown setting `{key}` in the settings file; the settings are: {known}")
            }
        }
        kind if !path.is_empty() => {
            let source = error.metadata.as_ref().map_or("the settings", |metadata| &metadata.name);
            format!("{}: {kind} (from {source})", named(&path))
        }
        _ => error.to_string(),
    })
}

/// Settings as text, from the environment or the command line.
struct Source {
    name: &'static str,
    data: Dict,
}

impl Source {
    fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let data = variables
            .into_iter()
            .filter(|(name, value)| !value.is_empty() && !is_service_link(name, value))
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), Value::from(value))));
        Self { name: "the environment", data: with_table(data) }
    }

    fn flags(flags: &Flags) -> Self {
        let flags = serde_json::to_value(flags).and_then(serde_json::from_value::<BTreeMap<String, Option<String>>>);
        let given = flags.into_iter().flatten().filter_map(|(key, value)| Some((key, Value::from(value?))));
        Self { name: "the command line", data: with_table(given) }
    }

    /// Whether it sets this key, which may be one of the table's.
    fn has(&self, key: &str) -> bool {
        match (key.split_once('.'), self.data.get(LIMITS)) {
            (Some((LIMITS, name)), Some(Value::Dict(_, table))) => table.contains_key(name),
            _ => self.data.contains_key(key),
        }
    }
}

/// Settings by name, with those of the table in a table.
fn with_table(settings: impl Iterator<Item = (String, Value)>) -> Dict {
    let (mut data, mut table) = (Dict::new(), Dict::new());
    for (name, value) in settings {
        match name.strip_prefix(LIMITS) {
            Some("") => table.insert(ENABLED.to_owned(), value),
            Some(name) if name.starts_with('_') => table.insert(name[1..].to_owned(), value),
            _ => data.insert(name, value),
        };
    }
    if !table.is_empty() {
        data.insert(LIMITS.to_owned(), table.into());
    }
    data
}

impl Provider for &Source {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.data.clone()))
    }
}
