//! Where spans are sent, and how many.

use std::fmt;

use clap::Args;

use super::value;

/// As clap reads them.
#[derive(Debug, Clone, Args)]
pub(super) struct TracingFlags {
    /// OpenTelemetry collector that spans are sent to, host:port of OTLP over gRPC; empty switches it
    /// off.
    #[arg(long = "tracing-endpoint", value_name = "HOST:PORT", default_value = "", value_parser = Collector::parse_flag)]
    endpoint: Switched,

    /// Speak to the collector without TLS.
    #[arg(long = "tracing-insecure", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = value::boolean)]
    insecure: bool,

    /// Share of traces that are sent, from 0 to 1.
    #[arg(long = "tracing-sample-ratio", value_name = "RATIO", default_value = "1.0", value_parser = SampleRatio::parse)]
    ratio: SampleRatio,
}

impl TracingFlags {
    pub(super) fn check(self) -> Option<TracingOptions> {
        Some(TracingOptions {
            collector: self.endpoint.0?,
            insecure: self.insecure,
            ratio: self.ratio,
        })
    }
}

/// Where spans are sent, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracingOptions {
    /// To whom.
    pub collector: Collector,
    /// Without TLS.
    pub insecure: bool,
    /// Share of traces.
    pub ratio: SampleRatio,
}

/// An option that clap doesn't take for an optional flag.
#[derive(Debug, Clone)]
struct Switched(Option<Collector>);

/// `host:port` of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    host: String,
    port: u16,
}

impl Collector {
    /// Reads `collector.tracing:4317`, `10.0.0.1:4317` or `[::1]:4317`.
    ///
    /// # Errors
    /// A message for people when it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Err(
                "must be host:port without a scheme; --tracing-insecure says whether TLS is spoken"
                    .to_owned(),
            );
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("must be host:port, for example collector.tracing:4317")?;
        let port = value::port(port).map_err(|_| "the port must be a number from 1 to 65535")?;
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|host| host.parse::<std::net::Ipv6Addr>().is_ok())
                .ok_or("what stands in brackets must be an IPv6 address, e.g. [::1]:4317")?,
            None if host.contains(':') => {
                return Err("an IPv6 host must stand in brackets, e.g. [::1]:4317".to_owned());
            }
            None => host,
        };
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if bare.is_empty() || (bare == host && !host.chars().all(of_a_name)) {
            return Err("the host must be a DNS name or an IP address".to_owned());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    fn parse_flag(text: &str) -> Result<Switched, String> {
        if text.is_empty() {
            return Ok(Switched(None));
        }
        Self::parse(text).map(|collector| Switched(Some(collector)))
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A share from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio(f64);

// One that is no number isn't made.
impl Eq for SampleRatio {}

impl SampleRatio {
    /// Every trace.
    pub const ALL: Self = Self(1.0);

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Self(ratio)),
            _ => Err("must be a number from 0 (no trace) to 1 (every trace), e.g. 0.1".to_owned()),
        }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_are_host_and_port() {
        for good in [
            "collector:4317",
            "otel.tracing.svc:4317",
            "10.0.0.1:1",
            "[::1]:65535",
        ] {
            assert_eq!(Collector::parse(good).unwrap().to_string(), good);
        }
        for (bad, words) in [
            ("collector", "host:port"),
            (":4317", "DNS name"),
            ("collector:0", "1 to 65535"),
            ("collector:grpc", "1 to 65535"),
            ("collector:4317/v1/traces", "1 to 65535"),
            ("http://collector:4317", "without a scheme"),
            ("::1:4317", "brackets"),
            ("[collector]:4317", "IPv6"),
            ("[]:4317", "IPv6"),
            ("user@collector:4317", "DNS name"),
            ("a b:4317", "DNS name"),
            ("a,b:4317", "DNS name"),
        ] {
            let error = Collector::parse(bad).unwrap_err();
            assert!(error.contains(words), "{bad:?}: {error}");
        }
    }

    #[test]
    fn ratios_are_shares() {
        for (good, is) in [
            ("0", 0.0),
            ("1", 1.0),
            ("1.0", 1.0),
            ("0.25", 0.25),
            ("1e-3", 0.001),
        ] {
            let ratio = SampleRatio::parse(good).unwrap();
            assert!((ratio.get() - is).abs() < f64::EPSILON, "{good}");
        }
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "half", "50%"] {
            assert!(SampleRatio::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
