//! Many StageSets on the simulated cluster: ten thousand that wait for health, one tenant's crowd and
//! another's single change, twenty thousand objects in one StageSet.
//!
//! Printed next to what it must reach, never asserted. `many [SCALE] [waiting|crowd|large]` measures one of
//! them. The simulated API server lives in the same process; its own memory is that of a second process
//! that holds the same objects and nothing else, so that the controller's is a guess: what the first one
//! freed in between is in it. `bench waiting` of the e2e crate measures the process itself.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark stops where its assumptions end; the tests' harness has more than it needs"
)]

#[path = "../tests/harness.rs"]
mod harness;

use std::process::Command;
use std::time::{Duration, Instant};

use harness::{World, config_map, crowd, deployment, named};
use serde_json::{Value, json};
use stageset_controller::Options;
use tokio::time::sleep;

const TENANTS: usize = 50;
/// Changes of a kind that the simulated server remembers: its history would be most of the memory that is
/// measured, and the other process, which makes each object once, has none.
const HISTORY: usize = 256;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, file] = &words[..]
        && first == "--hold"
    {
        return hold(file);
    }
    let scale = words.iter().find_map(|word| word.parse().ok());
    let scale: usize = scale.unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let named: Vec<&str> = ["waiting", "crowd", "large"]
        .into_iter()
        .filter(|part| words.iter().any(|word| word == part))
        .collect();
    let wanted = |part: &str| named.is_empty() || named.contains(&part);
    runtime.block_on(async {
        if wanted("waiting") {
            waiting(scale).await;
        }
        if wanted("crowd") {
            let took = crowd(World::new().await, scale).await;
            println!("a single change beside {scale} of another tenant, 20 ms an answer");
            println!(
                "  delivered after   {:.2} s of the cluster's time (to reach: 2)",
                took.as_secs_f32()
            );
        }
        if wanted("large") {
            large(2 * scale).await;
        }
    });
}

/// `scale` StageSets of four objects whose Deployment never gets ready.
async fn waiting(scale: usize) {
    let world = World::new().await;
    world
        .cluster
        .with_server(|server| server.set_history(HISTORY));
    let files = [
        ("a.yaml", config_map("of-${NAME}", "1")),
        ("b.yaml", deployment("of-${NAME}", "never")),
        (
            "c.yaml",
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "of-${NAME}" },
                           "spec": { "ports": [{ "port": 80 }] } })
            .to_string(),
        ),
        (
            "d.yaml",
            json!({ "apiVersion": "v1", "kind": "ServiceAccount",
                           "metadata": { "name": "of-${NAME}" } })
            .to_string(),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    let namespaces: Vec<String> = (0..TENANTS)
        .map(|index| format!("tenant-{index:02}"))
        .collect();
    for namespace in &namespaces {
        world.tenant(namespace, &["*"]);
        world.source(namespace, "app", &files);
    }
    let controller = world.controller(Options::default());
    sleep(Duration::from_secs(10)).await;
    let watches = || {
        let metrics = controller.metrics.expose();
        metrics
            .lines()
            .find_map(|line| line.strip_prefix("stageset_tenant_watches "))
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or_default()
    };
    // Tasks that aren't a tenant's watch.
    let tasks = || {
        let all = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        all.saturating_sub(watches())
    };
    let begun = Instant::now();
    // With the first one comes the watch on its kind of source, which all of them share.
    world.put(&named(&namespaces[0], "shop-00000"));
    sleep(Duration::from_secs(120)).await;
    let with_one = tasks();
    for index in 1..scale {
        world.put(&named(
            &namespaces[index % TENANTS],
            &format!("shop-{index:05}"),
        ));
        if index % 100 == 0 {
            sleep(Duration::from_secs(1)).await;
            forget(&world);
        }
    }
    loop {
        forget(&world);
        let sets = world.cluster.list("stages.metio.wtf/v1", "StageSet", "");
        let waits = |set: &&Value| set["status"]["stages"][0]["phase"] == "Verifying";
        if sets.iter().filter(waits).count() == scale {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(1800),
            "they never come to wait"
        );
        sleep(Duration::from_secs(30)).await;
    }
    // Whatever ran has come to rest.
    for _ in 0..20 {
        sleep(Duration::from_secs(60)).await;
        forget(&world);
    }
    println!("{scale} StageSets of {TENANTS} tenants, 4 kinds, waiting for health");
    println!(
        "  came there in     {:.1} s of real time",
        begun.elapsed().as_secs_f32()
    );
    println!(
        "  tasks             {} beside {} watches as tenants ({with_one} with one StageSet), so held: {} (to reach: 0)",
        tasks(),
        watches(),
        tasks().saturating_sub(with_one)
    );
    let (whole, simulator) = (resident(), held(&world, &namespaces));
    println!(
        "  memory            {} MiB without the simulator's own {simulator} MiB (to reach: 150)",
        whole.saturating_sub(simulator)
    );
    deletion(&world, &namespaces).await;
    controller.stop().await.unwrap();
}

/// A deletion in the midst of them: until the first object's deletion is asked for.
async fn deletion(world: &World, namespaces: &[String]) {
    let mut took = Vec::new();
    for index in 0..21 {
        forget(world);
        let namespace = &namespaces[index % TENANTS];
        let begun = Instant::now();
        world
            .cluster
            .delete(
                "stages.metio.wtf/v1",
                "StageSet",
                namespace,
                &format!("shop-{index:05}"),
            )
            .unwrap();
        let acted = || {
            let audit = world.cluster.with_server(stageset_sim::Server::take_audit);
            audit
                .iter()
                .any(|record| record.verb == "delete" && record.impersonated.is_some())
        };
        while !acted() {
            tokio::task::yield_now().await;
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "nobody acts on the deletion"
            );
            if begun.elapsed() > Duration::from_millis(500) {
                sleep(Duration::from_millis(1)).await;
            }
        }
        took.push(begun.elapsed());
        sleep(Duration::from_secs(5)).await;
    }
    took.sort();
    println!(
        "  a deletion        acted on after {:.1?} of real time, median of 21 (longest {:.1?}; to reach: 100ms)",
        took[10], took[20]
    );
}

/// One StageSet of so many `ConfigMaps`: delivered, left alone, changed, torn down.
async fn large(objects: usize) {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    // A build has at most 10,000 objects (docs/rendering.md), so there are two.
    let half = objects.div_ceil(2);
    let publish = |value: &str| {
        for (source, range) in [("app", 0..half), ("more", half..objects)] {
            let files: Vec<(String, String)> = range
                .clone()
                .step_by(100)
                .map(|first| {
                    let within = first..(first + 100).min(range.end);
                    let texts: Vec<String> = within
                        .map(|index| config_map(&format!("settings-{index:05}"), value))
                        .collect();
                    (format!("{first:05}.yaml"), texts.join("\n---\n"))
                })
                .collect();
            let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
            world.source("payments", source, &files);
        }
    };
    publish("1");
    world.stage_set("payments", "shop", &["app", "more"]);
    println!("one StageSet of {objects} objects in two stages");
    let controller = world.controller(Options::default());
    let settled = async |what: &str, is: &dyn Fn() -> bool| {
        let begun = Instant::now();
        let virtually = tokio::time::Instant::now();
        while !is() {
            forget(&world);
            assert!(begun.elapsed() < Duration::from_secs(1800), "{what}: never");
            sleep(Duration::from_secs(1)).await;
        }
        println!(
            "  {what:<17} {:.1} s of real time, {:.0} s of the cluster's",
            begun.elapsed().as_secs_f32(),
            virtually.elapsed().as_secs_f32()
        );
    };
    let ready_at = |value: &'static str| {
        let world = &world;
        move || {
            let last = format!("settings-{:05}", objects - 1);
            let found = world.cluster.get("v1", "ConfigMap", "payments", &last);
            found.unwrap_or_default()["data"]["key"] == value
                && world.ready("payments", "shop") == "True Succeeded"
        }
    };
    settled("delivered in", &ready_at("1")).await;
    let shards = world
        .cluster
        .list("stages.metio.wtf/v1", "StageInventory", "payments");
    let entries = |shard: &Value| shard["spec"]["entries"].as_array().map_or(0, Vec::len);
    println!(
        "  inventory         {} shards, {} entries",
        shards.len(),
        shards.iter().map(entries).sum::<usize>()
    );
    publish("2");
    settled("changed in", &ready_at("2")).await;
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "payments", "shop")
        .unwrap();
    let gone = || world.get_stage_set("payments", "shop").is_none();
    settled("torn down in", &gone).await;
    let left = world.cluster.list("v1", "ConfigMap", "payments");
    let left = left.iter().filter(|map| {
        map["metadata"]["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("settings-"))
    });
    println!("  left              {} objects (to reach: 0)", left.count());
    controller.stop().await.unwrap();
}

/// The audit trail isn't what is measured.
fn forget(world: &World) {
    world
        .cluster
        .with_server(|server| drop(server.take_audit()));
}

/// MiB resident.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    kib.unwrap_or_default() / 1024
}

/// MiB resident of a process that holds a simulated cluster with the same objects.
fn held(world: &World, namespaces: &[String]) -> usize {
    let mut objects = Vec::new();
    for namespace in namespaces {
        for (version, kind) in [
            ("v1", "ConfigMap"),
            ("v1", "Service"),
            ("v1", "ServiceAccount"),
            ("apps/v1", "Deployment"),
            ("events.k8s.io/v1", "Event"),
            ("stages.metio.wtf/v1", "StageSet"),
            ("stages.metio.wtf/v1", "StageInventory"),
        ] {
            objects.extend(world.cluster.list(version, kind, namespace));
        }
    }
    let file = std::env::temp_dir().join(format!("stageset-many-{}.json", std::process::id()));
    let lines: Vec<String> = objects.iter().map(ToString::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    drop(objects);
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--hold")
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| {
        panic!(
            "the process with the simulator alone says {text:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// The other process: prints what it holds. Objects are read one by one, so that nothing but them is
/// ever there.
fn hold(file: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        let mut namespaces = std::collections::BTreeSet::new();
        let lines = std::io::BufReader::new(std::fs::File::open(file).unwrap());
        for line in std::io::BufRead::lines(lines) {
            let mut object: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            if namespaces.insert(namespace.to_owned()) {
                world.tenant(namespace, &["*"]);
            }
            if let Some(metadata) = object["metadata"].as_object_mut() {
                // Another cluster gives its own.
                for field in [
                    "uid",
                    "resourceVersion",
                    "generation",
                    "creationTimestamp",
                    "ownerReferences",
                ] {
                    metadata.remove(field);
                }
            }
            world.cluster.apply_yaml_value(&object).unwrap();
            forget(&world);
        }
        println!("{}", resident());
    });
}
