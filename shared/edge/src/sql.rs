//! Rows of an object's SQLite. Numbers pass as JavaScript doubles, so they are checked on the way in.

use js_sys::{Array, Uint8Array};
use satchel_json::{self as json, FromJson};
use satchel_wire::Result;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::State;

use crate::internal;

/// The largest whole number up to which a double holds each: 2^53 − 1.
const MAX_WHOLE: u64 = (1 << 53) - 1;

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer, at most 2^53 − 1.
    Int(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// NULL.
    Null,
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Int(n)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl Value {
    /// As SQL takes it: numbers are JavaScript's.
    fn bind(self) -> Result<JsValue> {
        Ok(match self {
            #[expect(clippy::cast_precision_loss, reason = "exact up to MAX_WHOLE")]
            Self::Int(n) if n <= MAX_WHOLE => JsValue::from_f64(n as f64),
            Self::Int(_) => return Err(internal("a number is too large to be stored")),
            Self::Text(text) => JsValue::from_str(&text),
            Self::Blob(bytes) => Uint8Array::from(&bytes[..]).into(),
            Self::Null => JsValue::NULL,
        })
    }

    fn of(value: &JsValue) -> Result<Self> {
        if let Some(x) = value.as_f64() {
            // Whole numbers arrive as doubles.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "whole and in range; printing it to parse it would cost 10 KB of code"
            )]
            return if x.fract() == 0.0 && (0.0..=MAX_WHOLE as f64).contains(&x) {
                Ok(Self::Int(x as u64))
            } else {
                Err(internal("a stored number is not a whole one"))
            };
        }
        if let Some(text) = value.as_string() {
            return Ok(Self::Text(text));
        }
        if value.is_null() {
            return Ok(Self::Null);
        }
        // An ArrayBuffer.
        Ok(Self::Blob(Uint8Array::new(value).to_vec()))
    }
}

/// A row of a result.
#[derive(Debug)]
pub struct Row(Vec<Value>);

impl Row {
    /// Column `i` as an integer.
    pub fn int(&self, i: usize) -> Result<u64> {
        match self.0.get(i) {
            Some(Value::Int(n)) => Ok(*n),
            _ => Err(internal(format!("column {i} is not an integer"))),
        }
    }

    /// Column `i` as text.
    pub fn text(&self, i: usize) -> Result<&str> {
        match self.0.get(i) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(internal(format!("column {i} is not text"))),
        }
    }

    /// Column `i` as JSON of type `T`.
    pub fn json<T: FromJson>(&self, i: usize) -> Result<T> {
        json::from_slice(self.text(i)?.as_bytes()).map_err(internal)
    }

    /// Column `i` as bytes.
    pub fn blob(&self, i: usize) -> Result<&[u8]> {
        match self.0.get(i) {
            Some(Value::Blob(bytes)) => Ok(bytes),
            _ => Err(internal(format!("column {i} is not bytes"))),
        }
    }

    /// All columns.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

#[wasm_bindgen(inline_js = r#"
// Values as they are, rows as arrays: one crossing for a statement.
export function rowsOf(sql, query, values) {
  return [...sql.exec(query, ...values).raw()];
}

// A statement runs as its cursor is read.
export function run(sql, query, values) {
  const cursor = sql.exec(query, ...values);
  cursor.toArray();
  return cursor.rowsWritten;
}
"#)]
extern "C" {
    #[wasm_bindgen(catch, js_name = rowsOf)]
    fn rows_of(sql: &JsValue, query: &str, values: Array) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(catch)]
    fn run(sql: &JsValue, query: &str, values: Array) -> std::result::Result<f64, JsValue>;
}

/// An object's database.
#[derive(Debug, Clone)]
pub struct Sql(JsValue);

fn bound(values: Vec<Value>) -> Result<Array> {
    let array = Array::new();
    for value in values {
        array.push(&value.bind()?);
    }
    Ok(array)
}

fn failed(error: &JsValue) -> satchel_wire::ApiError {
    internal(crate::js::told(error))
}

impl Sql {
    /// Of an object.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let storage = state.storage();
        // There in every object whose class is made with SQLite; else the first statement says so.
        Self(js_sys::Reflect::get(storage.as_raw(), &"sql".into()).unwrap_or_default())
    }

    /// Runs a statement; gives the number of rows written.
    pub fn run(&self, query: &str, values: Vec<Value>) -> Result<usize> {
        let written = run(&self.0, query, bound(values)?).map_err(|error| failed(&error))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of rows"
        )]
        Ok(written as usize)
    }

    /// All rows of a query.
    pub fn rows(&self, query: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        let found = rows_of(&self.0, query, bound(values)?).map_err(|error| failed(&error))?;
        let mut rows = Vec::new();
        for row in found.iter() {
            let mut columns = Vec::new();
            for value in Array::from(&row).iter() {
                columns.push(Value::of(&value)?);
            }
            rows.push(Row(columns));
        }
        Ok(rows)
    }

    /// The first row of a query.
    pub fn row(&self, query: &str, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.rows(query, values)?.into_iter().next())
    }
}

/// A statement to run in a [`commit`].
#[derive(Debug)]
pub struct Write {
    /// The SQL.
    pub query: &'static str,
    /// Its values.
    pub values: Vec<Value>,
}

impl Write {
    /// A statement.
    #[must_use]
    pub fn new(query: &'static str, values: Vec<Value>) -> Self {
        Self { query, values }
    }
}

/// Runs the writes and arms the alarm in one storage transaction: all of it or nothing. A caught
/// SQL error alone would not undo what ran before it; only `transaction` does.
pub async fn commit(state: &State, writes: Vec<Write>, alarm_at_ms: Option<u64>) -> Result<()> {
    let alarm = alarm_at_ms
        .map(i64::try_from)
        .transpose()
        .map_err(internal)?;
    let (sql, storage) = (Sql::of(state), state.storage());
    let outer = state.storage();
    let run = outer.transaction(move |_| async move {
        for write in writes {
            sql.run(write.query, write.values)
                .map_err(|_| worker::Error::from("a write of the transaction failed"))?;
        }
        if let Some(at) = alarm
            && storage.get_alarm().await?.is_none()
        {
            storage
                .set_alarm(worker::ScheduledTime::new(at_ms(at)))
                .await?;
        }
        Ok(())
    });
    run.await.map_err(internal)
}

/// Arms the alarm, whatever it was armed for.
pub async fn rearm(state: &State, at_ms: u64) -> Result<()> {
    let at = i64::try_from(at_ms).map_err(internal)?;
    let time = worker::ScheduledTime::new(self::at_ms(at));
    state.storage().set_alarm(time).await.map_err(internal)
}

fn at_ms(at: i64) -> js_sys::Date {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 are exact in a double"
    )]
    js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at as f64))
}
