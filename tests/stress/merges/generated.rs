//! T60, T61: what git makes of random changes of two sides.

use super::generate::{self, Case};
use super::model::{Expected, judge};
use super::paper::{Kind, read};
use super::repository::{Outcome, Repository, Texts};
use crate::support::{Cases, Dice, Stopwatch, cut, has, say, scale};

/// Merges that one repository holds.
const AT_ONCE: usize = 250;

#[test]
fn t60_git_merges_what_two_sides_did_as_the_rules_say() {
    if !has("T60", "git", &["--version"]) {
        return;
    }
    let mut dice = Dice::new("T60");
    let all = if scale() == 1 { 100 } else { 500 * scale() };
    let (mut cases, watch) = (Cases::new("T60"), Stopwatch::start());
    let (mut merges, mut clean) = (0, 0);
    let mut left = all;
    while left > 0 {
        let now: Vec<Case> = (0..left.min(AT_ONCE)).map(|_| generate::case(&mut dice)).collect();
        left -= now.len();
        let texts: Vec<Texts> = now.iter().map(texts).collect();
        let outcomes = Repository::new().merge_all(&texts);
        for ((case, texts), outcomes) in now.iter().zip(&texts).zip(&outcomes) {
            merges += 2;
            clean += outcomes.iter().filter(|outcome| outcome.clean).count();
            cases.judge(|| {
                if let Err(why) = verdict(case, outcomes) {
                    let [one, _] = outcomes;
                    panic!(
                        "{why}\n---- base\n{}---- ours\n{}---- theirs\n{}---- result\n{}",
                        cut(&texts.base, 3000),
                        cut(&texts.ours, 3000),
                        cut(&texts.theirs, 3000),
                        cut(&one.text, 3000)
                    );
                }
            });
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    say("T60", format_args!("{merges} merges, {clean} clean, in {seconds:.1} s"));
    assert!(clean * 5 > merges && clean < merges, "{clean} of {merges} merges are clean");
    cases.finish();
}

fn texts(case: &Case) -> Texts {
    Texts {
        kind: case.base.kind,
        base: case.base.text(),
        ours: case.after(&[&case.ours]).text(),
        theirs: case.after(&[&case.theirs]).text(),
    }
}

fn verdict(case: &Case, outcomes: &[Outcome; 2]) -> Result<(), String> {
    let (ours, theirs) = (case.after(&[&case.ours]), case.after(&[&case.theirs]));
    let expected = Expected::of(&case.base, &ours, &theirs);
    let in_order = case.keeps_order();
    for (outcome, [ours, theirs]) in outcomes.iter().zip([[&ours, &theirs], [&theirs, &ours]]) {
        if outcome.clean != expected.is_clean() {
            return Err(format!("clean is {}, for {expected:?}", outcome.clean));
        }
        let merged = read(case.base.kind, &outcome.text, &[ours, theirs])?;
        judge(&expected, &merged, [&case.base, ours, theirs], in_order)?;
    }
    let [one, other] = outcomes;
    if one.clean && one.text != other.text {
        return Err(format!("the other way round it is\n{}", cut(&other.text, 3000)));
    }
    if case.disjoint {
        in_sequence(case, one)?;
    }
    Ok(())
}

/// Changes that are apart are the same as one side's after the other's.
fn in_sequence(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let merged = read(case.base.kind, &outcome.text, &[])?;
    let mut rows = merged.rows;
    rows.sort();
    for order in [[&case.ours[..], &case.theirs], [&case.theirs[..], &case.ours]] {
        let mut paper = case.after(&order);
        paper.rows.sort();
        if rows != paper.rows {
            return Err(format!("in sequence it is\n{}", cut(&paper.text(), 3000)));
        }
    }
    Ok(())
}

/// The judge sees what is wrong, or nothing above means anything.
#[test]
fn t61_the_judge_of_merges_finds_what_is_wrong() {
    let mut dice = Dice::new("T61");
    let mut wrong = [0_usize; 3];
    for _ in 0..200 {
        let case = generate::case(&mut dice);
        let (ours, theirs) = (case.after(&[&case.ours]), case.after(&[&case.theirs]));
        let expected = Expected::of(&case.base, &ours, &theirs);
        let sides = [&case.base, &ours, &theirs];
        let right = |text: &str| {
            read(case.base.kind, text, &[])
                .and_then(|merged| judge(&expected, &merged, sides, false))
        };
        // Neither side alone is the result, unless it has all of the other's.
        let all = [ours.text(), theirs.text(), case.base.text()];
        for (found, text) in wrong.iter_mut().zip(&all) {
            *found += usize::from(right(text).is_err());
        }
        if expected.is_clean() {
            let mut paper = case.after(&[&case.ours, &case.theirs]);
            if case.disjoint {
                right(&paper.text()).unwrap_or_else(|why| panic!("{why}: {case:?}"));
            }
            let Some((_, row)) = paper.rows.first_mut() else { continue };
            let column = if case.base.kind == Kind::Tasks { "artifact" } else { "evidence" };
            row.insert(column.to_owned(), "nobody's".to_owned());
            assert!(right(&paper.text()).is_err(), "{case:?}");
        }
    }
    assert!(wrong.iter().all(|found| *found > 150), "{wrong:?} of 200");
}
