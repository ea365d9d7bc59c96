//! The files of this repository: none is too long to be read.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of one Rust file at most. The aim is 250.
const MAX_LINES: usize = 400;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path from the root, and text, of every file below `dir` whose name ends so. What is built or installed is left out.
pub fn files_below(dir: &str, extension: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("the directory can be listed") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with("node_modules") {
                    dirs.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root()).expect("it is below the root").display().to_string();
                files.push((name, fs::read_to_string(&path).expect("the file can be read")));
            }
        }
    }
    files
}

#[test]
fn no_rust_file_is_longer_than_400_lines() {
    let files = ["src", "tests", "bench", "migration", "examples"].into_iter().flat_map(|dir| files_below(dir, "rs"));
    let lengths = files.map(|(path, text)| (text.lines().count(), path));
    let mut offenders: Vec<(usize, String)> = lengths.filter(|(lines, _)| *lines > MAX_LINES).collect();
    offenders.sort_unstable_by(|a, b| b.cmp(a));
    let named: Vec<String> = offenders.iter().map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    assert!(named.is_empty(), "split by topic what is longer than {MAX_LINES} lines:\n{}", named.join("\n"));
}
