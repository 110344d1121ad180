//! What a visitor may choose to pay where the creator lets them pay more. A form that works without
//! scripts: it leads to the same page, with the choice made.

use maud::{Markup, html};

use crate::{listing, page::View, price::dollars, shown::Shown};

/// Most amounts offered, the price itself among them.
const CHOICES: usize = 5;

/// The choices: the price, what the creator suggests, and what the visitor has chosen.
pub(crate) fn choices(shown: &Shown<'_>, chosen: Option<u64>) -> Vec<u64> {
    let terms = &shown.record.terms;
    if !shown.on_sale() || !terms.pay_more {
        return Vec::new();
    }
    let least = shown.copies.due(shown.record);
    let mut all = vec![least, terms.usd_micros];
    all.extend(listing::suggested(shown.record));
    all.extend(chosen);
    all.retain(|amount| *amount >= least);
    all.sort_unstable();
    all.dedup();
    all.truncate(CHOICES.max(1));
    all
}

/// The form; nothing where the price is the price.
pub(crate) fn amounts(view: View, shown: &Shown<'_>) -> Markup {
    let all = choices(shown, view.amount);
    let (lang, many) = (view.lang, all.len() > 1);
    let picked = view.amount.or(all.first().copied());
    html! {
        @if many {
            form #amount method="get" action={ "/w/" (shown.record.work) } {
                fieldset {
                    legend { (lang.amount()) }
                    p .hint { (lang.amount_hint()) }
                    div .amounts {
                        @for amount in all {
                            label {
                                input type="radio" name="amount" value=(amount) checked[picked == Some(amount)];
                                span { (if amount == 0 { lang.free().to_owned() } else { dollars(lang, amount) }) }
                            }
                        }
                    }
                }
                noscript { button .button.compact { (lang.choose_price()) } }
            }
        }
    }
}
