//! What a server prints when it has started.

use std::net::SocketAddr;

use crate::config::Config;
use crate::http::pages::{Pages, Shown};

/// The addresses of the server and of its pages, and where its data is; without passwords.
pub(super) fn banner(addr: SocketAddr, config: &Config, pages: Pages) -> String {
    let reached = if addr.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], addr.port())) } else { addr };
    let data_dir = config.data_dir.display();
    let data = match config.database_url.as_deref() {
        None => format!("{data_dir} (SQLite, secrets)"),
        Some(url) => format!("{}, secrets in {data_dir}", without_secrets(url)),
    };
    let page = |label: &str, path: &str, shown: Shown| match shown {
        Shown::Here(_) => format!("  {label:<12}http://{reached}{path}, in a browser\n"),
        Shown::Missing(reason) => {
            format!("  {label:<12}not in this build: {reason}; http://{reached}{path} has more\n")
        }
        Shown::Off => String::new(),
    };
    format!(
        "Parlor {version} is listening on {addr}\n{chat}{playground}  API         http://{reached}/graphql (WebSocket: \
         ws://{reached}/graphql)\n  Data        {data}",
        version = env!("CARGO_PKG_VERSION"),
        chat = page("Chat", "/", pages.sample_app()),
        playground = page("Playground", "/graphql", pages.playground()),
    )
}

/// A URL without its user, password and parameters.
pub(super) fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_tells_where_and_no_password() {
        let config =
            Config { database_url: Some("postgres://u:secret@db/parlor?password=secret".into()), ..Config::default() };
        let pages = Pages { playground: true, sample_app: false };
        let banner = banner(([0, 0, 0, 0], 4000).into(), &config, pages);
        assert!(
            banner.contains("http://127.0.0.1:4000/graphql") && banner.contains("postgres://db/parlor"),
            "{banner}"
        );
        assert!(banner.contains("\n  Playground  ") && !banner.contains("Chat"), "{banner}");
        assert!(!banner.contains("secret@") && !banner.contains("password"), "{banner}");
    }
}
