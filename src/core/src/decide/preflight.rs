//! Before a stage's first write: may its account do all of it? (K31)
//!
//! One rules review for each account and namespace, remembered: while it holds what is needed, nothing
//! is asked. Where an authorizer can't list its rules, what they don't hold is asked one by one. What
//! is missing is reported for this stage and all that follow, together with what would grant it.
//!
//! A preflight only ever says no earlier than the API server would: what can't be reviewed is left to
//! the dry run, which judges as the tenant in any case, and so are rights that the release itself may
//! bring along (its own roles, bindings and definitions).

use std::borrow::Cow;
use std::collections::BTreeMap;

use stageset_api::reason::Reason;

use crate::identity::Identity;
use crate::names::StageName;
use crate::object::{ObjectKey, Reference};
use crate::observation::{AccessState, InventoryEntry, Observation, RulesState};
use crate::plan::Need;
use crate::rights::{Right, Rules, Subject, Verb, granting};
use crate::time::Timestamp;

use super::Stop;
use super::release::{Release, StageView};
use super::removal::{Fate, reference_of};
use super::report::{DENIED_RETRY, Report, Wait};

/// What an account lacks for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The stage.
    pub stage: StageName,
    /// Who lacks it.
    pub identity: Identity,
    /// What.
    pub rights: Vec<Right>,
    /// It has no rights at all: nothing binds it.
    pub unbound: bool,
}

/// How much is known of an account's rights before a stage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foresight {
    /// It may do all of it.
    Sure,
    /// Some of it is left to the dry runs.
    Unsure,
}

/// Lets a stage begin if its account may do all that it needs.
pub(super) fn rights_suffice(
    release: &Release<'_>,
    stage: &StageView<'_>,
) -> Result<Foresight, Stop> {
    let mut review = Review::of(release.observation);
    let Some(first) = review.lacking(release, stage)? else {
        return Ok(review.foresight(release, stage));
    };
    let until = review.asked_at.plus(DENIED_RETRY);
    let mut all = vec![first];
    let later = release.stages.iter().skip(stage.index + 1);
    for later in later.filter(|later| !later.applied_in(&release.run)) {
        // What isn't known of later stages yet is asked for, so that all is told at once.
        all.extend(review.lacking(release, later)?);
    }
    let message = message(release.observation, &all);
    Err(Report::failed(
        release.observation,
        Reason::RBACDenied,
        message.clone(),
        Wait::Until(until),
    )
    .attempting(release.pins)
    .stage_failed(&stage.spec.name, message)
    .into())
}

/// What every stage lacks, for people who ask; facts that are missing are left out.
pub(super) fn lacking(release: &Release<'_>) -> Vec<Lacking> {
    let mut review = Review::of(release.observation);
    let stages = release.stages.iter();
    stages
        .filter_map(|stage| review.lacking(release, stage).ok().flatten())
        .collect()
}

/// What an account lacks for the deletion of what an inventory holds, for people who ask.
///
/// # Errors
/// The facts without which it can't be told.
pub(super) fn lacking_to_delete(
    observation: &Observation,
    stage: &StageName,
    identity: &Identity,
    entries: &[(&ObjectKey, &InventoryEntry)],
) -> Result<Option<Lacking>, Stop> {
    let mut needs = Vec::new();
    let mut all = Vec::new();
    for (key, entry) in entries {
        match reference_of(observation, identity, key, entry) {
            Ok(reference) => all.extend(to_delete(key, &reference)),
            Err(Fate::Ask(need)) => needs.push(need),
            // Gone, or not to be told.
            Err(_) => {}
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    Review::of(observation).lacking_of(stage, identity, &all)
}

struct Review<'a> {
    observation: &'a Observation,
    /// When the oldest review that misses something was made.
    asked_at: Timestamp,
    /// Something couldn't be reviewed.
    blind: bool,
}

impl<'a> Review<'a> {
    fn of(observation: &'a Observation) -> Self {
        Self {
            observation,
            asked_at: observation.now,
            blind: false,
        }
    }

    /// What the reviews so far say of a stage that lacks nothing.
    fn foresight(&self, release: &Release<'_>, stage: &StageView<'_>) -> Foresight {
        if self.blind || stage.identity.is_controller() || brings_rights(release, stage) {
            Foresight::Unsure
        } else {
            Foresight::Sure
        }
    }

    fn lacking(
        &mut self,
        release: &Release<'_>,
        stage: &StageView<'_>,
    ) -> Result<Option<Lacking>, Stop> {
        let needed = needed(release, stage);
        self.lacking_of(&stage.spec.name, stage.identity, &needed)
    }

    fn lacking_of(
        &mut self,
        stage: &StageName,
        identity: &Identity,
        all: &[Needed<'_>],
    ) -> Result<Option<Lacking>, Stop> {
        let observation = self.observation;
        if identity.is_controller() {
            return Ok(None);
        }
        let mut needs = Vec::new();
        let mut rights = Vec::new();
        let mut unbound = true;
        // Most objects share kind and namespace with others, and most rules name no objects. What
        // differs most often comes first, since it is looked up for every object.
        let mut for_all: BTreeMap<(Verb, &str, &str, Option<&str>), bool> = BTreeMap::new();
        for needed in all {
            let kind = (
                needed.verb,
                needed.plural.as_ref(),
                needed.key.group.as_str(),
                needed.key.namespace.as_deref(),
            );
            if for_all.get(&kind) == Some(&true) {
                continue;
            }
            let namespace = review_namespace(observation, needed.key.namespace.as_ref());
            let Some(rules) = self.rules(identity, namespace, &mut needs) else {
                continue;
            };
            let right = needed.right();
            unbound &= rules.are_nobodys() && rules.complete;
            for_all
                .entry(kind)
                .or_insert_with(|| rules.allow(&right.of_any_name()));
            if rules.allow(&right) {
                continue;
            }
            if rules.complete || self.access(identity, &right, &mut needs) == Some(false) {
                rights.push(right);
            }
        }
        // A grant can't be seen (K10): what was missing is asked for again. The age of reviews that
        // miss nothing is no reason: they aren't made anew, and would be asked about for ever.
        let asked_at = rights
            .iter()
            .filter_map(|right| last_asked(observation, identity, right))
            .min();
        if let Some(asked_at) = asked_at {
            self.asked_at = self.asked_at.min(asked_at);
            if observation.now >= asked_at.plus(DENIED_RETRY) {
                needs.extend(reviews(observation, identity, &rights));
            }
        }
        if !needs.is_empty() {
            return Err(Stop::Ask(needs));
        }
        Ok((!rights.is_empty()).then(|| Lacking {
            stage: stage.clone(),
            identity: identity.clone(),
            rights,
            unbound,
        }))
    }

    /// What a review says of a namespace; `None` if it can't be had.
    fn rules(
        &mut self,
        identity: &Identity,
        namespace: &str,
        needs: &mut Vec<Need>,
    ) -> Option<&'a Rules> {
        let reviews = &self.observation.facts.reviews;
        let Some(fact) = reviews.rules(identity, namespace) else {
            needs.push(Need::Rules {
                identity: identity.clone(),
                namespace: namespace.to_owned(),
            });
            return None;
        };
        match &fact.value {
            RulesState::Known(rules) => Some(rules),
            RulesState::Unreadable(_) => {
                self.blind = true;
                None
            }
        }
    }

    /// What a single question says, asked for all objects of the kind at once.
    fn access(
        &mut self,
        identity: &Identity,
        right: &Right,
        needs: &mut Vec<Need>,
    ) -> Option<bool> {
        let any = right.of_any_name();
        let reviews = &self.observation.facts.reviews;
        let Some(fact) = reviews.access(identity, &any) else {
            needs.push(Need::Access {
                identity: identity.clone(),
                right: any,
            });
            return None;
        };
        match &fact.value {
            AccessState::Answered(allowed) => Some(*allowed),
            AccessState::Unreadable(_) => {
                self.blind = true;
                None
            }
        }
    }
}

/// When the older of the reviews that speak of this right was made.
fn last_asked(observation: &Observation, identity: &Identity, right: &Right) -> Option<Timestamp> {
    let reviews = &observation.facts.reviews;
    let namespace = review_namespace(observation, right.namespace.as_ref());
    let rules = reviews.rules(identity, namespace).map(|fact| fact.at);
    let access = reviews.access(identity, &right.of_any_name());
    rules.into_iter().chain(access.map(|fact| fact.at)).min()
}

/// The reviews that say anew whether these rights are there.
fn reviews(observation: &Observation, identity: &Identity, rights: &[Right]) -> Vec<Need> {
    let mut needs = Vec::new();
    for right in rights {
        let any = right.of_any_name();
        if observation.facts.reviews.access(identity, &any).is_some() {
            needs.push(Need::Access {
                identity: identity.clone(),
                right: any,
            });
        }
        needs.push(Need::Rules {
            identity: identity.clone(),
            namespace: review_namespace(observation, right.namespace.as_ref()).to_owned(),
        });
    }
    needs
}

/// Rights to cluster-scoped objects stand in the review of any namespace.
fn review_namespace<'r>(observation: &'r Observation, namespace: Option<&'r String>) -> &'r str {
    namespace.map_or(observation.stage_set.namespace.as_str(), String::as_str)
}

/// One verb on one object.
struct Needed<'a> {
    key: &'a ObjectKey,
    plural: Cow<'a, str>,
    verb: Verb,
}

impl Needed<'_> {
    fn right(&self) -> Right {
        Right {
            namespace: self.key.namespace.clone(),
            group: self.key.group.clone(),
            resource: self.plural.clone().into_owned(),
            verb: self.verb,
            name: self.key.name.clone(),
        }
    }
}

/// Whether an object of the stage is on record as one that exists.
fn exists(release: &Release<'_>, stage: &StageView<'_>, key: &ObjectKey) -> bool {
    let inventory = release.inventories.get(&stage.spec.name);
    let entry = inventory.and_then(|inventory| inventory.entries.get(key));
    entry.is_some_and(|entry| entry.uid.is_some())
}

/// Whether the stage makes new roles or definitions: whatever comes beside them may rest on what they
/// grant.
fn brings_rights(release: &Release<'_>, stage: &StageView<'_>) -> bool {
    let mut keys = stage.objects.iter().map(|object| &object.reference.key);
    keys.any(|key| grants_rights(key) && !exists(release, stage, key))
}

/// What delivering a stage needs, as far as the release itself can't bring it along.
fn needed<'a>(release: &'a Release<'_>, stage: &'a StageView<'_>) -> Vec<Needed<'a>> {
    let inventory = release.inventories.get(&stage.spec.name);
    let brings_rights = brings_rights(release, stage);
    let mut all = Vec::new();
    for object in &stage.objects {
        let key = &object.reference.key;
        if brings_rights && !grants_rights(key) {
            continue;
        }
        let verbs: &[Verb] = if exists(release, stage, key) {
            &[Verb::Get, Verb::Patch]
        } else {
            &[Verb::Create, Verb::Get, Verb::Patch]
        };
        all.extend(verbs.iter().map(|verb| Needed {
            key,
            plural: Cow::Borrowed(object.reference.plural.as_str()),
            verb: *verb,
        }));
    }
    if !brings_rights && stage.spec.prune {
        let leaves = inventory
            .into_iter()
            .flat_map(|inventory| &inventory.entries);
        for (key, entry) in leaves.filter(|(key, _)| !release.claims(key)) {
            // A kind that isn't known yet is asked about when its object is pruned.
            if let Ok(reference) = reference_of(release.observation, stage.identity, key, entry) {
                all.extend(to_delete(key, &reference));
            }
        }
    }
    all
}

fn to_delete<'a>(key: &'a ObjectKey, reference: &Reference) -> [Needed<'a>; 2] {
    [Verb::Get, Verb::Delete].map(|verb| Needed {
        key,
        plural: Cow::Owned(reference.plural.clone()),
        verb,
    })
}

/// Roles and bindings grant rights, and a definition makes aggregated roles speak of its kind.
fn grants_rights(key: &ObjectKey) -> bool {
    key.group == "rbac.authorization.k8s.io" || key.kind == "CustomResourceDefinition"
}

/// Everything that is missing, in short; the Roles in full are `stagesetctl why`'s to print.
fn message(observation: &Observation, all: &[Lacking]) -> String {
    let stage_set = &observation.stage_set;
    let parts: Vec<String> = all
        .iter()
        .map(|lacking| {
            let who = match lacking.identity.service_account() {
                Some(account) => format!("ServiceAccount {}/{account}", stage_set.namespace),
                None => lacking.identity.to_string(),
            };
            let unbound = if lacking.unbound {
                " has no rights at all (no RoleBinding or ClusterRoleBinding names it);"
            } else {
                ""
            };
            let short: Vec<String> = lacking
                .grants(&stage_set.name)
                .iter()
                .map(crate::rights::Grant::in_short)
                .collect();
            format!(
                "stage {}: {who}{unbound} lacks {}",
                lacking.stage,
                short.join("; ")
            )
        })
        .collect();
    format!(
        "{} (nothing of this stage was written; `stagesetctl why {} -n {}` prints the roles that allow exactly \
         this)",
        parts.join(". "),
        stage_set.name,
        stage_set.namespace
    )
}

impl Lacking {
    /// The roles that would allow exactly what is missing.
    pub fn grants(&self, stage_set: &str) -> Vec<crate::rights::Grant> {
        let subject = self.identity.subject();
        let name = format!("stageset-{stage_set}-{}", self.stage);
        granting(&name, subject.as_ref(), &self.rights)
    }
}

/// For [`Lacking::grants`].
impl Identity {
    fn subject(&self) -> Option<Subject> {
        let user = self.impersonated_user()?;
        let (namespace, service_account) = user
            .strip_prefix("system:serviceaccount:")?
            .split_once(':')?;
        Some(Subject {
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
        })
    }
}
