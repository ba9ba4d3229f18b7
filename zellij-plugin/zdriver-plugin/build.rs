//! Puts the digest of the sources into the wasm. `source_digest.py` computes the same one:
//! SHA-256 over path, NUL, length, NUL and content of every file, in the order of their paths.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort_by_key(|(name, _)| name.clone());
    let mut digest = Sha256::new();
    for (name, path) in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        let content = std::fs::read(path).expect("a source file can be read");
        digest.update(format!("{name}\0{}\0", content.len()));
        digest.update(content);
    }
    let hex: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=ZDRIVER_SOURCE_DIGEST={hex}");
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in std::fs::read_dir(folder)
        .expect("the source folder can be read")
        .flatten()
    {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, files);
            }
        } else if name.ends_with(".rs") || name == "Cargo.toml" || name == "Cargo.lock" {
            let relative = path.strip_prefix(root).expect("below the root");
            files.push((relative.to_string_lossy().replace('\\', "/"), path));
        }
    }
}
