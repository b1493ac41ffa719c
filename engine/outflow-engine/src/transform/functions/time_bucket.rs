//! `time_bucket`: the span of time that a row falls in, by the name of its start. Odd data is no failure: what is no
//! time has no span.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::transform::columns::is_text;

/// Registers `time_bucket(time, unit, zone, format)`: the start of the `month`, `day` or `hour` in a time zone, as
/// `strftime` writes it. Text is RFC 3339, or a date and time in UTC. Null for what is no time.
pub(super) fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::from(TimeBucket(Signature::any(4, Volatility::Immutable))));
}

#[derive(PartialEq, Eq, Hash)]
struct TimeBucket(Signature);

impl fmt::Debug for TimeBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeBucket")
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null) => {}
            Some(kind) if is_text(kind) => {}
            kind => return plan_err!("`time_bucket` takes text, a date or a timestamp, not {kind:?}"),
        }
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [values, unit, zone, pattern] = datafusion::common::utils::take_function_args(self.name(), args.args)?;
        let bucket = Bucket::new(&constant(&unit)?, &constant(&zone)?, constant(&pattern)?)?;
        let is_scalar = matches!(values, ColumnarValue::Scalar(_));
        let values = values.into_array(if is_scalar { 1 } else { args.number_rows })?;
        let starts = if is_text(values.data_type()) {
            let texts = cast(&values, &DataType::Utf8View)?;
            bucket.of_texts(texts.as_string_view())?
        } else {
            let instants = cast(&values, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
            let instants = instants.as_primitive::<TimestampMillisecondType>().iter();
            let starts = instants.map(|instant| {
                instant.and_then(|at| Timestamp::from_millisecond(at).ok()).map(|at| bucket.start(at)).transpose()
            });
            starts.collect::<Result<StringViewArray>>()?
        };
        result(Arc::new(starts), is_scalar)
    }
}

fn constant(value: &ColumnarValue) -> Result<String> {
    match value {
        ColumnarValue::Scalar(scalar) if scalar.try_as_str().flatten().is_some() => {
            Ok(scalar.try_as_str().flatten().unwrap_or_default().to_owned())
        }
        _ => exec_err!("`time_bucket` takes its unit, zone and format as texts"),
    }
}

fn result(values: ArrayRef, is_scalar: bool) -> Result<ColumnarValue> {
    Ok(match is_scalar {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
        false => ColumnarValue::Array(values),
    })
}

/// How long a span of time is.
#[derive(Clone, Copy)]
enum Unit {
    Month,
    Day,
    Hour,
}

/// Spans of time and how their starts are written.
struct Bucket {
    unit: Unit,
    zone: TimeZone,
    pattern: String,
}

impl Bucket {
    fn new(unit: &str, zone: &str, pattern: String) -> Result<Self> {
        let unit = match unit {
            "month" => Unit::Month,
            "day" => Unit::Day,
            "hour" => Unit::Hour,
            _ => return exec_err!("`time_bucket` knows `month`, `day` and `hour`, not `{unit}`"),
        };
        Ok(Self { unit, zone: TimeZone::get(zone).map_err(refused)?, pattern })
    }

    fn of_texts(&self, texts: &StringViewArray) -> Result<StringViewArray> {
        let mut starts = StringViewBuilder::with_capacity(texts.len()).with_deduplicate_strings();
        let mut last: Option<(&str, Option<String>)> = None;
        for text in texts {
            let Some(text) = text else {
                starts.append_null();
                continue;
            };
            // Rows of one moment tend to stand together.
            let start = match last.take().filter(|(known, _)| *known == text) {
                Some((_, start)) => start,
                None => instant(text).map(|at| self.start(at)).transpose()?,
            };
            starts.append_option(start.as_deref());
            last = Some((text, start));
        }
        Ok(starts.finish())
    }

    fn start(&self, at: Timestamp) -> Result<String> {
        let at = at.to_zoned(self.zone.clone());
        let start: std::result::Result<Zoned, jiff::Error> = match self.unit {
            Unit::Month => at.first_of_month().and_then(|first| first.start_of_day()),
            Unit::Day => at.start_of_day(),
            Unit::Hour => at.with().minute(0).second(0).subsec_nanosecond(0).build(),
        };
        start.and_then(|start| strtime::format(&self.pattern, &start)).map_err(refused)
    }
}

/// The instant that a text names, if it names one.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    text.parse().ok().or_else(in_utc)
}

fn refused(error: jiff::Error) -> DataFusionError {
    DataFusionError::Execution(format!("`time_bucket`: {error}"))
}

#[cfg(test)]
mod tests;
