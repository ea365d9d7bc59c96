//! The table of a part's files, as Rust.

use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::part::Failure;

/// What `compress.mjs` has put beside a file, by the name's ending.
const COMPRESSED: [&str; 2] = ["br", "gz"];

/// A line of the table for each file below `dist`.
pub(crate) fn lines(dist: &Path) -> Result<String, Failure> {
    let mut paths = Vec::new();
    list(dist, &mut paths).map_err(Failure::from)?;
    paths.sort();
    let mut lines = String::new();
    for path in paths.iter().filter(|path| !COMPRESSED.iter().any(|ending| has_ending(path, ending))) {
        let name = path.strip_prefix(dist).unwrap_or(path).to_string_lossy().replace('\\', "/");
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)) {
            return Err(Failure::new(format!("`{name}` is no name for a file in a URL")));
        }
        let bytes = fs::read(path)?;
        let _ = writeln!(
            lines,
            "File {{ path: {name:?}, media_type: {:?}, tag: \"{:016x}\", content: {} }},",
            media_type(path),
            hash(&bytes),
            content(path, bytes.len()),
        );
    }
    if !lines.contains("path: \"index.html\"") {
        return Err(Failure::new("its build made no page"));
    }
    Ok(lines)
}

fn list(dir: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, paths)? } else { paths.push(path) }
    }
    Ok(())
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

/// Equal contents have equal hashes, on all nodes that run the same binary.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn content(path: &Path, length: usize) -> String {
    let [brotli, gzip] = COMPRESSED.map(|ending| PathBuf::from(format!("{}.{ending}", path.display())));
    if brotli.is_file() && gzip.is_file() {
        let (brotli, gzip) = (brotli.display().to_string(), gzip.display().to_string());
        format!(
            "Content::Compressed {{ length: {length}, brotli: include_bytes!({brotli:?}), gzip: include_bytes!({gzip:?}) }}"
        )
    } else {
        format!("Content::Plain(include_bytes!({:?}))", path.display().to_string())
    }
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
