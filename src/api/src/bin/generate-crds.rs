//! Writes the CRDs into the chart, or into the folder that is named.

use std::path::PathBuf;
use std::{env, fs, io};

use stageset_api::crd::{definitions, to_yaml};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../../charts/stageset-controller/files/crds")
        },
        PathBuf::from,
    );
    fs::create_dir_all(&folder)?;
    for found in definitions() {
        let text = to_yaml(&found.definition).map_err(io::Error::other)?;
        fs::write(folder.join(&found.file), text)?;
    }
    Ok(())
}
