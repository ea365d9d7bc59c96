//! One of the pages: where its sources are, and how it is built.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::npm::{self, Npm};
use crate::table;

/// Beside `node_modules`: the lock file by which they were installed.
const INSTALLED: &str = "node_modules/.parlor-lock.json";

/// A part of the binary that is built by npm: a package with a lock file, whose script `build` makes `dist/`.
pub(crate) struct Part {
    /// The name of its table.
    pub(crate) table: &'static str,
    /// The `cfg` that is set if it is in the build.
    pub(crate) cfg: &'static str,
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// Its folder, from the root of the repository.
    pub(crate) dir: &'static str,
}

/// Why a part isn't in the build.
pub(crate) struct Failure {
    /// In words that the page shows to whoever opens it: without any path.
    pub(crate) reason: String,
    /// What the program that failed said at last.
    detail: String,
    /// False where somebody chose to build without the pages.
    pub(crate) is_unwanted: bool,
}

impl Failure {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: String::new(), is_unwanted: true }
    }

    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    pub(crate) fn chosen(reason: impl Into<String>) -> Self {
        Self { is_unwanted: false, ..Self::new(reason) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("its files could not be read or written").with_detail(error.to_string())
    }
}

impl Part {
    /// Has cargo run this program again when a source has changed, and not when npm was run in the folder.
    pub(crate) fn watch(&self, root: &Path) -> io::Result<()> {
        let dir = root.join(self.dir);
        for source in sources(&dir)? {
            println!("cargo:rerun-if-changed={}", dir.join(source).display());
        }
        Ok(())
    }

    /// Builds a copy of the part, and returns the lines of its table.
    pub(crate) fn build(&self, root: &Path, out: &Path) -> Result<String, Failure> {
        let (source, work) = (root.join(self.dir), out.join(self.dir));
        if !source.join("package-lock.json").is_file() {
            return Err(Failure::new(format!("`{}` is not among the sources", self.dir)));
        }
        let log = out.join(format!("{}.log", self.cfg));
        let npm = Npm::find(&log)?;
        renew(&source, &work)?;
        let (lock, installed) = (fs::read(work.join("package-lock.json"))?, work.join(INSTALLED));
        if !fs::read(&installed).is_ok_and(|by| by == lock) {
            npm.install(&work, &log)?;
            fs::write(installed, lock)?;
        }
        npm.build(&work, &root.join("schema.graphql"), &log)?;
        let dist = work.join("dist");
        npm.compress(&root.join("build/compress.mjs"), &dist, &log)?;
        table::lines(&dist)
    }
}

/// The files of a part that were not made there, by their paths in its folder: all but those that its `.gitignore`
/// names, each in a line of its own.
fn sources(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let ignored = fs::read_to_string(dir.join(".gitignore")).unwrap_or_default();
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim().trim_matches('/')).collect();
    let is_made = |path: &Path| path == Path::new(npm::PACKAGES) || ignored.iter().any(|it| path == Path::new(it));
    // A folder that isn't there has none; to name it would make cargo run this program every time.
    let (mut files, mut folders) = (Vec::new(), if dir.is_dir() { vec![PathBuf::new()] } else { Vec::new() });
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                _ if is_made(&path) => {}
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    Ok(files)
}

/// Copies the sources to where they are built, in the place of an earlier copy; the installed packages stay.
fn renew(source: &Path, work: &Path) -> io::Result<()> {
    fs::create_dir_all(work)?;
    for old in fs::read_dir(work)? {
        let old = old?;
        match old.file_type()?.is_dir() {
            _ if old.file_name() == npm::PACKAGES => {}
            true => fs::remove_dir_all(old.path())?,
            false => fs::remove_file(old.path())?,
        }
    }
    for file in sources(source)? {
        let copy = work.join(&file);
        fs::create_dir_all(copy.parent().unwrap_or(work))?;
        fs::copy(source.join(file), copy)?;
    }
    Ok(())
}
