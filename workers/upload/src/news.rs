//! What the creator's shop is told of a work that was registered or changed.

use satchel_wire::{
    Result,
    api::Record,
    shopfront::{EventKind, WorkNews},
};

use crate::{shop::Told, world::World};

/// Tells the shop. The ledger has decided already and is right whatever the shop knows: a failure is logged, and
/// what is told with the next change, or with the next sale, puts the work on the shelf.
pub(crate) async fn tell(
    world: &impl World,
    nonce: String,
    kind: Option<EventKind>,
    record: &Record,
) {
    let told: Result<()> = async {
        let told = Told {
            work: record.work.clone(),
            nonce,
            kind,
            news: WorkNews {
                work: record.work.clone(),
                title: record.title.clone(),
                version: record.version,
                state: record.state,
            },
        };
        world.tell(&record.creator.key()?.jkt(), &told).await
    }
    .await;
    if let Err(error) = told {
        satchel_edge::log("warn", "shop", &error.code.as_str());
    }
}
