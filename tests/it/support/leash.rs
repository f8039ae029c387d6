use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A shell that waits until this process closes a pipe, and then kills what the tests have started: after [`Leash::pull`], or after this
/// process has ended for any reason.
pub struct Leash(Child);

impl Leash {
    /// `end` is the command that the shell then runs, with `$0` for `what`.
    pub fn new(end: &str, what: &OsStr) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("read _; {end}")).arg(what);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Of its own group, so that a signal to the tests' group does not end it before it has done its work.
        Self(shell.process_group(0).spawn().unwrap())
    }

    /// Makes the shell do its work, and waits for it.
    pub fn pull(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }

    /// Ends the shell without any work.
    pub fn release(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.pull();
    }
}
