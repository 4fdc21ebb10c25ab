//! Names on the wire: what other programs, dashboards and people's scripts rely on.

/// API group of every kind of ours.
pub const GROUP: &str = "stages.metio.wtf";
/// The only served and stored version.
pub const VERSION: &str = "v1";
/// Group and version as `apiVersion` has them.
pub const API_VERSION: &str = "stages.metio.wtf/v1";

/// Kind of a release.
pub const KIND_STAGE_SET: &str = "StageSet";
/// Kind of the record of applied objects.
pub const KIND_STAGE_INVENTORY: &str = "StageInventory";
/// Kind of the record of actions that are done for ever.
pub const KIND_STAGE_LEDGER: &str = "StageLedger";

/// Plural of [`KIND_STAGE_SET`].
pub const PLURAL_STAGE_SETS: &str = "stagesets";
/// Plural of [`KIND_STAGE_INVENTORY`].
pub const PLURAL_STAGE_INVENTORIES: &str = "stageinventories";
/// Plural of [`KIND_STAGE_LEDGER`].
pub const PLURAL_STAGE_LEDGERS: &str = "stageledgers";

/// Finalizer on a StageSet: its objects have to be torn down first; and on its StageInventories, so
/// that what is known of these objects can't go before them (foreground deletion, a terminating
/// namespace, `kubectl delete`).
pub const FINALIZER: &str = "stages.metio.wtf/finalizer";
/// Field manager of every server-side apply.
pub const FIELD_MANAGER: &str = "stageset-controller";
/// Field manager of what the CLI writes on our own kinds.
pub const CLI_FIELD_MANAGER: &str = "stagesetctl";
/// Lease of the leader election.
pub const LEASE: &str = "stageset-controller.stages.metio.wtf";
/// Reporter of events on StageSets.
pub const EVENT_REPORTER: &str = "stageset-controller";
/// Reporter of events on FleetRollouts.
pub const FLEET_EVENT_REPORTER: &str = "fleetrollout-controller";
/// Validating webhook for StageSets.
pub const WEBHOOK_STAGE_SET: &str = "vstageset.stages.metio.wtf";
/// Validating webhook for ImageVerificationPolicies.
pub const WEBHOOK_IMAGE_POLICY: &str = "vimageverificationpolicy.stages.metio.wtf";

/// Owner label on applied objects: the StageSet's name.
pub const LABEL_NAME: &str = "stages.metio.wtf/name";
/// Owner label on applied objects: the StageSet's namespace.
pub const LABEL_NAMESPACE: &str = "stages.metio.wtf/namespace";
/// Label on applied objects and inventories: the stage.
pub const LABEL_STAGE: &str = "stages.metio.wtf/stage";
/// Label on inventories: the StageSet's name.
pub const LABEL_STAGE_SET: &str = "stages.metio.wtf/stage-set";
/// Label on inventories: the shard's decimal index.
pub const LABEL_SHARD: &str = "stages.metio.wtf/shard";

/// On an applied object, value [`PRUNE_DISABLED`] in any case: never deleted by us.
pub const ANNOTATION_PRUNE: &str = "stages.metio.wtf/prune";
/// Value of [`ANNOTATION_PRUNE`].
pub const PRUNE_DISABLED: &str = "disabled";
/// On a manifest, any non-empty value: recreate on an immutable-field conflict.
pub const ANNOTATION_FORCE: &str = "stages.metio.wtf/force";
/// On an applied object, `"true"`: it existed before and is left as it is.
pub const ANNOTATION_KEEP_EXISTING: &str = "stages.metio.wtf/keep-existing";
/// On an inventory whose objects are in a remote cluster: `secret/key` of the kubeconfig by which they
/// were applied, so that they can be reached when the StageSet points elsewhere.
pub const ANNOTATION_KUBECONFIG: &str = "stages.metio.wtf/kubeconfig";
/// Label or annotation, value `disabled`: no variable substitution in this object (K15).
pub const ANNOTATION_SUBSTITUTE: &str = "stages.metio.wtf/substitute";
/// Flux's own spelling of [`ANNOTATION_SUBSTITUTE`].
pub const FLUX_ANNOTATION_SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// On a StageSet, any token: reconcile now.
pub const ANNOTATION_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// On a StageSet, `<stage>@<token>`: reconcile one stage anew.
pub const ANNOTATION_RECONCILE_STAGE: &str = "stages.metio.wtf/reconcile-stage";
/// On a StageSet, `<stage>@<token>`: pass one stage's promotion gate.
pub const ANNOTATION_PROMOTE: &str = "stages.metio.wtf/promote";
/// On a StageSet, a version: approved for delivery.
pub const ANNOTATION_APPROVED_VERSION: &str = "stages.metio.wtf/approved-version";
/// On a StageSet, a version below the deployed one: go back to it.
pub const ANNOTATION_ROLLBACK_TO: &str = "stages.metio.wtf/rollback-to";
/// On a StageSet, a token: ignore the update windows once.
pub const ANNOTATION_UPDATE_NOW: &str = "stages.metio.wtf/update-now";
/// On a StageSet, a token: ignore the error budgets once.
pub const ANNOTATION_BUDGET_OVERRIDE: &str = "stages.metio.wtf/budget-override";
/// On a StageSet, a token: forget the Version-scoped actions.
pub const ANNOTATION_RESET_SCOPE: &str = "stages.metio.wtf/reset-scope";
/// On a StageSet, a reason: skip image verification.
pub const ANNOTATION_SKIP_IMAGE_VERIFICATION: &str = "stages.metio.wtf/skip-image-verification";

/// Annotations on a StageSet whose change wakes the controller.
pub const WAKING_ANNOTATIONS: [&str; 5] = [
    ANNOTATION_REQUESTED_AT,
    ANNOTATION_RECONCILE_STAGE,
    ANNOTATION_PROMOTE,
    ANNOTATION_APPROVED_VERSION,
    ANNOTATION_ROLLBACK_TO,
];

/// API version that a source reference without one means.
pub const DEFAULT_SOURCE_API_VERSION: &str = "source.toolkit.fluxcd.io/v1";
/// API group of Flux's own sources.
pub const FLUX_SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
/// Kind that a source reference without one means.
pub const DEFAULT_SOURCE_KIND: &str = "ExternalArtifact";
/// Data key of a kubeconfig Secret unless the reference names one (S24).
pub const DEFAULT_KUBE_CONFIG_KEY: &str = "value";
