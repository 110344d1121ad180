//! Requests and answers of the public API (docs/API.md §3).

use std::collections::BTreeMap;

use satchel_domain::{
    allowance::Allowance,
    id::{
        AccountId, Digest, FundingId, OrderId, RefundId, SessionId, Thumbprint, UploadId, WorkId,
    },
    ledger::LedgerId,
    money::{Msat, Rate},
    terms::{Terms, Use},
    work::WorkState,
};
use serde::Serialize;

use crate::{jose::Jwk, listing::Listing, quote::QuotedRate};

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

shapes! {
    /// A signed command.
    CommandIn {
        /// The JWS.
        command: String,
    }
    /// An empty body.
    Empty {}
    /// What the issuer says about a work.
    Record {
        /// The work.
        work: WorkId,
        /// Where it stands.
        state: WorkState,
        /// Who made it.
        creator: Jwk,
        /// Title.
        title: String,
        /// Of the plaintext.
        media_type: String,
        /// Terms now.
        terms: Terms,
        /// Their digest.
        terms_digest: Digest,
        /// Newest published version; 0 in a draft.
        version: u32,
        /// Published versions.
        versions: Vec<VersionRecord>,
        /// Which money it sells for.
        ledger: LedgerId,
        /// Copies that are gone, where the terms count them.
        #[serde(skip_serializing_if = "Option::is_none")]
        stock: Option<Stock>,
        /// What its creator shows with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        listing: Option<Listing>,
    }
    /// Copies of a work that are sold or reserved.
    #[derive(Default)]
    Stock {
        /// All of them.
        sold: u32,
        /// Those that were free.
        given: u32,
    }
    /// What the issuer says about a version.
    VersionRecord {
        /// Number, from 1.
        version: u32,
        /// SHA-256 of the manifest.
        manifest_digest: Digest,
        /// Bytes of the packed file.
        size: u64,
        /// File name of the plaintext.
        name: String,
        /// Of the plaintext.
        media_type: String,
        /// For Media Source Extensions.
        #[serde(skip_serializing_if = "Option::is_none")]
        mse: Option<String>,
        /// What it was packed for.
        usage = "use": Use,
        /// Where the packed file lies.
        url: String,
        /// Thumbprint of the manifest's signer.
        signer: Thumbprint,
        /// Where its plain preview lies in the packed file, if it has one that pages can show.
        #[serde(skip_serializing_if = "Option::is_none")]
        preview: Option<Preview>,
    }
    /// A plain preview within a packed file.
    Preview {
        /// Of its first byte.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Told by its first bytes (docs/FORMAT.md).
        media_type: String,
    }
    /// A new upload.
    UploadOut {
        /// Its id.
        upload: UploadId,
        /// The object's key.
        key: String,
        /// Bytes of each part but the last.
        part_size: u64,
        /// Number of parts.
        parts: u32,
        /// Bytes of the whole.
        size: u64,
        /// Unix seconds until which it may be signed.
        expires: u64,
    }
    /// Uppy's `PresignableRequest`, and two members of ours.
    SignIn {
        /// `PUT`, `POST`, `DELETE` or `GET`.
        method: String,
        /// The object's key.
        key: String,
        /// S3's id of the multipart upload.
        upload_id = "uploadId": Option<String>,
        /// From 1.
        part_number = "partNumber": Option<u32>,
        /// Of the object.
        content_type = "contentType": Option<String>,
        /// How long the answer is wanted to be good for, seconds.
        expires_in = "expiresIn": Option<u64>,
        /// Ours: several parts in one request, instead of `partNumber`.
        part_numbers = "partNumbers": Option<Vec<u32>>,
        /// Ours: parts that the storage has acknowledged since the last request.
        sent: Option<Vec<SentPart>>,
    }
    /// A part that has arrived in the storage.
    SentPart {
        /// From 1.
        part_number = "partNumber": u32,
        /// What the storage called its content, without quotes.
        etag: String,
    }
    /// Where to send it.
    SignOut {
        /// Presigned.
        url: String,
        /// The object's key, on create.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Headers that were signed and must be sent exactly so. `Content-Length` of a part is
        /// signed too, but every client sends it by itself and browsers let nobody set it.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    }
    /// Where to send several parts.
    SignPartsOut {
        /// Presigned, in the order of `partNumbers`.
        urls: Vec<String>,
    }
    /// Which parts have arrived.
    SignListOut {
        /// Where the same is said in S3's XML, for clients that want it so.
        url: String,
        /// In order of their numbers.
        sent: Vec<SentPart>,
    }
    /// Where to send a cover.
    CoverOut {
        /// Presigned: a `PUT`.
        url: String,
        /// Headers that were signed and must be sent exactly so.
        headers: BTreeMap<String, String>,
        /// Where it can be seen then.
        cover_url: String,
    }
    /// The key was taken in.
    IntakeOut {
        /// The work.
        work: WorkId,
        /// The version.
        version: u32,
        /// Always true.
        stored: bool,
    }
    /// Asks for a price.
    QuoteIn {
        /// The work.
        work: WorkId,
        /// What the buyer offers, where the terms let them pay more.
        usd_micros: Option<u64>,
    }
    /// A price, held for some minutes.
    QuoteOut {
        /// The token to put in the order.
        quote: String,
        /// The work.
        work: WorkId,
        /// Its version.
        version: u32,
        /// Its title.
        title: String,
        /// Its terms.
        terms: Terms,
        /// Their digest.
        terms_digest: Digest,
        /// Millionths of a dollar.
        usd_micros: u64,
        /// Millisatoshi.
        msat: Msat,
        /// Which money.
        ledger: LedgerId,
        /// The rate.
        rate: RateOut,
        /// Unix seconds.
        expires: u64,
    }
    /// A rate as shown.
    RateOut {
        /// Millionths of a dollar for a bitcoin.
        usd_micros_per_btc: u64,
        /// When it was true.
        time: u64,
        /// Where it comes from.
        source: String,
    }
    /// A signed order.
    OrderIn {
        /// The JWS.
        order: String,
        /// Whether the receipt is left for the key it is for, to be polled with
        /// `GET /v1/orders/{order}`; `true` unless said otherwise.
        #[serde(skip_serializing_if = "Option::is_none")]
        pickup: Option<bool>,
    }
    /// What became of an order.
    OrderOut {
        /// Where it stands.
        status: OrderStatus,
        /// Whether this very order was posted before.
        replayed: bool,
        /// Whether the work was owned already, so that nothing was paid.
        owned: bool,
        /// Its id.
        order: OrderId,
        /// The receipt.
        receipt: String,
    }
    /// An order whose outcome is not known yet: ask again with the same order.
    OrderPendingOut {
        /// `pending`.
        status: OrderStatus,
        /// Its id.
        order: OrderId,
    }
    /// What is known of an order.
    OrderSeen {
        /// Where it stands.
        status: OrderStatus,
        /// The receipt, once posted.
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<String>,
    }
    /// A content key.
    KeyOut {
        /// The work.
        work: WorkId,
        /// The version bought.
        version: u32,
        /// 32 bytes, base64url.
        content_key: String,
    }
    /// A session is asked for.
    SessionIn {
        /// A window whose key is wanted at once.
        #[serde(skip_serializing_if = "Option::is_none")]
        window: Option<u32>,
    }
    /// A session for standard players.
    HlsOut {
        /// Its id.
        session: SessionId,
        /// The playlist. Whoever has this address can play while the session lasts.
        url: String,
        /// When it ends, Unix seconds.
        expires: u64,
        /// What may be opened.
        allowance: Allowance,
    }
    /// A streaming session.
    SessionOut {
        /// Its id.
        session: SessionId,
        /// For the first window.
        capability: String,
        /// When that ends, Unix seconds.
        expires: u64,
        /// How many windows the work has at most.
        windows: u32,
        /// Milliseconds of a window.
        window_ms: u64,
        /// What may be opened.
        allowance: Allowance,
        /// The key of the window that was asked for, 32 bytes, base64url; none where it may not be
        /// opened yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    }
    /// A window's key.
    WindowOut {
        /// Its index.
        window: u32,
        /// 32 bytes, base64url.
        key: String,
        /// For the next one.
        capability: String,
        /// When that ends, Unix seconds.
        expires: u64,
        /// What may be opened.
        allowance: Allowance,
    }
    /// A delegation to keep.
    DelegationIn {
        /// The JWS.
        delegation: String,
    }
    /// It is kept.
    DelegationOut {
        /// The account.
        account: AccountId,
        /// The key's thumbprint.
        key: Thumbprint,
        /// Unix seconds.
        expires: u64,
    }
    /// What a key was given.
    GrantSeen {
        /// `waiting` or `posted`.
        status: OrderStatus,
        /// The JWS, once there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        delegation: Option<String>,
    }
    /// An account as its owner sees it.
    AccountOut {
        /// The account.
        account: AccountId,
        /// Which money.
        ledger: LedgerId,
        /// Whether test money can be had here.
        test_money: bool,
        /// What may be spent.
        balance_msat: Msat,
        /// What is reserved.
        pending_msat: Msat,
        /// Sales posted but not yet settled into the balance, as far as known here.
        incoming_msat: Msat,
        /// The rate, if there is one.
        rate: Option<RateOut>,
        /// Delegations of earlier epochs have ended.
        epoch: u64,
    }
    /// A signed sign-out.
    SignOutIn {
        /// The JWS.
        sign_out: String,
    }
    /// Every delegation before this epoch has ended.
    SignOutOut {
        /// The account.
        account: AccountId,
        /// Its epoch now.
        epoch: u64,
    }
    /// Lines of an account's journal.
    TransfersOut {
        /// At most 64.
        transfers: Vec<TransferOut>,
        /// Where to go on: the same query with this cursor.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// A line of an account's journal: a posted transfer, or a checkpoint of many.
    TransferOut {
        /// Its number, from 1, without gaps.
        line: u64,
        /// Unix seconds of the posting.
        time: u64,
        /// Why money moved.
        kind: String,
        /// What came in.
        credit_msat: Msat,
        /// What went out.
        debit_msat: Msat,
        /// The posted balance after it.
        balance_msat: Msat,
        /// How many transfers or sales the line stands for.
        count: u64,
        /// The order, of purchases and refunds.
        #[serde(skip_serializing_if = "Option::is_none")]
        order: Option<OrderId>,
        /// The work.
        #[serde(skip_serializing_if = "Option::is_none")]
        work: Option<WorkId>,
        /// Its title, or a correction's reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    }
    /// A signed refund.
    RefundIn {
        /// The JWS.
        refund: String,
    }
    /// What became of a refund.
    RefundOut {
        /// `posted`, or `pending`: send the same refund again.
        status: OrderStatus,
        /// Whether this very refund was posted before.
        replayed: bool,
        /// Its id.
        refund: RefundId,
        /// How much went back to the buyer.
        msat: Msat,
        /// How much of the fee has come back to the seller so far.
        fee_returned_msat: Msat,
        /// And of what collaborators got; only where they bear a part.
        #[serde(skip_serializing_if = "Option::is_none")]
        splits_returned_msat: Option<Msat>,
    }
    /// Some purchases, newest first.
    PurchasesOut {
        /// At most 50.
        purchases: Vec<PurchaseOut>,
        /// Where to go on: `?after=`.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// A purchase.
    PurchaseOut {
        /// The order.
        order: OrderId,
        /// The work.
        work: WorkId,
        /// The version bought.
        version: u32,
        /// Its title then.
        title: String,
        /// What may be done.
        usage = "use": Use,
        /// Millionths of a dollar.
        usd_micros: u64,
        /// Millisatoshi.
        msat: Msat,
        /// Unix seconds.
        time: u64,
        /// How much of it was paid back.
        refunded_msat: Msat,
        /// Whether the work is still owned by it.
        active: bool,
        /// The opaque name by which the seller may refund it.
        handle: String,
    }
    /// Asks for test money.
    TestMoneyIn {
        /// The client's id, so that a retry is harmless.
        id: FundingId,
        /// How much.
        msat: Msat,
    }
    /// Test money was credited.
    TestMoneyOut {
        /// What may be spent now.
        balance_msat: Msat,
        /// Whether this id was credited before.
        replayed: bool,
    }
    /// What pages of this issuer need to know.
    ConfigOut {
        /// The public origin.
        issuer: String,
        /// The wallet origin.
        wallet: String,
        /// Which money it sells for.
        ledger: LedgerId,
        /// Whether test money can be had here.
        test_money: bool,
        /// The operator's share, hundredths of a percent.
        fee_bps: u64,
    }
    /// It is up.
    Health {
        /// Always true.
        ok: bool,
    }
    /// Done.
    Done {
        /// Always true.
        done: bool,
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Nobody has sent it yet.
    Waiting,
    /// Sent, not decided: ask again.
    Pending,
    /// Posted.
    Posted,
}
satchel_json::read_names!(OrderStatus { Waiting = "waiting", Pending = "pending", Posted = "posted" });

impl From<&Rate> for RateOut {
    fn from(rate: &Rate) -> Self {
        Self {
            usd_micros_per_btc: rate.usd_micros_per_btc,
            time: rate.time,
            source: rate.source.clone(),
        }
    }
}

impl From<&Rate> for QuotedRate {
    fn from(rate: &Rate) -> Self {
        Self {
            usd_micros_per_btc: rate.usd_micros_per_btc,
            time: rate.time,
        }
    }
}

impl Record {
    /// Whether the next copy is free.
    #[must_use]
    pub fn free_copies_left(&self) -> bool {
        let Some(giveaway) = self.terms.giveaway else {
            return false;
        };
        let gone = self.stock.clone().unwrap_or_default();
        gone.given < giveaway && self.terms.limit.is_none_or(|limit| gone.sold < limit)
    }
}
