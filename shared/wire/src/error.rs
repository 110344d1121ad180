//! Errors as the outside sees them: RFC 9457 problem details with a stable `code`.

use std::{borrow::Cow, ops::Deref};

use satchel_domain::{ledger::Reject, money::OutOfRange, work::WorkState};
use satchel_json::{Error, Members as Json, Slot, Value};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// A result whose error can be answered to a client.
pub type Result<T> = std::result::Result<T, ApiError>;

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal, $next:literal;)*) => {
        /// Every code of docs/API.md §4. Codes are never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $title] $variant,)*
        }

        impl ErrorCode {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// One sentence for a person.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What to do next; empty where there is nothing to do.
            #[must_use]
            pub const fn next(self) -> &'static str {
                match self { $(Self::$variant => $next,)* }
            }
        }
    };
}

codes! {
    Malformed = "malformed", 400, "The request is not of the documented shape.", "Compare it with docs/API.md.";
    QuoteInvalid = "quote_invalid", 400, "This quote was altered or is for something else.", "Ask for a new quote.";
    WebhookRefused = "webhook_refused", 400, "A webhook can't have this address.", "Name a public host by https.";
    BadSignature = "bad_signature", 401, "The signature does not verify.", "Sign it again with the right key.";
    ProofRequired = "proof_required", 401, "A proof of possession is needed.", "Send a DPoP header (RFC 9449).";
    ProofInvalid = "proof_invalid", 401, "The proof of possession is not for this request.", "Make a new proof; check your clock.";
    ReceiptInvalid = "receipt_invalid", 401, "This is not a receipt of this issuer.", "Use the receipt as it was issued.";
    CapabilityInvalid = "capability_invalid", 401, "This capability is not for this session.", "Open a new session.";
    CapabilityExpired = "capability_expired", 401, "This capability has expired.", "Open a new session.";
    CapabilityElsewhere = "capability_elsewhere", 403, "This capability is for another session or another shop.", "Use the one of this session.";
    PaymentRequired = "payment_required", 402, "This has to be paid for first.", "Pay as the headers say, or buy it in the wallet.";
    PaymentInvalid = "payment_invalid", 402, "This payment is not for this address.", "Pay what is asked now.";
    InsufficientBalance = "insufficient_balance", 402, "There is not enough in the wallet.", "Add money, then approve again.";
    WrongKey = "wrong_key", 403, "This key may not act here.", "Use the key this was issued for.";
    DelegationExpired = "delegation_expired", 403, "This device's permission has ended.", "Open the wallet and sign in again.";
    ScopeMissing = "scope_missing", 403, "This key is not allowed to do that.", "Ask the wallet for a wider permission.";
    CapExceeded = "cap_exceeded", 403, "This is more than this key may spend.", "Approve it in the wallet.";
    NotEntitled = "not_entitled", 403, "There is no purchase behind this receipt.", "Buy the work first.";
    HlsNotAllowed = "hls_not_allowed", 403, "The creator has not allowed this work for other players.", "Play it on its page.";
    StreamingOnly = "streaming_only", 403, "This work can be played, not downloaded.", "Open a streaming session.";
    NotFound = "not_found", 404, "There is nothing here.", "Check the address.";
    UnknownWork = "unknown_work", 404, "There is no such work.", "Check the link.";
    UnknownSale = "unknown_sale", 404, "This account made no such sale.", "Check the purchase's handle.";
    UnknownUpload = "unknown_upload", 404, "There is no such upload.", "Begin a new upload.";
    UnknownWebhook = "unknown_webhook", 404, "There is no such webhook, or no such delivery.", "Read the list again.";
    MethodNotAllowed = "method_not_allowed", 405, "This method is not allowed here.", "";
    OrderConflict = "order_conflict", 409, "This order id was used for something else.", "Make a new order id.";
    OrderExpired = "order_expired", 409, "This order has expired.", "Sign a new order.";
    OrderPending = "order_pending", 409, "This order is not decided yet.", "Send the same order again in a moment; it is never charged twice.";
    SoldOut = "sold_out", 409, "There are no more copies.", "Ask for a new quote: there may be copies at another price.";
    RefundConflict = "refund_conflict", 409, "This refund was made with other content.", "Give the next refund a new number.";
    RefundExceeds = "refund_exceeds", 409, "This is more than is left of what was paid.", "Refund less.";
    RefundUnfunded = "refund_unfunded", 409, "The seller's balance is too small for this refund.", "Add money, then send the same refund again.";
    QuoteExpired = "quote_expired", 409, "The price was only held for a few minutes.", "Ask for a new quote.";
    WorkConflict = "work_conflict", 409, "This work was registered differently.", "Make a new work.";
    NotReady = "not_ready", 409, "The work's bytes or its key are still missing.", "Finish the upload, then publish.";
    NotPublished = "not_published", 409, "This work is not on sale yet.", "Come back later.";
    NotStreaming = "not_streaming", 409, "This work is downloaded, not streamed.", "Ask for its key.";
    ProofReplayed = "proof_replayed", 409, "This proof of possession was used before.", "Make a new proof for every request.";
    OwnWork = "own_work", 409, "This is your own work.", "You need not buy it.";
    WebhookLimit = "webhook_limit", 409, "This shop has as many webhooks as it can have.", "Delete one first.";
    WebhookDisabled = "webhook_disabled", 409, "This webhook is switched off: it failed for too long.", "Switch it on first.";
    SessionEnded = "session_ended", 410, "This session has ended.", "Open a new session.";
    UploadEnded = "upload_ended", 410, "This upload has ended.", "Publish what is stored, or begin a new upload.";
    WorkUnpublished = "work_unpublished", 410, "The creator has withdrawn this work.", "";
    BodyTooLarge = "body_too_large", 413, "The request is too large.", "Send less.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be JSON.", "Send Content-Type: application/json.";
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The file has no such bytes.", "Ask for bytes within the file.";
    MisdirectedRequest = "misdirected_request", 421, "This host is not served here.", "Use the address of the issuer.";
    WindowLimit = "window_limit", 429, "Too far ahead of what may be played by now.", "Wait, then ask again.";
    TooMany = "too_many", 429, "Too many requests.", "Wait, then ask again.";
    WorkTakenDown = "work_taken_down", 451, "This work was taken down after a notice.", "";
    Internal = "internal", 500, "Something went wrong on our side.", "Try again; nothing was charged twice.";
    FormatUnknown = "format_unknown", 501, "There is no such form of this document.", "Ask with format=json or format=xml.";
    RateStale = "rate_stale", 503, "There is no fresh exchange rate.", "Try again in a few minutes.";
    Unavailable = "unavailable", 503, "A part of the service is not answering.", "Try again; nothing was lost.";
}

/// Members that belong to one code only.
pub type Members = Vec<(Cow<'static, str>, Value<'static>)>;

/// An error on its way to a client: a code and what helps to understand it. Never a secret.
// Boxed: every function passes it on, and what is moved at each of those places is code.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError(Box<Told>);

/// What an [`ApiError`] tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The stable code.
    pub code: ErrorCode,
    /// What exactly, in plain words.
    pub detail: Option<String>,
    /// Seconds after which to try again.
    pub retry_after_s: Option<u64>,
    /// Further members of the problem document.
    pub extra: Members,
}

impl Deref for ApiError {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl ApiError {
    /// An error with a detail.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::detailed(code, detail.into())
    }

    fn detailed(code: ErrorCode, detail: String) -> Self {
        let mut error = Self::from(code);
        error.0.detail = Some(detail);
        error
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value<'static>>) -> Self {
        self.0.extra.push((name.into(), value.into()));
        self
    }

    /// A further member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value<'static>> {
        let mut members = self.extra.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// With a time to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// The problem document.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!("urn:satchel:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            next: Some(self.code.next().to_owned()).filter(|next| !next.is_empty()),
            retry_after_s: self.retry_after_s,
            extra: self.extra.clone(),
        }
    }
}

impl From<ErrorCode> for ApiError {
    #[cold]
    fn from(code: ErrorCode) -> Self {
        Self(Box::new(Told {
            code,
            detail: None,
            retry_after_s: None,
            extra: Vec::new(),
        }))
    }
}

/// `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// `urn:satchel:problem:CODE`.
    pub kind: String,
    /// One sentence for a person.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable name.
    pub code: String,
    /// What exactly.
    pub detail: Option<String>,
    /// What to do next.
    pub next: Option<String>,
    /// Seconds to wait.
    pub retry_after_s: Option<u64>,
    /// Members of this code.
    pub extra: Members,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("code", &self.code)?;
        for (name, text) in [("detail", &self.detail), ("next", &self.next)] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        if let Some(seconds) = self.retry_after_s {
            map.serialize_entry("retry_after_s", &seconds)?;
        }
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Slot for Problem {
    fn blank() -> Self {
        Self {
            kind: String::new(),
            title: String::new(),
            status: 0,
            code: String::new(),
            detail: None,
            next: None,
            retry_after_s: None,
            extra: Vec::new(),
        }
    }

    fn fill(&mut self, value: Value<'_>) -> std::result::Result<(), Error> {
        let mut members = Json::of(value);
        members.fill("type", &mut self.kind);
        members.fill("title", &mut self.title);
        members.fill("status", &mut self.status);
        members.fill("code", &mut self.code);
        members.fill("detail", &mut self.detail);
        members.fill("next", &mut self.next);
        members.fill("retry_after_s", &mut self.retry_after_s);
        if let Value::Object(extra) = members.into_value()?.into_owned() {
            self.extra = extra;
        }
        Ok(())
    }
}

impl From<Problem> for ApiError {
    /// An answer of another worker, passed on. A code this build does not know becomes `unavailable`.
    fn from(problem: Problem) -> Self {
        let known = ErrorCode::ALL
            .iter()
            .find(|code| code.as_str() == problem.code);
        Self(Box::new(Told {
            code: known.copied().unwrap_or(ErrorCode::Unavailable),
            detail: problem.detail,
            retry_after_s: problem.retry_after_s,
            extra: problem.extra,
        }))
    }
}

impl From<OutOfRange> for ApiError {
    fn from(_: OutOfRange) -> Self {
        Self::new(ErrorCode::Malformed, "an amount is out of range")
    }
}

/// The error for a work in a state in which it can't be bought or opened.
#[must_use]
pub fn state_error(state: WorkState) -> ErrorCode {
    match state {
        WorkState::Draft | WorkState::Published => ErrorCode::NotPublished,
        WorkState::Unpublished => ErrorCode::WorkUnpublished,
        WorkState::TakenDown => ErrorCode::WorkTakenDown,
    }
}

impl From<Reject> for ApiError {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::OrderConflict(member) => Self::new(
                ErrorCode::OrderConflict,
                format!("{member} is not as before"),
            )
            .with("member", member),
            Reject::WrongKey => ErrorCode::WrongKey.into(),
            Reject::DelegationExpired => ErrorCode::DelegationExpired.into(),
            Reject::ScopeMissing => ErrorCode::ScopeMissing.into(),
            Reject::UnknownWork => ErrorCode::UnknownWork.into(),
            Reject::UnderWay => Self::new(
                ErrorCode::OrderPending,
                "another order for this work is not decided yet",
            ),
            Reject::OwnWork => ErrorCode::OwnWork.into(),
            Reject::NotOnSale(state) => state_error(state).into(),
            Reject::OrderExpired => ErrorCode::OrderExpired.into(),
            Reject::QuoteInvalid => ErrorCode::QuoteInvalid.into(),
            Reject::QuoteExpired => ErrorCode::QuoteExpired.into(),
            Reject::CapExceeded => ErrorCode::CapExceeded.into(),
            Reject::InsufficientBalance { available, needed } => Self::new(
                ErrorCode::InsufficientBalance,
                format!(
                    "{} msat are missing",
                    needed.get().saturating_sub(available.get())
                ),
            )
            .with("balance_msat", available.get())
            .with("needed_msat", needed.get()),
            Reject::OutOfRange => OutOfRange.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_survives_the_way_through_another_worker() {
        let error = ApiError::from(Reject::InsufficientBalance {
            available: satchel_domain::money::Msat::new(5).unwrap(),
            needed: satchel_domain::money::Msat::new(7).unwrap(),
        });
        let text = serde_json::to_string(&error.problem()).unwrap();
        let back: Problem = satchel_json::from_slice(text.as_bytes()).unwrap();
        assert_eq!(ApiError::from(back), error);
        assert!(text.contains(r#""code":"insufficient_balance""#), "{text}");
        let waiting = ApiError::from(ErrorCode::TooMany).retry_after(7);
        let text = serde_json::to_string(&waiting.problem()).unwrap();
        assert_eq!(
            ApiError::from(satchel_json::from_slice::<Problem>(text.as_bytes()).unwrap()),
            waiting
        );
        for bad in [
            "{}",
            "[]",
            r#"{"type":1,"title":"","status":400,"code":"x"}"#,
        ] {
            assert!(
                satchel_json::from_slice::<Problem>(bad.as_bytes()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn every_code_is_in_the_documented_table_with_its_status() {
        let table = include_str!("../../../docs/API.md");
        for code in ErrorCode::ALL {
            let row = table
                .lines()
                .find(|l| l.starts_with("| `") && l.contains(&format!("`{}`", code.as_str())))
                .unwrap_or_else(|| panic!("{} is not documented", code.as_str()));
            assert!(row.contains(&code.status().to_string()), "{row}");
        }
    }
}
