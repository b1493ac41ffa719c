//! Spans of time over zones, offsets and what is no time.

use datafusion::arrow::util::display::array_value_to_string;

use super::*;

async fn value(expression: &str) -> Result<String> {
    let session = SessionContext::new();
    register(&session);
    let batches = session.sql(&format!("SELECT {expression}")).await?.collect().await?;
    Ok(array_value_to_string(batches[0].column(0), 0)?)
}

#[tokio::test]
async fn spans_of_time() {
    for (arguments, expected) in [
        ("'2026-03-14T09:26:53Z', 'day', 'UTC', '%Y-%m-%d'", "2026-03-14"),
        ("'2026-03-14T23:30:00Z', 'day', 'Europe/Brussels', '%Y%m%d'", "20260315"),
        ("'2026-03-14T23:30:00-05:00', 'hour', 'UTC', '%Y-%m-%d-%H'", "2026-03-15-04"),
        ("'2026-03-14 09:26:53', 'month', 'UTC', '%Y/%m'", "2026/03"),
        ("'2026-03-14', 'day', 'UTC', '%s'", "1773446400"),
        // The day of a clock change begins at midnight all the same.
        ("'2026-03-29T12:00:00Z', 'day', 'Europe/Brussels', '%s'", "1774738800"),
        ("'2026-10-25T00:30:00Z', 'hour', 'Europe/Brussels', '%H:%M%z'", "02:00+0200"),
        ("'2026-10-25T01:30:00Z', 'hour', 'Europe/Brussels', '%H:%M%z'", "02:00+0100"),
        ("to_timestamp('2026-03-14T09:26:53Z'), 'day', 'UTC', '%Y-%m-%d'", "2026-03-14"),
        ("DATE '2026-03-14', 'month', 'UTC', '%Y-%m'", "2026-03"),
        ("'yesterday', 'day', 'UTC', '%Y'", ""),
        ("'', 'day', 'UTC', '%Y'", ""),
        ("CAST(NULL AS VARCHAR), 'day', 'UTC', '%Y'", ""),
    ] {
        assert_eq!(value(&format!("time_bucket({arguments})")).await.unwrap(), expected, "{arguments}");
    }
    for (arguments, expected) in [
        ("5, 'day', 'UTC', '%Y'", "takes text, a date or a timestamp"),
        ("'2026-03-14', 'week', 'UTC', '%Y'", "knows `month`, `day` and `hour`, not `week`"),
        ("'2026-03-14', 'day', 'Mars/Base', '%Y'", "Mars/Base"),
    ] {
        let error = value(&format!("time_bucket({arguments})")).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
