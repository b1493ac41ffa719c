//! `hash`: columns replaced by a digest of their normalised text, and the SQL functions that do the same.
//! Null stays null and empty stays empty, whether it was empty before or is after normalising.

mod digest;
mod normalize;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result as QueryResult, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;
use outflow_spec::transform::{DigestEncoding, HashAlgorithm, HashTransform, Normalizer};

use super::{Place, columns};
use crate::error::Result;
use digest::Digester;
use normalize::{PhoneRules, Steps};

pub(super) fn apply(spec: &HashTransform, frame: DataFrame, place: Place) -> Result<DataFrame> {
    let digester = Arc::new(digester(spec, place)?);
    let known = columns::visible(&frame);
    if let Some(name) = spec.columns.iter().find(|name| !known.contains(name)) {
        return Err(columns::unknown(name, &known, place));
    }
    let hashed = known.iter().filter(|name| spec.columns.contains(name)).map(|name| {
        let function = ScalarUDF::from(DigestFunction::new("hash", Arc::clone(&digester)));
        (name.clone(), function.call(vec![columns::column(name)]))
    });
    let hashed = hashed.collect();
    columns::with(frame, hashed, place)
}

fn digester(spec: &HashTransform, place: Place) -> Result<Digester> {
    let steps = spec.normalize.clone().unwrap_or_else(|| vec![Normalizer::Trim, Normalizer::Lowercase]);
    let country = spec.e164_country.clone();
    if let Some(country) = &country {
        let digits = country.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(1..=3).contains(&country.len()) || country.starts_with('0') {
            return Err(place
                .error(format!("`e164_country` is `{country}` and not a country calling code"))
                .hint("write one to three digits without plus, such as `32`"));
        }
    }
    let key = spec.key.as_ref().map(|key| key.reveal());
    if spec.algorithm == HashAlgorithm::HmacSha256 && key.is_none_or(str::is_empty) {
        return Err(place
            .error("`hmac_sha256` needs a `key` that is not empty")
            .hint("write `key: ${env:HASH_KEY}` and set that variable"));
    }
    let phone = PhoneRules { plus: spec.e164_plus.unwrap_or(true), country };
    let steps = Steps::new(steps, phone);
    Ok(Digester::new(spec.algorithm, key.unwrap_or_default().as_bytes(), spec.encoding, steps, spec.skip_hashed))
}

pub(super) fn register(session: &SessionContext) {
    let functions = [("sha256_identity", vec![Normalizer::Trim, Normalizer::Lowercase]), ("sha256_exact", Vec::new())];
    for (name, steps) in functions {
        let steps = Steps::new(steps, PhoneRules { plus: true, country: None });
        let digester = Digester::new(HashAlgorithm::Sha256, &[], DigestEncoding::Hex, steps, false);
        session.register_udf(ScalarUDF::from(DigestFunction::new(name, Arc::new(digester))));
    }
}

/// A digest as a function of the query engine. Its key is never shown.
struct DigestFunction {
    name: &'static str,
    digester: Arc<Digester>,
    signature: Signature,
}

impl DigestFunction {
    fn new(name: &'static str, digester: Arc<Digester>) -> Self {
        Self { name, digester, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl fmt::Debug for DigestFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigestFunction({})", self.name)
    }
}

/// Two are the same function only when they share their options.
impl PartialEq for DigestFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.digester, &other.digester)
    }
}

impl Eq for DigestFunction {}

impl Hash for DigestFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        Arc::as_ptr(&self.digester).hash(state);
    }
}

impl ScalarUDFImpl for DigestFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> QueryResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> QueryResult<ColumnarValue> {
        let is_scalar = matches!(args.args.first(), Some(ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let [value] = datafusion::common::utils::take_function_args(self.name, args.args)?;
        let text = cast(&value.into_array(rows)?, &DataType::Utf8View)?;
        let digests = self.digester.digest(text.as_string_view())?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&digests, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(digests)))
    }
}
