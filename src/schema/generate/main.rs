//! Writes `table/kubernetes.txt` from what a kube-apiserver says of itself.
//!
//! ```text
//! kubectl get --raw /version                          > DIR/version.json
//! kubectl get --raw /api  (aggregated discovery, v2)  > DIR/discovery-api.json
//! kubectl get --raw /apis (aggregated discovery, v2)  > DIR/discovery-apis.json
//! kubectl get --raw /openapi/v3/PATH                  > DIR/v3/PATH-with-underscores.json
//! cargo run -p stageset-schema --features generate -- DIR src/schema/table/kubernetes.txt
//! ```
//!
//! Aggregated discovery needs the header
//! `Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`.

mod dump;
mod write;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, output] = arguments.as_slice() else {
        eprintln!("usage: stageset-schema-generate DUMP_DIRECTORY OUTPUT_FILE");
        return ExitCode::FAILURE;
    };
    let written = write::table(Path::new(directory))
        .and_then(|table| std::fs::write(output, table).map_err(|e| format!("{output}: {e}")));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
