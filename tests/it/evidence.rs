//! Evidence of real work trees: real git, in repositories of the tests' own.
//!
//! Here: the law that a diff says all and nothing else. In the folder: the
//! repository and its files (`tree`), single cases of diffs (`cases`), patches
//! that are handed in (`patches`), the commands (`commands`), and whether we read
//! a diff as git does (`reading`).

mod cases;
mod commands;
mod patches;
mod reading;
mod tree;

use orch::ledger::evidence::{diff_sha256, parse, render};
use orch::model::evidence::Front;
use std::collections::BTreeSet;
use tree::{Dice, Tree};

/// Edits of every kind, in any order, staged or not, under any configuration.
#[test]
fn a_clean_checkout_and_the_diff_are_the_work_tree() {
    for seed in 1..=40 {
        let mut dice = Dice::new(seed);
        let tree = Tree::with_files();
        let base = tree.files();
        let edits: Vec<String> = (0..dice.below(14) + 2).map(|_| tree.edit(&mut dice)).collect();
        if seed % 2 == 0 {
            tree.hostile();
        }
        let now = tree.files();
        let about = format!("seed {seed}: {edits:#?}");
        if now == base {
            assert!(tree.change(None).is_err(), "{about}");
            continue;
        }
        let before = tree.repository();
        let change = tree.change(None).unwrap_or_else(|why| panic!("{why:?}\n{about}"));
        assert_eq!(tree.repository(), before, "nothing of git's is touched; {about}");
        assert_eq!(tree.scratch(), Vec::<String>::new(), "{about}");

        assert_eq!(change.base.as_deref(), Some(tree.git("rev-parse HEAD").trim()));
        tree.clean_checkout(&change.diff, |clean| {
            assert_eq!(clean, &now, "{about}\n{}", change.diff);
        });
        let differ: BTreeSet<&String> = base.keys().chain(now.keys()).collect();
        let differ = differ.into_iter().filter(|path| base.get(*path) != now.get(*path));
        let listed: Vec<&String> = change.files.iter().map(|file| &file.path).collect();
        assert_eq!(listed, differ.collect::<Vec<_>>(), "{about}");
        for file in &change.files {
            assert_eq!(file.deleted, !now.contains_key(&file.path), "{about}");
            let sha = now.get(&file.path).map(tree::File::sha);
            assert_eq!(file.sha256, sha, "{} {about}", file.path);
        }
        let front =
            Front { files: change.files, sha256: diff_sha256(&change.diff), ..Front::default() };
        let kept = render(&front, "x", &change.diff);
        let kept = parse(&kept).unwrap_or_else(|why| panic!("{why} {about}"));
        assert_eq!((kept.diff, kept.front), (change.diff.as_str(), front), "{about}");
    }
}
