# Every habit as a recipe. `just` alone lists them.

# List the recipes.
default:
    @just --list

# The tests that need no cluster.
[group('check')]
test *args:
    cargo test --workspace {{ args }}

# Format everything.
[group('check')]
fmt:
    cargo fmt --all

# Lint everything, warnings denied.
[group('check')]
clippy:
    cargo clippy --workspace --all-targets --features stageset-e2e/e2e,stageset-e2e/bench,stageset-e2e/conformance -- -D warnings

# The Helm chart: rights of every mode, wrong values, snapshots (needs helm, no cluster).
[group('check')]
chart: (tools "helm")
    cargo test --package stageset-e2e --features e2e --test chart

# Fuzz whatever reads what strangers wrote: all targets, or those named.
[group('check')]
fuzz *args:
    cargo run --release --package stageset-fuzz -- {{ args }}

# Licences, banned crates and registries of all dependencies.
[group('check')]
deny:
    PATH="$(.ci/install):$PATH" cargo deny check bans licenses sources

# Everything that CI runs.
[group('check')]
ci:
    .ci/run

# Write the CRDs anew from the Rust types.
[group('generate')]
crds:
    cargo run --package stageset-api --features crd --bin generate-crds

# Write the table of Kubernetes' own kinds anew, from a real API server.
[group('generate')]
schema: (tools "etcd" "kubernetes")
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --package stageset-e2e --bin controlplane
    folder="$(mktemp --directory)"
    target/debug/controlplane --api-only > "$folder/environment" & plane=$!
    trap 'kill -INT $plane; wait $plane || true; rm -rf "$folder"' EXIT
    until grep -q KUBECONFIG "$folder/environment"; do kill -0 $plane; sleep 0.2; done
    . "$folder/environment"
    src/schema/generate/dump "$folder/dump"
    cargo run --package stageset-schema --features generate -- "$folder/dump" src/schema/table/kubernetes.txt

# Write all plan snapshots anew; review them with `git diff snapshots`.
[group('generate')]
snapshots:
    INSTA_UPDATE=always cargo test --workspace

# Build the Kubernetes programs that the two recipes below start (about 13 minutes once).
[group('cluster')]
tools *names:
    e2e/tools/build {{ names }}

# Start a control plane, print its kubeconfig, stop it on Ctrl-C.
[group('cluster')]
controlplane *args: (tools "etcd" "kubernetes" "kwok" "source-controller")
    cargo run --package stageset-e2e --bin controlplane -- {{ args }}

# Run the scenarios on a control plane, or on the cluster of KUBECONFIG with STAGESET_E2E_CLUSTER=existing.
[group('cluster')]
e2e *scenarios: tools
    cargo build --package stageset-controller
    cargo test --package stageset-e2e --features e2e --test main -- {{ scenarios }}

# Install the chart on a real kubelet node in namespaces of its own (root; needs no Docker).
[group('cluster')]
e2e-node:
    e2e/node/prepare
    trap e2e/node/down EXIT; e2e/node/up && e2e/node/scenario && e2e/node/cert-manager

# The same on a node that kind makes (root; Linux with a Docker engine).
[group('cluster')]
e2e-kind:
    trap e2e/node/kind-down EXIT; e2e/node/kind-up && e2e/node/scenario && e2e/node/cert-manager

# Build the controller's container image (OCI layout tar) without a container engine.
[group('cluster')]
image *args:
    image/build {{ args }}

# Send the same random requests to the simulator and to a real API server, and compare the answers (mode: all, objects, apply, rbac, access, quota, webhooks, lives).
[group('cluster')]
conformance seed="1" operations="2000" mode="all": (tools "etcd" "kubernetes")
    cargo run --package stageset-e2e --features conformance --bin conformance -- {{ seed }} {{ operations }} {{ mode }}

# Compare our builds with kustomize's own: the corpus, its tests, generated trees and YAML.
[group('render')]
render-oracle seed="1" count="2000": (tools "kustomize")
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release --package stageset-render-proof --features oracle --bin render-oracle
    own="$(mktemp)"
    trap 'rm -f "$own"' EXIT
    .tools/kustomize/bin/oracle --own-tests "$(cat .tools/kustomize/share/api-module)/krusty" >"$own"
    failed=0
    target/release/render-oracle corpus || failed=1
    target/release/render-oracle command || failed=1
    target/release/render-oracle own "$own" || failed=1
    target/release/render-oracle generated {{ seed }} {{ count }} || failed=1
    target/release/render-oracle yaml {{ seed }} {{ count }} || failed=1
    exit $failed

# Compare our substitution of variables with the library that Flux uses, on generated texts.
[group('render')]
substitution-oracle seed="1" count="20000": (tools "kustomize")
    cargo run --release --package stageset-render-proof --features oracle --bin substitution-oracle -- {{ seed }} {{ count }}

# What a build costs, ours beside kustomize's process and library, with what it must reach.
[group('render')]
bench-render: (tools "kustomize")
    rustup target add "$(uname -m)-unknown-linux-musl"
    RUSTFLAGS="-C relocation-model=static" cargo build --profile small --target "$(uname -m)-unknown-linux-musl" --package stageset-render-proof --features oracle --bin build-folder
    cargo build --release --package stageset-render-proof --features oracle --bin build-folder --bin bench-render
    target/release/bench-render

# Write down anew what kustomize makes of the cases in src/render/corpus (all, or those named).
[group('render')]
render-record *names: (tools "kustomize")
    cargo run --package stageset-render-proof --features oracle --bin render-oracle -- record {{ names }}

# Run schedules of faults from seeds and hold every promise against every step (level: core, wire; seeds: N or FIRST..END).
[group('trials')]
sim level="core" seeds="10000" *args:
    cargo run --profile trials --package stageset-trials -- run {{ level }} {{ seeds }} {{ args }}

# Let real API servers live through what the simulated ones of runs at level wire did, and compare every answer (seeds: N or FIRST..END).
[group('trials')]
sim-real seeds="1..11": (tools "etcd" "kubernetes")
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --package stageset-trials --package stageset-e2e --features stageset-e2e/conformance --bin stageset-trials --bin replay
    folder="$(mktemp --directory)"
    trap 'rm -rf "$folder"' EXIT
    target/debug/stageset-trials record {{ seeds }} --into "$folder"
    mapfile -t histories < <(find "$folder" -name '*.history' | sort --version-sort)
    target/debug/replay "${histories[@]}"

# Run a saved failure again, step by step (docs/trials.md).
[group('trials')]
replay file *args:
    cargo run --profile trials --package stageset-trials -- replay {{ file }} {{ args }}

# Which promise catches which deliberate bug, and how many seeds that takes.
[group('trials')]
saboteurs seeds="2000":
    cargo run --profile trials --package stageset-trials -- saboteurs --seeds {{ seeds }}

# Schedules a second, at each level.
[group('trials')]
bench-trials seconds="20":
    cargo run --profile trials --package stageset-trials -- bench --seconds {{ seconds }}

# Mutants of the core and of the identity layer that no test notices (a day; `--shard 0/7` is a seventh). What may live, and why: .cargo/mutants.toml.
[group('slow')]
mutants *args:
    cargo mutants --version >/dev/null 2>&1 || cargo install --locked cargo-mutants
    PROPTEST_CASES=16 CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 cargo mutants --package stageset-core --package stageset-cluster --file 'src/core/src/**' --file 'src/cluster/src/connection/identity.rs' --timeout 90 --output target {{ args }} || test $? -eq 3 -a ! -s target/mutants.out/missed.txt # a time-out is noticed, too, and hides what lives

# What it costs, printed next to what it must reach; nothing is asserted.
[group('slow')]
bench count="100" idle="30": tools
    cargo bench --package stageset-core
    cargo run --profile trials --package stageset-trials -- bench
    cargo bench --package stageset-controller
    cargo build --release --package stageset-controller
    STAGESET_CONTROLLER_BIN=target/release/stageset-controller cargo run --release --package stageset-e2e --features bench --bin bench -- {{ count }} {{ idle }}

# So many StageSets that wait for health on the real API server: memory, and a deletion among them.
[group('slow')]
bench-waiting count="10000": tools
    cargo build --release --package stageset-controller
    STAGESET_CONTROLLER_BIN=target/release/stageset-controller cargo run --release --package stageset-e2e --features bench --bin bench -- waiting {{ count }}

# What is too slow for every change: hours of trials, of requests to both servers, of hostile input and of mutants, and the kill scenario over and over, each with a seed of its own.
[group('slow')]
nightly rounds="20": tools && (conformance `date +%Y%m%d` "100000" "objects") (conformance `date +%Y%m%d` "20000" "apply") (conformance `date +%Y%m%d` "20000" "rbac") (sim-real "1..101") (fuzz "--seconds" "600") (mutants "--shard" `echo $(($(date +%u) - 1))/7`)
    cargo build --package stageset-controller
    cargo run --profile trials --package stageset-trials -- run core --minutes 60 --commit "$(git rev-parse HEAD)"
    cargo run --profile trials --package stageset-trials -- run wire --minutes 60 --commit "$(git rev-parse HEAD)"
    for round in $(seq {{ rounds }}); do STAGESET_E2E_SEED=$round cargo test --package stageset-e2e --features e2e --test main -- killed_ten_times || exit 1; done
