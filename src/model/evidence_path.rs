//! What an `evidence` cell names: one spelling for every way to write a path.
//!
//! Here: cells to paths below the workspace's root, and back. Not here: whether
//! such a file is there and where its links lead (`services::evidence`).
//! Invariant: what [`relative`] gives has at least one part, parts joined by
//! `/`, and none of them is empty, `.` or `..`.
//!
//! ```text
//!   ORCH/patches/x.md   ORCH\patches\x.md   ./ORCH//patches/x.md
//!   C:\repo\ORCH\patches\x.md    C:\\repo\\ORCH\\patches\\x.md    c:/Repo/ORCH/…
//! ```
//! are one file where `C:\repo` is the configured root. Two backslashes come
//! from ledgers whose writers escaped a path as Markdown or JSON does.

/// Why a cell names no file that may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// It climbs with `..`.
    Traversal,
    /// It is absolute, and below no root that is known.
    Elsewhere,
    /// It names nothing, or the root itself.
    Nothing,
}

impl Unsafe {
    /// In words that follow the name of the cell.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traversal => "climbs out with `..`",
            Self::Elsewhere => "is absolute and lies under no configured root",
            Self::Nothing => "names no file",
        }
    }
}

/// The path that a cell names, from the workspace's root. `root` is
/// `evidence.root`: the folder that stood for the workspace where the cell was
/// written. Drives and roots are compared without regard to case.
///
/// # Errors
/// [`Unsafe`] for what climbs, lies elsewhere, or is nothing.
pub fn relative(cell: &str, root: Option<&str>, workspace_root: &str) -> Result<String, Unsafe> {
    let cell = cell.trim();
    if cell.contains('\0') {
        return Err(Unsafe::Nothing);
    }
    let path = Path::read(cell).ok_or(Unsafe::Elsewhere)?;
    if path.parts.contains(&"..") {
        return Err(Unsafe::Traversal);
    }
    let inside = if path.place == Place::Relative {
        &path.parts[..]
    } else {
        let roots = [root, Some(workspace_root)].into_iter().flatten();
        let mut below = roots.filter_map(|root| Path::read(root.trim())?.above(&path));
        below.next().map(|depth| &path.parts[depth..]).ok_or(Unsafe::Elsewhere)?
    };
    if inside.is_empty() || inside == ["-"] {
        return Err(Unsafe::Nothing);
    }
    Ok(inside.join("/"))
}

/// How a new cell names a path from the workspace's root: as it is, or below a
/// Windows root.
pub fn spell(relative: &str, windows_root: Option<&str>) -> String {
    match windows_root {
        None => relative.to_owned(),
        Some(root) => {
            let root = root.trim().trim_end_matches(['\\', '/']);
            format!("{root}\\{}", relative.replace('/', "\\"))
        }
    }
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Relative,
    /// `/…`
    Top,
    /// `C:\…`, the letter in lower case.
    Drive(char),
}

/// A path in parts, without empty ones and `.`.
struct Path<'p> {
    place: Place,
    parts: Vec<&'p str>,
}

impl<'p> Path<'p> {
    /// Reads either system's spelling. None for what only another machine or
    /// another directory of the moment could resolve: `\\server\…`, `\…`, `C:x`.
    fn read(text: &'p str) -> Option<Self> {
        let mut chars = text.chars();
        let (place, rest) = match (chars.next(), chars.next(), chars.next()) {
            (Some('\\'), ..) | (Some('/'), Some('/' | '\\'), _) => return None,
            (Some('/'), ..) => (Place::Top, &text[1..]),
            (Some(drive), Some(':'), after) if drive.is_ascii_alphabetic() => {
                after.filter(|c| matches!(c, '\\' | '/'))?;
                (Place::Drive(drive.to_ascii_lowercase()), &text[3..])
            }
            _ => (Place::Relative, text),
        };
        let parts = rest.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
        Some(Self { place, parts })
    }

    /// How many parts this has, where it is a folder above the other.
    fn above(&self, other: &Path<'_>) -> Option<usize> {
        if self.place == Place::Relative || self.place != other.place {
            return None;
        }
        let depth = self.parts.len();
        // Systems whose paths have no drive tell `a` from `A`.
        let same = |a: &str, b: &str| match self.place {
            Place::Drive(_) => a == b || a.to_lowercase() == b.to_lowercase(),
            Place::Top | Place::Relative => a == b,
        };
        let own = other.parts.get(..depth)?;
        self.parts.iter().zip(own).all(|(a, b)| same(a, b)).then_some(depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOT: Option<&str> = Some(r"C:\Users\User\Repo");

    fn of(cell: &str) -> Result<String, Unsafe> {
        relative(cell, ROOT, "/srv/repo")
    }

    #[test]
    fn every_spelling_of_a_file_is_one_path() {
        for cell in [
            "ORCH/patches/2025-10/006-A007.diff.md",
            r"ORCH\patches\2025-10\006-A007.diff.md",
            r" ./ORCH//patches/.\2025-10/006-A007.diff.md ",
            r"C:\Users\User\Repo\ORCH\patches\2025-10\006-A007.diff.md",
            r"C:\\Users\\User\\Repo\\ORCH\\patches\\2025-10\\006-A007.diff.md",
            "C:/Users/User/Repo/ORCH/patches/2025-10/006-A007.diff.md",
            r"c:\users\USER\repo\.\ORCH\patches\2025-10\006-A007.diff.md",
            "/srv/repo/ORCH/patches/2025-10/006-A007.diff.md",
        ] {
            assert_eq!(of(cell).as_deref(), Ok("ORCH/patches/2025-10/006-A007.diff.md"), "{cell}");
        }
        assert_eq!(of("証跡/承認 1.md").as_deref(), Ok("証跡/承認 1.md"));
    }

    #[test]
    fn what_climbs_or_lies_elsewhere_is_refused() {
        for cell in ["../x", "a/../../x", r"a\..\x", r"C:\Users\User\Repo\..\x", "a/.."] {
            assert_eq!(of(cell), Err(Unsafe::Traversal), "{cell}");
        }
        for cell in [
            "/etc/passwd",
            "/srv/repository/x",
            "/SRV/repo/x",
            r"D:\Users\User\Repo\x",
            r"C:\Users\User\Repo2\x",
            r"\\server\share\x",
            "//server/share/x",
            r"\\?\C:\Users\User\Repo\x",
            r"\x",
            "C:x",
            "C:",
        ] {
            assert_eq!(of(cell), Err(Unsafe::Elsewhere), "{cell}");
        }
        for cell in ["", "-", " ", ".", "./", r"C:\Users\User\Repo\", "/srv/repo", "a\0b"] {
            assert_eq!(of(cell), Err(Unsafe::Nothing), "{cell:?}");
        }
        assert_eq!(relative(r"C:\a\b", None, "/srv/repo"), Err(Unsafe::Elsewhere));
        assert_eq!(relative("/a/b", Some("relative/root"), "/srv"), Err(Unsafe::Elsewhere));
    }

    #[test]
    fn lists_and_prose_are_names_of_files_that_are_not_there() {
        assert_eq!(of("coverage.xml, other.txt").as_deref(), Ok("coverage.xml, other.txt"));
        assert_eq!(of("see the chat of 3 May").as_deref(), Ok("see the chat of 3 May"));
        assert_eq!(of("--").as_deref(), Ok("--"));
    }

    #[test]
    fn a_cell_is_spelled_as_the_settings_say() {
        assert_eq!(spell("ORCH/patches/x.md", None), "ORCH/patches/x.md");
        assert_eq!(spell("ORCH/p/x.md", Some(r"C:\repo\")), r"C:\repo\ORCH\p\x.md");
    }

    proptest! {
        #[test]
        fn no_cell_leaves_the_root(cell in r"[a-zC:./\\ -]{0,24}|\PC{0,20}") {
            if let Ok(path) = of(&cell) {
                prop_assert!(!path.starts_with('/') && !path.contains('\\') && !path.is_empty());
                prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }

        #[test]
        fn what_is_spelled_is_read_back(parts in prop::collection::vec("[a-zA-Z0-9_.-]{1,8}", 1..5)) {
            prop_assume!(parts.iter().all(|part| part != "." && part != ".."));
            let path = parts.join("/");
            prop_assume!(path != "-");
            prop_assert_eq!(of(&spell(&path, None)), Ok(path.clone()));
            prop_assert_eq!(of(&spell(&path, ROOT)), Ok(path));
        }
    }
}
