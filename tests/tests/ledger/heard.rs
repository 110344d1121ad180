//! A creator's shop, as another worker keeps it: each batch of a source once, in order, and nothing twice.

use satchel_edge::{Table, Value};
use satchel_ledger_worker::host::{Host, Tables, decode, encode};
use satchel_wire::{Result, api::Done, shop::ShopSales};

use crate::{checks::int, engine::Sim, host::Life};

const fn table(name: &'static str) -> Table {
    Table {
        name,
        create: "",
        get: "",
        scan: "",
        put: "",
        delete: "",
        state: 0,
        tally: "",
        open: "",
    }
}

/// Sources by name, with the number of their last batch.
pub static SOURCES: Table = table("sources");
/// Orders and refunds by id, with their amounts.
pub static HEARD: Table = table("heard");
/// The shop.
pub static SHOP: &[&Table] = &[&SOURCES, &HEARD];

/// `POST /internal/shops/{creator}/sales`.
pub async fn serve(host: &Life, sim: std::rc::Rc<Sim>, body: &[u8]) -> Result<Vec<u8>> {
    let news: ShopSales = decode(body)?;
    host.transact(move |tables| {
        let source = news.source.as_bytes();
        let known = tables.get(&SOURCES, source)?.map_or(0, |row| int(&row, 0));
        if news.number <= known {
            return Ok(());
        }
        if news.number != known + 1 || news.sales.len() + news.refunds.len() == 0 {
            let (source, number) = (&news.source, news.number);
            sim.violate(format!("a shop heard {number} after {known} of {source}"));
        }
        let sales = news.sales.iter();
        let sales = sales.map(|sale| (sale.order.to_string(), sale.msat.get()));
        let refunds = news.refunds.iter();
        let refunds = refunds.map(|one| (one.refund.to_string(), one.msat.get()));
        for (id, msat) in sales.chain(refunds) {
            if tables.get(&HEARD, id.as_bytes())?.is_some() {
                sim.violate(format!("a shop heard of {id} twice"));
            }
            tables.put(&HEARD, id.as_bytes(), vec![Value::Int(msat)])?;
        }
        tables.put(&SOURCES, source, vec![Value::Int(news.number)])
    })
    .await?;
    encode(&Done { done: true })
}
