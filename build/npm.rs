//! npm and Node.js, with an end to everything they do.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::part::Failure;

/// The environment variable that names npm. Empty: build without the pages.
pub(crate) const PROGRAM: &str = "NPM";

/// Where npm puts packages.
pub(crate) const PACKAGES: &str = "node_modules";

/// How a page comes into a build. `src/http/pages/mod.rs` says the same in HTML.
pub(crate) const REMEDY: &str = "It takes Node.js 20.19 or later, npm and its registry: with them, run `cargo clean \
                                 --package parlor` and build again";

/// The oldest Node.js that will do, as major and minor version: what Vite asks for.
const OLDEST: (u32, u32) = (20, 19);

const ASK_LIMIT: Duration = Duration::from_secs(20);
const INSTALL_LIMIT: Duration = Duration::from_mins(2);
const BUILD_LIMIT: Duration = Duration::from_mins(3);

/// How often it is looked whether a program has ended.
const POLL: Duration = Duration::from_millis(50);

/// An npm with a Node.js that is new enough.
pub(crate) struct Npm {
    program: PathBuf,
    /// `PATH`, with the folder of npm first if it was named with one: its Node.js is beside it.
    path: OsString,
}

impl Npm {
    /// The npm that the environment names, or that is on `PATH`.
    pub(crate) fn find(log: &Path) -> Result<Self, Failure> {
        let default = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let program = PathBuf::from(env::var_os(PROGRAM).unwrap_or_else(|| default.into()));
        if program.as_os_str().is_empty() {
            return Err(Failure::chosen(format!("`{PROGRAM}` was empty when it was built")));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let beside = program.parent().filter(|dir| !dir.as_os_str().is_empty()).map(Path::to_owned);
        let path = env::join_paths(beside.into_iter().chain(env::split_paths(&path))).unwrap_or(path);
        let npm = Self { program, path };
        npm.check_node(log)?;
        Ok(npm)
    }

    fn check_node(&self, log: &Path) -> Result<(), Failure> {
        run(self.command("node", log)?.arg("--version"), ASK_LIMIT, log)
            .map_err(|problem| Failure::new("there was no Node.js").with_detail(problem))?;
        let written = fs::read_to_string(log)?;
        let version = written.trim().trim_start_matches('v');
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        match (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) {
            found if found < OLDEST => Err(Failure::new(format!("Node.js {version} is too old"))),
            _ => Ok(()),
        }
    }

    /// Installs what the lock file names, without running anything of it, and without the tools for working on it.
    pub(crate) fn install(&self, dir: &Path, log: &Path) -> Result<(), Failure> {
        let mut npm = self.command(&self.program, log)?;
        npm.current_dir(dir).args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]);
        // So that npm ends by itself even if nobody is left to end it.
        npm.args(["--fetch-timeout=30000", "--fetch-retries=1", "--prefer-offline"]);
        run(&mut npm, INSTALL_LIMIT, log).map_err(|problem| Failure::new("`npm ci` failed").with_detail(problem))
    }

    /// Runs the script `build`. `schema`: the file with the schema of the API.
    pub(crate) fn build(&self, dir: &Path, schema: &Path, log: &Path) -> Result<(), Failure> {
        let mut npm = self.command(&self.program, log)?;
        npm.current_dir(dir).args(["run", "build"]).env("SCHEMA", schema);
        run(&mut npm, BUILD_LIMIT, log).map_err(|problem| Failure::new("`npm run build` failed").with_detail(problem))
    }

    /// Puts a compressed copy beside each file that gains by it.
    pub(crate) fn compress(&self, script: &Path, dist: &Path, log: &Path) -> Result<(), Failure> {
        let mut node = self.command("node", log)?;
        run(node.arg(script).arg(dist), BUILD_LIMIT, log)
            .map_err(|problem| Failure::new("its files could not be compressed").with_detail(problem))
    }

    /// A program whose output goes to the log, in a group of processes of its own.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, log: &Path) -> io::Result<Command> {
        let output = File::create(log)?;
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).env("PATH", &self.path);
        command.env("npm_config_update_notifier", "false").env("npm_config_logs_max", "0").env("NO_COLOR", "1");
        // cargo's own, which mean something else there; and what would leave packages out.
        command.env_remove("DEBUG").env_remove("HOST").env_remove("NODE_ENV");
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }
}

/// Runs a program to its end, and ends it with all that it has started when that takes too long.
///
/// # Errors
/// What went wrong, in one line: the last one of its output.
fn run(command: &mut Command, limit: Duration, log: &Path) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    match wait(&mut child, limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(last_line(log).unwrap_or_else(|| status.to_string())),
        Ok(None) => {
            end(&mut child);
            Err(format!("it took longer than {} s", limit.as_secs()))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// `None`: it is still running.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    Ok(None)
}

/// Ends a program with all that it has started: its group, which the standard library can't send a signal to.
fn end(child: &mut Child) {
    if cfg!(unix) {
        let group = format!("kill -s KILL -- -{}", child.id());
        let _ = Command::new("sh").args(["-c", &group]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn last_line(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
