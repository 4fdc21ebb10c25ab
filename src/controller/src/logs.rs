//! Log lines: JSON or text to stderr, our own and the libraries' through one handler.

use stageset_cluster::spans::TARGET;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::flags::{LogFormat, LogLevel};
use crate::traces::Traces;

/// Where libraries of the HTTP stack log each frame; below debug there is nothing for operators.
const LIBRARIES: [&str; 7] = [
    "h2",
    "hyper",
    "hyper_util",
    "kube_client",
    "rustls",
    "tonic",
    "tower",
];

/// Starts logging for the whole process, and spans where they are sent somewhere.
///
/// # Errors
/// When logging was started before.
pub fn init(
    level: LogLevel,
    format: LogFormat,
    traces: Option<&Traces>,
) -> Result<(), TryInitError> {
    match traces {
        // Not as an optional layer: one that isn't there counts as one that listens to everything, and
        // each span would be made for nobody.
        None => lines(level, format).try_init(),
        Some(traces) => lines(level, format).with(traces.layer()).try_init(),
    }
}

/// Log lines alone.
fn lines(level: LogLevel, format: LogFormat) -> impl Subscriber + for<'a> LookupSpan<'a> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(targets(level)))
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let libraries = level.min(Level::WARN);
    LIBRARIES.iter().fold(
        Targets::new()
            .with_default(LevelFilter::from_level(level))
            // Spans are for traces; lines name what they are about themselves.
            .with_target(TARGET, LevelFilter::OFF),
        |targets, library| targets.with_target(*library, LevelFilter::from_level(libraries)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_traces_no_span_is_made() {
        let subscriber = lines(LogLevel::Debug, LogFormat::Json);
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::info_span!(target: TARGET, "a pass").is_disabled());
            assert!(!tracing::info_span!("of somebody else").is_disabled());
        });
    }

    #[test]
    fn libraries_stay_quiet_at_debug() {
        let debug = targets(LogLevel::Debug);
        assert!(debug.would_enable("stageset_controller::run", &Level::DEBUG));
        assert!(!debug.would_enable("h2::codec", &Level::DEBUG));
        assert!(debug.would_enable("h2::codec", &Level::WARN));
        assert!(!debug.would_enable(TARGET, &Level::INFO));
        assert!(!targets(LogLevel::Error).would_enable("h2::codec", &Level::WARN));
    }
}
