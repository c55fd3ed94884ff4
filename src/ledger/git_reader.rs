//! Going through a diff line by line.
//!
//! Here: which lines follow which, and what a file's header demands of its
//! hunks. Not here: what comes of it (`git_diff`), names (`git_name`). Invariant:
//! a line is passed only once it is understood.

use super::git_diff::{DiffError, FileDiff, Hunk, Line, LineKind};
use super::git_name::{self, Name};

/// The lines of a diff, and where in them.
pub struct Reader<'d> {
    lines: Vec<&'d str>,
    at: usize,
    /// Whether names have no prefix: known with the first name that tells.
    bare: Option<bool>,
}

impl<'d> Reader<'d> {
    /// At the first line.
    pub fn of(diff: &'d str) -> Self {
        let mut lines: Vec<&str> = diff.split('\n').collect();
        if lines.last() == Some(&"") {
            lines.pop();
        }
        Self { lines, at: 0, bare: None }
    }

    /// Reads every file up to the end.
    pub fn files(mut self) -> Result<Vec<FileDiff>, DiffError> {
        let mut files = Vec::new();
        while let Some(line) = self.peek() {
            if let Some(header) = line.strip_prefix("diff --git ") {
                files.push(self.git_file(header)?);
            } else if line.starts_with("--- ") {
                files.push(self.plain_file()?);
            } else if is_heading(line) {
                self.at += 1;
            } else {
                return Err(self.wrong("this is no part of a diff"));
            }
        }
        Ok(files)
    }

    fn peek(&self) -> Option<&'d str> {
        self.lines.get(self.at).copied()
    }

    fn wrong(&self, message: impl Into<String>) -> DiffError {
        DiffError { line: self.at.min(self.lines.len()) + 1, message: message.into() }
    }

    /// The rest of the present line behind a word, which is then passed.
    fn take(&mut self, word: &str) -> Option<&'d str> {
        let rest = self.peek()?.strip_prefix(word)?;
        self.at += 1;
        Some(rest)
    }

    /// Gives the same error for the line that was just passed.
    fn passed<T>(&self, read: Result<T, String>) -> Result<T, DiffError> {
        read.map_err(|message| DiffError { line: self.at, message })
    }

    fn prefixed(&mut self, bare: bool) -> Result<(), String> {
        if self.bare.is_some_and(|before| before != bare) {
            return Err("some names have a prefix such as `a/`, and some have none".to_owned());
        }
        self.bare = Some(bare);
        Ok(())
    }

    fn git_file(&mut self, header: &str) -> Result<FileDiff, DiffError> {
        self.at += 1;
        let start = self.at;
        let checked = self.prefixed(false);
        self.passed(checked)?;
        let mut marks = Marks::default();
        let mut file = FileDiff::default();
        if self.peek().is_none_or(|line| is_heading(line) || line.starts_with("diff --git ")) {
            // Git passes over it, and gives its name to the next file that says
            // nothing but a mode.
            return self.passed(Err("nothing follows the names of this file".to_owned()));
        }
        while self.mark(&mut file, &mut marks)? {}
        if self.peek().is_some_and(|line| line.starts_with("--- ")) {
            let (old, new) = self.names(git_name::read)?;
            marks.settle(old, new).map_err(|message| self.wrong(message))?;
        }
        let named = git_name::header(header);
        let at_header = |message: &str| DiffError { line: start, message: message.to_owned() };
        let [old, new] = [&marks.old, &marks.new].map(|name| name.clone().or(named.clone()));
        file.old = if marks.is_new { None } else { old };
        file.new = if marks.is_deleted { None } else { new };
        match (&file.old, &file.new) {
            (None, None) if marks.is_new && marks.is_deleted => {
                return Err(at_header("the file is both new and deleted"));
            }
            (None, _) if !marks.is_new => return Err(at_header("the file has no name before")),
            (_, None) if !marks.is_deleted => return Err(at_header("the file has no name after")),
            (Some(old), Some(new)) if old != new && !(file.is_rename || file.is_copy) => {
                return Err(at_header("the names differ, but nothing is renamed or copied"));
            }
            _ => {}
        }
        if let Some(named) = named
            && file.paths().any(|path| path != named)
        {
            return Err(at_header("the names below are others than in this line"));
        }
        if self.take("GIT binary patch").is_some() {
            file.is_binary = true;
            self.binary()?;
        } else if self.peek().is_some_and(is_binary_note) {
            file.is_binary = true;
            self.at += 1;
        } else {
            file.hunks = self.hunks()?;
        }
        let has_other_than = |kind: LineKind| {
            file.hunks.iter().flat_map(|hunk| &hunk.lines).any(|line| line.kind != kind)
        };
        if marks.is_new && has_other_than(LineKind::Added) {
            return Err(at_header("the file is new, but has lines before"));
        }
        if marks.is_deleted && has_other_than(LineKind::Removed) {
            return Err(at_header("the file is deleted, but has lines after"));
        }
        Ok(file)
    }

    /// Reads one line between `diff --git` and the names; false at the first
    /// that is none.
    fn mark(&mut self, file: &mut FileDiff, marks: &mut Marks) -> Result<bool, DiffError> {
        let Some(line) = self.peek() else { return Ok(false) };
        let words = [
            "old mode ",
            "new mode ",
            "new file mode ",
            "deleted file mode ",
            "rename from ",
            "rename old ",
            "rename to ",
            "rename new ",
            "copy from ",
            "copy to ",
            "similarity index ",
            "dissimilarity index ",
            "index ",
        ];
        let Some(word) = words.into_iter().find(|word| line.starts_with(word)) else {
            return Ok(false);
        };
        let rest = &line[word.len()..];
        self.at += 1;
        let name = || match git_name::read_whole(rest)? {
            Name::File(name) => Ok(Some(name)),
            Name::Nothing => Err("a file cannot be renamed or copied from or to nothing".into()),
        };
        match word {
            "old mode " => file.old_mode = Some(self.passed(mode(rest))?),
            "new mode " => file.new_mode = Some(self.passed(mode(rest))?),
            "new file mode " => {
                marks.is_new = true;
                file.new_mode = Some(self.passed(mode(rest))?);
            }
            "deleted file mode " => {
                marks.is_deleted = true;
                file.old_mode = Some(self.passed(mode(rest))?);
            }
            "rename from " | "rename old " => {
                file.is_rename = true;
                marks.old = self.passed(name())?;
            }
            "rename to " | "rename new " => {
                file.is_rename = true;
                marks.new = self.passed(name())?;
            }
            "copy from " => {
                file.is_copy = true;
                marks.old = self.passed(name())?;
            }
            "copy to " => {
                file.is_copy = true;
                marks.new = self.passed(name())?;
            }
            "index " => {
                if let Some((_, bits)) = rest.split_once(' ') {
                    let bits = self.passed(mode(bits))?;
                    file.old_mode = file.old_mode.or(Some(bits));
                    file.new_mode = file.new_mode.or(Some(bits));
                }
            }
            _ => {}
        }
        Ok(true)
    }

    /// Reads `--- ` and `+++ `.
    fn names(&mut self, read: fn(&str) -> Result<Name, String>) -> Result<(Name, Name), DiffError> {
        let old = self.take("--- ").ok_or_else(|| self.wrong("`--- ` is missing"))?;
        let old = self.passed(read(old))?;
        let Some(new) = self.take("+++ ") else {
            return Err(self.wrong("`+++ ` with the name after is missing"));
        };
        let new = self.passed(read(new))?;
        Ok((old, new))
    }

    fn plain_file(&mut self) -> Result<FileDiff, DiffError> {
        let (old, new) = self.names(git_name::read_stamped)?;
        let names: Vec<&String> = [&old, &new]
            .into_iter()
            .filter_map(|name| if let Name::File(name) = name { Some(name) } else { None })
            .collect();
        if names.is_empty() {
            return self.passed(Err("there is no file, neither before nor after".to_owned()));
        }
        let bare = names.iter().all(|name| !name.contains('/'));
        let checked = self.prefixed(bare);
        self.passed(checked)?;
        let side = |name: &Name| match name {
            Name::Nothing => Ok(None),
            Name::File(name) if bare => Ok(Some(name.clone())),
            Name::File(name) => match git_name::strip(name) {
                Some(name) => Ok(Some(name.to_owned())),
                None => Err(format!("the name `{name}` has no prefix such as `a/`")),
            },
        };
        let (old, new) = (self.passed(side(&old))?, self.passed(side(&new))?);
        let hunks = self.hunks()?;
        if hunks.is_empty() {
            return Err(self.wrong("`@@ ` is missing"));
        }
        Ok(FileDiff { old, new, hunks, ..FileDiff::default() })
    }

    fn hunks(&mut self) -> Result<Vec<Hunk>, DiffError> {
        let mut hunks = Vec::new();
        while let Some(line) = self.peek() {
            let Some(ranges) = line.strip_prefix("@@ -") else { break };
            let Some([old, new]) = ranges_of(ranges) else {
                return Err(self.wrong("this is no `@@ -1,2 +1,3 @@`"));
            };
            self.at += 1;
            let lines = self.body(old.1, new.1)?;
            hunks.push(Hunk { old_start: old.0, new_start: new.0, lines });
        }
        Ok(hunks)
    }

    /// Reads as many lines as a hunk has.
    fn body(&mut self, mut old: u64, mut new: u64) -> Result<Vec<Line>, DiffError> {
        let mut lines: Vec<Line> = Vec::new();
        while old > 0 || new > 0 {
            let Some(line) = self.peek() else {
                return Err(self.wrong("the diff ends inside of a hunk"));
            };
            let (kind, text) = match line.as_bytes().first() {
                // Some tools take the blank off a line that has nothing else.
                None => (LineKind::Context, ""),
                Some(b' ') => (LineKind::Context, &line[1..]),
                Some(b'+') => (LineKind::Added, &line[1..]),
                Some(b'-') => (LineKind::Removed, &line[1..]),
                Some(b'\\') if !lines.is_empty() => {
                    self.no_newline(&mut lines);
                    continue;
                }
                Some(_) => return Err(self.wrong("a hunk's line begins with ` `, `+` or `-`")),
            };
            let (from_old, from_new) = match kind {
                LineKind::Context => (1, 1),
                LineKind::Added => (0, 1),
                LineKind::Removed => (1, 0),
            };
            let left = old.checked_sub(from_old).zip(new.checked_sub(from_new));
            (old, new) = left.ok_or_else(|| self.wrong("the hunk has more lines than it says"))?;
            lines.push(Line { kind, text: text.to_owned(), no_newline: false });
            self.at += 1;
        }
        if self.peek().is_some_and(|line| line.starts_with("\\ ")) {
            self.no_newline(&mut lines);
        }
        Ok(lines)
    }

    fn no_newline(&mut self, lines: &mut [Line]) {
        if let Some(last) = lines.last_mut() {
            last.no_newline = true;
        }
        self.at += 1;
    }

    /// Passes the one or two blocks of a binary patch, in git's base 85.
    fn binary(&mut self) -> Result<(), DiffError> {
        let is_block = |line: Option<&str>| {
            line.is_some_and(|l| l.starts_with("literal ") || l.starts_with("delta "))
        };
        if !is_block(self.peek()) {
            return Err(self.wrong("`literal` or `delta` is missing"));
        }
        for _ in 0..2 {
            if !is_block(self.peek()) {
                break;
            }
            self.at += 1;
            while let Some(line) = self.peek().filter(|line| !line.is_empty()) {
                if !is_base85(line) {
                    return Err(self.wrong("this is no line of a binary patch"));
                }
                self.at += 1;
            }
            if self.peek().is_none() {
                return Err(self.wrong("the binary patch has no end"));
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// What is known of a file before its hunks.
#[derive(Default)]
struct Marks {
    old: Option<String>,
    new: Option<String>,
    is_new: bool,
    is_deleted: bool,
}

impl Marks {
    /// Takes the names of `---` and `+++`, which must fit what was said above.
    fn settle(&mut self, old: Name, new: Name) -> Result<(), String> {
        let sides = [(&mut self.old, self.is_new, old), (&mut self.new, self.is_deleted, new)];
        for (known, is_nothing, name) in sides {
            match name {
                Name::Nothing if is_nothing => {}
                Name::File(_) if is_nothing => {
                    return Err("a name stands where there is no file".to_owned());
                }
                Name::Nothing => {
                    let why = "`/dev/null` stands for a file that is neither new nor deleted";
                    return Err(why.to_owned());
                }
                Name::File(name) => {
                    let name = git_name::strip(&name)
                        .ok_or_else(|| format!("the name `{name}` has no prefix such as `a/`"))?;
                    if known.as_deref().is_some_and(|known| known != name) {
                        return Err(format!("the name `{name}` is another than above"));
                    }
                    *known = Some(name.to_owned());
                }
            }
        }
        Ok(())
    }
}

/// What tools write above a file's names, and `git apply` passes over.
fn is_heading(line: &str) -> bool {
    let command = line.starts_with("diff -") && !line.starts_with("diff --");
    line.is_empty() || command || line.starts_with("Index: ") || line.starts_with("=====")
}

fn mode(text: &str) -> Result<u32, String> {
    let is_octal = text.len() <= 6 && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
    mode.ok_or_else(|| format!("`{text}` is no mode"))
}

/// Reads `1,2 +1,3 @@…` as two pairs of first line and count.
fn ranges_of(text: &str) -> Option<[(u64, u64); 2]> {
    let (old, rest) = text.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_number)
    };
    let range = |text: &str| match text.split_once(',') {
        Some((start, count)) => Some((number(start)?, number(count)?)),
        None => Some((number(text)?, 1)),
    };
    Some([range(old)?, range(new)?])
}

fn is_binary_note(line: &str) -> bool {
    (line.starts_with("Binary files ") || line.starts_with("Files ")) && line.ends_with(" differ")
}

/// A letter for the count of bytes, then five characters for each four of them.
fn is_base85(line: &str) -> bool {
    let bytes = line.as_bytes();
    let count = match bytes.first() {
        Some(letter @ b'A'..=b'Z') => usize::from(letter - b'A') + 1,
        Some(letter @ b'a'..=b'z') => usize::from(letter - b'a') + 27,
        _ => return false,
    };
    bytes[1..].iter().all(u8::is_ascii_graphic) && bytes.len() - 1 == count.div_ceil(4) * 5
}
