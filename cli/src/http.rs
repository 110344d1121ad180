//! JSON over HTTP: one issuer, a few retries, problem documents turned into words.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    thread,
    time::Duration,
};

use satchel_json::FromJson;
use serde_json::Value;
use ureq::{
    Agent, Body,
    config::Config,
    http::{Request, Response, Uri},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use crate::{
    fail::{Exit, Failure, Result},
    say,
};

/// Longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Pauses before the second, third and fourth attempt.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Longest pause an issuer may ask for.
const MAX_PAUSE_S: u64 = 10;

/// A request; every one of them may be sent twice without harm.
#[derive(Debug)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path from the root, without query: what proofs are for.
    pub path: String,
    /// The query with its question mark, if any.
    pub query: String,
    /// The body, if any.
    pub body: Option<Value>,
}

impl Call {
    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            query: String::new(),
            body: None,
        }
    }

    /// With `?name=value`; neither needs escaping.
    #[must_use]
    pub fn query(mut self, name: &str, value: u64) -> Self {
        self.query = format!("?{name}={value}");
        self
    }

    /// A `POST` of JSON.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            query: String::new(),
            body: Some(body),
        }
    }
}

/// Headers to send; made anew for each attempt, because a proof may be used only once.
pub type Headers = Vec<(&'static str, String)>;

/// A client for one base address.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
}

impl Http {
    /// `base` is an origin.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ATTEMPT))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("satchel/", env!("CARGO_PKG_VERSION")));
        // Nobody's proxy can reach this very machine.
        let config = if is_local(base) {
            config.proxy(None)
        } else {
            config
        };
        let connector = DefaultConnector::default();
        let agent = Agent::with_parts(config.build(), connector, Localhost::default());
        Self {
            agent,
            base: base.to_owned(),
        }
    }

    /// Sends a request that needs no proof.
    pub fn call<T: FromJson>(&self, call: &Call) -> Result<T> {
        self.call_with(call, || Ok(Headers::new()))
    }

    /// Sends a request, again after a pause where nobody answered or the answer says to, and
    /// reads the answer.
    pub fn call_with<T: FromJson>(
        &self,
        call: &Call,
        headers: impl Fn() -> Result<Headers>,
    ) -> Result<T> {
        let (body, _) = self.bytes_with(call, headers)?;
        satchel_json::from_slice(&body).map_err(|_| undocumented())
    }

    /// As [`Http::call_with`], for an answer that is plain text: with the address of the page that
    /// follows, if the answer names one (RFC 8288).
    pub fn text_with(
        &self,
        call: &Call,
        headers: impl Fn() -> Result<Headers>,
    ) -> Result<(String, Option<String>)> {
        let (body, link) = self.bytes_with(call, headers)?;
        let text = String::from_utf8(body).map_err(|_| undocumented())?;
        Ok((text, link.as_deref().and_then(next_of)))
    }

    fn bytes_with(
        &self,
        call: &Call,
        headers: impl Fn() -> Result<Headers>,
    ) -> Result<(Vec<u8>, Option<String>)> {
        let mut pauses = PAUSES.iter();
        loop {
            let (failure, wanted) = match self.attempt(call, headers()?)? {
                Attempt::Answer(body, link) => return Ok((body, link)),
                Attempt::Refused(failure) => return Err(failure),
                Attempt::TryAgain(failure, wanted) => (failure, wanted),
            };
            let Some(pause) = pauses.next() else {
                return Err(failure);
            };
            thread::sleep(wanted.unwrap_or_default().max(*pause));
        }
    }

    fn attempt(&self, call: &Call, headers: Headers) -> Result<Attempt> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}{}", self.base, call.path, call.query));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let malformed = |_| Failure::new(Exit::Usage, "this address can't be asked");
        let answer = match &call.body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent
                    .run(request.body(body.to_string()).map_err(malformed)?)
            }
            None => self.agent.run(request.body(()).map_err(malformed)?),
        };
        let read = answer.and_then(|mut answer| {
            let body = answer
                .body_mut()
                .with_config()
                .limit(MAX_ANSWER_BYTES)
                .read_to_vec()?;
            Ok((answer, body))
        });
        Ok(match read {
            Ok((answer, body)) => judge(&answer, body),
            Err(error) => {
                let what = format!("{} is not answering: {error}", self.base);
                let failure = Failure::new(Exit::NoAnswer, what)
                    .next("Nothing is lost. Run the same command again.");
                Attempt::TryAgain(failure, None)
            }
        })
    }
}

enum Attempt {
    Answer(Vec<u8>, Option<String>),
    Refused(Failure),
    TryAgain(Failure, Option<Duration>),
}

/// What is read of a problem document; members this program doesn't know may stand beside them.
#[derive(Debug)]
struct Problem {
    code: String,
    title: String,
    detail: Option<String>,
    next: Option<String>,
    /// Of `delegation_expired`: the account's epoch now.
    epoch: Option<u64>,
    /// Of `refund_exceeds`: what is left to refund.
    left_msat: Option<u64>,
}
satchel_json::read!(Problem {
    code,
    title,
    detail,
    next,
    epoch,
    left_msat,
    ..
});

fn undocumented() -> Failure {
    Failure::new(Exit::Refused, "the issuer's answer is not as documented")
}

/// The address in `<ADDRESS>; rel="next"`.
fn next_of(link: &str) -> Option<String> {
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then(|| address.to_owned())
}

fn judge(answer: &Response<Body>, body: Vec<u8>) -> Attempt {
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        let link = answer.headers().get("Link");
        let link = link.and_then(|value| value.to_str().ok());
        return Attempt::Answer(body, link.map(ToOwned::to_owned));
    }
    let again = status >= 500 || status == 429;
    let exit = if again { Exit::NoAnswer } else { Exit::Refused };
    let failure = match satchel_json::from_slice::<Problem>(&body) {
        Ok(problem) => {
            let detail = problem
                .detail
                .map(|detail| format!(" {detail}."))
                .unwrap_or_default();
            let what = format!("the issuer says: {}{detail}", problem.title);
            let mut failure = Failure::new(exit, say::plain(&what)).code(problem.code);
            failure.number = problem.epoch.or(problem.left_msat);
            problem.next.into_iter().fold(failure, Failure::next)
        }
        Err(_) => Failure::new(exit, format!("the issuer answered with status {status}"))
            .next("Is this really the address of an issuer?"),
    };
    if !again {
        return Attempt::Refused(failure);
    }
    let wanted = answer
        .headers()
        .get("Retry-After")
        .and_then(|value| value.to_str().ok());
    let wanted = wanted.and_then(|value| value.parse::<u64>().ok());
    Attempt::TryAgain(
        failure,
        wanted.map(|s| Duration::from_secs(s.min(MAX_PAUSE_S))),
    )
}

fn is_local(base: &str) -> bool {
    base.parse::<Uri>()
        .is_ok_and(|uri| uri.host().is_some_and(is_local_name))
        || base.contains("//127.0.0.1")
        || base.contains("//[::1]")
}

/// RFC 6761 §6.3: `localhost` and every name below it is this machine.
fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// The system's names, but `*.localhost` without asking anybody: few systems know
/// `wallet.localhost` by themselves, and no other machine should be asked.
#[derive(Debug, Default)]
struct Localhost(DefaultResolver);

impl Resolver for Localhost {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        if !uri.host().is_some_and(is_local_name) {
            return self.0.resolve(uri, config, timeout);
        }
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let mut addresses = self.empty();
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        ] {
            addresses.push(SocketAddr::new(ip, port));
        }
        Ok(addresses)
    }
}
