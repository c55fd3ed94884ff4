//! What the README shows is run.

use crate::support::transcript;
use std::path::Path;

#[test]
fn every_console_block_of_a_readme_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["README.md", "README.ja.md"] {
        let path = root.join(name);
        if path.exists() {
            transcript::run_file(&path);
        }
    }
}
