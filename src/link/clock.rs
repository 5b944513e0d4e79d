//! How far the clocks of the two ends are apart, measured by asking.
//!
//! Domains have monotonic clocks of their own, which begin at different times and run at slightly
//! different speeds. The guest asks the display domain what time it is, and takes the answer to have
//! been given half-way between asking and hearing it: wrong by half that time at most. The best of
//! a few answers counts, and an old answer less and less, since clocks drift apart.
//!
//! A few questions are asked when the link opens, the first of them before any stream is: so no
//! event comes before the first answer. Later one is asked when a stream has brought something and
//! the last one was a while ago. Nothing is asked, and nobody woken, while nothing happens.

use std::collections::VecDeque;

use super::frame::Frame;
use super::violation::Violation;

/// Answers that are remembered, and how many are asked for at the beginning.
const KEPT: usize = 8;
/// Nanoseconds between two questions on a busy link: 1 s, in which clocks drift by half a
/// millisecond at most.
const INTERVAL: i64 = 1_000_000_000;
/// One nanosecond of drift in so many: twice what a clock may be slewed by (500 ppm, `adjtimex(2)`),
/// since there are two.
const DRIFT: i64 = 1000;

/// Nanoseconds of the monotonic clock at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Here(i64);

/// Nanoseconds of the monotonic clock at the other end. Only a [`ClockOffset`] leads from one to the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct There(i64);

impl There {
    /// A time as a frame has it.
    pub const fn from_nanoseconds(nanoseconds: i64) -> There {
        There(nanoseconds)
    }

    /// For a frame.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }
}

/// How far the monotonic clock at this end is ahead of the one at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    nanoseconds: i64,
}

impl ClockOffset {
    /// The same clock, as within one machine, or as far as is known.
    pub const NONE: ClockOffset = ClockOffset { nanoseconds: 0 };

    /// This many nanoseconds ahead.
    pub const fn from_nanoseconds(nanoseconds: i64) -> ClockOffset {
        ClockOffset { nanoseconds }
    }

    /// What is to be added to a time of the other end.
    pub const fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }
}

/// The clock at this end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MonotonicClock {
    /// For tests, of which both ends are in one process.
    #[cfg(test)]
    pub(super) ahead: i64,
}

impl MonotonicClock {
    fn now(self) -> Here {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let nanoseconds = now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec);
        #[cfg(test)]
        let nanoseconds = nanoseconds + self.ahead;
        Here(nanoseconds)
    }
}

/// One answer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    heard: Here,
    offset: i64,
    /// By how much it may be wrong.
    half_trip: i64,
}

impl Sample {
    fn new(asked: Here, there: There, heard: Here) -> Sample {
        let trip = heard.0.saturating_sub(asked.0).max(0);
        // Rounded up, so that the truth is never outside.
        let half_trip = trip / 2 + 1;
        let offset = (asked.0.saturating_add(trip / 2)).saturating_sub(there.0);
        Sample { heard, offset, half_trip }
    }

    /// By how much it may be wrong by now.
    fn doubt(&self, now: Here) -> i64 {
        let age = now.0.saturating_sub(self.heard.0).max(0);
        self.half_trip.saturating_add(age / DRIFT)
    }
}

/// What is made of the answers.
#[derive(Debug, Default)]
struct Estimate {
    /// The newest last.
    samples: VecDeque<Sample>,
    used: ClockOffset,
}

impl Estimate {
    fn add(&mut self, new: Sample) {
        let now = new.heard;
        // What contradicts the newest is of before a clock was set, or a machine was asleep.
        self.samples.retain(|old| {
            let apart = old.offset.saturating_sub(new.offset).saturating_abs();
            apart <= old.doubt(now).saturating_add(new.doubt(now))
        });
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(new);
        let best = self.samples.iter().min_by_key(|sample| sample.doubt(now)).unwrap_or(&new);
        // As long as it may be true it stays, so that times do not tremble; one clock stays one.
        let wrong = self.used.nanoseconds.saturating_sub(best.offset).saturating_abs();
        if wrong > best.doubt(now) {
            self.used = ClockOffset { nanoseconds: best.offset };
        }
    }
}

/// The guest's questions, and the display domain's answers. At most one of either waits.
#[derive(Debug)]
pub(super) struct Comparison {
    clock: MonotonicClock,
    estimate: Estimate,
    /// Questions that are still to be asked without any pause.
    at_once: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Since when.
    Quiet(Option<Here>),
    /// A question is to be asked.
    ToAsk,
    /// It was asked.
    Asked(Here),
    /// A question is to be answered.
    ToAnswer,
}

impl Comparison {
    pub(super) fn new(clock: MonotonicClock) -> Comparison {
        let (estimate, state) = (Estimate::default(), State::Quiet(None));
        Comparison { clock, estimate, at_once: KEPT, state }
    }

    pub(super) fn offset(&self) -> ClockOffset {
        self.estimate.used
    }

    /// Asks, if it is time to. True if there is something to send now.
    pub(super) fn ask(&mut self) -> bool {
        let State::Quiet(since) = self.state else { return false };
        let recent = |since: Here| self.clock.now().0.saturating_sub(since.0) < INTERVAL;
        if self.at_once == 0 && since.is_some_and(recent) {
            return false;
        }
        self.at_once = self.at_once.saturating_sub(1);
        self.state = State::ToAsk;
        true
    }

    /// The other end asks.
    pub(super) fn asked(&mut self) -> Result<(), Violation> {
        if self.state == State::ToAnswer {
            return Err(Violation::AskedTwice);
        }
        self.state = State::ToAnswer;
        Ok(())
    }

    /// The other end answers. True if there is something to send now.
    pub(super) fn answered(&mut self, there: There) -> Result<bool, Violation> {
        let State::Asked(asked) = self.state else { return Err(Violation::NotAsked) };
        let heard = self.clock.now();
        self.estimate.add(Sample::new(asked, there, heard));
        self.state = State::Quiet(Some(heard));
        Ok(self.at_once > 0 && self.ask())
    }

    pub(super) fn take_turn(&mut self, out: &mut Vec<u8>) {
        let now = self.clock.now();
        match self.state {
            State::ToAsk => {
                Frame::AskTime.encode(out);
                self.state = State::Asked(now);
            }
            State::ToAnswer => {
                // This end's time is the other end's "there".
                Frame::Time { there: There(now.0) }.encode(out);
                self.state = State::Quiet(None);
            }
            State::Quiet(_) | State::Asked(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the other end it is this much earlier.
    const AHEAD: i64 = 7_000_000_000_000;

    /// A question asked at `asked`, which took so long each way.
    fn sample(asked: i64, there: i64, back: i64) -> Sample {
        let then = There(asked + there - AHEAD);
        Sample::new(Here(asked), then, Here(asked + there + back))
    }

    fn used(estimate: &Estimate) -> i64 {
        estimate.used.nanoseconds() - AHEAD
    }

    #[test]
    fn quickest_answer_counts() {
        let mut estimate = Estimate::default();
        estimate.add(sample(0, 9_000_000, 1_000_000));
        assert_eq!(used(&estimate), -4_000_000, "half-way, and wrong by less than that");
        estimate.add(sample(10_000_000, 1_000, 3_000));
        assert_eq!(used(&estimate), 1_000);
        estimate.add(sample(20_000_000, 80_000_000, 1_000));
        assert_eq!(used(&estimate), 1_000, "a slower one changes nothing");
    }

    #[test]
    fn an_offset_stays_for_as_long_as_it_may_be_true() {
        let mut estimate = Estimate::default();
        estimate.add(sample(0, 10_000, 10_000));
        for at in 1..100 {
            estimate.add(sample(at * 1_000_000, 2_000 * (at % 3), 2_000));
        }
        assert_eq!(used(&estimate), 0, "it does not tremble");
    }

    #[test]
    fn one_clock_is_found_to_be_one() {
        let mut estimate = Estimate::default();
        for at in 1..100 {
            let (asked, there) = (at * 1_000_000, 1_000 * (at % 7));
            estimate.add(Sample::new(Here(asked), There(asked + there), Here(asked + there + 500)));
        }
        assert_eq!(estimate.used, ClockOffset::NONE);
    }

    #[test]
    fn clocks_that_drift_apart_are_followed() {
        let (mut estimate, mut drifted) = (Estimate::default(), 0);
        for second in 0..1000 {
            drifted = second * 400_000; // 400 ppm
            let asked = second * 1_000_000_000;
            let there = There(asked + 10_000 - AHEAD - drifted);
            estimate.add(Sample::new(Here(asked), there, Here(asked + 20_000)));
        }
        let wrong = used(&estimate) - drifted;
        assert!(wrong.abs() < 2_000_000, "wrong by {wrong} ns");
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_at_once() {
        let mut estimate = Estimate::default();
        (0..8).for_each(|at| estimate.add(sample(at * 1_000_000, 100, 100)));
        // Slower than all of before, but they cannot be true any more.
        let jumped = There(10_000_000 + 5_000 - AHEAD - 60_000_000_000);
        estimate.add(Sample::new(Here(10_000_000), jumped, Here(10_010_000)));
        assert_eq!(used(&estimate), 60_000_000_000);
        assert_eq!(estimate.samples.len(), 1);
    }

    #[test]
    fn nonsense_is_no_panic() {
        let mut estimate = Estimate::default();
        for there in [i64::MIN, i64::MAX, 0, -1] {
            estimate.add(Sample::new(Here(5), There(there), Here(4)));
            estimate.add(Sample::new(Here(i64::MAX), There(there), Here(i64::MIN)));
        }
        assert!(estimate.samples.len() <= KEPT);
    }

    #[test]
    fn only_one_question_waits_and_none_is_asked_too_soon() {
        let mut guest = Comparison::new(MonotonicClock::default());
        let mut out = Vec::new();
        assert!(matches!(guest.answered(There(0)), Err(Violation::NotAsked)));
        for _ in 0..KEPT {
            assert!(guest.ask() || guest.state == State::ToAsk);
            assert!(!guest.ask());
            guest.take_turn(&mut out);
            assert!(!guest.ask());
            guest.answered(There(0)).unwrap();
        }
        assert!(!guest.ask(), "a moment ago it was asked");
        let State::Quiet(Some(since)) = guest.state else { panic!("{:?}", guest.state) };
        guest.state = State::Quiet(Some(Here(since.0 - INTERVAL)));
        assert!(guest.ask());

        let mut display = Comparison::new(MonotonicClock::default());
        display.asked().unwrap();
        assert!(matches!(display.asked(), Err(Violation::AskedTwice)));
        display.take_turn(&mut out);
        display.asked().unwrap();
    }
}
