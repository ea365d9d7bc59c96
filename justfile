# What is typed most often. Nothing needs `just`: each recipe is the command itself, and `.ci/run` uses none of them.

# List the recipes
[private]
default:
    @just --list --unsorted

# Start the server, on ./parlor-data unless the settings say otherwise
run *ARGUMENTS:
    cargo run -- {{ ARGUMENTS }}

# Run every test, or those of the whole server whose names contain ONE
test ONE="":
    cargo test {{ if ONE == "" { "" } else { "--test it " + quote(ONE) } }}

# Run all that a change has to pass
gate:
    .ci/run

# Format every file
fmt:
    cargo fmt --all

# Run clippy; no warning is acceptable
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Build the docs, private items too, without warnings
docs:
    RUSTDOCFLAGS='-Dwarnings -Arustdoc::private-intra-doc-links' cargo doc --workspace --no-deps --document-private-items

# Write schema.graphql anew after a change of the contract that is meant
schema:
    cargo run --quiet -- schema > target/schema.graphql
    mv target/schema.graphql schema.graphql
    git diff --stat schema.graphql

# Write tests/it/snapshots anew after a change that is meant; review the difference
snapshots:
    INSTA_UPDATE=always cargo test --test it snapshots::
    git diff --stat tests/it/snapshots

# Run every test, or those whose names contain ONE, on a PostgreSQL that is started for them
postgres ONE="":
    cargo test --test postgres -- {{ if ONE == "" { "" } else { quote(ONE) } }}

# Run every scenario of failure, or those whose names contain ONE, in a short form
faults ONE="":
    cargo test --test faults -- {{ if ONE == "" { "" } else { quote(ONE) } }}

# Run every attack, or those whose names contain ONE, in a short form
abuse ONE="":
    cargo test --test abuse -- {{ if ONE == "" { "" } else { quote(ONE) } }}

# Measure everything and write bench/RESULTS.md; takes half an hour
bench:
    cargo run --release --package parlor-bench -- all

# Time the functions that run most
hot:
    cargo bench --package parlor-bench

# Verify the database that the settings name, beside a running server or without one
check-db *ARGUMENTS:
    cargo run --quiet -- check {{ ARGUMENTS }}

# Look for known vulnerabilities of the dependencies; needs cargo-deny and the internet
advisories:
    cargo deny check advisories
