//! What a build costs, ours in process beside kustomize's process and its library, all measured in
//! this run, printed next to what it must reach. Nothing is asserted.
//!
//! What memory a build takes is measured in processes of their own: `build-folder` here, `kustomize`
//! there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use stageset_render::{Digest, Limits, Tree, build, unpack};
use stageset_render_proof::original::{Original, tool};

type Files = BTreeMap<String, Vec<u8>>;

fn main() -> Result<()> {
    times()?;
    growth()?;
    memory()?;
    artifacts()
}

/// Four objects, a namespace, labels.
fn small() -> (Files, &'static str) {
    let mut files = Files::new();
    let kustomization = "namespace: shop\nlabels:\n- pairs: {team: red}\n  includeSelectors: true\nresources: [all.yaml]\n";
    files.insert("k/kustomization.yaml".into(), kustomization.into());
    let mut text = deployment("web");
    for kind in ["ConfigMap", "ServiceAccount", "Secret"] {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: web\n"
        );
    }
    files.insert("k/all.yaml".into(), text.into());
    (files, "k")
}

/// Base and overlay, so many objects, patches, generators, replacements.
fn large(objects: usize) -> (Files, &'static str) {
    let mut files = Files::new();
    let mut text = String::new();
    for index in 0..objects.saturating_sub(2) {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&deployment(&format!("web-{index}")));
    }
    files.insert("base/all.yaml".into(), text.into());
    let base = "resources: [all.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [k=v]\n\
                secretGenerator:\n- name: creds\n  literals: [p=s]\n";
    files.insert("base/kustomization.yaml".into(), base.into());
    let overlay = "resources: [../base]\nnamePrefix: prod-\nnamespace: prod\ncommonAnnotations: {by: bench}\n\
                   images:\n- name: nginx\n  newTag: \"2\"\npatches:\n- target: {kind: Deployment}\n  patch: |\n    \
                   - op: replace\n      path: /spec/replicas\n      value: 3\n- patch: |\n    apiVersion: apps/v1\n    \
                   kind: Deployment\n    metadata:\n      name: web-0\n    spec:\n      template:\n        spec:\n          \
                   containers:\n          - name: main\n            args: [patched]\nconfigMapGenerator:\n- name: settings\n  \
                   behavior: merge\n  literals: [l=w]\nreplacements:\n- source: {kind: Deployment, name: web-0, fieldPath: \
                   metadata.name}\n  targets:\n  - select: {kind: Deployment, name: web-1}\n    fieldPaths:\n    - \
                   spec.template.spec.containers.[name=main].env.[name=A].value\n";
    files.insert("overlay/kustomization.yaml".into(), overlay.into());
    (files, "overlay")
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n  selector:\n    \
         matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      \
         containers:\n      - name: main\n        image: nginx:1.2\n        env:\n        - name: A\n          value: x\n        \
         envFrom:\n        - configMapRef:\n            name: settings\n      volumes:\n      - name: s\n        secret:\n          \
         secretName: creds\n"
    )
}

/// How long this process has been on a processor: what a busy machine doesn't change.
fn on_processor() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("no schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn built(tree: &Tree, path: &str) -> Result<usize> {
    match build(tree, path, &Limits::default()) {
        Ok(objects) => Ok(objects.len()),
        Err(problems) => bail!("{problems:?}"),
    }
}

/// The middle one of some times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The middle time of our build; the tree is there already, as it is for the controller.
fn ours(tree: &Tree, path: &str, count: usize) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        let started = Instant::now();
        black_box(built(tree, path)?);
        times.push(started.elapsed());
    }
    Ok(median(times))
}

/// The middle time and the largest memory of a run of the command.
fn process(files: &Files, path: &str, count: usize) -> Result<(Duration, u64)> {
    let folder = std::env::temp_dir().join(format!("bench-render-{}", std::process::id()));
    write(&folder, files)?;
    let (mut times, mut peak) = (Vec::new(), 0);
    for _ in 0..count {
        let output = Command::new(tool("oracle")?)
            .arg("--measure")
            .arg(tool("kustomize")?)
            .arg("build")
            .arg(folder.join(path))
            .output()?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let number = |field: &str| answer[field].as_u64().context("a number");
        times.push(Duration::from_nanos(number("nanoseconds")?));
        peak = peak.max(number("peakKilobytes")?);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok((median(times), peak))
}

fn write(folder: &Path, files: &Files) -> Result<()> {
    for (path, bytes) in files {
        let file: PathBuf = folder.join(path);
        std::fs::create_dir_all(file.parent().context("a folder")?)?;
        std::fs::write(file, bytes)?;
    }
    Ok(())
}

fn library(original: &mut Original, files: &Files, path: &str, count: usize) -> Result<Duration> {
    let answer = original.time(files, path, count)?;
    if let Some(error) = answer.error {
        bail!("{error}");
    }
    let times = answer.nanoseconds.into_iter().map(Duration::from_nanos);
    Ok(median(times.collect()))
}

/// How often those who are compared are measured in turn: a machine is faster and slower from one
/// second to the next.
const ROUNDS: usize = 21;

/// How many times longer one takes than the other: the middle one of the ratios within a turn.
fn ratio(one: &[Duration], other: &[Duration]) -> f64 {
    let pairs = one.iter().zip(other);
    let mut ratios: Vec<f64> = pairs
        .map(|(one, other)| one.as_secs_f64() / other.as_secs_f64())
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// What a build takes of time.
fn times() -> Result<()> {
    let mut original = Original::start()?;
    println!(
        "{:<24} {:>10} {:>12} {:>12} {:>18} {:>18}",
        "", "ours", "process", "library", "process/ours", "library/ours"
    );
    for (name, (files, path), targets) in [
        ("small, 4 objects", small(), (200, 30)),
        ("large, 50 objects", large(50), (50, 25)),
    ] {
        let tree = Tree::from_files(files.clone())?;
        let mut turns: [Vec<Duration>; 3] = Default::default();
        for _ in 0..ROUNDS {
            turns[0].push(ours(&tree, path, 30)?);
            turns[1].push(process(&files, path, 1)?.0);
            turns[2].push(library(&mut original, &files, path, 5)?);
        }
        let middle = |one: usize| median(turns[one].clone()).as_secs_f64() * 1e3;
        println!(
            "{name:<24} {:>8.3}ms {:>10.1}ms {:>10.2}ms {:>9.0} (≥ {:>3}) {:>9.0} (≥ {:>3})",
            middle(0),
            middle(1),
            middle(2),
            ratio(&turns[1], &turns[0]),
            targets.0,
            ratio(&turns[2], &turns[0]),
            targets.1,
        );
    }
    Ok(())
}

/// Whether time grows with the number of objects, or faster. The sizes take turns, too.
#[expect(clippy::cast_precision_loss, reason = "printed figures")]
fn growth() -> Result<()> {
    const SIZES: [usize; 3] = [100, 1000, 10_000];
    let mut trees = Vec::new();
    for size in SIZES {
        let (files, path) = large(size);
        trees.push((Tree::from_files(files)?, path));
    }
    let mut turns: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (at, (tree, path)) in trees.iter().enumerate() {
            // Together: the kernel counts in ticks of some milliseconds.
            let count = u32::try_from((2_000 / SIZES[at]).max(1))?;
            let started = on_processor()?;
            for _ in 0..count {
                black_box(built(tree, path)?);
            }
            turns[at].push(on_processor()?.saturating_sub(started) / count);
        }
    }
    for (size, times) in SIZES.iter().zip(&turns) {
        let time = median(times.clone()).as_secs_f64();
        println!(
            "{size:>6} objects: {:>9.2} ms on the processor, {:.2} µs an object",
            time * 1e3,
            time * 1e6 / *size as f64
        );
    }
    let objects = SIZES[2] as f64 / SIZES[0] as f64;
    println!(
        "10,000 / 100 an object: {:.2} (≤ 1.50)",
        ratio(&turns[2], &turns[0]) / objects
    );
    Ok(())
}

/// What hostile artifacts take of time.
fn artifacts() -> Result<()> {
    for (name, mebibytes) in [
        ("64 MiB of one-byte files", 64),
        ("the most that may be inflated", 511),
    ] {
        let artifact = one_byte_files(mebibytes)?;
        let digest = Digest::of(&artifact);
        let (started, worked) = (Instant::now(), on_processor()?);
        let outcome = unpack(&artifact, &digest, &Limits::default())
            .map_err(anyhow::Error::from)
            .and_then(|tree| built(&tree, ""));
        let said = match outcome {
            Ok(objects) => format!("{objects} objects"),
            Err(error) => error.to_string().chars().take(60).collect(),
        };
        println!(
            "{name}: {} kB packed, unpacked and built in {:.2} s, {:.2} s on the processor (≤ 5.00): \
             {said}",
            artifact.len() / 1024,
            started.elapsed().as_secs_f64(),
            on_processor()?.saturating_sub(worked).as_secs_f64()
        );
    }
    Ok(())
}

/// What the large case takes of memory, as the kernel counts it: the most that a process held, its
/// program and libraries included. All read a folder, build it, print what they built, and do nothing
/// else. Ours is there twice: a static program built for size, and one built as everything else is.
#[expect(clippy::cast_precision_loss, reason = "printed figures")]
fn memory() -> Result<()> {
    let (files, path) = large(50);
    let (_, theirs) = process(&files, path, 3)?;
    let folder = std::env::temp_dir().join(format!("bench-render-{}", std::process::id()));
    write(&folder, &files)?;
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target");
    let musl = format!("{}-unknown-linux-musl/small", std::env::consts::ARCH);
    for (built, place) in [("for size", musl.as_str()), ("for speed", "release")] {
        let program = target.join(place).join("build-folder");
        let output = Command::new(&program).arg(&folder).arg(path).output();
        let output = output.with_context(|| program.display().to_string())?;
        let said = String::from_utf8(output.stderr)?;
        let ours: u64 = said.trim().parse().with_context(|| said.clone())?;
        println!(
            "peak memory, 50 objects, whole processes, ours built {built}: ours {ours} kB, kustomize \
             {theirs} kB: 1/{:.1} (≤ 1/10)",
            theirs as f64 / ours as f64
        );
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// An archive of so many MiB before compression; every file is one byte, and takes two blocks.
fn one_byte_files(mebibytes: usize) -> Result<Vec<u8>> {
    let files = (0..mebibytes * 1024).map(|n| (format!("f{}/{n}.yaml", n % 100), "x"));
    let tree = Tree::from_files(files)?;
    Ok(stageset_render::pack(&tree).0)
}
