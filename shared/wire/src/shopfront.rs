//! What a creator's shop answers (docs/API.md §3).

use satchel_domain::{
    id::{Thumbprint, WorkId},
    splits::Split,
    work::WorkState,
};
use serde::Serialize;

use crate::{
    api::Record,
    shop::{ShopRefund, ShopSale},
};

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident $(= $called:literal)?: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct $name { $($(#[$field_doc])* $(#[serde(rename = $called)])? pub $field: $type,)* }
        satchel_json::read!($name { $($field $(= $called)?),* });
    )*};
}

/// What happened in a shop, as webhooks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EventKind {
    /// A copy was sold, or given away.
    #[serde(rename = "sale.created")]
    SaleCreated,
    /// A sale was paid back, or a part of it.
    #[serde(rename = "sale.refunded")]
    SaleRefunded,
    /// A version went on sale, or a withdrawn work again.
    #[serde(rename = "work.published")]
    WorkPublished,
    /// Title, terms or listing were changed.
    #[serde(rename = "work.updated")]
    WorkUpdated,
    /// A work was withdrawn.
    #[serde(rename = "work.unpublished")]
    WorkUnpublished,
    /// Asked for by the creator; nothing happened.
    #[serde(rename = "webhook.test")]
    Test,
}
satchel_json::read_names!(EventKind {
    SaleCreated = "sale.created",
    SaleRefunded = "sale.refunded",
    WorkPublished = "work.published",
    WorkUpdated = "work.updated",
    WorkUnpublished = "work.unpublished",
    Test = "webhook.test",
});

/// Whether a webhook is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum HookState {
    /// It is.
    #[serde(rename = "active")]
    Active,
    /// It failed for too long, or its server said that it is gone.
    #[serde(rename = "disabled")]
    Disabled,
}
satchel_json::read_names!(HookState { Active = "active", Disabled = "disabled" });

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DeliveryState {
    /// To be tried, or tried again.
    #[serde(rename = "waiting")]
    Waiting,
    /// The receiver took it.
    #[serde(rename = "delivered")]
    Delivered,
    /// Given up.
    #[serde(rename = "failed")]
    Failed,
}
satchel_json::read_names!(DeliveryState {
    Waiting = "waiting",
    Delivered = "delivered",
    Failed = "failed",
});

shapes! {
    /// Sums over sales.
    #[derive(Default)]
    Totals {
        /// Copies that were paid.
        sold: u64,
        /// Copies that were given away.
        given: u64,
        /// Prices of the copies.
        usd_micros: u64,
        /// What was paid for them.
        gross_msat: u64,
        /// The operator's part of it.
        fee_msat: u64,
        /// What was paid back.
        refunded_msat: u64,
        /// Visible renderings of the frame or the work page.
        views: u64,
        /// How often what was bought was played.
        plays: u64,
        /// For how long, seconds.
        played_s: u64,
    }
    /// A change of a work.
    WorkNews {
        /// The work.
        work: WorkId,
        /// Its title.
        title: String,
        /// The version on sale.
        version: u32,
        /// Where it stands.
        state: WorkState,
    }
    /// Something that happened.
    ShopEvent {
        /// Its number in this shop, from 1.
        n: u64,
        /// What.
        kind = "type": EventKind,
        /// Unix seconds.
        time: u64,
        /// A sale.
        #[serde(skip_serializing_if = "Option::is_none")]
        sale: Option<ShopSale>,
        /// A refund.
        #[serde(skip_serializing_if = "Option::is_none")]
        refund: Option<ShopRefund>,
        /// A work.
        #[serde(skip_serializing_if = "Option::is_none")]
        work: Option<WorkNews>,
    }
    /// A work on the creator's shelf.
    ShopWork {
        /// The work.
        work: WorkId,
        /// What makes its id, with the creator's key; needed to sign a command.
        #[serde(skip_serializing_if = "Option::is_none")]
        work_nonce: Option<String>,
        /// Unix seconds.
        added: u64,
        /// Deleted by the creator: withdrawn, and not shown.
        hidden: bool,
        /// Its sums.
        totals: Totals,
        /// What everybody may see of it; absent where it could not be read just now.
        #[serde(skip_serializing_if = "Option::is_none")]
        record: Option<Record>,
        /// Who shares in it, which nobody else may see.
        #[serde(skip_serializing_if = "Option::is_none")]
        splits: Option<Vec<Split>>,
    }
    /// `GET /v1/shops/{creator}`
    ShopOut {
        /// Whose.
        creator: Thumbprint,
        /// Sums over all works.
        totals: Totals,
        /// The number of the newest event, for `…/events`.
        n: u64,
        /// Newest first.
        works: Vec<ShopWork>,
        /// Cursor of the next page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A sale with what came of it.
    SaleOut {
        /// Its number.
        n: u64,
        /// The sale.
        sale: ShopSale,
        /// How much of it was paid back.
        refunded_msat: u64,
        /// By how many refunds: the next one has the number after.
        refunds: u64,
    }
    /// `GET /v1/shops/{creator}/sales`
    SalesOut {
        /// Newest first.
        sales: Vec<SaleOut>,
        /// Cursor of the next page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A day, or a month that is long past.
    Day {
        /// Its first day, `2026-11-25`, in UTC.
        day: String,
        /// Its sums.
        totals: Totals,
    }
    /// `GET /v1/shops/{creator}/stats`
    StatsOut {
        /// The first day asked for.
        from: String,
        /// The last: today.
        to: String,
        /// Days on which something happened, oldest first.
        days: Vec<Day>,
        /// Months before the days that are kept, oldest first.
        months: Vec<Day>,
    }
    /// `GET /v1/shops/{creator}/events`
    EventsOut {
        /// Oldest first.
        events: Vec<ShopEvent>,
        /// Ask for what comes after this.
        next: u64,
    }
    /// `POST /v1/shops/{creator}/works/{work}`
    ShelfIn {
        /// Whether it is shown no more.
        hidden: bool,
    }
    /// `POST /v1/shops/{creator}/webhooks`
    WebhookIn {
        /// Where to.
        url: String,
        /// Which events; all of them unless said.
        events: Option<Vec<EventKind>>,
    }
    /// A webhook.
    WebhookOut {
        /// Its id.
        id: String,
        /// Where to.
        url: String,
        /// Which events.
        events: Vec<EventKind>,
        /// Unix seconds.
        created: u64,
        /// Whether it is served.
        state: HookState,
        /// Since when nothing was taken, Unix seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        failing_since: Option<u64>,
        /// Events that wait for it.
        waiting: u64,
        /// The key of its signatures; told when it is made, and never again.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    }
    /// `GET /v1/shops/{creator}/webhooks`
    WebhooksOut {
        /// At most five.
        webhooks: Vec<WebhookOut>,
    }
    /// A delivery to a webhook.
    Delivery {
        /// Its number, from 1.
        seq: u64,
        /// `webhook-id` of its message.
        message: String,
        /// What it tells.
        kind = "type": EventKind,
        /// The number of the event; none in a test.
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<u64>,
        /// Where it stands.
        state: DeliveryState,
        /// How often it was tried.
        tries: u32,
        /// Unix seconds when it was taken up.
        created: u64,
        /// Unix seconds of the last try.
        #[serde(skip_serializing_if = "Option::is_none")]
        tried: Option<u64>,
        /// The last answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long it took, milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
        /// Why there was no answer: `timeout` or `network`.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Unix seconds of the next try.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_try: Option<u64>,
    }
    /// `GET /v1/shops/{creator}/webhooks/{id}/deliveries`
    DeliveriesOut {
        /// Newest first.
        deliveries: Vec<Delivery>,
    }
}
