//! Letters to addresses outside, and waiting: for a bell, or a while.

use js_sys::{Array, Promise, Set};
use satchel_wire::Result;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::internal;

#[wasm_bindgen(inline_js = r#"
// One after another nobody would wait for: a slow receiver would hold up the others. Nothing is followed to
// another address, and nothing of an answer is read but its status.
export async function sendAll(letters, limit) {
  return Promise.all(letters.map(async ([url, headers, body]) => {
    const began = Date.now();
    try {
      const signal = AbortSignal.timeout(limit);
      const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
      await answer.body?.cancel();
      return [answer.status, Date.now() - began, ""];
    } catch (error) {
      return [0, Date.now() - began, error?.name === "TimeoutError" ? "timeout" : "network"];
    }
  }));
}

export function rest(bell, limit) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      bell.delete(end);
      done();
    };
    const timer = setTimeout(end, limit);
    bell.add(end);
  });
}

export function ring(bell) {
  for (const end of [...bell]) end();
}
"#)]
extern "C" {
    #[wasm_bindgen(js_name = sendAll)]
    fn send_all_of(letters: Array, limit: u32) -> Promise;

    fn rest(bell: &Set, limit: u32) -> Promise;

    fn ring(bell: &Set);
}

/// A letter: address, headers, body.
pub type Letter<'a> = (&'a str, &'a [(&'static str, String)], &'a str);

/// What came of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The answer's status; 0 where there was none.
    pub status: u16,
    /// How long it took.
    pub ms: u64,
    /// Why there was none: `timeout` or `network`.
    pub error: Option<String>,
}

/// Posts all letters at once; each is given up after `limit_ms`.
pub async fn send_all(letters: &[Letter<'_>], limit_ms: u32) -> Result<Vec<Sent>> {
    let all = Array::new();
    for (url, headers, body) in letters {
        let pairs = Array::new();
        for (name, value) in *headers {
            pairs.push(&Array::of2(
                &JsValue::from_str(name),
                &JsValue::from_str(value),
            ));
        }
        let (url, body) = (JsValue::from_str(url), JsValue::from_str(body));
        all.push(&Array::of3(&url, &pairs, &body));
    }
    let answers = send_all_of(all, limit_ms).await;
    let answers = answers.map_err(|error| internal(crate::js::told(&error)))?;
    let number = |value: JsValue| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a status, or milliseconds; a cast of a double saturates"
        )]
        let number = value.as_f64().unwrap_or(0.0) as u64;
        number
    };
    let told = Array::from(&answers);
    Ok(told
        .iter()
        .map(|answer| {
            let answer = Array::from(&answer);
            Sent {
                status: u16::try_from(number(answer.get(0))).unwrap_or(0),
                ms: number(answer.get(1)),
                error: answer.get(2).as_string().filter(|why| !why.is_empty()),
            }
        })
        .collect())
}

/// Many may wait for it, each for a while.
#[derive(Debug, Clone)]
pub struct Bell(Set);

impl Default for Bell {
    fn default() -> Self {
        Self(Set::new(&JsValue::UNDEFINED))
    }
}

impl Bell {
    /// How many are waiting.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.size()
    }

    /// Waits until it rings, at most so long.
    pub async fn wait(&self, limit_ms: u32) {
        // It never fails.
        let _ = rest(&self.0, limit_ms).await;
    }

    /// Wakes all who wait.
    pub fn ring(&self) {
        ring(&self.0);
    }
}

/// Waits a while.
pub async fn pause(ms: u32) {
    Bell::default().wait(ms).await;
}
