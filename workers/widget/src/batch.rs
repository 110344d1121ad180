//! The cards of up to fifty works for one page: read by widget.js before anybody reaches for the frame.
//!
//! It is a document rather than an answer to `fetch`, so that a page with a strict policy needs to allow
//! no more than it allows for the frame. It hands its data to the page around and is thrown away.

use satchel_crypto::sha256;
use satchel_json::{Value, to_string};
use satchel_wire::api::Record;

use crate::{lang::Lang, query::Query, shown::Shown, site::BATCH_JS};

/// Most works of one batch.
pub(crate) const MOST: usize = 50;

/// The works that are asked for: each once, and no more than there may be.
pub(crate) fn works(query: Query<'_>) -> Vec<String> {
    let list = query.get("works").unwrap_or_default();
    let mut works: Vec<String> = Vec::new();
    for work in list.split(',').filter(|work| !work.is_empty()) {
        if works.len() < MOST && !works.iter().any(|known| known == work) {
            works.push(work.to_owned());
        }
    }
    works
}

/// What a card shows: text, all of it.
pub(crate) fn card(lang: Lang, work: &str, record: Option<&Record>) -> Value<'static> {
    let text = |text: &str| Value::from(text.to_owned());
    let shown = record.map(|record| Shown::of(record, lang));
    let (title, price, note, action, kind, state) = match &shown {
        None => (
            lang.unknown(),
            String::new(),
            lang.unknown_next().to_owned(),
            None,
            "file",
            "none",
        ),
        Some(shown) => {
            let left = shown.left(false).map(|left| format!("· {left}"));
            let notes = [shown.money().to_owned(), left.unwrap_or_default()];
            let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
            let note = if shown.on_sale() {
                notes.join(" ")
            } else {
                shown.says.to_owned()
            };
            let price = shown.price.clone().unwrap_or_default();
            (
                shown.title,
                price,
                note,
                shown.action(),
                shown.kind(),
                shown.state,
            )
        }
    };
    // A space that keeps the note apart from the price.
    let note = if note.is_empty() {
        note
    } else {
        format!(" {note}")
    };
    Value::Object(vec![
        ("work".into(), text(work)),
        ("state".into(), text(state)),
        ("title".into(), text(title)),
        ("price".into(), text(&price)),
        ("note".into(), text(&note)),
        ("action".into(), text(&action.unwrap_or_default())),
        ("kind".into(), text(kind)),
        ("dir".into(), text("ltr")),
    ])
}

/// The document. `<` is written so that no title ends the element it stands in.
pub(crate) fn document(cards: Vec<Value<'static>>) -> String {
    let data = to_string(&Value::List(cards)).unwrap_or_default();
    let data = data.replace('<', "\\u003c");
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Satchel</title><script type=\"application/json\" id=\"cards\">{data}</script><script>{BATCH_JS}</script>"
    )
}

/// Its policy: the one script, by its hash, and nothing else at all.
pub(crate) fn policy() -> String {
    let hash = base64(&sha256(BATCH_JS.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    )
}

/// With the alphabet and the padding of RFC 4648 §4, as policies are written.
fn base64(bytes: &[u8]) -> String {
    let mut text = satchel_crypto::b64::encode(bytes)
        .replace('-', "+")
        .replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{WORK, record};

    fn read(lang: Lang, record: Option<&Record>) -> serde_json::Value {
        serde_json::from_str(&to_string(&card(lang, WORK, record)).unwrap()).unwrap()
    }

    #[test]
    fn a_card_says_what_the_frame_says() {
        let record = record("published", "Song");
        let said = read(Lang::En, Some(&record));
        assert_eq!(
            said,
            serde_json::json!({"work": WORK, "state": "published", "title": "Song", "price": "$0.25",
                "note": "", "action": "Buy $0.25", "kind": "audio", "dir": "ltr"})
        );
        let said = read(Lang::De, Some(&record));
        assert_eq!(said["action"], "Für 0,25\u{a0}$ kaufen");
    }

    #[test]
    fn what_cannot_be_bought_says_why() {
        for (state, title, action) in [
            ("draft", "Song", ""),
            ("unpublished", "Song", "Open"),
            ("taken_down", "Taken down", ""),
        ] {
            let said = read(Lang::En, Some(&record(state, "Song")));
            assert_eq!(said["title"], title);
            assert_eq!(
                (&said["price"], &said["action"]),
                (&"".into(), &action.into()),
                "{state}"
            );
            assert!(said["note"].as_str().unwrap().ends_with('.'), "{said}");
        }
        let said = read(Lang::En, None);
        assert_eq!(
            (&said["title"], &said["action"]),
            (&"There is no such work".into(), &"".into())
        );
    }

    #[test]
    fn no_title_ends_the_element_it_stands_in() {
        let record = record("published", "</script><script>alert(1)</script><!--");
        let page = document(vec![card(Lang::En, WORK, Some(&record))]);
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert!(!page.contains("<!--"));
    }

    #[test]
    fn fifty_are_asked_for_and_each_once() {
        let many: Vec<String> = (0..60).map(|i| format!("w{i}")).collect();
        assert_eq!(
            works(Query(&format!("works={}", many.join("%2C")))).len(),
            MOST
        );
        assert_eq!(works(Query("works=a,b,a,,b")), ["a", "b"]);
        assert!(works(Query("works=")).is_empty() && works(Query("")).is_empty());
    }

    #[test]
    fn the_policy_names_the_script_by_its_hash() {
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
        assert!(policy().contains("script-src 'sha256-"));
        assert!(!BATCH_JS.contains("</script"));
    }
}
