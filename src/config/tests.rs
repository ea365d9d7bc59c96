use std::fs;
use std::path::Path;

use super::{Config, Flags};
use crate::issuers::IssuerSettings;
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

/// What a server with these issuers would say, by the file and by the environment.
fn issuers(file: &str) -> Result<Vec<IssuerSettings>, String> {
    load(file, &[], &Flags::default()).map(|config| config.issuer)
}

#[test]
fn issuers_are_tables_in_the_file_and_json_in_the_environment() {
    let file = "[[issuer]]\nissuer = 'app'\nsecret = 'a secret that is long enough to sign with'\naudience = 'chat'\n\
                prefix = 'app:'\n\n[[issuer]]\nissuer = 'https://id.example'\ndiscover = true\n\
                algorithms = ['RS256', 'ES256', 'EdDSA']\naudience = ['chat', 'beta']\naudience_claim = 'azp'\n\
                prefix = 'id:'\nprovision = false\nsocket_ttl_secs = 3600";
    let found = issuers(file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (found[0].issuer.as_str(), &found[0].audience[..], found[0].provision),
        ("app", &["chat".to_owned()][..], true)
    );
    assert_eq!(
        (found[1].audience.len(), found[1].audience_claim.as_str(), found[1].socket_ttl_secs),
        (2, "azp", 3_600)
    );

    let json = r#"[{"issuer":"https://id.example","jwks_url":"https://id.example/keys","audience":"chat"}]"#;
    let found = load(file, &[("PARLOR_ISSUER", json)], &Flags::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.issuer.len(), 1, "the environment replaces the file's");
    assert!(load("", &[("PARLOR_ISSUER", "[]")], &Flags::default()).expect("no issuers").issuer.is_empty());
}

#[test]
fn an_issuer_that_cannot_be_meant_is_refused() {
    let base = "[[issuer]]\nissuer = 'https://id.example'\naudience = 'chat'\n";
    let (url, secret) =
        ("jwks_url = 'https://id.example/keys'", "secret = 'a secret that is long enough to sign with'");
    for (more, problem) in [
        (String::new(), "one of `secret`"),
        (format!("{url}\ndiscover = true"), "one of `secret`"),
        (format!("{url}\n{secret}"), "one of `secret`"),
        ("secret = 'opensesame'".into(), "at least 32 bytes"),
        ("jwks_url = 'http://id.example/keys'".into(), "`https://`"),
        ("jwks_url = 'keys'".into(), "`https://`"),
        (format!("{url}\nalgorithms = ['HS256']"), "`algorithms`"),
        (format!("{url}\nalgorithms = []"), "`algorithms`"),
        (format!("{url}\nalgorithms = ['none']"), "none"),
        (format!("{url}\nalgorithms = ['RS256', 'HS256']"), "`algorithms`"),
        (format!("{secret}\nalgorithms = ['RS256']"), "`algorithms`"),
        (format!("{secret}\nalgorithms = ['HS512']"), "`algorithms`"),
        (format!("{url}\naudience_claim = 'sub'"), "`audience_claim`"),
        (format!("{url}\nsocket_ttl_secs = 86401"), "86,400"),
        (format!("{url}\nkeys = 1"), "unknown field `keys`"),
    ] {
        let refusal = issuers(&format!("{base}{more}")).map(|_| ()).expect_err(&more);
        assert!(refusal.contains("`issuer` (PARLOR_ISSUER)") && refusal.contains(problem), "{more}: {refusal}");
        assert!(!refusal.contains("opensesame"), "{refusal}");
    }
    for (file, problem) in [
        (format!("[[issuer]]\nissuer = 'parlor'\naudience = 'chat'\n{secret}"), "not `parlor`"),
        (format!("[[issuer]]\nissuer = 'app'\n{secret}"), "audience"),
        (format!("[[issuer]]\nissuer = 'app'\naudience = []\n{secret}"), "`audience`"),
        (format!("[[issuer]]\nissuer = 'app'\naudience = ''\n{secret}"), "`audience`"),
        ("[[issuer]]\nissuer = 'app'\naudience = 'chat'\ndiscover = true".into(), "can't be discovered"),
    ] {
        let refusal = issuers(&file).map(|_| ()).expect_err(&file);
        assert!(refusal.contains(problem), "{file}: {refusal}");
    }
    assert!(refusal("", &[("PARLOR_ISSUER", "app")]).contains("PARLOR_ISSUER"));
}

#[test]
fn no_prefix_of_an_issuer_is_the_beginning_of_anothers() {
    let two = |names: [&str; 2], prefixes: [&str; 2]| {
        let table = |n: usize| {
            format!(
                "[[issuer]]\nissuer = '{}'\naudience = 'chat'\nprefix = '{}'\nsecret = 'a secret that is long enough to sign with'\n",
                names[n], prefixes[n]
            )
        };
        issuers(&(table(0) + &table(1)))
    };
    assert!(two(["a", "b"], ["a:", "b:"]).is_ok());
    for prefixes in [["", ""], ["", "staff:"], ["staff:", ""], ["a:", "a:"], ["a", "a:"], ["google:x:", "google:"]] {
        let refusal = two(["a", "b"], prefixes).map(|_| ()).expect_err("must be refused");
        assert!(refusal.contains("the beginning of the other"), "{prefixes:?}: {refusal}");
    }
    assert!(two(["a", "a"], ["a:", "b:"]).map(|_| ()).expect_err("is refused").contains("twice"));
}
