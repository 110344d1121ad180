//! The ledger's [`Host`] in made-up time: what `world_do.rs` is on the runtime.

use std::rc::Rc;

use satchel_crypto::ed25519::{PublicKey, Verifier};
use satchel_ledger_worker::{
    account::Account,
    directory,
    host::{Config, Host, Job, Place, Waiting},
    inbox::Inbox,
    work::Work,
};
use satchel_wire::Result;

use crate::{engine::Sim, heard, object::Object, store::Store, tables::Sort, trouble::Plant};

/// Believes whatever has the length of a signature.
pub struct Believer;

impl Verifier for Believer {
    async fn verify(&self, _: &PublicKey, _: &[u8], signature: &[u8]) -> bool {
        signature.len() == 64
    }
}

/// One life of an object: what is lost when it is evicted or crashes.
pub struct Life {
    pub store: Store,
    machine: Machine,
    sim: Rc<Sim>,
    object: Rc<Object>,
}

enum Machine {
    Account(Account),
    Inbox(Inbox),
    Work(Rc<Work>),
    Directory,
    Shop,
}

impl Life {
    pub fn of(sim: &Rc<Sim>, object: &Rc<Object>) -> Self {
        Self {
            store: Store::of(Rc::clone(sim), Rc::clone(object)),
            machine: match object.sort {
                Sort::Account => Machine::Account(Account::default()),
                Sort::Inbox => Machine::Inbox(Inbox::default()),
                Sort::Work => Machine::Work(Rc::default()),
                Sort::Directory => Machine::Directory,
                Sort::Shop => Machine::Shop,
            },
            sim: Rc::clone(sim),
            object: Rc::clone(object),
        }
    }

    pub async fn serve(&self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match &self.machine {
            Machine::Account(account) => account.serve(self, &path, body).await,
            Machine::Inbox(inbox) => inbox.serve(self, &path, body).await,
            Machine::Work(work) => Work::serve(work, self, &path, body).await,
            Machine::Directory => directory::serve(self, &path, body).await,
            Machine::Shop => heard::serve(self, Rc::clone(&self.sim), body).await,
        }
    }

    pub async fn alarm(&self) -> Result<()> {
        self.store.awoke();
        match &self.machine {
            Machine::Account(account) => account.alarm(self).await,
            Machine::Inbox(inbox) => inbox.alarm(self).await,
            Machine::Work(_) | Machine::Directory | Machine::Shop => Ok(()),
        }
    }
}

impl Host for Life {
    type Tables = Store;
    type Verifier = Believer;

    fn tables(&self) -> &Store {
        &self.store
    }

    fn verifier(&self) -> &Believer {
        &Believer
    }

    fn config(&self) -> Result<&Config> {
        Ok(&self.sim.config)
    }

    fn now_ms(&self) -> u64 {
        self.sim.clock_of(&self.object)
    }

    fn dice(&self) -> u8 {
        self.sim.below(256) as u8
    }

    fn commit(&self, job: Job<Store>) -> Waiting<'_, ()> {
        Box::pin(self.store.transact(move |tables| job(tables)))
    }

    fn ask_json<'a>(
        &'a self,
        place: Place<'a>,
        path: &'a str,
        body: Vec<u8>,
    ) -> Waiting<'a, Vec<u8>> {
        Box::pin(async move {
            if self.sim.plant == Plant::FreesByClock && path == "/settle" {
                return Ok(br#"{"posted":false}"#.to_vec());
            }
            let (binding, name) = place.address();
            let to = self.sim.object(Sort::of(binding), name);
            self.sim.ask(Some(&self.object), &to, path, &body).await
        })
    }
}
