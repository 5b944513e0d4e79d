//! How many tests ran, as the test runners themselves say.

use std::iter::Sum;

/// Tests that passed and that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::default(), |sum, one| Counts {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
        })
    }
}

/// The runners' summary lines in `output`, and what they say. Those that ran no test are left out.
pub(crate) fn summaries(output: &str) -> impl Iterator<Item = (&str, Counts)> {
    let lines = output.lines().map(str::trim);
    let counted = lines.filter_map(|line| Some((line, nextest(line).or_else(|| libtest(line))?)));
    counted.filter(|(_, counts)| *counts != Counts::default())
}

/// `Summary [   0.912s] 41 tests run: 40 passed (1 slow), 1 failed, 2 skipped`
fn nextest(line: &str) -> Option<Counts> {
    let line = line.strip_prefix("Summary [")?;
    let (_, counts) = line.split_once(" run: ")?;
    // In parentheses stands of what kind some of those before them are.
    let outside = counts.split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    Some(outside.collect::<String>().split(',').filter_map(count).sum())
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1s`
fn libtest(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(counts.split(';').filter_map(count).sum())
}

/// One count, such as `12 passed`. What is neither passed nor left out did not pass.
fn count(text: &str) -> Option<Counts> {
    let (number, what) = text.trim().split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let left_out = ["skipped", "ignored", "measured", "filtered"];
    if what.starts_with("passed") {
        Some(Counts { passed: number, failed: 0 })
    } else if left_out.iter().any(|word| what.starts_with(word)) {
        None
    } else {
        Some(Counts { passed: 0, failed: number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(output: &str) -> Vec<(u64, u64)> {
        summaries(output).map(|(_, counts)| (counts.passed, counts.failed)).collect()
    }

    #[test]
    fn nextest_is_understood() {
        let output = "        PASS [   0.1s] a b\n\
            ────────────\n     \
            Summary [   0.912s] 43 tests run: 40 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 2 skipped\n\
            FAIL [   0.1s] a c\n";
        assert_eq!(counts(output), [(40, 3)]);
        assert_eq!(counts("Summary [ 0.1s] 1 test run: 1 passed, 0 skipped"), [(1, 0)]);
        let cut_short = "Summary [ 1.0s] 3/9 tests run: 2 passed, 1 failed, 6 skipped";
        assert_eq!(counts(cut_short), [(2, 1)]);
    }

    #[test]
    fn libtest_is_understood() {
        let output = "\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.5s\n\
            test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s\n";
        assert_eq!(counts(output), [(12, 0), (1, 2)]);
        assert_eq!(summaries(output).map(|(_, counts)| counts).sum::<Counts>().passed, 13);
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(counts("running 3 tests\ntest a ... ok\nSummary [broken\ntest result: ok"), []);
    }
}
