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
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// An integer, at most 2^53 − 1.
    Int(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// NULL.
    #[default]
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
// How many columns a row has, then the values of all rows: one crossing for a statement.
export function rowsOf(sql, query, values) {
  const rows = [...sql.exec(query, ...values).raw()];
  return rows.length ? [rows[0].length].concat(...rows) : rows;
}

// The same of many keys, each row with its key before it; `get` is the statement for one of them.
export function rowsOfKeys(sql, get, keys) {
  const rows = [];
  for (let at = 0; at < keys.length; ) {
    let n = 1;
    while (n * 2 <= MOST && at + n * 2 <= keys.length) n *= 2;
    const name = n + get;
    if (!several.has(name)) {
      const marks = "IN (" + Array(n).fill("?").join() + ")";
      several.set(name, get.replace("SELECT ", "SELECT key, ").replace("= ?", marks));
    }
    rows.push(...sql.exec(several.get(name), ...keys.slice(at, at + n)).raw());
    at += n;
  }
  return rows.length ? [rows[0].length].concat(...rows) : rows;
}

// Rows of `width` values into the table of a statement that writes one, as many with each statement as the
// runtime's 100 variables allow; a power of two, so that there are few statements to be prepared.
const MOST = 100;
const several = new Map();

function statement(put, n) {
  if (n === 1) return put;
  const name = n + put;
  if (!several.has(name)) {
    const row = put.slice(put.indexOf("(?"), put.indexOf("?)") + 2);
    several.set(name, put.replace(row, Array(n).fill(row).join()));
  }
  return several.get(name);
}

export function writeRows(sql, put, width, values) {
  for (let at = 0; at < values.length; ) {
    let n = 1;
    while (n * 2 * width <= MOST && at + n * 2 * width <= values.length) n *= 2;
    const end = at + n * width;
    sql.exec(statement(put, n), ...values.slice(at, end));
    at = end;
  }
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

    #[wasm_bindgen(catch, js_name = rowsOfKeys)]
    fn rows_of_keys(sql: &JsValue, get: &str, keys: Array) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_name = writeRows)]
    fn write_rows(
        sql: &JsValue,
        put: &str,
        width: usize,
        values: Array,
    ) -> std::result::Result<(), JsValue>;

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

    /// Writes rows of `width` values by a statement that writes one, `(?, …, ?)`.
    pub(crate) fn write(&self, put: &str, width: usize, values: Vec<Value>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        write_rows(&self.0, put, width, bound(values)?).map_err(|error| failed(&error))
    }

    /// All rows of a query.
    pub fn rows(&self, query: &str, values: Vec<Value>) -> Result<Vec<Row>> {
        Self::read(rows_of(&self.0, query, bound(values)?))
    }

    /// Rows of many keys, each with its key before it, by the statement that reads one.
    pub(crate) fn rows_of_keys(&self, get: &str, keys: Vec<Value>) -> Result<Vec<Row>> {
        Self::read(rows_of_keys(&self.0, get, bound(keys)?))
    }

    fn read(found: std::result::Result<Array, JsValue>) -> Result<Vec<Row>> {
        let found = found.map_err(|error| failed(&error))?;
        let mut values = found.iter();
        let Some(width) = values.next().and_then(|width| width.as_f64()) else {
            return Ok(Vec::new());
        };
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        for value in values {
            columns.push(Value::of(&value)?);
            #[expect(clippy::cast_precision_loss, reason = "a number of columns")]
            if columns.len() as f64 >= width {
                rows.push(Row(std::mem::take(&mut columns)));
            }
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
