//! What the files of a change hold now, in a work tree.
//!
//! The hash of a file is that of its bytes on the disk, of a link that of the
//! path it names: a link that leads elsewhere is another content. Invariant: no
//! path that leaves the tree by its name is looked at.

use crate::error::{Error, Result};
use crate::ledger::git_diff::is_inside;
use crate::model::evidence::ListedFile;
use crate::store::entry::sha256_hex;
use crate::sys::{FileKind, Sys};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What has a name in a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Missing,
    /// A file or a link, by its SHA-256.
    Hash(String),
    /// A folder, pipe or device, which has no content of its own.
    Other,
}

impl Content {
    /// Its hash, where it has one.
    pub fn sha(self) -> Option<String> {
        match self {
            Self::Hash(sha) => Some(sha),
            Self::Missing | Self::Other => None,
        }
    }
}

/// Looks at a file of a work tree.
///
/// # Errors
/// `failed` where it is there and cannot be read.
pub fn of(sys: &Sys, tree: &Path, path: &str) -> Result<Content> {
    if !is_inside(path) {
        return Ok(Content::Other);
    }
    let path = tree.join(path);
    let looked = match sys.fs.lstat(&path).map(|stat| stat.kind) {
        Ok(FileKind::File) => sys.fs.read(&path),
        Ok(FileKind::Symlink) => {
            sys.fs.read_link(&path).map(|to| to.as_os_str().as_bytes().to_vec())
        }
        Ok(FileKind::Dir | FileKind::Other) => return Ok(Content::Other),
        Err(error) => Err(error),
    };
    match looked {
        Ok(bytes) => Ok(Content::Hash(sha256_hex(&bytes))),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Content::Missing)
        }
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Whether a file of a work tree is what the evidence says that it is after the
/// change. Where the evidence does not know, any content is.
///
/// # Errors
/// As [`of`].
pub fn is_as_listed(sys: &Sys, tree: &Path, file: &ListedFile) -> Result<bool> {
    if !file.deleted && file.sha256.is_none() {
        return Ok(true);
    }
    Ok(match of(sys, tree, &file.path)? {
        Content::Missing => file.deleted,
        Content::Hash(sha) => !file.deleted && file.sha256.as_deref() == Some(sha.as_str()),
        // A folder may stand where a file was.
        Content::Other => file.deleted && is_inside(&file.path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::Sim;

    #[test]
    fn a_file_a_link_and_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        std::fs::create_dir(tree.join("d")).unwrap();
        Sim::new(tree).sys().fs.create_new(&tree.join("x")).unwrap().write_all(b"abc").unwrap();
        std::os::unix::fs::symlink("x", tree.join("l")).unwrap();
        let sys = Sim::new(tree).sys();
        let hash = |bytes: &[u8]| Content::Hash(sha256_hex(bytes));
        for (path, content) in [
            ("x", hash(b"abc")),
            ("l", hash(b"x")),
            ("d", Content::Other),
            ("y", Content::Missing),
            ("x/y", Content::Missing),
            ("../x", Content::Other),
        ] {
            assert_eq!(of(&sys, tree, path).unwrap(), content, "{path}");
        }
        let listed = |path: &str, sha: Option<&[u8]>, deleted| {
            let sha256 = sha.map(sha256_hex);
            let file = ListedFile { path: path.into(), sha256, deleted, ..ListedFile::default() };
            is_as_listed(&sys, tree, &file).unwrap()
        };
        assert!(listed("x", Some(b"abc"), false) && !listed("x", Some(b"abd"), false));
        assert!(listed("y", None, true) && !listed("x", None, true) && listed("x", None, false));
        assert!(listed("d", None, true) && !listed("y", Some(b"abc"), false));
        assert!(!listed("../x", None, true));
    }
}
