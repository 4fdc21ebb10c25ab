//! Builds: downloaded anonymously, checked, unpacked and built in memory, once for each artifact.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use bytes::Bytes;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::object::Rendered;
use stageset_core::observation::{Artifact, BuildKey, BuildOverlay, BuildState};
use stageset_core::plan::Need;
use stageset_core::spec::OverlayPatch;
use stageset_core::time::Timestamp;
use stageset_render::{Digest, Limits, OuterPatch, Tree, Variables};
use tracing::Instrument as _;

use super::{Found, Gather};
use crate::ports::Renderer;
use crate::requests::clean;
use crate::spans;

/// Problems of a build that a message names.
const NAMED: usize = 10;

/// All builds that begin with one artifact.
pub(super) async fn from_one_artifact<'a>(
    gather: Gather<'a>,
    needs: Vec<&'a Need>,
) -> Vec<(&'a Need, Timestamp, Found)> {
    let at = gather.ports.clock.now();
    let mut tree: Option<Result<Arc<Tree>, Failure>> = None;
    let mut found = Vec::with_capacity(needs.len());
    for need in needs {
        let Need::Build {
            key,
            artifact,
            overlay,
        } = need
        else {
            continue;
        };
        let fetched = if let Some(tree) = &tree {
            tree.clone()
        } else {
            let span = spans::fetch(&artifact.revision);
            let fetched = fetched(gather, artifact).instrument(span).await;
            tree.insert(fetched).clone()
        };
        let span = spans::build(&key.path, &artifact.revision);
        let state = built(gather, fetched, key, overlay).instrument(span).await;
        found.push((need, at, Found::Build(key.clone(), state)));
    }
    found
}

/// A build by itself. Anonymous.
pub(super) async fn one(
    gather: Gather<'_>,
    key: &BuildKey,
    artifact: &Artifact,
    overlay: &Arc<BuildOverlay>,
) -> Found {
    let tree = fetched(gather, artifact).await;
    Found::Build(key.clone(), built(gather, tree, key, overlay).await)
}

async fn fetched(gather: Gather<'_>, artifact: &Artifact) -> Result<Arc<Tree>, Failure> {
    // Before anything is downloaded: a digest that can't be checked is no digest.
    let digest =
        Digest::from_str(&artifact.digest).map_err(|error| terminal(&error.to_string()))?;
    let limits = gather.ports.settings.limits;
    let bytes = gather
        .ports
        .artifacts
        .fetch(&artifact.url, limits.artifact_bytes)
        .await?;
    run(gather, move || unpacked(&bytes, &digest, &limits)).await?
}

fn unpacked(bytes: &Bytes, digest: &Digest, limits: &Limits) -> Result<Arc<Tree>, Failure> {
    stageset_render::unpack(bytes, digest, limits)
        .map(Arc::new)
        .map_err(|error| terminal(&error.to_string()))
}

async fn built(
    gather: Gather<'_>,
    tree: Result<Arc<Tree>, Failure>,
    key: &BuildKey,
    overlay: &Arc<BuildOverlay>,
) -> BuildState {
    let tree = match tree {
        Ok(tree) => tree,
        Err(failure) => return BuildState::Failed(failure),
    };
    let limits = gather.ports.settings.limits;
    let (path, overlay) = (key.path.clone(), Arc::clone(overlay));
    match run(gather, move || rendered(&tree, &path, &overlay, &limits)).await {
        Ok(Ok(objects)) => BuildState::Built(Arc::new(objects)),
        Ok(Err(failure)) | Err(failure) => BuildState::Failed(failure),
    }
}

fn rendered(
    tree: &Tree,
    path: &str,
    overlay: &BuildOverlay,
    limits: &Limits,
) -> Result<Vec<Rendered>, Failure> {
    let patches: Vec<OuterPatch> = overlay.patches.iter().map(outer).collect();
    let mut objects = stageset_render::build_patched(tree, path, &patches, limits)
        .map_err(|problems| several(&problems))?;
    let mut variables = Variables::default();
    for (name, value) in overlay.variables.iter() {
        variables
            .set(name, value)
            .map_err(|error| terminal(&error.to_string()))?;
    }
    stageset_render::substitute(&mut objects, &variables, limits)
        .map_err(|problems| several(&problems))?;
    objects
        .into_iter()
        .map(|object| {
            let origin = object.origin.to_string();
            Rendered::new(object.value, origin.clone()).ok_or_else(|| {
                terminal(&format!(
                    "{origin}: an object needs apiVersion, kind and metadata.name"
                ))
            })
        })
        .collect()
}

fn outer(patch: &OverlayPatch) -> OuterPatch {
    let members = |target: &BTreeMap<&'static str, String>| {
        let pairs = target
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        pairs.collect()
    };
    OuterPatch {
        patch: patch.patch.clone(),
        target: patch.target.as_ref().map(members),
    }
}

/// Some problems in one message.
fn several<P: ToString>(problems: &[P]) -> Failure {
    let mut texts: Vec<String> = problems
        .iter()
        .take(NAMED)
        .map(|problem| clean(&problem.to_string()))
        .collect();
    if problems.len() > NAMED {
        texts.push(format!("and {} more", problems.len() - NAMED));
    }
    Failure::new(FailureClass::Terminal, texts.join("; "))
}

/// Runs CPU work where the process wants it.
async fn run<T: Send + 'static>(
    gather: Gather<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    match gather.ports.renderer {
        Renderer::Inline => Ok(work()),
        Renderer::Pooled => tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| terminal("building the objects failed inside the controller: report it")),
    }
}

fn terminal(message: &str) -> Failure {
    Failure::new(FailureClass::Terminal, clean(message))
}
