//! The binary: flags, logs, a runtime, exit codes.
//!
//! 0: stopped when asked, or `--help`; 1: could not start, or had to end; 2: a flag is wrong.

use std::process::ExitCode;

use stageset_controller::flags::{Exit, Options};
use stageset_controller::traces::Traces;
use stageset_controller::{logs, start};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(options) => options,
        Err(Exit::Told(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(Exit::Refused(line)) => {
            eprintln!("{line}");
            return ExitCode::from(2);
        }
    };
    // Probes, metrics, gates, webhook and lease; the loop has a thread of its own.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let traces = {
        let _within = runtime.enter();
        let wanted = options.tracing.as_ref();
        wanted.map(|wanted| Traces::start(wanted, &start::instance()))
    };
    let traces = match traces.transpose() {
        Ok(traces) => traces,
        Err(error) => {
            eprintln!("--tracing-endpoint: spans can't be sent: {error}");
            return ExitCode::from(1);
        }
    };
    if let Err(error) = logs::init(options.log_level, options.log_format, traces.as_ref()) {
        eprintln!("logging could not be started: {error}");
        return ExitCode::from(1);
    }
    let ended = runtime.block_on(start::start(options));
    if let Err(error) = &ended {
        tracing::error!(%error, "ending");
    }
    if let Some(traces) = traces {
        traces.stop();
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}
