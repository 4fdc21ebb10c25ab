//! Starts a whole control plane, prints its kubeconfig, and stays until Ctrl-C.

use std::time::Instant;

use anyhow::Result;
use stageset_e2e::{ControlPlane, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let started = Instant::now();
    let api_only = std::env::args().any(|arg| arg == "--api-only");
    let options = if api_only {
        Options::API_ONLY
    } else {
        Options::EVERYTHING
    };
    let plane = ControlPlane::start(options)?;
    eprintln!(
        "ready after {:.1} s; logs in {}",
        started.elapsed().as_secs_f32(),
        plane.folder().display()
    );
    println!("export KUBECONFIG={}", plane.admin().kubeconfig().display());
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
