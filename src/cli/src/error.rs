//! How a command ends: the exit codes of the command line's contract, and what goes to stderr.

use std::process::ExitCode;

use crate::build::BuildError;
use crate::connection::ClusterError;
use crate::scenario::ScenarioError;
use crate::simulation::SimulationError;

/// A command that ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line itself is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The folder can't be used: exit code 3.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The folder can't be built: exit code 3.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The simulation can't go on: exit code 3.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// The cluster can't be asked, or refused: exit code 3.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What was asked for can't be done as things stand: exit code 3.
    #[error("{0}")]
    Refused(String),
    /// The output can't be written: exit code 3.
    #[error("writing the output: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    /// 2 for a wrong command line, 3 for everything that went wrong later.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Scenario(_)
            | Self::Build(_)
            | Self::Simulation(_)
            | Self::Cluster(_)
            | Self::Refused(_)
            | Self::Output(_) => ExitCode::from(3),
        }
    }
}
