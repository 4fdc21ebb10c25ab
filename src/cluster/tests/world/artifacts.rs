//! Artifacts in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;
use stageset_cluster::artifacts::ArtifactSource;
use stageset_core::failure::{Failure, FailureClass};
use stageset_render::{Tree, pack};

#[derive(Default)]
pub(crate) struct Artifacts {
    stored: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) fetched: Mutex<Vec<String>>,
}

impl Artifacts {
    /// Stores files; their URL and digest.
    pub(crate) fn put(
        &self,
        name: &str,
        revision: &str,
        files: &[(&str, &str)],
    ) -> (String, String) {
        let tree =
            Tree::from_files(files.iter().map(|(path, text)| (*path, text.as_bytes()))).unwrap();
        let (bytes, digest) = pack(&tree);
        let url = format!("http://artifacts/{name}/{revision}.tar.gz");
        self.stored
            .lock()
            .unwrap()
            .insert(url.clone(), bytes.into());
        (url, digest.to_string())
    }

    pub(crate) fn replace(&self, url: &str, bytes: &'static [u8]) {
        self.stored
            .lock()
            .unwrap()
            .insert(url.into(), Bytes::from_static(bytes));
    }
}

impl ArtifactSource for Artifacts {
    fn fetch<'a>(&'a self, url: &'a str, _limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        self.fetched.lock().unwrap().push(url.to_owned());
        let found = self.stored.lock().unwrap().get(url).cloned();
        Box::pin(async move {
            found.ok_or_else(|| {
                Failure::new(
                    FailureClass::Transient { retry_after: None },
                    format!("downloading {url}: the server answered 404 Not Found"),
                )
            })
        })
    }
}
