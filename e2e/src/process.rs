//! A child process that can't outlive whoever holds it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::deadline::{Seen, eventually};

/// How many bytes at the end of a log go into an error.
const LOG_TAIL: usize = 3000;

/// A running program whose output goes to a file. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, appending what it prints to `log`.
    ///
    /// The kernel kills the program when the thread that started it ends, so that a killed test run
    /// leaves nothing behind.
    ///
    /// # Errors
    /// When the program or its log can't be opened.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child = bound_to_this_thread(command)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds everything the program printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails when the program has ended, with the end of its log.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!(
                "{} ended early with {status}:\n{}",
                self.name,
                self.log_tail()
            );
        }
        Ok(())
    }

    /// The last lines that the program printed.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let mut start = text.len().saturating_sub(LOG_TAIL);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text[start..].to_owned()
    }

    /// Asks the program to stop (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// When it doesn't end within `timeout`.
    pub fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .context("running kill")?;
        let name = self.name.clone();
        eventually(&format!("{name} to stop"), timeout, || {
            Ok(self
                .child
                .try_wait()?
                .map_or_else(|| Seen::NotYet("running".into()), Seen::Yes))
        })
    }

    /// Kills the program (SIGKILL) and reaps it.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure, and an already ended child is the good case.
        let _ = self.kill();
    }
}

/// The same command under `setpriv --pdeathsig`, where that program exists.
fn bound_to_this_thread(command: &Command) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut bound = if setpriv.exists() {
        let mut bound = Command::new(setpriv);
        bound
            .args(["--pdeathsig", "KILL"])
            .arg(command.get_program());
        bound
    } else {
        Command::new(command.get_program())
    };
    bound.args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(key, value),
            None => bound.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        bound.current_dir(dir);
    }
    bound
}

/// A TCP port on the loopback address that was free a moment ago.
///
/// # Errors
/// When the operating system has none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("stageset-e2e-{name}-{}.log", std::process::id()))
    }

    fn alive(pid: u32) -> bool {
        Path::new("/proc").join(pid.to_string()).exists()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let log = log_file("dropped");
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let process = Process::start("sleep", &sleep, &log).unwrap();
        let pid = process.id();
        assert!(alive(pid));
        drop(process);
        assert!(!alive(pid));
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn an_early_end_is_reported_with_the_log() {
        let log = log_file("early");
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo no such flag >&2; exit 2"]);
        let mut process = Process::start("shell", &shell, &log).unwrap();
        let text = eventually("the end", Duration::from_secs(10), || {
            Ok(match process.must_run() {
                Ok(()) => Seen::NotYet("running".into()),
                Err(error) => Seen::Yes(error.to_string()),
            })
        })
        .unwrap();
        assert!(text.contains("no such flag"), "{text}");
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn sigterm_is_delivered() {
        let log = log_file("term");
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let mut process = Process::start("sleep", &sleep, &log).unwrap();
        let status = process.terminate(Duration::from_secs(10)).unwrap();
        assert!(!status.success());
        fs::remove_file(log).unwrap();
    }
}
