//! What the ledger's objects keep, and how a stored row becomes an answer. Pure.

use satchel_crypto::{Key32, b32, b64, handle, sha256};
use satchel_domain::{
    id::{AccountId, OrderId, WorkId},
    money::{Msat, Rate},
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::Record,
    internal::{Credit, RegisterWork, Transfer, VersionKeys, WorkSnapshot},
    order::work_tag,
};
use serde::Serialize;

/// Bytes of an order's or funding's id.
pub const ID_BYTES: usize = 20;
/// Most undelivered credits an account may hold before it takes no further orders.
pub const MAX_OUTBOX: usize = 512;
/// Credits delivered in one request: some 200 bytes each, far below what an object reads at once.
pub const BATCH: usize = 128;
/// Most keys an account may have delegated at once.
pub const MAX_DELEGATIONS: u64 = 64;
/// Length of an inbox epoch: a closed inbox still answers late deliveries and never grows again.
pub const EPOCH_S: u64 = 30 * 24 * 3_600;
/// Purchases on a page.
pub const PAGE: u64 = 50;
/// Most test money one request may give, millisatoshi ($100 at the fixed test rate).
pub const MAX_TEST_MONEY: u64 = 100_000_000;
/// The account that collects the operator's share.
pub const FEES: &str = "fees";

/// What a row of `transfers` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A debit for a work.
    Purchase = 1,
    /// A work owned already, issued to another key: moves nothing.
    Reissue = 2,
    /// Test money in.
    Fund = 3,
    /// Sales folded in by an inbox.
    Fold = 4,
}

/// The body of a purchase or re-issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What receipts are made of.
    pub transfer: Transfer,
    /// Where the credit goes; `None` for a re-issue.
    pub credit: Option<OutCredit>,
}
satchel_json::read!(Entry {
    transfer,
    credit,
    ..
});

/// A credit with the inbox chosen for it: chosen once, so that a retry never chooses again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutCredit {
    /// Name of the inbox.
    pub inbox: String,
    /// The credit.
    pub credit: Credit,
}
satchel_json::read!(OutCredit { inbox, credit, .. });

/// First byte of a row's key: orders and re-issues share a space, so that an id is used once.
fn space(kind: Kind) -> u8 {
    match kind {
        Kind::Purchase | Kind::Reissue => 1,
        Kind::Fund => 2,
        Kind::Fold => 3,
    }
}

/// Key of an order's row: `1 ‖ work tag ‖ random`, so that what is owned is found by prefix.
pub fn order_key(order: &OrderId) -> Result<Vec<u8>> {
    let id = b32::decode_array::<ID_BYTES>(order.body()).map_err(|_| ErrorCode::Malformed)?;
    Ok([&[space(Kind::Purchase)][..], &id].concat())
}

/// Keys from `.0` to below `.1` hold every order for the work.
#[must_use]
pub fn work_range(work: &WorkId) -> (Vec<u8>, Vec<u8>) {
    let low = [&[space(Kind::Purchase)][..], &work_tag(work)].concat();
    let high = [&low[..], &[0xff; ID_BYTES]].concat();
    (low, high)
}

/// Key of any other row, by the id its client made.
#[must_use]
pub fn other_key(kind: Kind, id: &str) -> Vec<u8> {
    let digest = sha256(id.as_bytes());
    [
        &[space(kind)][..],
        digest.get(..ID_BYTES).unwrap_or_default(),
    ]
    .concat()
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

/// The inbox of a seller for a credit made now.
#[must_use]
pub fn inbox_name(payee: &AccountId, now_s: u64, order: &OrderId, slots: u64) -> String {
    let last = order.body().bytes().next_back().unwrap_or(0);
    let slot = u64::from(last).checked_rem(slots).unwrap_or(0);
    format!("{payee}/{}/{slot}", epoch(now_s))
}

/// The epoch of a moment.
#[must_use]
pub fn epoch(now_s: u64) -> u64 {
    now_s.checked_div(EPOCH_S).unwrap_or(0)
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
            ..
        } = &self.snapshot.record;
        *creator == other.creator
            && *title == other.title
            && *media_type == other.media_type
            && *terms == other.terms
            && self.snapshot.payee == other.payee
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

/// What an inbox holds that has not reached home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Waiting {
    /// Sum of what the seller gets.
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

impl Waiting {
    /// With one more credit.
    pub fn with(self, credit: &Credit) -> Result<Self> {
        Ok(Self {
            net: self.net.plus(credit.gross.minus(credit.fee)?)?,
            fee: self.fee.plus(credit.fee)?,
            count: self.count.saturating_add(1),
        })
    }
}

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

    #[test]
    fn an_inbox_adds_up_net_and_fee() {
        let order = satchel_wire::order::new_id(&work('b'), [9; 12]).unwrap();
        let (gross, fee) = (Msat::new(100).unwrap(), Msat::new(5).unwrap());
        let credit = Credit {
            payee: account('x'),
            order,
            gross,
            fee,
            time: 0,
        };
        let two = Waiting::default()
            .with(&credit)
            .unwrap()
            .with(&credit)
            .unwrap();
        assert_eq!((two.net.get(), two.fee.get(), two.count), (190, 10, 2));
    }
}
