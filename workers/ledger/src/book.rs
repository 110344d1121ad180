//! What the ledger's objects keep, and how a stored row becomes an answer. Pure.

use satchel_crypto::{Key32, b32, b64, handle, sha256};
use satchel_domain::{
    id::{AccountId, OrderId, WorkId},
    money::{Msat, Rate},
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Record, TransferOut},
    internal::{Credit, Part, RegisterWork, Sending, Transfer, VersionKeys, WorkSnapshot},
    operator::Correct,
    order::work_tag,
};
use serde::Serialize;

/// Bytes of an order's or funding's id.
pub const ID_BYTES: usize = 20;
/// Most undelivered credits an account may hold before it takes no further orders.
pub const MAX_OUTBOX: usize = 2_048;
/// Most keys an account may have delegated at once.
pub const MAX_DELEGATIONS: u64 = 64;
/// How long ended delegations are kept: a retry of what they signed must still verify.
pub const KEEP_KEYS_S: u64 = 30 * 24 * 3_600;
/// An order that waits for a copy is given up after this.
pub const RESERVE_LIFE_S: u64 = 600;
/// A work asks what became of a reservation that is so old.
pub const STALE_RESERVE_S: u64 = 30;
/// Sales in a second from which a work's are spread over more inboxes, and most inboxes.
pub const HOT: u64 = 50;
/// Most inboxes a work's sales are spread over.
pub const MAX_SLOTS: u32 = 64;
/// Purchases on a page.
pub const PAGE: usize = 50;
/// Most test money one request may give, millisatoshi ($100 at the fixed test rate).
pub const MAX_TEST_MONEY: u64 = 100_000_000;
/// The body of a purchase or re-issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What receipts are made of.
    pub transfer: Transfer,
    /// Where the credit goes; `None` for a re-issue.
    pub credit: Option<OutCredit>,
    /// Whether the work counts its copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
    /// By which grant, if it is counted: what is given up is not spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capped: Option<Grant>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub void: Option<Void>,
    /// What the operator and each collaborator bear of what was refunded, in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub borne: Option<Vec<Part>>,
}
satchel_json::read!(Entry {
    transfer,
    credit,
    counted,
    capped,
    void,
    borne,
    ..
});

/// A delegation with a total, as what was ordered under it names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// Thumbprint of the key.
    pub key: String,
    /// When it was made: a newer one for the same key begins at nothing.
    pub issued: u64,
}
satchel_json::read!(Grant { key, issued, .. });

/// Why an order was given up. Stored, so that a retry is told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Void {
    /// No copy is left.
    Limit,
    /// No free copy is left.
    Giveaway,
    /// It was not decided in time, or the work was asked to let its copy go.
    Late,
}
satchel_json::read_names!(Void { Limit = "limit", Giveaway = "giveaway", Late = "late" });

impl Void {
    /// As the buyer is told.
    #[must_use]
    pub fn error(self) -> ApiError {
        match self {
            Self::Limit => ApiError::from(ErrorCode::SoldOut).with("of", "limit"),
            Self::Giveaway => ApiError::from(ErrorCode::SoldOut).with("of", "giveaway"),
            Self::Late => ErrorCode::OrderExpired.into(),
        }
    }

    /// What a work's refusal means; `None` where the outcome is unknown.
    #[must_use]
    pub fn of(error: &ApiError) -> Option<Self> {
        match error.code {
            ErrorCode::SoldOut => Some(if error.member("of") == Some(&"giveaway".into()) {
                Self::Giveaway
            } else {
                Self::Limit
            }),
            ErrorCode::OrderExpired => Some(Self::Late),
            _ => None,
        }
    }
}

/// A credit with the inbox chosen for it: chosen once, so that a retry never chooses again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutCredit {
    /// Name of the inbox.
    pub inbox: String,
    /// The credit.
    pub credit: Credit,
}
satchel_json::read!(OutCredit { inbox, credit, .. });

/// First byte of a row's key. Orders, re-issues and sendings share a space, so that an id is used once.
const IDS: u8 = 1;
/// Test money.
const FUNDS: u8 = 2;
/// Batches of sales.
const FOLDS: u8 = 3;

/// Whether a key is that of a batch of sales.
#[must_use]
pub fn is_fold(key: &[u8]) -> bool {
    key.first() == Some(&FOLDS)
}

/// Key of a transfer by the 20 bytes of its id.
#[must_use]
pub fn id_key(id: &[u8]) -> Vec<u8> {
    [&[IDS][..], id].concat()
}

/// Key of an order's row: `1 ‖ work tag ‖ random`, so that what is owned is found by prefix.
pub fn order_key(order: &OrderId) -> Result<Vec<u8>> {
    let id = b32::decode_array::<ID_BYTES>(order.body()).map_err(|_| ErrorCode::Malformed)?;
    Ok(id_key(&id))
}

/// Keys from `.0` to below `.1` hold every order for the work.
#[must_use]
pub fn work_range(work: &WorkId) -> (Vec<u8>, Vec<u8>) {
    let low = id_key(&work_tag(work));
    let high = [&low[..], &[0xff; ID_BYTES]].concat();
    (low, high)
}

fn hashed(space: u8, id: &str) -> Vec<u8> {
    let digest = sha256(id.as_bytes());
    [&[space][..], digest.get(..ID_BYTES).unwrap_or_default()].concat()
}

/// Key of a funding, by the id its client made.
#[must_use]
pub fn fund_key(id: &str) -> Vec<u8> {
    hashed(FUNDS, id)
}

/// Key of a batch of sales.
#[must_use]
pub fn fold_key(inbox: &str, number: u64) -> Vec<u8> {
    hashed(FOLDS, &format!("{inbox}/{number}"))
}

/// Key of a sending, or of what follows from one, by its id.
#[must_use]
pub fn sending_key(id: &str) -> Vec<u8> {
    hashed(IDS, id)
}

/// The operator's only account of the version before.
pub const OLD_FEES: &str = "fees";

/// The operator's account that collects the fees of a seller's sales: one of 64, so that none is hot.
#[must_use]
pub fn fees_of(payee: &str) -> String {
    let [first, ..] = sha256(payee.as_bytes());
    format!("fees-{}", first & 63)
}

/// Whether an account is one of the operator's that collect fees.
#[must_use]
pub fn takes_fees(account: &str) -> bool {
    account.starts_with(OLD_FEES)
}

/// What others bear of a posted refund; of one from before there were collaborators, the operator.
#[must_use]
pub fn parts_of(sent: &Sending) -> Vec<Part> {
    let fee = |msat| Part {
        account: fees_of(&sent.from),
        msat,
        back: sent.fee_back,
    };
    let parts = sent.parts.clone();
    parts.unwrap_or_else(|| sent.fee_due.map(fee).into_iter().collect())
}

/// The opaque name of a purchase.
pub fn purchase_handle(key: &Key32, account: &AccountId, order: &OrderId) -> Result<String> {
    let account = b64::decode_array::<32>(account.as_str()).map_err(|_| ErrorCode::Internal)?;
    let order = b32::decode_array::<ID_BYTES>(order.body()).map_err(|_| ErrorCode::Internal)?;
    let sealed = handle::seal(key, &[&account[..], &order].concat());
    Ok(format!("pur_{}", sealed.map_err(|_| ErrorCode::Internal)?))
}

/// Account and order behind a handle; anything else is not a purchase of ours.
pub fn read_handle(key: &Key32, name: &str) -> Result<(AccountId, OrderId)> {
    let unknown = || ApiError::from(ErrorCode::NotEntitled);
    let sealed = name.strip_prefix("pur_").ok_or_else(unknown)?;
    let plain = handle::open(key, sealed).map_err(|_| unknown())?;
    let (account, order) = plain.split_first_chunk::<32>().ok_or_else(unknown)?;
    let account = AccountId::parse(&b64::encode(account)).map_err(|_| unknown())?;
    let order = OrderId::parse(&format!("{}{}", OrderId::PREFIX, b32::encode(order)));
    Ok((account, order.map_err(|_| unknown())?))
}

/// The inbox of a seller for a credit made now: `payee/day/slot`. A seller of a few sales has one a week,
/// slot 0; one whose work is sold by the dozen a second has `slots` a day, from 1. So no inbox outgrows
/// its object, though it forgets no order, and none takes more than it can.
#[must_use]
pub fn inbox_name(payee: &AccountId, now_s: u64, order: &OrderId, slots: u32) -> String {
    let today = day(now_s);
    if slots <= 1 {
        let week = today.saturating_sub(today.checked_rem(7).unwrap_or(0));
        return format!("{payee}/{week}/0");
    }
    let [.., a, b] = sha256(order.as_str().as_bytes());
    let slot = u32::from(u16::from_be_bytes([a, b])).checked_rem(slots);
    format!("{payee}/{today}/{}", slot.unwrap_or(0).saturating_add(1))
}

fn day(now_s: u64) -> u64 {
    now_s.checked_div(24 * 3_600).unwrap_or(0)
}

/// Whether an inbox may still hold sales that have not come home. Older ones are empty, or so late
/// that an audit tells.
#[must_use]
pub fn is_recent(inbox: &str, now_s: u64) -> bool {
    let from = inbox
        .split('/')
        .nth(1)
        .and_then(|day| day.parse::<u64>().ok());
    from.is_some_and(|from| from.saturating_add(15) > day(now_s))
}

/// A work as its object keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkBook {
    /// What other workers see, less the keys of unpublished versions.
    pub snapshot: WorkSnapshot,
}
satchel_json::read!(WorkBook { snapshot, .. });

impl WorkBook {
    /// Whether a repeated registration says the same.
    #[must_use]
    pub fn same_as(&self, other: &RegisterWork) -> bool {
        let Record {
            creator,
            title,
            media_type,
            terms,
            listing,
            ..
        } = &self.snapshot.record;
        *creator == other.creator
            && *title == other.title
            && *media_type == other.media_type
            && *terms == other.terms
            && *listing == other.listing
            && self.snapshot.payee == other.payee
            && self.snapshot.splits == other.splits
    }

    /// Takes in a version's wrapped keys. A published version keeps the keys it was sold with.
    pub fn take_in(&mut self, keys: VersionKeys) -> Result<()> {
        if let Some(sold) = self.snapshot.version(keys.version) {
            return if sold.manifest_digest == keys.manifest_digest {
                Ok(())
            } else {
                Err(ApiError::new(
                    ErrorCode::WorkConflict,
                    "this version is published already",
                ))
            };
        }
        self.snapshot.keys.retain(|old| old.version != keys.version);
        self.snapshot.keys.push(keys);
        Ok(())
    }
}

/// Longest name of an account or inbox that an operator may give.
const MAX_NAME_BYTES: usize = 120;
/// Longest reason of a correction, in characters.
const MAX_REASON_CHARS: usize = 200;

/// A name as an operator gives it: of an account, an inbox, or where to go on.
pub fn audited_name(name: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    if name.len() <= MAX_NAME_BYTES && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err(ApiError::new(
            ErrorCode::Malformed,
            "not the name of an account or inbox",
        ))
    }
}

/// A correction as accounts know it.
pub fn correction(correct: Correct) -> Result<Sending> {
    let malformed = |what: &str| ApiError::new(ErrorCode::Malformed, what);
    let (from, to) = (audited_name(&correct.from)?, audited_name(&correct.to)?);
    if from.is_empty() || to.is_empty() || from == to || correct.msat == Msat::ZERO {
        return Err(malformed(
            "a correction moves money from one account to another",
        ));
    }
    let reason = correct.reason;
    let plain = satchel_json::is_plain(&reason) && !reason.trim().is_empty();
    if !plain || reason.chars().count() > MAX_REASON_CHARS {
        return Err(malformed("the reason is 1 to 200 characters"));
    }
    Ok(Sending {
        id: correct.id.to_string(),
        from: correct.from,
        to: correct.to,
        msat: correct.msat,
        time: 0,
        sale: None,
        reason: Some(reason),
        parts: None,
        told: None,
        fee_due: None,
        fee_back: None,
        left: None,
    })
}

/// Lines of a journal as CSV (RFC 4180), with a head.
#[must_use]
pub fn csv(lines: &[TransferOut]) -> String {
    let mut csv = String::from(
        "line,time,kind,credit_msat,debit_msat,balance_msat,count,order,work,title\r\n",
    );
    for line in lines {
        let title = line.title.as_deref().unwrap_or_default();
        // A spreadsheet would take these for formulas.
        let formula = title.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let fields = [
            Some(line.line.to_string()),
            Some(line.time.to_string()),
            Some(line.kind.clone()),
            Some(line.credit_msat.get().to_string()),
            Some(line.debit_msat.get().to_string()),
            Some(line.balance_msat.get().to_string()),
            Some(line.count.to_string()),
            line.order.as_ref().map(|order| order.as_str().to_owned()),
            line.work.as_ref().map(|work| work.as_str().to_owned()),
        ];
        for field in fields {
            csv.push_str(&field.unwrap_or_default());
            csv.push(',');
        }
        csv.push_str(if formula { "\"'" } else { "\"" });
        csv.push_str(&title.replace('"', "\"\""));
        csv.push('"');
        csv.push_str("\r\n");
    }
    csv
}

/// The rate in force: the operator's, else the fixed test rate of a test ledger.
pub fn rate_in_force(set: Option<Rate>, test: Option<u64>, now_s: u64) -> Result<Rate> {
    const DAY_S: u64 = 86_400;
    let rate = match (set, test) {
        (Some(rate), _) => rate,
        (None, Some(usd_micros_per_btc)) => Rate {
            usd_micros_per_btc,
            time: now_s.saturating_sub(now_s.checked_rem(DAY_S).unwrap_or(0)),
            source: "test".into(),
            max_age_s: 0,
        },
        (None, None) => return Err(ErrorCode::RateStale.into()),
    };
    if rate.usd_micros_per_btc == 0 || rate.is_stale(now_s) {
        return Err(ErrorCode::RateStale.into());
    }
    Ok(rate)
}

/// Sums of an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Waiting {
    /// Sum of what the seller and collaborators get.
    pub net: Msat,
    /// Sum of the operator's share.
    pub fee: Msat,
    /// Sales.
    pub count: u64,
}
satchel_json::read!(Waiting {
    net,
    fee,
    count,
    ..
});

#[cfg(test)]
mod tests {
    use super::*;

    fn account(c: char) -> AccountId {
        AccountId::parse(&format!("{}A", c.to_string().repeat(42))).unwrap()
    }

    fn work(c: char) -> WorkId {
        WorkId::parse(&format!("wrk_{}a", c.to_string().repeat(51))).unwrap()
    }

    #[test]
    fn a_handle_names_account_and_order_to_the_ledger_alone() {
        let key = Key32::from_bytes([3; 32]);
        let order = satchel_wire::order::new_id(&work('b'), [9; 12]).unwrap();
        let name = purchase_handle(&key, &account('x'), &order).unwrap();
        assert_eq!(read_handle(&key, &name).unwrap(), (account('x'), order));
        for bad in [
            "",
            "pur_",
            "pur_AAAA",
            &name[..name.len() - 1],
            &name.replace('p', "q"),
        ] {
            assert_eq!(
                read_handle(&key, bad).unwrap_err().code,
                ErrorCode::NotEntitled,
                "{bad}"
            );
        }
        let other = Key32::from_bytes([4; 32]);
        assert_eq!(
            read_handle(&other, &name).unwrap_err().code,
            ErrorCode::NotEntitled
        );
    }

    #[test]
    fn orders_of_a_work_lie_in_its_range_and_no_others() {
        let (low, high) = work_range(&work('b'));
        for random in [[0; 12], [0xff; 12]] {
            let key = order_key(&satchel_wire::order::new_id(&work('b'), random).unwrap()).unwrap();
            assert!(low <= key && key < high);
            let key = order_key(&satchel_wire::order::new_id(&work('c'), random).unwrap()).unwrap();
            assert!(!(low <= key && key < high));
        }
    }

    #[test]
    fn without_a_fresh_rate_nothing_is_sold() {
        let set = Rate {
            usd_micros_per_btc: 1,
            time: 0,
            source: "o".into(),
            max_age_s: 10,
        };
        assert!(rate_in_force(Some(set.clone()), None, 10).is_ok());
        let stale = rate_in_force(Some(set), Some(5), 11).unwrap_err();
        assert_eq!(
            stale.code,
            ErrorCode::RateStale,
            "a stale rate is not replaced by a test rate"
        );
        assert_eq!(
            rate_in_force(None, None, 0).unwrap_err().code,
            ErrorCode::RateStale
        );
        assert_eq!(rate_in_force(None, Some(5), 0).unwrap().source, "test");
    }
}
