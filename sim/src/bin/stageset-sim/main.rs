//! `stageset-sim`: a simulated API server for people. `serve` puts it on a loopback socket, `replay` steps
//! through what once went wrong on one.

mod replay;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "A simulated Kubernetes API server")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a fresh cluster over plain HTTP until interrupted.
    Serve(serve::Serving),
    /// Steps through a failure that the trials saved: cluster, plan and the broken promise.
    Replay {
        /// What the trials saved as `target/trials/LEVEL-SEED.trial`.
        file: PathBuf,
        /// Passed on: `--all` shows everything at once.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Serve(serving) => serve::serve(serving).await.map(|()| ExitCode::SUCCESS),
        Command::Replay { file, options } => replay::replay(&file, &options).map_err(Into::into),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("stageset-sim: {error}");
        ExitCode::FAILURE
    })
}
