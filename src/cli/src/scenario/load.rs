//! From a folder to a [`Scenario`].

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use stageset_render::{Limits, Problem, Tree, build};

use super::settings::{self, ActionSetting, Settings};
use super::{Action, Manifest, Publication, Revisions, Scenario, ScenarioError, Step};
use super::{folder, sources};

const SETTINGS: &str = "scenario.yaml";
const CLUSTER: &str = "cluster";
const STAGE_SETS: &str = "stagesets";
const ARTIFACTS: &str = "artifacts";
/// What may stand in the folder, besides folders that only steps refer to.
const KNOWN: [&str; 4] = [CLUSTER, ARTIFACTS, STAGE_SETS, SETTINGS];

impl Scenario {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`ScenarioError`] for whatever is missing, unreadable or not understood.
    pub fn load(directory: &Path) -> Result<Self, ScenarioError> {
        let names = folder::names(directory)?;
        refuse_strangers(directory, &names)?;
        let settings = if names.iter().any(|name| name == SETTINGS) {
            read_settings(&directory.join(SETTINGS))?
        } else {
            Settings::default()
        };
        let publications: Vec<(usize, &Publication)> = settings
            .steps
            .iter()
            .filter_map(|step| match &step.what {
                ActionSetting::Publish(publication) => Some((step.line, publication)),
                _ => None,
            })
            .collect();
        let artifacts = artifacts(directory, &publications)?;
        let cluster = manifests(&directory.join(CLUSTER))?;
        let (stage_sets, written): (Vec<_>, Vec<_>) = manifests(&directory.join(STAGE_SETS))?
            .into_iter()
            .partition(|manifest| sources::is_stage_set(&manifest.body));
        if stage_sets.is_empty() {
            return Err(ScenarioError::Path {
                path: directory.join(STAGE_SETS).display().to_string(),
                message: "holds no StageSet; a scenario needs at least one".to_owned(),
            });
        }
        let sources = sources::of(&stage_sets, written, &artifacts, directory)?;
        let steps = settings
            .steps
            .iter()
            .map(|step| {
                Ok(Step {
                    at: step.at,
                    origin: format!("{}:{}", directory.join(SETTINGS).display(), step.line),
                    action: match &step.what {
                        ActionSetting::Publish(publication) => Action::Publish(publication.clone()),
                        ActionSetting::Apply(file) => {
                            Action::Apply(applied(directory, step.line, file)?)
                        }
                        ActionSetting::Delete(object) => Action::Delete(object.clone()),
                        ActionSetting::Patch(object, merge) => {
                            Action::Patch(object.clone(), merge.clone())
                        }
                    },
                })
            })
            .collect::<Result<_, ScenarioError>>()?;
        Ok(Self {
            directory: directory.to_owned(),
            cluster,
            stage_sets,
            sources,
            artifacts,
            until: settings.until,
            steps,
        })
    }
}

/// A typing mistake in a folder's name would otherwise be an empty scenario.
fn refuse_strangers(directory: &Path, names: &[String]) -> Result<(), ScenarioError> {
    let strange = names.iter().find(|name| {
        let path = directory.join(name);
        let yaml = is_yaml(name);
        !KNOWN.contains(&name.as_str()) && *name != "steps" && (path.is_dir() || yaml)
    });
    match strange {
        None => Ok(()),
        Some(name) => Err(ScenarioError::Path {
            path: directory.join(name).display().to_string(),
            message: format!(
                "is not part of a scenario: it has {}, and steps for files that steps apply",
                KNOWN.join(", ")
            ),
        }),
    }
}

fn is_yaml(name: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn read_settings(path: &Path) -> Result<Settings, ScenarioError> {
    let line = |line, message: String| ScenarioError::Line {
        file: path.display().to_string(),
        line,
        message,
    };
    settings::parse(&folder::file(path)?).map_err(|mistake| line(mistake.line, mistake.message))
}

/// All manifests of a folder; none if it doesn't exist.
fn manifests(path: &Path) -> Result<Vec<Manifest>, ScenarioError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let files = folder::files(path)?;
    if files.iter().any(|(name, _)| is_yaml(name)) {
        read_manifests(path, files)
    } else {
        Ok(Vec::new())
    }
}

/// The manifests of a file that a step applies.
fn applied(directory: &Path, line: usize, file: &str) -> Result<Vec<Manifest>, ScenarioError> {
    let wrong = |message: String| ScenarioError::Line {
        file: directory.join(SETTINGS).display().to_string(),
        line,
        message,
    };
    let relative = Path::new(file);
    let inside = relative.components().all(|part| {
        matches!(
            part,
            std::path::Component::Normal(_) | std::path::Component::CurDir
        )
    });
    if !inside {
        return Err(wrong(format!(
            "apply: {file:?} must be a path inside the scenario's folder"
        )));
    }
    let path = directory.join(relative);
    if !path.is_file() {
        return Err(wrong(format!(
            "apply: there is no file {file:?} in {}",
            directory.display()
        )));
    }
    read_manifests(directory, [(file.to_owned(), folder::file(&path)?)])
}

/// Reads manifests exactly as the controller reads those of an artifact. All mistakes are reported
/// together, each with file and line.
fn read_manifests(
    directory: &Path,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Result<Vec<Manifest>, ScenarioError> {
    let tree = Tree::from_files(files).map_err(|error| ScenarioError::Path {
        path: directory.display().to_string(),
        message: error.to_string(),
    })?;
    let place = |file: &str, line: usize| format!("{}:{line}", directory.join(file).display());
    match build(&tree, "", &Limits::default()) {
        Ok(objects) => Ok(objects
            .into_iter()
            .map(|object| Manifest {
                origin: place(&object.origin.file, object.origin.line),
                body: object.value,
            })
            .collect()),
        Err(problems) => {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| match problem {
                    Problem::Yaml { file, error } => {
                        format!("{}: {}", place(file, error.line), error.fault)
                    }
                    Problem::Object { origin, fault } => {
                        format!("{}: {fault}", place(&origin.file, origin.line))
                    }
                    other => format!("{}: {other}", directory.display()),
                })
                .collect();
            Err(ScenarioError::Manifest(lines.join("\n")))
        }
    }
}

/// Each source's folder, as one revision or as several.
fn artifacts(
    directory: &Path,
    publications: &[(usize, &Publication)],
) -> Result<BTreeMap<String, Revisions>, ScenarioError> {
    let root = directory.join(ARTIFACTS);
    let mut artifacts = BTreeMap::new();
    let names = if root.exists() {
        folder::names(&root)?
    } else {
        Vec::new()
    };
    for name in names {
        let path = root.join(&name);
        if !path.is_dir() {
            return Err(ScenarioError::Path {
                path: path.display().to_string(),
                message:
                    "stands beside the sources; put it into a folder that has the source's name"
                        .to_owned(),
            });
        }
        let published: Vec<_> = publications
            .iter()
            .filter(|(_, p)| p.source == name)
            .map(|(_, p)| *p)
            .collect();
        artifacts.insert(name, revisions(&path, &published)?);
    }
    for (line, publication) in publications {
        let known = artifacts
            .get(&publication.source)
            .is_some_and(|revisions| revisions.by_name.contains_key(&publication.revision));
        if !known {
            return Err(ScenarioError::Line {
                file: directory.join(SETTINGS).display().to_string(),
                line: *line,
                message: format!(
                    "publish: there is no folder {ARTIFACTS}/{}/{}",
                    publication.source, publication.revision
                ),
            });
        }
    }
    Ok(artifacts)
}

fn revisions(path: &Path, published: &[&Publication]) -> Result<Revisions, ScenarioError> {
    if published.is_empty() {
        let first = "v1".to_owned();
        let by_name = BTreeMap::from([(first.clone(), tree(path)?)]);
        return Ok(Revisions { first, by_name });
    }
    let mut names = folder::names(path)?;
    names.sort_by(|a, b| natural(a, b));
    let mut by_name = BTreeMap::new();
    for name in &names {
        let folder = path.join(name);
        if !folder.is_dir() {
            return Err(ScenarioError::Path {
                path: folder.display().to_string(),
                message: "is not a folder; steps publish revisions of this source, so each entry \
                          is a revision's folder"
                    .to_owned(),
            });
        }
        by_name.insert(name.clone(), tree(&folder)?);
    }
    let Some(first) = names.first() else {
        return Err(ScenarioError::Path {
            path: path.display().to_string(),
            message: "holds no revision".to_owned(),
        });
    };
    let unused = names
        .iter()
        .skip(1)
        .find(|name| published.iter().all(|p| p.revision != **name));
    if let Some(unused) = unused {
        return Err(ScenarioError::Path {
            path: path.join(unused).display().to_string(),
            message: format!(
                "is never published: the first revision ({first}) is there from the start, each \
                 other one needs a step"
            ),
        });
    }
    Ok(Revisions {
        first: first.clone(),
        by_name,
    })
}

fn tree(path: &Path) -> Result<Tree, ScenarioError> {
    Tree::from_files(folder::files(path)?).map_err(|error| ScenarioError::Path {
        path: path.display().to_string(),
        message: error.to_string(),
    })
}

/// Orders names as people count: `v2` before `v10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    loop {
        let (a_text, a_number, a_next) = chunk(a_rest);
        let (b_text, b_number, b_next) = chunk(b_rest);
        let order = a_text.cmp(b_text).then_with(|| {
            let value = |digits: &str| digits.trim_start_matches('0').to_owned();
            let (a_value, b_value) = (value(a_number), value(b_number));
            a_value
                .len()
                .cmp(&b_value.len())
                .then(a_value.cmp(&b_value))
        });
        if order != Ordering::Equal {
            return order;
        }
        if a_next.is_empty() || b_next.is_empty() {
            return a_next.cmp(b_next).then_with(|| a.cmp(b));
        }
        (a_rest, b_rest) = (a_next, b_next);
    }
}

/// The text before the first digit, the digits, and the rest.
fn chunk(text: &str) -> (&str, &str, &str) {
    let digits = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let (head, rest) = text.split_at(digits);
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    (head, number, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_counted_as_people_count() {
        let mut names = vec!["v10", "v2", "v1.10", "v1.9", "v1", "main"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["main", "v1", "v1.9", "v1.10", "v2", "v10"]);
    }
}
