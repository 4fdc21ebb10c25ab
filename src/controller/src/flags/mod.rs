//! Command-line flags: parsed and checked before the first contact with a cluster.
//!
//! - [`Flags`] is what clap reads;
//! - [`Options`] is what the rest of the controller works with: every value checked;
//! - [`unsupported`] is the table of flags that the reference implementation has and this version
//!   doesn't. They are refused by name, unless the value switches them off.
//!
//! Booleans may stand alone or carry `=true`/`=false` in any of Go's spellings; durations are Go's.
//! A flag given twice counts the last time, as everywhere in the Kubernetes world.

use std::ffi::OsString;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use stageset_api::names::LEASE;
use stageset_cluster::hooks::AllowedHosts;
use stageset_core::identity::Tenancy;
use stageset_core::names::Namespace;

mod address;
mod leave;
#[cfg(test)]
mod tests;
mod tracing;
pub mod unsupported;
mod value;
mod webhook;

pub use address::BindAddress;
pub use leave::Leave;
pub use tracing::{Collector, SampleRatio, TracingOptions};
pub use value::{Cidr, InvalidCidr};
pub use webhook::{CertificateSource, SelfSigned, WebhookOptions};

/// Environment variable that `--watch-namespaces` falls back to.
pub const ENV_WATCH_NAMESPACES: &str = "STAGESET_WATCH_NAMESPACES";

/// Delivers StageSets: ordered releases of Kubernetes objects, each applied as its tenant.
#[derive(Debug, Clone, Parser)]
#[command(name = "stageset-controller", version, args_override_self = true)]
struct Flags {
    /// Where metrics are served, host:port; 0 or empty switches it off.
    #[arg(long, value_name = "HOST:PORT", default_value = ":8080", value_parser = BindAddress::parse)]
    metrics_bind_address: BindAddress,

    /// Where the health probes are served, host:port; 0 or empty switches it off.
    #[arg(long, value_name = "HOST:PORT", default_value = ":8081", value_parser = BindAddress::parse)]
    health_probe_bind_address: BindAddress,

    /// Where the gates of stages are served, host:port; 0 or empty switches it off.
    #[arg(long, value_name = "HOST:PORT", default_value = ":8082", value_parser = BindAddress::parse)]
    gate_bind_address: BindAddress,

    /// Elect one leader among the replicas; only it reconciles.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    leader_elect: bool,

    /// Lease of the election; two releases in one namespace need two.
    #[arg(long, value_name = "NAME", default_value = LEASE, value_parser = value::object_name)]
    leader_elect_resource_name: String,

    /// Namespaces to watch, separated by commas; empty means all.
    /// The environment variable `STAGESET_WATCH_NAMESPACES` serves when it is empty.
    #[arg(long, value_name = "NAMESPACES", default_value = "")]
    watch_namespaces: String,

    /// Namespaces that have left that list, separated by commas, or * for every one that isn't in it:
    /// this release gives up its claims there (status.handledBy), and does nothing else.
    #[arg(long, value_name = "NAMESPACES", default_value = "")]
    leave_namespaces: String,

    /// How often a StageSet without spec.interval is looked at.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = value::positive)]
    default_interval: Duration,

    /// Most objects in one StageInventory.
    #[arg(long, value_name = "COUNT", default_value = "5000", value_parser = value::at_least_one)]
    inventory_shard_cap: usize,

    /// After this long a deletion is forced through; 0 means 1h.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = value::not_negative)]
    max_teardown_wait: Duration,

    /// Refuse every reference into another namespace.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    no_cross_namespace_refs: bool,

    /// Take StageSets over that another release claims (status.handledBy).
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    take_over: bool,

    /// Follow references into other namespaces only for a ServiceAccount that may read what they lead
    /// to itself.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    check_cross_namespace_refs: bool,

    /// Apply StageSets that name no ServiceAccount with the controller's own rights.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    single_tenant: bool,

    /// Address ranges that artifacts may be downloaded from although they are refused by default
    /// (loopback, link-local and the like); for development.
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Cidr::parse_flag)]
    allow_artifact_addresses: Vec<Option<Cidr>>,

    /// Address ranges that remote clusters may be reached at although they are refused by default
    /// (loopback, link-local and the like).
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Cidr::parse_flag)]
    allow_remote_addresses: Vec<Option<Cidr>>,

    /// Use kubeconfigs with insecure-skip-tls-verify.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    allow_insecure_kubeconfigs: bool,
    /// Hosts that http actions may call, on every redirect as well; * stands for any text. May be
    /// given several times; without any, every host whose address isn't refused.
    #[arg(long, value_name = "HOST", action = clap::ArgAction::Append, value_delimiter = ',')]
    allowed_action_hosts: Vec<String>,

    /// Address ranges that http actions may call although they are refused by default (loopback,
    /// link-local and the like).
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Cidr::parse_flag)]
    allow_action_addresses: Vec<Option<Cidr>>,

    /// Most metadata watches held as tenants; objects beyond are polled.
    #[arg(long, value_name = "COUNT", default_value = "2000")]
    max_tenant_watches: usize,

    #[command(flatten)]
    webhook: webhook::WebhookFlags,

    #[command(flatten)]
    tracing: tracing::TracingFlags,

    /// Least severe lines that are logged: debug, info, warn, error.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = LogLevel::parse)]
    log_level: LogLevel,

    /// How lines are written: json or text.
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = LogFormat::parse)]
    log_format: LogFormat,
}

/// Names of the flags that do something, without the dashes.
pub fn names() -> impl Iterator<Item = String> {
    let command = Flags::command();
    let names: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .filter(|name| name != "help" && name != "version")
        .collect();
    names.into_iter()
}

/// Least severe lines that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Every operation.
    Debug,
    /// Every outcome.
    Info,
    /// What may need somebody.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err("must be debug, info, warn or error".to_owned()),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("must be json or text".to_owned()),
        }
    }
}

/// Everything an operator can set, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where metrics are served; `None` = nowhere.
    pub metrics_bind_address: BindAddress,
    /// Where `/healthz` and `/readyz` are served.
    pub health_probe_bind_address: BindAddress,
    /// Where `/gate/{namespace}/{stageset}/{stage}` is served.
    pub gate_bind_address: BindAddress,
    /// Whether a leader is elected; without, this process reconciles at once.
    pub leader_elect: bool,
    /// The Lease of that election, in the controller's own namespace.
    pub lease: String,
    /// The only namespaces whose StageSets are looked at; empty = all of them.
    pub watch_namespaces: Vec<Namespace>,
    /// The namespaces that have left that list.
    pub leave: Leave,
    /// Cadence of StageSets that set none; positive.
    pub default_interval: Duration,
    /// Most entries in one StageInventory; at least 1.
    pub inventory_shard_cap: usize,
    /// Bound of a teardown; positive.
    pub max_teardown_wait: Duration,
    /// Refuse references into other namespaces (S31).
    pub no_cross_namespace_refs: bool,
    /// Namespace of this release, the environment's word and not a flag's; empty: it claims nothing.
    pub release_namespace: String,
    /// Take StageSets over that another release claims.
    pub take_over: bool,
    /// Follow foreign references only for an account that may read what they lead to itself (K04).
    pub check_cross_namespace_refs: bool,
    /// Whether StageSets without an account are applied by the controller itself (S14).
    pub tenancy: Tenancy,
    /// Ranges opened for artifact downloads.
    pub allow_artifact_addresses: Vec<Cidr>,
    /// Ranges opened for remote clusters.
    pub allow_remote_addresses: Vec<Cidr>,
    /// Whether kubeconfigs may leave the server's certificate unchecked.
    pub allow_insecure_kubeconfigs: bool,
    /// Hosts that http actions may call.
    pub allowed_action_hosts: AllowedHosts,
    /// Ranges opened for http actions.
    pub allow_action_addresses: Vec<Cidr>,
    /// Cap of the watches as tenants (K17).
    pub max_tenant_watches: usize,
    /// The validating webhook; `None` = not served.
    pub webhook: Option<WebhookOptions>,
    /// Where spans are sent; `None` = nowhere.
    pub tracing: Option<TracingOptions>,
    /// Least severe lines that are logged.
    pub log_level: LogLevel,
    /// How lines are written.
    pub log_format: LogFormat,
}

impl Default for Options {
    /// What an empty command line means.
    fn default() -> Self {
        Self {
            metrics_bind_address: BindAddress::any(8080),
            health_probe_bind_address: BindAddress::any(8081),
            gate_bind_address: BindAddress::any(8082),
            leader_elect: false,
            lease: LEASE.to_owned(),
            watch_namespaces: Vec::new(),
            leave: Leave::Nothing,
            default_interval: Duration::from_secs(600),
            inventory_shard_cap: 5000,
            max_teardown_wait: Duration::from_secs(3600),
            no_cross_namespace_refs: false,
            release_namespace: String::new(),
            take_over: false,
            check_cross_namespace_refs: false,
            tenancy: Tenancy::Multi,
            allow_artifact_addresses: Vec::new(),
            allow_remote_addresses: Vec::new(),
            allow_insecure_kubeconfigs: false,
            allowed_action_hosts: AllowedHosts::default(),
            allow_action_addresses: Vec::new(),
            max_tenant_watches: 2000,
            webhook: Some(WebhookOptions::default()),
            tracing: None,
            log_level: LogLevel::Info,
            log_format: LogFormat::Json,
        }
    }
}

/// Why the process ends before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// `--help` or `--version`: print this to stdout, exit code 0.
    Told(String),
    /// A flag is wrong: print this one line to stderr, exit code 2.
    Refused(String),
}

impl Options {
    /// Reads a command line (the program's name first) and the environment.
    ///
    /// # Errors
    /// [`Exit`] with what to print and, by its variant, the exit code.
    pub fn parse<I, T>(
        arguments: I,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Exit>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let command = unsupported::declare(Flags::command());
        let matches = command
            .try_get_matches_from(arguments)
            .map_err(|error| exit(&error))?;
        unsupported::check(&matches).map_err(Exit::Refused)?;
        let flags = Flags::from_arg_matches(&matches).map_err(|error| exit(&error))?;
        let from_environment = || environment(ENV_WATCH_NAMESPACES).unwrap_or_default();
        let watch_namespaces = if flags.watch_namespaces.trim().is_empty() {
            namespaces(&from_environment(), ENV_WATCH_NAMESPACES)?
        } else {
            namespaces(&flags.watch_namespaces, "--watch-namespaces")?
        };
        let globs = flags.allowed_action_hosts.iter().map(|glob| glob.trim());
        let allowed_action_hosts = AllowedHosts::parse(globs.filter(|glob| !glob.is_empty()))
            .map_err(|error| Exit::Refused(format!("--allowed-action-hosts: {error}")))?;
        let max_teardown_wait = if flags.max_teardown_wait.is_zero() {
            Duration::from_secs(3600)
        } else {
            flags.max_teardown_wait
        };
        Ok(Self {
            metrics_bind_address: flags.metrics_bind_address,
            health_probe_bind_address: flags.health_probe_bind_address,
            gate_bind_address: flags.gate_bind_address,
            leader_elect: flags.leader_elect,
            lease: flags.leader_elect_resource_name,
            leave: Leave::parse(&flags.leave_namespaces, &watch_namespaces)?,
            watch_namespaces,
            default_interval: flags.default_interval,
            inventory_shard_cap: flags.inventory_shard_cap,
            max_teardown_wait,
            no_cross_namespace_refs: flags.no_cross_namespace_refs,
            release_namespace: String::new(),
            take_over: flags.take_over,
            check_cross_namespace_refs: flags.check_cross_namespace_refs,
            tenancy: if flags.single_tenant {
                Tenancy::Single
            } else {
                Tenancy::Multi
            },
            allow_artifact_addresses: flags
                .allow_artifact_addresses
                .into_iter()
                .flatten()
                .collect(),
            allow_remote_addresses: flags.allow_remote_addresses.into_iter().flatten().collect(),
            allow_insecure_kubeconfigs: flags.allow_insecure_kubeconfigs,
            allowed_action_hosts,
            allow_action_addresses: flags.allow_action_addresses.into_iter().flatten().collect(),
            max_tenant_watches: flags.max_tenant_watches,
            webhook: flags.webhook.check().map_err(Exit::Refused)?,
            tracing: flags.tracing.check(),
            log_level: flags.log_level,
            log_format: flags.log_format,
        })
    }
}

/// Sorted and unique, so that the order in which they were given changes nothing.
fn namespaces(list: &str, whence: &str) -> Result<Vec<Namespace>, Exit> {
    let mut found = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            Namespace::new(name).map_err(|error| Exit::Refused(format!("{whence}: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// clap's answer as ours: help and version are told, everything else is refused in one line.
fn exit(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind;
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Told(text),
        _ => {
            let line = text.lines().next().unwrap_or("the flags could not be read");
            Exit::Refused(line.strip_prefix("error: ").unwrap_or(line).to_owned())
        }
    }
}
