//! Puts the simulated cluster, the scenario's steps and the production controller together, and lets
//! virtual time run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stageset_cluster::Clock;
use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;
use stageset_render::{Limits, yaml};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::administrator::Administrator;
use super::artifacts::Artifacts;
use super::cluster::{AuditRecord, Cluster};
use super::controller::Controller;
use super::trace::{Event, Happening, Refused, Trace};
use super::{Options, SimulationError, denial, rights};
use crate::scenario::{Action, Manifest, Scenario, Step};
use crate::timeline::record::Cure;

/// The virtual clock's first instant: nothing depends on it, everything is shown relative to it.
const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// A simulation ends this long after its last step at the latest, unless the folder or the command line says otherwise.
const DEFAULT_UNTIL: Duration = Duration::from_secs(600);
/// How often it is looked whether everything is Ready. Virtual time: it costs nothing.
const LOOK: Duration = Duration::from_secs(1);
/// How long the cluster gets to establish definitions before anything else happens.
const SETTLE: Duration = Duration::from_secs(2);
const CRDS: [&str; 4] = [
    include_str!("../../../../charts/stageset-controller/files/crds/stagesets.yaml"),
    include_str!("../../../../charts/stageset-controller/files/crds/stageinventories.yaml"),
    include_str!("../../../../charts/stageset-controller/files/crds/stageledgers.yaml"),
    include_str!("sources.yaml"),
];

/// What a finished simulation leaves behind.
pub(super) struct Finished {
    /// What the production code told of itself, and the steps of the scenario.
    pub(super) events: Vec<Event>,
    /// How many events there were when the last step of the scenario began.
    pub(super) last_step: usize,
    /// Virtual time 0.
    pub(super) start: Timestamp,
    /// When it ended.
    pub(super) end: Timestamp,
    /// What refused users lacked.
    pub(super) cures: BTreeMap<(String, ObjectKey), Cure>,
    /// The StageSets at the end.
    pub(super) stage_sets: Vec<Value>,
    /// Every request since virtual time 0.
    pub(super) audit: Vec<AuditRecord>,
}

/// Runs a scenario to its end on a runtime of its own, whose clock is virtual.
pub(super) fn run(scenario: &Scenario, options: &Options) -> Result<Finished, SimulationError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(SimulationError::Runtime)?
        .block_on(simulate(scenario, options))
}

async fn simulate(scenario: &Scenario, options: &Options) -> Result<Finished, SimulationError> {
    let clock = Clock::simulated(EPOCH);
    let cluster = Cluster::new(EPOCH);
    let administrator = Administrator::new(cluster.administrator());
    prepare(&administrator, options).await?;
    tokio::time::sleep(SETTLE).await;
    let artifacts = Artifacts::of(scenario);
    let start = clock.now();
    let began = Instant::now();
    let requests_before = cluster.audit().len();
    denial::answer(&cluster, scenario);
    populate(&administrator, scenario, &artifacts, start).await?;

    let (trace, refusals) = Trace::new();
    let cures = Arc::new(Mutex::new(BTreeMap::new()));
    let reviews = tokio::spawn(review(administrator.clone(), refusals, Arc::clone(&cures)));
    let world = World {
        administrator: &administrator,
        artifacts: &artifacts,
        scenario,
        clock: &clock,
        began,
        trace: &trace,
    };
    let mut controller = Controller::start(
        &cluster,
        clock.clone(),
        artifacts.clone(),
        trace.clone(),
        options,
    );
    let last_step = tokio::select! {
        biased;
        error = controller.ended() => return Err(SimulationError::Controller(error)),
        last_step = world.turn(options) => last_step?,
    };
    let end = clock.now();
    let stage_sets = administrator
        .stage_sets()
        .await
        .map_err(SimulationError::Lost)?;
    let audit = cluster.audit().split_off(requests_before);
    let events = trace.events();
    controller.stop().await;
    reviews.abort();
    let cures = cures.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Finished {
        events,
        last_step,
        start,
        end,
        cures,
        stage_sets,
        audit,
    })
}

/// What is there before virtual time 0: the definitions, and the controller's own objects.
async fn prepare(administrator: &Administrator, options: &Options) -> Result<(), SimulationError> {
    let built_in = |message: String| SimulationError::BuiltIn(message);
    for text in CRDS {
        let documents = yaml::documents(text.as_bytes(), &Limits::default())
            .map_err(|errors| built_in(format!("{errors:?}")))?;
        for document in documents {
            administrator
                .apply(&document.value)
                .await
                .map_err(built_in)?;
        }
    }
    let objects = rights::objects(options.single_tenant)
        .ok_or_else(|| built_in("the chart's roles can't be read".to_owned()))?;
    for object in objects {
        administrator.apply(&object).await.map_err(built_in)?;
    }
    Ok(())
}

/// What the folder says is there at virtual time 0.
async fn populate(
    administrator: &Administrator,
    scenario: &Scenario,
    artifacts: &Artifacts,
    now: Timestamp,
) -> Result<(), SimulationError> {
    let first = |manifest: &&Manifest| {
        matches!(
            manifest.object().kind.as_str(),
            "Namespace" | "CustomResourceDefinition"
        )
    };
    for manifest in scenario.cluster.iter().filter(first) {
        administrator.manifest(manifest).await?;
    }
    if scenario
        .cluster
        .iter()
        .any(|m| m.object().kind == "CustomResourceDefinition")
    {
        tokio::time::sleep(SETTLE).await;
    }
    for manifest in scenario.cluster.iter().filter(|manifest| !first(manifest)) {
        administrator.manifest(manifest).await?;
    }
    for source in &scenario.sources {
        administrator.manifest(&source.manifest).await?;
        if let Some(revisions) = scenario.artifacts.get(&source.artifacts) {
            let status = artifacts.status(&source.artifacts, &revisions.first, now);
            offer(administrator, &source.manifest, status).await?;
        }
    }
    for manifest in &scenario.stage_sets {
        administrator.manifest(manifest).await?;
    }
    Ok(())
}

async fn offer(
    administrator: &Administrator,
    manifest: &Manifest,
    status: Option<Value>,
) -> Result<(), SimulationError> {
    let Some(status) = status else { return Ok(()) };
    let object = manifest.object();
    administrator
        .set_status(&object, &status)
        .await
        .map_err(|message| SimulationError::Refused {
            origin: manifest.origin.clone(),
            attempt: format!("set the status of {object}"),
            message,
        })
}

/// The scenario's steps, and the end of the simulation.
struct World<'a> {
    administrator: &'a Administrator,
    artifacts: &'a Artifacts,
    scenario: &'a Scenario,
    clock: &'a Clock,
    began: Instant,
    trace: &'a Trace,
}

impl World<'_> {
    /// Takes every step at its time, then waits for the end; where the last step's events begin.
    async fn turn(&self, options: &Options) -> Result<usize, SimulationError> {
        let bound = options.until.or(self.scenario.until);
        let steps_end = self
            .scenario
            .steps
            .last()
            .map(|step| step.at)
            .unwrap_or_default();
        let until = self.began + bound.unwrap_or(steps_end + DEFAULT_UNTIL);
        let mut last_step = 0;
        let mut previous = None;
        for step in &self.scenario.steps {
            tokio::time::sleep_until((self.began + step.at).min(until)).await;
            if self.began + step.at > until {
                break;
            }
            if previous != Some(step.at) {
                last_step = self.trace.len();
                previous = Some(step.at);
            }
            self.step(step).await?;
        }
        // A bound that somebody wrote down is kept to the second; without one the end is when there
        // is nothing left to wait for.
        while Instant::now() < until {
            tokio::time::sleep_until((Instant::now() + LOOK).min(until)).await;
            if bound.is_none() && self.everything_is_ready().await? {
                break;
            }
        }
        Ok(last_step)
    }

    async fn everything_is_ready(&self) -> Result<bool, SimulationError> {
        let stage_sets = self
            .administrator
            .stage_sets()
            .await
            .map_err(SimulationError::Lost)?;
        Ok(stage_sets.iter().all(is_ready))
    }

    async fn step(&self, step: &Step) -> Result<(), SimulationError> {
        let refused = |attempt: String| {
            let origin = step.origin.clone();
            move |message| SimulationError::Refused {
                origin,
                attempt,
                message,
            }
        };
        match &step.action {
            Action::Publish(publication) => {
                self.say(format!(
                    "{} offers revision {}",
                    publication.source, publication.revision
                ));
                let sources = self.scenario.sources.iter();
                for source in sources.filter(|s| s.artifacts == publication.source) {
                    let now = self.clock.now();
                    let status =
                        self.artifacts
                            .status(&publication.source, &publication.revision, now);
                    offer(self.administrator, &source.manifest, status).await?;
                }
            }
            Action::Apply(manifests) => {
                for manifest in manifests {
                    self.say(format!("somebody applies {}", manifest.object()));
                    self.administrator.manifest(manifest).await?;
                }
            }
            Action::Delete(object) => {
                self.say(format!("somebody deletes {object}"));
                let attempt = refused(format!("delete {object}"));
                self.administrator.delete(object).await.map_err(attempt)?;
            }
            Action::Patch(object, merge) => {
                // A Secret's values are nobody's business (I9).
                match object.kind.as_str() {
                    "Secret" => self.say(format!("somebody changes {object}")),
                    _ => self.say(format!("somebody changes {object}: {merge}")),
                }
                let attempt = refused(format!("patch {object}"));
                self.administrator
                    .patch(object, merge)
                    .await
                    .map_err(attempt)?;
            }
        }
        Ok(())
    }

    fn say(&self, text: String) {
        self.trace
            .add(self.clock.now(), None, Happening::World(text));
    }
}

/// Whether a StageSet says of its present generation that it is Ready.
pub(super) fn is_ready(stage_set: &Value) -> bool {
    let conditions = stage_set["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"] == stage_set["metadata"]["generation"]
    })
}

/// Asks the API server, at the moment of a refusal, which of the verbs that were needed are missing.
async fn review(
    administrator: Administrator,
    mut refusals: mpsc::UnboundedReceiver<Refused>,
    cures: Arc<Mutex<BTreeMap<(String, ObjectKey), Cure>>>,
) {
    while let Some(refused) = refusals.recv().await {
        let mut missing = Vec::new();
        for verb in refused.verbs {
            let allowed = administrator
                .may(&refused.user, verb, &refused.object)
                .await;
            if allowed == Ok(false) {
                missing.push((*verb).to_owned());
            }
        }
        if missing.is_empty() {
            continue;
        }
        let cure = Cure {
            namespace: refused.object.key.namespace.clone(),
            api_group: refused.object.key.group.clone(),
            resource: refused.object.plural.clone(),
            verbs: missing,
        };
        cures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((refused.user, refused.object.key))
            .or_insert(cure);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::timeline::words::CONTROLLER;

    fn finished(example: &str) -> Finished {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(example);
        run(&Scenario::load(&folder).unwrap(), &Options::default()).unwrap()
    }

    /// Kinds that only tenants may touch: everything that the examples deliver.
    const TENANTS: [&str; 10] = [
        "statefulsets",
        "configmaps",
        // By `substituteFrom`; no example has a kubeconfig, which would be the controller's read.
        "secrets",
        "services",
        "ingresses",
        "persistentvolumeclaims",
        "deployments",
        "jobs",
        "certificates",
        "queues",
    ];

    /// I1, from the API server's own records: whatever touches a tenant's object is sent as that
    /// tenant's account, for every example.
    #[test]
    fn what_the_timeline_calls_as_is_what_the_api_server_saw() {
        let mut seen = BTreeSet::new();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        for example in std::fs::read_dir(examples).unwrap().map(Result::unwrap) {
            let name = example.file_name().into_string().unwrap();
            if !example.path().is_dir() {
                continue;
            }
            for record in finished(&name)
                .audit
                .iter()
                .filter(|record| record.user == CONTROLLER)
            {
                if TENANTS.contains(&record.resource.as_str()) {
                    let user = record.impersonated.clone().unwrap_or_default();
                    let deployer = user
                        .strip_prefix("system:serviceaccount:")
                        .and_then(|user| user.strip_suffix(":deployer"));
                    assert!(deployer.is_some(), "{name}: {record:?}");
                    seen.insert(user);
                } else if record.group != "authorization.k8s.io" {
                    assert_eq!(record.impersonated, None, "{name}: {record:?}");
                }
            }
        }
        assert!(seen.len() >= 9, "{seen:?}");
    }

    /// I2: a StageSet without an account costs not one request to the tenant's world.
    #[test]
    fn without_an_account_nothing_is_asked_of_the_tenants_world() {
        let finished = finished("no-account");
        let asked: Vec<_> = finished
            .audit
            .iter()
            .filter(|record| record.user == CONTROLLER)
            .filter(|record| {
                record.impersonated.is_some() || TENANTS.contains(&record.resource.as_str())
            })
            .collect();
        assert!(asked.is_empty(), "{asked:?}");
        assert!(!finished.audit.is_empty());
    }

    /// What the account lacks is known before the first write (K31), so RBAC has nothing to refuse.
    #[test]
    fn a_missing_right_is_told_before_anything_is_refused() {
        let finished = finished("missing-right");
        assert!(finished.cures.is_empty(), "{:?}", finished.cures);
        let refused = |record: &&AuditRecord| record.user == CONTROLLER && record.code == 403;
        let writes = finished
            .audit
            .iter()
            .filter(|record| record.verb != "watch");
        assert_eq!(writes.filter(refused).count(), 0);
    }
}
