//! What is laid over each stage's build: its patches, and its variables, read as the tenant.
//!
//! `ConfigMaps` and Secrets that a spec names are read as `spec.serviceAccountName`, never as a
//! stage's own account and never as the controller (S30, A03); without that account they aren't
//! read (K01), unless the controller is in single-tenant mode.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::identity::{Identity, Target, Tenancy};
use crate::object::hex;
use crate::observation::{BuildOverlay, Observation, VariableState};
use crate::plan::Need;
use crate::spec::{Overlay, Spec, Stage, VariableReference, VariableSource};

use super::Stop;
use super::base::{self, Base};
use super::freshness::{Use, judge};
use super::report::{DENIED_RETRY, Report, Wait};

/// The overlay of each stage, in stage order.
pub(super) fn gather(
    observation: &Observation,
    spec: &Spec,
    base: &Base<'_>,
) -> Result<Vec<Arc<BuildOverlay>>, Stop> {
    let mut reader = Reader {
        observation,
        spec,
        base,
        identity: None,
        nothing: Arc::default(),
        needs: Vec::new(),
    };
    let mut overlays = Vec::with_capacity(spec.stages.len());
    let mut stop = None;
    for stage in &spec.stages {
        match reader.overlay(stage) {
            Ok(overlay) => overlays.push(overlay),
            // The first stage that can't be read is the one that is told of.
            Err(stopped) => {
                stop.get_or_insert(stopped);
            }
        }
    }
    if !reader.needs.is_empty() {
        return Err(Stop::Ask(reader.needs));
    }
    match stop {
        Some(stop) => Err(stop),
        None => Ok(overlays),
    }
}

struct Reader<'a> {
    observation: &'a Observation,
    spec: &'a Spec,
    base: &'a Base<'a>,
    /// As whom, once it is known.
    identity: Option<Identity>,
    /// What stages without patches and variables share.
    nothing: Arc<BuildOverlay>,
    needs: Vec<Need>,
}

impl Reader<'_> {
    fn overlay(&mut self, stage: &Stage) -> Result<Arc<BuildOverlay>, Stop> {
        let Overlay {
            patches,
            variables,
            variables_from,
        } = &stage.overlay;
        if patches.is_empty() && variables.is_empty() && variables_from.is_empty() {
            return Ok(Arc::clone(&self.nothing));
        }
        let mut overlay = BuildOverlay {
            patches: patches.clone(),
            ..BuildOverlay::default()
        };
        let mut digest = Named::default();
        for patch in patches {
            digest.add(&patch.patch);
            for (member, value) in patch.target.iter().flatten() {
                digest.add(member);
                digest.add(value);
            }
            digest.add("");
        }
        for reference in variables_from {
            let version = self.read(stage, reference, &mut overlay)?;
            digest.add(&reference.source.to_string());
            digest.add(&version);
        }
        for (name, value) in variables {
            digest.add(name);
            digest.add(value);
            overlay.variables.set(name, value);
        }
        overlay.digest = digest.finish();
        Ok(Arc::new(overlay))
    }

    /// Adds the variables of a ConfigMap or Secret; answers with its version. A missing fact is
    /// asked for, and stands for nothing meanwhile.
    fn read(
        &mut self,
        stage: &Stage,
        reference: &VariableReference,
        into: &mut BuildOverlay,
    ) -> Result<String, Stop> {
        let Some(identity) = self.identity(stage, &reference.source)? else {
            return Ok(String::new());
        };
        let key = (identity.clone(), reference.source.clone());
        let fact = self.observation.facts.variables.get(&key);
        let ask = Need::Variables {
            identity: identity.clone(),
            source: reference.source.clone(),
        };
        match judge(self.observation, fact, unusable) {
            Use::Ask => self.needs.push(ask),
            Use::Wait(failure, until) => {
                let denied = failure.class == FailureClass::Denied;
                let reason = if denied {
                    Reason::RBACDenied
                } else {
                    Reason::StageFailed
                };
                let wait = Wait::Until(until);
                return Err(self.failed(stage, reference, reason, &failure.message, wait));
            }
            Use::Rely(VariableState::Found { values, version }) => {
                for (name, value) in values.iter() {
                    into.variables.set(name, value);
                }
                return Ok(version.clone());
            }
            Use::Rely(VariableState::Absent) if reference.optional => {}
            Use::Rely(_) => {
                // Nothing tells us when it is made.
                let until = fact.map_or(self.observation.now, |fact| fact.at.plus(DENIED_RETRY));
                if self.observation.now >= until {
                    self.needs.push(ask);
                } else {
                    let said = "it doesn't exist; create it, or set optional: true";
                    let wait = Wait::Until(until);
                    return Err(self.failed(stage, reference, Reason::StageFailed, said, wait));
                }
            }
        }
        Ok(String::new())
    }

    fn failed(
        &self,
        stage: &Stage,
        reference: &VariableReference,
        reason: Reason,
        said: &str,
        wait: Wait,
    ) -> Stop {
        let message = format!("postBuild.substituteFrom: {}: {said}", reference.source);
        Report::failed(
            self.observation,
            reason,
            format!("stage {}: {message}", stage.name),
            wait,
        )
        .attempting(&self.base.pins)
        .stage_failed(&stage.name, message)
        .into()
    }

    /// As whom variables are read: the StageSet's own account. Nothing is read as it before it is
    /// known to exist (K02); until then this is none.
    fn identity(
        &mut self,
        stage: &Stage,
        source: &VariableSource,
    ) -> Result<Option<Identity>, Stop> {
        if let Some(identity) = &self.identity {
            return Ok(Some(identity.clone()));
        }
        let observation = self.observation;
        // With a kubeConfig and no account there is nobody to read as, single-tenant mode or not.
        let tenancy = if self.spec.kube_config.is_some() {
            Tenancy::Multi
        } else {
            observation.config.tenancy
        };
        let resolved = Identity::resolve(
            tenancy,
            &observation.stage_set.namespace,
            self.spec.service_account.as_ref(),
            // Here, wherever the objects go.
            &Target::Local,
        );
        let Ok(identity) = resolved else {
            let message = format!(
                "stage {}: postBuild.substituteFrom names {source}, which is read as \
                 spec.serviceAccountName, and that isn't set: set it to an account that may get it \
                 (a stage's own account isn't used for this)",
                stage.name
            );
            let wait = Wait::For(DENIED_RETRY);
            return Err(Report::stalled(observation, Reason::RBACDenied, message, wait).into());
        };
        let mut accounts = Vec::new();
        base::accounts(observation, std::slice::from_ref(&identity), &mut accounts)?;
        if !accounts.is_empty() {
            self.needs.append(&mut accounts);
            return Ok(None);
        }
        self.identity = Some(identity.clone());
        Ok(Some(identity))
    }
}

fn unusable(state: &VariableState) -> Option<&Failure> {
    match state {
        VariableState::Unusable(failure) => Some(failure),
        VariableState::Found { .. } | VariableState::Absent => None,
    }
}

/// A digest of texts in their order.
#[derive(Default)]
struct Named(Sha256);

impl Named {
    fn add(&mut self, text: &str) {
        // Length first, so that no two lists of texts run together to one.
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
