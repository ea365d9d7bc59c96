use std::fs;
use std::path::Path;

use super::{Config, Flags};
use crate::limits::LimitSettings;
use crate::telemetry::LogFormat;

/// What a server started with this file and these variables would say.
fn load(file: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("parlor.toml"), file).expect("a file");
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(flags, variables, dir.path()).map_err(|error| error.to_string())
}

fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    load(file, variables, &Flags::default()).map(|_| ()).expect_err("must be refused")
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config =
        Config::load(&Flags::default(), [], Path::new("/nonexistent")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:4000");
    assert_eq!((config.receipts_max_members, config.keep_events_days, config.drain_secs), (250, 30, 5));
    assert_eq!(config.username_hold_days, 30);
    assert!(config.database_url.is_none() && config.nats_url.is_none() && config.allowed_origins.is_empty());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "drain_secs = 1\nkeep_events_days = 1\nreceipts_max_members = 1\nlog_format = 'json'";
    let variables = [("PARLOR_KEEP_EVENTS_DAYS", "2"), ("PARLOR_RECEIPTS_MAX_MEMBERS", "2"), ("HOME", "/")];
    let flags = Flags { receipts_max_members: Some("3".into()), ..Flags::default() };

    let config = load(file, &variables, &flags).expect("good settings");

    assert_eq!((config.drain_secs, config.keep_events_days, config.receipts_max_members), (1, 2, 3));
    assert_eq!(config.log_format, LogFormat::Json);
}

#[test]
fn a_list_is_an_array_in_the_file_and_has_commas_in_the_environment() {
    let origins = ["https://a.example", "http://localhost:3000"];
    let in_file = load("allowed_origins = ['https://a.example', 'http://localhost:3000']", &[], &Flags::default());
    let variables = [("PARLOR_ALLOWED_ORIGINS", "https://a.example, http://localhost:3000,")];
    let in_environment = load("", &variables, &Flags::default());
    assert_eq!(in_file.expect("a list").allowed_origins, origins);
    assert_eq!(in_environment.expect("a list").allowed_origins, origins);
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let config = load("", &[("PARLOR_DATA_DIR", "007")], &Flags::default()).expect("a directory's name");
    assert_eq!(config.data_dir, Path::new("007"));
}

#[test]
fn an_unknown_name_is_refused_with_its_name() {
    let in_file = refusal("lisen = '0.0.0.0:1'", &[]);
    assert!(in_file.starts_with("unknown setting `lisen`") && in_file.contains("listen, data_dir"), "{in_file}");
    let in_environment = refusal("", &[("PARLOR_LISEN", "0.0.0.0:1")]);
    assert!(in_environment.starts_with("unknown variable PARLOR_LISEN;"), "{in_environment}");
}

#[test]
fn a_bad_value_is_refused_with_its_name_and_source() {
    for (file, variables, name, source) in [
        ("drain_secs = 'soon'", &[][..], "`drain_secs` (PARLOR_DRAIN_SECS)", "TOML file"),
        ("keep_events_days = -1", &[], "`keep_events_days` (PARLOR_KEEP_EVENTS_DAYS)", "TOML file"),
        ("allowed_origins = [1]", &[], "`allowed_origins` (PARLOR_ALLOWED_ORIGINS)", "TOML file"),
        ("", &[("PARLOR_LISTEN", "everywhere")], "`listen` (PARLOR_LISTEN)", "the environment"),
        ("", &[("PARLOR_LOG_FORMAT", "xml")], "`log_format` (PARLOR_LOG_FORMAT)", "the environment"),
        ("", &[("PARLOR_DRAIN_SECS", "4000")], "`drain_secs` (PARLOR_DRAIN_SECS)", "0 to 3,600"),
        ("", &[("PARLOR_DATABASE_CONNECTIONS", "0")], "`database_connections`", "1 to 1,000"),
        ("", &[("PARLOR_DATABASE_URL", "mysql://x:secret@y")], "`database_url`", "must begin"),
        ("", &[("PARLOR_NATS_URL", "localhost")], "`nats_url`", "must begin"),
        ("", &[("PARLOR_ALLOWED_ORIGINS", "https://a.example/path")], "`allowed_origins`", "is not an origin"),
        ("", &[("PARLOR_ALLOWED_ORIGINS", "https://a.example:99999")], "`allowed_origins`", "is not an origin"),
        ("", &[("PARLOR_ALLOWED_HEADERS", "x-tenant, x tenant")], "`allowed_headers`", "is not a header's name"),
        ("", &[("PARLOR_LOG", "info,=")], "`log` (PARLOR_LOG)", ""),
    ] {
        let refusal = refusal(file, variables);
        assert!(refusal.contains(name) && refusal.contains(source), "{file} {variables:?}: {refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}

#[test]
fn pages_are_on_by_default_where_nobody_else_is_let_in() {
    let shown = |variables: &[(&str, &str)]| {
        let config = load("", variables, &Flags::default()).expect("good settings");
        (config.shows_playground(), config.shows_sample_app())
    };
    let (everywhere, proxy) = (("PARLOR_LISTEN", "0.0.0.0:4000"), ("PARLOR_TRUSTED_PROXIES", "127.0.0.1"));
    assert_eq!(shown(&[]), (true, true));
    assert_eq!(shown(&[("PARLOR_LISTEN", "[::1]:4000")]), (true, true));
    assert_eq!(shown(&[everywhere]), (false, false));
    assert_eq!(shown(&[proxy]), (false, false));
    assert_eq!(shown(&[everywhere, proxy, ("PARLOR_PLAYGROUND", "on")]), (true, false));
    assert_eq!(shown(&[("PARLOR_PLAYGROUND", "off"), ("PARLOR_SAMPLE_APP", "off")]), (false, false));
    assert!(!load("playground = false", &[], &Flags::default()).expect("good settings").shows_playground());
    assert!(refusal("", &[("PARLOR_SAMPLE_APP", "maybe")]).contains("`sample_app` (PARLOR_SAMPLE_APP)"));
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let flags = Flags { config: Some("other.toml".into()), ..Flags::default() };
    let refusal = load("", &[], &flags).map(|_| ()).expect_err("must be refused");
    assert!(refusal.contains("other.toml"), "{refusal}");
}

#[test]
fn empty_variables_and_those_of_kubernetes_are_passed_over() {
    let variables = [
        ("PARLOR_NATS_URL", ""),
        ("PARLOR_SERVICE_HOST", "10.0.0.1"),
        ("PARLOR_SERVICE_PORT_HTTP", "80"),
        ("PARLOR_PORT", "tcp://10.0.0.1:80"),
        ("PARLOR_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(load("", &variables, &Flags::default()).is_ok());
    assert!(refusal("", &[("PARLOR_PORT", "80")]).contains("PARLOR_PORT"));
}

#[test]
fn a_trusted_proxy_is_an_address_or_a_network() {
    let variables = [("PARLOR_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1, fd00::/8")];
    let config = load("", &variables, &Flags::default()).expect("proxies");
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]);
    let refused = refusal("", &[("PARLOR_TRUSTED_PROXIES", "10.0.0.0/8, proxy")]);
    assert!(refused.contains("PARLOR_TRUSTED_PROXIES") && refused.contains("`proxy`"), "{refused}");
}

#[test]
fn limits_are_a_table_in_the_file_and_have_names_of_their_own_in_the_environment() {
    let file = "[limits]\nposts = '1/s'\nreads = 0\nsessions = 7";
    let variables = [("PARLOR_LIMITS_POSTS", "2/s burst 9, 60/min"), ("PARLOR_LIMITS_SOCKETS", "3")];
    let limits = load(file, &variables, &Flags::default()).expect("good settings").limits;
    assert_eq!((limits.posts.to_string().as_str(), limits.reads.to_string().as_str()), ("2/s burst 9, 60/min", "off"));
    assert_eq!((limits.sessions, limits.sockets, limits.rooms, limits.enabled), (7, 3, 2_000, true));

    let off = Flags { limits: Some("off".into()), ..Flags::default() };
    assert!(!load(file, &[("PARLOR_LIMITS", "on")], &off).expect("good settings").limits.enabled);
    assert!(!load("[limits]\nenabled = false", &[], &Flags::default()).expect("good settings").limits.enabled);
    assert!(load("", &[], &Flags::default()).expect("good settings").limits.in_force() != LimitSettings::off());
}

#[test]
fn a_limit_that_is_none_is_refused_by_the_name_that_it_was_given() {
    for (file, variables, name) in [
        ("[limits]\nposts = 'many'", &[][..], "`limits.posts` (PARLOR_LIMITS_POSTS)"),
        ("", &[("PARLOR_LIMITS_POSTS", "5")], "`limits.posts` (PARLOR_LIMITS_POSTS)"),
        ("", &[("PARLOR_LIMITS", "maybe")], "(PARLOR_LIMITS)"),
        ("", &[("PARLOR_LIMITS_SOCKETS", "few")], "(PARLOR_LIMITS_SOCKETS)"),
        ("", &[("PARLOR_LIMITS_POST", "5/s")], "unknown variable PARLOR_LIMITS_POST;"),
        ("[limits]\npost = '5/s'", &[], "unknown setting `limits.post`"),
    ] {
        let refusal = refusal(file, variables);
        assert!(refusal.contains(name), "{file} {variables:?}: {refusal}");
    }
}
