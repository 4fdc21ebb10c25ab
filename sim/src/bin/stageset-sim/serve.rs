//! `stageset-sim serve`: a simulated cluster on a loopback socket, so that `kubectl` can look
//! inside. Plain HTTP, no authentication: whoever asks is who they say they are.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf};

use clap::Args;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use stageset_sim::{SimBody, SimulatedCluster, User};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// The header that says who asks; without it `--as-user` decides.
const USER_HEADER: &str = "x-sim-user";

/// What is served, and to whom.
#[derive(Args)]
pub(crate) struct Serving {
    /// Address to listen on; it must be a loopback address.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// The user of requests without an `X-Sim-User` header: `admin`, `anonymous`, a user name
    /// or `system:serviceaccount:NAMESPACE:NAME`.
    #[arg(long, default_value = "admin")]
    as_user: String,
    /// Decides uids and generated names.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// YAML files whose objects are in the cluster from the start (in this order).
    #[arg(long)]
    load: Vec<PathBuf>,
    /// As an API server that runs alone: nobody writes the status of workloads, collects
    /// garbage, or fills and empties namespaces.
    #[arg(long)]
    api_only: bool,
}

fn user(name: &str) -> User {
    match name {
        "admin" => User::admin(),
        "anonymous" | "system:anonymous" => User::anonymous(),
        name => match name
            .strip_prefix("system:serviceaccount:")
            .and_then(|n| n.split_once(':'))
        {
            Some((namespace, account)) => User::service_account(namespace, account),
            None => User::new(name, &[]),
        },
    }
}

/// Serves until interrupted.
pub(crate) async fn serve(serving: Serving) -> Result<(), Box<dyn std::error::Error>> {
    let Serving {
        listen,
        as_user,
        seed,
        load,
        api_only,
    } = serving;
    if !listen.ip().is_loopback() {
        return Err(format!("--listen {listen}: only loopback addresses are served, as nobody is asked for credentials").into());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let start =
        jiff::Timestamp::new(i64::try_from(now.as_secs())?, 0).map_err(|e| e.to_string())?;
    let cluster = SimulatedCluster::new(start, seed);
    cluster.with_server(|server| server.set_controllers(!api_only));
    for file in load {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        cluster
            .load_yaml(&text)
            .map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let listener = TcpListener::bind(listen).await?;
    println!(
        "kubectl --server=http://{} get namespaces",
        listener.local_addr()?
    );
    loop {
        let stream = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => return Ok(()),
            accepted = listener.accept() => accepted?.0,
        };
        let (cluster, fallback) = (cluster.clone(), as_user.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: http::Request<Incoming>| {
                let named = request
                    .headers()
                    .get(USER_HEADER)
                    .and_then(|v| v.to_str().ok());
                let door = cluster.door(user(named.unwrap_or(&fallback)));
                async move {
                    let answered = door.oneshot(request).await;
                    Ok::<http::Response<SimBody>, Infallible>(answered.unwrap_or_else(|_| {
                        // The client went away in the middle of its body.
                        let mut gone = http::Response::new(SimBody::empty());
                        *gone.status_mut() = http::StatusCode::BAD_REQUEST;
                        gone
                    }))
                }
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
