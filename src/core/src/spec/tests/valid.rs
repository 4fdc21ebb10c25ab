//! What a valid spec becomes.

use std::time::Duration;

use serde_json::json;

use crate::names::ServiceAccountName;

use super::{minimal, read, spec_with, stage_with};

#[test]
fn absent_fields_have_their_defaults() {
    let spec = read(&minimal()).unwrap();
    assert_eq!(
        (spec.interval, spec.retry_interval, spec.timeout),
        (None, None, None)
    );
    assert!(!spec.suspend && spec.service_account.is_none());
    let stage = &spec.stages[0];
    assert_eq!(stage.name.as_str(), "app");
    assert_eq!(stage.path, "");
    assert!(stage.prune && !stage.disable_wait && stage.timeout.is_none());
    assert_eq!(stage.source.to_string(), "ExternalArtifact shop/shop");
    assert_eq!(stage.source.api_version, "source.toolkit.fluxcd.io/v1");
    assert!(stage.source.is_direct());
}

#[test]
fn every_supported_field_arrives() {
    let spec = read(&json!({
        "interval": "1h", "retryInterval": "30s", "driftDetectionInterval": "5m", "timeout": "1m30s",
        "onTimeout": "Hold", "suspend": true, "serviceAccountName": "deployer",
        "stages": [
            {"name": "db", "sourceRef": {"kind": "GitRepository", "name": "s", "namespace": "other"},
             "path": "./a//b/", "serviceAccountName": "db.deployer", "prune": false, "timeout": "2m",
             "onTimeout": "Hold", "readyChecks": {"timeout": "3m", "disableWait": true}},
            {"name": "app", "timeout": "4m", "readyChecks": {"timeout": "0s"},
             "sourceRef": {"apiVersion": "ex.io/v1", "kind": "Thing", "name": "s"}},
        ]
    }))
    .unwrap();
    let seconds = |text: Option<Duration>| text.map(|t| t.as_secs());
    assert_eq!(seconds(spec.interval), Some(3600));
    assert_eq!(seconds(spec.retry_interval), Some(30));
    assert_eq!(seconds(spec.drift_detection_interval), Some(300));
    assert_eq!(seconds(spec.timeout), Some(90));
    assert!(spec.suspend);
    assert_eq!(
        spec.service_account
            .as_ref()
            .map(ServiceAccountName::as_str),
        Some("deployer")
    );
    let [db, app] = spec.stages.as_slice() else {
        panic!("two stages");
    };
    assert_eq!(
        (db.path.as_str(), db.prune, db.disable_wait),
        ("a/b", false, true)
    );
    assert_eq!(seconds(db.timeout), Some(180));
    assert_eq!(
        db.service_account.as_ref().map(ServiceAccountName::as_str),
        Some("db.deployer")
    );
    assert_eq!(db.source.to_string(), "GitRepository other/s");
    assert!(db.source.is_direct());
    assert_eq!(seconds(app.timeout), Some(240), "0s falls through");
    assert!(!app.source.is_direct());
}

#[test]
fn gap_01_an_interval_of_nothing_counts_as_unset() {
    let spec = spec_with(json!({"interval": "0s", "retryInterval": "-5m", "timeout": "0"}));
    let spec = read(&spec).unwrap();
    assert_eq!(
        (spec.interval, spec.retry_interval, spec.timeout),
        (None, None, None)
    );
}

#[test]
fn a_flux_kind_without_a_group_is_fluxs() {
    for (kind, api_version) in [
        ("Bucket", "v1"),
        ("OCIRepository", ""),
        ("ExternalArtifact", "v1"),
    ] {
        let source = json!({"kind": kind, "apiVersion": api_version, "name": "s"});
        let spec = read(&stage_with(json!({"sourceRef": source}))).unwrap();
        assert!(spec.stages[0].source.is_direct(), "{kind} {api_version:?}");
    }
    let foreign = json!({"kind": "Bucket", "apiVersion": "s3.aws/v1", "name": "s"});
    let spec = read(&stage_with(json!({"sourceRef": foreign}))).unwrap();
    assert!(!spec.stages[0].source.is_direct());
}
