//! Builds the pages for browsers by npm, and writes the tables of their files, which the binary holds.
//!
//! A page that can't be built makes no build fail: in its place the server says how to get it.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

use part::{Failure, Part};

mod npm;
mod part;
mod table;

const PARTS: [Part; 2] = [
    Part { table: "APP", cfg: "has_app", what: "the sample app", dir: "examples/web" },
    Part { table: "PLAYGROUND", cfg: "has_playground", what: "the playground", dir: "playground" },
];

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let (root, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    for watched in ["build", "schema.graphql"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    println!("cargo:rerun-if-env-changed={}", npm::PROGRAM);
    for part in &PARTS {
        part.watch(&root)?;
    }

    let built = thread::scope(|scope| {
        let building = PARTS.each_ref().map(|part| scope.spawn(|| part.build(&root, &out)));
        building.map(|part| part.join().unwrap_or_else(|_| Err(Failure::new("its build panicked"))))
    });

    let mut tables = String::new();
    for (part, built) in PARTS.iter().zip(built) {
        println!("cargo:rustc-check-cfg=cfg({})", part.cfg);
        let value = match built {
            Ok(files) => {
                println!("cargo:rustc-cfg={}", part.cfg);
                format!("Ok(&[{files}])")
            }
            Err(failure) => {
                if failure.is_unwanted {
                    println!("cargo:warning={} is not in this build: {failure}. {}", part.what, npm::REMEDY);
                }
                format!("Err({:?})", failure.reason)
            }
        };
        let _ = writeln!(tables, "pub(super) static {}: Part = {value};", part.table);
    }
    fs::write(out.join("pages.rs"), tables)
}
