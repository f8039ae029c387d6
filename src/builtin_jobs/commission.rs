use super::payload::read;
use super::settings::{MAX_SCALE, Rate, WORK_QUEUE, exact_decimal};
use crate::http::{Fields, Scalar};
use crate::ids::ExternalId;
use crate::jobs::Fault;
use crate::jobs::worker::{Context, Job, JobFailure, Outcome};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use std::time::Duration;

/// Maximum number of digits of an amount. A rate has up to 9, so the product has up to 27, and a `Decimal` holds 28: the result is rounded
/// once, at the end.
const AMOUNT_DIGITS: u32 = 18;

/// `commission`: computes the commission of an amount. The result of the job is kept for a week.
///
/// Exact decimals throughout. The product is rounded once, to `scale` decimals (2 by default), halves
/// away from zero, as on invoices: 0.125 becomes 0.13, and −0.125 (a refund) −0.13.
#[derive(Debug)]
pub struct Commission {
    amount: Decimal,
    rate: Option<Rate>,
    scale: u32,
    currency: Option<String>,
    order_id: Option<ExternalId>,
}

impl Commission {
    fn due(&self, rate: Rate) -> Decimal {
        let rate = self.rate.unwrap_or(rate).value();
        let mut due = (self.amount * rate).round_dp_with_strategy(self.scale, RoundingStrategy::MidpointAwayFromZero);
        due.rescale(self.scale);
        due
    }

    fn result(&self, default: Rate) -> Value {
        let due = self.due(default);
        json!({
            "amount": self.amount.to_string(),
            "rate": self.rate.unwrap_or(default).to_string(),
            "commission": due.to_string(),
            "currency": self.currency,
            "order_id": self.order_id,
        })
    }
}

/// Reads a decimal number as a string, because a JSON number may have been converted to a `double`. Integers are accepted as numbers.
fn text_of(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    match fields.scalar(name)? {
        Scalar::Text(text) => Some(text.into_owned()),
        Scalar::Number(number) if number.is_i64() => Some(number.to_string()),
        _ => {
            fields.refuse(
                name,
                "must be a decimal number in a string, such as \"12.50\", or a whole number",
            );
            None
        }
    }
}

impl Job for Commission {
    const NAME: &'static str = "commission";
    const QUEUE: &'static str = WORK_QUEUE;
    const KEEP_RESULT: Duration = Duration::from_hours(7 * 24);
    type State = Rate;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |fields| {
            let amount = fields.required("amount", |fields, name| {
                let amount = exact_decimal(&text_of(fields, name)?, AMOUNT_DIGITS);
                if amount.is_none() {
                    let detail = format!(
                        "must be a decimal number of at most {AMOUNT_DIGITS} digits, \
                         at most {MAX_SCALE} after the decimal point"
                    );
                    fields.refuse(name, detail);
                }
                amount
            });
            let rate = text_of(fields, "rate").map(|text| text.parse::<Rate>());
            if let Some(Err(error)) = rate {
                fields.refuse("rate", format!("must be {error}"));
            }
            let scale = fields.integer("scale", 0..=i64::from(MAX_SCALE)).unwrap_or(2);
            let currency = fields.text("currency", 3);
            if currency
                .as_ref()
                .is_some_and(|text| text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_uppercase()))
            {
                fields.refuse("currency", "must be three capital letters, such as EUR");
            }
            let order_id = fields.external_id("order_id");
            Some(Self {
                amount: amount?,
                rate: rate.and_then(Result::ok),
                scale: u32::try_from(scale).unwrap_or(2),
                currency,
                order_id,
            })
        })
    }

    async fn run(self, context: Context<Rate>) -> Result<Outcome, JobFailure> {
        Ok(Outcome::result(&self.result(*context))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(payload: &str) -> String {
        Commission::parse(payload).unwrap().due(Rate::default()).to_string()
    }

    #[test]
    fn decimals_are_exact_and_rounded_once() {
        assert_eq!(due(r#"{"amount":"12.50"}"#), "1.25");
        assert_eq!(due(r#"{"amount":3}"#), "0.30");
        // 0.1 + 0.2 in doubles is 0.30000000000000004.
        assert_eq!(due(r#"{"amount":"0.3","rate":"1","scale":8}"#), "0.30000000");
        assert_eq!(due(r#"{"amount":"1.25"}"#), "0.13");
        assert_eq!(due(r#"{"amount":"-1.25"}"#), "-0.13");
        assert_eq!(due(r#"{"amount":"1.2499999"}"#), "0.12");
        assert_eq!(due(r#"{"amount":"1.00","rate":"0.005"}"#), "0.01");
        assert_eq!(due(r#"{"amount":"100","rate":"0.105","scale":0}"#), "11");
        let most = r#"{"amount":"9999999999.99999999","rate":"0.99999999","scale":8}"#;
        assert_eq!(due(most), "9999999899.99999999");
        assert_eq!(due(r#"{"amount":"0"}"#), "0.00");
    }

    #[test]
    fn invalid_amounts_and_rates_are_refused() {
        for (payload, member) in [
            ("{}", "amount"),
            (r#"{"amount":1.5}"#, "amount"),
            (r#"{"amount":true}"#, "amount"),
            (r#"{"amount":"1e3"}"#, "amount"),
            (r#"{"amount":"1_000"}"#, "amount"),
            (r#"{"amount":"1,5"}"#, "amount"),
            (r#"{"amount":".5"}"#, "amount"),
            (r#"{"amount":"1.2.3"}"#, "amount"),
            (r#"{"amount":""}"#, "amount"),
            (r#"{"amount":"1234567890123456789"}"#, "amount"),
            (r#"{"amount":"0.123456789"}"#, "amount"),
            (r#"{"amount":"1","rate":"1.1"}"#, "rate"),
            (r#"{"amount":"1","rate":"-0.1"}"#, "rate"),
            (r#"{"amount":"1","rate":0.1}"#, "rate"),
            (r#"{"amount":"1","currency":"eur"}"#, "currency"),
            (r#"{"amount":"1","scale":9}"#, "scale"),
        ] {
            let faults = Commission::parse(payload).unwrap_err();
            assert!(
                faults.iter().any(|fault| fault.member == member),
                "{payload}: {faults:?}"
            );
        }
    }

    #[test]
    fn the_result_contains_all_inputs() {
        let commission = Commission::parse(r#"{"amount":"80","currency":"EUR","order_id":"o-1"}"#).unwrap();
        let result = json!({"amount":"80","rate":"0.1","commission":"8.00","currency":"EUR","order_id":"o-1"});
        assert_eq!(commission.result(Rate::default()), result);
    }
}
