//! Spans to an OpenTelemetry collector (OTLP over gRPC), where `--tracing-endpoint` names one.
//!
//! A thread of its own sends them in batches. A collector that can't be reached costs those spans and
//! a line in the log, never a pass: a full queue drops what comes next, and a stop waits for the last
//! batch for [`FLUSH`] at most.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use stageset_cluster::spans::TARGET;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::flags::TracingOptions;

/// Who sends them.
const SERVICE: &str = "stageset-controller";
/// Bound of one batch's way to the collector.
const EXPORT: Duration = Duration::from_secs(5);
/// How long a stop waits for the last spans.
pub const FLUSH: Duration = Duration::from_secs(5);

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends to the collector that the options name. Has to be called within a runtime with a clock
    /// that runs, which carries the connection; nothing is sent yet.
    ///
    /// # Errors
    /// When a connection like that can't be made at all: TLS without one certificate authority, or
    /// an `OTEL_EXPORTER_OTLP_…` variable that can't be used.
    pub fn start(options: &TracingOptions, instance: &str) -> Result<Self, ExporterBuildError> {
        let scheme = if options.insecure { "http" } else { "https" };
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(format!("{scheme}://{}", options.collector))
            .with_timeout(EXPORT);
        if !options.insecure {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
        }
        let exporter = Told {
            inner: exporter.build()?,
            collector: options.collector.to_string(),
            failing: AtomicBool::new(false),
        };
        let resource = Resource::builder()
            .with_service_name(SERVICE)
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", instance.to_owned()),
            ])
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::TraceIdRatioBased(options.ratio.get()))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What turns our spans, and nobody else's, into those of OpenTelemetry.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what is left, within [`FLUSH`].
    pub fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Says in the log when spans begin to be lost, and when they arrive again.
#[derive(Debug)]
struct Told<E> {
    inner: E,
    collector: String,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        let collector = &self.collector;
        let failed_before = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed_before => warn!(
                collector, spans, %error,
                "spans are lost: the collector of --tracing-endpoint doesn't take them; releases go on"
            ),
            Ok(()) if failed_before => info!(collector, "the collector takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
