//! A small disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Missing;

/// A file system of this size, in memory. Unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one there. `None`: this needs root.
    pub fn mount(at: &Path, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let options = format!("size={mib}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_owned()))
    }

    /// Gives it another size.
    ///
    /// # Panics
    /// When it can't be resized.
    pub fn resize(&self, mib: u32) {
        let resized = Command::new("mount").args(["-o", &format!("remount,size={mib}m")]).arg(&self.0).status();
        assert!(resized.is_ok_and(|status| status.success()), "the file system can't be resized");
    }

    /// Whether one can be mounted here.
    ///
    /// # Errors
    /// What is missing.
    pub fn possible() -> Result<(), Missing> {
        let at = tempfile::tempdir().ok();
        let mounted = at.as_ref().and_then(|at| Self::mount(at.path(), 1));
        mounted.map(drop).ok_or(Missing("Mounting a small file system needs root"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
