//! How much a diff changes.

use super::{Measured, count};
use crate::ledger::git_diff::FileDiff;
use crate::services::config::AutoDecide;
use std::collections::BTreeSet;

/// The condition's name.
pub const NAME: &str = "size";

/// Counts lines that come and go, and files: a renamed one once, however often
/// the diff names it.
pub fn measure(files: &[FileDiff], auto: &AutoDecide) -> Measured {
    let lines: u64 = files.iter().map(|file| file.added() + file.removed()).sum();
    let names: BTreeSet<_> = files.iter().map(|f| f.new.as_ref().or(f.old.as_ref())).collect();
    let (lines, named) = (lines, names.len() as u64);
    let spell =
        |lines: u64, files: u64| format!("{} in {}", count(lines, "line"), count(files, "file"));
    let measured = spell(lines, named);
    let limit = spell(auto.max_lines.into(), auto.max_files.into());
    if lines <= auto.max_lines.into() && named <= auto.max_files.into() {
        return Measured::yes(NAME, measured, limit);
    }
    let reason = format!("it changes {measured}; up to {limit} are decided automatically");
    Measured::breach(NAME, measured, limit, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::git_diff::parse;
    use crate::services::decide::conditions::Holds;

    fn holds(diff: &str, max_lines: u32, max_files: u32) -> Holds {
        let auto = AutoDecide { max_lines, max_files, ..AutoDecide::default() };
        measure(&parse(diff).unwrap(), &auto).holds
    }

    #[test]
    fn lines_and_files_are_counted_up_to_their_limits() {
        let diff = "\
diff --git a/x b/x
--- a/x
+++ b/x
@@ -1,3 +1,3 @@
 a
-b
+c
 d
diff --git a/y b/z
similarity index 100%
rename from y
rename to z
";
        assert_eq!(holds(diff, 2, 2), Holds::Yes);
        assert_eq!(holds(diff, 1, 2), Holds::Breach);
        assert_eq!(holds(diff, 2, 1), Holds::Breach);
        let auto = AutoDecide { max_lines: 1, max_files: 1, ..AutoDecide::default() };
        let measured = measure(&parse(diff).unwrap(), &auto);
        assert_eq!(
            measured.reason.as_deref(),
            Some("it changes 2 lines in 2 files; up to 1 line in 1 file are decided automatically")
        );
    }
}
