//! Measurements that the commands write, and the floor of each.

use super::{Measured, count};
use crate::services::config::Metrics;
use crate::sys::{FileKind, Sys};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The condition's name.
pub const NAME: &str = "metrics";

/// The most bytes of the file.
const LARGEST: u64 = 1 << 20;

/// What is asked for.
pub fn limit(metrics: &Metrics) -> String {
    let floors: Vec<_> = metrics.min.iter().map(|(key, min)| format!("{key} ≥ {min}")).collect();
    floors.join(", ")
}

/// Where the file is in a folder; `None` where its path leads out.
pub fn place(metrics: &Metrics, dir: &Path) -> Option<PathBuf> {
    let is_inside = metrics.file.split('/').all(|part| !matches!(part, ".." | ""));
    is_inside.then(|| dir.join(&metrics.file))
}

/// Reads them in the folder where the commands ran.
pub fn measure(sys: &Sys, metrics: &Metrics, dir: &Path) -> Measured {
    let left =
        |measured: &str, reason: String| Measured::breach(NAME, measured, limit(metrics), reason);
    let values = match read(sys, metrics, dir) {
        Ok(values) => values,
        Err(why) => return left("not measured", format!("`{}` {why}", metrics.file)),
    };
    let (mut measured, mut reasons) = (Vec::new(), Vec::new());
    for (key, min) in &metrics.min {
        let Some(value) = number(&values, key) else {
            reasons.push(format!("`{}` has no number `{key}`", metrics.file));
            continue;
        };
        measured.push(format!("{key} {value}"));
        if value < *min {
            reasons.push(format!("`{key}` is {value}, and at least {min} is asked for"));
        }
    }
    let measured = if measured.is_empty() { count(0, "number") } else { measured.join(", ") };
    Measured::unless(NAME, measured, limit(metrics), &reasons)
}

fn read(sys: &Sys, metrics: &Metrics, dir: &Path) -> Result<Value, String> {
    let path = place(metrics, dir).ok_or("leads out of the workspace")?;
    let stat = sys.fs.lstat(&path).map_err(|_| "is not there".to_owned())?;
    if stat.kind != FileKind::File {
        return Err("is not a regular file".to_owned());
    }
    // Through a link it could be another file, which the change brings along.
    let real = [&path, dir].map(|path| sys.fs.canonicalize(path).ok());
    let is_its_own = |real: &Path, dir: &Path| *real == dir.join(&metrics.file);
    if !matches!(&real, [Some(real), Some(dir)] if is_its_own(real, dir)) {
        return Err("is reached through a link".to_owned());
    }
    if stat.len > LARGEST {
        return Err(format!("has {} bytes, more than {LARGEST}", stat.len));
    }
    let bytes = sys.fs.read(&path).map_err(|error| format!("cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("is no JSON: {error}"))
}

/// The number at `a.b`: a member of that very name, else `b` within `a`.
fn number(value: &Value, key: &str) -> Option<f64> {
    if let Some(found) = value.get(key) {
        return found.as_f64();
    }
    let mut dots = key.match_indices('.').map(|(at, _)| at);
    dots.find_map(|at| number(value.get(&key[..at])?, &key[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::decide::conditions::Holds;
    use crate::sys::sim::Sim;
    use std::collections::BTreeMap;

    fn of(text: Option<&str>, min: &[(&str, f64)]) -> Measured {
        let dir = tempfile::tempdir().unwrap();
        let sys = Sim::new(dir.path()).sys();
        if let Some(text) = text {
            let mut file = sys.fs.create_new(&dir.path().join("m.json")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        let min: BTreeMap<_, _> = min.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        measure(&sys, &Metrics { file: "m.json".to_owned(), min }, dir.path())
    }

    #[test]
    fn each_number_reaches_its_floor() {
        let text = r#"{"coverage": 0.8, "a": {"b": 3, "c.d": 5}, "a.x": 1, "s": "9"}"#;
        let good = of(Some(text), &[("coverage", 0.8), ("a.b", 3.0), ("a.c.d", 5.0), ("a.x", 1.0)]);
        assert_eq!(good.holds, Holds::Yes, "{good:?}");
        assert_eq!(good.measured, "a.b 3, a.c.d 5, a.x 1, coverage 0.8");
        assert_eq!(good.limit, "a.b ≥ 3, a.c.d ≥ 5, a.x ≥ 1, coverage ≥ 0.8");
        for (text, key, min, reason) in [
            (Some(text), "coverage", 0.81, "`coverage` is 0.8, and at least 0.81 is asked for"),
            (Some(text), "a.z", 0.0, "`m.json` has no number `a.z`"),
            (Some(text), "s", 1.0, "`m.json` has no number `s`"),
            (Some("[1]"), "0", 1.0, "`m.json` has no number `0`"),
            (None, "x", 1.0, "`m.json` is not there"),
        ] {
            let measured = of(text, &[(key, min)]);
            assert_eq!(measured.holds, Holds::Breach);
            assert_eq!(measured.reason.as_deref(), Some(reason));
        }
        assert!(of(Some("{"), &[]).reason.is_some_and(|r| r.starts_with("`m.json` is no JSON: ")));
    }

    #[test]
    fn a_file_elsewhere_is_not_read() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sys = Sim::new(dir.path()).sys();
        let mut file = sys.fs.create_new(&other.path().join("m.json")).unwrap();
        file.write_all(b"{\"x\": 1}").unwrap();
        std::os::unix::fs::symlink(other.path(), dir.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(other.path().join("m.json"), dir.path().join("m.json")).unwrap();
        let up = format!("../{}/m.json", other.path().file_name().unwrap().display());
        std::fs::create_dir(dir.path().join("own")).unwrap();
        std::os::unix::fs::symlink("own", dir.path().join("by")).unwrap();
        let mut file = sys.fs.create_new(&dir.path().join("own/m.json")).unwrap();
        file.write_all(b"{\"x\": 1}").unwrap();
        let own = Metrics { file: "own/m.json".to_owned(), min: BTreeMap::new() };
        assert_eq!(measure(&sys, &own, dir.path()).holds, Holds::Yes);
        for file in ["by/m.json", "folder/m.json", "m.json", &up, "folder"] {
            let metrics = Metrics { file: file.to_owned(), min: BTreeMap::new() };
            assert_eq!(measure(&sys, &metrics, dir.path()).holds, Holds::Breach, "{file}");
        }
    }
}
