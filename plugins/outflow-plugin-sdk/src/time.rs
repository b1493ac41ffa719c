//! Civil time in UTC. Zones are the host's business: it breaks stamps down before the guest sees them.

use crate::Stamp;

impl Stamp {
    /// The instant so many milliseconds after 1970-01-01T00:00:00Z, broken down in UTC.
    pub fn at(epoch_ms: i64) -> Stamp {
        let blank = Stamp {
            epoch_ms,
            year: 0,
            month: 0,
            day: 0,
            hour: 0,
            minute: 0,
            second: 0,
            offset_minutes: 0,
            zone: String::new(),
        };
        blank.utc()
    }

    /// The same instant, broken down in UTC.
    pub fn utc(&self) -> Stamp {
        let seconds = self.epoch_ms.div_euclid(1000);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let in_day = seconds.rem_euclid(86_400);
        Stamp {
            epoch_ms: self.epoch_ms,
            year,
            month,
            day,
            hour: (in_day / 3600) as u8,
            minute: (in_day / 60 % 60) as u8,
            second: (in_day % 60) as u8,
            offset_minutes: 0,
            zone: "UTC".to_string(),
        }
    }
}

/// Date of a day counted from 1970-01-01, by 400-year eras that start on 1 March (so that a leap day ends one).
fn civil(day: i64) -> (i32, u8, u8) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_in_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

#[cfg(test)]
mod tests;
