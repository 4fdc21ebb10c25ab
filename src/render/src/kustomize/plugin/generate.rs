//! What a configured generator makes.

use super::super::accumulate::{Accumulated, Build, Context};
use super::super::finish;
use super::super::kustomization::{self, Kustomization, Reader};
use super::super::problem::Fault;
use super::super::resource::Resource;
use super::{built_in, configurations, configured, place};
use crate::ledger::Problems;
use crate::yaml::Node;

/// Runs the generators of `generators`.
pub(in crate::kustomize) fn generate(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    all: &mut Accumulated,
    context: &Context,
) {
    let entries = &kustomization.generators;
    for resource in configurations(build, folder, kustomization, entries, context) {
        let secret = match built_in(&resource) {
            Ok("ConfigMapGenerator") => false,
            Ok("SecretGenerator") => true,
            Ok("IAMPolicyGenerator") => {
                if let Some(mut account) = iam_policy(&resource, &mut build.problems) {
                    if let Some(origin) = configured(&resource) {
                        finish::mark_origin(&mut account, &origin);
                    }
                    all.resources.absorb(account, &mut build.problems);
                }
                continue;
            }
            Ok("HelmChartInflationGenerator") => {
                build.problems.push(place(&resource).problem(Fault::Helm));
                continue;
            }
            Ok(kind) => {
                let what = format!("the generator {kind}");
                build
                    .problems
                    .push(place(&resource).problem(Fault::Unsupported { what }));
                continue;
            }
            Err(fault) => {
                build.problems.push(place(&resource).problem(fault));
                continue;
            }
        };
        let file = &resource.origin.file;
        let generator =
            kustomization::generator_file(file, &resource.node, secret, &mut build.problems);
        let Some(mut object) = build.generated(folder, &generator, None) else {
            continue;
        };
        if let Some(origin) = configured(&resource) {
            finish::mark_origin(&mut object, &origin);
        }
        all.resources.absorb(object, &mut build.problems);
    }
}

/// The service account that an `IAMPolicyGenerator` stands for.
fn iam_policy(resource: &Resource, problems: &mut Problems) -> Option<Resource> {
    let before = problems.len();
    let mut reader = Reader::lenient(&resource.origin.file, problems);
    let mut fields = reader.fields(&resource.node, "");
    let place = fields.place().clone();
    let cloud = fields.string("cloud", &mut reader);
    if cloud != "gke" {
        reader.note(
            &place,
            Fault::Unexpected {
                found: format!("the cloud {cloud:?}"),
                expected: "gke".to_owned(),
            },
        );
    }
    let service = fields.nested("kubernetesService", &mut reader, |fields, reader| {
        (
            fields.string("name", reader),
            fields.string("namespace", reader),
        )
    });
    let account = fields.nested("serviceAccount", &mut reader, |fields, reader| {
        (
            fields.string("name", reader),
            fields.string("projectId", reader),
        )
    });
    let (name, namespace) = service.unwrap_or_default();
    let (account, project) = account.unwrap_or_default();
    if name.is_empty() {
        let what = "kubernetesService.name";
        reader.note(&place, Fault::Missing { what });
    }
    if problems.len() > before {
        return None;
    }
    let line = resource.node.line;
    let text = |text: &str| Node::string(line, text);
    let mut node = Node::mapping(line);
    node.insert("apiVersion", text("v1"));
    node.insert("kind", text("ServiceAccount"));
    let mut made = Resource::new(node, resource.origin.clone());
    made.set_name(&name);
    made.set_namespace(&namespace);
    let key = "iam.gke.io/gcp-service-account".to_owned();
    let value = format!("{account}@{project}.iam.gserviceaccount.com");
    made.set_meta_map("annotations", vec![(key, value)]);
    Some(made)
}
