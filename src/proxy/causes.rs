//! Errors with all their causes, in one line: what to do about one is often said by the last.

use std::error::Error;

pub(super) fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sharing::NotShared;
    use super::*;
    use crate::export::ExportError;
    use crate::grant::{GrantError, PageCount};

    #[test]
    fn who_meets_a_limit_is_told_what_to_raise() {
        let wanted = PageCount::new(2025).unwrap();
        let limit = GrantError::Limit { wanted, limit: 1024, remedy: "raise it" };
        let text = with_causes(&NotShared::from(ExportError::from(limit)));
        assert_eq!(
            text,
            "the buffer cannot be shared: cannot grant the buffer's pages: cannot grant 2025 more \
             pages (the limit is 1024 pages): raise it"
        );
    }
}
