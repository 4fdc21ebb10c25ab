//! The command line: what is accepted, and what is refused by name.
//!
//! Everything that this version doesn't do is refused with exit code 2, commands and arguments that
//! a later version is going to have included: nothing is ignored.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stageset_api::duration::GoDuration;

use crate::error::CommandError;
use crate::live::{Baseline, Get, Reconcile, ResetLedger, Resume, Suspend};

/// Commands of the contract that this version doesn't have.
const LATER: [&str; 5] = ["diff", "apply", "promote", "lint-migrations", "fleet"];

/// Commands that this version has.
const COMMANDS: &str = "simulate, plan, build, get, reconcile, suspend, resume, baseline, \
                        reset-ledger and why";

/// Looks at StageSets, tries them on a simulated cluster, prints what would be done.
#[derive(Debug, Parser)]
#[command(
    name = "stagesetctl",
    version = VERSION.as_str(),
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = false
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a folder's StageSets on a simulated cluster in virtual time, and print what happened.
    ///
    /// Exit code 0 only if every StageSet became Ready, 1 otherwise.
    Simulate(Simulate),
    /// Print the plan of the next pass: every operation in order, as whom, and why.
    ///
    /// Works offline, on a simulated copy of the cluster that the folder describes.
    Plan(Plan),
    /// Show how StageSets of a cluster stand.
    Get(Get),
    /// Have a StageSet looked at now.
    Reconcile(Reconcile),
    /// Stop delivering a StageSet; its deletion still tears down.
    Suspend(Suspend),
    /// Let a suspended StageSet go on.
    Resume(Resume),
    /// Say that an action of scope Lifetime is done although it didn't run; or print what is done, to
    /// say the same in another cluster.
    Baseline(Baseline),
    /// Forget that actions of scope Lifetime are done, so that they run again.
    ResetLedger(ResetLedger),
    /// Print the objects that a folder builds, as the controller builds them.
    ///
    /// Works offline; the folder stands for an artifact. Values of Secrets are not shown.
    Build(Build),
    /// Say why a StageSet isn't Ready, and print the roles that its accounts lack, ready to apply.
    ///
    /// Of a cluster by NAME, or offline of a folder by --dir. Exit code 0 if nothing is in the way, 1
    /// otherwise.
    Why(Why),
    /// Anything else.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// `stagesetctl simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The scenario folder: cluster/, artifacts/, stagesets/ and perhaps scenario.yaml.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Run until this virtual time, whatever happens (default: the folder's own bound; without one
    /// until every StageSet is Ready, at most 10m after the last step).
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub until: Option<Duration>,
    /// When to colour the text.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Text for people, or one JSON document.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Let the controller act as itself for StageSets that name no ServiceAccount.
    #[arg(long)]
    pub single_tenant: bool,
}

/// `stagesetctl plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// StageSets of a cluster; not supported by this version.
    #[arg(value_name = "NAME", hide = true)]
    pub names: Vec<String>,
    /// The scenario folder.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Text for review, or one JSON document.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Let the controller act as itself for StageSets that name no ServiceAccount.
    #[arg(long)]
    pub single_tenant: bool,
}

/// `stagesetctl build`.
#[derive(Debug, Args)]
pub struct Build {
    /// StageSets of a cluster; not supported by this version.
    #[arg(value_name = "NAME", hide = true)]
    pub names: Vec<String>,
    /// The folder that stands for an artifact.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The path inside it, as in stages[].path.
    #[arg(long, value_name = "PATH", default_value = "")]
    pub path: String,
    /// Show the values of Secrets.
    #[arg(long)]
    pub show_secrets: bool,
    /// Build the same with the kustomize of the PATH, and say what differs; 1 if anything does.
    #[arg(long)]
    pub diff_with_kustomize: bool,
}

/// `stagesetctl why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The StageSet in the cluster of the current kubeconfig; its accounts are impersonated, so that
    /// you need that right.
    #[arg(
        value_name = "NAME",
        required_unless_present = "dir",
        conflicts_with = "dir"
    )]
    pub name: Option<String>,
    /// Namespace of the StageSet (default: the context's).
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "dir")]
    pub namespace: Option<String>,
    /// Address ranges that artifacts may be downloaded from although they are refused by default
    /// (loopback, link-local and the like).
    #[arg(
        long,
        value_name = "CIDR,…",
        default_value = "",
        conflicts_with = "dir"
    )]
    pub allow_artifact_addresses: String,
    /// A scenario folder instead.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which form the output has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Lines for people.
    Text,
    /// Data.
    Json,
}

/// `<version> (commit <sha>)`; the commit is known to builds that set `STAGESET_COMMIT`.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("STAGESET_COMMIT").unwrap_or("unknown");
    format!("{} (commit {commit})", env!("CARGO_PKG_VERSION"))
});

pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    duration
        .positive()
        .ok_or_else(|| "it must be longer than nothing".to_owned())
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// Run this.
    Run(Command),
    /// Print this to stdout and end well: `--help` and `--version`.
    Print(String),
}

/// Reads a command line; its first word is the program's own name.
///
/// # Errors
/// [`CommandError::Usage`] for everything that this version doesn't know.
pub fn parse(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Request, CommandError> {
    match Arguments::try_parse_from(words) {
        Ok(Arguments {
            command: Command::Other(words),
        }) => Err(refuse(&words)),
        Ok(Arguments {
            command: Command::Plan(plan),
        }) if !plan.names.is_empty() => Err(CommandError::Usage(
            "plans of StageSets in a cluster are not supported by this version; \
                 use --dir DIR for those of a folder"
                .to_owned(),
        )),
        Ok(Arguments {
            command: Command::Plan(Plan { dir: None, .. }),
        }) => Err(CommandError::Usage(
            "plan needs --dir DIR, a scenario folder".to_owned(),
        )),
        Ok(Arguments {
            command: Command::Baseline(baseline),
        }) if baseline.action.stage.is_none() && !baseline.export => Err(CommandError::Usage(
            "baseline needs --stage STAGE together with --action ACTION, or --export".to_owned(),
        )),
        Ok(Arguments {
            command: Command::ResetLedger(reset),
        }) if reset.action.stage.is_none() && !reset.all => Err(CommandError::Usage(
            "reset-ledger needs --stage STAGE together with --action ACTION, or --all for every \
                 Lifetime action"
                .to_owned(),
        )),
        Ok(Arguments {
            command: Command::Build(build),
        }) if !build.names.is_empty() => Err(CommandError::Usage(
            "builds of StageSets in a cluster are not supported by this version; \
                 use --dir DIR for a folder"
                .to_owned(),
        )),
        Ok(Arguments { command }) => Ok(Request::Run(command)),
        Err(error) if !error.use_stderr() => Ok(Request::Print(error.to_string())),
        Err(error) => {
            let text = error.to_string();
            Err(CommandError::Usage(
                text.strip_prefix("error: ")
                    .unwrap_or(&text)
                    .trim_end()
                    .to_owned(),
            ))
        }
    }
}

fn refuse(words: &[String]) -> CommandError {
    let name = words.first().map(String::as_str).unwrap_or_default();
    CommandError::Usage(if LATER.contains(&name) {
        format!("{name:?} is not supported by this version; it has {COMMANDS}")
    } else {
        format!("unknown command {name:?}; it has {COMMANDS}, see --help")
    })
}
