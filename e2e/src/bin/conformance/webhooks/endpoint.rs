//! Where the webhooks of a round listen: for the real server over TLS, for the simulated one in its
//! own process. Both give the same answers, and remember what they were asked.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use stageset_e2e::http::{HttpServer, Response};
use stageset_e2e::pki::Authority;
use stageset_sim::{WebhookFailure, WebhookHandler};

use super::verdicts::verdict;

/// What one server asked, in the order in which it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Question>>>);

/// One review, and the path that it was sent to.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) path: String,
    pub(crate) review: Value,
}

impl Journal {
    fn add(&self, path: &str, review: &Value) {
        let question = Question {
            path: path.to_owned(),
            review: review.clone(),
        };
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        questions.push(question);
    }

    pub(crate) fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The webhooks' server; dropping it stops it.
pub(crate) struct Endpoint {
    server: HttpServer,
    /// The authority behind its certificate, as configurations want it.
    pub(crate) authority: String,
    pub(crate) real: Journal,
    pub(crate) simulated: Journal,
}

impl Endpoint {
    /// Listens on a port of its own; the name is that of the round.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let authority = Authority::create(&folder).context("the webhooks' authority")?;
        let pair = authority.server("webhooks", &["127.0.0.1"])?;
        // All is in memory.
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("removing {}", folder.display()))?;
        let real = Journal::default();
        let journal = real.clone();
        let server = HttpServer::start_tls(&pair, move |request| {
            let review = serde_json::from_slice(&request.body).context("the review")?;
            journal.add(&request.path, &review);
            let verdict = verdict(&request.path, &review);
            let mut response = Response::new(verdict.status, verdict.body);
            let content_type = verdict.content_type.to_owned();
            response
                .headers
                .push(("content-type".to_owned(), content_type));
            Ok(response)
        })?;
        Ok(Self {
            server,
            authority: STANDARD.encode(authority.pem()),
            real,
            simulated: Journal::default(),
        })
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.address())
    }

    /// What answers the simulated server at that path.
    pub(crate) fn simulated(&self, path: &str) -> impl WebhookHandler + 'static {
        Simulated {
            path: path.to_owned(),
            journal: self.simulated.clone(),
        }
    }
}

struct Simulated {
    path: String,
    journal: Journal,
}

impl WebhookHandler for Simulated {
    fn review(&mut self, review: &Value) -> Result<Value, WebhookFailure> {
        self.journal.add(&self.path, review);
        let verdict = verdict(&self.path, review);
        if verdict.status == 200
            && let Ok(answer) = serde_json::from_str(&verdict.body)
        {
            return Ok(answer);
        }
        Err(WebhookFailure::Answer {
            code: verdict.status,
            body: verdict.body,
        })
    }
}
