//! Metric sources and the numbers they are compared with.

use stageset_api::stageset::{LocalReference, MetricSource};

use super::super::problems::{Problems, show};

/// A source is exactly one provider with everything it needs (V26, V28). `who` leads the message.
pub(super) fn source(
    rule: &'static str,
    at: &str,
    who: &str,
    source: &MetricSource,
    problems: &mut Problems,
) {
    let message = match (&source.prometheus, &source.webhook) {
        (Some(_), Some(_)) => Some("prometheus and webhook exclude each other; keep one"),
        (None, None) => Some("exactly one of prometheus and webhook is needed"),
        _ => None,
    };
    if let Some(message) = message {
        problems.add(rule, at, format!("{who}{message}"));
    }
    let mut needed = |field: &str, text: &str| {
        if text.is_empty() {
            let field = format!("{at}.{field}");
            let message = format!("{who}{field} is needed");
            problems.add(rule, field, message);
        }
    };
    let secret = |secret: Option<&LocalReference>| secret.map(|secret| secret.name.clone());
    if let Some(prometheus) = &source.prometheus {
        needed("prometheus.address", &prometheus.address);
        needed("prometheus.query", &prometheus.query);
        if let Some(name) = secret(prometheus.secret_ref.as_ref()) {
            needed("prometheus.secretRef.name", &name);
        }
    }
    if let Some(webhook) = &source.webhook {
        needed("webhook.url", &webhook.url);
        needed("webhook.jsonPath", &webhook.json_path);
        if let Some(name) = secret(webhook.secret_ref.as_ref()) {
            needed("webhook.secretRef.name", &name);
        }
    }
}

/// A finite decimal number; what is none is a problem of `rule`, NaN and infinity of G6.
pub(super) fn number(
    rule: &'static str,
    at: &str,
    who: &str,
    text: &str,
    problems: &mut Problems,
) -> Option<f64> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Some(number),
        Ok(_) => {
            problems.add(
                "G6",
                at,
                format!("{who}{} is not a finite number", show(text)),
            );
            None
        }
        Err(_) => {
            problems.add(
                rule,
                at,
                format!("{who}{} is not a decimal number", show(text)),
            );
            None
        }
    }
}
