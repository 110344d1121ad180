//! Coming by the key of a work: from a receipt in the wallet, from an order that was sent before,
//! or from a new one the buyer agrees to.

use std::{thread, time::Duration};

use satchel_crypto::{
    b64,
    ed25519::{Software, at_once},
};
use satchel_domain::{
    id::{OrderId, WorkId},
    money::Msat,
    terms::Use,
};
use satchel_format::{ContentKey, Satchel};
use satchel_wire::{
    api::OrderStatus,
    jose,
    order::{self, Cnf, Order},
    receipt::{self, Receipt},
};

use crate::{
    answers::{Ordered, Quote, Record, VersionRecord},
    clock,
    fail::{Exit, Failure, Result},
    issuer::{Issuer, signing_failed},
    money, say,
    wallet::{Bought, Wallet},
};

/// How long a signed order may still be accepted, seconds: twice a quote's life.
const ORDER_LIFE_S: u64 = 600;
/// How often an undecided order is asked about, and how long apart.
const POLLS: u32 = 20;
const POLL_PAUSE: Duration = Duration::from_millis(500);
/// Refusals that come after the look-up of known order ids (docs/API.md §4): the order was not
/// accepted and never will be.
const NOT_ACCEPTED: [&str; 12] = [
    "order_conflict",
    "delegation_expired",
    "scope_missing",
    "wrong_key",
    "own_work",
    "order_expired",
    "quote_expired",
    "quote_invalid",
    "cap_exceeded",
    "insufficient_balance",
    "not_published",
    "sold_out",
];

/// An order that was posted.
struct Sent {
    /// With its receipt.
    bought: Bought,
    /// Whether the work was owned by another order, so that nothing was paid for this one.
    owned: bool,
    /// Whether it had been posted before.
    replayed: bool,
}

/// What the buyer has agreed to beforehand.
#[derive(Debug, Clone, Copy)]
pub struct Consent {
    /// Most that may be paid, in millionths of a dollar.
    pub max_price: Option<u64>,
    /// Pay without asking.
    pub yes: bool,
}

/// A key, and the purchase it came with.
#[derive(Debug)]
pub struct Got {
    /// The key, not yet compared with the manifest's commitment.
    pub key: ContentKey,
    /// The order behind it.
    pub order: OrderId,
    /// What was bought, and its receipt.
    pub bought: Bought,
    /// Whether anything was paid just now.
    pub paid: bool,
}

/// Buys one work, whose file agrees with its issuer's record.
#[derive(Debug)]
pub struct Buyer<'a> {
    consent: Consent,
    satchel: &'a Satchel,
    issuer: Issuer,
    wallet: Wallet,
}

impl<'a> Buyer<'a> {
    /// The satchel must have been verified, and the issuer be one the wallet trusts.
    #[must_use]
    pub fn new(consent: Consent, satchel: &'a Satchel, issuer: Issuer, wallet: Wallet) -> Self {
        Self {
            consent,
            satchel,
            issuer,
            wallet,
        }
    }

    /// The key: by a receipt in the wallet, by an order that was sent before, or by a new order.
    pub fn get(mut self, record: &Record, version: &VersionRecord) -> Result<Got> {
        let manifest = self.satchel.manifest();
        let known = self
            .wallet
            .order_for(self.issuer.origin(), &manifest.work, manifest.version);
        if let Some((order, bought)) = known
            && let Some(got) = self.again(order, bought)?
        {
            return Ok(got);
        }
        if record.version != version.version {
            let what = format!(
                "this file is version {}, and version {} is what is sold now",
                version.version, record.version
            );
            let newest = record.versions.iter().find(|v| v.version == record.version);
            let url = newest.map_or(String::new(), |newest| format!(" Get it at {}", newest.url));
            return Err(Failure::new(Exit::BadFile, what)
                .code("old_version")
                .next(format!("Nothing was paid.{url}")));
        }
        self.buy()
    }

    /// By an order of an earlier run; `None` where a new one is needed.
    fn again(&mut self, order: OrderId, bought: Bought) -> Result<Option<Got>> {
        if let Some(receipt) = &bought.receipt {
            match self.issuer.content_key(receipt, self.wallet.device()) {
                Ok(key) => {
                    return Ok(Some(Got {
                        key,
                        order,
                        bought,
                        paid: false,
                    }));
                }
                // Not this receipt (any more): the order brings a new one.
                Err(failure) if failure.is("receipt_invalid") || failure.is("wrong_key") => {}
                // Refunded, so it may be bought again. Should it be owned after all, the ledger
                // says so to the new order and takes nothing.
                Err(failure) if failure.is("not_entitled") => {
                    self.wallet.forget(&order)?;
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            }
        }
        // It may not have arrived, and would then be paid now: what is agreed to now counts.
        let most = self.consent.max_price;
        if most.is_some_and(|most| bought.receipt.is_none() && bought.usd_micros > most) {
            let price = money::usd(bought.usd_micros);
            let what = format!("an order for {price} was sent before, and may have arrived");
            return Err(Failure::new(Exit::Guarded, what)
                .code("price_too_high")
                .next("Nothing was sent now. With that --max-price it is asked about."));
        }
        match self.send(&order, bought) {
            Ok(sent) => {
                let paid = !sent.owned && !sent.replayed;
                self.with_key(order, sent.bought, paid).map(Some)
            }
            // It was never accepted, so nothing was paid for it: begin anew.
            Err(failure) if self.settle(&order, &failure)? => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn buy(mut self) -> Result<Got> {
        let quote = self.issuer.quote(&self.satchel.manifest().work)?;
        self.check_quote(&quote)?;
        self.agree(&quote)?;
        let (order, bought) = self.sign(&quote)?;
        // On disk before it is sent: whatever happens now, this same order is what is sent again.
        self.wallet.keep(order.clone(), bought.clone())?;
        match self.send(&order, bought) {
            // A repetition within this very run is still this run's payment.
            Ok(sent) => self.with_key(order, sent.bought, !sent.owned),
            Err(failure) => {
                self.settle(&order, &failure)?;
                if failure.is("sold_out") {
                    return Err(failure.next(
                        "Somebody was faster. Nothing was paid. Run the same command again to see \
                         whether there are copies at another price.",
                    ));
                }
                if failure.exit == Exit::NoAnswer {
                    return Err(failure.next(
                        "It is not known whether the order arrived. Run the same command again: \
                         the same order is sent, and never paid twice.",
                    ));
                }
                Err(failure)
            }
        }
    }

    /// What will be signed must be what is shown.
    fn check_quote(&self, quote: &Quote) -> Result<()> {
        let manifest = self.satchel.manifest();
        let digest = b64::encode(&satchel_crypto::sha256(quote.terms.canonical().as_bytes()));
        // A copy of a giveaway.
        let free =
            quote.terms.giveaway.is_some() && quote.usd_micros == 0 && quote.msat == Msat::ZERO;
        let fits = quote.work.as_str() == manifest.work.as_str()
            && u64::from(quote.version) == manifest.version
            && quote.terms_digest.as_str() == digest
            && (quote.usd_micros == quote.terms.usd_micros || free)
            && quote.terms.usage == Use::Download;
        if fits {
            Ok(())
        } else {
            Err(
                Failure::new(Exit::BadFile, "the issuer's quote is for something else")
                    .code("record_mismatch")
                    .next("Nothing was paid."),
            )
        }
    }

    /// The buyer's consent: within --max-price, and said by --yes or on the terminal.
    fn agree(&self, quote: &Quote) -> Result<()> {
        let price = format!(
            "{} ({}{})",
            money::usd(quote.usd_micros),
            money::bits(quote.msat),
            money::mark(quote.ledger)
        );
        let packed = self.satchel.manifest().terms.usd_micros;
        let most = self.consent.max_price;
        if most.is_some_and(|most| quote.usd_micros > most) {
            return Err(too_much(&price, "your --max-price"));
        }
        if !self.consent.yes {
            let title = say::plain(&self.satchel.manifest().title);
            let origin = self.issuer.origin();
            let question = match quote.usd_micros {
                0 => format!("Get “{title}” from {origin}, free?"),
                _ => format!("Pay {price} to {origin} for “{title}”?"),
            };
            return match say::confirm(&question) {
                Some(true) => Ok(()),
                Some(false) => Err(Failure::new(Exit::Guarded, "not bought").code("not_confirmed")),
                None => Err(Failure::new(Exit::Guarded, format!("the price is {price}"))
                    .code("not_confirmed")
                    .next("Nothing was paid. Add --yes to pay it, and --max-price to be safe.")),
            };
        }
        // --yes alone agrees to the price on the file's own tag, not to whatever it may be now.
        if most.is_none() && quote.usd_micros > packed {
            return Err(too_much(
                &price,
                &format!("the {} on the file", money::usd(packed)),
            ));
        }
        Ok(())
    }

    fn sign(&self, quote: &Quote) -> Result<(OrderId, Bought)> {
        let manifest = self.satchel.manifest();
        let work = WorkId::parse(manifest.work.as_str()).map_err(|_| signing_failed())?;
        let id = order::new_id(&work, clock::random()?).map_err(|_| signing_failed())?;
        let device = self.wallet.device_jkt()?;
        let now = clock::now_s();
        let claims = Order {
            aud: self.issuer.origin().to_string(),
            order: id.clone(),
            account: self.wallet.account()?,
            work,
            version: quote.version,
            terms_digest: quote.terms_digest.clone(),
            usd_micros: quote.usd_micros,
            msat: quote.msat,
            quote: quote.quote.clone(),
            cnf: Cnf {
                jkt: device.clone(),
            },
            iat: now,
            exp: now.saturating_add(ORDER_LIFE_S),
            ledger: quote.ledger,
        };
        let key = self.wallet.device();
        let signed = jose::sign(key, order::TYP, Some(device.as_str()), None, &claims)
            .map_err(|_| signing_failed())?;
        let bought = Bought {
            issuer: self.issuer.origin().clone(),
            work: manifest.work.clone(),
            version: manifest.version,
            order: signed,
            usd_micros: quote.usd_micros,
            msat: quote.msat,
            ledger: quote.ledger,
            time: now,
            receipt: None,
        };
        Ok((id, bought))
    }

    /// Sends a stored order, waits until it is decided, verifies the receipt and keeps it.
    fn send(&mut self, id: &OrderId, mut bought: Bought) -> Result<Sent> {
        let order = bought.order.clone();
        let mut answer: Ordered = self
            .issuer
            .delegated(&mut self.wallet, |issuer, _| issuer.order(&order))?;
        // An order that waits to be decided is paid in this run, if it is paid.
        let replayed = answer.replayed.unwrap_or(false);
        for _ in 0..POLLS {
            if answer.status == OrderStatus::Posted {
                break;
            }
            thread::sleep(POLL_PAUSE);
            // Sending it again is asking: the answer is the same once there is one.
            answer = self.issuer.order(&order)?;
        }
        let receipt = answer
            .receipt
            .filter(|_| answer.status == OrderStatus::Posted);
        let Some(receipt) = receipt else {
            return Err(
                Failure::new(Exit::NoAnswer, "the issuer has not decided this order yet")
                    .next("Run the same command again in a while: it is never paid twice."),
            );
        };
        let owned = answer.owned.unwrap_or(false);
        self.check_receipt(&receipt, &bought, owned)?;
        bought.receipt = Some(receipt);
        self.wallet.keep(id.clone(), bought.clone())?;
        Ok(Sent {
            bought,
            owned,
            replayed,
        })
    }

    /// Verifies the receipt with the issuer's published keys, and that it is for this purchase.
    fn check_receipt(&self, token: &str, bought: &Bought, owned: bool) -> Result<()> {
        let other = || {
            Failure::new(
                Exit::Refused,
                "the issuer's receipt is not one for this order",
            )
            .code("receipt_invalid")
        };
        let jwks = self.issuer.jwks()?;
        let issuer = self.issuer.origin().as_str();
        let receipt: Receipt = at_once(receipt::verify(&Software, token, issuer, &jwks))
            .ok_or_else(other)?
            .map_err(|_| other())?;
        let manifest = self.satchel.manifest();
        let fits = receipt.work.as_str() == manifest.work.as_str()
            && receipt.cnf.jkt == self.wallet.device_jkt()?
            && receipt.ledger == bought.ledger;
        // An owned work's receipt speaks of the order it was bought with, at the price of then.
        let price = receipt.msat == bought.msat && receipt.usd_micros == bought.usd_micros;
        if !fits || (!owned && !price) {
            return Err(other());
        }
        if owned && u64::from(receipt.version) != manifest.version {
            let what = format!("you own version {} of this work", receipt.version);
            return Err(Failure::new(Exit::BadFile, what)
                .code("old_version")
                .next("Nothing was paid. Open the file of that version."));
        }
        let same = u64::from(receipt.version) == manifest.version
            && receipt.manifest_digest.as_str() == b64::encode(self.satchel.signed().digest());
        if same { Ok(()) } else { Err(other()) }
    }

    /// Forgets an order that is known not to have been accepted; says whether it was.
    fn settle(&mut self, order: &OrderId, failure: &Failure) -> Result<bool> {
        let settled = NOT_ACCEPTED.iter().any(|code| failure.is(code));
        if settled {
            self.wallet.forget(order)?;
        }
        // These say "too late", and nothing else was wrong: a new order may do.
        let late = ["order_expired", "quote_expired", "sold_out"];
        Ok(late.iter().any(|code| failure.is(code)))
    }

    fn with_key(&self, order: OrderId, bought: Bought, paid: bool) -> Result<Got> {
        let receipt = bought.receipt.as_deref().unwrap_or_default();
        let key = self.issuer.content_key(receipt, self.wallet.device())?;
        Ok(Got {
            key,
            order,
            bought,
            paid,
        })
    }
}

fn too_much(price: &str, limit: &str) -> Failure {
    Failure::new(
        Exit::Guarded,
        format!("the price is {price}, more than {limit}"),
    )
    .code("price_too_high")
    .next("Nothing was paid. A higher --max-price allows it.")
}
