//! Waiting until something is so.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Looks until `look` finds something, ever less often; an error ends it, and so does the deadline.
pub(crate) fn until<T>(
    deadline: Instant,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("waited in vain until {what}");
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_ends_it_after_a_last_look() {
        let mut looks = 0;
        let error = until(Instant::now(), "it rains", || {
            looks += 1;
            Ok(None::<()>)
        });
        assert_eq!(error.unwrap_err().to_string(), "waited in vain until it rains");
        assert_eq!(looks, 1);
        let mut looks = 0;
        let found = until(Instant::now() + Duration::from_secs(60), "it rains", || {
            looks += 1;
            Ok((looks == 3).then_some("rain"))
        });
        assert_eq!(found.unwrap(), "rain");
    }
}
