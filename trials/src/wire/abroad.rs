//! The remote cluster of a wire run, by the kubeconfig that names it.

use std::sync::Arc;

use stageset_cluster::Connection;
use stageset_cluster::remote::Connect;
use stageset_core::identity::{Remote, Target};
use stageset_core::kubeconfig::{Credential, Kubeconfig};
use stageset_sim::{Door, SimulatedCluster, User};

use super::door::FaultyDoor;
use super::passage::Passage;

/// Where it is.
const HOST: &str = "abroad.example";
/// What its kubeconfig holds, and what nobody may ever see (I9).
const TOKEN: &str = crate::setup::CANARY;

/// One process's way to it.
pub(super) struct Abroad {
    pub(super) cluster: SimulatedCluster,
    pub(super) passage: Passage,
    /// The way to the local one, for a saboteur.
    pub(super) home: Door,
}

impl Connect for Abroad {
    fn connect(&self, kubeconfig: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String> {
        if kubeconfig.server() != format!("https://{HOST}") {
            return Err("no such server".to_owned());
        }
        if *kubeconfig.credential() != Credential::Token(TOKEN.to_owned()) {
            return Err("only one token is known here".to_owned());
        }
        let user = User::new("kubeconfig", &["system:masters"]);
        let door = FaultyDoor {
            inner: self.cluster.door(user),
            passage: self.passage.clone(),
            abroad: true,
            home: Some(self.home.clone()),
        };
        let side = Target::Remote(Arc::clone(remote));
        Ok(Connection::from_service_at(door, &side))
    }
}

/// The kubeconfig that names it.
pub(super) fn kubeconfig() -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: \
         {{cluster: k, user: u}}\nclusters:\n- name: k\n  cluster: {{server: 'https://{HOST}'}}\n\
         users:\n- name: u\n  user: {{token: {TOKEN}}}\n"
    )
}
