//! File systems of a test's own: an image in a file, or memory. Root only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::has;

/// A mounted file system, unmounted when dropped.
pub struct Mounted {
    at: PathBuf,
}

impl Mounted {
    pub fn at(&self) -> &Path {
        &self.at
    }

    fn mount(at: &Path, args: &[&str]) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        quiet(Command::new("mount").args(args).arg(at)).then(|| Self { at: at.to_owned() })
    }

    /// An image of `mkfs.ext4`.
    #[track_caller]
    pub fn image(image: &Path, at: &Path) -> Self {
        let file = image.to_str().unwrap();
        Self::mount(at, &["-o", "loop", file]).expect("an image mounts")
    }

    /// A file system in memory of so many KiB.
    #[track_caller]
    pub fn memory(at: &Path, kib: usize) -> Self {
        let size = format!("size={kib}k");
        Self::mount(at, &["-t", "tmpfs", "-o", &size, "tmpfs"]).expect("memory mounts")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !quiet(Command::new("umount").arg(&self.at)) {
            quiet(Command::new("umount").arg("-l").arg(&self.at));
        }
    }
}

/// Makes an image of so many MiB with an ext4 in it, nothing kept for root.
#[track_caller]
pub fn format(image: &Path, mib: u64) {
    fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
    assert!(quiet(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image)));
}

fn quiet(command: &mut Command) -> bool {
    let command = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Whether images can be made and mounted here; if not, says so for the test.
pub fn works(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        super::skip(test, "only root can mount");
        return false;
    }
    if !has(test, "mkfs.ext4", &["-V"]) {
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, at) = (dir.path().join("image"), dir.path().join("at"));
    format(&image, 4);
    let mounted = Mounted::mount(&at, &["-o", "loop", image.to_str().unwrap()]).is_some();
    if !mounted {
        super::skip(test, "no image can be mounted here");
    }
    mounted
}
