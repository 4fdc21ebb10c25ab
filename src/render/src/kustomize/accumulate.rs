//! Going through a kustomization and everything that it consists of.

use std::sync::Arc;

use super::Options;
use super::config::Config;
use super::finish;
use super::generate::{self, Files};
use super::kustomization::{self, At, Generator, Kustomization};
use super::load::{Root, Target};
use super::open_api::{BuiltIn, Schemas};
use super::patch;
use super::plugin;
use super::problem::Place;
use super::read::{self, Input};
use super::resource::Resource;
use super::resources::Resources;
use super::transform::{self, Action, Transformer};
use super::variables::{self, Variables};
use crate::ledger::Problems;
use crate::{Object, Problem, Tree};

/// One build.
pub(super) struct Build<'a> {
    pub(super) tree: &'a Tree,
    pub(super) options: &'a Options,
    pub(super) problems: Problems,
    /// What lists and kinds are judged by.
    pub(super) schemas: Schemas,
    /// What the built-in schema would still say beside one that is named from here on.
    pub(super) built_in: BuiltIn,
    /// The folders on the way to where we are.
    pub(super) way: Vec<String>,
}

/// Where a build begins.
pub(super) enum Start<'a> {
    Folder(&'a str),
    /// Files and folders, as if a kustomization listed them.
    Listed(&'a [String]),
}

/// What a folder gave.
#[derive(Debug)]
pub(super) struct Accumulated {
    pub(super) resources: Resources,
    pub(super) config: Arc<Config>,
    pub(super) variables: Variables,
    /// Whether all of it could be read: patches of what isn't there would only confuse.
    complete: bool,
}

impl Accumulated {
    pub(super) fn new() -> Self {
        Self {
            resources: Resources::default(),
            config: Arc::default(),
            variables: Variables::new(),
            complete: true,
        }
    }
}

/// What a folder has from those above it.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// The way here as `buildMetadata` writes it, if origins are recorded.
    pub(super) origin: Option<String>,
}

impl Context {
    pub(super) fn below(&self, path: &str) -> Self {
        Self {
            origin: self
                .origin
                .as_ref()
                .map(|origin| finish::join(origin, path)),
        }
    }
}

impl<'a> Build<'a> {
    pub(super) fn new(tree: &'a Tree, options: &'a Options) -> Self {
        Self {
            tree,
            options,
            problems: Problems::new(options.limits),
            schemas: Schemas::default(),
            built_in: BuiltIn::Goes,
            way: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, start: &Start<'_>) -> Result<Vec<Object>, Vec<Problem>> {
        let (kustomization, folder) = match start {
            Start::Folder(folder) => match self.kustomization(folder, &Place::default()) {
                Some(kustomization) => (kustomization, *folder),
                None => return Err(self.problems.take()),
            },
            Start::Listed(files) => (
                Kustomization {
                    resources: files
                        .iter()
                        .map(|file| At {
                            value: file.clone(),
                            place: Place::default(),
                        })
                        .collect(),
                    ..Kustomization::default()
                },
                "",
            ),
        };
        if kustomization.component {
            let expected = "Kustomization";
            self.wrong_kind(folder, "Component", expected, &Place::default());
        }
        let context = Context {
            origin: kustomization.metadata.recorded.then(String::new),
        };
        let mut all = self.accumulate(folder, &kustomization, Accumulated::new(), &context);
        if self.problems.is_empty() {
            let problems = &mut self.problems;
            generate::add_hashes(&mut all.resources, problems);
            super::references::update(&mut all.resources, &all.config, problems);
            variables::resolve(&mut all.resources, &all.variables, &all.config, problems);
            all.resources.check_unique(problems);
        }
        let objects = if self.problems.is_empty() {
            finish::objects(
                all.resources,
                &kustomization,
                self.options.order,
                &mut self.problems,
            )
        } else {
            Vec::new()
        };
        if self.problems.within() && self.problems.is_empty() {
            Ok(objects)
        } else {
            Err(self.problems.take())
        }
    }

    /// Everything that a kustomization consists of, transformed. Components begin with what is
    /// there already.
    fn accumulate(
        &mut self,
        folder: &str,
        kustomization: &Kustomization,
        mut all: Accumulated,
        context: &Context,
    ) -> Accumulated {
        if !self.problems.kustomization() {
            all.complete = false;
            return all;
        }
        self.way.push(folder.to_owned());
        if let Some(open_api) = &kustomization.open_api {
            self.open_api(folder, open_api);
        }
        self.resources(folder, &kustomization.resources, &mut all, context);
        self.configurations(folder, kustomization, &mut all);
        self.generators(folder, kustomization, &mut all, context);
        for component in &kustomization.components {
            if self.problems.is_exceeded() {
                break;
            }
            all = self.component(folder, component, all, context);
        }
        let transformers = self.transformers(folder, kustomization, &all.config, context);
        let validators = plugin::transformers(
            self,
            folder,
            kustomization,
            &kustomization.validators,
            context,
        );
        all.complete &= !self.problems.is_exceeded();
        if all.complete {
            for transformer in &transformers {
                if !transformer.fits(&all.resources, &mut self.problems) {
                    break;
                }
                transformer.run(&mut all.resources, &mut self.problems);
                if matches!(transformer.action, Action::Strategic(_)) && !self.schemas.is_custom() {
                    // A schema of the user's own comes too late to be the only one.
                    self.built_in = BuiltIn::Stays;
                }
                finish::record(
                    &mut all.resources,
                    kustomization,
                    transformer,
                    context,
                    &mut self.problems,
                );
            }
            for validator in &validators {
                plugin::validate(validator, &mut all.resources, &mut self.problems);
            }
            variables::declare(
                &mut all.variables,
                &kustomization.variables,
                &mut all.resources,
                &mut self.problems,
            );
        }
        self.way.pop();
        all
    }

    /// Adds resources: files of objects, and folders with kustomizations.
    pub(super) fn resources(
        &mut self,
        folder: &str,
        paths: &[At<String>],
        all: &mut Accumulated,
        context: &Context,
    ) {
        for path in paths {
            if self.problems.is_exceeded() {
                break;
            }
            let root = self.root(folder);
            match root.target(&path.value) {
                Err(fault) => {
                    self.problems.push(path.place.problem(fault));
                    all.complete = false;
                }
                Ok(Target::File(file)) => self.objects(&file, &path.value, all, context),
                Ok(Target::Folder(target)) => {
                    let below = context.below(&path.value);
                    let Some(other) = self.base(&target, path, &below) else {
                        all.complete = false;
                        continue;
                    };
                    self.merge(all, other, &path.place);
                }
            }
            let count = all.resources.len();
            self.problems.objects(count);
        }
    }

    fn objects(&mut self, file: &str, path: &str, all: &mut Accumulated, context: &Context) {
        let Some(bytes) = self.tree.get(file) else {
            return;
        };
        let fits = self.problems.bytes(bytes.len());
        let objects = if fits {
            Input::file(file, bytes).objects(&mut self.problems)
        } else {
            None
        };
        let Some(objects) = objects else {
            all.complete = false;
            return;
        };
        for mut object in objects {
            self.meet(&mut object);
            if finish::mark_file(&mut object, context, path, &self.problems).is_err() {
                self.problems.within();
                all.complete = false;
                return;
            }
            all.resources.append(object, &mut self.problems);
        }
    }

    /// Looks an object's kind up.
    pub(super) fn meet(&mut self, object: &mut Resource) {
        object.cluster_scoped = self.schemas.is_cluster_scoped(object.gvk());
        if !self.schemas.is_custom()
            && self.built_in == BuiltIn::Goes
            && !patch::is_built_in(object.gvk())
        {
            self.built_in = BuiltIn::Wins;
        }
    }

    /// The kustomization that a resource stands for.
    fn base(&mut self, folder: &str, path: &At<String>, context: &Context) -> Option<Accumulated> {
        if !self.check_cycle(folder, path) {
            return None;
        }
        let kustomization = self.kustomization(folder, &path.place)?;
        if kustomization.component {
            let expected = "Kustomization (list it under components)";
            self.wrong_kind(folder, "Component", expected, &path.place);
            return None;
        }
        Some(self.accumulate(folder, &kustomization, Accumulated::new(), context))
    }

    fn component(
        &mut self,
        folder: &str,
        path: &At<String>,
        mut all: Accumulated,
        context: &Context,
    ) -> Accumulated {
        let target = match self.root(folder).folder(&path.value) {
            Ok(target) => target,
            Err(fault) => {
                self.problems.push(path.place.problem(fault));
                all.complete = false;
                return all;
            }
        };
        if !self.check_cycle(&target, path) {
            all.complete = false;
            return all;
        }
        let Some(kustomization) = self.kustomization(&target, &path.place) else {
            all.complete = false;
            return all;
        };
        if !kustomization.component {
            let expected = "Component (list it under resources, or give it that kind)";
            self.wrong_kind(&target, "Kustomization", expected, &path.place);
            all.complete = false;
            return all;
        }
        let context = context.below(&path.value);
        let mut all = self.accumulate(&target, &kustomization, all, &context);
        all.resources.check_unique(&mut self.problems);
        all
    }

    fn merge(&mut self, all: &mut Accumulated, other: Accumulated, place: &Place) {
        all.complete &= other.complete;
        all.resources
            .append_all(other.resources, &mut self.problems);
        self.merge_config(&mut all.config, &other.config, place);
        variables::merge(&mut all.variables, other.variables, &mut self.problems);
    }

    pub(super) fn root<'f>(&self, folder: &'f str) -> Root<'f>
    where
        'a: 'f,
    {
        Root {
            tree: self.tree,
            options: self.options,
            folder,
        }
    }

    fn generators(
        &mut self,
        folder: &str,
        kustomization: &Kustomization,
        all: &mut Accumulated,
        context: &Context,
    ) {
        let own = kustomization
            .config_maps
            .iter()
            .map(|generator| (generator, "ConfigMapGenerator"))
            .chain(
                kustomization
                    .secrets
                    .iter()
                    .map(|generator| (generator, "SecretGenerator")),
            );
        for (generator, kind) in own {
            let global = kustomization.generator_options.as_ref();
            let Some(mut object) = self.generated(folder, generator, global) else {
                all.complete = false;
                continue;
            };
            finish::mark_generated(&mut object, kustomization, kind, context);
            all.resources.absorb(object, &mut self.problems);
        }
        plugin::generate(self, folder, kustomization, all, context);
    }

    /// The object of one generator.
    pub(super) fn generated(
        &mut self,
        folder: &str,
        generator: &Generator,
        global: Option<&kustomization::GeneratorOptions>,
    ) -> Option<Resource> {
        let mut files = Loaded {
            root: self.root(folder),
        };
        let pairs = generate::pairs(generator, &mut files, &mut self.problems)?;
        let object = generate::object(generator, pairs, global, &mut self.problems)?;
        self.problems.nodes(&object.node, 1).then_some(object)
    }

    /// The transformers of a kustomization's own fields, then those of `transformers`.
    fn transformers(
        &mut self,
        folder: &str,
        kustomization: &Kustomization,
        config: &Arc<Config>,
        context: &Context,
    ) -> Vec<Transformer> {
        let prepared = self.prepared(folder, kustomization);
        let mut transformers =
            transform::transformers(kustomization, config, prepared, &mut self.problems);
        transformers.extend(plugin::transformers(
            self,
            folder,
            kustomization,
            &kustomization.transformers,
            context,
        ));
        transformers
    }
}

/// Files for generators.
struct Loaded<'a> {
    root: Root<'a>,
}

impl Files for Loaded<'_> {
    fn file(&mut self, path: &At<String>, problems: &mut Problems) -> Option<Vec<u8>> {
        read::bytes(self.root, path, problems).map(|(_, bytes)| bytes.to_vec())
    }
}
