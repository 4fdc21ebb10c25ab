//! The binary: reads the command line, runs the command, turns its end into an exit code.

use std::process::ExitCode;

use stagesetctl::arguments::{self, Command, Request};
use stagesetctl::error::CommandError;
use stagesetctl::{build, live, plan, timeline, why};

fn run() -> Result<ExitCode, CommandError> {
    match arguments::parse(std::env::args_os())? {
        Request::Print(text) => {
            timeline::print_out(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Request::Run(Command::Simulate(options)) => timeline::command(&options),
        Request::Run(Command::Plan(options)) => plan::command(&options),
        Request::Run(Command::Get(options)) => live::get_command(&options),
        Request::Run(Command::Reconcile(options)) => live::reconcile_command(&options),
        Request::Run(Command::Suspend(options)) => live::suspend_command(&options),
        Request::Run(Command::Resume(options)) => live::resume_command(&options),
        Request::Run(Command::Baseline(options)) => live::baseline_command(&options),
        Request::Run(Command::ResetLedger(options)) => live::reset_ledger_command(&options),
        Request::Run(Command::Build(options)) => build::command(&options),
        Request::Run(Command::Why(options)) => why::command(&options),
        Request::Run(Command::Other(_)) => Ok(ExitCode::from(2)),
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("Error: {error}");
        error.exit_code()
    })
}
