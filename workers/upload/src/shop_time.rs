//! Days and moments as text.

/// Seconds of a day.
pub(crate) const DAY_S: u64 = 86_400;

/// The day of a moment, counted from 1970.
pub(crate) fn day_of(time_s: u64) -> u32 {
    u32::try_from(time_s / DAY_S).unwrap_or(u32::MAX)
}

/// Year, month and day of the month. By Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a u32 of days fits these sums in a u64 many times over, and no difference is below 0"
)]
fn civil(day: u32) -> (u64, u64, u64) {
    let days = u64::from(day) + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, date)
}

/// `2026-11-25`
pub(crate) fn date(day: u32) -> String {
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02}")
}

/// The first day of a day's month.
pub(crate) fn month_of(day: u32) -> u32 {
    let (_, _, date) = civil(day);
    let before = u32::try_from(date).unwrap_or(1).saturating_sub(1);
    day.saturating_sub(before)
}

/// `2026-11-25T12:30:00Z`
pub(crate) fn moment(time_s: u64) -> String {
    let (day, rest) = (date(day_of(time_s)), time_s % DAY_S);
    let (hour, minute) = (rest / 3_600, rest / 60 % 60);
    format!("{day}T{hour:02}:{minute:02}:{:02}Z", rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_614_301, "2026-11-25T13:45:01Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(moment(time), text);
        }
        assert_eq!(date(month_of(day_of(1_795_614_301))), "2026-11-01");
        assert_eq!(date(month_of(0)), "1970-01-01");
        // However far: nothing overflows.
        assert!(date(u32::MAX).starts_with("117"));
    }
}
