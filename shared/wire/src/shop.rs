//! What a creator's shop is told by the ledger, in batches and never within a purchase.

use satchel_domain::{
    id::{OrderId, RefundId, WorkId},
    money::Msat,
};
use serde::Serialize;

/// Most sales, and most refunds, in a batch.
pub const MAX_TOLD: usize = 500;

/// `POST /internal/shops/{creator}/sales` of the upload worker: what has happened, for the shop of a
/// creator. Each batch of a source is told until it is acknowledged, the very same each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShopSales {
    /// Who tells: opaque, at most 120 bytes.
    pub source: String,
    /// Of this source, ascending; a number that was taken in before is acknowledged and nothing else.
    pub number: u64,
    /// At most 500.
    pub sales: Vec<ShopSale>,
    /// At most 500.
    pub refunds: Vec<ShopRefund>,
}
satchel_json::read!(ShopSales {
    source,
    number,
    sales,
    refunds,
    ..
});

/// A sale, or a copy given away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShopSale {
    /// The order.
    pub order: OrderId,
    /// The purchase, opaque: a refund names it.
    pub handle: String,
    /// What was bought.
    pub work: WorkId,
    /// Which version.
    pub version: u32,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// The price.
    pub msat: Msat,
    /// The operator's share of it.
    pub fee_msat: Msat,
    /// Unix seconds of the debit.
    pub time: u64,
    /// Whether it was a copy of the giveaway.
    pub free: bool,
}
satchel_json::read!(ShopSale {
    order,
    handle,
    work,
    version,
    usd_micros,
    msat,
    fee_msat,
    time,
    free,
    ..
});

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShopRefund {
    /// Of which order.
    pub order: OrderId,
    /// Its own id.
    pub refund: RefundId,
    /// What had been bought.
    pub work: WorkId,
    /// What was paid back to the buyer.
    pub msat: Msat,
    /// Unix seconds.
    pub time: u64,
}
satchel_json::read!(ShopRefund {
    order,
    refund,
    work,
    msat,
    time,
    ..
});
