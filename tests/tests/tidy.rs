//! What a compiler does not check: who may depend on whom, who may know Cloudflare, that every
//! binding named in code is configured, and a few habits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const WORKERS: [&str; 8] = [
    "gateway", "upload", "files", "widget", "purchase", "stream", "hls", "ledger",
];
/// Longest source file; a longer one wants to be two.
const MAX_FILE_LINES: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_below(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if ![
                "target",
                "node_modules",
                "build",
                "dist",
                "vectors",
                "artifacts",
                "corpus",
            ]
            .contains(&name.to_str().unwrap_or_default())
            {
                files_below(&path, ending, found);
            }
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
}

fn rust_files(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files_below(&root().join(dir), ".rs", &mut found);
    assert!(!found.is_empty(), "no Rust files below {dir}");
    let named = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (
            path.strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            text,
        )
    };
    found.into_iter().map(named).collect()
}

/// Names of the packages a manifest depends on at run time.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = read(manifest).parse().unwrap();
    let mut names = BTreeSet::new();
    for section in ["dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(section).and_then(toml::Value::as_table) {
            names.extend(table.keys().cloned());
        }
    }
    names
}

fn ours(manifest: &str) -> BTreeSet<String> {
    dependencies(manifest)
        .into_iter()
        .filter(|name| name.starts_with("satchel-"))
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("satchel-{name}")).collect()
}

#[test]
fn dependencies_point_one_way() {
    let shared = [
        ("crypto", set(&[])),
        ("domain", set(&["json"])),
        ("json", set(&[])),
        ("format", set(&["crypto", "json"])),
        ("wire", set(&["crypto", "domain", "json"])),
        ("edge", set(&["crypto", "domain", "json", "wire"])),
    ];
    for (name, allowed) in shared {
        let used = ours(&format!("shared/{name}/Cargo.toml"));
        assert!(
            used.is_subset(&allowed),
            "shared/{name} depends on {used:?}"
        );
    }
    let all = set(&["crypto", "format", "domain", "json", "wire", "edge"]);
    for worker in WORKERS {
        let used = ours(&format!("workers/{worker}/Cargo.toml"));
        assert!(used.is_subset(&all), "workers/{worker} depends on {used:?}");
    }
}

#[test]
fn only_edge_and_workers_depend_on_the_runtime() {
    let runtime = ["worker", "wasm-bindgen", "js-sys", "web-sys"];
    for crate_dir in [
        "shared/crypto",
        "shared/domain",
        "shared/format",
        "shared/json",
        "shared/wire",
        "cli",
    ] {
        let used = dependencies(&format!("{crate_dir}/Cargo.toml"));
        for name in runtime {
            assert!(!used.contains(name), "{crate_dir} depends on {name}");
        }
    }
    for crate_dir in [
        "shared/crypto",
        "shared/domain",
        "shared/format",
        "shared/json",
        "shared/wire",
    ] {
        let used = dependencies(&format!("{crate_dir}/Cargo.toml"));
        assert!(
            !used.contains("getrandom"),
            "{crate_dir} draws its own randomness"
        );
    }
}

#[test]
fn only_crypto_has_a_cipher() {
    // e2e/vectors.test.mjs looks in every worker's wasm for the one way to bulk AES that crypto has.
    let shared = ["domain", "format", "json", "wire", "edge"].map(|name| format!("shared/{name}"));
    let workers = WORKERS.map(|name| format!("workers/{name}"));
    for crate_dir in shared.iter().chain(&workers) {
        for name in dependencies(&format!("{crate_dir}/Cargo.toml")) {
            let cipher = ["aes", "chacha20", "crypto_box", "ring", "rustcrypto"]
                .iter()
                .any(|cipher| name.starts_with(cipher));
            assert!(!cipher, "{crate_dir} depends on {name}");
        }
    }
    assert!(dependencies("shared/crypto/Cargo.toml").contains("aes-gcm"));
}

#[test]
fn within_a_worker_only_lib_and_objects_name_the_worker_crate() {
    for worker in WORKERS {
        for (path, text) in rust_files(&format!("workers/{worker}/src")) {
            let may = path.ends_with("/lib.rs") || path.ends_with("_do.rs");
            let names = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && (line.contains("worker::") || line.contains("use worker"))
                    && !line.contains("satchel_")
            });
            assert!(may || !names, "{path} names the worker crate");
        }
    }
}

/// The configuration a worker is deployed with.
fn wrangler(worker: &str) -> String {
    match worker {
        "gateway" => read("wrangler.toml"),
        other => read(&format!("workers/{other}/wrangler.toml")),
    }
}

/// String literals directly after any of the calls that look something up in the environment.
fn names_looked_up(text: &str) -> BTreeSet<String> {
    const CALLS: [&str; 14] = [
        "service(env, \"",
        "service(&env, \"",
        "service(self.env, \"",
        "service(&self.env, \"",
        "object(env, \"",
        "object(&env, \"",
        "object(self.env, \"",
        "object(&self.env, \"",
        ".var(\"",
        ".optional(\"",
        ".number(\"",
        ".key(\"",
        ".keyring(\"",
        ".public_key(\"",
    ];
    let more = [
        ".signing_key(\"",
        ".bucket(\"",
        ".assets(\"",
        ".service(\"",
        ".durable_object(\"",
    ];
    let mut names = BTreeSet::new();
    for call in CALLS.iter().chain(&more) {
        for (at, _) in text.match_indices(call) {
            let rest = &text[at + call.len()..];
            if let Some(name) = rest.split('"').next() {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn every_binding_named_in_code_is_configured() {
    let mut count = 0;
    for worker in WORKERS {
        let config = wrangler(worker);
        for (path, text) in rust_files(&format!("workers/{worker}/src")) {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in names_looked_up(code) {
                count += 1;
                // Development-only settings are not in the production configuration.
                let known = config.contains(&name) || name.starts_with("TEST_");
                assert!(
                    known,
                    "{path} looks up {name}, which its wrangler.toml does not know"
                );
            }
        }
    }
    assert!(
        count > 20,
        "only {count} look-ups were found: the test no longer sees them"
    );
}

#[test]
fn no_worker_holds_what_it_must_not() {
    let forbidden = [
        (
            "upload",
            vec!["WRAPPING_KEYS", "QUOTE_KEY", "RECEIPT_KEYS", "r2_buckets"],
        ),
        ("files", vec!["_KEY", "services", "durable_objects"]),
        ("widget", vec!["_KEY", "r2_buckets", "durable_objects"]),
        ("purchase", vec!["r2_buckets", "S3_"]),
        (
            "stream",
            vec!["r2_buckets", "S3_", "RECEIPT_KEYS", "\nWRAPPING_KEYS"],
        ),
        (
            "hls",
            vec![
                "r2_buckets",
                "durable_objects",
                "S3_",
                "WRAPPING_KEYS",
                "RECEIPT_KEYS",
            ],
        ),
        (
            "ledger",
            vec!["r2_buckets", "S3_", "WRAPPING_KEYS", "RECEIPT_KEYS"],
        ),
        ("gateway", vec!["_KEY", "r2_buckets", "durable_objects"]),
    ];
    for (worker, names) in forbidden {
        let config = wrangler(worker);
        for name in names {
            assert!(
                !config.contains(name),
                "{worker}'s configuration mentions {name}"
            );
        }
    }
}

#[test]
fn production_configuration_sells_for_real_money_and_gives_none_away() {
    let config: toml::Table = wrangler("ledger").parse().unwrap();
    let vars = config["vars"].as_table().unwrap();
    assert_eq!(vars["LEDGER_ID"].as_str(), Some("live"));
    assert_eq!(vars["TEST_MONEY"].as_str(), Some("off"));
    assert!(!vars.contains_key("TEST_RATE_USD_MICROS_PER_BTC"));
}

#[test]
fn sources_keep_their_habits() {
    for dir in ["shared", "workers", "cli", "tests", "fuzz"] {
        for (path, text) in rust_files(dir) {
            assert!(
                text.starts_with("//!"),
                "{path} has no module documentation"
            );
            let lines = text.lines().count();
            assert!(lines <= MAX_FILE_LINES, "{path} has {lines} lines");
            // Spelled apart so that this file does not find itself.
            for word in [
                concat!("TO", "DO"),
                concat!("FIX", "ME"),
                concat!("XX", "X"),
            ] {
                assert!(!text.contains(word), "{path} says {word}");
            }
        }
    }
}

#[test]
fn every_crate_forbids_unsafe_code_and_shares_the_lints() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let lints = manifest["workspace"]["lints"]["rust"].as_table().unwrap();
    assert_eq!(lints["unsafe_code"].as_str(), Some("forbid"));
    let mut manifests = Vec::new();
    for dir in ["shared", "workers", "cli", "tests"] {
        files_below(&root().join(dir), "Cargo.toml", &mut manifests);
    }
    assert!(manifests.len() >= 14);
    for path in manifests
        .iter()
        .filter(|path| !path.to_str().unwrap().contains("/fuzz/"))
    {
        let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        let shared = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        assert_eq!(
            shared.and_then(toml::Value::as_bool),
            Some(true),
            "{}",
            path.display()
        );
    }
}
