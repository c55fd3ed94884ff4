//! Programs that a test wrote the answers of.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::sys::{Confined, Output, Programs, Ran};

/// No program at all, but for the answers that were set.
#[derive(Debug, Default)]
pub struct SimPrograms(Mutex<BTreeMap<Vec<String>, Output>>);

impl SimPrograms {
    /// What a command line answers from now on, wherever it is run.
    pub fn answer(&self, argv: &[&str], output: Output) {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(argv, output);
    }
}

impl Programs for SimPrograms {
    fn output_with(
        &self,
        argv: &[&str],
        _: &Path,
        _: &[(&str, &str)],
        _: &[u8],
    ) -> io::Result<Output> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&argv).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn confined(&self, _: &Confined, _: &dyn Fn() -> bool) -> io::Result<Ran> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_answered() {
        let programs = SimPrograms::default();
        let output = Output { success: true, stdout: b"1".to_vec(), stderr: Vec::new() };
        programs.answer(&["git", "--version"], output.clone());
        assert_eq!(programs.output(&["git", "--version"], Path::new("/"), b"").unwrap(), output);
        assert!(programs.output(&["git"], Path::new("/"), b"").is_err());
    }
}
