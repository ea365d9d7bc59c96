//! The files of this repository: none too long to be read, and no snapshot that nothing compares with.

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
    let files =
        ["src", "build", "tests", "bench", "migration", "examples"].into_iter().flat_map(|dir| files_below(dir, "rs"));
    let lengths = files.map(|(path, text)| (text.lines().count(), path));
    let mut offenders: Vec<(usize, String)> = lengths.filter(|(lines, _)| *lines > MAX_LINES).collect();
    offenders.sort_unstable_by(|a, b| b.cmp(a));
    let named: Vec<String> = offenders.iter().map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    assert!(named.is_empty(), "split by topic what is longer than {MAX_LINES} lines:\n{}", named.join("\n"));
}

#[test]
fn every_snapshot_is_named_by_a_test() {
    let tests: String = files_below("tests/it", "rs").into_iter().map(|(_, text)| text).collect();
    let snapshots = files_below("tests/it/snapshots", "snap");
    assert!(!snapshots.is_empty(), "there are snapshots");
    let name =
        |path: &str| Path::new(path).file_stem().and_then(|stem| stem.to_str()).map(|stem| format!("\"{stem}\""));
    let unnamed =
        snapshots.iter().map(|(path, _)| path).filter(|path| name(path).is_none_or(|name| !tests.contains(&name)));
    let unnamed: Vec<&String> = unnamed.collect();
    assert!(unnamed.is_empty(), "no test compares with {unnamed:?}: delete them");
}
