//! The command line of Parlor.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use parlor::chat::Argument;
use parlor::chat::user::NewAccount;
use parlor::clock::Clock;
use parlor::config::{Config, Flags};
use parlor::failure::with_causes;
use parlor::graphql;
use parlor::server::{self, Core};
use parlor::store::entity::user::UserType;
use parlor::telemetry::{self, Lines};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Random bytes of a password that nobody chose.
const PASSWORD_BYTES: usize = 18;

/// Exit status of a process that a signal ended: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// A chat backend in one binary, whose API is GraphQL with subscriptions.
///
/// Each setting can also stand in parlor.toml, or in the environment as `PARLOR_` and its name in capitals.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Default, Subcommand)]
enum Command {
    /// Start the server; this is what happens without a command
    #[default]
    Serve,
    /// Bring the database up to date, then end
    Migrate,
    /// Verify the database, beside a running server or without one: print what is wrong, and fail if anything is
    Check {
        /// Compare the storage of files with it, too
        #[arg(long)]
        files: bool,
    },
    /// Print the GraphQL schema
    Schema,
    /// Make, delete and let in users, beside a running server or without one
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list and revoke server keys, beside a running server or without one
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look after the index by which messages are found, beside a running server or without one
    #[command(subcommand)]
    Search(SearchCommand),
}

#[derive(Subcommand)]
enum SearchCommand {
    /// Make the index anew from the messages; until it is complete, searches find less
    Rebuild,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key for the app's own backend, and print it: it can't be shown again
    Add {
        /// What to call it, such as backend-2026
        name: String,
    },
    /// List the keys, one a line: id, name, when it was made, and when it was revoked
    List,
    /// Revoke a key: from now on it is refused, and soon the tokens that it has issued
    Revoke {
        /// Its id, or its name
        key: String,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account
    Add(AddUser),
    /// Delete an account: its sessions end, its messages stay without an author
    Delete {
        /// The account's name
        username: String,
    },
    /// Print an access token that belongs to no session
    Token {
        /// The account's name
        username: String,
        /// For how many seconds the token is good
        #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..))]
        ttl_secs: u32,
    },
}

#[derive(Args)]
struct AddUser {
    /// The name to sign in with
    username: String,
    /// What the user is to the rest
    #[arg(long = "type", value_enum)]
    kind: UserKind,
    /// The name shown to others [default: the username]
    #[arg(long)]
    display_name: Option<String>,
    /// Take the password from standard input, one line, instead of making one up and printing it
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum UserKind {
    Support,
    Consumer,
}

impl From<UserKind> for UserType {
    fn from(kind: UserKind) -> Self {
        match kind {
            UserKind::Support => Self::Support,
            UserKind::Consumer => Self::Consumer,
        }
    }
}

type Outcome = Result<ExitCode, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut log = None;
    let outcome = Box::pin(run(Cli::parse(), &mut log)).await;
    let code = outcome.unwrap_or_else(|error| {
        // Standard output is only for what the command was asked to print.
        match &log {
            Some(lines) => lines.say(&format!("parlor: {error}\n")),
            None => drop(writeln!(io::stderr(), "parlor: {error}")),
        }
        ExitCode::FAILURE
    });
    if let Some(lines) = log {
        lines.flush();
    }
    code
}

async fn run(Cli { command, flags }: Cli, log: &mut Option<Lines>) -> Outcome {
    let command = command.unwrap_or_default();
    if let Command::Schema = command {
        print!("{}", graphql::sdl());
        return Ok(ExitCode::SUCCESS);
    }
    let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
    let config = Config::load(&flags, environment, Path::new(""))?;
    if let Command::Serve = command {
        *log = Some(telemetry::init_logs(&config.log, config.log_format)?);
        return serve(config).await;
    }
    *log = Some(telemetry::init_logs("warn", config.log_format)?);
    if let Command::Check { files } = command {
        let report = server::check(&config, files).await?;
        println!("{report}");
        return Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let core = Core::open(&config, Clock::default(), &TaskTracker::new()).await?.0;
    let outcome = match command {
        Command::User(UserCommand::Add(user)) => add(&core, user).await,
        Command::User(UserCommand::Delete { username }) => core.chat.delete_user(&username).await.map_err(describe),
        Command::User(UserCommand::Token { username, ttl_secs }) => token(&core, &username, ttl_secs).await,
        Command::Key(command) => key(&core, command).await,
        Command::Search(SearchCommand::Rebuild) => rebuild(&core).await,
        // Opening the database has migrated it.
        Command::Migrate | Command::Serve | Command::Check { .. } | Command::Schema => Ok(()),
    };
    core.close().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Serves until the first signal, then shuts down gracefully; a second signal ends the process immediately.
async fn serve(config: Config) -> Outcome {
    let listen = config.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("can't listen on {listen}: {error}"))?;
    let stop = CancellationToken::new();
    let mut signals = Signals::new()?;
    let second_signal = async {
        signals.next().await;
        stop.cancel();
        signals.next().await;
    };
    tokio::select! {
        ended = server::run(config, listener, stop.cancelled()) => Ok(ended.map(|()| ExitCode::SUCCESS)?),
        () = second_signal => Ok(ExitCode::from(INTERRUPTED)),
    }
}

async fn add(core: &Core, user: AddUser) -> Result<(), Box<dyn Error>> {
    let given = if user.password_stdin { Some(line_from_stdin()?) } else { None };
    let password = match &given {
        Some(given) => given.clone(),
        None => generate_password()?,
    };
    let account = NewAccount::parse(&user.username, Some(&password), user.display_name.as_deref()).map_err(describe)?;
    let made = core.chat.add_user(account, user.kind.into()).await.map_err(describe)?;
    println!("{} {}", made.id, made.username);
    if given.is_none() {
        println!("password: {password}");
    }
    Ok(())
}

async fn token(core: &Core, username: &str, ttl_secs: u32) -> Result<(), Box<dyn Error>> {
    let ttl = TimeDelta::seconds(ttl_secs.into());
    println!("{}", core.chat.mint_token(username, ttl).await.map_err(describe)?);
    Ok(())
}

async fn key(core: &Core, command: KeyCommand) -> Result<(), Box<dyn Error>> {
    match command {
        KeyCommand::Add { name } => println!("{}", core.chat.add_key(&name).await.map_err(describe)?.text),
        KeyCommand::List => {
            for key in core.chat.keys().await.map_err(describe)? {
                let revoked = key.revoked_at.map(|at| format!("\trevoked {}", moment(at))).unwrap_or_default();
                println!("{}\t{}\t{}{revoked}", key.id, key.name, moment(key.created_at));
            }
        }
        KeyCommand::Revoke { key } => println!("{}", core.chat.revoke_key(&key).await.map_err(describe)?),
    }
    Ok(())
}

async fn rebuild(core: &Core) -> Result<(), Box<dyn Error>> {
    core.chat.forget_index().await?;
    core.chat.index_all_messages().await?;
    println!("the index is complete");
    Ok(())
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn line_from_stdin() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn generate_password() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; PASSWORD_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The name of a rule's argument on the command line.
fn named(argument: Argument) -> &'static str {
    match argument {
        Argument::DisplayName => "--display-name",
        Argument::Name => "name",
        Argument::Password => "password",
        Argument::Ttl => "--ttl-secs",
        _ => "username",
    }
}

/// The error with its causes: unlike a client, the operator may see what the database reported.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn describe(error: parlor::chat::Error) -> Box<dyn Error> {
    match &error {
        parlor::chat::Error::Invalid { argument, problem } => format!("{}: {problem}", named(*argument)).into(),
        other => with_causes(other).into(),
    }
}

/// The signals that ask a process to stop: SIGINT, as from Ctrl-C, and SIGTERM.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        #[cfg(unix)]
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        Ok(Self {
            #[cfg(unix)]
            terminate,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
