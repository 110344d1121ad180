//! What an address asks of a page.

use crate::{
    lang::Lang,
    page::{Kind, LAYOUTS, THEMES, View, one_of},
    urls::decoded,
};

/// The parameters of an address, as sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    /// The first value of that name, as sent.
    pub(crate) fn raw(self, name: &str) -> Option<&'a str> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// The first value of that name.
    pub(crate) fn get(self, name: &str) -> Option<String> {
        self.raw(name).and_then(decoded)
    }

    /// How a page is asked for. `accepted` is `Accept-Language`, asked for only where the address names no language.
    pub(crate) fn view(self, kind: Kind, accepted: impl FnOnce() -> Option<String>) -> View {
        let lang = match self.raw("lang").and_then(Lang::of_tag) {
            Some(lang) => lang,
            None => Lang::choose(None, accepted().as_deref()),
        };
        View {
            kind,
            lang,
            layout: one_of(LAYOUTS, self.raw("layout")),
            theme: one_of(THEMES, self.raw("theme")),
            amount: self.raw("amount").and_then(|amount| amount.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_as_if_it_were_not_there() {
        let plain = Query("").view(Kind::Frame, || None);
        for query in [
            "layout=x&theme=&lang=fr&amount=-1",
            "layout",
            "=&&=",
            "amount=99999999999999999999",
        ] {
            assert_eq!(Query(query).view(Kind::Frame, || None), plain, "{query}");
        }
        let asked = Query("amount=500000&layout=player&theme=dark&lang=de&theme=light");
        let view = asked.view(Kind::Work, || panic!("the address names the language"));
        assert_eq!(
            (view.lang, view.layout, view.theme, view.amount),
            (Lang::De, "player", "dark", Some(500_000))
        );
    }
}
