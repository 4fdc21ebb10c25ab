//! `stagesetctl build --dir`: the objects that a folder builds, as the controller builds them.
//!
//! The folder is read as an artifact; `--path` is `stages[].path`. It prints YAML documents in the
//! order of the build. Values of Secrets are replaced by `<-- value not shown (#N)`, the same value
//! always by the same number; `--show-secrets` shows them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;
use stageset_render::{Limits, Object, Tree};

use crate::arguments::Build;
use crate::error::CommandError;
use crate::scenario;
use crate::timeline::print_out;

mod doubt;
mod mask;

/// Why a folder can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Everything that is wrong with what it holds.
    #[error("{}", .0.join("\nError: "))]
    Problems(Vec<String>),
    /// Its names can't stand in an artifact.
    #[error(transparent)]
    Tree(#[from] stageset_render::TreeError),
    /// An object can't be written as YAML.
    #[error("{object} can't be written as YAML: {said}")]
    Yaml {
        /// Which.
        object: String,
        /// Why.
        said: String,
    },
    /// There is no kustomize to compare with.
    #[error(
        "--diff-with-kustomize needs the program kustomize in the PATH, and there is none: install \
         it (https://kubectl.docs.kubernetes.io/installation/kustomize), or leave the flag out"
    )]
    NoKustomize,
    /// Kustomize can't be run, or says what can't be read.
    #[error("running {program}: {said}")]
    Kustomize {
        /// The command.
        program: String,
        /// What happened.
        said: String,
    },
}

/// Prints what a folder builds, or compares it with what kustomize builds.
///
/// # Errors
/// [`CommandError`] if the folder can't be read or built.
pub fn command(options: &Build) -> Result<ExitCode, CommandError> {
    let Some(directory) = &options.dir else {
        return Err(CommandError::Usage(
            "build needs --dir DIR, a folder that stands for an artifact".to_owned(),
        ));
    };
    if options.diff_with_kustomize {
        return doubt::command(directory, &options.path);
    }
    let mut objects = objects(directory, &options.path)?;
    if !options.show_secrets {
        mask::secrets(objects.iter_mut().map(|object| &mut object.value));
    }
    let mut text = String::new();
    for object in &objects {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&yaml(&object.value)?);
    }
    print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What our build makes of a folder.
fn objects(directory: &Path, path: &str) -> Result<Vec<Object>, CommandError> {
    let files = scenario::files(directory)?;
    let tree = Tree::from_files(files).map_err(BuildError::from)?;
    let objects = stageset_render::build(&tree, path, &Limits::default());
    let problems = |problems: Vec<stageset_render::Problem>| {
        BuildError::Problems(problems.iter().map(ToString::to_string).collect())
    };
    Ok(objects.map_err(problems)?)
}

fn yaml(object: &Value) -> Result<String, BuildError> {
    let mut text = serde_saphyr::to_string(object).map_err(|error| BuildError::Yaml {
        object: doubt::name(object),
        said: error.to_string(),
    })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The folder that a path within another means.
fn within(directory: &Path, path: &str) -> PathBuf {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.fold(directory.to_owned(), |folder, part| folder.join(part))
}
