//! The text of our hooks, and knowing them again.
//!
//! Here: POSIX sh, short, with a version and a sum of its own lines. Not here:
//! where they are put (`place`), what `orch hooks run` does (`running`).
//! Invariant: a hook that we would replace or remove has exactly the bytes that
//! some version of this program wrote; the sum in its second line says so.

use super::Hook;
use super::program::{first_word, quoted};
use crate::store::entry::sha256_hex;

/// What is raised with any change of a text below.
pub const VERSION: u32 = 1;

/// How the second line begins.
const MARK: &str = "# orch hooks ";
/// How many digits the sum has.
const DIGITS: usize = 16;

/// One of our hooks, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Which version wrote it.
    pub version: u32,
    /// Whether it is as it was written.
    pub is_whole: bool,
    /// The program that it starts.
    pub program: String,
    /// Whether it looks at named locks.
    pub locks: bool,
}

/// Reads a hook; none where it is not ours.
pub fn read(text: &str) -> Option<Script> {
    let (mark, rest) = text.strip_prefix("#!/bin/sh\n")?.split_once('\n')?;
    let (version, sum) = mark.strip_prefix(MARK)?.split_once(' ')?;
    let program = rest.lines().find_map(|line| line.strip_prefix("orch="));
    Some(Script {
        version: version.parse().ok()?,
        is_whole: sum == sum_of(rest),
        program: program.map(first_word).unwrap_or_default(),
        locks: rest.contains(" --locks"),
    })
}

/// Whether somebody's own hook asks us: it need not be one of ours.
pub fn calls_us(text: &str) -> bool {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let mut lines = lines.filter(|line| line.contains("orch"));
    lines.any(|line| line.contains(" check --staged") || line.contains(" hooks run "))
}

/// Whether a hook looks at its own name, which therefore must stay.
pub fn needs_its_name(text: &str) -> bool {
    let asks = |line: &str| {
        (line.contains("basename") && (line.contains("$0") || line.contains("__FILE__")))
            || line.contains("${0##*/}")
            || line.contains("argv[0]")
    };
    text.lines().any(asks)
}

fn sum_of(rest: &str) -> String {
    let mut sum = sha256_hex(rest.as_bytes());
    sum.truncate(DIGITS);
    sum
}

/// Spells a hook.
pub fn spell(hook: Hook, program: &str, locks: bool) -> String {
    let name = hook.name();
    let begin = BEGIN.replace("@NAME@", name).replace("@PROGRAM@", &quoted(program));
    let tell = TELL.replace("@NAME@", name);
    let rest = match hook {
        Hook::PreCommit | Hook::PreMergeCommit => {
            let look = if locks { "" } else { SKIP };
            let end = if locks { " --locks" } else { "" };
            format!("{begin}{FIRST}{CLEAN}{look}{REFUSE}exec \"$orch\" hooks run {name}{end}\n")
        }
        Hook::CommitMsg => format!("{begin}{FIRST}{CLEAN}{TRAILER}"),
        Hook::PostMerge => format!("{begin}{AFTER}{CLEAN}{tell}"),
        Hook::PostRewrite => format!("{begin}{AFTER}{REBASED}{CLEAN}{tell}"),
    };
    format!("#!/bin/sh\n{MARK}{VERSION} {}\n{rest}", sum_of(&rest))
}

const BEGIN: &str = "\
# Made by `orch hooks install`; `orch hooks uninstall` takes it away. A hook that
# was here before lies beside it as @NAME@.before-orch, and runs first.
orch=@PROGRAM@
before=${0%/*}/@NAME@.before-orch
";

/// A former hook that ends badly ends the commit. Where it leads back to us, by
/// whatever way, the second round is left out.
const FIRST: &str = r#"if [ -x "$before" ]; then
	case "$ORCH_HOOKS" in *":$PWD/$before:"*) exit 0 ;; esac
	ORCH_HOOKS="$ORCH_HOOKS:$PWD/$before:" "$before" "$@" || exit
fi
"#;

/// Behind a merge nothing fails but what failed before.
const AFTER: &str = r#"status=0
if [ -x "$before" ]; then
	case "$ORCH_HOOKS" in *":$PWD/$before:"*) exit 0 ;; esac
	ORCH_HOOKS="$ORCH_HOOKS:$PWD/$before:" "$before" "$@" || status=$?
fi
"#;

/// The caller's ways to read paths are not for the paths below.
const CLEAN: &str = "\
unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS
";

const SKIP: &str = "\
# Nothing of a ledger is staged: no program is started.
git diff --cached --quiet --no-ext-diff -- ':(top,glob)**/ORCH/**' && exit 0
";

const REFUSE: &str = r#"command -v "$orch" >/dev/null 2>&1 || {
	git diff --cached --quiet --no-ext-diff -- ':(top,glob)**/ORCH/STATE/**' && exit 0
	printf '%s\n' "error: this commit changes a ledger, and \`$orch\`, which checks it, is not there" \
		"hint: install orch again and run \`orch hooks install\`; \`git commit --no-verify\` goes past hooks" >&2
	exit 1
}
"#;

const TRAILER: &str = r#"git diff --cached --quiet --no-ext-diff -- ':(top,glob)**/ORCH/LOGS/**' && exit 0
command -v "$orch" >/dev/null 2>&1 || exit 0
# No commit waits for its trailer.
"$orch" hooks run commit-msg "$1" || :
"#;

const REBASED: &str = "\
[ \"$1\" = rebase ] || exit \"$status\"
";

const TELL: &str = r#"git diff --quiet --no-ext-diff ORIG_HEAD HEAD -- ':(top,glob)**/ORCH/**' 2>/dev/null && exit "$status"
command -v "$orch" >/dev/null 2>&1 && "$orch" hooks run @NAME@ </dev/null
exit "$status"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_known_again_and_any_change_of_it_is_seen() {
        for hook in Hook::ALL {
            for (program, locks) in [("orch", false), ("/it's here/orch", true)] {
                let text = spell(hook, program, locks);
                let locks = locks && hook.refuses();
                let program = program.to_owned();
                let ours = Script { version: VERSION, is_whole: true, program, locks };
                assert_eq!(read(&text), Some(ours), "{text}");
                assert!(!text.contains("@NAME") && !text.contains("@PROGRAM"), "{text}");
                let added = format!("{text}echo mine\n");
                assert!(!read(&added).unwrap().is_whole);
                assert!(!read(&text.replacen("exit", "true", 1)).unwrap().is_whole, "{text}");
            }
        }
        for other in ["", "#!/bin/sh\n", "#!/bin/sh\nexit 0\n", "#!/bin/sh\n# orch hooks\n\n"] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn a_hook_that_asks_us_or_its_own_name_is_known() {
        assert!(calls_us("#!/bin/sh\nnpx x\norch check --staged\n"));
        assert!(calls_us("/usr/bin/orch -C sub check --staged || exit 1\n"));
        assert!(calls_us("  orch hooks run pre-commit"));
        assert!(!calls_us("# orch check --staged\ntorch x\n"));
        assert!(needs_its_name("h=$(basename \"$0\")\n") && needs_its_name("n=${0##*/}"));
        assert!(!needs_its_name("cd \"$(dirname \"$0\")\"\n"));
    }
}
